"""A HEP version 3 collector: every SIP message that a server says it received or sent."""

import socket
import threading

from tap import Message

_SOURCE_PORT, _DESTINATION_PORT, _PAYLOAD = 7, 8, 15


class Collector:
    """Bound to `port`; keeps every message in the order in which they were reported."""

    def __init__(self, port):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._messages = []
        threading.Thread(target=self._run, daemon=True).start()

    def messages(self, start="", *, source=None, destination=None):
        """What passed so far: by what the start line begins with and by port, where these are given."""
        return [
            message for source_port, destination_port, message in list(self._messages)
            if message.start_line.startswith(start) and source in (None, source_port) and destination in (None, destination_port)
        ]

    def shown(self):
        """Everything but OPTIONS, to be read by people."""
        return "\n\n".join(
            f"{source} -> {destination}: {message.start_line}\n"
            + "".join(f"{name}: {value}\n" for name, values in message.headers.items() for value in values)
            + message.body.decode(errors="replace")
            for source, destination, message in list(self._messages) if not message["CSeq"].endswith(" OPTIONS")
        )

    def close(self):
        self._socket.close()

    def _run(self):
        while True:
            try:
                datagram = self._socket.recv(65535)
            except OSError:
                return
            chunks = dict(chunks_of(datagram))
            source, destination = (int.from_bytes(chunks[kind]) for kind in (_SOURCE_PORT, _DESTINATION_PORT))
            self._messages.append((source, destination, Message.parse(source, chunks[_PAYLOAD])))


def chunks_of(datagram):
    """The chunks of the generic vendor: (type, value)."""
    if datagram[:4] != b"HEP3":
        raise ValueError(f"no HEP version 3: {datagram[:16]!r}")
    at = 6
    while at + 6 <= len(datagram):
        vendor, kind, length = (int.from_bytes(datagram[at + i:at + i + 2]) for i in (0, 2, 4))
        if length < 6:
            raise ValueError(f"a chunk of {length} octets")
        if vendor == 0:
            yield kind, datagram[at + 6:at + length]
        at += length
