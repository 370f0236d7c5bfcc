"""What a thousand resources cost the operator: time until all are Ready, its CPU time, memory and requests, then the same
at rest, beside the floor of the same objects created by a client that knows nothing of frontends.

Pods are KWOK's: they turn Ready, but run nothing, so no pod answers GET /status and no backend is told. Both loads run one
after the other on the same cluster in the same run, through one `kubectl proxy`.
"""

import http.client
import json
import os
import re
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
os.environ.setdefault("SMSC_PROFILE", "release")
os.environ.pop("KUBECONFIG", None)  # a cluster with fake nodes is a cluster of our own
from harness import Case, binary, free_port, main, request
from kubernetes import Cluster

RESOURCES = int(os.environ.get("SMSC_BENCH_RESOURCES", "1000"))
CONNECTIONS = 16
REST = 20  # seconds
PLACED = {"nodeSelector": {"type": "kwok"}, "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]}
CLUSTER = Cluster("cluster-of-bench", "--nodes", "1", "--kwok", "4")


def setUpModule():
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.start()
    CLUSTER.kubectl("apply", "--server-side", "-f", "crds/smscfrontends.yaml")
    for namespace in ("floor", "operator"):
        CLUSTER.kubectl("create", "namespace", namespace)


class Operator(Case):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.start("proxy", ["kubectl", "proxy", f"--port={self.port}"], env=CLUSTER.environment)
        self.eventually("the proxy", lambda: self.api("GET", "/readyz") == b"ok")

    def test_a_thousand_resources(self):
        floor = self.load("floor", [
            (f"/api/v1/namespaces/floor/{kind}" if kind in ("configmaps", "services") else f"/apis/apps/v1/namespaces/floor/{kind}", body)
            for number in range(RESOURCES) for kind, body in plain(f"f{number:04}")
        ], lambda: self.ready_pods("floor"))

        listen = f"127.0.0.1:{free_port()}"
        program = self.start(
            "operator", [binary("smsc-operator"), "run", "--frontend-image", "frontend:1", "--listen", listen, "--log", "warn"],
            env={**CLUSTER.environment, "POD_NAMESPACE": "operator"},
        )
        self.eventually("a leader", lambda: leads(listen), seconds=60)
        pid = program.popen.pid
        before = cpu_seconds(pid)
        path = "/apis/smsc.ims.dev/v1alpha1/namespaces/operator/smscfrontends"
        ours = self.load("operator", [(path, frontend(number)) for number in range(RESOURCES)], self.ready_resources)
        settled = self.settled(listen)
        used, memory = cpu_seconds(pid) - before, memory_mib(pid)

        before, moved = cpu_seconds(pid), written(listen)
        self.eventually("rest", rest_of(REST), seconds=REST + 5)
        rested, writes = cpu_seconds(pid) - before, written(listen) - moved
        print(f"\n{RESOURCES} resources, {CONNECTIONS} connections")
        print(f"{'':44} {'all created s':>14} {'all Ready s':>12}")
        print(f"{'floor: ConfigMap, Service, StatefulSet of 1':44} {floor[0]:14.1f} {floor[1]:12.1f}")
        print(f"{'operator: SmscFrontend':44} {ours[0]:14.1f} {ours[1]:12.1f}")
        print(f"ratio of the times until all are Ready: {ours[1] / floor[1]:.2f}")
        print(f"operator: {used * 1000 / RESOURCES:.1f} CPU-ms a resource, {settled / RESOURCES:.1f} writes a resource, {memory:.0f} MiB")
        print(f"at rest for {REST} s: {rested * 1000 / REST:.1f} CPU-ms a second, {writes} writes\n")
        self.assertEqual(0, writes, "at rest nothing is written")

    def load(self, namespace, objects, ready):
        """Creates objects; seconds until all were created, and until `ready` counts all of them."""
        began = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            shares = [objects[k::CONNECTIONS] for k in range(CONNECTIONS)]
            for done in [pool.submit(self.create, share) for share in shares]:
                done.result()
        created = time.monotonic() - began
        self.eventually(f"{RESOURCES} ready in {namespace}", lambda: ready() >= RESOURCES, seconds=600, every=1)
        return created, time.monotonic() - began

    def create(self, objects):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for path, body in objects:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            assert answer.status == 201, said
        connection.close()

    def api(self, method, path):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request(method, path)
            return connection.getresponse().read()
        except OSError:
            return b""

    def ready_pods(self, namespace):
        sets = json.loads(self.api("GET", f"/apis/apps/v1/namespaces/{namespace}/statefulsets"))["items"]
        return sum(one["status"].get("readyReplicas", 0) for one in sets)

    def ready_resources(self):
        items = json.loads(self.api("GET", "/apis/smsc.ims.dev/v1alpha1/namespaces/operator/smscfrontends"))["items"]
        conditions = (one.get("status", {}).get("conditions", []) for one in items)
        return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in one) for one in conditions)

    def settled(self, listen):
        """Writes of the operator, once there are no more of them."""
        seen = [-1]

        def same():
            seen.append(written(listen))
            return seen[-1] == seen[-2]

        self.eventually("the last write", same, seconds=60, every=3)
        return seen[-1]


def plain(name):
    """What a resource needs at least."""
    meta, labels = {"name": name}, {"app": name}
    container = {"name": "frontend", "image": "frontend:1"}
    yield "configmaps", {"metadata": meta, "data": {f"{name}-0.yaml": "location: smsc01.example.org\n" * 20}}
    yield "services", {"metadata": meta, "spec": {"clusterIP": "None", "selector": labels, "ports": [{"port": 7060}]}}
    yield "statefulsets", {"metadata": meta, "spec": {
        "serviceName": name, "replicas": 1, "podManagementPolicy": "Parallel", "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **PLACED}},
    }}


def frontend(number):
    return {
        "apiVersion": "smsc.ims.dev/v1alpha1", "kind": "SmscFrontend", "metadata": {"name": f"f{number:04}"},
        "spec": {
            "imsDomain": "ims.mnc001.mcc001.3gppnetwork.org", "location": f"smsc{number:04}.mnc001.mcc001.3gppnetwork.org",
            "backend": {"apiBaseURL": "http://127.0.0.1:1"}, "pod": PLACED,
        },
    }


def leads(listen):
    try:
        return b"smsc_operator_leader 1" in request("GET", f"http://{listen}/metrics")[1] and request("GET", f"http://{listen}/readyz")[0] == 200
    except OSError:
        return False  # not yet listening


def written(listen):
    """Requests of the operator that write, the lease's left out: those are updates."""
    text = request("GET", f"http://{listen}/metrics")[1].decode()
    counted = re.findall(r'smsc_operator_api_requests_total\{verb="(\w+)",code="\d+"\} (\d+)', text)
    return sum(int(count) for verb, count in counted if verb in ("create", "patch", "delete"))


def rest_of(seconds):
    over = time.monotonic() + seconds
    return lambda: time.monotonic() >= over


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


if __name__ == "__main__":
    main()
