"""`smsc-frontend demo` as a person meets it: through a pseudo-terminal, on its console page, and without a terminal."""

import collections
import ctypes
import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import Case, binary, free_port, main, request

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")
PR_SET_PDEATHSIG = 1
ARROWS = "Prêt ? → да, 好的 😀 " * 9


class Terminal:
    """A process at the other end of a pseudo-terminal, as if somebody sat there."""

    def __init__(self, case, *options, term="xterm"):
        self.case, self.seen, self.at = case, "", 0
        self.ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (50, 200))

        def sit_down():
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        self.popen = subprocess.Popen(
            [binary("smsc-frontend"), "demo", *map(str, options)], stdin=theirs, stdout=theirs, stderr=theirs,
            preexec_fn=sit_down, env={**os.environ, "TERM": term, "TMPDIR": str(case.dir)},
        )
        os.close(theirs)
        case.addCleanup(self.close)

    def types(self, line):
        self.presses(f"{line}\n".encode())

    def presses(self, keys):
        os.write(self.ours, keys)

    def sees(self, *texts, seconds=10):
        """Waits until each text has come, in any order, behind what was seen before."""
        began, ends = self.at, []
        for text in texts:
            deadline = time.monotonic() + seconds
            while (at := self.plain().find(text, began)) < 0:
                if time.monotonic() > deadline or not self.read(0.1) and self.popen.poll() is not None:
                    self.case.fail(f"{text!r} did not come; since then came:\n{self.plain()[began:][-4000:]}")
            ends.append(at + len(text))
        self.at = max(ends)

    def asks(self, line, *texts):
        """Types a question, again and again, until the answer has all of it."""
        began = self.at
        for _ in range(30):
            self.types(line)
            while self.read(0.3):
                pass
            if all(text in self.plain()[began:] for text in texts):
                return self.sees(*texts)
        self.case.fail(f"{line} never answered {texts}; since then came:\n{self.plain()[began:][-4000:]}")

    def does_not_see(self, text, *, seconds):
        """Watches for some time: the text must not come behind what was seen before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read(0.1)
        self.case.assertNotIn(text, self.plain()[self.at:])

    def plain(self):
        """Everything that came, as it is read: no colours, no returns."""
        return ESCAPES.sub("", self.seen)

    def read(self, seconds):
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.ours, 65536)
        except OSError:  # the other end has closed
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)

    def ends(self, seconds=10):
        """Waits for its end; returns the exit code."""
        deadline = time.monotonic() + seconds
        while self.popen.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.popen.poll()

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        os.close(self.ours)


class AtATerminal(Case):
    def setUp(self):
        super().setUp()
        self.sip, self.page = free_port(), free_port()

    def sits_down(self, **options):
        terminal = Terminal(self, "--sip-port", self.sip, "--console-port", self.page, **options)
        terminal.sees("alice> ")
        return terminal

    def left_over(self):
        return [path.name for path in self.dir.glob("smsc-demo-*")]

    def test_a_message_typed_for_one_arrives_at_the_other_and_its_report_is_shown(self):
        terminal = self.sits_down()
        terminal.types("hello bob")
        terminal.sees("alice → smsc    MESSAGE  RP-DATA 1: SMS-SUBMIT 1 to +15550002 “hello bob”, report wanted")
        terminal.sees("smsc → alice   202 Accepted", "the backend has stored it")
        terminal.sees("smsc → alice   MESSAGE  RP-ACK 1: SMS-SUBMIT-REPORT")
        terminal.sees("SMS-DELIVER from +15550001 “hello bob”")
        terminal.sees("bob → smsc    200 OK")
        terminal.sees("bob reads from alice: hello bob")
        terminal.sees("bob → smsc    MESSAGE  RP-ACK")
        terminal.sees("SMS-STATUS-REPORT on SMS-SUBMIT 1: received by the SME")
        terminal.sees("✓✓ #1 alice: delivered to bob (status report: received by the SME)")

        terminal.types("/as bob")
        terminal.sees("bob> ")
        terminal.types(ARROWS)
        terminal.sees("#2 bob writes to alice in ", "alice reads from bob (", ARROWS.strip(), "✓✓ #2 bob: delivered to alice")

        terminal.asks("/why", "from +15550002 to +15550001", "Attempt 1 by smsc01.demo.invalid delivered it: the handset answered RP-ACK")
        terminal.asks("/list", "message  alice → bob  delivered, 1 attempt", "message  bob → alice  delivered, 1 attempt")
        terminal.types("/quit")
        self.assertEqual((0, []), (terminal.ends(), self.left_over()))

    def test_a_handset_that_is_off_or_full_gets_its_messages_when_it_is_back(self):
        terminal = self.sits_down()
        terminal.types("/off bob")
        terminal.sees("bob is off")
        terminal.types("are you there?")
        terminal.sees("S-CSCF → smsc    480 Temporarily Unavailable", "Absent: SIP 480")
        terminal.asks("/why", "Attempt 1 by smsc01.demo.invalid got no answer from the handset", "Waiting: the next attempt is due")
        terminal.does_not_see("bob reads", seconds=2)
        terminal.types("/on bob")
        terminal.sees("S-CSCF → smsc    REGISTER  bob registers", "bob reads from alice: are you there?", "✓✓ #1 alice: delivered to bob")

        terminal.types("/full bob")
        terminal.sees("bob is full")
        terminal.types("do you have room?")
        terminal.sees("bob → smsc    MESSAGE  RP-ERROR", "cause 22 (memory capacity exceeded)", "MemoryFull")
        terminal.types("/empty bob")
        terminal.sees("bob → smsc    MESSAGE  RP-SMMA", "bob reads from alice: do you have room?", "✓✓ #2 alice: delivered to bob")
        self.assertEqual(1, terminal.plain().count("bob reads from alice: are you there?"))
        self.assertEqual(1, terminal.plain().count("bob reads from alice: do you have room?"))

    def test_a_200_without_a_report_is_no_delivery_and_the_second_copy_is_shown_once(self):
        terminal = self.sits_down()
        terminal.types("/mute bob")
        terminal.sees("bob is mute")
        terminal.types("are you mute?")
        terminal.sees("bob reads from alice: are you mute?", "the handset's SIP stack has it; its report decides")
        terminal.does_not_see("delivered", seconds=2)
        terminal.types("/on bob")
        terminal.sees("bob is on")
        terminal.sees("Unknown: SIP 200, and no report from the handset within 20 s", seconds=30)
        terminal.sees("bob has this already; shown once", "✓✓ #1 alice: delivered to bob", seconds=30)
        terminal.asks("/why", "Attempt 1 by smsc01.demo.invalid ended unknown", "Attempt 2 by smsc01.demo.invalid delivered it")
        self.assertEqual(1, terminal.plain().count("bob reads from alice: are you mute?"))

    def test_a_text_plain_handset_takes_part(self):
        terminal = self.sits_down()
        terminal.types("/plain bob")
        # The 200 does not wait for the backend, but a message must: there the old contact may still stand.
        terminal.sees("bob registers: +15550002, text/plain only", "sip:+15550002@ims.demo.invalid: the backend knows where it is")
        terminal.types("né")
        terminal.sees("smsc → bob     MESSAGE  text/plain “né”", "✓✓ #1 alice: delivered to bob")
        terminal.types("/as bob")
        terminal.types("plain words")
        terminal.sees("bob → smsc    MESSAGE  text/plain “plain words”", "alice reads from bob: plain words")

    def test_mistakes_are_told_in_a_sentence(self):
        terminal = self.sits_down()
        for typed, told in [
            ("/nothing", "there is no /nothing; /help says what there is"),
            ("/off carol", "there is no carol: the handsets are alice and bob"),
            ("/why 123", "no message has an id that ends in 123"),
            ("/to number text", "cannot stand in an address"),
            ("/help", "/mute WHO        it takes messages and never reports"),
        ]:
            terminal.types(typed)
            terminal.sees(told)

    def test_ctrl_c_and_the_end_of_input_end_it_and_leave_nothing(self):
        for key in (b"\x03", b"\x04"):
            with self.subTest(key=key):
                terminal = self.sits_down()
                terminal.presses(key)
                self.assertEqual((0, []), (terminal.ends(), self.left_over()))

    def test_the_prompt_stands_below_what_comes_and_a_dumb_terminal_gets_no_escapes(self):
        terminal = self.sits_down()
        terminal.types("hello")
        terminal.sees("✓✓ #1", "smsc → alice   202 Accepted")
        while terminal.read(0.5):
            pass
        self.assertTrue(terminal.plain().endswith("\nalice> "), terminal.plain()[-200:])
        self.assertIn("\x1b[", terminal.seen)
        terminal.types("/quit")
        self.assertEqual(0, terminal.ends())

        dumb = self.sits_down(term="dumb")
        dumb.types("hello")
        dumb.sees("✓✓ #1")
        self.assertNotIn("\x1b", dumb.seen)

    def test_a_taken_port_is_replaced_and_that_is_said(self):
        for kind, port in ((socket.SOCK_DGRAM, self.sip), (socket.SOCK_STREAM, self.page)):
            taken = self.keep(socket.socket(socket.AF_INET, kind))
            taken.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                taken.listen()
        terminal = self.sits_down()
        self.assertIn(f", because port {self.sip} is taken", terminal.plain())
        self.assertIn(f", because port {self.page} is taken", terminal.plain())
        terminal.types("hello bob")
        terminal.sees("✓✓ #1 alice: delivered to bob")

    def test_sip_and_metrics_are_those_of_a_real_frontend(self):
        terminal = self.sits_down()
        terminal.types("hello bob")
        terminal.sees("✓✓ #1 alice: delivered to bob", "smsc → alice   202 Accepted")
        peer = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        peer.settimeout(5)
        peer.bind(("127.0.0.1", 0))
        peer.sendto(
            b"OPTIONS sip:smsc01.demo.invalid SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKopt\r\n"
            b"From: <sip:peer@ims.demo.invalid>;tag=1\r\nTo: <sip:smsc01.demo.invalid>\r\nCall-ID: opt\r\n"
            b"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % peer.getsockname()[1],
            ("127.0.0.1", self.sip),
        )
        self.assertTrue(peer.recv(65535).startswith(b"SIP/2.0 200 OK\r\n"))

        admin = re.search(r"admin    (http://\S+)/status", terminal.plain())[1]
        self.assertEqual((200, b"ok\n"), request("GET", f"{admin}/readyz"))
        metrics = request("GET", f"{admin}/metrics")[1].decode()
        self.assertRegex(metrics, r'(?m)^\w*outcomes\w*\{status="delivered"\} [12]$')


class Console(Case):
    def setUp(self):
        super().setUp()
        self.page = free_port()
        self.terminal = Terminal(self, "--sip-port", 0, "--console-port", self.page)
        self.terminal.sees(f"console  http://127.0.0.1:{self.page}", "alice> ")
        self.url = f"http://127.0.0.1:{self.page}"

    def ask(self, method, path, body=None, **headers):
        status, answer = request(method, self.url + path, body, headers)
        return status, json.loads(answer)

    def chats(self):
        status, state = self.ask("GET", "/api/state")
        self.assertEqual(200, status)
        return {handset["name"]: handset["chat"] for handset in state["handsets"]}

    def test_the_page_needs_nothing_from_elsewhere(self):
        status, page = request("GET", f"{self.url}/")
        self.assertEqual(200, status)
        self.assertIn(b"<title>smsc-frontend demo</title>", page)
        self.assertNotRegex(page, rb"https?://|\bsrc=|<link|@import|url\(")

    def test_a_message_posted_is_delivered_and_every_step_is_told(self):
        sent = self.ask("POST", "/api/messages", {"from": "alice", "to": "bob", "text": "hi <b>bob</b>"})
        self.assertEqual((202, {"message": 1}), sent)
        mine = {"message": 1, "peer": "bob", "text": "hi <b>bob</b>", "parts": 1, "progress": "delivered"}
        theirs = {"peer": "alice", "text": "hi <b>bob</b>", "parts": 1}
        self.eventually("the delivery report", lambda: self.chats()["alice"] == [mine])
        self.assertEqual({"alice": [mine], "bob": [theirs]}, self.chats())

        status, log = self.ask("GET", "/api/log?after=0")
        self.assertEqual((200, list(range(len(log)))), (status, [record["number"] for record in log]))
        told = [record["event"] for record in log if record["event"] not in ("sip", "step")]
        self.assertEqual(["sending", "stored", "shown", "delivered"], told)
        with urllib.request.urlopen(f"{self.url}/api/events?after=0", timeout=10) as stream:
            self.assertEqual("text/event-stream", stream.headers["Content-Type"])
            streamed = []
            while len(streamed) < len(log):
                line = stream.readline().decode()
                if line.startswith("data:"):
                    streamed.append(json.loads(line[5:]))
        self.assertEqual(log, streamed)

        status, messages = self.ask("GET", "/api/messages")
        self.assertEqual({"submit", "status_report"}, {message["kind"] for message in messages})
        [message] = [message for message in messages if message["kind"] == "submit"]
        status, life = self.ask("GET", f"/api/messages/{message['id']}")
        self.assertEqual((200, "delivered", ["delivered"]), (status, life["state"], [a["status"] for a in life["attempts"]]))
        self.assertIn("Attempt 1 by smsc01.demo.invalid delivered it", life["told"])

    def test_a_handset_is_switched(self):
        status, bob = self.ask("POST", "/api/handsets/bob", {"switch": "off"})
        self.assertEqual((200, "off", False), (status, bob["mode"], bob["plain"]))
        self.ask("POST", "/api/messages", {"from": "alice", "to": "bob", "text": "later"})
        self.terminal.sees("bob is off", "480 Temporarily Unavailable")
        self.assertEqual([], self.chats()["bob"])
        status, refused = self.ask("POST", "/api/messages", {"from": "bob", "to": "alice", "text": "no"})
        self.assertEqual((422, {"error": "bob is off; /on bob switches it on"}), (status, refused))
        self.ask("POST", "/api/handsets/bob", {"switch": "on"})
        self.eventually("the message", lambda: [line["text"] for line in self.chats()["bob"]] == ["later"])

    def test_what_is_wrong_is_refused(self):
        refused = [
            self.ask("POST", "/api/messages", {"from": "carol", "to": "bob", "text": "x"})[0],
            self.ask("POST", "/api/handsets/carol", {"switch": "on"})[0],
            request("POST", f"{self.url}/api/handsets/bob", {"switch": "sideways"})[0],
            request("POST", f"{self.url}/api/messages", {"from": "alice", "to": "bob", "text": "x"}, {"Content-Type": "text/plain"})[0],
            self.ask("GET", "/api/messages/nothing")[0],
            self.ask("GET", "/api/state", Host="elsewhere.example")[0],
        ]
        self.assertEqual([404, 404, 422, 415, 404, 403], refused)
        self.assertEqual({"alice": [], "bob": []}, self.chats())


class WithoutATerminal(Case):
    def run_demo(self, *options):
        began = time.monotonic()
        done = subprocess.run(
            [binary("smsc-frontend"), "demo", "--sip-port", "0", *options], stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60, text=True, env={**os.environ, "TMPDIR": str(self.dir)},
        )
        self.assertLess(time.monotonic() - began, 15, "seconds the scripted exchange took")
        self.assertEqual([], list(self.dir.glob("smsc-demo-*")))
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout[-3000:])
        return done.stdout

    def test_a_scripted_exchange_is_printed_hop_by_hop(self):
        said = self.run_demo()
        self.assertNotIn("\x1b", said)
        verdicts = re.findall(r"^ *\d+\.\d{3}  (ok|FAILED): (.*?):", said, re.MULTILINE)
        self.assertEqual(
            [
                ("ok", "two handsets register"), ("ok", "a message and its delivery report"),
                ("ok", "a long text in parts"), ("ok", "a handset that is off"), ("ok", "a handset that is full"),
                ("ok", "two identical texts"), ("ok", "a text/plain handset"), ("ok", "nothing lost, nothing twice"),
                ("ok", "the whole exchange"),
            ],
            verdicts,
        )
        for hop in ("REGISTER", "SMS-SUBMIT", "SMS-DELIVER", "RP-ACK", "RP-ERROR", "RP-SMMA", "SMS-STATUS-REPORT", "480"):
            self.assertIn(hop, said)

    def test_for_machines_each_event_is_an_object_and_they_add_up(self):
        events = [json.loads(line) for line in self.run_demo("--json").splitlines()]
        self.assertEqual(list(range(len(events))), [event["number"] for event in events])
        of = collections.defaultdict(list)
        for event in events:
            of[event["event"]].append(event)
        self.assertEqual([], of["failed"])
        self.assertTrue(all(check["passed"] for check in of["check"]))

        others = {"alice": "bob", "bob": "alice"}
        typed = [(others[e["handset"]], e["text"]) for e in of["sending"]]
        shown = [(e["handset"], e["text"]) for e in of["shown"]]
        self.assertEqual(collections.Counter(typed), collections.Counter(shown), "each message is shown exactly once")
        self.assertEqual(2, shown.count(("bob", "OK")))
        reported = [e["message"] for e in of["delivered"]]
        # The text/plain handset is told of no delivery: its protocol has no report.
        plain = [e["message"] for e in of["sending"] if e["text"] == "plain words"]
        self.assertEqual(sorted(e["message"] for e in of["sending"]), sorted(reported + plain))

    def test_ended_by_a_signal_it_leaves_nothing(self):
        demo = self.start("demo", [binary("smsc-frontend"), "demo", "--script", "--sip-port", "0"],
                          must_live=False, env={"TMPDIR": str(self.dir)})
        self.eventually("the first hop", lambda: "REGISTER" in demo.output())
        demo.popen.terminate()
        self.assertIn(demo.wait(10), (0, 1), "1 unless the script was through already")
        self.assertEqual([], list(self.dir.glob("smsc-demo-*")))


if __name__ == "__main__":
    main()
