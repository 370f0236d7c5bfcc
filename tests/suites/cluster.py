"""The cluster of tests/cluster: what the operator's tests rely on works in it, and it leaves nothing behind."""

import json
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from kubernetes import HERE, Cluster
from harness import Case, binary, main, request

os.environ.pop("KUBECONFIG", None)  # what is tested is a cluster of our own
CLUSTER = Cluster()
NAMESPACE = "smsc"
PODS = ["frontend-0", "frontend-1"]
LIVEZ = "GET /livez HTTP/1.0\r\n\r\n"


def setUpModule():
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.start()
    CLUSTER.images(**{
        "smsc-frontend": binary("smsc-frontend"),
        "tools": "/usr/bin/sleep infinity,/usr/bin/getent,/usr/bin/socat",
    })
    CLUSTER.kubectl("apply", "-f", Path(__file__).with_suffix(".yaml"))
    CLUSTER.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/frontend", "--timeout=120s", seconds=150)
    CLUSTER.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/tools", "--timeout=60s", seconds=90)


class InTheCluster(Case):
    def kubectl(self, *arguments, **options):
        return CLUSTER.kubectl("-n", NAMESPACE, *arguments, **options)

    def get(self, *arguments):
        return CLUSTER.get("-n", NAMESPACE, *arguments)

    def in_pod(self, *command, **options):
        """Runs a program of the pod `tools`."""
        return self.kubectl("exec", "-i", "tools", "--", *command, **options)

    def addresses(self):
        return [self.get("pod", pod)["status"]["podIP"] for pod in PODS]


class Nodes(InTheCluster):
    def test_two_real_nodes_are_ready(self):
        nodes = CLUSTER.get("nodes")["items"]
        ready = [
            (node["metadata"]["name"], condition["status"])
            for node in nodes for condition in node["status"]["conditions"] if condition["type"] == "Ready"
        ]
        self.assertEqual([("node0", "True"), ("node1", "True")], ready)
        self.assertEqual({"v1.34.4"}, {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes})

    def test_the_frontends_run_one_on_each(self):
        self.assertEqual({"node0", "node1"}, {self.get("pod", pod)["spec"]["nodeName"] for pod in PODS})

    def test_a_pod_beyond_restricted_security_is_refused(self):
        said = self.kubectl("run", "root", "--image=localhost/tools:test", check=False)
        self.assertIn('violates PodSecurity "restricted', said)

    def test_helm_reaches_the_cluster(self):
        self.assertIn("NAME", CLUSTER.run("helm", "list", "--all-namespaces"))


class Pods(InTheCluster):
    def test_logs_and_exec_work_on_both_nodes(self):
        for pod in PODS:
            self.assertIn("0.0.0.0:5060", self.kubectl("logs", pod))
            self.assertRegex(self.kubectl("exec", pod, "--", "/bin/smsc-frontend", "--version"), r"^smsc-frontend \d")

    def test_claims_are_bound_and_hold_the_store(self):
        for pod in PODS:
            claim = self.get("persistentvolumeclaim", f"data-{pod}")
            self.assertEqual("Bound", claim["status"]["phase"])
            folder = CLUSTER.get("persistentvolume", claim["spec"]["volumeName"])["spec"]["hostPath"]["path"]
            self.assertTrue((CLUSTER.state / Path(folder).relative_to("/run/cluster") / "smsc.db").exists())

    def test_a_changed_config_map_is_reloaded_soon(self):
        changed = self.get("configmap", "frontend")["data"]["config.yaml"].replace("10.0.0.0/8", "10.0.0.0/9, 10.128.0.0/9")
        self.kubectl("patch", "configmap", "frontend", "--patch", json.dumps({"data": {"config.yaml": changed}}))
        for pod in PODS:
            self.eventually("reload", lambda: "configuration reloaded" in self.kubectl("logs", pod), seconds=30)


