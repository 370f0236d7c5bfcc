//! Hostile input against a running frontend: memory stays bounded, what is thrown away is counted, and ordinary traffic
//! passes all the while.
//!
//! Run by `tests/run --only torture`. SMSC_HOSTILE_DATAGRAMS is how many datagrams are sent, a million unless it says so.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test may panic, and figures are printed"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use smsc_tests::mutate::Mutator;
use smsc_tests::torture::{cases, ordinary};
use smsc_tests::wire::{Core, Running};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-frontend");
/// Datagrams between two ordinary messages: no more than the kernel keeps for a busy receiver.
const BATCH: usize = 100;

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn random_and_mutated_datagrams_harm_nothing() {
    let datagrams: usize =
        std::env::var("SMSC_HOSTILE_DATAGRAMS").map_or(1_000_000, |text| text.parse().unwrap());
    let mut scene = Scene::start("{}");
    let address = SocketAddr::new(scene.core.local().ip(), 0);
    let hostile = UdpSocket::bind(address).unwrap();
    let seeds = cases().into_iter().map(|case| case.octets);
    let seeds = seeds.chain((0..40).map(|number| ordinary(90_000 + number, "UDP", address))).collect();
    let mut mutator = Mutator::new(seeds, 4475);
    for _ in 0..datagrams.div_ceil(BATCH) {
        for _ in 0..BATCH {
            hostile.send_to(&mutator.next_message(), scene.frontend.sip()).unwrap();
        }
        scene.core.ordinary(&scene.frontend).unwrap();
    }
    let received = scene.count("smsc_sip_messages_received_total", "");
    println!("{received} of {datagrams} hostile datagrams taken with the ordinary ones");
    assert!(received as usize > datagrams * 9 / 10, "the kernel lost too many: {received}");
    for reason in
        ["start_line", "header_line", "line_end", "head_unterminated", "content_length", "body_truncated"]
    {
        assert!(scene.dropped(reason) > 0, "{reason} is not counted");
    }
    // What stays is what 32 s of server transactions hold, and what is remembered of subscribers and submissions.
    scene.grew_at_most(256 * 1024);
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn heads_and_bodies_that_never_end_are_cut_off_and_counted() {
    let mut scene = Scene::start("{}");
    let line = |number: usize| format!("X-{number}: {}\r\n", "x".repeat(10));
    let begin = "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP h.example.org;branch=z9hG4bKbomb\r\n";
    let lines: String = (0..500).map(line).collect();
    let many = format!("{begin}{lines}\r\n");
    let long = format!("{begin}X: {}\r\n\r\n", "x".repeat(50_000));
    let folds = format!("{begin}X: {}\r\n\r\n", "\r\n x".repeat(12_000));
    let short = format!("{begin}l: 4294967295\r\n\r\n");
    for (datagram, reason) in [
        (many, "too_many_headers"),
        (long, "head_too_long"),
        (folds, "head_too_long"),
        (short, "body_truncated"),
    ] {
        let before = scene.dropped(reason);
        scene.core.send(&scene.frontend, datagram.as_bytes()).unwrap();
        scene.core.ordinary(&scene.frontend).unwrap();
        assert_eq!(scene.dropped(reason), before + 1, "{reason}");
    }

    let endless = [
        ("a head without end", format!("{begin}{}", "X: y\r\n".repeat(100_000)), "head_too_long"),
        ("a header without end", format!("{begin}X: {}", "y".repeat(1_000_000)), "head_too_long"),
        ("a start line without end", "O".repeat(1_000_000), "head_too_long"),
        ("a huge body", format!("{begin}l: 4000000000\r\n\r\n{}", "y".repeat(1_000_000)), "body_too_long"),
        ("noise", "\u{1}".repeat(1_000_000), "not_sip"),
    ];
    for (what, octets, reason) in endless {
        let before = scene.dropped(reason);
        let mut streams: Vec<TcpStream> = (0..50).map(|_| scene.connect()).collect();
        for stream in &mut streams {
            // The frontend closes before all is written.
            _ = stream.write_all(octets.as_bytes());
        }
        assert!(streams.iter_mut().all(is_closed), "{what}");
        scene.core.ordinary(&scene.frontend).unwrap();
        assert_eq!(scene.dropped(reason), before + 50, "{what}");
    }
    scene.grew_at_most(32 * 1024);
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn peers_that_ask_without_end_and_never_read_are_bounded() {
    let mut scene = Scene::start("{}");
    let mut streams: Vec<TcpStream> = (0..8).map(|_| scene.connect()).collect();
    for stream in &streams {
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    }
    for round in 0..60 {
        for (index, stream) in streams.iter_mut().enumerate() {
            let requests: Vec<u8> = (0..100)
                .flat_map(|number| {
                    let name = format!("{index}-{round}-{number}");
                    format!(
                        "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/TCP h.example.org;branch=z9hG4bK{name}\r\n\
                         From: sip:b@example.org;tag=1\r\nTo: sip:a@example.org\r\nCall-ID: {name}\r\n\
                         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nl: 0\r\n\r\n\r\n\r\n"
                    )
                    .into_bytes()
                })
                .collect();
            // It blocks once the frontend no longer reads: that is the bound.
            _ = stream.write_all(&requests);
        }
        scene.core.ordinary(&scene.frontend).unwrap();
    }
    scene.grew_at_most(128 * 1024);
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn messages_that_come_octet_by_octet_are_answered_beside_ordinary_ones() {
    let mut scene = Scene::start("{}");
    let mut slow: Vec<(TcpStream, Vec<u8>)> = (0..40)
        .map(|number| {
            let stream = scene.connect();
            stream.set_nodelay(true).unwrap();
            let local = stream.local_addr().unwrap();
            (stream, ordinary(1_000 + number, "TCP", local))
        })
        .collect();
    let longest = slow.iter().map(|(_, octets)| octets.len()).max().unwrap();
    for at in 0..longest {
        for (stream, octets) in &mut slow {
            stream.write_all(octets.get(at..=at).unwrap_or_default()).unwrap();
        }
        if at % 50 == 0 {
            scene.core.ordinary(&scene.frontend).unwrap();
        }
    }
    for (stream, _) in &mut slow {
        assert_eq!(first_line(stream), "SIP/2.0 202 Accepted");
    }
    scene.grew_at_most(16 * 1024);
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn idle_connections_beyond_the_cap_are_closed_and_counted() {
    let mut scene = Scene::start("{}");
    let mut idle: Vec<TcpStream> = (0..1_500).map(|_| scene.connect()).collect();
    scene.core.ordinary(&scene.frontend).unwrap();
    let closed = idle.iter_mut().skip(1_000).filter_map(|stream| is_closed(stream).then_some(())).count();
    assert_eq!((closed, scene.dropped("too_many_connections")), (500, 500));
    // The first thousand still work, and what they leave is free for others.
    let first = &mut idle[0];
    let local = first.local_addr().unwrap();
    first.write_all(&ordinary(1, "TCP", local)).unwrap();
    assert_eq!(first_line(first), "SIP/2.0 202 Accepted");
    drop(idle);
    scene.core.ordinary(&scene.frontend).unwrap();
    let mut again = scene.connect();
    let local = again.local_addr().unwrap();
    again.write_all(&ordinary(2, "TCP", local)).unwrap();
    assert_eq!(first_line(&mut again), "SIP/2.0 202 Accepted");
}

#[test]
#[ignore = "starts a frontend: tests/run --only torture"]
fn ten_thousand_idle_connections_are_held_where_the_cap_allows_them() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(30_000), hard).unwrap();
    let mut scene = Scene::start("{tcp_connections: 12000}");
    let mut idle = Vec::with_capacity(10_000);
    for number in 0..10_000 {
        idle.push(scene.connect());
        if number % 500 == 0 {
            scene.core.ordinary(&scene.frontend).unwrap();
        }
    }
    scene.core.ordinary(&scene.frontend).unwrap();
    assert_eq!(scene.dropped("too_many_connections"), 0);
    let last = idle.last_mut().unwrap();
    let local = last.local_addr().unwrap();
    last.write_all(&ordinary(1, "TCP", local)).unwrap();
    assert_eq!(first_line(last), "SIP/2.0 202 Accepted");
    scene.grew_at_most(200 * 1024);
}

/// A frontend, its core, and the memory it began with.
struct Scene {
    frontend: Running,
    core: Core,
    began_with: u64,
}

impl Scene {
    /// Starts a frontend and lets it take a few messages, so that it has what it needs to run.
    fn start(limits: &str) -> Self {
        let mut core = Core::bind().unwrap();
        let frontend = Running::start(PROGRAM.as_ref(), &core, limits).unwrap();
        for _ in 0..20 {
            core.ordinary(&frontend).unwrap();
        }
        let began_with = frontend.resident_kib().unwrap();
        Self { frontend, core, began_with }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.frontend.sip()).unwrap()
    }

    fn count(&self, name: &str, labels: &str) -> u64 {
        self.frontend.counter(name, labels).unwrap()
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.count("smsc_sip_dropped_total", &format!("\"{reason}\""))
    }

    fn grew_at_most(&self, kib: u64) {
        let now = self.frontend.resident_kib().unwrap();
        let grown = now.saturating_sub(self.began_with);
        println!("memory: {} KiB before, {now} KiB after", self.began_with);
        assert!(grown <= kib, "grew by {grown} KiB, more than {kib}");
    }
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
        Ok(_) => false,
    }
}

fn first_line(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = [0; 2048];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}
