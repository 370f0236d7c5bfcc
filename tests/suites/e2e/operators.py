"""Operators that are killed, that are two, that have nothing to do; and the end of the release."""

import os
import re
import signal

from .traffic import UnderTraffic, processes
from .world import CHART, CLUSTER, LEASE, OPERATORS, RELEASE, SYSTEM, World, helm, location


class Release(World):
    def operators(self):
        """Those that run."""
        found = CLUSTER.api("GET", f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector={OPERATORS.replace('=', '%3D')}")[1]["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def metrics(self, pod):
        """Each metric of an operator by name and labels; empty while it does not answer."""
        status, said = CLUSTER.api("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}:8080/proxy/metrics")
        lines = [line for line in said.splitlines() if not line.startswith("#")] if status == 200 else []
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def leaders(self):
        return [pod for pod in self.operators() if self.metrics(pod).get("smsc_operator_leader") == 1]

    def holder(self):
        return CLUSTER.api("GET", LEASE)[1]["spec"].get("holderIdentity") or ""

    def kill(self, pod):
        for process in processes(pod["metadata"]["uid"], "smsc-operator"):
            os.kill(process, signal.SIGKILL)

    def run_operators(self, count):
        helm("upgrade", RELEASE, CHART, "--reuse-values", "--set", f"replicas={count}")
        CLUSTER.kubectl("-n", SYSTEM, "rollout", "status", f"deployment/{RELEASE}", "--timeout=60s", seconds=90)
        self.eventually("a leader", self.leaders, seconds=30)


class Operators(Release):
    def test_killed_again_and_again_in_the_midst_of_it_the_cluster_still_becomes_what_was_asked(self):
        self.run_operators(1)
        self.up()
        self.scale(3)
        # Killed, a container starts again at once and has its lease still; killed twice, it would be let wait: then its pod goes.
        for whole in (False, True, False, True):
            before = self.get("smscfrontends")["metadata"]["resourceVersion"]
            [pod] = self.operators()
            self.kill(pod)
            if whole:
                CLUSTER.kubectl("-n", SYSTEM, "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")
            self.eventually("some work", lambda: self.get("smscfrontends")["metadata"]["resourceVersion"] != before or self.ready_already(), seconds=40)
        self.ready(seconds=90)
        self.assertEqual([location(0), location(1), location(2)], self.registered())
        self.assertEqual(3, len(self.pod_ids()))
        for ordinal in range(3):
            self.assertEqual(1, len(self.pollers(location(ordinal))))

    test_killed_again_and_again_in_the_midst_of_it_the_cluster_still_becomes_what_was_asked.needs = "processes of pods"

    def ready_already(self):
        return self.conditions().get("Ready") == ("True", "AsSpecified")

    def two(self):
        """The one of two that leads, and the other."""
        self.run_operators(2)
        [leader] = self.leaders()
        self.assertIn(leader["metadata"]["name"], self.holder())
        [other] = [pod for pod in self.operators() if pod["metadata"]["uid"] != leader["metadata"]["uid"]]
        self.assertEqual(0, self.metrics(other)["smsc_operator_leader"])
        return leader, other

    def test_of_two_one_leads_and_when_it_ends_another_does(self):
        leader, _ = self.two()
        self.up()
        CLUSTER.kubectl("-n", SYSTEM, "delete", "pod", leader["metadata"]["name"])
        [now] = self.eventually("another leads", self.leaders, seconds=30)
        self.assertNotEqual(leader["metadata"]["uid"], now["metadata"]["uid"])
        self.scale(2)
        self.ready()

    def test_of_two_the_other_takes_over_from_one_that_hangs_which_then_ends(self):
        leader, other = self.two()
        self.up()
        [process] = processes(leader["metadata"]["uid"], "smsc-operator")
        self.addCleanup(signalled, process, signal.SIGCONT)
        os.kill(process, signal.SIGSTOP)
        self.eventually("the other leads", lambda: self.metrics(other).get("smsc_operator_leader") == 1, seconds=30)
        self.scale(2)
        self.ready()
        os.kill(process, signal.SIGCONT)
        self.eventually("the end of the one that hung", lambda: process not in processes(leader["metadata"]["uid"], "smsc-operator"))
        self.eventually("one leader", lambda: [pod["metadata"]["uid"] for pod in self.leaders()] == [other["metadata"]["uid"]])

    test_of_two_the_other_takes_over_from_one_that_hangs_which_then_ends.needs = "processes of pods"

    def test_who_loses_the_lease_ends(self):
        self.run_operators(1)
        [leader] = self.leaders()
        restarts = leader["status"]["containerStatuses"][0]["restartCount"]
        now = "2000-01-01T00:00:00.000000Z"
        thief = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 1, "renewTime": now}}
        self.assertEqual(200, CLUSTER.api("PATCH", LEASE, thief, kind="application/merge-patch+json")[0])

        def restarted():
            [pod] = self.operators()
            return pod["status"]["containerStatuses"][0]["restartCount"] > restarts and pod

        pod = self.eventually("a restart", restarted, seconds=30)
        said = CLUSTER.kubectl("-n", SYSTEM, "logs", pod["metadata"]["name"], "--previous")
        self.assertIn("thief", said)
        self.eventually("it leads again", self.leaders, seconds=60)

    def test_with_nothing_to_do_nothing_is_done(self):
        self.run_operators(1)
        self.up(replicas=2, monitoring={"enabled": True}, networkPolicy={"enabled": True})
        [leader] = self.leaders()
        objects = "smscfrontends,statefulsets,services,configmaps,poddisruptionbudgets,networkpolicies,podmonitors,pods,secrets,events"

        def everything():
            versions = self.kubectl("get", objects, "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}")
            counted = {
                name: value for name, value in self.metrics(leader).items()
                if re.match("smsc_operator_(api_requests|reconciles|registrations)_total", name)
            }
            return versions.splitlines(), counted

        def renewals():
            return CLUSTER.api("GET", LEASE)[1]["spec"]["renewTime"]

        # What was on its way when it became ready has come to rest when one renewal of the lease has passed without a pass.
        def at_rest():
            before, renewed = everything(), renewals()
            self.eventually("a renewal", lambda: renewals() != renewed)
            return everything()[0] == before[0] and everything()

        versions, counted = self.eventually("rest", at_rest, seconds=60)
        seen = set()
        self.eventually("five renewals of the lease", lambda: seen.add(renewals()) or len(seen) > 5, seconds=40)
        after_versions, after = everything()
        self.assertEqual(versions, after_versions)
        moved = {name: value - counted.get(name, 0) for name, value in after.items() if value != counted.get(name, 0)}
        # What renews the lease.
        self.assertLessEqual(set(moved), {'smsc_operator_api_requests_total{verb="update",code="200"}'}, moved)
        self.assertGreater(len(counted), 3)


def signalled(process, number):
    """Sends a signal to a process that may have ended."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


class Uninstall(Release, UnderTraffic):
    def test_resources_outlive_the_release_and_hold_nobody_up(self):
        self.up()
        traffic = self.start_traffic(0)
        self.some_more(traffic)
        pods = self.pod_ids()
        said = helm("uninstall", RELEASE, "--wait", seconds=200)
        self.assertIn("These resources were kept due to the resource policy", said)
        self.eventually("no operator", lambda: not self.operators())
        self.some_more(traffic)
        self.everything_once(traffic)
        self.assertEqual(pods, self.pod_ids())
        self.assertNotIn("finalizers", self.get("smscfrontends")["metadata"])
        self.kubectl("delete", "namespace", self.namespace, "--timeout=60s", seconds=90)
        CLUSTER.kubectl("get", "crd", "smscfrontends.smsc.ims.dev")
