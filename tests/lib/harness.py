"""What the suites share: processes that never outlive them, free ports, the frontend, SIPp, and the closing line.

A suite is a unittest module whose last line is `harness.main()`. Everything listens on 127.0.0.1, unless a suite of the
cluster wants otherwise. SMSC_CAPTURE names a file for all the SIP that is said (lib/capture.py).
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from capture import Capture

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SMSC_TESTS_CACHE") or Path.home() / ".cache/smsc-tests")
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or CACHE / "target")

DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
LOCATION = "smsc01.mnc001.mcc001.3gppnetwork.org"
ALICE = "447700900111"
BOB = "447700900222"

_PR_SET_PDEATHSIG = 1

_capture = Capture(os.environ["SMSC_CAPTURE"]) if os.environ.get("SMSC_CAPTURE") else None


def main():
    """Runs the suite that calls this: each test's verdict, what failed, then `N passed, N failed`."""
    begin()
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if len(sys.argv) > 1:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], sys.modules["__main__"])
    with _capture or contextlib.nullcontext():
        finish([unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)])


def begin():
    """What a suite does before anything else."""
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def finish(results):
    """Counts what the runners of a suite found, and ends."""
    run = sum(result.testsRun for result in results)
    failed = sum(len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses) for result in results)
    if any(result.skipped for result in results) or run == 0:
        print("a suite neither skips tests nor is empty")
        failed += 1
    print(f"{max(run - failed, 0)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


class Case(unittest.TestCase):
    """A test with a directory of its own; what it starts with `self.start` ends with it, and shows its log if it failed."""

    maxDiff = None

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="smsc-test-"))
        self.started = []
        self.addCleanup(self._stop_all)

    def start(self, name, command, **options):
        """Starts a process whose output goes to NAME.log of this test."""
        process = Process(name, command, self.dir / f"{name}.log", **options)
        self.started.append(process)
        return process

    def keep(self, resource):
        """Closes a resource when the test ends."""
        self.addCleanup(resource.close)
        return resource

    def eventually(self, what, value, *, seconds=10, every=0.02):
        """Waits until a function returns something true, and returns that."""
        deadline = time.monotonic() + seconds
        while not (found := value()):
            for process in self.started:
                if process.must_live and process.exit_code() is not None:
                    self.fail(f"{process.name} ended with {process.exit_code()} while waiting for {what}")
            if time.monotonic() > deadline:
                self.fail(f"{what}: not within {seconds} s")
            time.sleep(every)
        return found

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for process in self.started:
                print(f"---- {self.id()}: {process.name} said ----\n{process.output()[-6000:]}")
        shutil.rmtree(self.dir, ignore_errors=True)
        return result

    def _stop_all(self):
        for process in reversed(self.started):
            process.stop()


class Process:
    """A child that dies with this process, even if this one is killed."""

    def __init__(self, name, command, log, *, must_live=True, death=signal.SIGKILL, polite=signal.SIGTERM, patience=2, env=None, cwd=None):
        self.name, self.log, self.must_live, self.polite, self.patience = name, log, must_live, polite, patience
        parent = os.getpid()

        def die_with_parent():
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death)
            if os.getppid() != parent:
                os._exit(1)

        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})}, cwd=cwd, preexec_fn=die_with_parent,
            )

    @property
    def pid(self):
        return self.popen.pid

    def exit_code(self):
        """The exit code, None while it runs."""
        return self.popen.poll()

    def wait(self, seconds):
        """The exit code; None if it still runs after these seconds."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """Ends it the hard way, as a power cut would."""
        self.must_live = False
        self.popen.kill()
        self.popen.wait()

    def stop(self):
        """Ends it politely, then, after some seconds of patience, the hard way (which leaves its children behind)."""
        self.must_live = False
        if self.exit_code() is None:
            self.popen.send_signal(self.polite)
            if self.wait(self.patience) is None:
                self.kill()

    def output(self):
        return self.log.read_text(errors="replace")


class Frontend:
    """`smsc-frontend run` with the four-key file of an existing installation, and listeners of its own."""

    def __init__(self, case, backend_url, *, s_cscf=None, location=LOCATION, name="frontend", trusted=True, listen=None, also_listen=(), more=""):
        self.sip, self.admin, self.name = free_port(), free_port(captured=False), name
        self.config = case.dir / f"{name}.yaml"
        self.config.write_text(
            f"api_base_url: {backend_url}\n"
            f"location: {location}\n"
            + (f"s_cscf_sip_uri: sip:127.0.0.1:{s_cscf}\n" if s_cscf else "")
            + f"ims_domain: {DOMAIN}\n"
            f"listen: {json.dumps(listen or [f'udp:127.0.0.1:{self.sip}', f'tcp:127.0.0.1:{self.sip}', *also_listen])}\n"
            f"admin: {{listen: '127.0.0.1:{self.admin}'}}\n"
            # Left out, its default waits for a resolver to say that it does not know ims_domain.
            + ("trusted_peers: [127.0.0.0/8]\n" if trusted else "") + more
        )
        self.case = case
        self.process = None
        self.run()

    def rewrite(self, text):
        """Puts another configuration in the file's place, whole: a running frontend never sees the half of it."""
        new = self.config.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.config)

    def run(self):
        """Starts it (again) and waits until it says that it is ready."""
        command = [binary("smsc-frontend"), "run", "--config", self.config]
        # SIGINT drains without the seconds that endpoints of a cluster need.
        self.process = self.case.start(self.name, command, polite=signal.SIGINT, cwd=self.case.dir)
        self.case.eventually("readiness of the frontend", self.ready, seconds=20)

    def ready(self):
        try:
            return request("GET", f"http://127.0.0.1:{self.admin}/readyz")[0] == 200
        except OSError:
            return False

    def status(self):
        return json.loads(request("GET", f"http://127.0.0.1:{self.admin}/status")[1])

    def metrics(self):
        return request("GET", f"http://127.0.0.1:{self.admin}/metrics")[1].decode()


