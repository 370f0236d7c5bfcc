"""The chart charts/smsc-operator, judged by helm, promtool and a real API server; its store runs in the cluster."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from harness import ROOT, Case, binary, free_port, main, request
from kubernetes import Cluster

CHART = ROOT / "charts/smsc-operator"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
KUBERNETES = "1.34.4"
CLUSTER = Cluster("cluster-of-chart", "--nodes", "1")
NAMESPACE, WATCHED = "smsc", ("ims-a", "ims-b")
RELEASE = "smsc-operator"
DEFINITION = "smscfrontends.smsc.ims.dev"


def setUpModule():
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.start()
    CLUSTER.images(**{"smsc-frontend": binary("smsc-frontend")})
    for namespace in (NAMESPACE, *WATCHED):
        CLUSTER.kubectl("create", "namespace", namespace)
        restricted = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
        CLUSTER.kubectl("label", "namespace", namespace, *restricted)
    # The README's release; its operator is not among the images, and nothing here needs it.
    helm("install", RELEASE, CHART, "-n", NAMESPACE, "-f", CHART / "ci/store.yaml", "--set", "images.tag=test")


def helm(*arguments, **options):
    return CLUSTER.run("helm", *arguments, **options)


def rendered(values, release="trial"):
    """The chart with a file of values, hooks and tests included."""
    command = ["helm", "template", release, CHART, "-n", NAMESPACE, "--kube-version", KUBERNETES, "-f", values]
    return subprocess.run(command, env=CLUSTER.environment, check=True, capture_output=True, text=True).stdout


class Values(Case):
    def test_every_file_of_values_pleases_helm_lint(self):
        for values in VALUES:
            with self.subTest(values.name):
                said = helm("lint", "--strict", "--kube-version", KUBERNETES, CHART, "-f", values)
                self.assertIn("1 chart(s) linted, 0 chart(s) failed", said)

    def test_mistakes_are_refused_and_named(self):
        table = {
            "replica=2": "at '': additional properties 'replica' not allowed",
            "replicas=9": "at '/replicas': maximum: got 9, want 3",
            "replicas=many": "at '/replicas': got string, want integer",
            "images.pullPolicy=Sometimes": "at '/images/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
            "images.frontend=smsc-frontend:1.0": "at '/images/frontend': 'smsc-frontend:1.0' does not match pattern",
            "fullnameOverride=0smsc": "at '/fullnameOverride': '0smsc' does not match pattern",
            "watchNamespaces={ims,ims}": "at '/watchNamespaces': items at 0 and 1 are equal",
            "watchNamespaces[0]=Bad_Name": "at '/watchNamespaces/0': 'Bad_Name' does not match pattern",
            "monitoring.rules.enable=true": "at '/monitoring/rules': additional properties 'enable' not allowed",
            "monitoring.podMonitor.interval=often": "at '/monitoring/podMonitor/interval': 'often' does not match pattern",
            "store.settings.path=/tmp/x": "at '/store/settings': additional properties 'path' not allowed",
            "store.persistence.size=big": "at '/store/persistence/size': 'big' does not match pattern",
            "store.tokenSecretRef.name=Token": "at '/store/tokenSecretRef/name': 'Token' does not match pattern",
            "test.backend.apiBaseURL=ftp://store": "at '/test/backend/apiBaseURL': 'ftp://store' does not match pattern",
            "test.trustedPeers={everyone}": "at '/test/trustedPeers/0': 'everyone' does not match pattern",
        }
        for mistake, message in table.items():
            with self.subTest(mistake):
                said = helm("template", "trial", CHART, "--kube-version", KUBERNETES, "--set", mistake, check=False)
                self.assertIn(message, said)

    def test_values_and_schema_name_the_same(self):
        named, above = set(), []
        for indent, key in re.findall(r"(?m)^( *)([A-Za-z]+):", (CHART / "values.yaml").read_text()):
            above[len(indent) // 2:] = [key]
            named.add(".".join(above))
        known = set(paths(json.loads((CHART / "values.schema.json").read_text())))
        inside = {"global", *(path for path in known if path.startswith("store.settings."))}
        self.assertEqual(known - inside, named)

    def test_an_older_cluster_is_refused(self):
        said = helm("template", "trial", CHART, "--kube-version", "1.29.0", check=False)
        self.assertIn("chart requires kubeVersion: >=1.30.0-0", said)

    def test_the_chart_has_the_version_of_the_programs(self):
        version = re.search(r'(?m)^version = "(.+)"$', (ROOT / "Cargo.toml").read_text())[1]
        said = (CHART / "Chart.yaml").read_text()
        self.assertEqual([version, version], re.findall(r"(?m)^(?:version|appVersion): (.+)$", said))


class Definition(Case):
    def test_the_chart_brings_the_definition_as_it_is(self):
        checked_in = (ROOT / "crds/smscfrontends.yaml").read_text()
        self.assertEqual(checked_in, (CHART / "files/smscfrontends.yaml").read_text())
        [brought] = [part for part in rendered(CHART / "ci/store.yaml").split("---\n") if "kind: CustomResourceDefinition" in part]
        keep = "  annotations:\n    helm.sh/resource-policy: keep\n"
        self.assertIn(keep, brought)
        brought = re.sub(r"(?m)^# Source: .*\n", "", brought).replace(keep, "")
        brought = re.sub(r"  labels:\n(    .+\n)+", "", brought, count=1)
        self.assertEqual(checked_in.strip(), brought.strip())

    def test_it_goes_with_the_release_only_if_told_so_and_stays_away_if_told_so(self):
        without = helm("template", "trial", CHART, "--kube-version", KUBERNETES, "--set", "crds.keep=false")
        self.assertIn("kind: CustomResourceDefinition", without)
        self.assertNotIn("helm.sh/resource-policy", without)
        without = helm("template", "trial", CHART, "--kube-version", KUBERNETES, "--set", "crds.enabled=false")
        self.assertNotIn("kind: CustomResourceDefinition", without)


class Images(Case):
    def image(self, folder, program):
        command = [ROOT / "charts/images", "--into", self.dir / folder, f"registry.example.org:5000/ims/tool:1={program}"]
        subprocess.run(command, check=True, capture_output=True)
        return self.dir / folder / "tool.tar"

    def test_an_image_holds_a_program_with_its_libraries_and_no_shell(self):
        with tarfile.open(self.image("once", "/usr/bin/env --version")) as archive:
            [manifest] = json.load(archive.extractfile("manifest.json"))
            config = json.load(archive.extractfile(manifest["Config"]))
            [layer] = manifest["Layers"]
            with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                modes = {file.name: file.mode for file in files if file.isfile()}
        self.assertEqual(["registry.example.org:5000/ims/tool:1"], manifest["RepoTags"])
        self.assertEqual(
            {"User": "65532:65532", "Env": ["PATH=/bin"], "WorkingDir": "/", "Entrypoint": ["/bin/env", "--version"]}, config["config"],
        )
        self.assertEqual(["bin/env"], [name for name in modes if "bin/" in name])
        self.assertEqual(0o755, modes["bin/env"])
        self.assertTrue([name for name in modes if "/libc.so" in name])

    def test_the_same_program_makes_the_same_image(self):
        self.assertEqual(self.image("once", "/usr/bin/env").read_bytes(), self.image("again", "/usr/bin/env").read_bytes())

    def test_what_is_no_reference_is_refused(self):
        for wrong in ("tool", "tool=/usr/bin/env", "registry:5000/tool=/usr/bin/env", "tool:1="):
            with self.subTest(wrong):
                done = subprocess.run([ROOT / "charts/images", "--into", self.dir, wrong], capture_output=True, text=True)
                self.assertEqual(2, done.returncode)
                self.assertIn(f"{wrong}: NAME:TAG=PROGRAM expected", done.stderr)


class Monitoring(Case):
    def test_every_metric_named_is_one_that_a_program_has(self):
        defined = {name for crate in ("frontend", "operator") for path in (ROOT / crate / "src").rglob("*.rs") for name in metrics(path.read_text())}
        for file in ("alerts.yaml", "dashboard.json"):
            text = (CHART / "files" / file).read_text()
            named = {re.sub("_(total|bucket|sum|count)$", "", name) for name in re.findall(r"\bsmsc_[a-z_]+", text)}
            self.assertGreater(len(named), 5)
            self.assertEqual(set(), named - defined, file)

    def test_alerts_fire_when_they_should(self):
        shutil.copy(CHART / "files/alerts.yaml", self.dir)
        shutil.copy(Path(__file__).with_suffix(".yaml"), self.dir / "test.yaml")
        for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "test.yaml"]):
            done = subprocess.run(["promtool", *command], cwd=self.dir, capture_output=True, text=True)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        alerts, tested = (
            set(re.findall(rf"{key}: (\w+)", (self.dir / file).read_text()))
            for key, file in (("alert", "alerts.yaml"), ("alertname", "test.yaml"))
        )
        self.assertEqual(alerts, tested)

    def test_the_queries_of_the_dashboard_can_be_read(self):
        dashboard = json.loads((CHART / "files/dashboard.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 20)
        rules = [{"record": f"query:{k}", "expr": expr.replace("$__rate_interval", "5m")} for k, expr in enumerate(queries)]
        (self.dir / "queries.json").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
        done = subprocess.run(["promtool", "check", "rules", self.dir / "queries.json"], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class Accepted(Case):
    """Every file of values, as the API server takes it."""

    def objects(self, values):
        """What the chart makes of the file, hooks and tests included, each as the API server would store it."""
        said = CLUSTER.run(
            "kubectl", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "json", "-f", "-", text=rendered(values),
        )
        self.assertNotIn("Warning", said)
        return json.loads(said)["items"]

    def test_by_kubectl_and_by_helm(self):
        for values in VALUES:
            with self.subTest(values.name):
                kinds = {made["kind"] for made in self.objects(values)}
                self.assertLess({"Deployment", "ClusterRole", "CustomResourceDefinition"}, kinds)
                said = helm("install", "trial", CHART, "-n", NAMESPACE, "-f", values, "--dry-run=server", "--take-ownership")
                self.assertIn("STATUS: pending-install", said)
                self.assertNotIn("Warning", said)

    def test_everything_is_everything(self):
        made = {made["kind"] for made in self.objects(CHART / "ci/everything.yaml")}
        self.assertEqual(
            {
                "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CustomResourceDefinition", "Deployment", "Job", "NetworkPolicy", "Pod",
                "PodDisruptionBudget", "PodMonitor", "PrometheusRule", "Role", "RoleBinding", "Service", "ServiceAccount", "SmscFrontend",
                "StatefulSet",
            },
            made,
        )

    def test_no_file_gives_more_than_is_needed(self):
        for values in VALUES:
            with self.subTest(values.name):
                made = self.objects(values)
                roles = {(it["kind"], it["metadata"]["name"]): it["rules"] for it in made if it["kind"] in ("Role", "ClusterRole")}
                for name, rules in roles.items():
                    for rule in rules:
                        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                        self.assertFalse({"*", "customresourcedefinitions", "roles", "rolebindings", "pods/exec"} & words, name)
                        if "secrets" in rule["resources"]:
                            self.assertEqual((["secrets"], ["create", "get"]), (rule["resources"], sorted(rule["verbs"])))
                everywhere = [it["roleRef"] for it in made if it["kind"] == "ClusterRoleBinding"]
                for role in everywhere:
                    self.assertFalse([rule for rule in roles[role["kind"], role["name"]] if "secrets" in rule["resources"]])
                bound = sorted(
                    it["metadata"]["namespace"] for it in made
                    if it["kind"] == "RoleBinding" and it["roleRef"]["name"].endswith("-secrets")
                )
                if values.stem == "watch-namespaces":
                    self.assertEqual(([], [*WATCHED]), (everywhere, bound))
                else:
                    self.assertEqual([NAMESPACE], bound)

    def test_pods_do_not_change_with_the_version_of_the_chart(self):
        for made in self.objects(CHART / "ci/store.yaml"):
            if made["kind"] in ("Deployment", "StatefulSet"):
                labels = made["spec"]["template"]["metadata"]["labels"]
                self.assertEqual(made["spec"]["selector"]["matchLabels"], labels)

    def test_the_store_takes_its_configuration(self):
        [config] = [
            made["data"]["config.yaml"] for made in self.objects(CHART / "ci/everything.yaml")
            if made["kind"] == "ConfigMap" and made["metadata"]["name"] == "smsc-store"
        ]
        port = free_port()
        (self.dir / "token").write_text("secret")
        file = self.dir / "config.yaml"
        file.write_text(
            config.replace("0.0.0.0:8444", f"127.0.0.1:{port}").replace("/data/", f"{self.dir}/").replace("/etc/smsc/token/", f"{self.dir}/")
        )
        self.start("store", [binary("smsc-frontend"), "store", "--config", file])
        url = f"http://127.0.0.1:{port}"
        self.eventually("readiness of the store", lambda: answered(f"{url}/readyz") == 200)
        self.assertEqual(401, answered(f"{url}/api/summary"))

    def test_the_example_and_the_notes_are_for_the_readme_s_release(self):
        said = CLUSTER.kubectl("create", "--dry-run=server", "-f", CHART / "examples/smscfrontend.yaml")
        self.assertEqual("smscfrontend.smsc.ims.dev/ims created (server dry run)", said.strip())
        url = f"http://{RELEASE}-store.{NAMESPACE}.svc:8444"
        self.assertIn(f"apiBaseURL: {url}\n", (CHART / "examples/smscfrontend.yaml").read_text())
        notes = helm("get", "notes", RELEASE, "-n", NAMESPACE)
        manifest = re.search(r"(?ms)^  apiVersion.*?^      apiBaseURL: .*?$", notes)[0]
        self.assertIn(url, manifest)
        said = CLUSTER.kubectl("create", "--dry-run=server", "-f", "-", text=manifest)
        self.assertEqual("smscfrontend.smsc.ims.dev/ims created (server dry run)", said.strip())


class Installed(Case):
    """The README's release."""

    def may(self, verb, what, *, namespace=WATCHED[0], who=f"system:serviceaccount:{NAMESPACE}:{RELEASE}"):
        said = CLUSTER.kubectl("auth", "can-i", verb, what, "-n", namespace, "--as", who, check=False)
        return said.strip().splitlines()[-1] == "yes"

    def test_the_operator_may_do_what_it_needs_and_no_more(self):
        allowed = [
            ("patch", "smscfrontends.smsc.ims.dev", WATCHED[0]), ("patch", "smscfrontends.smsc.ims.dev/status", WATCHED[0]),
            ("create", "statefulsets.apps", WATCHED[0]), ("delete", "services", WATCHED[0]), ("patch", "configmaps", WATCHED[0]),
            ("create", "podmonitors.monitoring.coreos.com", WATCHED[0]), ("patch", "pods", WATCHED[0]),
            ("create", "events.events.k8s.io", WATCHED[0]), ("update", "leases.coordination.k8s.io", NAMESPACE),
            ("get", "secrets", NAMESPACE), ("create", "secrets", NAMESPACE),
        ]
        refused = [
            ("get", "secrets", WATCHED[0]), ("list", "secrets", NAMESPACE), ("delete", "secrets", NAMESPACE), ("patch", "secrets", NAMESPACE),
            ("create", "smscfrontends.smsc.ims.dev", WATCHED[0]), ("delete", "smscfrontends.smsc.ims.dev", WATCHED[0]),
            ("patch", "customresourcedefinitions.apiextensions.k8s.io", NAMESPACE), ("create", "pods", WATCHED[0]),
            ("delete", "pods", WATCHED[0]), ("create", "pods/exec", WATCHED[0]), ("get", "nodes", WATCHED[0]),
            ("update", "leases.coordination.k8s.io", WATCHED[0]), ("create", "rolebindings.rbac.authorization.k8s.io", NAMESPACE),
        ]
        wrong = [(verb, what, where) for verb, what, where in allowed if not self.may(verb, what, namespace=where)]
        wrong += [(verb, what, where) for verb, what, where in refused if self.may(verb, what, namespace=where)]
        self.assertEqual([], wrong)

    def test_the_notes_command_opens_the_secrets_of_another_namespace(self):
        notes = helm("get", "notes", RELEASE, "-n", NAMESPACE)
        command = re.search(r"kubectl -n NAMESPACE create rolebinding(?:.*\\\n)*.*", notes)[0]
        self.assertFalse(self.may("get", "secrets", namespace=WATCHED[1]))
        CLUSTER.run("bash", "-c", command.replace("NAMESPACE", WATCHED[1]))
        self.assertTrue(self.may("get", "secrets", namespace=WATCHED[1]))

    def test_users_of_a_namespace_may_do_with_the_resource_what_they_may_do_otherwise(self):
        CLUSTER.kubectl("-n", WATCHED[0], "create", "rolebinding", "editors", "--clusterrole=edit", "--user=ed")
        CLUSTER.kubectl("-n", WATCHED[0], "create", "rolebinding", "viewers", "--clusterrole=view", "--user=vi")
        self.eventually("aggregated roles", lambda: self.may("create", "smscfrontends.smsc.ims.dev", who="ed"))
        self.eventually("aggregated roles", lambda: self.may("watch", "smscfrontends.smsc.ims.dev", who="vi"))
        self.assertTrue(self.may("patch", "smscfrontends.smsc.ims.dev/scale", who="ed"))
        self.assertFalse(self.may("delete", "smscfrontends.smsc.ims.dev", who="vi"))

    def test_the_store_keeps_its_messages_when_its_pod_goes(self):
        store = f"{RELEASE}-store"
        url = "http://{}:8444".format(CLUSTER.get("service", store, "-n", NAMESPACE)["spec"]["clusterIP"])
        self.eventually("readiness of the store", lambda: answered(f"{url}/readyz") == 200, seconds=60)
        message = {
            "source_msisdn": "447700900111", "destination_msisdn": "447700900222", "destination_ton": 1, "destination_npi": 1,
            "message_body": "kept", "source_smsc": "smsc01.example.org", "source_type": "ims", "encoding": "gsm7",
        }
        status, answer = request("POST", f"{url}/api/messages", message, [("Idempotency-Key", "kept")])
        self.assertEqual(201, status, answer)
        identifier = json.loads(answer)["id"]
        pod = CLUSTER.get("pod", f"{store}-0", "-n", NAMESPACE)["metadata"]["uid"]
        CLUSTER.kubectl("-n", NAMESPACE, "delete", "pod", f"{store}-0", "--wait=false")
        self.eventually(
            "another pod", seconds=90,
            value=lambda: pod not in CLUSTER.kubectl("-n", NAMESPACE, "get", "pod", f"{store}-0", "-o", "jsonpath={.metadata.uid}", check=False),
        )
        self.eventually("the message in the new pod", lambda: answered(f"{url}/api/messages/{identifier}") == 200, seconds=60)

    def test_a_kept_definition_is_adopted_as_the_notes_and_the_readme_say(self):
        def install(*more):
            return helm("install", "other", CHART, "-n", WATCHED[0], "-f", CHART / "ci/minimal.yaml", *more, check=False)

        def adopt(release, namespace):
            CLUSTER.run("bash", "-ec", commands.replace("=RELEASE", f"={release}").replace("=NAMESPACE", f"={namespace}"))

        def uninstall():
            said = helm("uninstall", "other", "-n", WATCHED[0])
            self.assertIn("These resources were kept due to the resource policy", said)
            CLUSTER.kubectl("get", "crd", DEFINITION)

        notes = helm("get", "notes", RELEASE, "-n", NAMESPACE)
        commands = "\n".join(re.findall(r"kubectl (?:label|annotate) --overwrite crd(?:.*\\\n)*.*", notes))
        readme = re.findall(r"kubectl (?:label|annotate) --overwrite crd.*", (ROOT / "README.md").read_text())
        self.assertEqual(" ".join(readme).split(), commands.replace("\\\n", " ").split())
        self.assertIn("cannot be imported into the current release", install())
        self.assertIn("STATUS: deployed", install("--take-ownership"))
        uninstall()
        adopt(RELEASE, NAMESPACE)
        self.assertIn("cannot be imported into the current release", install())
        adopt("other", WATCHED[0])
        self.assertIn("STATUS: deployed", install())
        uninstall()
        adopt(RELEASE, NAMESPACE)
        self.assertIn("STATUS: deployed", helm("upgrade", RELEASE, CHART, "-n", NAMESPACE, "--reuse-values"))


def paths(schema, definitions=None, above=""):
    """Every value that a schema names, sections included; what is in resources, Kubernetes names."""
    definitions = definitions or schema["definitions"]
    for key, part in schema.get("properties", {}).items():
        yield above + key
        if part.get("$ref") != "#/definitions/resources":
            part = definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            yield from paths(part, definitions, f"{above}{key}.")


def metrics(source):
    """The names of the metrics that a Rust file registers."""
    prefix = re.search(r'with_prefix\("([a-z_]+)"\)', source)
    return {f"{prefix[1]}_{name}" if prefix else name for name in re.findall(r'\.register\(\s*"([a-z_]+)"', source)}


def answered(url):
    """The status of an answer; 0 where nobody answers."""
    try:
        return request("GET", url)[0]
    except OSError:
        return 0


if __name__ == "__main__":
    main()