class Network(InTheCluster):
    def test_a_service_answers_a_pod_by_name(self):
        said = self.in_pod("socat", "-t5", "-", "TCP:frontend:80,shut-none", text=LIVEZ)
        self.assertRegex(said, r"^HTTP/1\.[01] 200 ")

    def test_a_service_answers_nodes_and_this_host(self):
        address = self.get("service", "frontend")["spec"]["clusterIP"]
        self.assertEqual(200, request("GET", f"http://{address}/livez")[0])
        for node in ("node0", "node1"):
            said = CLUSTER.in_network_of(node, "socat", "-t5", "-", f"TCP:{address}:80,shut-none", text=LIVEZ)
            self.assertRegex(said, r"^HTTP/1\.[01] 200 ")

    def test_headless_names_lead_to_the_pods(self):
        said = self.in_pod("getent", "ahostsv4", "headless")
        self.assertEqual(set(self.addresses()), {line.split()[0] for line in said.splitlines()})
        for pod, address in zip(PODS, self.addresses()):
            said = self.in_pod("getent", "ahostsv4", f"{pod}.headless.{NAMESPACE}.svc.cluster.local")
            self.assertEqual({address}, {line.split()[0] for line in said.splitlines()})

    def test_a_name_outside_the_cluster_is_unknown_at_once(self):
        said = self.in_pod("socat", "-", "TCP:ims.mnc001.mcc001.3gppnetwork.org:80", check=False, seconds=5)
        self.assertIn("Name or service not known", said)

    def test_a_pod_reaches_this_host(self):
        with socket.create_server((CLUSTER.host, 0)) as listener:
            listener.settimeout(10)
            self.in_pod("socat", "-u", "/dev/null", f"TCP:{CLUSTER.host}:{listener.getsockname()[1]}")
            connection, peer = listener.accept()
            connection.close()
        self.assertEqual(self.get("pod", "tools")["status"]["podIP"], peer[0])


class LoadBalancer(InTheCluster):
    def test_each_service_leads_to_its_pod_and_keeps_the_source_address(self):
        for ordinal, pod in enumerate(PODS):
            [ingress] = self.eventually(
                "an address", lambda: self.get("service", f"sip-{ordinal}")["status"]["loadBalancer"].get("ingress"),
            )
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.connect((ingress["ip"], 5060))
                source = "{}:{}".format(*client.getsockname())
                client.send(publish(ingress["ip"], source))
                self.assertRegex(client.recv(65535).decode(), r"^SIP/2\.0 405 ")
            self.assertEqual(CLUSTER.host, source.split(":")[0])
            self.assertRegex(self.kubectl("logs", pod), rf"refused.*{source}|{source}.*refused")

    def test_an_address_goes_with_its_service(self):
        self.kubectl("create", "service", "loadbalancer", "passing", "--tcp=80")
        [ingress] = self.eventually(
            "an address", lambda: self.get("service", "passing")["status"]["loadBalancer"].get("ingress"),
        )
        self.assertIn(ingress["ip"], CLUSTER.run("ip", "route"))
        self.kubectl("delete", "service", "passing")
        self.eventually("no route", lambda: ingress["ip"] not in CLUSTER.run("ip", "route"))


class Kinds(InTheCluster):
    def test_pod_monitors_and_rules_are_known(self):
        self.assertEqual(
            ["podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com"],
            CLUSTER.kubectl("api-resources", "--api-group=monitoring.coreos.com", "-o", "name").split(),
        )


