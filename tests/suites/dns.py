"""Next hops by DNS (RFC 3263), asked of a real server: dnsmasq with the NAPTR, SRV, A and AAAA records of a core."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import ALICE, DOMAIN, Case, FakeBackend, Frontend, binary, free_port, main, udp_bound
from tap import Message

TLD = "3gppnetwork.org"
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


class Core:
    """A server of the core: takes MESSAGE and OPTIONS over one transport and answers each 200."""

    def __init__(self, kind, address="127.0.0.1"):
        self.requests = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, kind)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        if kind == TCP:
            self.socket.listen()
        threading.Thread(target=self._accept if kind == TCP else self._datagrams, daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # a datagram socket; closing it suffices
        self.socket.close()

    def _datagrams(self):
        while True:
            try:
                octets, peer = self.socket.recvfrom(65535)
            except OSError:
                return
            if not octets:
                return  # shut down
            self.socket.sendto(self._answer(octets), peer)

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._stream, args=(connection,), daemon=True).start()

    def _stream(self, connection):
        with connection:
            octets = b""
            while chunk := connection.recv(65535):
                octets += chunk
                while b"\r\n\r\n" in octets:
                    message = Message.parse("frontend", octets)
                    length = octets.index(b"\r\n\r\n") + 4 + int(message["Content-Length"])
                    if len(octets) < length:
                        break
                    connection.sendall(self._answer(octets[:length]))
                    octets = octets[length:]

    def _answer(self, octets):
        request = Message.parse("frontend", octets)
        self.requests.append(request)
        lines = ["SIP/2.0 200 OK"]
        for name in ("via", "from", "to", "call-id", "cseq"):
            lines += [f"{name}: {value}" for value in request.headers[name]]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


class WithDns(Case):
    def zone(self, *records):
        """Starts dnsmasq with these records, alone responsible for the domain; returns its port."""
        port = free_port()
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts"]
        command += ["--log-queries", "--log-facility=-", "--listen-address=127.0.0.1", "--bind-interfaces"]
        command += [f"--port={port}", f"--local=/{TLD}/", "--local-ttl=60", *(f"--{record}" for record in records)]
        if os.geteuid() == 0:
            command.append("--user=root")
        self.dns = self.start(f"dnsmasq-{port}", command)
        self.eventually("dnsmasq listens", lambda: udp_bound(port))
        return port

    def run_with(self, *dns, **options):
        self.backend = FakeBackend(self)
        # With an address of its own the frontend looks nothing up at its start but whom to trust.
        more = dns_section(*dns) + "advertise: {address: 127.0.0.1}\nmt: {delivered_on: sip_2xx}\ntimers: {tcp_connect: 1s}\n"
        self.frontend = Frontend(self, self.backend.url, more=more, **options)

    def core(self, kind, address="127.0.0.1"):
        return self.keep(Core(kind, address))

    def send(self, number=222, **row):
        self.backend.enqueue(
            source_msisdn=ALICE, source_ton=1, source_npi=1, destination_msisdn=f"447700900{number:03}",
            ims_capable=True, message_body="hello", encoding="gsm7", sc_address="+447700900999", **row,
        )

    def outcomes(self, count=1, *, seconds=15):
        """Status and attempt of what process_message was told, once there is so much of it."""
        bodies = self.eventually(
            f"{count} outcomes", lambda: len(found := self.backend.bodies("process_message")) >= count and found,
            seconds=seconds,
        )
        return [(body["status"], body["attempt"]) for body in bodies]

    def metric(self, name):
        [value] = [line.split()[1] for line in self.frontend.metrics().splitlines() if line.startswith(f"{name}_total ")]
        return int(value)


def dns_section(*ports):
    return f"dns: {{servers: [{', '.join(f'127.0.0.1:{port}' for port in ports)}], timeout: 1s}}\n"


def a(name, address="127.0.0.1"):
    return f"host-record={name}.{DOMAIN},{address}"


def srv(transport, target, port, priority=10, weight=10):
    return f"srv-host=_sip._{transport}.{DOMAIN},{target}.{DOMAIN},{port},{priority},{weight}"


def naptr(order, service, name):
    return f"naptr-record={DOMAIN},{order},50,s,{service},,{name}.{DOMAIN}"


class NextHops(WithDns):
    def test_naptr_chooses_the_transport_and_srv_the_server(self):
        wanted, other = self.core(TCP), self.core(UDP)
        self.run_with(self.zone(
            naptr(5, "SIPS+D2T", "_sips._tcp"), naptr(10, "SIP+D2T", "_sip._tcp"), naptr(20, "SIP+D2U", "_sip._udp"),
            srv("tcp", "scscf1", wanted.port), srv("udp", "scscf2", other.port), a("scscf1"), a("scscf2"),
        ))
        self.send()
        self.assertEqual([("delivered", 1)], self.outcomes())
        self.assertEqual(([DOMAIN], []), ([host(m) for m in wanted.requests], other.requests))
        self.assertEqual(1, self.metric("smsc_next_hop_services_ignored"))

    def test_without_naptr_srv_is_probed(self):
        core = self.core(UDP)
        self.run_with(self.zone(srv("udp", "scscf", core.port), a("scscf")))
        self.send()
        self.assertEqual(([("delivered", 1)], 1), (self.outcomes(), len(core.requests)))

    def test_a_port_in_the_uri_needs_addresses_only(self):
        core = self.core(UDP)
        self.run_with(self.zone(naptr(10, "SIP+D2T", "_sip._tcp"), srv("tcp", "scscf", free_port()), a("scscf")))
        self.send(s_cscf=f"sip:scscf.{DOMAIN}:{core.port}")
        self.assertEqual(([("delivered", 1)], 1), (self.outcomes(), len(core.requests)))
        self.assertNotRegex(self.dns.output(), r"query\[(SRV|NAPTR)\]")

    def test_a_transport_in_the_uri_asks_for_its_srv_records(self):
        core = self.core(TCP)
        self.run_with(self.zone(srv("tcp", "scscf", core.port), srv("udp", "scscf", free_port()), a("scscf")))
        self.send(s_cscf=f"sip:{DOMAIN};transport=tcp")
        self.assertEqual(([("delivered", 1)], 1), (self.outcomes(), len(core.requests)))
        self.assertNotRegex(self.dns.output(), r"query\[NAPTR\]|_udp")

    def test_aaaa_leads_over_ipv6(self):
        core = self.core(UDP, "::1")
        port = free_port()
        self.run_with(self.zone(srv("udp", "scscf", core.port), a("scscf", "::1")), also_listen=[f"udp:[::1]:{port}"])
        self.send()
        self.assertEqual(([("delivered", 1)], 1), (self.outcomes(), len(core.requests)))

    def test_messages_are_shared_out_by_weight(self):
        heavy, light = self.core(UDP), self.core(UDP)
        self.run_with(self.zone(
            srv("udp", "scscf1", heavy.port, weight=80), srv("udp", "scscf2", light.port, weight=20), a("scscf1"), a("scscf2"),
        ))
        for number in range(100, 200):
            self.send(number)
        self.assertEqual([("delivered", 1)] * 100, self.outcomes(100, seconds=30))
        # Four standard deviations each way.
        self.assertTrue(64 <= len(heavy.requests) <= 96, f"{len(heavy.requests)} of 100 with weight 80")
        self.assertEqual(100, len(heavy.requests) + len(light.requests))

    def test_many_messages_need_one_look_up(self):
        core = self.core(UDP)
        self.run_with(self.zone(srv("udp", "scscf", core.port), a("scscf")))
        for number in range(100, 120):
            self.send(number)
        self.assertEqual([("delivered", 1)] * 20, self.outcomes(20))
        self.assertEqual(1, self.metric("smsc_next_hop_look_ups"))
        self.assertEqual(1, self.dns.output().count("query[NAPTR]"))


class Failover(WithDns):
    def test_a_server_that_refuses_connections_is_passed_over_within_the_attempt(self):
        core = self.core(TCP)
        self.run_with(self.zone(
            srv("tcp", "scscf1", free_port(), priority=1), srv("tcp", "scscf2", core.port, priority=2), a("scscf1"), a("scscf2"),
        ))
        self.send(1)
        self.assertEqual([("delivered", 1)], self.outcomes())
        self.send(2)
        self.assertEqual([("delivered", 1)] * 2, self.outcomes(2))
        self.assertEqual((2, 1), (len(core.requests), self.metric("smsc_next_hops_failed")), "the first is put last for a while")

    def test_every_server_refuses_and_the_attempt_fails_with_nothing_sent(self):
        self.run_with(self.zone(
            srv("tcp", "scscf1", free_port(), priority=1), srv("tcp", "scscf2", free_port(), priority=2), a("scscf1"), a("scscf2"),
        ))
        self.send()
        self.assertEqual([("failed", 1)], self.outcomes())
        [outcome] = self.backend.bodies("process_message")
        self.assertRegex(outcome["detail"], "any of 2 addresses of the next hop; nothing was sent")

    def test_a_name_that_leads_nowhere_fails_the_attempt_at_once(self):
        self.run_with(self.zone(a("scscf")))
        self.send()
        self.assertEqual([("failed", 1)], self.outcomes())
        [outcome] = self.backend.bodies("process_message")
        self.assertRegex(outcome["detail"], f"no next hop for sip:{DOMAIN}: {DOMAIN} has no address")

    def test_a_dns_server_that_is_silent_is_passed_over(self):
        core, silent = self.core(UDP), self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        silent.bind(("127.0.0.1", 0))
        zone = self.zone(srv("udp", "scscf", core.port), a("scscf"))
        self.run_with(silent.getsockname()[1], zone)
        self.send()
        self.assertEqual([("delivered", 1)], self.outcomes())


class WhoIsTrusted(WithDns):
    def records(self):
        return [
            naptr(10, "SIP+D2U", "_sip._udp"), naptr(5, "SIPS+D2T", "_sips._tcp"),
            srv("udp", "scscf1", 5061, priority=1, weight=60), srv("udp", "scscf2", 5062, priority=2),
            a("scscf1", "192.0.2.1"), a("scscf2", "192.0.2.2"), f"host-record={DOMAIN},192.0.2.3",
        ]

    def test_every_server_behind_the_domain_is_trusted(self):
        self.run_with(self.zone(*self.records()), trusted=False)
        self.assertEqual(
            ["127.0.0.0/8", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "::1/128"],
            sorted(self.frontend.status()["trusted_peers"]),
        )

    def test_check_tells_what_was_found(self):
        port = self.zone(*self.records())
        file = self.dir / "config.yaml"
        file.write_text(
            f"api_base_url: embedded\nlocation: smsc01.mnc001.mcc001.{TLD}\nims_domain: {DOMAIN}\n"
            f"s_cscf_sip_uri: sip:127.0.0.1:{free_port()}\n" + dns_section(port)
        )
        command = [binary("smsc-frontend"), "check", "--core", "--json", "--config", str(file)]
        said = subprocess.run(command, capture_output=True, text=True, cwd=self.dir, timeout=60).stdout
        [found] = [finding for finding in json.loads(said)["core"] if finding["check"] == "DNS of ims_domain"]
        self.assertEqual(
            {
                "check": "DNS of ims_domain", "target": DOMAIN, "verdict": "ok",
                "detail": f"scscf1.{DOMAIN} over UDP, priority 1, weight 60: 192.0.2.1:5061; "
                          f"scscf2.{DOMAIN} over UDP, priority 2, weight 10: 192.0.2.2:5062; not spoken here: SIPS+D2T",
            },
            found,
        )


def host(message):
    """The host of a request's Route: the name that was looked up."""
    return message["Route"].strip("<>").removeprefix("sip:").split(";")[0]


if __name__ == "__main__":
    main()
