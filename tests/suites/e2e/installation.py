"""The README's three commands, what people see after them, and an SMS both ways by SIPp."""

import itertools
import os
import re
import time

from harness import ALICE, BOB, DOMAIN, LOCATION, ROOT, Sipp, free_port

from .world import CHART, CLUSTER, OPERATORS, RELEASE, SYSTEM, World, helm, merged

TEXTS = ROOT / "tests/suites/e2e"
SUBMIT = "31070c914477000920220000a708e8329bfd066dca"  # the TPDU of mo.xml
BOB_URI = f"sip:+{BOB}@{DOMAIN}"


class Installation(World):
    """One release for all that follows."""

    @classmethod
    def setUpClass(cls):
        images = ["--set", "images.tag=test", "--set", "logLevel=info\\,smsc_operator=debug"]
        helm("install", RELEASE, CHART, "--create-namespace", "--set", "store.enabled=true", *images)
        restricted = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
        CLUSTER.kubectl("label", "namespace", SYSTEM, *restricted)
        CLUSTER.kubectl("-n", SYSTEM, "rollout", "status", f"deployment/{RELEASE}", "--timeout=60s", seconds=90)

    def test_1_the_example_is_ready_within_a_minute(self):
        began = time.monotonic()
        CLUSTER.kubectl("apply", "-f", CHART / "examples/smscfrontend.yaml")
        said = CLUSTER.kubectl("wait", "--namespace", SYSTEM, "--for=condition=Ready", "smsc/ims", "--timeout=60s", seconds=90)
        print(f"Ready {time.monotonic() - began:.1f} s after kubectl apply")
        self.assertEqual("smscfrontend.smsc.ims.dev/ims condition met\n", said)
        CLUSTER.kubectl("-n", SYSTEM, "delete", "smsc/ims", "--timeout=60s", seconds=90)

    def test_2_helm_test_sends_an_sms_through(self):
        said = helm("test", RELEASE, "--timeout", "3m", seconds=200)
        self.assertRegex(said, r"(?m)^Phase: +Succeeded$")
        left = CLUSTER.kubectl("-n", SYSTEM, "get", "smscfrontends,pods", "-l", "app.kubernetes.io/component=test")
        self.assertIn("No resources found", left)

    def test_an_upgrade_that_changes_nothing_restarts_nothing(self):
        resource = self.up()

        def everything():
            operators = CLUSTER.get("pods", "-n", SYSTEM)["items"]
            return [(pod["metadata"]["name"], pod["metadata"]["uid"]) for pod in operators], self.pod_ids(), self.get("statefulsets")["metadata"]["generation"]

        before = everything()
        helm("upgrade", RELEASE, CHART, "--reuse-values")
        CLUSTER.kubectl("-n", SYSTEM, "rollout", "status", f"deployment/{RELEASE}", "--timeout=60s", seconds=90)
        self.assertEqual(before, everything())
        self.assertEqual(resource["metadata"]["resourceVersion"], self.get("smscfrontends")["metadata"]["resourceVersion"])

    def test_what_people_read(self):
        self.up(replicas=2)
        self.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "smsc/home", "--timeout=60s")
        self.eventually("the last event", lambda: {"Registered", "AsSpecified"} <= set(self.events()))
        for file, command in {
            "get.txt": ["get", "smsc"], "get-wide.txt": ["get", "smsc", "-o", "wide"], "describe.txt": ["describe", "smsc", "home"],
            "wait.txt": ["wait", "--for=condition=Ready", "smsc/home"],
        }.items():
            with self.subTest(file):
                self.reads(TEXTS / file, self.masked(self.kubectl(*command)))

    def masked(self, said):
        """Without what differs from run to run."""
        for pattern, mask in {
            re.escape(self.backend.url): "http://BACKEND", re.escape(self.namespace): "NAMESPACE",
            re.escape(f"sip:{CLUSTER.host}:{self.handsets.port}"): "sip:S-CSCF",
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "TIME", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "UID",
            r"(?m)(Resource Version: +)\d+$": r"\1NUMBER", r"(Config Hash: +)[0-9a-f]{16}": r"\1HASH",
            r"(?<=\s)\d+(s|m|m\d+s)(?=\s)": "AGE", r"AGE \(x\d+ over \w+\)": "AGE", r"any node:\d+": "any node:PORT",
        }.items():
            said = re.sub(pattern, mask, said)
        lines = [line.rstrip() for line in said.splitlines()]
        at = lines.index("Events:") + 1 if "Events:" in lines else 0 if lines[0].startswith("NAME") else len(lines)
        # Events of one second come in any order, and locations one by one.
        head, rows = lines[at:][:2 * (at > 0)], lines[at:][2 * (at > 0):]
        if at:
            rows = sorted(re.sub("the backend has 1 location$", "the backend has 2 locations", row) for row in rows)
        return "\n".join(lines[:at] + table(head + rows)) + "\n"

    def reads(self, file, said):
        if os.environ.get("SMSC_WRITE_TEXTS"):
            file.write_text(said)
        self.assertEqual(file.read_text(), said, "SMSC_WRITE_TEXTS=1 writes the texts anew")

    def test_metrics_of_operator_and_frontend_are_scraped(self):
        self.up()
        leader = [pod["metadata"]["name"] for pod in CLUSTER.get("pods", "-n", SYSTEM, "-l", OPERATORS)["items"]]
        said = CLUSTER.api("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{leader[0]}:8080/proxy/metrics")[1]
        for line in (
            "smsc_operator_leader 1", r'smsc_operator_reconciles_total\{outcome="[a-z_A-Z]+"\} [1-9]\d*',
            r'smsc_operator_registrations_total\{operation="register",outcome="[A-Za-z]+"\} [1-9]\d*',
            r'smsc_operator_api_requests_total\{verb="[a-z]+",code="2\d\d"\} [1-9]\d*', r"smsc_operator_reconcile_duration_seconds_count [1-9]\d*",
        ):
            self.assertRegex(said, rf"(?m)^{line}$")
        self.assertRegex(self.in_pod(0, "metrics"), r"(?m)^# TYPE smsc_reports_relayed counter$")