class FakeBackend:
    """tests/peers/fake_backend.py: the contract's other side, written by others than the frontend."""

    def __init__(self, case, *options):
        name = f"backend{sum(one.name.startswith('backend') for one in case.started) or ''}"
        self.process = case.start(name, [sys.executable, ROOT / "tests/peers/fake_backend.py", *options])
        self.case = case
        said = case.eventually("readiness of the fake backend", lambda: "READY " in self.process.output() and self.process.output())
        self.url = said.split()[1]

    def control(self, method, name, body=None):
        status, answer = request(method, f"{self.url}/_control/{name}", body)
        if status >= 300:
            self.case.fail(f"{method} /_control/{name}: {status} {answer!r}")
        return json.loads(answer) if answer else None

    def state(self):
        return self.control("GET", "state")

    def requests(self, operation):
        """Every request for an operation so far, in order."""
        return self.control("GET", f"requests?operation={operation}")

    def bodies(self, operation):
        return [record["body"] for record in self.requests(operation)]

    def fault(self, operation, fault, **members):
        self.control("POST", "faults", {"operation": operation, "fault": fault, **members})

    def enqueue(self, **row):
        """Queues a row for this frontend's location; returns the row as kept."""
        return self.control("POST", "enqueue", {"location": LOCATION, **row})


class Sipp:
    """One SIPp process running one scenario of tests/peers/sipp, once or for `calls` calls.

    `replace` gives texts to put in place of others in the scenario, as `{"@RPDU@": ...}`.
    """

    def __init__(
        self, case, scenario, *, port, remote=None, host="127.0.0.1", transport="u1", call_id=None, calls=1, flags=(), replace=None, **keys,
    ):
        """`remote` is a port of `host`, or an address with a port."""
        self.case, self.scenario = case, scenario
        file = ROOT / f"tests/peers/sipp/{scenario}.xml"
        if replace:
            text = file.read_text()
            file = case.dir / f"{scenario}-{port}.xml"
            for placeholder, value in replace.items():
                text = text.replace(placeholder, value)
            file.write_text(text)
        self.log = case.dir / f"sipp-{scenario}-{port}.logged"
        errors = case.dir / f"sipp-{scenario}-{port}.errors"
        command = ["sipp", "-sf", file, "-m", calls, "-default_behaviors", "abortunexp", "-nostdin", "-skip_rlimit"]
        command += ["-i", host, "-p", port, "-cp", free_port(captured=False), "-t", transport, "-timeout", "60s", "-timeout_error"]
        command += ["-trace_logs", "-log_file", self.log, "-trace_err", "-error_file", errors, *flags]
        if call_id:
            command += ["-cid_str", call_id]
        for key, value in {"domain": DOMAIN, **keys}.items():
            command += ["-key", key, value]
        if remote:
            command += [remote if isinstance(remote, str) else f"{host}:{remote}"]
        self.process = case.start(f"sipp-{scenario}-{port}", command, must_live=False, env={"TERM": "dumb"})
        if not remote:
            case.eventually(f"{scenario} listens", lambda: udp_bound(port))

    def finish(self, seconds=30):
        """Waits for the end of the scenario; fails the test unless every step of it happened."""
        code = self.process.wait(seconds)
        if code != 0:
            errors = "".join(f.read_text(errors="replace") for f in sorted(self.case.dir.glob("sipp-*.errors")))
            self.case.fail(f"SIPp {self.scenario}: {'still running' if code is None else f'exit code {code}'}\n{errors[-3000:]}")
        return self

    def logged(self):
        """What the scenario's <log> actions wrote."""
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []


def binary(name):
    """A built binary of the workspace; SMSC_PROFILE chooses debug (default) or release."""
    path = TARGET / os.environ.get("SMSC_PROFILE", "debug") / name
    if not path.exists():
        sys.exit(f"{name} is not built: `tests/run` builds it, or `cargo build` with CARGO_TARGET_DIR={TARGET}")
    return path


def free_port(*, captured=True, host="127.0.0.1"):
    """A port that is free for UDP and TCP; what is said there is captured if the suite is."""
    while True:
        wanted = _capture.port() if _capture and captured else 0
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((host, wanted))
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def udp_bound(port):
    """Whether something is bound to this UDP port (SIPp says nothing when it listens)."""
    wanted = f":{port:04X} "
    return any(line.split()[1].endswith(wanted.strip()) for line in Path("/proc/net/udp").read_text().splitlines()[1:])


def request(method, url, body=None, headers=()):
    """One HTTP request: status and octets of the answer, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    outgoing = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)}, method=method)
    try:
        with urllib.request.urlopen(outgoing, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
