"""A capture of all SIP that a suite says over loopback, for other readers of it: SMSC_CAPTURE names the file.

While it runs, `port` gives ports of a block that is this process's own, so that nobody else's traffic is in the file.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Blocks of ports below those that the kernel gives to clients.
_FIRST, _LAST, _BLOCK = 10_000, 32_000, 1_000
# What ends the file: once it is there, all before it is too.
_END = b"end of the capture"
# A capture ends by itself, should this process die.
_LIFETIME_SECONDS = 1800


class Capture:
    """dumpcap on loopback, from `with` to its end."""

    def __init__(self, file):
        self._file = Path(file)
        self._said = self._file.with_suffix(".log")

    def __enter__(self):
        self._reservation, self._first = _reserve()
        self._next = self._first + 1
        self._file.parent.mkdir(parents=True, exist_ok=True)
        command = [] if os.geteuid() == 0 else ["sudo", "-n"]
        command += ["dumpcap", "-q", "-i", "lo", "-f", f"portrange {self._first}-{self._first + _BLOCK - 1}"]
        command += ["-B", "16", "-a", f"duration:{_LIFETIME_SECONDS}", "-w", "-"]
        with open(self._file, "wb") as octets, open(self._said, "wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=octets, stderr=said)
        self._await("dumpcap captures", lambda: b"File: " in self._said.read_bytes())
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(_END, self._reservation.getsockname())
        try:
            self._await("the end of the capture is in the file", lambda: _END in self._file.read_bytes())
        finally:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._reservation.close()
        said = self._said.read_text(errors="replace")
        lost = re.search(r"received/dropped on interface .*: (\d+)/(\d+)", said)
        if not lost or lost[2] != "0":
            sys.exit(f"the capture is not whole:\n{said}")
        print(f"{lost[1]} packets captured in {self._file}")

    def port(self):
        """A port of the block that was not given before."""
        if self._next == self._first + _BLOCK:
            sys.exit(f"a capture has {_BLOCK - 1} ports, the suite wants more")
        self._next += 1
        return self._next - 1

    def _await(self, what, true, *, seconds=20):
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self._process.kill()
                sys.exit(f"not so: {what}\n{self._said.read_text(errors='replace')}")
            time.sleep(0.02)


def _reserve():
    """A block of ports: who holds its first one has them all."""
    for first in range(_FIRST, _LAST, _BLOCK):
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind(("127.0.0.1", first))
            return holder, first
        except OSError:
            holder.close()
    sys.exit("no block of ports is free")
