//! Everything that is built, as whole objects: what `tests/built/*.yaml` has. `SMSC_WRITE_BUILT=1` writes them anew; the
//! difference is then for a person to judge, for names, labels and selectors are API.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};
use smsc_crds::SmscFrontend;
use smsc_operator::build::{Objects, build};
use smsc_operator::locations::{PollingMap, wanted};
use smsc_operator::validate::{Surroundings, Validated, validate};

fn minimal() -> Value {
    json!({
        "apiVersion": "smsc.ims.dev/v1alpha1",
        "kind": "SmscFrontend",
        "metadata": {"name": "home", "namespace": "ims", "uid": "0d2f1f4c-0000-4000-8000-000000000001", "generation": 1},
        "spec": {
            "imsDomain": "ims.mnc001.mcc001.3gppnetwork.org",
            "location": "smsc01.mnc001.mcc001.3gppnetwork.org",
            "backend": {"apiBaseURL": "https://10.5.198.200:8443"}
        }
    })
}

fn full() -> Value {
    let mut resource = minimal();
    resource["spec"] = json!({
        "imsDomain": "ims.mnc001.mcc001.3gppnetwork.org",
        "location": "smsc01.mnc001.mcc001.3gppnetwork.org",
        "replicas": 2,
        "sCSCFURI": "sip:scscf.ims.mnc001.mcc001.3gppnetwork.org:6060",
        "scAddress": "+447700900999",
        "image": "registry.example.org/smsc-frontend:1",
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}},
        "backend": {
            "apiBaseURL": "https://backend.example.org:8443",
            "tls": {"caRef": {"kind": "ConfigMap", "name": "backend-ca"}, "clientCertSecretRef": {"name": "backend-client"}},
            "tokenSecretRef": {"name": "backend-token", "key": "token"},
            "endpoints": {"getQueue": "/v2/queue"}
        },
        "sip": {
            "transports": ["TLS", "UDP", "TCP"],
            "tlsSecretRef": {"name": "sip-tls"},
            "trustedPeers": ["10.0.0.0/8", "2001:db8::1"],
            "reportURI": "sip:smsc@mnc001.mcc001.3gppnetwork.org",
            "regEvent": {"enabled": true, "expiresSeconds": 1800, "identity": "Presentity"},
            "exposure": {"type": "Service", "service": {"type": "LoadBalancer", "perPod": true,
                "allocateLoadBalancerNodePorts": false, "annotations": {"lb.example.org/pool": "sip"}}},
            "advertise": {"from": "LoadBalancer", "port": 5062}
        },
        "polling": {"intervalMilliseconds": 1500, "flushCooldownMilliseconds": 500, "batch": 100},
        "limits": {"openMo": 500, "submissionsPerSecond": 2000},
        "log": {"level": "debug", "format": "Text"},
        "pod": {
            "labels": {"team": "messaging", "app.kubernetes.io/name": "not-this"},
            "annotations": {"note": "kept"},
            "nodeSelector": {"pool": "sip"},
            "priorityClassName": "telephony",
            "imagePullSecrets": [{"name": "registry"}],
            "overrides": {"spec": {"containers": [{"name": "sidecar", "image": "tap:1"}, {"name": "frontend",
                "env": [{"name": "RUST_BACKTRACE", "value": "1"}]}]}}
        },
        "networkPolicy": {"enabled": true},
        "monitoring": {"enabled": true, "intervalSeconds": 15, "labels": {"release": "prometheus"}}
    });
    resource
}

fn validated(resource: Value) -> Validated {
    let resource: SmscFrontend = serde_json::from_value(resource).expect("the fixture is of the right shape");
    let surroundings = Surroundings {
        image: "smsc-frontend:0.1.0".to_owned(),
        load_balancer: Some("192.0.2.10".to_owned()),
        pod_monitors: true,
    };
    let replicas = u8::try_from(resource.spec.replicas).expect("a small number");
    let polling = PollingMap::default().step(&wanted(&resource.spec.location, replicas, &[]), |_, _| true);
    validate(&resource, &surroundings, polling, replicas).expect("the fixture is valid")
}

