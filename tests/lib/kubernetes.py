"""A Kubernetes cluster for a suite: tests/cluster/run holds it, so it ends with the suite, whatever ends that."""

import json
import os
import subprocess
import time
from pathlib import Path

from harness import CACHE, ROOT, Process

HERE = ROOT / "tests/cluster"


class Cluster:
    """A cluster with a state directory of its own: `name` in the cache, its logs in NAME.log once it has ended."""

    def __init__(self, name="cluster-of-suite", *options):
        self.state = CACHE / name
        self.environment = {**os.environ, "SMSC_CLUSTER_STATE": str(self.state)}
        self.process = None
        self._options = options

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

    def stop(self):
        """Ends the cluster; returns when all of it is gone."""
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
