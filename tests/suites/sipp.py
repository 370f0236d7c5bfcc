"""SIPp as handset and S-CSCF in front of the frontend, the fake backend behind it; every octet that passes is kept."""

import fcntl
import re
import socket
import struct
import sys
import termios
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import ALICE, BOB, DOMAIN, LOCATION, Case, FakeBackend, Frontend, Sipp, free_port, main
from tap import Tap

SUBMIT = "31070c914477000920220000a708e8329bfd066dca"  # the TPDU of mo.xml
S_CSCF = "scscf.ims.mnc001.mcc001.3gppnetwork.org"
ALICE_URI = f"sip:+{ALICE}@{DOMAIN}"
BOB_URI = f"sip:+{BOB}@{DOMAIN}"


class WithHandsets(Case):
    more = ""

    def setUp(self):
        super().setUp()
        self.next_hop, self.listening = free_port(), free_port()
        self.tap = self.keep(Tap(self.next_hop, self.listening))
        self.backend = FakeBackend(self)
        self.frontend = Frontend(self, self.backend.url, s_cscf=self.next_hop, more=self.more)

    def tearDown(self):
        self.assertEqual([], self.backend.state()["violations"], "what the frontend sent breaks the contract")

    def answering(self, scenario="handset", *, calls=1, **keys):
        """What answers the frontend's MESSAGEs behind the tap."""
        return Sipp(self, scenario, port=self.listening, calls=calls, **keys)

    def calling(self, scenario, **keys):
        """Sends one request to the frontend; all its steps must happen."""
        return Sipp(self, scenario, port=free_port(), remote=self.frontend.sip, **keys).finish()

    def after(self, operation, count=1, *, seconds=10):
        """The bodies of an operation once there are so many of them."""
        return self.eventually(
            f"{count} × {operation}",
            lambda: len(found := self.backend.bodies(operation)) >= count and found, seconds=seconds,
        )


class Registration(WithHandsets):
    def register(self, expires, cseq=1):
        return self.calling("register", msisdn=ALICE, scscf=S_CSCF, expires=expires, call_id="registration",
                            flags=("-base_cseq", cseq))

    def test_a_third_party_register_becomes_a_location(self):
        registration = self.register(600)

        self.assertEqual(["expires=600"], registration.logged())
        [location] = self.after("insert_location")
        self.assertEqual(
            {
                "msisdn": ALICE, "impu": ALICE_URI, "location": LOCATION, "ims_capable": True,
                "s_cscf": f"sip:{S_CSCF}", "call_id": "registration", "cseq": 1, "expires": 600, "event": "registered",
                "access_network_info": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000101",
                "visited_network": DOMAIN,
            },
            location,
        )

    def test_expires_0_removes_the_location_of_that_s_cscf(self):
        self.register(600)
        self.after("insert_location")
        self.register(0, cseq=2)

        [removal] = self.eventually("removal", lambda: self.backend.requests("delete_location"))
        self.assertEqual({"s_cscf": f"sip:{S_CSCF}", "call_id": "registration", "cseq": "2"}, removal["query"])
        self.assertEqual({}, self.backend.state()["locations"])

    def test_a_register_is_answered_200_while_the_backend_is_down_and_stored_later(self):
        self.backend.fault("insert_location", "status", status=503, times=2)
        self.register(600)

        self.after("insert_location", 3, seconds=30)
        self.assertEqual([ALICE_URI], list(self.backend.state()["locations"]))


