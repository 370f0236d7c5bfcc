"""Pods come and go under traffic: nothing is lost, nothing comes twice."""

import collections
import itertools
import os
import signal
import threading
from pathlib import Path

from kubernetes import path

from .world import CLUSTER, World, location

HANDSETS = [f"4477009005{number:02}" for number in range(36)]
PAUSE = 0.1  # seconds from one submission to the next


class Traffic:
    """Submissions to one handset after another through the Service, until it is told to stop."""

    def __init__(self, handsets, called):
        self.texts = []
        self.called = called  # may grow
        self._handsets, self._stopping = handsets, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()

    close = stop

    def _run(self):
        for number in itertools.count():
            if self._stopping.wait(PAUSE):
                return
            self.texts.append(f"message {number}")
            self._handsets.submit(self.texts[-1], self.called[number % len(self.called)])


class UnderTraffic(World):
    def start_traffic(self, *ordinals):
        """Registers some handsets at each of these pods, and starts."""
        return self.keep(Traffic(self.handsets, [msisdn for ordinal in ordinals for msisdn in self.register_at(ordinal)]))

    def register_at(self, ordinal):
        """Twelve handsets of a pod, so that none gets 32 messages in 3 × tr1n, beyond which the next waits (design §11). They
        stay with its location: a backend without leases may give what is in the air a second time to the location that a
        handset moves to."""
        registered = HANDSETS[12 * ordinal:12 * ordinal + 12]
        for msisdn in registered:
            self.assertEqual(200, self.handsets.register(msisdn, to=self.sip(ordinal)))
        return registered

    def some_more(self, traffic, count=20):
        """Waits until so many more messages were delivered."""
        enough = len(self.handsets.delivered) + count
        self.eventually(f"{count} more messages", lambda: len(self.handsets.delivered) >= enough, seconds=60)

    def everything_once(self, traffic):
        """Ends the traffic: every message has one RP-ACK, one delivery and one final status."""
        traffic.stop()
        once = {text: 1 for text in traffic.texts}
        self.eventually("the end of every request", self.handsets.settled, seconds=60)
        self.assertEqual([], [final for final in self.handsets.finals if final[1] not in (200, 202)], "requests without success")
        try:
            self.eventually("every delivery", lambda: len(set(text for text, _ in self.handsets.delivered)) >= len(once), seconds=60)
            self.eventually("every status", lambda: all("delivered" in told for told in self.outcomes().values()), seconds=60)
        except AssertionError as late:
            missing = sorted(set(once) - {text for text, _ in self.handsets.delivered})
            self.fail(f"{late}: {missing[:9]} {self.handsets.refused[:5]} {[one for one in self.backend.state()['messages'] if one['state'] != 'delivered'][:5]}")
        self.assertEqual(once, dict(collections.Counter(self.handsets.accepted)), "RP-ACKs to the sender")
        self.assertEqual(once, dict(collections.Counter(text for text, _ in self.handsets.delivered)), "deliveries")
        # What a pod that ends has not begun it gives back: that is no attempt (design §11).
        attempts = {text: [status for status in told if status != "released"] for text, told in self.outcomes().items()}
        self.assertEqual({text: ["delivered"] for text in once}, attempts)
        self.assertEqual([], self.handsets.refused)
        print(f"{self._testMethodName}: {len(once)} messages")


