"""The main job on real input: two SIPp handsets, Kamailio as the S-CSCF between them and the frontend, embedded store."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import ALICE, BOB, DOMAIN, ROOT, Case, Frontend, Sipp, free_port, main, udp_bound
from tap import Tap


class KamailioBetween(Case):
    def setUp(self):
        super().setUp()
        self.s_cscf = free_port()
        self.frontend = Frontend(self, "embedded", s_cscf=self.s_cscf, more=f"store: {{path: {self.dir}/store.db}}\n")
        self.kamailio = self.start(
            "kamailio",
            ["kamailio", "-DD", "-E", "-f", ROOT / "tests/peers/kamailio/scscf.cfg", "-Y", self.dir, "-w", self.dir,
             "-P", self.dir / "kamailio.pid", "-A", f"SCSCF={self.s_cscf}", "-A", f"FRONTEND={self.frontend.sip}"],
            death=signal.SIGTERM,
        )
        self.eventually("Kamailio listens", lambda: udp_bound(self.s_cscf))

    def handset(self, msisdn, scenario="handset", *, calls):
        """A registered handset behind a tap: (tap, the SIPp that answers for it)."""
        reached_at = free_port()
        listening = free_port()
        tap = self.keep(Tap(reached_at, listening))
        answering = Sipp(self, scenario, port=listening, calls=calls, msisdn=msisdn)
        Sipp(self, "ue_register", port=free_port(), remote=self.s_cscf, msisdn=msisdn, contact_port=reached_at, expires=600).finish()
        return tap, answering

    def test_a_message_crosses_kamailio_twice_and_its_delivery_report_is_true(self):
        alice, alice_answers = self.handset(ALICE, calls=2)
        bob, bob_answers = self.handset(BOB, calls=1)

        Sipp(self, "mo", port=free_port(), remote=self.s_cscf, msisdn=ALICE, call_id="mo-%u-%p").finish()
        bob_answers.finish()
        alice_answers.finish()

        [deliver] = bob.messages("frontend", "MESSAGE")
        self.assertEqual(f"MESSAGE sip:+{BOB}@{DOMAIN}", deliver.start_line.split(" SIP")[0].split(";")[0])
        sms_deliver = user_data_of_rp_data(deliver.body)
        self.assertEqual(0x00, sms_deliver[0] & 0x03, "TP-MTI SMS-DELIVER")
        self.assertEqual(bytes.fromhex("0c91447700091011"), sms_deliver[1:9], "TP-OA is the sender, +447700900111")
        self.assertEqual(bytes.fromhex("08e8329bfd066dca"), sms_deliver[18:], "the text, septet by septet")
        scts = sms_deliver[11:18]

        report, status = alice.messages("frontend", "MESSAGE")
        self.assertEqual(b"\x03\x2a\x41\x09\x01\x00" + scts, report.body, "RP-ACK with the TP-SCTS of the delivery")
        status_report = user_data_of_rp_data(status.body)
        self.assertEqual(0x02, status_report[0] & 0x03, "TP-MTI SMS-STATUS-REPORT")
        self.assertEqual(0x07, status_report[1], "TP-MR of the SMS-SUBMIT")
        self.assertEqual(bytes.fromhex("0c91447700092022") + scts, status_report[2:17], "TP-RA and TP-SCTS")
        self.assertEqual(0x00, status_report[24], "TP-ST: received by the SME")

    def test_nothing_is_reported_as_delivered_that_the_handset_did_not_acknowledge(self):
        alice, alice_answers = self.handset(ALICE, calls=1)
        bob, bob_answers = self.handset(BOB, "mt_memory_full", calls=1)

        Sipp(self, "mo", port=free_port(), remote=self.s_cscf, msisdn=ALICE, call_id="mo-%u-%p").finish()
        bob_answers.finish()
        alice_answers.finish()

        self.assertEqual(1, len(bob.messages("frontend", "MESSAGE")))
        [report] = alice.messages("frontend", "MESSAGE")
        self.assertEqual(b"\x03\x2a", report.body[:2], "RP-ACK: the service centre has it; and no status report yet")

    def test_a_message_waits_for_the_handset_to_register(self):
        _, alice_answers = self.handset(ALICE, calls=2)
        Sipp(self, "mo", port=free_port(), remote=self.s_cscf, msisdn=ALICE, call_id="mo-%u-%p").finish()

        bob, bob_answers = self.handset(BOB, calls=1)
        bob_answers.finish()
        alice_answers.finish()
        self.assertEqual(1, len(bob.messages("frontend", "MESSAGE")))

    def test_messages_of_every_kind_cross_kamailio_octet_for_octet(self):
        alice, alice_answers = self.handset(ALICE, calls=len(SUBMITS))
        bob, bob_answers = self.handset(BOB, calls=len(SUBMITS))

        for number, (name, (head, vp, data)) in enumerate(SUBMITS.items(), 1):
            first, pid, dcs = head
            tpdu = bytes([first, number]) + bytes.fromhex("0c91447700092022") + bytes([pid, dcs]) + vp + data
            rpdu = bytes([0, number, 0]) + bytes.fromhex("0791447700099099") + bytes([len(tpdu)]) + tpdu
            transport = "t1" if number % 2 else "u1"
            with self.subTest(name):
                Sipp(self, "mo_rich", port=free_port(), remote=self.s_cscf, transport=transport, msisdn=ALICE,
                     call_id=f"rich-{number}-%p", replace={"@RPDU@": "".join(f"\\x{octet:02X}" for octet in rpdu)}).finish()
        bob_answers.finish()
        alice_answers.finish()

        self.assertEqual([b"\x03"] * len(SUBMITS), [m.body[:1] for m in alice.messages("frontend", "MESSAGE")], "RP-ACK")
        delivered = [user_data_of_rp_data(m.body) for m in bob.messages("frontend", "MESSAGE")]
        self.assertEqual(
            sorted((first & 0x40, pid, dcs, data) for (first, pid, dcs), _, data in SUBMITS.values()),
            sorted((tpdu[0] & 0x40, tpdu[9], tpdu[10], tpdu[18:]) for tpdu in delivered),
            "TP-UDHI, TP-PID, TP-DCS and TP-UD are those that were sent",
        )


def user_data(text):
    """TP-UDL and TP-UD in UCS2."""
    octets = text.encode("utf-16-be")
    return bytes([len(octets)]) + octets


# First octet, TP-PID and TP-DCS; TP-VP; TP-UDL and TP-UD (TS 23.040 §9.2.2.2).
SUBMITS = {
    "UCS2, absolute validity, TP-RD": ((0x1D, 0x00, 0x08), bytes.fromhex("62112231509504"), user_data("Привет, 世界 ☺")),
    "class 0": ((0x01, 0x00, 0x10), b"", bytes.fromhex("05e8329bfd06")),
    "replace type 1, relative validity": ((0x11, 0x41, 0x00), b"\xa7", bytes.fromhex("05e8329bfd06")),
    "8-bit data to a port, enhanced validity": (
        (0x49, 0x00, 0x04), bytes.fromhex("021e0000000000"), bytes.fromhex("0b0605043ee43ee500ff800a"),
    ),
    "a text of 160 septets": ((0x01, 0x00, 0x00), b"", b"\xa0" + bytes.fromhex("d8b0603c06c3ed") * 20),
    "reply path": ((0x81, 0x00, 0x00), b"", bytes.fromhex("08e8329bfd066dca")),
}


def user_data_of_rp_data(rpdu):
    """RP-User-Data of an RP-DATA from the network (TS 24.011 §7.3.1.1)."""
    assert rpdu[0] == 1, f"RP-MTI {rpdu[0]} is not RP-DATA from the network: {rpdu.hex()}"
    at = 2
    at += 1 + rpdu[at]  # RP-Originator-Address
    at += 1 + rpdu[at]  # RP-Destination-Address, empty
    length, tpdu = rpdu[at], rpdu[at + 1:]
    assert length == len(tpdu), f"RP-User-Data says {length} octets, {len(tpdu)} follow"
    return tpdu


if __name__ == "__main__":
    main()
