"""Several frontends on one backend, and what an operator of them does: reports at another pod, kill, drain, reload."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from core import BOB_URI, Core
from harness import ALICE, BOB, DOMAIN, LOCATION, Case, FakeBackend, Frontend, binary, free_port, main, request

SECOND = LOCATION.replace("smsc01", "smsc01-1")
SUBMIT = bytes.fromhex("01070c914477000920220000a708e8329bfd066dca")


class Forwarder:
    """Takes connections at one address and hands what they bring on to another, and back."""

    def __init__(self, at, to):
        self._listener = socket.create_server(at)
        self._to = to
        threading.Thread(target=self._run, daemon=True).start()

    def close(self):
        self._listener.close()

    def _run(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(self._to)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    @staticmethod
    def _copy(one, other):
        try:
            while octets := one.recv(65536):
                other.sendall(octets)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed at either end


class Pods(Case):
    def setUp(self):
        super().setUp()
        self.core = self.keep(Core())
        self.backend = FakeBackend(self)
        (self.dir / "key").write_text("a key that only the pods of one domain know\n")

    def pod(self, ordinal=0, *, location=None, more=""):
        return Frontend(
            self, self.backend.url, s_cscf=self.core.port, location=location or (SECOND if ordinal else LOCATION),
            name=f"pod{ordinal}", more=f"ordinal: {ordinal}\nsc_address: '447700900999'\n" + more,
        )

    def pair(self, *, peers_of_second=None):
        """Two pods that relay to each other: adjacent addresses of the loopback network, one port. The second may have
        another for its peers."""
        port = free_port()
        pods = []
        for ordinal in (0, 1):
            relay = (
                f"relay: {{listen: '127.0.1.{ordinal}:{port}', peers: 'http://127.0.1.{{ordinal}}:{ordinal and peers_of_second or port}', "
                f"key_files: [{self.dir}/key]}}\nsip: {{report_uri: 'sip:smsc@{LOCATION}'}}\n"
            )
            pods.append(self.pod(ordinal, more=relay))
        self.relay_port = port
        return pods

    def enqueue(self, location=LOCATION):
        return self.backend.enqueue(
            location=location, source_msisdn=f"+{ALICE}", destination_msisdn=BOB, impu=BOB_URI, ims_capable=True,
            message_body="hello", encoding="gsm7", delivery_attempts=0,
        )

    def outcomes(self, count=1):
        return self.eventually(
            f"{count} outcomes",
            lambda: len(found := self.backend.bodies("process_message")) >= count and found,
        )


class ReportsAtAnotherPod(Pods):
    def test_the_owner_completes_its_delivery_when_the_report_came_in_elsewhere(self):
        first, second = self.pair()
        self.enqueue()
        delivery = self.core.receive_request()
        self.assertEqual(202, self.core.report(second.sip, delivery))
        [outcome] = self.outcomes()
        self.assertEqual(("delivered", LOCATION, 1), (outcome["status"], outcome["dest_smsc"], outcome["attempt"]))
        self.assertIn("smsc_reports_relayed_total 1", second.metrics())
        self.assertIn("smsc_reports_relayed_total 0", first.metrics())

    def test_a_report_whose_call_id_was_rewritten_finds_its_owner_by_the_reference(self):
        _, second = self.pair()
        self.enqueue()
        delivery = self.core.receive_request()
        call_id = self.core.send(second.sip, bytes([2, delivery.body[1]]))
        self.assertEqual(202, self.core.final(call_id))
        self.assertEqual(["delivered"], [outcome["status"] for outcome in self.outcomes()])

    def test_an_owner_that_was_not_reached_is_told_soon_and_sends_the_next_message(self):
        """As after the start of a pod, when its name is not known yet; without, the handset would wait for TR1N."""
        port = free_port()
        first, second = self.pair(peers_of_second=port)
        self.enqueue(), self.enqueue()
        delivery = self.core.receive_request()
        self.assertEqual(202, self.core.report(second.sip, delivery))
        self.assertEqual(["delivered"], [outcome["status"] for outcome in self.outcomes()])
        self.keep(Forwarder(("127.0.1.0", port), ("127.0.1.0", self.relay_port)))
        self.assertNotEqual(delivery["Call-ID"], self.core.receive_request(seconds=20)["Call-ID"])

    def test_a_pod_completes_the_delivery_of_one_that_was_killed(self):
        first, second = self.pair()
        row = self.enqueue()
        delivery = self.core.receive_request()
        first.process.kill()
        self.assertEqual(202, self.core.report(second.sip, delivery))
        [outcome] = self.outcomes()
        self.assertEqual(("delivered", 1), (outcome["status"], outcome["attempt"]))
        [record] = self.backend.requests("process_message")
        self.assertIn(str(row["id"]), record["path"])

    def test_a_restarted_pod_takes_the_report_for_its_earlier_life(self):
        first, _ = self.pair()
        self.enqueue()
        delivery = self.core.receive_request()
        first.process.kill()
        first.run()
        self.assertEqual(202, self.core.report(first.sip, delivery))
        self.assertEqual("delivered", self.outcomes()[0]["status"])

    def test_two_pods_never_use_one_reference_for_a_handset(self):
        self.pair()
        self.enqueue(LOCATION)
        self.enqueue(SECOND)
        references = {self.core.receive_request().body[1] >> 5 for _ in range(2)}
        self.assertEqual({0, 1}, references)

    def test_a_report_is_relayed_only_with_the_pods_own_signature(self):
        self.pair()
        status, _ = request(
            "POST", f"http://127.0.1.0:{self.relay_port}/relay/report", {"identity": BOB_URI, "rpdu": "0200"},
            {"x-smsc-time": str(int(time.time())), "x-smsc-signature": "00" * 32},
        )
        self.assertEqual(401, status)


class Drain(Pods):
    def test_what_is_open_is_finished_before_a_pod_leaves(self):
        pod = self.pod(more="timers: {drain_settle: 1s}\n")
        self.enqueue()
        delivery = self.core.receive_request()
        pod.process.must_live = False
        pod.process.popen.send_signal(signal.SIGTERM)
        self.eventually("not ready", lambda: not pod.ready())
        self.enqueue()
        self.assertIsNone(pod.process.wait(1.5), "a delivery is open")
        self.assertEqual(202, self.core.report(pod.sip, delivery))
        self.assertEqual(0, pod.process.wait(10))
        self.assertEqual(["delivered"], [outcome["status"] for outcome in self.backend.bodies("process_message")])


class Reload(Pods):
    def rewrite(self, pod, **lines):
        text = pod.config.read_text()
        for key, value in lines.items():
            text = re.sub(rf"(?m)^{key}:.*\n", "", text) + (f"{key}: {value}\n" if value is not None else "")
        pod.rewrite(text)

    def submit(self, pod):
        call_id = self.core.send(pod.sip, bytes.fromhex("002a000791447700099099") + bytes([len(SUBMIT)]) + SUBMIT)
        return self.core.final(call_id)

    def test_trusted_peers_change_while_it_runs(self):
        pod = self.pod(more="generation: '1'\n")
        self.assertEqual((202, "1"), (self.submit(pod), pod.status()["generation"]))
        self.rewrite(pod, trusted_peers="[127.0.0.9]", generation="'2'")
        self.eventually("generation 2", lambda: pod.status()["generation"] == "2")
        self.assertEqual(403, self.submit(pod))
        self.assertEqual(["127.0.0.9/32"], pod.status()["trusted_peers"])

    def test_a_wrong_file_is_refused_told_and_harms_nothing(self):
        pod = self.pod()
        self.rewrite(pod, pollling="{interval: 1s}")
        refused = self.eventually("refusal", lambda: pod.status().get("refused"))
        self.assertIn("pollling: unknown key", refused)
        self.assertIn("smsc_config_reloads_refused_total 1", pod.metrics())
        self.assertEqual(202, self.submit(pod))
        self.rewrite(pod, pollling=None)
        self.eventually("the file is right again", lambda: "refused" not in pod.status())

    def test_a_location_that_is_written_in_is_polled_at_once(self):
        pod = self.pod()
        self.enqueue(SECOND)
        self.rewrite(pod, polling=f"{{locations: [{LOCATION}, {SECOND}]}}")
        delivery = self.core.receive_request()
        self.assertEqual(202, self.core.report(pod.sip, delivery))
        self.assertEqual([LOCATION, SECOND], pod.status()["polling"])

    def test_a_location_that_is_written_out_is_in_hand_until_its_delivery_is_reported(self):
        pod = self.pod(more=f"polling: {{locations: [{LOCATION}, {SECOND}]}}\n")
        self.enqueue(SECOND)
        delivery = self.core.receive_request()
        self.rewrite(pod, polling=f"{{locations: [{LOCATION}]}}", generation="'2'")
        status = self.eventually("generation 2", lambda: (shown := pod.status()).get("generation") == "2" and shown)
        self.assertEqual([LOCATION], status["polling"])
        self.assertIn(SECOND, status["in_hand"])
        self.assertEqual(202, self.core.report(pod.sip, delivery))
        self.eventually("nothing in hand", lambda: pod.status()["in_hand"] == [])

    def test_what_an_operator_registers_for_a_pod_is_what_the_pod_registers(self):
        pod = self.pod()
        [sent] = self.eventually("registration", lambda: self.backend.bodies("frontend_register"))
        sent.pop("uptime_seconds")
        status = pod.status()
        self.assertEqual(sent, status["registration"])
        self.assertNotIn("registrations_run_out", status)
        self.assertEqual(200, self.core.register(pod.sip, expires=600))
        end = datetime.fromisoformat(pod.status()["registrations_run_out"]).timestamp()
        self.assertTrue(time.time() + 590 < end < time.time() + 610, end)

    def test_what_needs_a_restart_is_said(self):
        pod = self.pod(more="generation: '1'\n")
        self.rewrite(pod, timers="{tr1n: 30s}", generation="'2'")
        self.eventually("generation 2", lambda: pod.status()["generation"] == "2")
        self.assertEqual(["timers.tr1n"], pod.status()["restart_needed"])


class Start(Pods):
    def test_the_four_keys_of_an_existing_installation_are_enough(self):
        frontend = Frontend(self, self.backend.url, s_cscf=self.core.port, trusted=False)
        self.enqueue()
        delivery = self.core.receive_request()
        self.assertEqual(202, self.core.report(frontend.sip, delivery))
        self.assertEqual("delivered", self.outcomes()[0]["status"])

    def test_a_frontend_registers_by_the_address_its_environment_names(self):
        os.environ["SMSC_TEST_ADDRESS"] = "127.0.0.7"
        self.addCleanup(os.environ.pop, "SMSC_TEST_ADDRESS")
        pod = self.pod(more="advertise: {address: 'env:SMSC_TEST_ADDRESS'}\n")
        [registration] = self.eventually("registration", lambda: self.backend.bodies("frontend_register"))
        registration.pop("uptime_seconds"), registration.pop("version"), registration.pop("configuration")
        self.assertEqual(
            {"frontend_name": LOCATION, "frontend_type": "IMS", "hostname": LOCATION, "ip_address": "127.0.0.7",
             "expires_in": 300},
            registration,
        )
        self.enqueue()
        self.assertIn(f"127.0.0.7:{pod.sip}", self.core.receive_request()["Via"])

    def test_a_wrong_file_says_where_and_why_and_ends_with_2(self):
        path = self.dir / "config.yaml"
        path.write_text(f"api_base_url: embedded\nlocation: {LOCATION}\nims_domain: {DOMAIN}\npolling:\n  interval: 2\n")
        done = subprocess.run([binary("smsc-frontend"), "run", "--config", path], capture_output=True, text=True, timeout=20)
        self.assertEqual(2, done.returncode)
        self.assertIn(f"{path}:5:3: polling.interval: ", done.stderr)


if __name__ == "__main__":
    main()