class MobileOriginated(WithHandsets):
    def send(self, scenario="mo", **options):
        self.calling(scenario, msisdn=ALICE, call_id="mo-%u-%p@handset", **options)

    def report(self):
        """The one report that came back for the message, once it has."""
        [report] = self.eventually("the report", lambda: self.tap.messages("frontend", "MESSAGE"))
        return report

    def test_a_message_is_stored_and_then_acknowledged_with_the_time_it_was_stored(self):
        handset = self.answering(msisdn=ALICE)
        self.send()
        handset.finish()

        [stored] = self.backend.state()["messages"]
        submitted = stored["submitted"]
        call_id = submitted["call_id"]
        self.assertRegex(submitted.pop("idempotency_key"), r"^\S+$")
        submitted.pop("submit_key", None)
        self.assertEqual(
            {
                "source_msisdn": f"+{ALICE}", "destination_msisdn": f"+{BOB}", "destination_ton": 1, "destination_npi": 1,
                "message_body": "hello €", "source_smsc": LOCATION, "source_type": "ims", "encoding": "gsm7",
                "tp_dcs": 0, "tp_pid": 0, "tp_mr": 7, "tp_rd": False, "tp_rp": False, "rp_mr": 0x2A,
                "raw_tpdu": SUBMIT, "sc_address": "+447700900999", "validity_period": 86400,
                "status_report_requested": True, "call_id": call_id, "icid": f"icid-{call_id}",
            },
            submitted,
        )
        report = self.report()
        self.assertEqual(f"MESSAGE {ALICE_URI} SIP/2.0", report.start_line)
        self.assertEqual(b"\x03\x2a\x41\x09\x01\x00" + tp_scts(stored["row"]["scts"]), report.body)
        self.assertEqual(call_id, report["In-Reply-To"])
        self.assertNotEqual(call_id, report["Call-ID"])
        self.check_headers(report)

    def check_headers(self, message):
        """The header set of TS 24.341 annex B.6."""
        self.assertEqual("application/vnd.3gpp.sms", message["Content-Type"])
        self.assertEqual("no-fork", message["Request-Disposition"])
        self.assertEqual("*;+g.3gpp.smsip;require;explicit", message["Accept-Contact"].replace(" ", ""))
        self.assertEqual(f"<sip:smsc@{LOCATION}>", message["P-Asserted-Identity"])
        self.assertEqual(str(len(message.body)), message["Content-Length"])
        self.assertIsNone(message["Contact"])

    def test_a_message_comes_over_tcp(self):
        handset = self.answering(msisdn=ALICE)
        self.send(transport="t1")
        handset.finish()
        self.assertEqual([SUBMIT], [m["raw_tpdu"] for m in self.backend.bodies("insert_message")])

    def test_a_stream_may_be_cut_anywhere_and_bring_several_messages_at_once(self):
        handset = self.answering(msisdn=ALICE, calls=4)
        with socket.create_connection(("127.0.0.1", self.frontend.sip), timeout=10) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one, two, three, four = (self.message(number, stream) for number in range(1, 5))
            # In the start line's end, between CR and LF, in a name, in the body. tshark passes over a segment that begins
            # with a ping, so pings have segments of their own.
            cuts = (one.index(b"SIP/2.0") + 9, one.index(b"\r\nTo:") + 1, one.index(b"Call-ID") + 3, len(one) - 9, len(one))
            pieces = [one[begin:end] for begin, end in zip((0, *cuts), cuts)]
            for piece in (*pieces, b"\r\n\r\n", two + three, b"\r\n\r\n", four):
                stream.sendall(piece)
                self.eventually("the piece is acknowledged", lambda: unsent(stream) == 0)
            answers = b""
            while answers.count(b"SIP/2.0 202 ") < 4:
                answers += stream.recv(65536)
        handset.finish()

        beside = re.sub(rb"SIP/2\.0 202 .*?\r\n\r\n", b"", answers, flags=re.DOTALL)
        self.assertEqual(b"\r\n" * 2, beside, "an answer to each ping (RFC 5626 §4.4.1)")
        self.assertEqual([1, 2, 3, 4], sorted(m["tp_mr"] for m in self.backend.bodies("insert_message")))

    def message(self, number, stream):
        """An MO MESSAGE; RP-MR and TP-MR are its number."""
        tpdu = bytes([0x31, number]) + bytes.fromhex(SUBMIT)[2:]
        rpdu = bytes([0, number, 0]) + bytes.fromhex("0791447700099099") + bytes([len(tpdu)]) + tpdu
        host, port = stream.getsockname()
        return (
            f"MESSAGE sip:smsc.{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TCP {host}:{port};branch=z9hG4bKcut{number};rport\r\n"
            f"Max-Forwards: 68\r\nFrom: <{ALICE_URI}>;tag=cut\r\nTo: <sip:smsc.{DOMAIN}>\r\nCall-ID: cut-{number}@handset\r\n"
            f"CSeq: 1 MESSAGE\r\nP-Asserted-Identity: <{ALICE_URI}>\r\nContent-Type: application/vnd.3gpp.sms\r\n"
            f"Content-Length: {len(rpdu)}\r\n\r\n"
        ).encode() + rpdu

    def test_a_retransmission_is_answered_again_and_stored_once(self):
        handset = self.answering(msisdn=ALICE)
        self.send("mo_twice", flags=("-nr",))
        handset.finish()

        self.assertEqual(1, len(self.backend.bodies("insert_message")))
        self.assertEqual(b"\x03\x2b", self.report().body[:2])

    def test_what_the_backend_refuses_is_refused_with_its_cause(self):
        self.backend.fault("insert_message", "refuse", rp_cause=1)
        handset = self.answering(msisdn=ALICE)
        self.send()
        handset.finish()

        report = self.report()
        self.assertEqual(b"\x05\x2a\x01\x01", report.body[:4], "RP-ERROR, RP-MR, RP-Cause 1 (unassigned number)")
        self.assertEqual(1, len(self.backend.bodies("insert_message")))

    def test_a_lost_answer_of_the_backend_is_asked_for_again_under_the_same_key(self):
        self.backend.fault("insert_message", "lose_answer")
        handset = self.answering(msisdn=ALICE)
        self.send()
        handset.finish()

        keys = [r["headers"]["idempotency-key"] for r in self.backend.requests("insert_message")]
        self.assertEqual([keys[0]] * 2, keys)
        self.assertEqual(1, len(self.backend.state()["messages"]))
        self.assertEqual(b"\x03\x2a", self.report().body[:2])


