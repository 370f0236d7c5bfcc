//! Hostile input on the TLS port of a running frontend: handshakes that never end, and what is no handshake at all.
//!
//! Run by `tests/run --only torture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test may panic, and figures are printed"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use smsc_config::{Config, SipTls};
use smsc_frontend::tls::Tls;
use smsc_tests::torture::ordinary;
use smsc_tests::wire::{Core, Running};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-frontend");
const NAME: &str = "smsc.example.org";
/// `limits.tls_handshakes` unless set.
const HANDSHAKES: usize = 200;

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn a_thousand_half_open_handshakes_hinder_nobody() {
    let mut scene = Scene::start();
    let mut standing = scene.handshake();
    scene.ordinary_over(&mut standing, 1);
    let hello = client_hello(&scene.client);
    let mut half_open = Vec::new();
    for number in 0..1_000 {
        let mut stream = scene.connect();
        // Some are silent, some begin.
        stream.write_all(&hello[..(number % 3) * 20]).unwrap();
        half_open.push(stream);
        if number % 100 == 99 {
            scene.core.ordinary(&scene.frontend).unwrap();
        }
    }
    scene.ordinary_over(&mut standing, 2);
    let begun = Instant::now();
    let mut newcomer = scene.handshake();
    scene.ordinary_over(&mut newcomer, 3);
    println!("beside {HANDSHAKES} half-open handshakes, a new one and a message take {:?}", begun.elapsed());

    let evicted = scene.dropped("too_many_handshakes");
    assert!(evicted > 0, "the cap was reached");
    assert!(half_open.iter_mut().all(is_closed), "all are closed, the last when their time is over");
    scene.core.ordinary(&scene.frontend).unwrap();
    assert_eq!(evicted + scene.dropped("tls_handshake_timeout"), 1_000);
    scene.ordinary_over(&mut standing, 4);
    scene.grew_at_most(32 * 1024);
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn what_is_no_handshake_is_closed_at_once_and_counted() {
    let mut scene = Scene::start();
    let plain = ordinary(1, "TCP", scene.core.local());
    let mut torn = client_hello(&scene.client);
    torn[20..].fill(0xFF);
    for (what, octets) in [
        ("plain SIP", plain),
        ("noise", vec![0x5A; 100_000]),
        ("a ping", b"\r\n\r\n\r\n".to_vec()),
        ("a ClientHello that is none", torn),
    ] {
        let before = scene.dropped("tls_handshake");
        let mut streams: Vec<TcpStream> = (0..50).map(|_| scene.connect()).collect();
        for stream in &mut streams {
            // The frontend closes before all is written.
            _ = stream.write_all(&octets);
        }
        assert!(streams.iter_mut().all(is_closed), "{what}");
        scene.core.ordinary(&scene.frontend).unwrap();
        assert_eq!(scene.dropped("tls_handshake"), before + 50, "{what}");
    }
    let mut honest = scene.handshake();
    scene.ordinary_over(&mut honest, 1);
    scene.grew_at_most(32 * 1024);
}

/// A frontend that takes TLS, its core, a peer with a certificate, and the memory the frontend began with.
struct Scene {
    frontend: Running,
    core: Core,
    client: Arc<ClientConfig>,
    began_with: u64,
    _files: TempDir,
}

impl Scene {
    fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let tls = certificates(&files);
        let more = format!(
            "timers: {{tls_handshake: 3s}}\nsip: {{tls: {{cert_file: {0}/tls.crt, key_file: {0}/tls.key, ca_file: {0}/ca.crt}}}}",
            files.path().display()
        );
        let mut core = Core::bind().unwrap();
        let frontend = Running::start_with(PROGRAM.as_ref(), &core, "{}", &more).unwrap();
        for _ in 0..20 {
            core.ordinary(&frontend).unwrap();
        }
        let began_with = frontend.resident_kib().unwrap();
        Self { frontend, core, client: tls.client().unwrap(), began_with, _files: files }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.frontend.tls()).unwrap()
    }

    fn handshake(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let connection = ClientConnection::new(self.client.clone(), NAME.try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, self.connect());
        stream.sock.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    }

    /// An ordinary MESSAGE over a connection is answered 202.
    fn ordinary_over(&self, stream: &mut StreamOwned<ClientConnection, TcpStream>, number: usize) {
        let local = stream.sock.local_addr().unwrap();
        stream.write_all(&ordinary(50_000 + number, "TLS", local)).unwrap();
        let mut answer = [0; 2048];
        let length = stream.read(&mut answer).unwrap();
        assert!(
            answer[..length].starts_with(b"SIP/2.0 202 "),
            "{:?}",
            String::from_utf8_lossy(&answer[..length])
        );
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.frontend.counter("smsc_sip_dropped_total", &format!("\"{reason}\"")).unwrap()
    }

    fn grew_at_most(&self, kib: u64) {
        let now = self.frontend.resident_kib().unwrap();
        println!("memory: {} KiB before, {now} KiB after", self.began_with);
        assert!(now.saturating_sub(self.began_with) <= kib, "grew by more than {kib} KiB");
    }
}

/// Writes an authority's certificate, one for both sides and its key.
fn certificates(files: &TempDir) -> Tls {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let path = |name: &str| files.path().join(name);
    std::fs::write(path("ca.crt"), ca.pem()).unwrap();
    std::fs::write(path("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(path("tls.key"), key.serialize_pem()).unwrap();
    let mut config = Config::default();
    config.sip.tls = SipTls {
        cert_file: Some(path("tls.crt")),
        key_file: Some(path("tls.key")),
        ca_file: Some(path("ca.crt")),
        ..SipTls::default()
    };
    Tls::load(&config).unwrap()
}

/// What a client sends first.
fn client_hello(client: &Arc<ClientConfig>) -> Vec<u8> {
    let mut connection = ClientConnection::new(client.clone(), NAME.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

/// Whether the frontend closes it within a few seconds; a TLS alert may come before.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    let mut alert = [0; 64];
    loop {
        match stream.read(&mut alert) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
