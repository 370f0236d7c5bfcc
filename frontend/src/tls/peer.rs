//! A peer that a handshake has verified, and whether its authority is still believed after a reload.

use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::Identity;

/// The holder of a certificate that a handshake has verified.
#[derive(Debug)]
pub struct Peer {
    identity: Identity,
    /// What the peer has shown: its certificate first.
    chain: Vec<CertificateDer<'static>>,
    at: UnixTime,
}

impl Peer {
    /// Takes what the peer has shown in a handshake that is just done; `None` if it has shown nothing.
    #[must_use]
    pub fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let identity = Identity::of(chain.first()?);
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { identity, chain, at: UnixTime::now() })
    }

    /// Whom it names.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether these authorities stand for it. Its dates are those of the handshake: a connection outlives them.
    pub(super) fn is_vouched_for(
        &self,
        roots: &RootCertStore,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> bool {
        let [end_entity, intermediates @ ..] = &self.chain[..] else { return false };
        let Ok(parsed) = EndEntityCert::try_from(end_entity) else { return false };
        // The handshake has seen to the usage: that of a client or of a server.
        [KeyUsage::client_auth(), KeyUsage::server_auth()].into_iter().any(|usage| {
            let (algorithms, roots) = (algorithms.all, &roots.roots);
            parsed.verify_for_usage(algorithms, roots, intermediates, self.at, usage, None, None).is_ok()
        })
    }
}
