//! The pod template: one container, everything it reads mounted, nothing it could misuse.

use std::time::Duration;

use k8s_openapi::DeepMerge as _;
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    HTTPGetAction, KeyToPath, Lifecycle, LifecycleHandler, ObjectFieldSelector, PodAffinityTerm,
    PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, SeccompProfile, SecretVolumeSource,
    SecurityContext, SleepAction, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use smsc_config::Config;
use smsc_crds::{CaSource, ExposureType, PullPolicy, Transport};

use super::{pods, sip_ports};
use crate::config::restart_hash;
use crate::names::{
    ADMIN_PORT, BACKEND_CA_DIR, BACKEND_CLIENT_DIR, BACKEND_TOKEN_DIR, CONFIG_DIR, CONFIG_HASH, CONTAINER,
    RELAY_DIR, RELAY_PORT, SIP_TLS_DIR, labels,
};
use crate::validate::Validated;

/// The user of images without a user database (`nonroot`).
const USER: i64 = 65_532;
/// How long endpoints of a pod that stops are still used by some.
const SETTLING: Duration = Duration::from_secs(5);
/// What ending takes besides waiting.
const MARGIN: Duration = Duration::from_secs(10);

/// The template, with the resource's overrides merged over it.
pub(super) fn template(resource: &Validated) -> PodTemplateSpec {
    let spec = &resource.resource.spec;
    let mut labels_of_pod = spec.pod.labels.clone();
    labels_of_pod.extend(labels(&resource.names.workload));
    let mut annotations = spec.pod.annotations.clone();
    annotations.insert(CONFIG_HASH.to_owned(), restart_hash(&resource.shared));
    if let Some(multus) = &spec.sip.exposure.multus {
        annotations.insert("k8s.v1.cni.cncf.io/networks".to_owned(), multus.networks.clone());
    }
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels_of_pod),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(resource)),
    };
    if let Some(overrides) = &resource.overrides {
        template.merge_from(overrides.clone());
    }
    template
}

fn pod(resource: &Validated) -> PodSpec {
    let wanted = &resource.resource.spec.pod;
    let on_node = resource.resource.spec.sip.exposure.kind == ExposureType::HostNetwork;
    let (volumes, mounts) = mounted(resource);
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        host_network: on_node.then_some(true),
        dns_policy: on_node.then(|| "ClusterFirstWithHostNet".to_owned()),
        termination_grace_period_seconds: Some(seconds(grace(&resource.shared))),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        node_selector: (!wanted.node_selector.is_empty()).then(|| wanted.node_selector.clone()),
        tolerations: (!wanted.tolerations.is_empty()).then(|| wanted.tolerations.clone()),
        affinity: Some(wanted.affinity.clone().unwrap_or_else(|| apart(resource, on_node))),
        topology_spread_constraints: (!wanted.topology_spread_constraints.is_empty())
            .then(|| wanted.topology_spread_constraints.clone()),
        priority_class_name: wanted.priority_class_name.clone(),
        image_pull_secrets: (!wanted.image_pull_secrets.is_empty())
            .then(|| wanted.image_pull_secrets.clone()),
        containers: vec![container(resource, mounts)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn container(resource: &Validated, mounts: Vec<VolumeMount>) -> Container {
    let spec = &resource.resource.spec;
    Container {
        name: CONTAINER.to_owned(),
        image: Some(resource.image.clone()),
        image_pull_policy: spec.image_pull_policy.map(|policy| {
            match policy {
                PullPolicy::Always => "Always",
                PullPolicy::IfNotPresent => "IfNotPresent",
                PullPolicy::Never => "Never",
            }
            .to_owned()
        }),
        args: Some(vec!["run".to_owned(), "--config".to_owned(), format!("{CONFIG_DIR}/$(POD_NAME).yaml")]),
        env: Some(vec![
            field("POD_NAME", "metadata.name"),
            field("POD_IP", "status.podIP"),
            field("HOST_IP", "status.hostIP"),
        ]),
        ports: Some(ports(&spec.sip.transports)),
        resources: spec.resources.clone(),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(3),
            ..probe("/livez")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(2),
            failure_threshold: Some(2),
            ..probe("/readyz")
        }),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: seconds(SETTLING) }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// The sleep before the stop, the drain, what an open delivery may take (tr1n), and a margin.
pub(super) fn grace(config: &Config) -> Duration {
    SETTLING + config.timers.drain_settle + config.timers.tr1n + MARGIN
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// On different nodes: if possible; with the node's own ports, always. Frontends of other resources need no word: the
/// scheduler never puts two pods with the same ports on the network of one node, and others may stand beside them.
fn apart(resource: &Validated, on_node: bool) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(pods(resource)),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let apart = if on_node {
        PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        }
    } else {
        PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: term,
            }]),
            ..PodAntiAffinity::default()
        }
    };
    Affinity { pod_anti_affinity: Some(apart), ..Affinity::default() }
}

