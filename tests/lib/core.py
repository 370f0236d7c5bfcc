"""Handset and S-CSCF in one UDP socket: what matters is *which* pod hears from it, and what it hears back."""

import socket
import time

from harness import BOB, DOMAIN, LOCATION
from tap import Message

BOB_URI = f"sip:+{BOB}@{DOMAIN}"


class Core:
    """One socket at `host`. A frontend is named by its port there, or by address and port."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.number = 0

    def close(self):
        self.socket.close()

    def receive(self, seconds=10):
        """The next message and who sent it."""
        self.socket.settimeout(seconds)
        octets, peer = self.socket.recvfrom(65535)
        return Message.parse("frontend", octets), peer

    def receive_request(self, seconds=10):
        """The next request, answered 200; answers to our own requests are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            message, peer = self.receive(max(deadline - time.monotonic(), 0.01))
            if not message.start_line.startswith("SIP/2.0"):
                self.answer(message, peer)
                return message

    def answer(self, message, peer, status="200 OK"):
        lines = [f"SIP/2.0 {status}"]
        for name in ("via", "from", "to", "call-id", "cseq"):
            lines += [f"{name}: {value}" for value in message.headers[name]]
        self.socket.sendto("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), peer)

    def send(self, to, rpdu, *, identity=BOB_URI, headers=()):
        """Sends a MESSAGE to a pod; returns its Call-ID."""
        self.number += 1
        call_id = f"core-{self.number}@{self.host}"
        lines = [
            f"MESSAGE sip:smsc@{LOCATION} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bKcore{self.number}",
            "Max-Forwards: 69", f"From: <{identity}>;tag=1", f"To: <sip:smsc@{LOCATION}>", f"Call-ID: {call_id}",
            "CSeq: 1 MESSAGE", f"P-Asserted-Identity: <{identity}>", *headers,
            "Content-Type: application/vnd.3gpp.sms", f"Content-Length: {len(rpdu)}", "", "",
        ]
        self._send("\r\n".join(lines).encode() + rpdu, to)
        return call_id

    def final(self, call_id, seconds=10):
        """The status of the answer to a request of ours."""
        deadline = time.monotonic() + seconds
        while True:
            message, _ = self.receive(max(deadline - time.monotonic(), 0.01))
            if message.start_line.startswith("SIP/2.0") and message["Call-ID"] == call_id:
                return int(message.start_line.split()[1])

    def register(self, to, *, expires, identity=BOB_URI):
        """A third-party REGISTER; returns the SIP status it gets."""
        self.number += 1
        call_id = f"core-{self.number}@{self.host}"
        s_cscf = f"sip:{self.host}:{self.port}"
        lines = [
            f"REGISTER sip:smsc@{LOCATION} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bKcore{self.number}",
            "Max-Forwards: 69", f"From: <{s_cscf}>;tag=1", f"To: <{identity}>", f"Call-ID: {call_id}",
            "CSeq: 1 REGISTER", f"Contact: <{s_cscf}>", f"Expires: {expires}", "Content-Length: 0", "", "",
        ]
        self._send("\r\n".join(lines).encode(), to)
        return self.final(call_id)

    def report(self, to, delivery, *, rpdu=None):
        """RP-ACK for a delivery, sent to any pod; returns the SIP status it gets."""
        rpdu = rpdu or bytes([2, delivery.body[1]])
        return self.final(self.send(to, rpdu, headers=[f"In-Reply-To: {delivery['Call-ID']}"]))

    def _send(self, octets, to):
        self.socket.sendto(octets, to if isinstance(to, tuple) else (self.host, to))
