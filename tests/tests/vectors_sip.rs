//! The SIP messages of `../shared/vectors`, judged as its manifest says: what must be read, to the field, and what a
//! server must answer or leave unanswered.
//!
//! Run by `tests/run --only vectors` where that folder stands beside the checkout.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed test may panic, and counts are printed"
)]

#[path = "vectors_sip/bodies.rs"]
mod bodies;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use smsc_proto::sip::{Framed, Header, Message, Scheme, StreamFramer, Transport, Uri};
use smsc_tests::lone_engine::LoneEngine;

/// Cases we judge otherwise than the manifest, with what we do and the clause that decides. A case that is judged as the
/// manifest says must not stand here.
const JUDGED_OTHERWISE: &[(&str, &str)] = &[
    (
        "peers/belle_belle_sip_message_tester_08_INVITE.sip",
        "RFC 3261 §18.3: on a stream Content-Length tells where the message ends, so the missing octets are awaited; \
         400 is for datagrams",
    ),
    (
        "pjsip-fuzz/sip_multipart_alternative.crlf.sip",
        "RFC 3261 §18.3: on a stream Content-Length tells where the message ends, so the missing octets are awaited; \
         400 is for datagrams",
    ),
];

/// One line of the manifest; what is not judged is left out.
#[derive(Deserialize)]
struct Case {
    file: String,
    transport: Option<String>,
    kind: String,
    /// True, false, or "lenient-ok".
    valid: Value,
    must: BTreeSet<String>,
    #[serde(default)]
    must_not: BTreeSet<String>,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
    part_hex: Option<String>,
    answers: Option<usize>,
    section: String,
    reason: String,
}

#[test]
#[ignore = "needs the folder with the vectors: tests/run --only vectors"]
fn every_sip_message_is_judged_as_the_manifest_says() {
    let folder = folder().join("sip");
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    let (mut messages, mut documents, mut complaints) = (0, 0, String::new());
    let mut otherwise: BTreeMap<&str, &str> = JUDGED_OTHERWISE.iter().copied().collect();
    for line in manifest.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let octets = std::fs::read(folder.join(&case.file)).unwrap();
        // Bodies without a message around them are for the reg event reader.
        let wrong = if case.kind == "body" {
            documents += 1;
            assert!(case.fields.is_empty(), "{}: what it has fields of is not compared here", case.file);
            bodies::judge(&case.valid, &octets)
        } else {
            messages += 1;
            [judge(&case, &octets), extract(&case, &octets)].concat()
        };
        match (wrong.is_empty(), otherwise.remove(case.file.as_str())) {
            (true, Some(_)) => {
                writeln!(complaints, "{}: is judged as the manifest says, strike it off", case.file)
            }
            (true, None) => Ok(()),
            (false, Some(clause)) => {
                println!("{}: {} -- {clause}", case.file, wrong.join("; "));
                Ok(())
            }
            (false, None) => {
                writeln!(
                    complaints,
                    "{} ({}, {}): {}",
                    case.file,
                    case.section,
                    case.reason,
                    wrong.join("; ")
                )
            }
        }
        .unwrap();
    }
    println!("{messages} SIP messages and {documents} reg event documents judged");
    println!("{} of them otherwise than the manifest", JUDGED_OTHERWISE.len());
    assert!(messages > 0 && documents > 0, "the manifest lacks messages or documents");
    assert!(otherwise.is_empty(), "no such case: {otherwise:?}");
    assert!(complaints.is_empty(), "\n{complaints}");
}

/// SMSC_VECTORS, or where the folder stands beside a checkout.
fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    std::env::var_os("SMSC_VECTORS").map_or_else(beside, PathBuf::from)
}

/// What an engine that trusts the sender does with it, against what it must do.
fn judge(case: &Case, octets: &[u8]) -> Vec<String> {
    let mut engine = LoneEngine::new();
    let heard = engine.hear(transport(case), octets);
    let statuses = heard.statuses();
    let malformed = [400, 416, 505].iter().any(|&status| engine.refused("malformed", status) > 0);
    let done = match statuses[..] {
        _ if case.kind == "response" && !heard.answers.is_empty() => "answered a response".to_owned(),
        [] => "drop".to_owned(),
        [status] => status.to_string(),
        _ => format!("{statuses:?}"),
    };
    let mut wrong = Vec::new();
    let read = case.must.contains("parse-ok") && !malformed && statuses.len() == 1;
    if !case.must.contains(&done) && !read {
        wrong.push(format!("did {done} where it must {:?}", case.must));
    }
    if case.must_not.contains(&done) {
        wrong.push(format!("did {done}, which it must not"));
    }
    if case.answers.is_some_and(|answers| answers != statuses.len()) {
        wrong.push(format!("answered {statuses:?}"));
    }
    wrong
}

