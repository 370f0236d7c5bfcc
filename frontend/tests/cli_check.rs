//! `smsc-frontend check`: what a file means, what is wrong with it, and who answers.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use smsc_proto::sip::{Framed, Header, Message, Response, StreamFramer};
use support::{Ended, smsc};

const SEED: &str = "\
api_base_url: https://10.5.198.200:8443
location: smsc01.mnc001.mcc001.3gppnetwork.org
s_cscf_sip_uri: sip:127.0.0.2:5060     # optional: all outbound MESSAGEs go through it
ims_domain: 127.0.0.3.invalid
";

fn file(directory: &Path, content: &str) -> PathBuf {
    let path = directory.join("config.yaml");
    std::fs::write(&path, content).unwrap();
    path
}

fn check(content: &str, more: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path(), content);
    let mut ended = smsc(
        ["check".as_ref(), "--config".as_ref(), path.as_os_str()]
            .into_iter()
            .chain(more.iter().map(|a| a.as_ref())),
    );
    for text in [&mut ended.out, &mut ended.err] {
        *text = text.replace(path.to_str().unwrap(), "config.yaml");
    }
    ended
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_exit_code_is_2() {
    let text = "location: smsc01\nims_domain: ims.example.org\npolling: {intervl: 2s}\n";
    let lines = "\
config.yaml: api_base_url: is missing; an http or https URL, or `embedded`
config.yaml:1:1: location: `smsc01` is not fully qualified; a name such as smsc01.example.org is needed
config.yaml:3:11: polling.intervl: unknown key `intervl` in `polling`; did you mean `interval`?
";
    let ended = check(text, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    let told = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(told(&ended.err), told(lines));
    assert!(ended.err.starts_with("config.yaml: api_base_url: is missing"), "{}", ended.err);

    let ended = check(text, &["--json"]);
    let shown: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &shown["ok"]), (Some(2), &json!(false)));
    assert_eq!(
        shown["problems"][2],
        json!({
            "file": "config.yaml", "line": 3, "column": 11, "key": "polling.intervl",
            "reason": "unknown key `intervl` in `polling`; did you mean `interval`?",
        })
    );
}

#[test]
fn what_the_file_points_to_must_be_there() {
    for (more, reason) in [
        (
            "advertise: {address: 'env:SMSC_TEST_UNSET'}",
            "advertise.address: the environment variable SMSC_TEST_UNSET is not set, or empty",
        ),
        (
            "relay: {key_files: [/nonexistent/key]}",
            "relay.key_files: /nonexistent/key: No such file or directory (os error 2)",
        ),
        (
            "tls: {ca_file: /nonexistent/ca.pem}",
            "CA file /nonexistent/ca.pem: No such file or directory (os error 2)",
        ),
    ] {
        let expected = Ended { code: Some(2), out: String::new(), err: format!("config.yaml: {reason}\n") };
        assert_eq!(check(&format!("{SEED}{more}\n"), &[]), expected);
    }
    let embedded = SEED.replace("https://10.5.198.200:8443", "embedded");
    assert_eq!(
        check(&format!("{embedded}store: {{path: /nonexistent/s.db}}\n"), &[]).err,
        "config.yaml: store.path: there is no directory /nonexistent\n"
    );
}

