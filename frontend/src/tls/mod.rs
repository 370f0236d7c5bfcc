//! Certificates for SIP over TLS: what we show, whom we believe (RFC 5922), from the files that `sip.tls` names.
//!
//! rustls with aws-lc-rs, TLS 1.2 and 1.3. Sessions are never resumed: a resumed one would not look at certificates again,
//! and connections last for hours anyway.

mod certificate;
mod files;
mod identity;
mod peer;
mod verifier;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use smsc_config::{Config, SipTls, VerifyPeers};

use crate::engine::question;

pub use certificate::Certificate;
pub use identity::Identity;
pub use peer::Peer;

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// What TLS connections are made with. A reload makes a new one; connections that stand keep their ciphers, and their
/// peers are believed for as long as an authority in force stands for them.
#[derive(Debug, Clone)]
pub struct Tls {
    server: Option<Arc<ServerConfig>>,
    client: Option<Arc<ClientConfig>>,
    trusted_names: Vec<String>,
    own: Option<Certificate>,
    roots: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a file of `sip.tls` cannot be used. Never holds anything of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {}: {detail}", path.display())]
pub struct TlsError {
    /// The key that names the file.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub detail: String,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let SipTls { cert_file, key_file, ca_file, verify_peers, .. } = &config.sip.tls;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let own = match (cert_file, key_file) {
            (Some(cert), Some(key)) => Some(files::certified_key(cert, key, &provider)?),
            _ => None,
        };
        let roots = ca_file.as_ref().map(|path| files::roots(path)).transpose()?.map(Arc::new);
        Ok(Self {
            server: own.clone().and_then(|own| server(own, roots.clone(), *verify_peers, &provider)),
            client: roots.clone().and_then(|roots| client(own.clone(), roots, &provider)),
            trusted_names: trusted_names(config),
            own: own.and_then(|own| Certificate::read(own.cert.first()?)),
            roots,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// For accepting connections; `None` without a certificate of our own.
    #[must_use]
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.server.clone()
    }

    /// For opening connections; `None` without authorities to verify servers by.
    #[must_use]
    pub fn client(&self) -> Option<Arc<ClientConfig>> {
        self.client.clone()
    }

    /// Whether the authorities of these files stand for a peer that those before them have verified.
    #[must_use]
    pub fn vouches_for(&self, peer: &Peer) -> bool {
        self.roots.as_ref().is_some_and(|roots| peer.is_vouched_for(roots, self.algorithms))
    }

    /// Whether the authorities are the same.
    #[must_use]
    pub fn has_authorities_of(&self, other: &Self) -> bool {
        let anchors = |tls: &Self| tls.roots.as_ref().map(|roots| roots.roots.clone());
        anchors(self) == anchors(other)
    }

    /// Whether a verified peer is trusted whatever its address.
    #[must_use]
    pub fn trusts(&self, peer: &Identity) -> bool {
        self.trusted_names.iter().any(|name| peer.is(name))
    }

    /// The names whose holders are trusted whatever their address.
    #[must_use]
    pub fn trusted_names(&self) -> &[String] {
        &self.trusted_names
    }

    /// Our certificate.
    #[must_use]
    pub fn own(&self) -> Option<&Certificate> {
        self.own.as_ref()
    }

    /// What an operator should know of our certificate's dates.
    #[must_use]
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let doubt = self.own.as_ref()?.doubt(now, SOON)?;
        Some(format!("sip.tls.cert_file: the certificate {doubt}"))
    }

    /// How many authorities are believed.
    #[must_use]
    pub fn authorities(&self) -> usize {
        self.roots.as_ref().map_or(0, |roots| roots.len())
    }
}

/// `None` where no verifier can be made, which needs at least one authority: [`files::roots`] has seen to that.
fn server(
    own: Arc<CertifiedKey>,
    roots: Option<Arc<RootCertStore>>,
    verify_peers: VerifyPeers,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.ok()?;
    let builder = match (verify_peers, roots) {
        (VerifyPeers::None, _) => builder.with_no_client_auth(),
        // Config checks that there are authorities where peers are verified.
        (_, None) => return None,
        (verify_peers, Some(roots)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let verifier = match verify_peers {
                VerifyPeers::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().ok()?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Some(Arc::new(config))
}

fn client(
    own: Option<Arc<CertifiedKey>>,
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.ok()?.dangerous().with_custom_certificate_verifier(Arc::new(
        verifier::SipServerVerifier::new(roots, provider.signature_verification_algorithms),
    ));
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own))),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Some(Arc::new(config))
}

/// The key `sip.tls.trusted_names`, else the hosts of `s_cscf_sip_uri` and `ims_domain`; in lower case.
fn trusted_names(config: &Config) -> Vec<String> {
    if let Some(names) = &config.sip.tls.trusted_names {
        return names.iter().map(|name| name.trim_matches(['[', ']']).to_ascii_lowercase()).collect();
    }
    let s_cscf = config.s_cscf_sip_uri.as_deref().and_then(|uri| Some(question(uri).ok()?.host));
    let mut names: Vec<String> = s_cscf.into_iter().chain([config.ims_domain.to_ascii_lowercase()]).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
