//! `smsc-frontend probe` against running frontends, and what it says of those that do not deliver.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use smsc_proto::sip::Message;
use support::{Ended, Running, Server, smsc};

const DOMAIN: &str = "ims.mnc001.mcc001.3gppnetwork.org";

/// A running frontend with its embedded store.
struct Frontend {
    address: String,
    _server: Server,
    _directory: tempfile::TempDir,
}

impl Frontend {
    fn start(listen: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = config(directory.path(), listen, "embedded", more);
        let mut server = Server::start(["run".as_ref(), "--config".as_ref(), path.as_os_str()]);
        let address = server.logged("listener").split_once(':').unwrap().1.to_owned();
        Self { address, _server: server, _directory: directory }
    }
}

fn config(directory: &Path, listen: &str, backend: &str, more: &str) -> std::path::PathBuf {
    let text = format!(
        "api_base_url: {backend}\nlocation: smsc01.mnc001.mcc001.3gppnetwork.org\nims_domain: {DOMAIN}\n\
         listen: ['{listen}']\nsc_address: '447700900000'\nadmin: {{listen: null}}\nlog: {{format: json}}\n\
         store: {{path: {}}}\n{more}",
        directory.join("s.db").display()
    );
    let path = directory.join("config.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

fn arguments<'a>(frontend: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["probe", "--ims-domain", DOMAIN, "--frontend", frontend], more].concat()
}

fn probe(frontend: &str, more: &[&str]) -> Ended {
    smsc(arguments(frontend, more))
}

/// What a probe says of a frontend that does not deliver.
fn missing(frontend: &str, more: &[&str]) -> String {
    let ended = probe(frontend, more);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended.err.trim_end().trim_start_matches("smsc-frontend: ").to_owned()
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How often each step was told.
fn counts(steps: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for step in steps {
        *counts.entry(step["step"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn counted(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(step, count)| ((*step).to_owned(), *count)).collect()
}

#[test]
fn a_message_is_followed_to_its_status_report_over_udp_and_tcp() {
    for transport in ["udp", "tcp"] {
        let frontend = Frontend::start(&format!("{transport}:127.0.0.1:0"), "");
        let ended = probe(&frontend.address, &["--transport", transport]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
        // What came in which order is the network's affair; so are the milliseconds.
        let mut told: Vec<String> = ended
            .out
            .replace(&frontend.address, "FRONTEND")
            .lines()
            .map(|line| line.split_once(" ms  ").unwrap().1.to_owned())
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "+447700900001  RP-ACK: the backend has the message",
                "+447700900001  SMS-STATUS-REPORT: received by the SME",
                "+447700900001  SMS-SUBMIT in RP-DATA answered 202",
                "+447700900001  deregistered",
                "+447700900001  registered by FRONTEND",
                "+447700900002  RP-ACK on it answered 202",
                "+447700900002  SMS-DELIVER: the text as it was sent",
                "+447700900002  deregistered",
                "+447700900002  registered by FRONTEND",
            ]
        );
    }
}

#[test]
fn a_long_text_between_numbers_of_ones_own_as_json() {
    let frontend = Frontend::start("udp:127.0.0.1:0", "");
    let text = "Grüße aus Köln, 一二三 😀 ".repeat(8);
    let more = ["--json", "--text", &text, "--from", "+15550001", "--to", "15550002", "--timeout", "20s"];
    let ended = probe(&frontend.address, &more);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let steps = objects(&ended.out);
    let parts = 3;
    assert_eq!(
        counts(&steps),
        counted(&[
            ("deregistered", 2),
            ("end", 1),
            ("received", 1),
            ("registered", 2),
            ("reported", parts),
            ("rp_ack", 1),
            ("status_report", 1),
            ("submitted", parts),
        ])
    );
    let received = steps.iter().find(|step| step["step"] == "received").unwrap();
    assert_eq!(received["text"], "SMS-DELIVER: the text as it was sent, in 3 parts");
    assert_eq!(received["number"], "+15550002");
    assert!(steps.iter().all(|step| step["at_ms"].is_u64()));
    let end = steps.last().unwrap();
    assert_eq!((&end["delivered"], &end["problem"]), (&Value::Bool(true), &Value::Null));
}

/// The probe of a chart starts together with what it probes.
#[test]
fn a_frontend_that_comes_later_is_waited_for() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let running = Running::start(arguments(&address, &["--timeout", "60s"]));
    let _frontend = Frontend::start(&format!("udp:{address}"), "");
    let ended = running.end();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
}

/// Every datagram to the S-CSCF comes twice, the second as a retransmission would.
#[test]
fn what_comes_twice_is_answered_twice_and_told_once() {
    let core = UdpSocket::bind("127.0.0.1:0").unwrap();
    core.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let frontend = Frontend::start(
        "udp:127.0.0.1:0",
        &format!("s_cscf_sip_uri: 'sip:{}'\n", core.local_addr().unwrap()),
    );
    let probe_at = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let frontend_at: SocketAddr = frontend.address.parse().unwrap();
    let answers = thread::spawn(move || {
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        let mut buffer = [0; 65_535];
        // RP-ACK, SMS-DELIVER and SMS-STATUS-REPORT, each twice.
        while answers.values().sum::<usize>() < 6 {
            let Ok((length, from)) = core.recv_from(&mut buffer) else { break };
            if from == frontend_at {
                for _ in 0..2 {
                    core.send_to(&buffer[..length], probe_at).unwrap();
                }
            } else {
                let message = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap();
                assert_eq!(message.status(), Some(200));
                *answers.entry(message.call_id().unwrap().to_owned()).or_default() += 1;
                core.send_to(&buffer[..length], frontend_at).unwrap();
            }
        }
        answers.into_values().collect::<Vec<_>>()
    });
    let ended = probe(&frontend.address, &["--json", "--listen", &probe_at.to_string(), "--timeout", "20s"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(answers.join().unwrap(), [2, 2, 2]);
    let told = counts(&objects(&ended.out));
    assert!(
        told.iter().all(|(step, count)| *count == if step.ends_with("registered") { 2 } else { 1 }),
        "{told:?}"
    );
}

#[test]
fn nobody_there_is_said_with_both_addresses() {
    // Bound and never read: nobody else gets the port meanwhile.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap().to_string();
    let sentence = missing(&at, &["--timeout", "1s", "--listen", "127.0.0.1:0"]);
    let rest = "nobody listens there, something between drops it, or its answer cannot reach 127.0.0.1:";
    assert!(sentence.starts_with(&format!("{at} gave no answer to REGISTER over UDP: {rest}")), "{sentence}");

    let sentence = missing("nothing.invalid", &["--timeout", "1s"]);
    assert!(sentence.starts_with("nothing.invalid leads to no address: "), "{sentence}");
}

#[test]
fn a_frontend_that_does_not_trust_the_probe_is_said_to_with_the_address_it_sees() {
    let frontend = Frontend::start("udp:127.0.0.1:0", "trusted_peers: [192.0.2.1]\n");
    let sentence = missing(&frontend.address, &["--advertise", "198.51.100.7"]);
    assert_eq!(
        sentence,
        "REGISTER was answered 403: 127.0.0.1, as the frontend sees this probe, is not in its trusted_peers"
    );
}

#[test]
fn an_s_cscf_elsewhere_is_why_no_rp_ack_comes() {
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    let s_cscf = format!("s_cscf_sip_uri: 'sip:{}'\n", elsewhere.local_addr().unwrap());
    let frontend = Frontend::start("udp:127.0.0.1:0", &s_cscf);
    let ended = probe(&frontend.address, &["--json", "--timeout", "2s"]);
    let steps = objects(&ended.out);
    assert_eq!(
        counts(&steps),
        counted(&[("deregistered", 2), ("end", 1), ("registered", 2), ("submitted", 1)])
    );
    let problem = steps.last().unwrap()["problem"].as_str().unwrap();
    assert!(problem.starts_with("the MESSAGE was answered 202, but no RP-ACK came: "), "{problem}");
    assert!(problem.contains("s_cscf_sip_uri"), "{problem}");
    assert_eq!((ended.code, ended.err), (Some(1), format!("smsc-frontend: {problem}\n")));
}

/// Nobody polls the queue that the message waits in.
#[test]
fn a_message_that_does_not_come_is_said_to_be_missing() {
    let frontend = Frontend::start("udp:127.0.0.1:0", "polling: {locations: [another.example.org]}\n");
    let sentence = missing(&frontend.address, &["--timeout", "2s"]);
    assert!(sentence.starts_with("RP-ACK came, but no MESSAGE for +447700900002: "), "{sentence}");
}

#[test]
fn an_rp_error_is_told_by_its_cause() {
    let directory = tempfile::tempdir().unwrap();
    let more = "timers: {mo_insert_budget: 1s, backend_timeout: 1s, backend_connect: 1s}\n";
    let path = config(directory.path(), "udp:127.0.0.1:0", "http://127.0.0.1:9", more);
    let mut server = Server::start(["run".as_ref(), "--config".as_ref(), path.as_os_str()]);
    let address = server.logged("listener").split_once(':').unwrap().1.to_owned();
    assert_eq!(
        missing(&address, &["--timeout", "20s"]),
        "the message was not taken: RP-ERROR 41 (temporary failure); the frontend had no answer from its backend \
         (`smsc-frontend check --core` asks it)"
    );
}

#[test]
fn what_cannot_be_sent_is_a_usage_mistake() {
    for (more, sentence) in [
        (["--to", "447700900001"], "--from and --to are one number"),
        (["--to", "bob"], "an international number"),
        (["--advertise", "sip:me"], "neither a host name nor an address"),
        (["--timeout", "5"], "--timeout"),
    ] {
        let ended = probe("127.0.0.1:9", &more);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains(sentence), "{ended:?}");
    }
}
