//! The NetworkPolicy: SIP from peers, relay among pods, health and metrics from the cluster.

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{metadata, pods, sip_ports};
use crate::names::{ADMIN_PORT, RELAY_PORT};
use crate::validate::Validated;

pub(super) fn build(resource: &Validated) -> NetworkPolicy {
    let spec = &resource.resource.spec;
    let sip = sip_ports(&spec.sip.transports).map(|(_, protocol, number)| port(protocol, number)).collect();
    let peers = peers(resource);
    let among = NetworkPolicyPeer { pod_selector: Some(pods(resource)), ..NetworkPolicyPeer::default() };
    let cluster = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    let from = |ports: Vec<NetworkPolicyPort>, from: Option<Vec<NetworkPolicyPeer>>| {
        NetworkPolicyIngressRule { ports: Some(ports), from }
    };
    NetworkPolicy {
        metadata: metadata(resource, &resource.names.workload),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods(resource)),
            // The backend and the core are names, and a policy knows only addresses: what goes out is not limited.
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![
                from(sip, peers),
                from(vec![port("TCP", RELAY_PORT)], Some(vec![among.clone()])),
                from(vec![port("TCP", ADMIN_PORT)], Some(vec![cluster])),
            ]),
            egress: None,
        }),
    }
}

fn peers(resource: &Validated) -> Option<Vec<NetworkPolicyPeer>> {
    let spec = &resource.resource.spec;
    let named = &spec.network_policy.sip_from;
    let networks = if named.is_empty() { spec.sip.trusted_peers.as_ref()? } else { named };
    let block = |network: &String| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr(network), except: None }),
        ..NetworkPolicyPeer::default()
    };
    Some(networks.iter().map(block).collect())
}

/// A single address as the network of itself.
fn cidr(network: &str) -> String {
    match network {
        network if network.contains('/') => network.to_owned(),
        address if address.contains(':') => format!("{address}/128"),
        address => format!("{address}/32"),
    }
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        end_port: None,
    }
}
