//! Certificates: whom the client trusts, whom it shows its own, and what happens when that does not fit.
#![allow(clippy::unwrap_used, reason = "this is test code")]

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use smsc_backend::rest::{RestBackend, RestConfig, RestError};
use smsc_backend::{Backend, ErrorClass};
use support::{Peer, answer, plain};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `address` and its key.
fn issue(ca: &Ca, address: IpAddr) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::IpAddress(address)];
    (params.signed_by(&key, ca).unwrap(), key)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A TLS listener for axum that forgets connections whose handshake fails.
struct TlsListener(TcpListener, TlsAcceptor);

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = self.0.accept().await.unwrap();
            if let Ok(connection) = self.1.accept(connection).await {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A backend with an empty queue behind TLS, with a certificate of `ca` for `address`; asks for client certificates
/// of `clients`, if given. Returns its URL.
async fn serve(ca: &Ca, address: IpAddr, clients: Option<&Ca>) -> String {
    let (certificate, key) = issue(ca, address);
    let builder = ServerConfig::builder();
    let builder = match clients {
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = Peer::new([answer(200, "[]")]).router();
    let listener = TlsListener(listener, TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn trusting(url: &str, ca: &Ca) -> RestConfig {
    RestConfig { ca_pem: Some(ca.pem()), ..plain(url) }
}

async fn poll(config: RestConfig) -> Result<(), ErrorClass> {
    let result = RestBackend::new(config).unwrap().get_queue("l".into(), 1).await;
    result.map(|rows| assert_eq!(rows, [])).map_err(|error| error.class)
}

#[tokio::test]
async fn a_server_of_the_given_ca_is_trusted_and_no_other() {
    let (ours, other) = (ca(), ca());
    let url = serve(&ours, LOOPBACK, None).await;
    assert_eq!(poll(trusting(&url, &ours)).await, Ok(()));
    assert_eq!(poll(trusting(&url, &other)).await, Err(ErrorClass::Denied));
}

#[tokio::test]
async fn a_certificate_for_another_host_is_denied() {
    let ours = ca();
    let url = serve(&ours, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), None).await;
    assert_eq!(poll(trusting(&url, &ours)).await, Err(ErrorClass::Denied));
}

#[tokio::test]
async fn a_server_without_tls_is_denied() {
    let url = Peer::new([answer(200, "[]")]).start().await.replace("http://", "https://");
    assert_eq!(poll(trusting(&url, &ca())).await, Err(ErrorClass::Denied));
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let url = serve(&ca(), LOOPBACK, None).await;
    assert_eq!(poll(RestConfig { insecure_skip_verify: true, ..plain(&url) }).await, Ok(()));
}

#[tokio::test]
async fn a_denied_server_is_named_with_the_reason_and_not_repeated() {
    let (ours, other) = (ca(), ca());
    let url = serve(&ours, LOOPBACK, None).await;
    let backend = RestBackend::new(RestConfig { ca_pem: Some(other.pem()), ..RestConfig::new(url) }).unwrap();
    let error = backend.get_queue("l".into(), 1).await.unwrap_err();
    assert!(error.detail.contains("certificate"), "{error}");
    assert_eq!(backend.stats().requests, 1);
}

/// Certificate and key of `ca` as files.
fn client_files(ca: &Ca, directory: &tempfile::TempDir, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = issue(ca, LOOPBACK);
    let path = |kind: &str| directory.path().join(format!("{name}.{kind}"));
    std::fs::write(path("crt"), certificate.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    (path("crt"), path("key"))
}

fn showing(config: RestConfig, (certificate, key): (PathBuf, PathBuf)) -> RestConfig {
    RestConfig { client_cert_file: Some(certificate), client_key_file: Some(key), ..config }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let (servers, clients, strangers) = (ca(), ca(), ca());
    let directory = tempfile::tempdir().unwrap();
    let url = serve(&servers, LOOPBACK, Some(&clients)).await;
    let good = client_files(&clients, &directory, "good");
    let bad = client_files(&strangers, &directory, "bad");
    assert_eq!(poll(showing(trusting(&url, &servers), good)).await, Ok(()));
    assert_eq!(poll(showing(trusting(&url, &servers), bad)).await, Err(ErrorClass::Denied));
    assert_eq!(poll(trusting(&url, &servers)).await, Err(ErrorClass::Denied));
}

#[tokio::test]
async fn a_client_certificate_given_as_a_value_is_shown_as_one_in_files_is() {
    let (servers, clients) = (ca(), ca());
    let url = serve(&servers, LOOPBACK, Some(&clients)).await;
    let (certificate, key) = issue(&clients, LOOPBACK);
    // Tools leave out the line end that closes a file.
    let (certificate, key) = (certificate.pem().trim_end().to_owned(), key.serialize_pem());
    let showing = |certificate: &str, key: &str| RestConfig {
        client_cert_pem: Some(certificate.to_owned()),
        client_key_pem: Some(key.to_owned()),
        ..trusting(&url, &servers)
    };
    assert_eq!(poll(showing(&certificate, &key)).await, Ok(()));

    let refusal = |config: RestConfig| RestBackend::new(config).unwrap_err().to_string();
    assert_eq!(
        refusal(showing(&certificate, "hunter2")),
        "client certificate: it and its key hold no usable PEM"
    );
    let (_, other_key) = issue(&clients, LOOPBACK);
    let mismatch = refusal(showing(&certificate, &other_key.serialize_pem()));
    assert!(mismatch.starts_with("HTTP client: "), "{mismatch}");
    assert_eq!(
        refusal(RestConfig { client_key_pem: Some(key), ..trusting(&url, &servers) }),
        "client certificate and client key go together"
    );
}

#[tokio::test]
async fn reload_takes_new_files_and_refuses_broken_ones() {
    let (old, new) = (ca(), ca());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.crt");
    std::fs::write(&path, old.pem()).unwrap();
    let url = serve(&new, LOOPBACK, None).await;
    let backend = RestBackend::new(RestConfig { ca_file: Some(path.clone()), ..plain(&url) }).unwrap();
    let class = async || backend.get_queue("l".into(), 1).await.map(drop).map_err(|error| error.class);
    assert_eq!(class().await, Err(ErrorClass::Denied));

    std::fs::write(&path, new.pem()).unwrap();
    backend.reload().unwrap();
    assert_eq!(class().await, Ok(()));

    std::fs::write(&path, "half a certificate").unwrap();
    let refused =
        RestError::File { what: "CA file", path, detail: "holds no certificate in PEM form".into() };
    assert_eq!(backend.reload(), Err(refused));
    assert_eq!(class().await, Ok(()));
}

#[tokio::test]
async fn files_that_do_not_go_together_are_refused() {
    let issuer = ca();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = client_files(&issuer, &directory, "one");
    let (_, other_key) = client_files(&issuer, &directory, "two");
    let refusal = |config: RestConfig| RestBackend::new(config).unwrap_err().to_string();
    let base = || plain("https://127.0.0.1:1");
    assert_eq!(
        refusal(RestConfig { client_cert_file: Some(certificate.clone()), ..base() }),
        "client certificate file and client key file go together"
    );
    let mismatch = refusal(showing(base(), (certificate, other_key)));
    assert!(mismatch.starts_with("HTTP client: "), "{mismatch}");
    let swapped = refusal(showing(base(), (key.clone(), key)));
    assert!(swapped.ends_with("one.key: it and its key file hold no usable PEM"), "{swapped}");
    let missing = refusal(RestConfig { ca_file: Some("/nowhere/ca.crt".into()), ..base() });
    assert_eq!(missing, "CA file /nowhere/ca.crt: No such file or directory (os error 2)");
}
