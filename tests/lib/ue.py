"""A handset for the suites with a whole S-CSCF: registers, takes MESSAGEs and sends an RP-ACK for each of them."""

import re
import socket
import threading

from harness import DOMAIN, free_port
from tap import Message


class Ue:
    """One contact of a subscriber. P-CSCF and authentication are left out: it speaks to the S-CSCF at `s_cscf` itself."""

    def __init__(self, msisdn, private_identity, s_cscf, *, smsip=True):
        self.impu = f"sip:+{msisdn}@{DOMAIN}"
        self._private_identity, self._s_cscf, self._smsip = private_identity, ("127.0.0.1", s_cscf), smsip
        self.port = free_port()
        self.imei = f"35-209900-{self.port:06}-0"
        self.contact = f"sip:{'volte' if smsip else 'app'}@127.0.0.1:{self.port}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        self._cseq = 0
        self._statuses = {}  # CSeq of a REGISTER -> its status
        self._answered = threading.Condition()
        self.taken = []  # every MESSAGE, in order, repeats left out
        threading.Thread(target=self._run, daemon=True).start()

    def register(self, expires):
        """Sends a REGISTER for this contact (0 removes it) and waits for the final answer: its status, None if none came."""
        self._cseq += 1
        cseq = self._cseq
        smsip = f';+g.3gpp.smsip;+sip.instance="<urn:gsma:imei:{self.imei}>"' if self._smsip else ""
        request = self._request(
            "REGISTER", f"sip:{DOMAIN}", f"r{cseq}", cseq, self.impu,
            f"Contact: <{self.contact}>{smsip}", f"Expires: {expires}", "Supported: path",
            f'Authorization: Digest username="{self._private_identity}", realm="{DOMAIN}", nonce="", uri="sip:{DOMAIN}", response=""',
            f'P-Visited-Network-ID: "{DOMAIN}"', "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010000001",
        )
        with self._answered:
            for wait in (0.5, 1, 2):
                self._socket.sendto(request, self._s_cscf)
                if self._answered.wait_for(lambda: cseq in self._statuses, wait):
                    return self._statuses[cseq]
        return None

    def close(self):
        self._socket.close()

    def _run(self):
        while True:
            try:
                message = Message.parse("network", self._socket.recv(65535))
            except OSError:
                return
            if message.start_line.startswith("SIP/2.0 "):
                status, (number, method) = int(message.start_line.split()[1]), message["CSeq"].split()
                if method == "REGISTER" and status >= 200:
                    with self._answered:
                        self._statuses[int(number)] = status
                        self._answered.notify_all()
            elif message.start_line.startswith("MESSAGE "):
                self._take(message)

    def _take(self, message):
        copied = [f"{name}: {value}" for name in ("via", "from", "call-id", "cseq") for value in message.headers[name]]
        answer = ["SIP/2.0 200 OK", *copied, f"To: {message['To']};tag={self.port}", "Content-Length: 0", "", ""]
        self._socket.sendto("\r\n".join(answer).encode(), self._s_cscf)
        if message["Call-ID"] in [taken["Call-ID"] for taken in self.taken]:
            return
        self.taken.append(message)
        asserted = re.search(r"<([^>]+)>", message["P-Asserted-Identity"]).group(1)
        rp_ack = bytes([2, message.body[1], 0x41, 2, 0, 0])
        self._socket.sendto(
            self._request("MESSAGE", asserted, f"report-{len(self.taken)}", 1, asserted,
                          f"In-Reply-To: {message['Call-ID']}", "Content-Type: application/vnd.3gpp.sms", body=rp_ack),
            self._s_cscf,
        )

    def _request(self, method, uri, call_id, cseq, to, *headers, body=b""):
        head = [
            f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{self.port}{call_id};rport",
            "Max-Forwards: 70", f"From: <{self.impu}>;tag={self.port}", f"To: <{to}>", f"Call-ID: {call_id}-{self.port}",
            f"CSeq: {cseq} {method}", *headers, f"Content-Length: {len(body)}", "", "",
        ]
        return "\r\n".join(head).encode() + body
