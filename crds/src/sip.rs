//! `spec.sip`: how frontends meet the IMS core.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Advertise, Exposure, NameReference};

/// SIP towards the IMS core.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.transports.exists(t, t == 'TLS') == has(self.tlsSecretRef)")
        .message("sip.tlsSecretRef and the transport TLS belong together: give both or neither"),
    validation = Rule::new("!has(self.advertise) || !has(self.advertise.from) || self.advertise.from != 'LoadBalancer' || (self.exposure.type == 'Service' && has(self.exposure.service) && self.exposure.service.type == 'LoadBalancer')")
        .message("sip.advertise.from: LoadBalancer needs sip.exposure.type: Service with service.type: LoadBalancer")
)]
pub struct Sip {
    /// What is listened for. UDP and TCP on port 5060, TLS on 5061.
    #[serde(default = "udp_and_tcp")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub transports: Vec<Transport>,

    /// A Secret with tls.crt, tls.key and ca.crt, as cert-manager writes it: what is shown to peers, and the authorities that
    /// peers' certificates come from. For the transport TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret_ref: Option<NameReference>,

    /// Who may send requests: addresses and networks. Absent: the addresses of sCSCFURI and imsDomain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 2, max = 49)))]
    #[x_kube(validation = Rule::new("self.all(peer, peer.matches('^[0-9a-fA-F.:]+(/[0-9]{1,3})?$'))")
        .message("sip.trustedPeers are addresses or networks, such as 10.0.0.0/8 or 2001:db8::1"))]
    pub trusted_peers: Option<Vec<String>>,

    /// Where handsets send their reports: a provisioned PSI, or `pod` or `message` where the HSS has a wildcard PSI.
    /// Absent: sip:smsc@ and the location of pod 0.
    #[serde(rename = "reportURI", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 256))]
    #[x_kube(validation = Rule::new(r"self in ['pod', 'message'] || self.matches('^(sip|tel):[^\\s]+$')")
        .message("sip.reportURI must be a sip: or tel: URI, or pod, or message"))]
    pub report_uri: Option<String>,

    /// Subscriptions to the reg event (RFC 3680).
    #[serde(default)]
    pub reg_event: RegEvent,

    /// How the core reaches the pods.
    #[serde(default)]
    pub exposure: Exposure,

    /// What Via and Contact say. Absent: the pod's own address, with HostNetwork the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertise: Option<Advertise>,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            transports: udp_and_tcp(),
            tls_secret_ref: None,
            trusted_peers: None,
            report_uri: None,
            reg_event: RegEvent::default(),
            exposure: Exposure::default(),
            advertise: None,
        }
    }
}

/// A transport of SIP (RFC 3261 §18).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum Transport {
    /// UDP on port 5060.
    #[serde(rename = "UDP")]
    Udp,
    /// TCP on port 5060.
    #[serde(rename = "TCP")]
    Tcp,
    /// TLS on port 5061.
    #[serde(rename = "TLS")]
    Tls,
}

/// Whether the S-CSCF is asked for each subscriber's contacts when a third-party REGISTER comes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegEvent {
    /// Off by default.
    #[serde(default)]
    pub enabled: bool,
    /// The lifetime asked for; absent: the frontend's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 604_800))]
    pub expires_seconds: Option<i32>,
    /// Whose identity a SUBSCRIBE asserts.
    #[serde(default)]
    pub identity: AssertedIdentity,
}

/// Whose identity a SUBSCRIBE asserts (TS 24.229 §5.7.1.1).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum AssertedIdentity {
    /// The application server's own.
    #[default]
    Own,
    /// The subscriber's, for an S-CSCF that refuses the server's own (Kamailio's does).
    Presentity,
}

fn udp_and_tcp() -> Vec<Transport> {
    vec![Transport::Udp, Transport::Tcp]
}