#[test]
fn the_four_key_file_is_explained_with_its_defaults() {
    let ended = check(SEED, &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    for line in [
        "config.yaml is right. It means:",
        "  home network  15 digits that begin with 00101 or 001001 are an IMSI",
        "  Via says         127.0.0.1:5060",
        "  next hop         sip:127.0.0.2:5060",
        "  trusted peers    127.0.0.0/8, loopback",
        "                   127.0.0.2/32, s_cscf_sip_uri 127.0.0.2",
        "  report_uri       sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org",
        "  reg event        off: a registration is taken as its REGISTER has it",
        "  languages     the default alphabet and UCS2 only",
        "  delivered on  the handset's RP-ACK, awaited for 45s",
        "  polls         smsc01.mnc001.mcc001.3gppnetwork.org, every 2s, up to 50 rows",
        "      <ServerName>sip:smsc01.mnc001.mcc001.3gppnetwork.org:5060</ServerName>",
    ] {
        assert!(ended.out.lines().any(|shown| shown == line), "{line}\n{}", ended.out);
    }
    let shown: Value = serde_json::from_str(&check(SEED, &["--json"]).out).unwrap();
    assert_eq!(shown["config"]["timers"]["tr1n"], json!("45s"));
    let more = "mt: {languages: [turkish, urdu]}\nreg_event: {enabled: true, identity: presentity}\n";
    let out = check(&format!("{SEED}{more}"), &[]).out;
    let asked = "the S-CSCF is asked for each subscriber's contacts as the subscriber's own identity, for 3761s each time";
    for line in [format!("  reg event        {asked}"), "  languages     Turkish, Urdu".to_owned()] {
        assert!(out.lines().any(|shown| shown == line), "{line}\n{out}");
    }
    assert_eq!(shown["hss"]["psi"], json!("sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org"));
    assert_eq!(shown["warnings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_core_that_answers_is_found_by_options_over_udp_and_tcp() {
    let core = Core::start();
    let shown = ask(core.address, "sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org");
    assert_eq!(
        shown,
        [
            ("DNS of s_cscf_sip_uri", "ok", "127.0.0.1"),
            ("DNS of ims_domain", "unclear", ""),
            ("OPTIONS over UDP", "ok", "200 OK"),
            ("OPTIONS over TCP", "ok", "200 OK"),
            ("OPTIONS to the report URI", "ok", "200 OK: the core leads to an SMS application server"),
            ("backend", "ok", "not there yet; run makes it"),
        ]
        .map(|(check, verdict, detail)| (check.to_owned(), verdict.to_owned(), detail.to_owned()))
    );
    let unknown = ask(core.address, "sip:nobody@ims.example.org");
    assert_eq!(
        unknown[4],
        (
            "OPTIONS to the report URI".to_owned(),
            "failed".to_owned(),
            "404 Not Found: the core does not know this PSI".to_owned()
        )
    );
}

#[test]
fn a_core_that_is_not_there_fails_the_check() {
    let ended = check(&format!("{}\n", SEED.replace("127.0.0.2:5060", "127.0.0.2:9")), &["--core", "--json"]);
    let shown: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &shown["ok"]), (Some(1), &json!(false)));
    for at in [2, 3] {
        assert_eq!(shown["core"][at]["detail"], json!("nobody listens there"), "{shown:#}");
    }
}

#[test]
fn tls_is_explained_and_its_files_are_refused_where_the_key_stands() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let issue = |name: &str, last_year| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["smsc01.example.org".to_owned()]).unwrap();
        params.serial_number = Some(vec![0x0B, 0xAD].into());
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(last_year, 1, 1));
        std::fs::write(file(&format!("{name}.crt")), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    };
    issue("new", 2090);
    issue("old", 2021);
    let with = |cert: &str, key: &str| {
        let path = directory.path().display();
        let tls =
            format!("{{cert_file: {path}/{cert}.crt, key_file: {path}/{key}.key, ca_file: {path}/new.crt}}");
        check(&format!("listen: ['tls:127.0.0.1:5061']\nsip: {{tls: {tls}}}\n{SEED}"), &[])
    };
    let right = with("new", "new");
    let authorities = format!("  authorities      1 in {}", file("new.crt").display());
    for line in [
        "  Via says         127.0.0.1:5061 over TLS",
        "  may connect      who has a certificate of an authority in ca_file (mutual TLS)",
        "  trusted by name  127.0.0.2, 127.0.0.3.invalid; all others by trusted_peers",
        "  certificate for  smsc01.example.org",
        "  serial number    0BAD",
        "  valid            2020-01-01T00:00:00Z to 2090-01-01T00:00:00Z",
        &authorities,
        "      <ServerName>sip:smsc01.mnc001.mcc001.3gppnetwork.org:5061;transport=tls</ServerName>",
    ] {
        assert!(right.out.lines().any(|shown| shown == line), "{line}\n{}{}", right.out, right.err);
    }
    let warning = "  sip.tls.cert_file: the certificate has expired: it was valid until 2021-01-01T00:00:00Z";
    assert!(!right.out.contains("expired"), "{}", right.out);
    assert!(with("old", "old").out.lines().any(|shown| shown == warning));

    let key = format!(
        "{}: is not the key of the certificate in {}",
        file("old.key").display(),
        file("new.crt").display()
    );
    let expected = Ended {
        code: Some(2),
        out: String::new(),
        err: format!("config.yaml:2:COLUMN: sip.tls.key_file: {key}\n"),
    };
    let mut refused = with("new", "old");
    let column = refused.err.split(':').nth(2).unwrap_or_default().to_owned();
    assert!(column.parse::<usize>().is_ok_and(|column| column > 20), "{refused:?}");
    refused.err = refused.err.replacen(&column, "COLUMN", 1);
    assert_eq!(refused, expected);
}