class Draining(UnderTraffic):
    """Pods that end as they should."""

    def spec(self, **more):
        spec = super().spec(**more)
        del spec["pod"]  # pods have the time to drain
        return spec

    def test_from_one_to_three_and_back_nothing_is_lost_and_orphans_are_drained(self):
        self.up()
        traffic = self.start_traffic(0)
        self.some_more(traffic)

        self.scale(3)
        resource = self.ready()
        self.assertEqual([location(ordinal) for ordinal in (0, 1, 2)], self.registered())
        self.assertEqual(
            [(location(ordinal), ordinal, "Registered", ordinal) for ordinal in (0, 1, 2)],
            [(it["name"], it["ordinal"], it["state"], it.get("polledBy")) for it in resource["status"]["locations"]],
        )
        self.assertIsNotNone(self.get("poddisruptionbudgets"))
        scale = CLUSTER.api("GET", path(self.namespace, "smscfrontends", "home", "scale"))[1]
        selector = "app.kubernetes.io/component=sip,app.kubernetes.io/instance=home,app.kubernetes.io/name=smsc-frontend"
        self.assertEqual(({"replicas": 3}, {"replicas": 3, "selector": selector}), (scale["spec"], scale["status"]))
        traffic.called += self.register_at(1) + self.register_at(2)
        addresses = [pod["status"]["podIP"] for pod in self.pods()]
        self.some_more(traffic, 40)
        self.assertEqual(set(addresses), {peer for _, peer in self.handsets.delivered})

        self.scale(1)
        resource = self.ready(seconds=90)
        self.assertEqual(
            [(location(0), "Registered", 0), (location(1), "Orphaned", 0), (location(2), "Orphaned", 0)],
            [(it["name"], it["state"], it.get("polledBy")) for it in resource["status"]["locations"]],
        )
        self.assertIsNone(self.get("poddisruptionbudgets"))
        self.some_more(traffic, 40)
        self.everything_once(traffic)

        self.backend.enqueue(
            location=location(2), source_msisdn="+447700900111", destination_msisdn=HANDSETS[0], message_body="late", encoding="ucs2",
        )
        self.eventually("delivery of what was left", lambda: ("late", addresses[0]) in self.handsets.delivered)
        for ordinal in (0, 1, 2):
            wanted = [addresses[0]] if ordinal == 0 else [addresses[ordinal], addresses[0]]
            self.assertEqual(wanted, self.pollers(location(ordinal)), f"who polled for pod {ordinal}")

    def test_an_orphan_ends_with_its_deadline(self):
        self.up(replicas=2, deregistration={"orphanDeadlineSeconds": 3})
        self.assertEqual([location(0), location(1)], self.registered())
        self.scale(1)
        self.eventually("the end of the orphan", lambda: self.registered() == [location(0)], seconds=90)
        self.eventually(
            "one location in the status",
            lambda: [it["name"] for it in self.get("smscfrontends")["status"]["locations"]] == [location(0)],
        )
        self.assertEqual([location(0)], self.in_pod(0, "status")["polling"])

    def test_a_pod_is_deleted(self):
        self.up(replicas=2)
        traffic = self.start_traffic(0, 1)
        self.some_more(traffic)
        before = self.pod_ids()
        self.delete("pods", "home-0")
        self.eventually("another pod", lambda: len(after := self.pod_ids()) == 2 and after[0] != before[0], seconds=90)
        self.ready(seconds=90)
        self.some_more(traffic)
        self.everything_once(traffic)


class Killing(UnderTraffic):
    """Rows without a count of attempts: a pod that starts again then waits with them until a report would have come."""

    backend_options = ("--bare-rows",)

    def test_a_pod_is_killed(self):
        self.up(replicas=2)
        traffic = self.start_traffic(0, 1)
        self.some_more(traffic)
        [before, _] = self.pods()
        kill(before)
        self.eventually("a restart", lambda: self.pods()[0]["status"]["containerStatuses"][0]["restartCount"] == 1, seconds=30)
        self.ready()
        self.some_more(traffic)
        traffic.stop()
        self.eventually("the end of every request", self.handsets.settled, seconds=60)
        # tr1n passes before what the pod had in the air when it died is tried again.
        self.eventually("every status", lambda: all("delivered" in told for told in self.outcomes().values()), seconds=90)
        stored, delivered = self.outcomes(), collections.Counter(text for text, _ in self.handsets.delivered)
        self.assertEqual({text: 1 for text in stored}, dict(delivered), "what was stored is delivered once")
        self.assertLessEqual(set(self.handsets.accepted), set(stored), "what was acknowledged is stored")
        self.assertEqual({location(0), location(1)}, set(self.registered()))
        print(f"{self._testMethodName}: {len(traffic.texts)} messages, {len(traffic.texts) - len(set(self.handsets.accepted))} not acknowledged")

    test_a_pod_is_killed.needs = "processes of pods"


def kill(pod):
    """Kills a pod's program, as a power cut would."""
    [process] = processes(pod["metadata"]["uid"], "smsc-frontend")
    os.kill(process, signal.SIGKILL)


def processes(uid, name):
    """The processes of this name in a pod, as this host numbers them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == name[:15] and f"pod{uid}" in (process / "cgroup").read_text():
                found.append(int(process.name))
        except OSError:
            pass  # ended meanwhile
    return found
