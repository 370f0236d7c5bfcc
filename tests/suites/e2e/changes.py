"""Changes: of the specification, live and with a restart; and of what is built, by others."""

import json

from .world import World, location


class Changes(World):
    def generations(self):
        """What each pod says it has read, and what its file says."""
        files = self.get("configmaps", "home-config")["data"]
        written = [line.split()[1] for name in sorted(files) for line in files[name].splitlines() if line.startswith("generation: ")]
        return [(self.in_pod(ordinal, "status") or {}).get("generation") for ordinal in range(len(written))], written

    def restarts(self):
        return [pod["status"]["containerStatuses"][0]["restartCount"] for pod in self.pods()]

    def test_log_level_and_peers_change_without_a_restart(self):
        resource = self.up(replicas=2)
        pods, before = self.pod_ids(), self.generations()[1]
        for change in ({"log": {"level": "debug"}}, {"sip": {"trustedPeers": ["0.0.0.0/0", "2001:db8::/32"]}}):
            self.change("smscfrontends", {"spec": change})
            self.ready()
            self.eventually("the files are read", lambda: (found := self.generations())[0] == found[1] and not set(found[0]) & set(before), seconds=30)
            before = self.generations()[1]
        self.assertEqual((pods, [0, 0]), (self.pod_ids(), self.restarts()))
        self.assertNotIn("rollout", self.get("smscfrontends")["status"])
        self.assertEqual(resource["status"]["locations"], self.get("smscfrontends")["status"]["locations"])

    def test_a_limit_replaces_pods_one_at_a_time_and_the_status_says_why(self):
        self.up(replicas=2)
        pods = self.pod_ids()
        self.change("smscfrontends", {"spec": {"limits": {"openMt": 77}}})
        ready = []

        def replaced():
            ready.append(sum(condition["status"] == "True" for pod in self.pods() for condition in pod["status"].get("conditions", []) if condition["type"] == "Ready"))
            return len(after := self.pod_ids()) == 2 and not set(after) & set(pods) and ready[-1] == 2

        self.eventually("two new pods", replaced, seconds=60)
        self.assertEqual(1, min(ready), "pods that were Ready at once")
        rollout = self.ready()["status"]["rollout"]
        hashes = {pod["metadata"]["annotations"]["smsc.ims.dev/config-hash"] for pod in self.pods()}
        self.assertEqual((["limits.open_mt"], {rollout["configHash"]}), (rollout["changed"], hashes))

    def test_paused_stops_writes_to_the_cluster_and_nothing_else(self):
        self.up()
        self.change("smscfrontends", {"spec": {"paused": True}})
        self.await_condition("Ready", "False", "Paused")
        versions = self.versions()
        self.change("smscfrontends", {"spec": {"log": {"level": "debug"}}})
        self.delete("services", "home-sip")
        self.await_condition("Ready", "False", "Paused")
        self.assertEqual(("True", "Registered"), self.conditions()["BackendRegistered"])
        self.assertIsNone(self.get("services", "home-sip"))
        self.assertEqual({name: version for name, version in versions.items() if name != ("services", "home-sip")}, self.versions())
        self.change("smscfrontends", {"spec": {"paused": False}})
        self.ready()
        self.assertIsNotNone(self.get("services", "home-sip"))
        self.assertIn("level: debug", self.get("configmaps", "home-config")["data"]["home-0.yaml"])

    def versions(self):
        """The version of every object made for the resource but pods."""
        kinds = ("configmaps", "services", "statefulsets", "poddisruptionbudgets")
        made = "app.kubernetes.io/managed-by=smsc-operator"
        return {(kind, one["metadata"]["name"]): one["metadata"]["resourceVersion"] for kind in kinds for one in self.list(kind, made)}

    def test_what_cannot_be_built_is_stalled_until_it_is_changed(self):
        self.create(pod={"overrides": {"spec": {"containerz": []}}})
        message = self.await_condition("Stalled", "True", "InvalidSpec")
        self.assertEqual("pod.overrides: spec.containerz is not a field of a PodTemplateSpec", message)
        self.assertEqual(("False", "InvalidSpec"), self.conditions()["Ready"])
        self.assertEqual({}, self.versions())
        self.eventually("the event", lambda: self.events() == {"InvalidSpec": 1})

        label = {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}, "spec": {"containerz": None}}
        self.change("smscfrontends", {"spec": {"pod": {"overrides": label}}})
        told = "pod.overrides: the label app.kubernetes.io/instance selects the pods and cannot be changed"
        self.eventually("the other message", lambda: self.await_condition("Stalled", "True", "InvalidSpec") == told)

        self.change("smscfrontends", {"spec": {"pod": {"overrides": {"metadata": None}}}})
        self.ready()
        self.assertEqual(("False", "AsSpecified"), self.conditions()["Stalled"])

    def test_a_field_that_cannot_be_changed_is_stalled_and_said(self):
        other = {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "home"},
            "spec": {"serviceName": "other", "replicas": 0, "selector": {"matchLabels": {"app": "other"}},
                     "template": {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "other", "image": "other"}]}}},
        }
        self.kubectl("apply", "-f", "-", text=json.dumps(other))
        self.create()
        message = self.await_condition("Stalled", "True", "ImmutableField")
        self.assertIn("StatefulSet home", message)


