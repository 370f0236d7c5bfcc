//! `spec.sip.exposure` and `spec.sip.advertise`: how the core reaches pods, and what Via and Contact say.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the core reaches the pods; `type` says which of the others holds.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.service) || self.type == 'Service'")
        .message("sip.exposure.service belongs to type: Service"),
    validation = Rule::new("has(self.multus) == (self.type == 'Multus')")
        .message("sip.exposure.multus and type: Multus belong together: give both or neither")
)]
pub struct Exposure {
    /// The way in.
    #[serde(rename = "type", default)]
    pub kind: ExposureType,
    /// With type Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceExposure>,
    /// With type Multus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multus: Option<Multus>,
}

/// The ways the core reaches pods.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ExposureType {
    /// Through a Service. Gives failover; one fixed flow stays on one pod.
    #[default]
    Service,
    /// On the node's own address; at most one pod per node.
    HostNetwork,
    /// On an address of the pod's own in another network.
    Multus,
}

/// The Service in front of the pods.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.externalTrafficPolicy) || self.type != 'ClusterIP'")
        .message("sip.exposure.service.externalTrafficPolicy has no meaning for type: ClusterIP"),
    validation = Rule::new("!has(self.allocateLoadBalancerNodePorts) || self.type == 'LoadBalancer'")
        .message("sip.exposure.service.allocateLoadBalancerNodePorts belongs to type: LoadBalancer")
)]
pub struct ServiceExposure {
    /// What kind of Service.
    #[serde(rename = "type", default)]
    pub kind: ServiceType,
    /// Local keeps the peer's source address, which `trustedPeers` judge; the default outside ClusterIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// A Service for each pod besides, so that SRV records or several peers spread the load.
    #[serde(default)]
    pub per_pod: bool,
    /// Whether a load balancer gets node ports, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// Annotations of the Service, for the load balancer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), inner(length(max = 1024)))]
    pub annotations: BTreeMap<String, String>,
}

/// Kinds of Service.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ServiceType {
    /// Reached from inside the cluster.
    #[default]
    ClusterIP,
    /// Reached at a port of every node.
    NodePort,
    /// Reached at an address of a load balancer.
    LoadBalancer,
}

/// Which pods a node hands traffic from outside to.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum TrafficPolicy {
    /// All; the source address is rewritten.
    Cluster,
    /// Those on the same node; the source address stays.
    Local,
}

/// An address of the pod's own by the Multus network plugin.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
pub struct Multus {
    /// The annotation `k8s.v1.cni.cncf.io/networks`, as it stands.
    #[schemars(length(min = 1, max = 4096))]
    pub networks: String,
    /// The interface whose address goes into Via and Contact.
    #[serde(default = "net1")]
    #[schemars(length(min = 1, max = 15))]
    pub interface: String,
}

/// What Via and Contact say.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.address) != has(self.from)")
        .message("sip.advertise needs exactly one of address and from")
)]
pub struct Advertise {
    /// A fixed address or host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub address: Option<String>,
    /// Where the address comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AdvertiseFrom>,
    /// The port; absent: the listener's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,
}

/// Where the advertised address comes from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum AdvertiseFrom {
    /// The pod's address.
    PodIP,
    /// The node's address.
    NodeIP,
    /// The Service's load balancer, once it has an address.
    LoadBalancer,
}

fn net1() -> String {
    "net1".to_owned()
}
