//! RFC 4475 §3: well-formed torments, malformed messages, and well-formed ones that ask for what nobody can do.

mod application;
mod invalid;
mod valid;

use super::{Case, Outcome, case, sip};

pub(super) fn cases() -> Vec<Case> {
    [valid::cases(), valid::in_content(), invalid::cases(), invalid::in_fields(), application::cases()]
        .concat()
}

fn options(name: &str, lines: &[&str]) -> Vec<u8> {
    named(name, "OPTIONS sip:anna@example.org SIP/2.0", lines)
}

fn request_line(name: &str, line: &str) -> Vec<u8> {
    named(name, line, &["To: sip:anna@example.org", "From: sip:bert@example.org;tag=7"])
}

fn named(name: &str, line: &str, lines: &[&str]) -> Vec<u8> {
    let (via, call_id) =
        (format!("Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK{name}"), format!("Call-ID: {name}.4711"));
    let mut head = vec![line, &via, &call_id, "CSeq: 60 OPTIONS", "Max-Forwards: 70"];
    head.extend_from_slice(lines);
    head.push("l: 0");
    sip(&head, b"")
}

fn register(name: &str, to: &str, lines: &[&str]) -> Vec<u8> {
    let head = [
        "REGISTER sip:example.org SIP/2.0".to_owned(),
        format!("To: {to}"),
        format!("From: sip:s-cscf@example.org;tag={name}"),
        "Max-Forwards: 70".to_owned(),
        format!("Call-ID: {name}.4711"),
        "CSeq: 8 REGISTER".to_owned(),
        format!("Via: SIP/2.0/UDP host5.example.org;branch=z9hG4bK{name}"),
    ];
    let mut head: Vec<&str> = head.iter().map(String::as_str).collect();
    head.extend_from_slice(lines);
    head.push("L:0");
    sip(&head, b"")
}

fn response(name: &'static str, clause: &'static str, outcome: Outcome, line: &str, cseq: &str) -> Case {
    let octets = sip(
        &[
            line,
            &format!("Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK{name}"),
            &format!("Call-ID: {name}.4711"),
            &format!("CSeq: {cseq}"),
            "From: <sip:anna@example.org>;tag=11141343",
            "To: <sip:bert@example.org>;tag=2229",
            "Content-Length: 0",
        ],
        b"",
    );
    case(name, clause, outcome, octets)
}
