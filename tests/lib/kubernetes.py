"""A Kubernetes cluster for a suite: tests/cluster/run holds it, so it ends with the suite, whatever ends that."""

import json
import os
import subprocess
import time
from pathlib import Path

from harness import CACHE, ROOT, Process, request

HERE = ROOT / "tests/cluster"
GROUP = "/apis/smsc.ims.dev/v1alpha1"
GROUPS = {
    "deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1", "leases": "/apis/coordination.k8s.io/v1",
    "podmonitors": "/apis/monitoring.coreos.com/v1", "smscfrontends": GROUP,
}


def path(namespace, kind, *rest):
    """Where the API server has the objects of a kind (its plural), or one of them by name, or a part of that."""
    return "/".join((GROUPS.get(kind, "/api/v1"), "namespaces", namespace, kind, *rest))


class Cluster:
    """A cluster with a state directory of its own: `name` in the cache, its logs in NAME.log once it has ended."""

    def __init__(self, name="cluster-of-suite", *options):
        self.state = CACHE / name
        self.environment = {**os.environ, "SMSC_CLUSTER_STATE": str(self.state)}
        self.process = None
        self._options = options
        self._proxy = None

    def start(self, *, seconds=300):
        """Returns when the nodes are ready."""
        exported = self.state.with_suffix(".environment")
        exported.unlink(missing_ok=True)
        hold = ["bash", "-c", 'env -0 >"$0.part" && mv "$0.part" "$0" && exec sleep infinity', exported]
        log = self.state.with_suffix(".run")
        log.unlink(missing_ok=True)
        self.process = Process("cluster", [HERE / "run", *self._options, "--", *hold], log, env={"SMSC_CLUSTER_STATE": str(self.state)})
        deadline = time.monotonic() + seconds
        while not exported.exists():
            if self.process.exit_code() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no cluster: {self.process.output()}")
            time.sleep(0.05)
        self.environment = dict(line.split("=", 1) for line in exported.read_text().split("\0") if line)
        exported.unlink()
        return self

    @property
    def host(self):
        """This host's address as pods see it, and where they reach it."""
        return self.environment["SMSC_CLUSTER_HOST"]

    @property
    def ours(self):
        """Whether it is a cluster of tests/cluster, with processes, nodes and a load balancer in reach."""
        return (self.state / "init").exists()

    def stop(self):
        """Ends the cluster; returns when all of it is gone."""
        if self._proxy:
            self._proxy.stop()
        self.process.popen.terminate()
        self.process.popen.wait(60)

    def run(self, *command, text=None, check=True, seconds=60):
        """Runs a command with the cluster's environment; what it wrote, errors after output."""
        done = subprocess.run(
            [str(part) for part in command], input=text, env=self.environment, timeout=seconds,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def kubectl(self, *arguments, **options):
        return self.run("kubectl", *arguments, **options)

    def get(self, *arguments):
        """One object or list, as the API server has it."""
        return json.loads(self.run("kubectl", "get", *arguments, "-o", "json"))

    def api(self, method, path, body=None, *, kind="application/json"):
        """One request to the API server, quicker than a kubectl each: status, and the JSON or text of the answer."""
        if self._proxy is None:
            log = self.state.with_suffix(".proxy")
            log.unlink(missing_ok=True)
            self._proxy = Process("proxy", ["kubectl", "proxy", "--port=0"], log, env=self.environment)
            while not self._proxy.output().endswith("\n"):
                if self._proxy.exit_code() is not None:
                    raise RuntimeError(f"kubectl proxy: {self._proxy.output()}")
                time.sleep(0.02)
        port = self._proxy.output().rstrip().rpartition(":")[2]
        status, answer = request(method, f"http://127.0.0.1:{port}{path}", body, {"Content-Type": kind})
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, answer.decode(errors="replace")

    def images(self, **programs):
        """Makes images localhost/NAME:test of programs and loads them into every node."""
        self.run(HERE / "image", *(f"localhost/{name}:test={program}" for name, program in programs.items()))

    def in_network_of(self, node, *command, **options):
        """Runs a command of this host in a node's network."""
        return self.run(HERE / "enter", node, *command, **options)

    def first_process(self):
        """The process with which all others of the cluster end, as this host numbers it."""
        return int((self.state / "init").read_text().split()[1])

    def logs(self):
        """Where the cluster's own logs are, while it lives and after."""
        return next((place for place in (self.state / "log", Path(f"{self.state}.log")) if place.is_dir()), None)
