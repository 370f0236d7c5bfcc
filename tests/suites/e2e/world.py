"""What the scenarios share: the cluster, the release under test, and for each test a namespace with a backend and handsets."""

import copy
import hashlib
import re

from handsets import Handsets
from harness import DOMAIN, LOCATION, ROOT, Case, FakeBackend, binary
from kubernetes import Cluster, path

CLUSTER = Cluster("cluster-of-e2e")
CHART = ROOT / "charts/smsc-operator"
RELEASE, SYSTEM = "smsc-operator", "smsc"
FINALIZER = "smsc.ims.dev/deregistration"
OPERATORS = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
LEASE = path(SYSTEM, "leases", RELEASE)
NAME = "home"
# Pods of tests that do not ask how pods end.
QUICK_END = {"terminationGracePeriodSeconds": 2, "containers": [{"name": "frontend", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]}


def open_world():
    """Starts the cluster and brings the images; nothing of ours runs in it yet."""
    CLUSTER.start()
    CLUSTER.api("GET", "/version")
    CLUSTER.images(**{name: binary(name) for name in ("smsc-frontend", "smsc-operator")})


def close_world():
    CLUSTER.stop()


def helm(*arguments, **options):
    return CLUSTER.run("helm", *arguments, "-n", SYSTEM, **options)


def location(ordinal):
    """The location of a pod."""
    first, _, rest = LOCATION.partition(".")
    return f"{first}-{ordinal}.{rest}" if ordinal else LOCATION


class World(Case):
    """A test in a namespace of its own, restricted as namespaces should be, with a backend and handsets on this host."""

    backend_options = ()

    def setUp(self):
        super().setUp()
        self.namespace = namespace_of(self.id())
        self.backend = FakeBackend(self, "--host", CLUSTER.host, *self.backend_options)
        self.handsets = self.keep(Handsets(CLUSTER.host))
        restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.make_namespace(restricted)

    def run(self, result=None):
        self.failures = lambda: len(result.failures) + len(result.errors)
        self._failed_before = self.failures()
        return super().run(result)

    def make_namespace(self, labels):
        status, answer = CLUSTER.api("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace, "labels": labels}})
        self.assertEqual(201, status, answer)
        self.addCleanup(CLUSTER.api, "DELETE", f"/api/v1/namespaces/{self.namespace}")
        self.addCleanup(self._end)
        role = f"{RELEASE}-secrets"  # the command of the chart's notes
        self.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--serviceaccount={SYSTEM}:{RELEASE}")

    def _end(self):
        """Tells what became of a test that failed; deletes its resources."""
        if self.failures() > self._failed_before:
            self.tell()
        for one in self.list("smscfrontends"):
            CLUSTER.api("DELETE", path(self.namespace, "smscfrontends", one["metadata"]["name"]))
        self.eventually("the end of the resources", lambda: not self.list("smscfrontends"), seconds=90)
        self.assertEqual([], self.backend.state()["violations"], "what was sent to the backend breaks the contract")

    def tell(self):
        for command in (
            ["-n", self.namespace, "describe", "smscfrontends"], ["-n", self.namespace, "get", "pods,events"],
            ["-n", self.namespace, "logs", "-l", "app.kubernetes.io/name=smsc-frontend", "--tail=30", "--prefix"],
            ["-n", SYSTEM, "logs", "-l", OPERATORS, "--tail=60", "--prefix"],
        ):
            print(f"---- {self.id()}: kubectl {' '.join(command)} ----\n{CLUSTER.kubectl(*command, check=False)}")

    # ---- the cluster, as this namespace has it ----

    def kubectl(self, *arguments, **options):
        return CLUSTER.kubectl("-n", self.namespace, *arguments, **options)

    def get(self, kind, name=NAME):
        """An object; None if there is none."""
        status, answer = CLUSTER.api("GET", path(self.namespace, kind, name))
        return answer if status == 200 else None

    def list(self, kind, selector=""):
        status, answer = CLUSTER.api("GET", path(self.namespace, kind) + f"?labelSelector={selector}")
        self.assertEqual(200, status, answer)
        return answer["items"]

    def change(self, kind, patch, name=NAME):
        """Merges a patch into an object."""
        status, answer = CLUSTER.api("PATCH", path(self.namespace, kind, name), patch, kind="application/merge-patch+json")
        self.assertEqual(200, status, answer)
        return answer

    def delete(self, kind, name=NAME, **options):
        status, answer = CLUSTER.api("DELETE", path(self.namespace, kind, name), options or None)
        self.assertIn(status, (200, 202), answer)

    # ---- the resource ----

    def spec(self, **more):
        """What every test writes, and what this one says besides; a NodePort for each pod makes it reachable in any cluster."""
        return merged({
            "imsDomain": DOMAIN, "location": LOCATION, "sCSCFURI": f"sip:{CLUSTER.host}:{self.handsets.port}", "scAddress": "+447700900999",
            "backend": {"apiBaseURL": self.backend.url},
            "sip": {"trustedPeers": ["0.0.0.0/0"], "exposure": {"service": {"type": "NodePort", "externalTrafficPolicy": "Cluster", "perPod": True}}},
            "polling": {"intervalMilliseconds": 500},
            "pod": {"overrides": {"spec": QUICK_END}},
        }, more)

    def create(self, name=NAME, **more):
        body = {"apiVersion": "smsc.ims.dev/v1alpha1", "kind": "SmscFrontend", "metadata": {"name": name}, "spec": self.spec(**more)}
        status, answer = CLUSTER.api("POST", path(self.namespace, "smscfrontends"), body)
        self.assertEqual(201, status, answer)
        return answer

    def conditions(self, name=NAME):
        """The status and reason of each condition that speaks of the newest specification."""
        resource = self.get("smscfrontends", name)
        return {
            condition["type"]: (condition["status"], condition["reason"])
            for condition in resource.get("status", {}).get("conditions", [])
            if condition["observedGeneration"] == resource["metadata"]["generation"]
        }

    def await_condition(self, kind, status, reason, name=NAME, *, seconds=60):
        """Waits for a condition; its message."""
        wanted = (status, reason)
        self.eventually(f"{kind} {wanted}", lambda: self.conditions(name).get(kind) == wanted, seconds=seconds)
        [message] = [one["message"] for one in self.get("smscfrontends", name)["status"]["conditions"] if one["type"] == kind]
        return message

    def ready(self, name=NAME, *, seconds=60):
        """Waits until the newest specification is reached, and the backend knows of it; the resource as it is then."""
        wanted = {"Ready": ("True", "AsSpecified"), "BackendRegistered": ("True", "Registered")}
        self.eventually(f"{name} {wanted}", lambda: wanted.items() <= self.conditions(name).items(), seconds=seconds)
        return self.get("smscfrontends", name)

    def up(self, **more):
        """Creates the resource and waits for it; handsets then speak to its Service."""
        self.create(**more)
        resource = self.ready()
        self.handsets.frontend = self.sip()
        return resource

    def scale(self, replicas, name=NAME):
        self.kubectl("scale", f"smscfrontend/{name}", f"--replicas={replicas}")

    def events(self, name=NAME):
        """Reason and count of each event of a resource."""
        counted = {}
        for event in self.list("events"):
            if event["involvedObject"].get("name") == name and event["involvedObject"]["kind"] == "SmscFrontend":
                count = max(event.get("count") or 1, (event.get("series") or {}).get("count", 1))
                counted[event["reason"]] = counted.get(event["reason"], 0) + count
        return counted

    # ---- its pods ----

    def pods(self, name=NAME):
        """Those that run, by ordinal."""
        found = self.list("pods", f"app.kubernetes.io/name=smsc-frontend,app.kubernetes.io/instance={name}")
        return sorted((pod for pod in found if "deletionTimestamp" not in pod["metadata"]), key=lambda pod: pod["metadata"]["name"])

    def pod_ids(self, name=NAME):
        return [pod["metadata"]["uid"] for pod in self.pods(name)]

    def in_pod(self, ordinal, what, name=NAME):
        """What a pod answers at its admin port; None where it does not."""
        status, answer = CLUSTER.api("GET", path(self.namespace, "pods", f"{name}-{ordinal}:9090", "proxy", what))
        return answer if status == 200 else None

    def sip(self, ordinal=None, name=NAME, protocol="UDP"):
        """Where SIP is taken, by all pods together or by one: an address and a port, as this host reaches them."""
        service = self.get("services", f"{name}-sip" + ("" if ordinal is None else f"-{ordinal}"))
        [port] = [port["nodePort"] for port in service["spec"]["ports"] if port["protocol"] == protocol]
        return node_address(), port

    def pollers(self, queue):
        """Who asked for a location's queue, in order, each named once for as long as it was the only one."""
        asked = [record["peer"] for record in self.backend.requests("get_queue") if record["headers"]["smsc"] == queue]
        return [peer for before, peer in zip([None, *asked], asked) if peer != before]

    def registered(self, backend=None):
        """The locations a backend has, those of lower ordinals first."""
        return sorted((backend or self.backend).state()["frontends"], key=lambda name: (len(name), name))

    def outcomes(self):
        """What the backend was told of each message, by its text."""
        return {message["row"]["message_body"]: [report["status"] for report in message["reports"]] for message in self.backend.state()["messages"]}


def node_address():
    """An address of a node that this host reaches."""
    nodes = CLUSTER.api("GET", "/api/v1/nodes")[1]["items"]
    return next(one["address"] for one in nodes[0]["status"]["addresses"] if one["type"] == "InternalIP")


def namespace_of(test):
    """A name made of a test's: readable, unique, short enough."""
    kind, name = test.rsplit(".", 2)[-2:]
    words = re.sub("[^a-z]+", "-", f"{kind}-{name.removeprefix('test_')}".lower())[:40].strip("-")
    return f"e2e-{words}-{hashlib.sha256(test.encode()).hexdigest()[:4]}"


def merged(base, more):
    """One tree over another."""
    result = copy.deepcopy(base)
    for key, value in more.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result
