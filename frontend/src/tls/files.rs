//! The files `sip.tls` names: PEM to certificates and keys.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::TlsError;

/// The largest file that is read, in octets: some hundred certificates.
const LARGEST: u64 = 1 << 20;

/// Our certificate with its chain, and its key.
pub(super) fn certified_key(
    cert: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates("sip.tls.cert_file", cert)?;
    let failed = |detail: &str| error("sip.tls.key_file", key, detail);
    let private = PrivateKeyDer::from_pem_slice(&read("sip.tls.key_file", key)?).map_err(|problem| {
        // The problem itself may quote a line of the file.
        failed(match problem {
            pem::Error::NoItemsFound => "holds no private key in PEM form (an encrypted one cannot be used)",
            _ => "is not PEM",
        })
    })?;
    match CertifiedKey::from_der(chain, private, provider) {
        Ok(certified) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(failed(&format!("is not the key of the certificate in {}", cert.display())))
        }
        Err(rustls::Error::InvalidCertificate(problem)) => {
            Err(error("sip.tls.cert_file", cert, format!("cannot be used: {problem}")))
        }
        Err(_) => Err(failed("is a private key of a kind that cannot be used")),
    }
}

/// The authorities, at least one.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("sip.tls.ca_file", path)? {
        roots
            .add(certificate)
            .map_err(|problem| error("sip.tls.ca_file", path, format!("cannot be used: {problem}")))?;
    }
    Ok(roots)
}

/// The certificates in a file, at least one.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let octets = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(error(key, path, "holds no certificate in PEM form"))
        }
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(error(key, path, "is not PEM")),
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |problem: std::io::Error| error(key, path, problem.to_string());
    let mut octets = Vec::new();
    File::open(path).map_err(unreadable)?.take(LARGEST + 1).read_to_end(&mut octets).map_err(unreadable)?;
    if octets.len() as u64 > LARGEST {
        return Err(error(key, path, format!("is larger than {LARGEST} octets")));
    }
    Ok(octets)
}

fn error(key: &'static str, path: &Path, detail: impl Into<String>) -> TlsError {
    TlsError { key, path: path.to_owned(), detail: detail.into() }
}