class Ends(Case):
    """Clusters beside the suite's own, for several fit on a machine."""

    def other(self):
        cluster = Cluster("cluster-that-ends")
        self.addCleanup(subprocess.run, [HERE / "down"], env={**os.environ, "SMSC_CLUSTER_STATE": str(cluster.state)}, check=True)
        return cluster

    def test_killed_it_is_gone_and_after_up_and_down_nothing_is_left(self):
        before = elsewhere()
        cluster = self.other().start()
        cluster.kubectl("run", "pause", "--image=localhost/pause:1")
        cluster.kubectl("wait", "--for=condition=Ready", "pod/pause", "--timeout=60s", seconds=90)
        traces = Traces(cluster)
        self.assertEqual([], [what for what, found in traces.found().items() if not found], "nothing to be left behind")

        cluster.process.kill()
        self.eventually("the end of every process", lambda: not traces.processes(), seconds=20)

        said = cluster.run(HERE / "up", seconds=300)
        self.assertRegex(said, rf"(?m)^export KUBECONFIG={cluster.state}/kubeconfig$")
        self.assertEqual("node0 node1", cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))
        traces = Traces(cluster)
        cluster.run(HERE / "down")
        self.assertEqual([], [f"{what}: {found}" for what, found in traces.found().items() if found])
        self.assertEqual(before, elsewhere())

    def test_run_ends_the_cluster_and_hands_on_the_exit_code(self):
        cluster = self.other()
        command = [HERE / "run", "--nodes", "1", "--kwok", "3", "--", "sh", "-c", "kubectl get nodes -o name; exit 7"]
        done = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=300)
        self.assertEqual((7, ["node/fake0", "node/fake1", "node/fake2", "node/node0"]), (done.returncode, done.stdout.split()))
        self.assertFalse(cluster.state.exists())

    def test_with_a_kubeconfig_none_is_started(self):
        cluster = self.other()
        environment = {**CLUSTER.environment, "SMSC_CLUSTER_STATE": str(cluster.state)}
        done = subprocess.run([HERE / "run", "--", "kubectl", "get", "nodes", "-o", "name"], env=environment, capture_output=True, text=True)
        self.assertEqual((0, ["node/node0", "node/node1"]), (done.returncode, done.stdout.split()))
        self.assertFalse(cluster.state.exists())


class Traces:
    """What a cluster leaves if it is not ended well, and what of it is there now."""

    def __init__(self, cluster):
        self._state = cluster.state
        self._namespace = os.readlink(f"/proc/{cluster.first_process()}/ns/pid")
        [self._slot] = [link.name for link in Path("/run/smsc-clusters").iterdir() if link.is_symlink() and link.readlink() == cluster.state]

    def found(self):
        interface = f"smsc{self._slot}"
        return {
            "processes": self.processes(),
            "files": [str(path) for path in (self._state, Path(f"/run/smsc-clusters/{self._slot}")) if path.is_symlink() or path.exists()],
            "cgroups": list(map(str, Path("/sys/fs/cgroup").glob(f"*/smsc-cluster-{self._slot}"))),
            "interfaces": [name for name in os.listdir("/sys/class/net") if name == interface],
            "routes": [line for line in output("ip", "route").splitlines() if f"dev {interface}" in line],
        }

    def processes(self):
        """Everything in the cluster's PID namespace, pods included."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "ns/pid") == self._namespace:
                    found.append((process / "comm").read_text().strip())
            except OSError:
                pass  # ended meanwhile
        return found


def elsewhere():
    """What a cluster never touches: this host's mounts, packet filter, named networks, and where others keep theirs."""
    folders = (
        "/etc/cni", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/netns", "/usr/libexec/kubernetes", "/var/lib/cni",
        "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
    )
    return {
        "mounts": Path("/proc/mounts").read_text(), "packet filter": [line for line in output("iptables-save").splitlines() if line[:1] == "-"],
        "folders": [(folder, os.listdir(folder)) for folder in folders if os.path.exists(folder)],
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
    }


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def publish(host, source):
    """A request that a frontend does not serve, and says so."""
    lines = [
        f"PUBLISH sip:smsc@{host} SIP/2.0", f"Via: SIP/2.0/UDP {source};branch=z9hG4bKcluster;rport",
        "From: <sip:test@example.org>;tag=1", f"To: <sip:smsc@{host}>", "Call-ID: cluster", "CSeq: 1 PUBLISH",
        "Max-Forwards: 70", "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


if __name__ == "__main__":
    main()
