"""The demo as a person uses it, through a pseudo-terminal; and without one, where it plays a script and checks itself."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import Case, binary, main, request

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMAND = ["demo", "--sip-port", "0", "--console-port", "0"]


class Person:
    """Somebody at a terminal: types lines and reads what appears."""

    def __init__(self, case):
        self.case = case
        ours, theirs = pty.openpty()
        size = struct.pack("HHHH", 50, 200, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            [binary("smsc-frontend"), *COMMAND], stdin=theirs, stdout=theirs, stderr=theirs, cwd=case.dir,
            env={**os.environ, "TERM": "xterm"}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.terminal = ours
        self.shown = ""
        self.read_to = 0
        case.addCleanup(self.leave)

    def types(self, line):
        os.write(self.terminal, line.encode() + b"\n")

    def presses(self, octet):
        os.write(self.terminal, octet)

    def sees(self, pattern, *, seconds=10):
        """Waits for something to appear behind what was seen before; returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            text = ESCAPES.sub("", self.shown).replace("\r", "")
            if found := re.compile(pattern).search(text, self.read_to):
                self.read_to = found.end()
                return found
            if time.monotonic() > deadline or not self.look(deadline):
                self.case.fail(f"{pattern!r} did not appear; on the screen:\n{text[-4000:]}")

    def does_not_see(self, pattern, *, seconds):
        """Watches for some time; nothing like it may appear."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.look(deadline):
            pass
        text = ESCAPES.sub("", self.shown).replace("\r", "")
        self.case.assertNotRegex(text[self.read_to:], pattern)

    def look(self, deadline):
        """Reads what there is; false if the terminal was closed."""
        if select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                octets = os.read(self.terminal, 65536)
            except OSError:
                return False
            self.shown += octets.decode(errors="replace")
            return bool(octets)
        return True

    def ends(self, seconds=15):
        """The exit code, once the demo ended by itself."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.look(time.monotonic() + 0.05)
        return self.process.poll()

    def leave(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.terminal)


class AtATerminal(Case):
    def setUp(self):
        super().setUp()
        self.person = Person(self)
        self.person.sees("alice> ")

    def test_a_text_arrives_and_its_delivery_report_is_shown(self):
        self.person.types("hello bob €")
        self.person.sees(r"#1 alice writes to .*hello bob €")
        self.person.sees(r"SMS-SUBMIT")
        self.person.sees(r"bob reads from alice: hello bob €")
        self.person.sees(r"✓✓ #1 alice: delivered to ")
        self.person.types("/as bob")
        self.person.sees("bob> ")
        self.person.types("hello alice")
        self.person.sees(r"alice reads from bob: hello alice")
        self.person.types("/quit")
        self.assertEqual(0, self.person.ends())

    def test_a_message_for_a_handset_that_is_off_waits_for_it(self):
        self.person.types("/off bob")
        self.person.sees("bob is off")
        self.person.types("are you there")
        self.person.sees(r"✓  #1 alice: the service centre has it")
        self.person.sees(r"480")
        self.person.does_not_see("bob reads|delivered to", seconds=2)
        self.person.types("/on bob")
        self.person.sees(r"bob reads from alice: are you there")
        self.person.sees(r"✓✓ #1 alice: delivered to ")
        self.person.does_not_see("bob reads", seconds=2)

    def test_a_sip_200_is_not_shown_as_a_delivery(self):
        self.person.types("/mute bob")
        self.person.sees("bob is mute")
        self.person.types("do you hear me")
        self.person.sees(r"✓  #1 alice")
        self.person.does_not_see("delivered to", seconds=3)

    def test_questions_are_answered_and_mistakes_explained(self):
        self.person.types("/help")
        self.person.sees("/why ID")
        self.person.types("/bob")
        self.person.sees("there is no /bob")
        self.person.types("/to nobody x")
        self.person.sees("alice> ")
        self.person.types("for the record")
        self.person.sees(r"✓✓ #\d alice: delivered")
        self.person.types("/why")
        self.person.sees(r"delivered")
        self.person.types("/list")
        self.person.sees(r"delivered")

    def test_ctrl_d_ends_it(self):
        self.person.presses(b"\x04")
        self.assertEqual(0, self.person.ends())

    def test_ctrl_c_ends_it(self):
        self.person.presses(b"\x03")
        self.assertEqual(0, self.person.ends())

    def test_the_console_is_served_where_it_says(self):
        console = re.search(r"http://127\.0\.0\.1:\d+", ESCAPES.sub("", self.person.shown))
        self.assertIsNotNone(console, "the console's address stands above the prompt")
        status, page = request("GET", console[0])
        self.assertEqual(200, status)
        self.assertIn(b"<html", page.lower())


class WithoutATerminal(Case):
    def run_demo(self, *options):
        return subprocess.run(
            [binary("smsc-frontend"), *COMMAND, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            cwd=self.dir, timeout=120,
        )

    def test_it_plays_a_script_prints_each_hop_and_ends_with_0(self):
        demo = self.run_demo()
        self.assertEqual(0, demo.returncode, demo.stdout[-3000:] + demo.stderr[-3000:])
        self.assertNotIn("\x1b", demo.stdout, "no colours where nobody sees them")
        for hop in ["REGISTER", "SMS-SUBMIT", "RP-ACK", "SMS-DELIVER", "SMS-STATUS-REPORT"]:
            self.assertIn(hop, demo.stdout)
        verdicts = re.findall(r"^.*\b(ok|FAILED): ", demo.stdout, re.M)
        self.assertGreater(len(verdicts), 3)
        self.assertEqual({"ok"}, set(verdicts))

    def test_machines_get_a_json_object_a_line(self):
        demo = self.run_demo("--json")
        self.assertEqual(0, demo.returncode, demo.stderr[-3000:])
        events = [json.loads(line) for line in demo.stdout.splitlines()]
        self.assertGreater(len(events), 20)
        self.assertTrue(all(isinstance(event, dict) for event in events))

    def test_nothing_stays_behind(self):
        self.assertEqual(0, self.run_demo().returncode)
        self.assertEqual([], sorted(path.name for path in self.dir.iterdir()))


if __name__ == "__main__":
    main()
