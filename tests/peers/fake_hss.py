"""A fake HSS: as much of Diameter (RFC 6733) and of Cx (TS 29.229) as an S-CSCF's registrar needs.

A mock stands here because no HSS is packaged in Debian, and what is tested is the S-CSCF on the other side of it.
It answers CER, DWR and DPR, and gives for each SAR the service profile of the subscriber it names: the implicit
registration set and the initial filter criteria (TS 29.228 annex B). `terminate` ends a registration from its side (RTR).
Authentication (MAR) is not asked of it.
"""

import socket
import struct
import threading
from xml.sax.saxutils import escape

REALM = "ims.mnc001.mcc001.3gppnetwork.org"
FQDN = f"hss.{REALM}"
CX, VENDOR_3GPP = 16777216, 10415

# Commands, and AVPs as (code, vendor).
CAPABILITIES_EXCHANGE, DEVICE_WATCHDOG, DISCONNECT_PEER, SERVER_ASSIGNMENT, REGISTRATION_TERMINATION = 257, 280, 282, 301, 304
SESSION_ID, ORIGIN_HOST, ORIGIN_REALM, RESULT_CODE = (263, 0), (264, 0), (296, 0), (268, 0)
HOST_IP_ADDRESS, VENDOR_ID, PRODUCT_NAME, AUTH_APPLICATION_ID = (257, 0), (266, 0), (269, 0), (258, 0)
DESTINATION_HOST, DESTINATION_REALM = (293, 0), (283, 0)
VENDOR_SPECIFIC_APPLICATION, SUPPORTED_VENDOR, AUTH_SESSION_STATE, USER_NAME = (260, 0), (265, 0), (277, 0), (1, 0)
PUBLIC_IDENTITY, USER_DATA, SERVER_ASSIGNMENT_TYPE = (601, VENDOR_3GPP), (606, VENDOR_3GPP), (614, VENDOR_3GPP)
DEREGISTRATION_REASON, REASON_CODE = (615, VENDOR_3GPP), (616, VENDOR_3GPP)
PERMANENT_TERMINATION = 0
SUCCESS, UNABLE_TO_COMPLY = 2001, 5012

_REQUEST, _PROXIABLE, _VENDOR, _MANDATORY = 0x80, 0x40, 0x80, 0x40


class FakeHss:
    """Listens on 127.0.0.1:`port`. `subscriptions` maps every public identity to its `Subscription`."""

    def __init__(self, port, subscriptions):
        self._by_identity = {identity: s for s in subscriptions for identity in s.identities}
        self._assignments = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def assignments(self):
        """The SARs so far: (public identity, Server-Assignment-Type), in order."""
        return list(self._assignments)

    def terminate(self, identity, s_cscf):
        """Ends the registration of a public identity at the S-CSCF of this Diameter identity (TS 29.228 §6.1.3)."""
        request = [
            (SESSION_ID, f"{FQDN};1;1"), (VENDOR_SPECIFIC_APPLICATION, cx()), (AUTH_SESSION_STATE, 1), (ORIGIN_HOST, FQDN),
            (ORIGIN_REALM, REALM), (DESTINATION_HOST, s_cscf), (DESTINATION_REALM, REALM),
            (USER_NAME, self._by_identity[identity].private_identity), (PUBLIC_IDENTITY, identity),
            (DEREGISTRATION_REASON, encode([(REASON_CODE, PERMANENT_TERMINATION)])),
        ]
        head = bytes([1, 0, 0, 0, _REQUEST | _PROXIABLE]) + REGISTRATION_TERMINATION.to_bytes(3) + struct.pack("!III", CX, 1, 1)
        self._connections[-1].sendall(message(head, head[4], request))

    def close(self):
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while head := stream.read(20):
                length = int.from_bytes(head[1:4])
                avps = decode(stream.read(length - 20))
                flags, code = head[4], int.from_bytes(head[5:8])
                if flags & _REQUEST:
                    connection.sendall(answer(head, self._answers(code, avps)))
        except OSError:
            return

    def _answers(self, code, avps):
        own = [(ORIGIN_HOST, FQDN), (ORIGIN_REALM, REALM)]
        if code == CAPABILITIES_EXCHANGE:
            address = struct.pack("!H4s", 1, socket.inet_aton("127.0.0.1"))
            return [(RESULT_CODE, SUCCESS), *own, (HOST_IP_ADDRESS, address), (VENDOR_ID, VENDOR_3GPP),
                    (PRODUCT_NAME, "fake HSS"), (SUPPORTED_VENDOR, VENDOR_3GPP), (VENDOR_SPECIFIC_APPLICATION, cx())]
        if code in (DEVICE_WATCHDOG, DISCONNECT_PEER):
            return [(RESULT_CODE, SUCCESS), *own]
        session = [(SESSION_ID, avps[SESSION_ID]), (VENDOR_SPECIFIC_APPLICATION, cx())]
        tail = [(AUTH_SESSION_STATE, 1), *own]
        subscription = self._by_identity.get(avps.get(PUBLIC_IDENTITY, b"").decode())
        if code != SERVER_ASSIGNMENT or subscription is None:
            return [*session, (RESULT_CODE, UNABLE_TO_COMPLY), *tail]
        kind = int.from_bytes(avps[SERVER_ASSIGNMENT_TYPE])
        self._assignments.append((avps[PUBLIC_IDENTITY].decode(), kind))
        return [*session, (RESULT_CODE, SUCCESS), *tail, (USER_NAME, subscription.private_identity),
                (USER_DATA, subscription.user_data())]


