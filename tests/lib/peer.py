"""The other end of SIP over any transport and address family: S-CSCF and the handset behind it in one.

Takes requests at an address of its own and answers each 200, sends requests over a connection of its own, and
acknowledges every MT message with an RP-ACK as a handset does.
"""

import re
import socket
import threading

from harness import ALICE, DOMAIN
from tap import Message

# RP-DATA with RP-MR 2A and an SMS-SUBMIT: TP-MR 07 to +447700900222, GSM 7-bit "hello" and a Euro sign.
MO = bytes.fromhex("002a000791447700099099" + "15" + "31070c914477000920220000a708e8329bfd066dca")
PATIENCE = 10


class Peer:
    """`transport` is udp, tcp or tls; over TLS `files` are its certificate and whom it believes."""

    def __init__(self, transport, *, host="127.0.0.1", files=None, msisdn=ALICE):
        self.transport, self.host, self.files, self.msisdn = transport, host, files, msisdn
        self.requests = []  # all that came in, in order
        self._statuses = {}
        self._changed = threading.Condition()
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._sent = 0
        self._pongs = b""
        self._connection = None
        self.gone = False  # a connection has ended
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._listener = socket.socket(self._family, kind)
        self._listener.bind((host, 0))
        self.port = self._listener.getsockname()[1]
        if transport == "udp":
            threading.Thread(target=self._datagrams, daemon=True).start()
        else:
            self._listener.listen()
            threading.Thread(target=self._accept, daemon=True).start()

    def uri(self, name=None):
        """The URI requests reach it by."""
        return f"sip:{name or bracketed(self.host)}:{self.port};transport={self.transport}"

    def connect(self, port, server_name=None):
        """Opens the connection its requests go over; over TLS to the holder of this name. Nothing to do over UDP."""
        self.frontend = (self.host, port)
        if self.transport == "udp":
            return self
        stream = socket.create_connection(self.frontend, timeout=PATIENCE)
        if self.transport == "tls":
            stream = self.files.client().wrap_socket(stream, server_hostname=server_name or self.host)
        self._connection = stream
        threading.Thread(target=self._stream, args=(stream,), daemon=True).start()
        return self

    def stop_listening(self):
        """Nobody can open a connection to it any more."""
        _shut(self._listener)

    def close(self):
        for one in (self._listener, self._connection):
            if one is not None:
                _shut(one)

    def ask(self, method, *headers, uri=f"sip:smsc.{DOMAIN}", body=b"", via=""):
        """Sends a request and waits for its final answer: its status, None if none came or the connection ended."""
        self._sent += 1
        call_id = f"{self._sent}-{self.port}@peer"
        identity = f"sip:+{self.msisdn}@{DOMAIN}"
        sent_by = f"{bracketed(self.host)}:{self.port}"
        head = [
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{self.transport.upper()} {sent_by};branch=z9hG4bK{self._sent}p{self.port}{via}",
            "Max-Forwards: 70", f"From: <{identity}>;tag={self.port}", f"To: <{uri}>", f"Call-ID: {call_id}",
            f"CSeq: {self._sent} {method}", *headers, f"Content-Length: {len(body)}", "", "",
        ]
        self._write("\r\n".join(head).encode() + body)
        with self._changed:
            self._changed.wait_for(lambda: call_id in self._statuses or self.gone, PATIENCE)
            return self._statuses.get(call_id)

    def register(self, scscf=f"scscf.{DOMAIN}"):
        """A third-party REGISTER (TS 24.229 §5.4.1.7)."""
        impu = f"sip:+{self.msisdn}@{DOMAIN}"
        service_info = f'<?xml version="1.0"?><ims-3gpp version="1"><service-info>{self.msisdn}</service-info></ims-3gpp>'
        self._sent += 1
        return self.ask(
            "REGISTER", f"Contact: <sip:{scscf}>", "Expires: 600", "Content-Type: application/3gpp-ims+xml",
            uri=impu, body=service_info.encode(),
        )

    def submit(self):
        """An MO message."""
        asserted = f"P-Asserted-Identity: <sip:+{self.msisdn}@{DOMAIN}>, <tel:+{self.msisdn}>"
        return self.ask("MESSAGE", asserted, "Content-Type: application/vnd.3gpp.sms", body=MO)

    def ping(self):
        """Sends a ping (RFC 5626 §4.4.1) where no SIP is under way, and waits for what comes back."""
        with self._changed:
            self._pongs = b""
        self._write(b"\r\n\r\n")
        with self._changed:
            self._changed.wait_for(lambda: self._pongs, PATIENCE)
            return self._pongs

    def _accept(self):
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._accepted, args=(stream,), daemon=True).start()

    def _accepted(self, stream):
        try:
            if self.transport == "tls":
                stream = self.files.server().wrap_socket(stream, server_side=True)
        except OSError:
            return stream.close()
        self._stream(stream)

    def _datagrams(self):
        while True:
            try:
                octets, source = self._listener.recvfrom(65535)
            except OSError:
                return
            if octets:
                self._take(octets, lambda answer: self._listener.sendto(answer, source))

    def _stream(self, stream):
        octets = b""
        try:
            while chunk := stream.recv(65535):
                octets += chunk
                while octets.startswith(b"\r\n"):
                    octets = octets[2:]
                    with self._changed:
                        self._pongs += b"\r\n"
                        self._changed.notify_all()
                while b"\r\n\r\n" in octets:
                    head, _, rest = octets.partition(b"\r\n\r\n")
                    length = int(re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head).group(1))
                    if len(rest) < length:
                        break
                    self._take(head + b"\r\n\r\n" + rest[:length], stream.sendall)
                    octets = rest[length:]
        except OSError:
            pass  # closed at either end
        with self._changed:
            self.gone = True
            self._changed.notify_all()

    def _take(self, octets, back):
        message = Message.parse("frontend", octets)
        if message.start_line.startswith("SIP/2.0 "):
            status = int(message.start_line.split()[1])
            with self._changed:
                if status >= 200:
                    self._statuses[message["Call-ID"]] = status
                    self._changed.notify_all()
            return
        copied = [f"{name}: {value}" for name in ("via", "from", "call-id", "cseq") for value in message.headers[name]]
        answer = ["SIP/2.0 200 OK", *copied, f"To: {message['To']};tag=peer", "Expires: 600", "Content-Length: 0", "", ""]
        back("\r\n".join(answer).encode())
        with self._changed:
            self.requests.append(message)
        if message.start_line.startswith("MESSAGE ") and message["In-Reply-To"] is None:
            threading.Thread(target=self._acknowledge, args=(message,), daemon=True).start()

    def _acknowledge(self, message):
        psi = re.search(r"<([^>]+)>", message["P-Asserted-Identity"]).group(1)
        self.ask(
            "MESSAGE", f"P-Asserted-Identity: <sip:+{self.msisdn}@{DOMAIN}>", f"In-Reply-To: {message['Call-ID']}",
            "Content-Type: application/vnd.3gpp.sms", uri=psi, body=bytes([2, message.body[1], 0x41, 2, 0, 0]),
        )

    def _write(self, octets):
        try:
            if self.transport == "udp":
                self._listener.sendto(octets, self.frontend)
            else:
                self._connection.sendall(octets)
        except OSError:
            pass  # no answer will come, which is what is told


def bracketed(host):
    return f"[{host}]" if ":" in host else host


def _shut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected
    one.close()