class Drift(World):
    """What others change or take away comes back; what is built no more goes."""

    def test_what_others_delete_comes_back(self):
        self.up(replicas=2)
        pods = self.pod_ids()
        for kind, name in (("services", "home-sip"), ("services", "home-relay"), ("configmaps", "home-config"), ("poddisruptionbudgets", "home")):
            with self.subTest(kind, name=name):
                before = self.get(kind, name)["metadata"]["uid"]
                self.delete(kind, name)
                self.eventually(f"another {name}", lambda: (one := self.get(kind, name)) and one["metadata"]["uid"] != before)
        self.ready()
        self.assertEqual(pods, self.pod_ids())
        self.assertEqual([location(0), location(1)], self.registered())

    def test_a_relay_key_that_others_delete_comes_back_for_the_next_pod(self):
        """Pods that run have read it; the operator may not watch Secrets."""
        self.up(replicas=2)
        self.delete("secrets", "home-relay-key")
        [first, second] = self.pod_ids()
        self.delete("pods", "home-1")
        self.eventually("another pod", lambda: (pods := self.pod_ids())[:1] == [first] and pods[1:] not in ([], [second]))
        self.ready()
        self.assertIsNotNone(self.get("secrets", "home-relay-key"))

    def test_what_others_change_is_put_right(self):
        self.up(replicas=2)
        changes = {
            ("services", "home-sip"): {"spec": {"selector": {"app.kubernetes.io/instance": "other"}}},
            ("configmaps", "home-config"): {"data": {"home-0.yaml": "nonsense"}},
            ("poddisruptionbudgets", "home"): {"spec": {"maxUnavailable": 2}},
            ("statefulsets", "home"): {"spec": {"template": {"spec": {"enableServiceLinks": True}}}},
        }
        for (kind, name), change in changes.items():
            with self.subTest(kind):
                before = self.get(kind, name)
                self.change(kind, change, name)
                self.eventually("the old one", lambda: all(same(before, self.get(kind, name), key) for key in ("spec", "data")))
        self.ready(seconds=90)

    def test_a_stateful_set_that_others_scale_is_scaled_back(self):
        self.up(replicas=2)
        [first, _] = self.pod_ids()
        self.kubectl("scale", "statefulset/home", "--replicas=1")
        self.eventually("two replicas", lambda: self.get("statefulsets")["spec"]["replicas"] == 2)
        self.ready()
        self.assertEqual(first, self.pod_ids()[0])

    def test_services_that_are_asked_for_no_more_go(self):
        self.up(replicas=2)
        self.assertIsNotNone(self.get("services", "home-sip-1"))
        self.change("smscfrontends", {"spec": {"sip": {"exposure": {"service": {"perPod": False}}}}})
        self.eventually("no Service for a pod", lambda: not self.get("services", "home-sip-0") and not self.get("services", "home-sip-1"))
        self.assertIsNotNone(self.get("services", "home-sip"))
        self.change("smscfrontends", {"spec": {"networkPolicy": {"enabled": True}, "monitoring": {"enabled": True}}})
        self.eventually("policy and monitor", lambda: self.get("networkpolicies") and self.get("podmonitors"))
        self.change("smscfrontends", {"spec": {"networkPolicy": None, "monitoring": None, "replicas": 1}})
        self.eventually("neither", lambda: not self.get("networkpolicies") and not self.get("podmonitors") and not self.get("poddisruptionbudgets"))


def same(before, after, key):
    return before.get(key) == (after or {}).get(key)
