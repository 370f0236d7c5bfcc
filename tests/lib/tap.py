"""A tap on the way between the frontend and a handset: passes every datagram on, both ways, and keeps it.

The frontend knows only the tap's port, the handset too; so what passed can be compared octet by octet with what the
specifications want, which SIPp itself cannot do behind a NUL.
"""

import select
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class Message:
    """A SIP message as it passed: `sent` by the frontend or by the handset."""

    sent_by: str
    start_line: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def parse(cls, sent_by, datagram):
        head, _, body = datagram.partition(b"\r\n\r\n")
        start_line, *lines = head.decode().split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        return cls(sent_by, start_line, headers, body)

    def __getitem__(self, name):
        """The one value of a header; None if it is absent."""
        values = self.headers.get(name.lower(), [])
        if len(values) > 1:
            raise ValueError(f"{name} appears {len(values)} times")
        return values[0] if values else None


class Tap:
    """Bound to `port`, the frontend's next hop; hands on to the handset at `handset`."""

    def __init__(self, port, handset):
        self._handset = ("127.0.0.1", handset)
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._front.bind(("127.0.0.1", port))
        self._back.bind(("127.0.0.1", 0))
        self._frontend = None
        self._messages = []
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def messages(self, sent_by=None, method=None):
        """What passed so far, in order; by sender and by request method if these are given."""
        with self._lock:
            return [
                m for m in self._messages
                if sent_by in (None, m.sent_by) and (method is None or m.start_line.startswith(f"{method} "))
            ]

    def close(self):
        self._closing = True
        self._thread.join()
        self._front.close()
        self._back.close()

    def _run(self):
        while not self._closing:
            for ready in select.select([self._front, self._back], [], [], 0.05)[0]:
                try:
                    datagram, source = ready.recvfrom(65535)
                except ConnectionRefusedError:
                    continue  # the handset is not there (yet); the frontend will repeat itself
                if ready is self._front:
                    self._frontend = source
                    self._pass("frontend", datagram, self._back, self._handset)
                elif self._frontend:
                    self._pass("handset", datagram, self._front, self._frontend)

    def _pass(self, sent_by, datagram, out, to):
        with self._lock:
            self._messages.append(Message.parse(sent_by, datagram))
        out.sendto(datagram, to)