/// Check, verdict and detail of every question, without times and what a resolver says.
fn ask(core: SocketAddr, report_uri: &str) -> Vec<(String, String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{}sip: {{report_uri: '{report_uri}'}}\nstore: {{path: {}}}\n",
        SEED.replace("https://10.5.198.200:8443", "embedded").replace("127.0.0.2:5060", &core.to_string()),
        directory.path().join("s.db").display()
    );
    let ended = check(&text, &["--core", "--json"]);
    let shown: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}", ended.err));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = shown["core"].as_array().unwrap().iter().map(|row| {
        let detail = text(&row["detail"]);
        let detail = match (row["verdict"].as_str(), detail.split_once(" in ")) {
            (Some("unclear"), _) => String::new(),
            (_, Some((status, time))) if time.ends_with(" ms") => status.to_owned(),
            _ => detail,
        };
        (text(&row["check"]), text(&row["verdict"]), detail)
    });
    rows.collect()
}

/// Answers OPTIONS over UDP and TCP on one port as an S-CSCF with a frontend behind it would: 404 for nobody.
struct Core {
    address: SocketAddr,
}

impl Core {
    fn start() -> Self {
        // A port that is free for UDP may be taken for TCP; then another is.
        let (udp, tcp, address) = std::iter::repeat_with(|| UdpSocket::bind("127.0.0.1:0").unwrap())
            .find_map(|udp| {
                let address = udp.local_addr().unwrap();
                TcpListener::bind(address).ok().map(|tcp| (udp, tcp, address))
            })
            .unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
                udp.send_to(&answer(Bytes::copy_from_slice(&buffer[..length]), peer), peer).unwrap();
            }
        });
        std::thread::spawn(move || {
            while let Ok((mut stream, peer)) = tcp.accept() {
                let mut framer = StreamFramer::new();
                let mut buffer = [0; 4096];
                let request = loop {
                    let length = stream.read(&mut buffer).unwrap();
                    framer.push(&buffer[..length]);
                    if let Some(Ok(Framed::Message(request))) = framer.next() {
                        break request;
                    }
                };
                stream.write_all(&answer(request, peer)).unwrap();
            }
        });
        Self { address }
    }
}

fn answer(request: Bytes, peer: SocketAddr) -> Bytes {
    let request = Message::parse(request).unwrap();
    assert_eq!((request.method().unwrap().as_str(), request.max_forwards()), ("OPTIONS", Some(70)));
    let status = if request.request_uri().unwrap().starts_with("sip:nobody@") { 404 } else { 200 };
    Response::to(&request, peer, status, "core")
        .header(Header::Accept, "text/plain, application/vnd.3gpp.sms")
        .to_bytes()
}