/// Every field the manifest names, against what the message layer reads.
fn extract(case: &Case, octets: &[u8]) -> Vec<String> {
    if case.fields.is_empty() && case.part_hex.is_none() {
        return Vec::new();
    }
    let strict = case.valid == Value::Bool(true);
    let message = match whole(case, octets) {
        Ok(message) if !strict && message.request_fault().is_some() => return Vec::new(),
        Ok(message) => message,
        // What may be refused need not be read; whether it was answered as it must be is judged above.
        Err(_) if !strict => return Vec::new(),
        Err(error) => return vec![format!("not read: {error}")],
    };
    let mut wrong = Vec::new();
    for (name, expected) in &case.fields {
        let found = field(&message, name, expected);
        if found != *expected {
            wrong.push(format!("{name} is {found}, not {expected}"));
        }
    }
    if let Some(expected) = &case.part_hex {
        let part = message.content("application", "vnd.3gpp.sms");
        let found = part.map(|part| part.iter().map(|octet| format!("{octet:02x}")).collect::<String>());
        if found.as_ref() != Some(expected) {
            wrong.push(format!("its SMS part is {found:?}, not {expected}"));
        }
    }
    wrong
}

fn whole(case: &Case, octets: &[u8]) -> Result<Message, String> {
    let octets = match transport(case) {
        Transport::Tcp => {
            let mut framer = StreamFramer::new();
            framer.push(octets);
            let mut framed = framer.next();
            while matches!(framed, Some(Ok(Framed::Ping | Framed::Pong))) {
                framed = framer.next();
            }
            match framed {
                Some(Ok(Framed::Message(octets))) => octets,
                other => return Err(format!("the framer said {other:?}")),
            }
        }
        _ => Bytes::copy_from_slice(octets),
    };
    Message::parse(octets).map_err(|error| error.to_string())
}

fn transport(case: &Case) -> Transport {
    if case.transport.as_deref() == Some("stream") { Transport::Tcp } else { Transport::Udp }
}

/// A field in the manifest's spelling: IPv6 hosts in brackets, the password with the user, schemes in lower case, and no
/// host where the scheme has none; an unreadable field is null.
fn field(message: &Message, name: &str, expected: &Value) -> Value {
    let uri = message.request_uri().map(Uri::parse);
    let uri = uri.as_ref().and_then(|uri| uri.as_ref().ok());
    match name {
        "method" => json!(message.method().map(|method| method.as_str())),
        "status" => json!(message.status()),
        "uri_scheme" => json!(uri.map(|uri| uri.scheme.as_str().to_ascii_lowercase())),
        "uri_host" => {
            let located = uri.filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips));
            json!(located.map(|uri| bracketed(uri.host)))
        }
        "uri_port" => json!(uri.and_then(|uri| uri.port)),
        "uri_user" => match uri.and_then(|uri| Some((uri.user?, uri.password))) {
            Some((user, Some(password))) => json!(format!("{user}:{password}")),
            user => json!(user.map(|(user, _)| user)),
        },
        "call_id" => json!(message.call_id().ok()),
        "cseq" => json!(message.cseq().ok().map(|cseq| (cseq.number, cseq.method.as_str()))),
        "from_tag" => json!(message.from().ok().and_then(|from| from.tag())),
        "to_tag" => json!(message.to().ok().and_then(|to| to.tag())),
        "via_count" => json!(message.vias().filter(Result::is_ok).count()),
        "via_transport" => json!(message.via().ok().map(|via| via.transport)),
        "via_host" => json!(message.via().ok().map(|via| bracketed(via.host))),
        "via_port" => json!(message.via().ok().and_then(|via| via.port)),
        "branch" => json!(message.via().ok().and_then(|via| via.branch())),
        "body_len" => json!(message.body().len()),
        "repeated" => repeated(message, expected),
        unknown => json!(format!("this test does not know the field {unknown}")),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// How many lines each header has that the manifest counts.
fn repeated(message: &Message, expected: &Value) -> Value {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in message.lines() {
        let name = Header::from_name(name.as_bytes()).map_or(name, |header| header.as_str());
        *counts.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    counts.retain(|name, _| expected.get(name).is_some());
    json!(counts)
}
