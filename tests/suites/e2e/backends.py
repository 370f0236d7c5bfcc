"""Backends that fail, when a resource comes and when it goes: a condition and an event, never a reason to touch pods."""

from datetime import datetime

from harness import FakeBackend, free_port

from .world import CLUSTER, FINALIZER, OPERATORS, RELEASE, SYSTEM, World, location

FAILING = {
    "drop": ({"fault": "drop"}, "BackendUnreachable", "the backend was not reached: the connection broke"),
    "denied": ({"fault": "status", "status": 401}, "BackendDenied", "the backend answered 401 Unauthorized: it wants another token or certificate"),
    "error": ({"fault": "status", "status": 500}, "BackendError", "the backend answered 500 Internal Server Error"),
    "slow": ({"fault": "delay", "seconds": 15}, "BackendUnreachable", "the backend did not answer within 10 s"),
}


class FailingBackends(World):
    def test_each_failure_is_a_condition_and_an_event_with_back_off_and_heals(self):
        """A resource for each failure, all at once."""
        backends = {name: FakeBackend(self, "--host", CLUSTER.host) for name in FAILING}
        for name, (fault, *_) in FAILING.items():
            backends[name].fault("frontend_register", **{"times": -1, **fault})
            self.create(name, backend={"apiBaseURL": backends[name].url})
        for name, (_, reason, message) in FAILING.items():
            with self.subTest(name):
                self.await_condition("Ready", "True", "AsSpecified", name)
                self.assertEqual(message, self.await_condition("BackendRegistered", "False", reason, name))
        pods = {name: self.pod_ids(name) for name in FAILING}

        operators = {pod["status"]["podIP"] for pod in CLUSTER.get("pods", "-n", SYSTEM, "-l", OPERATORS)["items"]}
        for name in ("drop", "denied", "error"):
            with self.subTest(name):
                def tries():
                    return [datetime.fromisoformat(one["at"]).timestamp() for one in backends[name].requests("frontend_register") if one["peer"] in operators]

                # With full jitter any wait may be short, but of five not all: that is once in thousands of times.
                self.eventually("six tries of the operator", lambda: len(tries()) >= 6, seconds=70)
                gaps = [after - before for before, after in zip(tries(), tries()[1:])]
                self.assertGreater(min(gaps), 0.9, gaps)
                self.assertGreater(max(gaps), 2.2, gaps)
        for name in FAILING:
            backends[name].control("DELETE", "faults")
        for name, (_, reason, _) in FAILING.items():
            with self.subTest(name):
                self.await_condition("BackendRegistered", "True", "Registered", name, seconds=90)
                self.assertEqual([location(0)], self.registered(backends[name]))
                self.eventually("events", lambda: self.events(name).get("Registered"))
                self.assertEqual((1, 1), (self.events(name)[reason], self.events(name)["Registered"]))
                self.assertEqual(pods[name], self.pod_ids(name))
                self.assertEqual([], backends[name].state()["violations"])

    def test_a_backend_that_comes_later_gets_the_locations(self):
        port = free_port(host=CLUSTER.host)
        self.create(backend={"apiBaseURL": f"http://{CLUSTER.host}:{port}"}, replicas=2)
        self.await_condition("BackendRegistered", "False", "BackendUnreachable")
        self.await_condition("Ready", "True", "AsSpecified")
        pods = self.pod_ids()
        later = FakeBackend(self, "--host", CLUSTER.host, "--port", str(port))
        self.await_condition("BackendRegistered", "True", "Registered", seconds=90)
        self.assertEqual([location(0), location(1)], self.registered(later))
        self.assertEqual(pods, self.pod_ids())

    def test_what_the_operator_may_not_read_or_make_is_said_with_the_remedy(self):
        role = f"{RELEASE}-secrets"
        remedy = f"kubectl -n {self.namespace} create rolebinding {role} --clusterrole={role} --serviceaccount={SYSTEM}:{RELEASE}"
        self.kubectl("delete", "rolebinding", role)
        self.create()
        message = self.await_condition("Ready", "False", "RelayKeyDenied")
        self.assertIn(remedy, message)
        CLUSTER.run(*remedy.split())
        self.ready()
        # To make Secrets is not to read them.
        self.kubectl("create", "role", "makes", "--verb=create", "--resource=secrets")
        self.kubectl("create", "rolebinding", "makes", "--role=makes", f"--serviceaccount={SYSTEM}:{RELEASE}")
        self.kubectl("delete", "rolebinding", role)
        self.kubectl("create", "secret", "generic", "backend", "--from-literal=token=token")
        self.change("smscfrontends", {"spec": {"backend": {"tokenSecretRef": {"name": "backend", "key": "token"}}}})
        message = self.await_condition("BackendRegistered", "False", "SecretUnreadable")
        self.assertIn(remedy, message)
        CLUSTER.run(*remedy.split())
        self.ready()

    def test_the_token_is_read_when_it_is_used(self):
        self.kubectl("create", "secret", "generic", "backend", "--from-literal=token=old")
        self.backend.control("POST", "settings", {"token": "new"})
        self.create(backend={"tokenSecretRef": {"name": "backend", "key": "token"}})
        self.await_condition("BackendRegistered", "False", "BackendDenied")
        self.change("secrets", {"stringData": {"token": "new"}}, "backend")
        self.await_condition("BackendRegistered", "True", "Registered", seconds=90)


