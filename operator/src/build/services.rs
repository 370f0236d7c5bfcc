//! Services: the headless one for the relay, and those the core reaches.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use smsc_crds::{ExposureType, ServiceExposure, ServiceType, TrafficPolicy};

use super::{metadata, sip_ports};
use crate::names::{RELAY_PORT, selector};
use crate::validate::Validated;

/// Pods find each other by name also while they are not Ready: a draining pod still takes reports of its own.
pub(super) fn relay(resource: &Validated) -> Service {
    Service {
        metadata: metadata(resource, &resource.names.relay),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector(&resource.names.workload)),
            ports: Some(vec![port("relay", "TCP", RELAY_PORT)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// One for all pods and, where asked for, one for each.
pub(super) fn sip(resource: &Validated) -> Vec<Service> {
    let exposure = &resource.resource.spec.sip.exposure;
    if exposure.kind != ExposureType::Service {
        return Vec::new();
    }
    let service = exposure.service.clone().unwrap_or_default();
    let mut services = vec![reached(resource, &service, None)];
    if service.per_pod {
        services.extend((0..resource.replicas).map(|ordinal| reached(resource, &service, Some(ordinal))));
    }
    services
}

fn reached(resource: &Validated, service: &ServiceExposure, ordinal: Option<u8>) -> Service {
    let names = &resource.names;
    let mut selector = selector(&names.workload);
    let name = match ordinal {
        Some(ordinal) => {
            selector.insert("statefulset.kubernetes.io/pod-name".to_owned(), names.pod(ordinal));
            names.sip_of_pod(ordinal)
        }
        None => names.sip.clone(),
    };
    let kind = match service.kind {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    // Local by default: trusted peers are judged by their source address.
    let policy = match service.external_traffic_policy {
        Some(TrafficPolicy::Cluster) => "Cluster",
        Some(TrafficPolicy::Local) | None => "Local",
    };
    let outside = service.kind != ServiceType::ClusterIP;
    let mut metadata = metadata(resource, &name);
    metadata.annotations = (!service.annotations.is_empty()).then(|| service.annotations.clone());
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            selector: Some(selector),
            external_traffic_policy: outside.then(|| policy.to_owned()),
            allocate_load_balancer_node_ports: service.allocate_load_balancer_node_ports,
            ports: Some(
                sip_ports(&resource.resource.spec.sip.transports)
                    .map(|(name, protocol, number)| port(name, protocol, number))
                    .collect(),
            ),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn port(name: &str, protocol: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        port: i32::from(number),
        target_port: Some(IntOrString::Int(i32::from(number))),
        ..ServicePort::default()
    }
}