/// Every object as YAML, in the order they are applied.
fn written(objects: &Objects) -> String {
    let Objects { config_map, relay, sip, stateful_set, disruption_budget, network_policy, pod_monitor } =
        objects;
    let mut documents = vec![yaml(config_map), yaml(relay)];
    documents.extend(sip.iter().map(yaml));
    documents.extend(disruption_budget.iter().map(yaml));
    documents.extend(network_policy.iter().map(yaml));
    documents.extend(pod_monitor.iter().map(yaml));
    documents.push(yaml(stateful_set));
    documents.join("---\n")
}

fn yaml(object: &impl Serialize) -> String {
    serde_yaml::to_string(object).expect("an object is a tree of text keys")
}

fn assert_built(name: &str, resource: Value) {
    let found = written(&build(&validated(resource)));
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/built").join(name);
    if std::env::var_os("SMSC_WRITE_BUILT").is_some() {
        std::fs::write(&file, &found).expect("the fixture can be written");
    }
    let expected = std::fs::read_to_string(&file).expect("the fixture is checked in");
    assert!(found == expected, "{name} is not what is built:\n{found}");
}

#[test]
fn the_smallest_resource_becomes_these_objects() {
    assert_built("minimal.yaml", minimal());
}

#[test]
fn a_resource_with_everything_becomes_these_objects() {
    assert_built("full.yaml", full());
}

#[test]
fn on_the_nodes_own_address_there_is_no_service_and_never_two_pods_on_a_node() {
    let mut resource = minimal();
    resource["spec"]["sip"] = json!({"exposure": {"type": "HostNetwork"}});
    assert_built("host-network.yaml", resource);
}

#[test]
fn a_secondary_network_is_an_annotation_and_its_interface_is_advertised() {
    let mut resource = minimal();
    resource["spec"]["sip"] = json!({"exposure": {"type": "Multus", "multus": {"networks": "sip-net"}}});
    assert_built("multus.yaml", resource);
}

#[test]
fn what_needs_no_restart_leaves_the_template_as_it_is() {
    let template = |resource: Value| build(&validated(resource)).stateful_set;
    let before = template(minimal());
    let live = [
        ("log", json!({"level": "debug"})),
        ("sip", json!({"trustedPeers": ["10.0.0.0/8"]})),
        ("paused", json!(true)),
    ];
    for (field, value) in live {
        let mut resource = minimal();
        resource["spec"][field] = value;
        assert_eq!(template(resource), before, "{field}");
    }
    let mut resource = minimal();
    resource["spec"]["polling"] = json!({"batch": 7});
    assert_ne!(template(resource), before);
}

#[test]
fn overrides_that_would_be_lost_or_take_pods_away_are_refused_by_name() {
    let refused = [
        (
            json!({"spec": {"contaners": []}}),
            "pod.overrides: spec.contaners is not a field of a PodTemplateSpec",
        ),
        (
            json!({"spec": {"containers": [{"name": "frontend", "port": 1}]}}),
            "pod.overrides: spec.containers[0].port is not a field of a PodTemplateSpec",
        ),
        (
            json!({"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}}),
            "pod.overrides: the label app.kubernetes.io/instance selects the pods and cannot be changed",
        ),
    ];
    for (overrides, words) in refused {
        let mut resource = minimal();
        resource["spec"]["pod"] = json!({"overrides": overrides});
        let resource: SmscFrontend =
            serde_json::from_value(resource).expect("the fixture is of the right shape");
        let fault =
            validate(&resource, &Surroundings::default(), PollingMap::default(), 1).expect_err("a fault");
        assert_eq!(fault.to_string(), words);
    }
}

#[test]
fn what_a_frontend_would_refuse_names_the_field() {
    let mut resource = minimal();
    resource["spec"]["sip"] = json!({"trustedPeers": ["10.0.0.0/33"]});
    let resource: SmscFrontend = serde_json::from_value(resource).expect("the fixture is of the right shape");
    let fault = validate(&resource, &Surroundings::default(), PollingMap::default(), 1).expect_err("a fault");
    assert!(fault.to_string().starts_with("sip.trustedPeers: "), "{fault}");
}
