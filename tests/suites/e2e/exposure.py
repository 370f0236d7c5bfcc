"""Who may have a location, and how the core reaches the pods."""

import contextlib

from handsets import Handsets

from .traffic import HANDSETS
from .world import CLUSTER, World, location


class Locations(World):
    def test_the_younger_of_two_with_one_location_waits_for_the_older_to_go(self):
        self.up()
        self.create("second", location=location(1))  # what pod 1 of the other would have
        message = self.await_condition("Stalled", "True", "LocationConflict", "second")
        self.assertEqual(f"{self.namespace}/home has {location(1)} or an ordinal of it at this backend already", message)
        self.assertEqual([], self.list("statefulsets", "app.kubernetes.io/instance=second") + self.list("services", "app.kubernetes.io/instance=second"))
        self.eventually("the event", lambda: self.events("second") == {"LocationConflict": 1})
        self.assertEqual(("True", "AsSpecified"), self.conditions()["Ready"])
        self.delete("smscfrontends")
        self.ready("second")
        self.assertEqual([location(1)], self.registered())


class Exposure(World):
    def sends_through(self, to):
        """The status a submission gets there, from a port of its own: nodes remember where those they know led to."""
        with contextlib.closing(Handsets(CLUSTER.host)) as handsets:
            return handsets.wait(handsets.submit("hello", HANDSETS[0], to=to))

    def test_the_pod_sees_the_client_s_address_behind_a_load_balancer(self):
        service = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "perPod": False}
        self.create(sip={"trustedPeers": [CLUSTER.host], "exposure": {"service": service}, "advertise": {"from": "LoadBalancer"}})
        resource = self.ready()
        [ingress] = self.get("services", "home-sip")["status"]["loadBalancer"]["ingress"]
        self.assertEqual(f"{ingress['ip']}:5060", resource["status"]["address"])
        self.assertEqual(("True", "AsSpecified"), self.conditions()["AddressResolved"])
        self.assertEqual(202, self.sends_through((ingress["ip"], 5060)))
        # The test can fail: through a node port the node's address is what the pod sees.
        self.change("smscfrontends", {"spec": {"sip": {"exposure": {"service": {"externalTrafficPolicy": "Cluster"}}}}})
        self.eventually("the other policy", lambda: self.get("services", "home-sip")["spec"]["externalTrafficPolicy"] == "Cluster")
        self.eventually("refusal", lambda: self.sends_through((ingress["ip"], 5060)) == 403)

    test_the_pod_sees_the_client_s_address_behind_a_load_balancer.needs = "a load balancer"

    def test_on_the_nodes_own_network_there_is_a_pod_on_each(self):
        self.kubectl("label", "--overwrite", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=privileged")
        self.create(replicas=2, sip={"exposure": {"type": "HostNetwork", "service": None}})
        self.ready()
        nodes = {node["metadata"]["name"]: node["status"]["addresses"][0]["address"] for node in CLUSTER.get("nodes")["items"]}
        self.assertEqual(nodes, {pod["spec"]["nodeName"]: pod["status"]["podIP"] for pod in self.pods()})
        self.assertEqual([200, 200], [self.handsets.register(HANDSETS[0], to=(address, 5060)) for address in nodes.values()])
        self.assertIsNone(self.get("services", "home-sip"))

    test_on_the_nodes_own_network_there_is_a_pod_on_each.needs = "two nodes whose ports are free"
