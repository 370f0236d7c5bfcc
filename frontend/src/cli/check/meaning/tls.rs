//! What `sip.tls` comes to: who may connect, who is trusted for a certificate, what we show.

use smsc_config::{Config, Transport, VerifyPeers};

use super::{Fact, one};
use crate::tls::Tls;

/// Nothing where TLS is neither listened for nor spoken.
pub(super) fn facts(config: &Config, tls: &Tls) -> Vec<Fact> {
    let mut facts = Vec::new();
    let listens = config.listen.iter().any(|listen| listen.transport == Transport::Tls);
    if listens {
        let who = match config.sip.tls.verify_peers {
            VerifyPeers::None => "anybody: no certificate is asked for",
            VerifyPeers::Optional => {
                "anybody; a certificate that is shown must be of an authority in ca_file"
            }
            VerifyPeers::Required => "who has a certificate of an authority in ca_file (mutual TLS)",
        };
        facts.push(one("may connect", who));
        if config.sip.tls.verify_peers != VerifyPeers::None {
            let names = tls.trusted_names();
            let trusted = match names {
                [] => "nobody; trusted_peers decides".to_owned(),
                names => format!("{}; all others by trusted_peers", names.join(", ")),
            };
            facts.push(one("trusted by name", trusted));
        }
    }
    if let Some(own) = tls.own() {
        let names = match own.names.as_slice() {
            [] => "nobody: it has no subjectAltName that RFC 5922 knows".to_owned(),
            names => names.join(", "),
        };
        facts.push(one("certificate for", names));
        facts.push(one("serial number", &own.serial));
        facts.push(one("valid", format!("{} to {}", own.not_before, own.not_after)));
    }
    if let Some(path) = &config.sip.tls.ca_file {
        facts.push(one("authorities", format!("{} in {}", tls.authorities(), path.display())));
    }
    facts
}