class MobileTerminated(WithHandsets):
    more = "timers: {tr1n: 20s}\n"

    def enqueue(self):
        return self.backend.enqueue(
            source_msisdn=ALICE, source_ton=1, source_npi=1, destination_msisdn=BOB, impu=BOB_URI, s_cscf=f"sip:{S_CSCF}",
            ims_capable=True, message_body="hello €", encoding="gsm7", sc_address="+447700900999",
        )

    def outcome(self, seconds=10):
        """What process_message was told first, its sentence for people aside."""
        outcome = dict(self.after("process_message", seconds=seconds)[0])
        self.assertTrue(outcome.pop("detail"))
        outcome.pop("icid", None)
        return outcome

    def test_a_message_is_delivered_when_its_report_says_so(self):
        handset = self.answering(msisdn=BOB)
        row = self.enqueue()
        handset.finish()

        deliver, *_ = self.tap.messages("frontend", "MESSAGE")
        self.assertEqual(f"MESSAGE {BOB_URI} SIP/2.0", deliver.start_line)
        tpdu = bytes.fromhex("040c914477000910110000") + tp_scts(row["scts"]) + bytes.fromhex("08e8329bfd066dca")
        self.assertEqual(
            bytes([1, deliver.body[1]]) + bytes.fromhex("0791447700099099") + bytes([0, len(tpdu)]) + tpdu, deliver.body
        )
        MobileOriginated.check_headers(self, deliver)
        self.assertEqual(
            {"dest_smsc": LOCATION, "attempt": 1, "status": "delivered", "permanent": "no", "sip_status": 200},
            {"sip_status": 200, **self.outcome()},
        )
        self.assertEqual(1, len(self.tap.messages("frontend", "MESSAGE")))

    def test_the_handset_s_200_alone_is_no_delivery(self):
        handset = self.answering("mt_silent", msisdn=BOB)
        self.enqueue()
        handset.finish()
        self.assertEqual([], self.backend.bodies("process_message"))

        outcome = self.outcome(seconds=30)
        self.assertEqual(("unknown", 1), (outcome["status"], outcome["attempt"]))

    def test_a_full_handset_is_left_alone_until_it_says_that_it_has_room(self):
        full = self.answering("mt_memory_full", msisdn=BOB)
        self.enqueue()
        full.finish()
        outcome = self.outcome()
        outcome.pop("sip_status", None)
        self.assertEqual(
            {"dest_smsc": LOCATION, "attempt": 1, "status": "memory_full", "permanent": "no", "rp_cause": 22, "tp_fcs": 0xD3},
            outcome,
        )

        handset = self.answering(calls=2, msisdn=BOB)
        self.calling("smma", msisdn=BOB, call_id="smma@handset")
        handset.finish()
        reports = [m.body for m in self.tap.messages("frontend", "MESSAGE") if m["In-Reply-To"] == "smma@handset"]
        self.assertEqual([b"\x03\x2d"], [body[:2] for body in reports], "RP-ACK for the RP-SMMA")
        self.assertEqual("delivered", self.after("process_message", 2)[-1]["status"])
        self.assertEqual("memory_available", self.backend.bodies("insert_location")[-1]["event"])

    def test_a_handset_the_core_does_not_know_is_absent_and_its_location_goes(self):
        core = self.answering("mt_not_found")
        self.enqueue()
        core.finish()

        self.assertEqual(
            {"dest_smsc": LOCATION, "attempt": 1, "status": "absent", "reason": "not_registered", "permanent": "no",
             "sip_status": 404},
            self.outcome(),
        )
        [removal] = self.eventually("removal", lambda: self.backend.requests("delete_location"))
        self.assertEqual({"s_cscf": f"sip:{S_CSCF}"}, removal["query"])


def unsent(stream):
    """Octets of a stream that the other side has not acknowledged (tcp(7), SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)))[0]


def tp_scts(time):
    """TP-SCTS of an RFC 3339 time in UTC: swapped semi-octets, zone 0 (TS 23.040 §9.2.3.11)."""
    digits = time[2:4] + time[5:7] + time[8:10] + time[11:13] + time[14:16] + time[17:19] + "00"
    return bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, 14, 2))


if __name__ == "__main__":
    main()
