"""SIP over TLS with real peers: Kamailio in mutual TLS, OpenSSL at the other end, certificates that do and do not fit.

And IPv6: every way of a message over UDP, TCP and TLS.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from certificates import Authority, Files, Secret, openssl, serial
from dns import WithDns, a, dns_section
from harness import ALICE, BOB, DOMAIN, LOCATION, ROOT, Case, FakeBackend, Frontend, Sipp, binary, free_port, main, udp_bound
from peer import Peer
from tap import Tap

S_CSCF = f"scscf.{DOMAIN}"
# Whom to trust is not told by address here: nobody has that one.
STRANGERS = "trusted_peers: [192.0.2.1]\n"


class WithCertificates(WithDns):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.dir)
        self.ours = self.authority.issue("smsc", f"DNS:{LOCATION}", "IP:127.0.0.1", "IP:::1")
        self.secret = Secret(self.dir / "secret", self.ours)
        self.s_cscf = self.authority.issue("scscf", f"URI:sip:{S_CSCF}", "DNS:node7.example.org")
        self.sips = free_port()

    def serve(self, backend=None, *, next_hop=None, more="", **tls):
        """The frontend with a TLS listener; nobody is trusted for an address."""
        self.backend = FakeBackend(self) if backend is None else None
        if next_hop:
            more += f"s_cscf_sip_uri: {next_hop}\n"
        more += STRANGERS + self.secret.section(**tls) + "advertise: {address: 127.0.0.1}\n"
        self.frontend = Frontend(
            self, backend or self.backend.url, trusted=False, also_listen=[f"tls:127.0.0.1:{self.sips}"], more=more,
        )

    def peer(self, files, **options):
        """A peer with this certificate, connected."""
        return self.keep(Peer("tls", files=files, **options).connect(self.sips, server_name=LOCATION))

    def enqueue(self):
        self.backend.enqueue(
            source_msisdn=ALICE, source_ton=1, source_npi=1, destination_msisdn=BOB, ims_capable=True,
            message_body="hello", encoding="gsm7", sc_address="+447700900999",
        )

    def dropped(self, reason):
        lines = self.frontend.metrics().splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith("smsc_sip_dropped_total{") and f'"{reason}"' in line)


class KamailioInMutualTls(WithCertificates):
    def setUp(self):
        super().setUp()
        self.core, self.core_tls = free_port(), free_port()
        self.serve(
            "embedded", next_hop=f"sip:{S_CSCF}:{self.core_tls};transport=tls",
            more=dns_section(self.zone(a("scscf"))) + f"store: {{path: {self.dir}/store.db}}\n",
        )
        config = self.dir / "tls.cfg"
        keys = f"method = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nprivate_key = {self.s_cscf.key}\n" \
               f"certificate = {self.s_cscf.cert}\nca_list = {self.s_cscf.ca}\n"
        config.write_text(f"[server:default]\n{keys}[client:default]\n{keys}")
        self.start(
            "kamailio",
            ["kamailio", "-DD", "-E", "-f", ROOT / "tests/peers/kamailio/scscf.cfg", "-Y", self.dir, "-w", self.dir,
             "-P", self.dir / "kamailio.pid", "-A", f"SCSCF={self.core}", "-A", f"FRONTEND={self.sips}",
             "-A", f"SCSCF_TLS={self.core_tls}", "-A", f'TLS_CFG="{config}"'],
            death=signal.SIGTERM,
        )
        self.eventually("Kamailio listens", lambda: udp_bound(self.core))

    def handset(self, msisdn, *, calls):
        """A registered handset behind a tap: (tap, the SIPp that answers for it)."""
        reached_at, listening = free_port(), free_port()
        tap = self.keep(Tap(reached_at, listening))
        answering = Sipp(self, "handset", port=listening, calls=calls, msisdn=msisdn)
        Sipp(self, "ue_register", port=free_port(), remote=self.core, msisdn=msisdn, contact_port=reached_at, expires=600).finish()
        return tap, answering

    def test_messages_and_reports_cross_it_both_ways(self):
        alice, alice_answers = self.handset(ALICE, calls=2)
        bob, bob_answers = self.handset(BOB, calls=1)
        Sipp(self, "mo", port=free_port(), remote=self.core, msisdn=ALICE, call_id="mo-%u-%p").finish()
        bob_answers.finish()
        alice_answers.finish()

        [deliver] = bob.messages("frontend", "MESSAGE")
        self.assertEqual(bytes.fromhex("08e8329bfd066dca"), deliver.body[-8:], "the text, septet by septet")
        [of_frontend] = [via for via in deliver.headers["via"] if "/TLS" in via]
        self.assertRegex(of_frontend, f"^SIP/2.0/TLS 127.0.0.1:{self.sips};")
        report, status = alice.messages("frontend", "MESSAGE")
        self.assertEqual(b"\x03\x2a", report.body[:2], "RP-ACK to the submission")
        self.assertEqual(0x00, status.body[-1], "TP-ST of the status report: received")
        self.assertEqual(0, self.dropped("tls_certificate"))


class WhoMayConnect(WithCertificates):
    def test_a_peer_is_believed_for_the_name_in_its_certificate_and_not_for_another(self):
        self.serve(next_hop=f"sip:{S_CSCF}:{free_port()};transport=tls", more=dns_section(self.zone(a("scscf"))))
        self.assertEqual(200, self.peer(self.s_cscf).ask("OPTIONS"))
        self.assertEqual(202, self.peer(self.s_cscf).submit())
        by_dns_name = self.authority.issue("other", f"URI:sip:other.{DOMAIN}", f"DNS:{S_CSCF}")
        self.assertEqual(403, self.peer(by_dns_name).ask("OPTIONS"), "a URI outweighs a DNS name")
        wildcard = self.authority.issue("wildcard", f"DNS:*.{DOMAIN}")
        self.assertEqual(403, self.peer(wildcard).ask("OPTIONS"))

    def test_wrong_expired_and_missing_certificates_are_refused_and_counted_and_others_pass_meanwhile(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        standing = self.peer(self.s_cscf)
        stranger = Authority(self.dir, "stranger").issue("scscf", f"URI:sip:{S_CSCF}")
        expired = self.authority.issue("expired", f"URI:sip:{S_CSCF}", dates="expired")
        for refused, (files, alert) in enumerate([
            (Files(stranger.cert, stranger.key, self.authority.cert), "unknown ca"),
            (expired, "certificate expired"),
            (None, "certificate required"),
        ]):
            self.assertIn(alert, self.s_client(files), files)
            self.assertEqual(refused + 1, self.dropped("tls_certificate"))
            self.assertEqual(200, standing.ask("OPTIONS"))

    def s_client(self, files):
        """What openssl s_client says at its end: it waits for an answer, which only comes once it is let in."""
        own = ["-cert", files.cert, "-key", files.key] if files else []
        try:
            return openssl("s_client", "-connect", f"127.0.0.1:{self.sips}", "-CAfile", self.authority.cert, *own, "-ign_eof", "-quiet")
        except RuntimeError as error:
            return str(error)

    def test_where_no_certificate_is_asked_for_the_address_decides(self):
        self.serve(verify_peers="none")
        self.assertEqual(403, self.peer(self.s_cscf).ask("OPTIONS"))


class WhoIsSpokenTo(WithCertificates):
    def send_to(self, *names):
        """One MT message for a core whose certificate has these names; what became of it, and what the core got."""
        core = self.keep(Peer("tls", files=self.authority.issue("core", *names), msisdn=BOB))
        self.serve(next_hop=f"sips:{S_CSCF}:{core.port}", more=dns_section(self.zone(a("scscf"))))
        core.connect(self.sips, server_name=LOCATION)
        self.enqueue()
        [outcome] = self.eventually("outcome", lambda: self.backend.bodies("process_message"))
        return outcome, core.requests

    def test_a_core_is_spoken_to_if_its_certificate_names_the_host_of_the_uri(self):
        outcome, requests = self.send_to(f"URI:sip:{S_CSCF}")
        self.assertEqual("delivered", outcome["status"])
        [deliver] = requests
        self.assertRegex(deliver["Via"], f"^SIP/2.0/TLS 127.0.0.1:{self.sips};branch=[^;]+;alias$")

    def test_a_core_with_another_name_gets_nothing(self):
        outcome, requests = self.send_to("DNS:node7.example.org")
        self.assertEqual(("failed", []), (outcome["status"], requests))
        self.assertRegex(outcome["detail"], "nothing was sent")
        self.assertIn("not valid for name", self.frontend.process.output())

    def options(self, *names):
        """What `check --core` learns of a core whose certificate has these names."""
        core = self.keep(Peer("tls", files=self.authority.issue("core", *names)))
        file = self.dir / "check.yaml"
        file.write_text(
            f"api_base_url: embedded\nlocation: {LOCATION}\nims_domain: {DOMAIN}\ns_cscf_sip_uri: sips:{S_CSCF}:{core.port}\n"
            + dns_section(self.zone(a("scscf"))) + self.secret.section()
        )
        command = [binary("smsc-frontend"), "check", "--core", "--json", "--config", str(file)]
        said = subprocess.run(command, capture_output=True, text=True, cwd=self.dir, timeout=60).stdout
        [found] = [finding for finding in json.loads(said)["core"] if finding["check"] == "OPTIONS over TLS"]
        return found["verdict"], found["detail"]

    def test_check_asks_the_core_over_tls_and_says_what_is_wrong_with_its_certificate(self):
        self.assertEqual("ok", self.options(f"URI:sip:{S_CSCF}")[0])
        verdict, detail = self.options("DNS:node7.example.org")
        self.assertEqual("failed", verdict)
        self.assertRegex(detail, f'not valid for name "{S_CSCF}".* node7.example.org')

    def test_naptr_and_srv_lead_to_tls_for_the_domain_itself(self):
        core = self.keep(Peer("tls", files=self.authority.issue("core", f"URI:sip:{DOMAIN}"), msisdn=BOB))
        records = [
            f"naptr-record={DOMAIN},10,50,s,SIPS+D2T,,_sips._tcp.{DOMAIN}", f"naptr-record={DOMAIN},20,50,s,SIP+D2U,,_sip._udp.{DOMAIN}",
            f"srv-host=_sips._tcp.{DOMAIN},node7.{DOMAIN},{core.port},1,1", f"srv-host=_sip._udp.{DOMAIN},node7.{DOMAIN},{free_port()},1,1",
        ]
        self.serve(more=dns_section(self.zone(*records, a("node7"))))
        core.connect(self.sips, server_name=LOCATION)
        self.enqueue()
        [outcome] = self.eventually("outcome", lambda: self.backend.bodies("process_message"))
        self.assertEqual(("delivered", 1), (outcome["status"], len(core.requests)))


class Connections(WithCertificates):
    def deliver(self, files, via):
        """An S-CSCF that connects and then takes no connections: what becomes of an MT message for it."""
        core = Peer("tls", files=files, msisdn=BOB)
        self.serve(next_hop=f"sip:{S_CSCF}:{core.port};transport=tls", more=dns_section(self.zone(a("scscf"))), trusted_names=f"[{S_CSCF}, other.example.org]")
        core.stop_listening()
        self.keep(core).connect(self.sips, server_name=LOCATION)
        self.assertEqual(200, core.ask("OPTIONS", via=via))
        self.enqueue()
        [outcome] = self.eventually("outcome", lambda: self.backend.bodies("process_message"))
        return outcome["status"]

    def test_a_connection_that_its_holder_offers_is_used_for_requests_to_him(self):
        self.assertEqual("delivered", self.deliver(self.s_cscf, ";alias"))

    def test_a_connection_that_was_not_offered_is_not(self):
        self.assertEqual("failed", self.deliver(self.s_cscf, ""))

    def test_what_goes_back_to_a_peer_does_not_go_to_another_who_offers_to_stand_for_his_address(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        s_cscf = self.peer(self.s_cscf)
        other = self.peer(self.authority.issue("other", "DNS:other.example.org"))
        other.port = s_cscf._connection.getsockname()[1]
        self.assertEqual(403, other.ask("OPTIONS", via=";alias"))
        self.assertEqual(202, s_cscf.submit())
        self.eventually("RP-ACK", lambda: s_cscf.requests or other.requests)
        self.assertEqual((1, 0), (len(s_cscf.requests), len(other.requests)))

    def test_a_connection_that_another_offers_is_not(self):
        self.assertEqual("failed", self.deliver(self.authority.issue("other", "DNS:other.example.org"), ";alias"))

    def test_pings_are_answered_over_tls_and_tcp(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        over_tls = self.peer(self.s_cscf)
        over_tcp = self.keep(Peer("tcp").connect(self.frontend.sip))
        for peer in (over_tls, over_tcp):
            self.assertEqual(b"\r\n", peer.ping(), peer.transport)
        self.assertEqual(200, over_tls.ask("OPTIONS"))

    def test_a_silent_connection_is_closed(self):
        self.serve(trusted_names=f"[{S_CSCF}]", more="timers: {tcp_idle: 10s}\n")
        silent = self.peer(self.s_cscf)
        self.assertEqual(200, silent.ask("OPTIONS"))
        self.eventually("the end of a silent connection", lambda: silent.gone, seconds=15)


class Reload(WithCertificates):
    def shown(self):
        """The serial number that a new connection is shown."""
        said = openssl("s_client", "-connect", f"127.0.0.1:{self.sips}", "-CAfile", self.authority.cert,
                       "-cert", self.s_cscf.cert, "-key", self.s_cscf.key, given="Q\n")
        file = self.dir / "shown.crt"
        file.write_text(said)
        return serial(file)

    def test_new_files_are_shown_to_new_connections_and_the_old_ones_go_on(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        standing = self.peer(self.s_cscf)
        self.assertEqual((200, serial(self.ours.cert)), (standing.ask("OPTIONS"), self.shown()))

        new = self.authority.issue("renewed", f"DNS:{LOCATION}")
        self.secret.put(new)
        self.eventually("the new certificate", lambda: self.frontend.status()["certificate"]["serial"] == serial(new.cert))
        self.assertEqual(serial(new.cert), self.shown())
        self.assertEqual((200, False), (standing.ask("OPTIONS"), standing.gone))

        self.secret.put(Files(new.cert, self.ours.key, new.ca))
        refused = self.eventually("refusal", lambda: self.frontend.status().get("refused"))
        self.assertRegex(refused, "^sip.tls.key_file: .*tls.key: is not the key of the certificate in ")
        self.assertEqual((serial(new.cert), 200), (self.shown(), standing.ask("OPTIONS")))
        self.assertIn("smsc_config_reloads_refused_total 1", self.frontend.metrics())

    def test_a_new_authority_lets_its_peers_in_and_those_of_the_old_no_more(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        standing = self.peer(self.s_cscf)
        self.assertEqual(200, standing.ask("OPTIONS"))
        other = Authority(self.dir, "other")
        theirs = other.issue("scscf", f"URI:sip:{S_CSCF}")
        self.secret.put(Files(self.ours.cert, self.ours.key, other.cert))
        newcomer = Files(theirs.cert, theirs.key, self.authority.cert)
        self.eventually("the new authority", lambda: self.peer(newcomer).ask("OPTIONS") == 200)
        self.assertIsNone(self.peer(self.s_cscf).ask("OPTIONS"))
        self.assertEqual((403, False), (standing.ask("OPTIONS"), standing.gone), "trusted on the word of the old one")

    def test_a_file_that_comes_after_the_configuration_that_names_it_is_put_in_force(self):
        self.serve(trusted_names=f"[{S_CSCF}]")
        late = self.dir / "late.crt"
        known = self.frontend.config.read_text()
        self.frontend.rewrite(known.replace(str(self.secret.dir / "ca.crt"), str(late)))
        refused = self.eventually("refusal", lambda: self.frontend.status().get("refused"))
        self.assertRegex(refused, "^sip.tls.ca_file: .*late.crt: No such file")

        other = Authority(self.dir, "other")
        theirs = other.issue("scscf", f"URI:sip:{S_CSCF}")
        late.write_text(other.cert.read_text())
        self.eventually("the file", lambda: not self.frontend.status().get("refused"))
        self.assertEqual(200, self.peer(Files(theirs.cert, theirs.key, self.authority.cert)).ask("OPTIONS"))
        self.assertIn("smsc_config_reloads_refused_total 1", self.frontend.metrics())


class OverIpv6(Case):
    def every_way(self, transport):
        authority = Authority(self.dir)
        secret = Secret(self.dir / "secret", authority.issue("smsc", "IP:::1"))
        peer = self.keep(Peer(transport, host="::1", files=authority.issue("scscf", "IP:::1")))
        backend, port = FakeBackend(self), free_port()
        Frontend(
            self, backend.url, trusted=False, listen=[f"{transport}:[::1]:{port}"],
            more=f"trusted_peers: ['::1']\ns_cscf_sip_uri: {peer.uri()}\nreg_event: {{enabled: true}}\n" + secret.section(),
        )
        peer.connect(port)

        self.assertEqual(200, peer.register())
        [location] = self.eventually("location", lambda: backend.bodies("insert_location"))
        self.assertEqual(ALICE, location["msisdn"])
        [subscribe] = self.eventually("SUBSCRIBE", lambda: [m for m in peer.requests if m.start_line.startswith("SUBSCRIBE")])
        parameter = "" if transport == "udp" else f";transport={transport}"
        self.assertEqual(f"<sip:[::1]:{port}{parameter}>", subscribe["Contact"])

        self.assertEqual(202, peer.submit())
        messages = lambda: [m for m in peer.requests if m.start_line.startswith("MESSAGE")]
        [report] = self.eventually("RP-ACK", messages)
        self.assertEqual(b"\x03\x2a", report.body[:2])
        self.assertRegex(report["Via"], rf"^SIP/2.0/{transport.upper()} \[::1\]:{port};branch=z9hG4bK")

        backend.enqueue(
            source_msisdn=BOB, source_ton=1, source_npi=1, destination_msisdn=ALICE, ims_capable=True,
            message_body="hello", encoding="gsm7", sc_address="+447700900999",
        )
        [outcome] = self.eventually("outcome", lambda: backend.bodies("process_message"))
        self.assertEqual(("delivered", 2), (outcome["status"], len(messages())))
        self.assertEqual([], backend.state()["violations"])

    def test_udp(self):
        self.every_way("udp")

    def test_tcp(self):
        self.every_way("tcp")

    def test_tls(self):
        self.every_way("tls")


if __name__ == "__main__":
    main()