class Subscription:
    """A subscriber: private identity, the implicit registration set (a leading `!` bars an identity) and the application
    server that gets a third-party REGISTER with this service information, and every MESSAGE the subscriber sends."""

    def __init__(self, private_identity, identities, application_server, service_information):
        self.private_identity, self._identities = private_identity, identities
        self._application_server, self._service_information = application_server, service_information
        self.identities = [identity.lstrip("!") for identity in identities]

    def user_data(self):
        """The Cx user profile (TS 29.228 annex B)."""
        identities = "".join(
            "<PublicIdentity>" + ("<BarringIndication>1</BarringIndication>" if identity[0] == "!" else "")
            + f"<Identity>{escape(identity.lstrip('!'))}</Identity></PublicIdentity>"
            for identity in self._identities
        )
        register = "<Method>REGISTER</Method>"
        originating = "<Method>MESSAGE</Method>", "<SessionCase>0</SessionCase>"
        return (
            '<?xml version="1.0" encoding="UTF-8"?><IMSSubscription>'
            f"<PrivateID>{escape(self.private_identity)}</PrivateID><ServiceProfile>{identities}"
            f"{self._criterion(0, register)}{self._criterion(1, *originating)}</ServiceProfile></IMSSubscription>"
        )

    def _criterion(self, priority, *triggers):
        """An initial filter criterion in conjunctive normal form: each trigger is a group of its own."""
        points = "".join(
            f"<SPT><ConditionNegated>0</ConditionNegated><Group>{group}</Group>{trigger}</SPT>"
            for group, trigger in enumerate(triggers)
        )
        return (
            f"<InitialFilterCriteria><Priority>{priority}</Priority>"
            f"<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>{points}</TriggerPoint>"
            f"<ApplicationServer><ServerName>{escape(self._application_server)}</ServerName>"
            "<DefaultHandling>0</DefaultHandling>"
            f"<ServiceInformation>{escape(self._service_information)}</ServiceInformation></ApplicationServer>"
            "</InitialFilterCriteria>"
        )


def cx():
    """Vendor-Specific-Application-Id of Cx."""
    return encode([(VENDOR_ID, VENDOR_3GPP), (AUTH_APPLICATION_ID, CX)])


def answer(request_head, avps):
    """An answer to a request with this 20-octet header (RFC 6733 §3)."""
    return message(request_head, request_head[4] & _PROXIABLE, avps)


def message(head, flags, avps):
    """A message with these flags and what else the header says."""
    body = encode(avps)
    return b"\x01" + (20 + len(body)).to_bytes(3) + bytes([flags]) + head[5:20] + body


def encode(avps):
    """AVPs of numbers (Unsigned32), text and octets (RFC 6733 §4.1)."""
    out = b""
    for (code, vendor), value in avps:
        data = value.to_bytes(4) if isinstance(value, int) else value.encode() if isinstance(value, str) else value
        head = 12 if vendor else 8
        flags = _MANDATORY | (_VENDOR if vendor else 0)
        out += struct.pack("!IB", code, flags) + (head + len(data)).to_bytes(3)
        out += vendor.to_bytes(4) if vendor else b""
        out += data + bytes(-len(data) % 4)
    return out


def decode(octets):
    """The first value of each AVP, as octets."""
    avps = {}
    while octets:
        code, flags, length = int.from_bytes(octets[:4]), octets[4], int.from_bytes(octets[5:8])
        vendor, head = (int.from_bytes(octets[8:12]), 12) if flags & _VENDOR else (0, 8)
        avps.setdefault((code, vendor), octets[head:length])
        octets = octets[length + -length % 4:]
    return avps
