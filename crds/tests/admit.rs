//! What the rules of the definition accept and refuse, and the words they do it with. The end-to-end suite puts the same
//! table before a real API server, which is the judge; this is the quick check.

use kube::core::cel::{validate_cel, validate_cel_update};
use serde_json::{Value, json};
use smsc_crds::SmscFrontend;

/// The smallest resource there can be.
fn minimal() -> Value {
    json!({
        "apiVersion": "smsc.ims.dev/v1alpha1",
        "kind": "SmscFrontend",
        "metadata": {"name": "home"},
        "spec": {
            "imsDomain": "ims.mnc001.mcc001.3gppnetwork.org",
            "location": "smsc01.mnc001.mcc001.3gppnetwork.org",
            "backend": {"apiBaseURL": "https://10.5.198.200:8443"}
        }
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut resource = minimal();
    let mut at = &mut resource;
    for part in path.split('/') {
        at = &mut at[part];
    }
    *at = value;
    resource
}

fn judge(resource: Value) -> Result<(), String> {
    let resource: SmscFrontend =
        serde_json::from_value(resource).expect("the resource is of the right shape");
    validate_cel(&resource).map_err(|errors| format!("{errors:?}"))
}

#[test]
fn the_smallest_resource_is_accepted() {
    assert_eq!(judge(minimal()), Ok(()));
}

#[test]
fn what_users_write_is_accepted() {
    let backend = "spec/backend";
    let accepted = [
        with("metadata/name", json!("a234567890123456789012345678901234567890")),
        with("spec/sCSCFURI", json!("sip:[2001:db8::1]:5060;transport=tcp")),
        with("spec/scAddress", json!("+447700900999")),
        with("spec/replicas", json!(0)),
        with(
            backend,
            json!({"apiBaseURL": "http://store.smsc:8444", "endpoints": {"processMessage": "/v2/messages/{id}"}}),
        ),
        with(
            backend,
            json!({"apiBaseURL": "https://b.example.org/base", "tokenSecretRef": {"name": "token", "key": "token"},
                "tls": {"caRef": {"kind": "ConfigMap", "name": "ca"}, "clientCertSecretRef": {"name": "client"}}}),
        ),
        with("spec/sip", json!({"transports": ["UDP", "TLS"], "tlsSecretRef": {"name": "sip-tls"}})),
        with("spec/sip", json!({"trustedPeers": ["10.0.0.0/8", "2001:db8::1"], "reportURI": "pod"})),
        with(
            "spec/sip",
            json!({"exposure": {"type": "Service", "service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local",
                "allocateLoadBalancerNodePorts": false, "perPod": true}}, "advertise": {"from": "LoadBalancer"}}),
        ),
        with(
            "spec/sip",
            json!({"exposure": {"type": "HostNetwork"}, "advertise": {"from": "NodeIP", "port": 5060}}),
        ),
        with("spec/sip", json!({"exposure": {"type": "Multus", "multus": {"networks": "sip-net"}}})),
        with("spec/log", json!({"level": "info,smsc_frontend::engine=debug"})),
    ];
    for resource in accepted {
        assert_eq!(judge(resource.clone()), Ok(()), "{resource}");
    }
}

#[test]
fn what_cannot_work_is_refused_in_words_a_person_understands() {
    let url = "spec/backend/apiBaseURL";
    let refused = [
        (with("metadata/name", json!("001-01")), "metadata.name must be lower-case letters"),
        (with("metadata/name", json!("ims.mnc001")), "metadata.name must be lower-case letters"),
        (with("metadata/name", json!("a2345678901234567890123456789012345678901")), "at most 40 characters"),
        (with("spec/imsDomain", json!("localhost")), "imsDomain must be a fully qualified domain name"),
        (with("spec/location", json!("smsc01")), "location must be a fully qualified domain name"),
        (
            with("spec/location", json!(format!("{}.example.org", "a".repeat(61)))),
            "first label has at most 60 characters",
        ),
        (with("spec/sCSCFURI", json!("scscf.example.org")), "sCSCFURI must be a SIP URI"),
        (with("spec/sCSCFURI", json!("sip:me@scscf.example.org")), "sCSCFURI must be a SIP URI"),
        (with("spec/scAddress", json!("0x12")), "scAddress must be a telephone number"),
        (with(url, json!("embedded")), "install the chart's store"),
        (with(url, json!("ftp://example.org")), "apiBaseURL must be an http:// or https:// URL"),
        (with(url, json!("https://u:p@example.org")), "carries credentials"),
        (
            with(
                "spec/backend",
                json!({"apiBaseURL": "http://example.org", "tls": {"insecureSkipVerify": true}}),
            ),
            "apiBaseURL is not an https:// URL",
        ),
        (
            with(
                "spec/backend",
                json!({"apiBaseURL": "https://example.org", "tls": {"insecureSkipVerify": true, "caRef": {"kind": "Secret", "name": "ca"}}}),
            ),
            "exclude each other",
        ),
        (
            with(
                "spec/backend",
                json!({"apiBaseURL": "https://example.org", "endpoints": {"getQueue": "queue"}}),
            ),
            "endpoints are paths",
        ),
        (
            with(
                "spec/backend",
                json!({"apiBaseURL": "https://example.org", "endpoints": {"processMessage": "/m"}}),
            ),
            "must contain {id}",
        ),
        (
            with("spec/sip", json!({"transports": ["TLS"]})),
            "sip.tlsSecretRef and the transport TLS belong together",
        ),
        (
            with("spec/sip", json!({"tlsSecretRef": {"name": "sip-tls"}})),
            "sip.tlsSecretRef and the transport TLS",
        ),
        (with("spec/sip", json!({"trustedPeers": ["core.example.org"]})), "addresses or networks"),
        (with("spec/sip", json!({"reportURI": "smsc@example.org"})), "sip.reportURI must be"),
        (
            with("spec/sip", json!({"advertise": {"from": "LoadBalancer"}})),
            "needs sip.exposure.type: Service",
        ),
        (with("spec/sip", json!({"advertise": {"from": "PodIP", "address": "192.0.2.1"}})), "exactly one of"),
        (with("spec/sip", json!({"advertise": {"port": 5060}})), "exactly one of"),
        (
            with("spec/sip", json!({"exposure": {"type": "HostNetwork", "service": {"type": "NodePort"}}})),
            "sip.exposure.service belongs to type: Service",
        ),
        (with("spec/sip", json!({"exposure": {"type": "Multus"}})), "sip.exposure.multus and type: Multus"),
        (
            with(
                "spec/sip",
                json!({"exposure": {"service": {"type": "ClusterIP", "externalTrafficPolicy": "Local"}}}),
            ),
            "no meaning for type: ClusterIP",
        ),
        (
            with(
                "spec/sip",
                json!({"exposure": {"service": {"type": "NodePort", "allocateLoadBalancerNodePorts": false}}}),
            ),
            "belongs to type: LoadBalancer",
        ),
        (with("spec/log", json!({"level": "info; rm"})), "log.level must be"),
    ];
    for (resource, words) in refused {
        match judge(resource.clone()) {
            Ok(()) => panic!("accepted: {resource}"),
            Err(said) => assert!(said.contains(words), "{resource}\n said {said}\n not  {words}"),
        }
    }
}

#[test]
fn domain_and_location_never_change() {
    let parse =
        |resource: Value| serde_json::from_value::<SmscFrontend>(resource).expect("of the right shape");
    let old = parse(minimal());
    for (path, words) in
        [("spec/imsDomain", "imsDomain cannot be changed"), ("spec/location", "location cannot be changed")]
    {
        let mut new = with(path, json!("other.example.org"));
        new["spec"]["replicas"] = json!(0);
        let said = format!("{:?}", validate_cel_update(&parse(new), &old).expect_err("a change is refused"));
        assert!(said.contains(words), "{said}");
    }
    let scaled = parse(with("spec/replicas", json!(3)));
    assert!(validate_cel_update(&scaled, &old).is_ok());
}
