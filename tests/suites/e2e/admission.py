"""The definition on a real API server: what its rules accept and refuse, and the words they do it with.

The table is the one that crds/tests/admit.rs puts before kube's own CEL; here is the judge.
"""

import copy
import json

from harness import ROOT, Case
from kubernetes import GROUP

from .world import CLUSTER

TABLE = json.loads((ROOT / "crds/tests/admit.json").read_text())
NAMESPACE = "e2e-admission"
PATH = f"{GROUP}/namespaces/{NAMESPACE}/smscfrontends"


class Admission(Case):
    @classmethod
    def setUpClass(cls):
        file = ROOT / "crds/smscfrontends.yaml"
        CLUSTER.kubectl("apply", "-f", file)
        cls.addClassCleanup(CLUSTER.kubectl, "delete", "-f", file)  # what follows begins without it
        CLUSTER.kubectl("wait", "--for=condition=Established", "-f", file)
        CLUSTER.kubectl("create", "namespace", NAMESPACE)
        cls.addClassCleanup(CLUSTER.kubectl, "delete", "namespace", NAMESPACE)

    def create(self, change, *, dry=True):
        return CLUSTER.api("POST", PATH + "?dryRun=All" * dry, resource(change))

    def causes(self, status, answer):
        """The field and sentence of each cause of a refusal; the server's own words in front of a rule's are left out."""
        self.assertEqual(422, status, answer)
        return [(cause["field"].replace("<nil>", ""), cause["message"]) for cause in answer["details"]["causes"]]

    def refusals(self, refused, put):
        for refusal in refused:
            with self.subTest(refusal["change"]):
                [(field, message)] = self.causes(*put(refusal["change"]))
                self.assertEqual(refusal["says"][0], field)
                self.assertRegex(message, r'^Invalid value: "(string|object|array)": ')
                self.assertEqual(refusal["says"][1], message.split(": ", 2)[2])

    def test_what_users_write_is_accepted(self):
        for change in TABLE["accepted"]:
            with self.subTest(change):
                status, answer = self.create(change)
                self.assertEqual(201, status, answer)

    def test_what_cannot_work_is_refused_in_words_a_person_understands(self):
        self.refusals(TABLE["refused"], self.create)

    def test_domain_and_location_never_change(self):
        status, created = self.create({}, dry=False)
        self.assertEqual(201, status, created)
        path = f"{PATH}/{created['metadata']['name']}"
        self.addCleanup(CLUSTER.api, "DELETE", path)

        def replace(change):
            new = resource(change)
            new["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
            return CLUSTER.api("PUT", f"{path}?dryRun=All", new)

        for change in TABLE["updates_accepted"]:
            with self.subTest(change):
                status, answer = replace(change)
                self.assertEqual(200, status, answer)
        self.refusals(TABLE["updates_refused"], replace)

    def test_what_the_schema_does_not_hold_is_refused(self):
        for refusal in TABLE["beyond_the_schema"]:
            with self.subTest(refusal["change"]):
                cause, *_ = self.causes(*self.create(refusal["change"]))  # and one that says that rules were not judged
                self.assertEqual(tuple(refusal["says"]), cause)

    def test_kubectl_shows_the_sentence(self):
        said = CLUSTER.kubectl(
            "-n", NAMESPACE, "apply", "-f", "-", check=False, text=json.dumps(resource({"spec/backend/apiBaseURL": "embedded"})),
        )
        self.assertEqual(
            'The SmscFrontend "home" is invalid: spec.backend.apiBaseURL: Invalid value: "string": an embedded backend lives in one '
            "pod and would not be shared: install the chart's store (store.enabled) and give its URL\n", said,
        )

    def test_kubectl_refuses_a_field_nobody_knows(self):
        written = resource({})
        written["spec"]["replica"] = 3
        said = CLUSTER.kubectl("-n", NAMESPACE, "apply", "-f", "-", check=False, text=json.dumps(written))
        self.assertIn('unknown field "spec.replica"', said)

    def test_columns_names_and_subresources_are_what_people_rely_on(self):
        definition = CLUSTER.get("customresourcedefinition", "smscfrontends.smsc.ims.dev")["spec"]
        [version] = definition["versions"]
        columns = [(column["name"], column.get("priority", 0)) for column in version["additionalPrinterColumns"]]
        self.assertEqual(
            [("Ready", 0), ("Replicas", 0), ("Location", 0), ("Address", 0), ("Age", 0), ("Backend", 1), ("Reason", 1)], columns,
        )
        self.assertEqual((["smsc"], "Namespaced"), (definition["names"]["shortNames"], definition["scope"]))
        self.assertEqual(
            {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                                     "labelSelectorPath": ".status.selector"}},
            version["subresources"],
        )


def resource(change):
    """The smallest resource, with these values by path."""
    made = copy.deepcopy(TABLE["smallest"])
    for path, value in change.items():
        *way, last = path.split("/")
        at = made
        for part in way:
            at = at[part]
        at[last] = value
    return made
