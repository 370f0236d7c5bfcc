//! `sip.tls`: certificates towards the IMS core, and which peers are believed for theirs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a TLS listener asks of those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyPeers {
    /// No certificate; a peer is judged by its address, as over TCP.
    None,
    /// A certificate if it has one, which must then be right.
    Optional,
    /// A certificate of an authority in `ca_file` (mutual TLS); without one there is no connection.
    Required,
}

/// `sip.tls`: SIP over TLS, as server and as client. Paths, never secrets; files are read again when they change.
///
/// A certificate names its holder by subjectAltName: `URI:sip:domain`, else `DNS:name` (RFC 5922 §7.1), or an address. A
/// wildcard names nobody (§7.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section of keys")]
pub struct SipTls {
    /// PEM: our certificate, then those between it and its authority. Listeners show it, and clients where one is asked
    /// for; together with `key_file`. Needed by `tls:` listeners.
    pub cert_file: Option<PathBuf>,
    /// PEM: the private key of the certificate.
    pub key_file: Option<PathBuf>,
    /// PEM: the authorities whose certificates are believed; nobody else's are, not the system's either. Without it
    /// nothing is sent over TLS, for no server could be verified.
    pub ca_file: Option<PathBuf>,
    /// What our TLS listeners ask of peers.
    pub verify_peers: VerifyPeers,
    /// Peers whose certificate names one of these are trusted whatever their address; absent: the hosts of
    /// `s_cscf_sip_uri` and `ims_domain`. All others are judged by `trusted_peers`.
    pub trusted_names: Option<Vec<String>>,
}

impl Default for SipTls {
    fn default() -> Self {
        Self {
            cert_file: None,
            key_file: None,
            ca_file: None,
            verify_peers: VerifyPeers::Required,
            trusted_names: None,
        }
    }
}

impl SipTls {
    /// The files it names, in this order: certificate, key, authorities.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.cert_file, &self.key_file, &self.ca_file].into_iter().flatten()
    }

    /// Whether requests can be sent over TLS.
    pub fn is_client(&self) -> bool {
        self.ca_file.is_some()
    }
}
