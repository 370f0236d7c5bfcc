//! How `sip.tls`, TLS listeners and TLS next hops fit together.

use super::Findings;
use crate::config::Config;
use crate::names;
use crate::problem::KeyPath;
use crate::sip_tls::{SipTls, VerifyPeers};
use crate::values::Transport;

pub(super) fn values(tls: &SipTls, findings: &mut Findings) {
    for (at, name) in tls.trusted_names.iter().flatten().enumerate() {
        if findings.full() {
            break;
        }
        findings.test(KeyPath::from("sip.tls.trusted_names").index(at), names::host(name));
    }
}

pub(super) fn relations(config: &Config, findings: &mut Findings) {
    let SipTls { cert_file, key_file, ca_file, verify_peers, trusted_names } = &config.sip.tls;
    match (cert_file, key_file) {
        (Some(_), None) => findings.add("sip.tls.cert_file", "needs sip.tls.key_file beside it"),
        (None, Some(_)) => findings.add("sip.tls.key_file", "needs sip.tls.cert_file beside it"),
        _ => {}
    }
    let listener = config.listen.iter().position(|listen| listen.transport == Transport::Tls);
    if let Some(at) = listener {
        if cert_file.is_none() && key_file.is_none() {
            findings.add(
                KeyPath::from("listen").index(at),
                "needs sip.tls.cert_file and sip.tls.key_file: a TLS listener shows a certificate",
            );
        }
        if *verify_peers != VerifyPeers::None && ca_file.is_none() {
            let what = if *verify_peers == VerifyPeers::Required { "required" } else { "optional" };
            findings.add(
                KeyPath::from("listen").index(at),
                format!(
                    "needs sip.tls.ca_file, by which peers' certificates are verified; or sip.tls.verify_peers: none \
                     instead of {what}"
                ),
            );
        }
    }
    if trusted_names.as_ref().is_some_and(|names| !names.is_empty()) {
        if ca_file.is_none() {
            findings.add(
                "sip.tls.trusted_names",
                "needs sip.tls.ca_file: a name counts only when it is verified",
            );
        } else if *verify_peers == VerifyPeers::None {
            findings.add(
                "sip.tls.trusted_names",
                "no peer is asked for its certificate: sip.tls.verify_peers is none",
            );
        }
    }
    let over_tls = config.s_cscf_sip_uri.as_deref().is_some_and(names::asks_for_tls);
    if over_tls && ca_file.is_none() {
        findings
            .add("s_cscf_sip_uri", "needs sip.tls.ca_file: the server's certificate is verified against it");
    }
}