/// What the container reads, each in a directory of its own, so that the kubelet refreshes it in a running pod.
fn mounted(resource: &Validated) -> (Vec<Volume>, Vec<VolumeMount>) {
    let spec = &resource.resource.spec;
    let mut volumes = vec![
        (CONFIG_DIR, config_map("config", &resource.names.config)),
        (RELAY_DIR, secret("relay-key", &resource.names.relay_key)),
    ];
    if let Some(tls) = &spec.backend.tls {
        if let Some(ca) = &tls.ca_ref {
            let item = KeyToPath { key: ca.key.clone(), path: ca.key.clone(), mode: None };
            let volume = match ca.kind {
                CaSource::ConfigMap => Volume {
                    config_map: Some(ConfigMapVolumeSource {
                        name: ca.name.clone(),
                        items: Some(vec![item]),
                        ..ConfigMapVolumeSource::default()
                    }),
                    name: "backend-ca".to_owned(),
                    ..Volume::default()
                },
                // Of a Secret only the certificate: its private key is none of the frontend's business.
                CaSource::Secret => Volume {
                    secret: Some(SecretVolumeSource {
                        secret_name: Some(ca.name.clone()),
                        items: Some(vec![item]),
                        ..SecretVolumeSource::default()
                    }),
                    name: "backend-ca".to_owned(),
                    ..Volume::default()
                },
            };
            volumes.push((BACKEND_CA_DIR, volume));
        }
        if let Some(client) = &tls.client_cert_secret_ref {
            volumes.push((BACKEND_CLIENT_DIR, secret("backend-client", &client.name)));
        }
    }
    if let Some(token) = &spec.backend.token_secret_ref {
        volumes.push((BACKEND_TOKEN_DIR, secret("backend-token", &token.name)));
    }
    if let Some(tls) = &spec.sip.tls_secret_ref {
        volumes.push((SIP_TLS_DIR, secret("sip-tls", &tls.name)));
    }
    let mounts = volumes
        .iter()
        .map(|(path, volume)| VolumeMount {
            name: volume.name.clone(),
            mount_path: (*path).to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        })
        .collect();
    (volumes.into_iter().map(|(_, volume)| volume).collect(), mounts)
}

fn config_map(volume: &str, name: &str) -> Volume {
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource { name: name.to_owned(), ..ConfigMapVolumeSource::default() }),
        ..Volume::default()
    }
}

fn secret(volume: &str, name: &str) -> Volume {
    Volume {
        name: volume.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(name.to_owned()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), api_version: None }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn ports(transports: &[Transport]) -> Vec<ContainerPort> {
    let port = |name: &str, protocol: &str, number: u16| ContainerPort {
        name: Some(name.to_owned()),
        protocol: Some(protocol.to_owned()),
        container_port: i32::from(number),
        ..ContainerPort::default()
    };
    sip_ports(transports)
        .map(|(name, protocol, number)| port(name, protocol, number))
        .chain([port("relay", "TCP", RELAY_PORT), port("admin", "TCP", ADMIN_PORT)])
        .collect()
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}