def table(rows):
    """Rows whose columns are as wide as what they hold now."""
    cells = [re.split(" {2,}", row) for row in rows]
    widths = [max(map(len, column)) for column in itertools.zip_longest(*cells, fillvalue="")]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


class Sms(World):
    """SIPp is the S-CSCF and the handsets; two pods serve."""

    def setUp(self):
        super().setUp()
        self.next_hop = free_port(host=CLUSTER.host)

    def spec(self, **more):
        return super().spec(**merged({"sCSCFURI": f"sip:{CLUSTER.host}:{self.next_hop}", "replicas": 2}, more))

    def handset(self, **options):
        return Sipp(self, "handset", port=self.next_hop, host=CLUSTER.host, **options)

    def test_mo_through_the_service_is_stored_and_then_acknowledged(self):
        self.up()
        handset = self.handset(msisdn=ALICE)
        Sipp(
            self, "mo", port=free_port(host=CLUSTER.host), host=CLUSTER.host, remote="{}:{}".format(*self.sip()), msisdn=ALICE, call_id="mo-%u-%p@handset",
        ).finish()
        handset.finish()
        [stored] = self.backend.state()["messages"]
        submitted = stored["submitted"]
        self.assertEqual(
            (f"+{ALICE}", f"+{BOB}", "hello €", SUBMIT, "ims"),
            tuple(submitted[key] for key in ("source_msisdn", "destination_msisdn", "message_body", "raw_tpdu", "source_type")),
        )
        [logged] = handset.logged()
        self.assertIn(f"in-reply-to={submitted['call_id']} ", logged)

    def test_mt_whose_report_comes_in_at_the_other_pod_is_delivered_once(self):
        self.up()
        address, port = self.sip(1)
        elsewhere = f'<nop><action><setdest host="{address}" port="{port}" protocol="udp"/></action></nop>\n  <nop next="line-feed" test="feed"/>'
        handset = self.handset(msisdn=BOB, replace={'<nop next="line-feed" test="feed"/>': elsewhere})
        self.backend.enqueue(
            location=LOCATION, source_msisdn=f"+{ALICE}", destination_msisdn=BOB, impu=BOB_URI, ims_capable=True, message_body="hello",
            encoding="gsm7", delivery_attempts=0,
        )
        handset.finish()
        self.eventually("the outcome", lambda: self.outcomes() == {"hello": ["delivered"]})
        [record] = self.backend.requests("process_message")
        self.assertEqual((LOCATION, 1), (record["body"]["dest_smsc"], record["body"]["attempt"]))
        self.assertIn("smsc_reports_relayed_total 1\n", self.in_pod(1, "metrics"))
        self.assertIn("smsc_reports_relayed_total 0\n", self.in_pod(0, "metrics"))