class Deletion(World):
    def left(self):
        """What is there of the resource, whatever its kind."""
        kinds = "all,configmaps,secrets,poddisruptionbudgets,networkpolicies,podmonitors,endpointslices,controllerrevisions"
        return self.kubectl("get", kinds, "-l", "app.kubernetes.io/instance=home", "-o", "name")

    def test_kubectl_delete_leaves_nothing_in_the_cluster_and_at_the_backend(self):
        self.up(replicas=2, monitoring={"enabled": True}, networkPolicy={"enabled": True})
        self.assertEqual([FINALIZER], self.get("smscfrontends")["metadata"]["finalizers"])
        self.assertEqual([location(0), location(1)], self.registered())
        self.kubectl("delete", "smsc", "home", "--timeout=60s", seconds=90)
        self.assertEqual([], self.registered())
        self.eventually("nothing left", lambda: not self.left(), seconds=30)
        self.assertNotIn("home-relay-key", self.kubectl("get", "secrets"))
        gone = [record["at"] for record in self.backend.requests("frontend_deregister")]
        asked = [record["at"] for record in self.backend.requests("get_queue")]
        self.assertLess(max(asked), min(gone), "no pod polls a location that was taken from the backend")

    def test_a_namespace_goes_with_its_resource(self):
        self.up()
        self.kubectl("delete", "namespace", self.namespace, "--timeout=60s", seconds=90)
        self.assertEqual([], self.registered())

    def test_a_backend_that_is_down_holds_a_deletion_until_the_deadline(self):
        self.up(deregistration={"deadlineSeconds": 4})
        self.backend.fault("*", "drop", times=-1)
        self.delete("smscfrontends")
        self.await_condition("BackendRegistered", "False", "BackendUnreachable", seconds=30)
        self.eventually("the end of the resource", lambda: not self.get("smscfrontends"), seconds=30)
        self.assertEqual([location(0)], self.registered())
        self.eventually("the event", lambda: self.events().get("DeregistrationAbandoned") == 1)
        self.assertEqual([], self.pods())

    def test_leave_tells_the_backend_nothing(self):
        self.up(deregistration={"policy": "Leave"})
        self.assertNotIn("finalizers", self.get("smscfrontends")["metadata"])
        self.kubectl("delete", "smsc", "home", "--timeout=60s", seconds=90)
        self.assertEqual(([location(0)], []), (self.registered(), self.backend.requests("frontend_deregister")))
