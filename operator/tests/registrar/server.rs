//! A backend in the test's own process: HTTP with or without TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// The one token it accepts, if it asks for one.
pub const TOKEN: &str = "hunter2";

/// What it saw and what it does.
#[derive(Clone)]
pub struct Server {
    seen: Arc<Mutex<Vec<String>>>,
    status: u16,
    wants_token: bool,
}

impl Server {
    /// Answers everything with `status`.
    pub fn answering(status: u16) -> Self {
        Self { seen: Arc::default(), status, wants_token: false }
    }

    /// Answers 401 to those who do not show [`TOKEN`].
    pub fn wanting_token(self) -> Self {
        Self { wants_token: true, ..self }
    }

    /// Requests so far: status, method, path and what is told of whom.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn router(&self) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// Starts it without TLS; returns its URL.
    pub async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// Starts it with a certificate of `ca` made of `params`; asks for client certificates of `clients`, if given.
    pub async fn start_tls(&self, ca: &Ca, params: CertificateParams, clients: Option<&Ca>) -> String {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, ca).unwrap();
        let builder = ServerConfig::builder();
        let builder = match clients {
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let listener = TlsListener(listener, TlsAcceptor::from(Arc::new(config)));
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

async fn handle(State(server): State<Server>, request: Request) -> (StatusCode, &'static str) {
    let (head, body) = request.into_parts();
    let shown = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let accepted = !server.wants_token || shown == Some(&format!("Bearer {TOKEN}"));
    let status = if accepted { server.status } else { 401 };
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let whom = told.get("frontend_name").and_then(|name| name.as_str()).unwrap_or("-");
    server.seen.lock().unwrap().push(format!("{status} {} {} {whom}", head.method, head.uri.path()));
    (StatusCode::from_u16(status).unwrap(), "{}")
}

/// A TLS listener that forgets connections whose handshake fails.
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

pub type Ca = CertifiedIssuer<'static, KeyPair>;

/// An authority of this name.
pub fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// For a certificate of this address.
pub fn of(address: &str) -> CertificateParams {
    CertificateParams::new(vec![address.to_owned()]).unwrap()
}

/// A certificate and its key as PEM.
pub fn client_pem(ca: &Ca) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (of("127.0.0.1").signed_by(&key, ca).unwrap().pem(), key.serialize_pem())
}
