"""The reg event package against a real S-CSCF: Kamailio's IMS registrar, with third-party REGISTER by filter criterion."""

import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import unquote

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lib", "peers")]
from fake_hss import REALM, FakeHss, Subscription
from harness import ALICE, DOMAIN, LOCATION, ROOT, Case, FakeBackend, Frontend, free_port, main, udp_bound
from hep import Collector
from ue import Ue

PRIVATE = f"001010000000111@{DOMAIN}"
SIP, TEL, BARRED = f"sip:+{ALICE}@{DOMAIN}", f"tel:+{ALICE}", f"sip:{PRIVATE}"


class Core(Case):
    """A core of Kamailio and a fake HSS in which ALICE is provisioned, and a frontend on a fake backend."""

    subscription_max = 7200

    def setUp(self):
        super().setUp()
        self.s_cscf, self.diameter = free_port(), free_port(captured=False)
        hep, hss = free_port(captured=False), free_port(captured=False)
        self.backend = FakeBackend(self)
        self.capture = self.keep(Collector(hep))
        self.frontend = Frontend(
            self, self.backend.url, s_cscf=self.s_cscf,
            more=f"reg_event: {{enabled: true, identity: presentity}}\nlog: {{level: 'info,smsc_frontend=debug'}}\n",
        )
        alice = Subscription(PRIVATE, [SIP, TEL, f"!{BARRED}"], f"sip:127.0.0.1:{self.frontend.sip}", ALICE)
        self.hss = self.keep(FakeHss(hss, [alice]))
        self.cdp = self.dir / "cdp.xml"
        self.cdp.write_text(
            f'<DiameterPeer FQDN="scscf.{REALM}" Realm="{REALM}" Vendor_Id="10415" Product_Name="S-CSCF" AcceptUnknownPeers="0"'
            ' DropUnknownOnDisconnect="1" Tc="1" Workers="2" QueueLength="32" TransactionTimeout="5" SessionsHashSize="128"'
            ' DefaultAuthSessionTimeout="3600" MaxAuthSessionTimeout="3600">'
            f'<Peer FQDN="127.0.0.1" Realm="{REALM}" port="{hss}"/><Acceptor port="{self.diameter}" bind="127.0.0.1"/>'
            '<Auth id="16777216" vendor="10415"/><SupportedVendor vendor="10415"/>'
            '<DefaultRoute FQDN="127.0.0.1" metric="10"/></DiameterPeer>'
        )
        self.defined = {
            "SCSCF": self.s_cscf, "FRONTEND": self.frontend.sip, "SUBSCRIPTION_MAX": self.subscription_max,
            "SCSCF_URI": f'"sip:127.0.0.1:{self.s_cscf}"', "MY_URI": f'"127.0.0.1:{self.s_cscf}"',
            "HEP_URI": f'"sip:127.0.0.1:{hep}"', "CDP_FILE": f'"{self.cdp}"', "DOMAIN": f'"{DOMAIN}"',
        }
        self.start_kamailio()

    def start_kamailio(self):
        defines = [part for name, value in self.defined.items() for part in ("-A", f"{name}={value}")]
        self.kamailio = self.start(
            "kamailio",
            ["kamailio", "-DD", "-E", "-f", ROOT / "tests/peers/kamailio/scscf_ims.cfg", "-Y", self.dir, "-w", self.dir,
             "-P", self.dir / "kamailio.pid", *defines],
            death=signal.SIGTERM, patience=10,
        )
        self.eventually("Kamailio listens", lambda: udp_bound(self.s_cscf))
        self.eventually("Kamailio is connected to the HSS", self.connected, seconds=20)

    def connected(self):
        """Whether Kamailio says that its HSS is there."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            asking.connect(("127.0.0.1", self.s_cscf))
            head = [
                f"OPTIONS sip:{DOMAIN} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{asking.getsockname()[1]};branch=z9hG4bK{time.monotonic_ns()}",
                "Max-Forwards: 70", "From: <sip:test@127.0.0.1>;tag=1", f"To: <sip:{DOMAIN}>", f"Call-ID: {time.monotonic_ns()}",
                "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
            ]
            asking.send("\r\n".join(head).encode())
            try:
                return asking.recv(65535).startswith(b"SIP/2.0 200 ")
            except OSError:
                return False

    def handset(self, **options):
        return self.keep(Ue(ALICE, PRIVATE, self.s_cscf, **options))

    def locations(self):
        """What the backend holds: public identity -> location."""
        held = self.backend.state()["locations"]
        return {identity: {key: held[identity][key] for key in held[identity] if key != "until"} for identity in held}

    def contacts(self):
        return {identity: location.get("contact") for identity, location in self.locations().items()}

    def capable(self):
        return {identity: location["ims_capable"] for identity, location in self.locations().items()}

    def removed(self):
        """The identities whose location the frontend has deleted."""
        deleted = self.backend.requests("delete_location")
        return {unquote(request["path"].rsplit("/", 1)[1]) for request in deleted}

    def subscribes(self):
        return self.capture.messages("SUBSCRIBE ", source=self.frontend.sip)

    def notifies(self):
        return self.capture.messages("NOTIFY ", destination=self.frontend.sip)

    def dialogs(self):
        """The Call-IDs of SUBSCRIBEs, in the order of their first use."""
        return list(dict.fromkeys(subscribe["Call-ID"] for subscribe in self.subscribes()))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and hasattr(self, "capture"):
            print(f"---- {self.id()}: what Kamailio received and sent ----\n{self.capture.shown()}")
        return result


class ImplicitRegistrationSet(Core):
    def test_every_identity_of_the_set_is_told_and_reached(self):
        phone = self.handset()
        self.assertEqual(200, phone.register(600))
        self.eventually("both locations", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})

        self.assertEqual([(SIP, 1)], self.hss.assignments(), "the HSS assigned the S-CSCF")
        [third_party] = self.capture.messages("REGISTER ", destination=self.frontend.sip)
        locations = self.locations()
        expires = {identity: location.pop("expires") for identity, location in locations.items()}
        self.assertTrue(all(590 <= seconds <= 600 for seconds in expires.values()), expires)
        common = {
            "msisdn": ALICE, "location": LOCATION, "ims_capable": True, "contact": phone.contact, "imei": phone.imei,
            "s_cscf": f"sip:127.0.0.1:{self.s_cscf}", "visited_network": DOMAIN, "event": "registered",
            "access_network_info": "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010000001",
        }
        registered = {"call_id": third_party["Call-ID"], "cseq": int(third_party["CSeq"].split()[0])}
        self.assertEqual({SIP: {**common, "impu": SIP, **registered}, TEL: {**common, "impu": TEL}}, locations)
        self.assertNotIn(BARRED, self.notifies()[0].body.decode(), "Kamailio tells of identities that are not barred")

        for impu in (SIP, TEL):
            self.backend.enqueue(
                destination_msisdn=ALICE, impu=impu, source_msisdn="447700900999", message_body="hello", encoding="gsm7",
                scts="2026-11-21T10:00:00Z",
            )
        reports = self.eventually("two reports", lambda: (found := self.backend.bodies("process_message"))[1:] and found)
        self.assertEqual(["delivered"] * 2, [report["status"] for report in reports])
        self.assertEqual({f"<{SIP}>", f"<{TEL}>"}, {message["To"] for message in phone.taken})
        self.assertEqual([], self.backend.state()["violations"])

    def test_an_application_servers_own_identity_is_refused_by_kamailio(self):
        # It wants the presentity, another of the set, or what is in the Path; TS 24.229 §5.4.2.1.1 wants the server's own.
        self.frontend.process.stop()
        self.frontend.rewrite(self.frontend.config.read_text().replace("identity: presentity", "identity: own"))
        self.frontend.run()
        phone = self.handset()
        self.assertEqual(200, phone.register(600))
        self.eventually("the refusal", lambda: self.capture.messages("SIP/2.0 403", destination=self.frontend.sip))
        self.eventually("the third-party REGISTER is believed", lambda: [SIP] == list(self.locations()))
        refused = 'smsc_reg_event_failures_total{reason="refused",status="403"} 1'
        self.eventually("the failure is counted", lambda: refused in self.frontend.metrics())


class Contacts(Core):
    def test_a_contact_that_does_sms_over_ip_is_told_from_one_that_does_not(self):
        app, phone = self.handset(smsip=False), self.handset()
        self.assertEqual(200, app.register(600))
        self.eventually("the application", lambda: self.contacts() == {SIP: app.contact, TEL: app.contact})
        self.assertEqual({SIP: False, TEL: False}, self.capable())

        # Kamailio does not tell of a contact that comes, nor after a refresh: the frontend asks until it knows.
        self.assertEqual(200, phone.register(600))
        self.eventually("the phone", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact}, seconds=20)
        self.assertEqual({SIP: True, TEL: True}, self.capable())

        self.assertEqual(200, phone.register(0))
        self.eventually("no location", lambda: not self.locations())
        self.assertIn(app.contact, self.notifies()[-1].body.decode(), "though the application is registered")
        self.assertEqual({SIP, TEL}, self.removed())

    def test_a_location_stays_while_one_contact_is_left_that_does_sms_over_ip(self):
        phone, tablet = self.handset(), self.handset()
        for one in (phone, tablet):
            self.assertEqual(200, one.register(600))
            self.eventually("its location", lambda: self.contacts() == {SIP: one.contact, TEL: one.contact}, seconds=20)
        # The third-party REGISTER says Expires: 0 whenever one of several contacts goes.
        told = len(self.notifies())
        self.assertEqual(200, tablet.register(0))
        self.eventually("the phone again", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.assertGreater(len(self.notifies()), told)
        self.assertEqual(set(), self.removed())

        self.assertEqual(200, phone.register(0))
        self.eventually("no location", lambda: not self.locations())
        self.assertEqual({SIP, TEL}, self.removed())

    def test_a_contact_that_runs_out_takes_its_location_with_it(self):
        phone = self.handset()
        self.assertEqual(200, phone.register(3))
        self.eventually("its location", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.eventually("no location", lambda: not self.locations(), seconds=15)
        self.assertEqual({SIP, TEL}, self.removed())


class Termination(Core):
    def test_a_registration_that_the_hss_ends_takes_its_locations_with_it(self):
        phone = self.handset()
        self.assertEqual(200, phone.register(600))
        self.eventually("its locations", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.hss.terminate(SIP, f"scscf.{REALM}")
        self.eventually("no location", lambda: not self.locations())

        # Kamailio sends the third-party REGISTER before it saves the contact, so what it tells first is that nobody is there.
        self.assertEqual(200, phone.register(600))
        self.eventually("its locations again", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact}, seconds=20)
        self.assertGreater(len(self.dialogs()), 1)
        self.assertEqual({SIP, TEL}, set(self.locations()))


class FrontendRestart(Core):
    """What a frontend knew is gone with it; Kamailio goes on telling the old dialog."""

    def restart_frontend(self):
        self.frontend.process.kill()
        self.frontend.run()

    def test_a_notify_of_the_old_dialog_is_refused_and_the_next_register_begins_anew(self):
        app, phone = self.handset(smsip=False), self.handset()
        self.assertEqual(200, phone.register(600))
        self.assertEqual(200, app.register(12))
        self.eventually("its locations", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.restart_frontend()
        # Nothing but a NOTIFY tells that a contact has run out.
        self.eventually("481", lambda: self.capture.messages("SIP/2.0 481 ", source=self.frontend.sip), seconds=20)
        dialogs = len(self.dialogs())
        self.assertEqual(200, phone.register(600))
        self.eventually("a new dialog", lambda: len(self.dialogs()) == dialogs + 1)
        self.eventually("its NOTIFY", lambda: self.notifies()[-1]["Call-ID"] == self.dialogs()[-1])
        self.assertEqual(200, phone.register(0))
        self.eventually("no location", lambda: not self.locations())

    def test_a_contact_that_goes_does_not_take_the_location_of_another_with_it(self):
        app, phone = self.handset(smsip=False), self.handset()
        self.assertEqual(200, phone.register(600))
        self.assertEqual(200, app.register(600))
        self.eventually("its locations", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.restart_frontend()
        dialogs = len(self.dialogs())
        self.assertEqual(200, app.register(0))
        self.eventually("the S-CSCF is asked", lambda: len(self.dialogs()) == dialogs + 1)
        self.eventually("its NOTIFY", lambda: self.notifies()[-1]["Call-ID"] == self.dialogs()[-1])
        self.assertEqual(set(), self.removed())
        self.assertEqual(200, phone.register(0))
        self.eventually("no location", lambda: not self.locations())
        self.assertEqual({SIP, TEL}, self.removed())


class Subscriptions(Core):
    subscription_max = 4

    def test_a_subscription_is_refreshed_in_its_dialog(self):
        self.assertEqual(200, self.handset().register(600))
        subscribes = self.eventually("two refreshes", lambda: (found := self.subscribes())[2:] and found)
        self.assertEqual(1, len(self.dialogs()))
        self.assertEqual(["1 SUBSCRIBE", "2 SUBSCRIBE", "3 SUBSCRIBE"], [one["CSeq"] for one in subscribes[:3]])
        self.assertEqual([False, True, True], ["tag=" in one["To"] for one in subscribes[:3]])
        accepted = self.eventually(
            "every one is accepted",
            lambda: (found := self.capture.messages("SIP/2.0 200 Subscription", destination=self.frontend.sip))[2:] and found,
        )
        self.assertEqual({"4"}, {answer["Expires"] for answer in accepted})

    def test_after_a_restart_of_the_s_cscf_the_next_refresh_begins_anew(self):
        phone = self.handset()
        self.assertEqual(200, phone.register(600))
        self.eventually("its location", lambda: self.contacts() == {SIP: phone.contact, TEL: phone.contact})
        self.kamailio.stop()
        self.start_kamailio()
        self.assertEqual(200, phone.register(600))
        told = len(self.notifies())
        self.eventually("a new dialog", lambda: len(self.dialogs()) == 2, seconds=20)
        self.eventually("a NOTIFY in it", lambda: len(self.notifies()) > told)
        self.assertEqual({SIP, TEL}, set(self.locations()))
        # Kamailio's own configuration answers 500, not 481, to the refresh of a dialog it does not know.
        self.assertTrue(self.capture.messages("SIP/2.0 500 ", destination=self.frontend.sip))


if __name__ == "__main__":
    main()
