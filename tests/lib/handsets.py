"""Many handsets and their S-CSCF at one UDP socket, for traffic that goes on while pods come and go.

Every request is repeated as RFC 3261 §17.1.2 wants it until it is answered, and every message for a handset gets its
RP-ACK. Texts are letters, digits and spaces, so that little of a codec is needed here.
"""

import itertools
import re
import socket
import threading
import time
from dataclasses import dataclass

from harness import DOMAIN, LOCATION
from tap import Message

T1, T2, TIMER_F = 0.5, 4.0, 32.0
SENDER = "447700900111"
SERVICE_CENTRE = bytes.fromhex("0791447700099099")
RP_DATA, RP_ACK, RP_ERROR = 1, 3, 5  # from the network (TS 24.011 §8.2.2)


@dataclass
class Transaction:
    """A request of ours until it has a final answer; 408 stands for none."""

    what: str
    octets: bytes
    to: tuple
    began: float
    due: float
    pause: float = T1
    status: int = 0


class Handsets:
    """What is sent goes to `frontend`; RP-ACKs go where `reports_to` says, given the pod's address, else there too."""

    def __init__(self, host, frontend=None, *, reports_to=None):
        self.frontend = frontend
        self.delivered = []  # (text, the pod's address), repeats of one request left out
        self.accepted = []  # texts whose RP-ACK came back to the sender
        self.refused = []  # (text, cause of the RP-ERROR)
        self.finals = []  # (what, status) of every request of ours
        self._reports_to = reports_to or (lambda _: self.frontend)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.02)
        self.host, self.port = self._socket.getsockname()
        self._numbers = itertools.count(1)
        self._open = {}  # branch -> Transaction
        self._taken = set()  # branches of requests that came
        self._texts = {}  # Call-ID of a submission -> text
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._closing = True
        self._thread.join()
        self._socket.close()

    def register(self, msisdn, *, to=None):
        """A third-party REGISTER (TS 24.229 §5.4.1.7): the pod that answers is where the handset is found from then on."""
        impu = f"sip:+{msisdn}@{DOMAIN}"
        scscf = f"<sip:scscf.{DOMAIN}>"
        return self.wait(self._request(
            f"register {msisdn}", "REGISTER", impu, f"From: {scscf};tag=r", f"To: <{impu}>",
            f"Contact: <sip:{self.host}:{self.port}>", "Expires: 3600", to=to,
        ))

    def submit(self, text, msisdn, *, to=None):
        """Submits a message for a handset and waits for nothing; `wait` does."""
        swapped = "".join(low + high for high, low in re.findall("(.)(.)", msisdn))
        octets = text.encode("utf-16-be")
        tpdu = bytes.fromhex(f"0100{len(msisdn):02x}91{swapped}0008") + bytes([len(octets)]) + octets
        return self._message(f"submit {text}", SENDER, b"\x00\x01\x00" + SERVICE_CENTRE + bytes([len(tpdu)]) + tpdu, to, text=text)

    def wait(self, transaction, seconds=TIMER_F + 3):
        """The status of the final answer."""
        with self._changed:
            self._changed.wait_for(lambda: transaction.status, seconds)
            return transaction.status

    def settled(self):
        """Whether every request of ours was answered, or nobody would wait for its answer any longer."""
        with self._changed:
            return not self._open

    def _message(self, what, msisdn, rpdu, to, *headers, text=None):
        impu = f"sip:+{msisdn}@{DOMAIN}"
        psi = f"sip:smsc@{LOCATION}"
        return self._request(
            what, "MESSAGE", psi, f"From: <{impu}>;tag=m", f"To: <{psi}>", f"P-Asserted-Identity: <{impu}>",
            "Content-Type: application/vnd.3gpp.sms", *headers, body=rpdu, to=to, text=text,
        )

    def _request(self, what, method, uri, *headers, body=b"", to=None, text=None):
        number = next(self._numbers)
        branch, call_id = f"z9hG4bKh{number}p{self.port}", f"h{number}-{self.port}@{self.host}"
        head = [
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport", "Max-Forwards: 68",
            f"Call-ID: {call_id}", f"CSeq: {number} {method}", *headers, f"Content-Length: {len(body)}", "", "",
        ]
        now = time.monotonic()
        transaction = Transaction(what, "\r\n".join(head).encode() + body, to or self.frontend, now, now)
        with self._changed:
            self._open[branch] = transaction
            if text is not None:
                self._texts[call_id] = text
        return transaction

    def _run(self):
        while not self._closing:
            self._repeat(time.monotonic())
            try:
                octets, peer = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            message = Message.parse("frontend", octets)
            if message.start_line.startswith("SIP/2.0 "):
                self._answered(message)
            else:
                self._take(message, peer)

    def _repeat(self, now):
        with self._changed:
            due = [(branch, one) for branch, one in self._open.items() if one.due <= now]
        for branch, one in due:
            if now - one.began > TIMER_F:
                self._end(branch, 408)
                continue
            self._socket.sendto(one.octets, one.to)
            one.due, one.pause = now + one.pause, min(2 * one.pause, T2)

    def _answered(self, message):
        status = int(message.start_line.split()[1])
        if status >= 200:
            self._end(re.search(r"branch=([^;,\s]+)", message.headers["via"][0]).group(1), status)

    def _end(self, branch, status):
        with self._changed:
            transaction = self._open.pop(branch, None)
            if transaction is not None:
                transaction.status = status
                self.finals.append((transaction.what, status))
                self._changed.notify_all()

    def _take(self, message, peer):
        """Answers a request, and a message for a handset with its RP-ACK."""
        copied = [f"{name}: {value}" for name in ("via", "from", "call-id", "cseq") for value in message.headers[name]]
        answer = ["SIP/2.0 200 OK", *copied, f"To: {message['To']};tag=h", "Content-Length: 0", "", ""]
        self._socket.sendto("\r\n".join(answer).encode(), peer)
        branch = (peer, re.search(r"branch=([^;,\s]+)", message.headers["via"][0]).group(1))
        if branch in self._taken:
            return
        self._taken.add(branch)
        kind, reference = message.body[0] & 7, message.body[1]
        if kind == RP_DATA:
            text = text_of(message.body)
            self.delivered.append((text, peer[0]))
            msisdn = re.match(r"MESSAGE sip:\+(\d+)@", message.start_line).group(1)
            self._message(f"report {text}", msisdn, bytes([2, reference]), self._reports_to(peer), f"In-Reply-To: {message['Call-ID']}")
            return
        text = self._texts.get(message["In-Reply-To"])
        if text is not None and kind == RP_ACK:
            self.accepted.append(text)
        elif text is not None and kind == RP_ERROR:
            self.refused.append((text, message.body[3] & 0x7F))


def text_of(rpdu):
    """The text of an SMS-DELIVER, in UCS-2 or the default alphabet (TS 24.011 §7.3.1.1, TS 23.040 §9.2.2.1)."""
    at = 2
    for _ in range(2):  # RP-OA, RP-DA
        at += 1 + rpdu[at]
    tpdu = rpdu[at + 1:]
    at = 3 + (tpdu[1] + 1) // 2  # TP-PID, behind TP-OA
    coding, length, data = tpdu[at + 1], tpdu[at + 9], tpdu[at + 10:]
    if coding == 8:
        return data[:length].decode("utf-16-be")
    septets = int.from_bytes(data, "little")
    return "".join(chr(septets >> 7 * k & 0x7F) for k in range(length))
