//! Single keys of everything around SIP: `dns`, `relay`, `store`, `endpoints`, `log`.

use super::{Findings, digits, millis, number, seconds};
use crate::duration::LONGEST;
use crate::names;
use crate::problem::KeyPath;
use crate::surroundings::{Dns, Endpoints, Numbering, ORDINAL, Relay, Retry, Store};

pub(super) fn dns(dns: &Dns, findings: &mut Findings) {
    let Dns { servers, timeout } = dns;
    findings.range("dns.servers", servers.len(), 0..=8);
    for (at, server) in servers.iter().enumerate() {
        if findings.full() {
            break;
        }
        if server.port() == 0 || server.ip().is_unspecified() {
            let path = KeyPath::from("dns.servers").index(at);
            findings.add(path, format!("{server} is no server; write for example 192.0.2.53:53"));
        }
    }
    findings.duration("dns.timeout", *timeout, millis(100)..=seconds(30));
}

pub(super) fn relay(relay: &Relay, findings: &mut Findings) {
    let Relay { listen: _, peers, key_files } = relay;
    if let Some(template) = peers {
        let result = names::http_url(&template.replace(ORDINAL, "0")).and_then(|()| {
            match template.contains(ORDINAL) {
                true => Ok(()),
                false => {
                    Err(format!("`{template}` must contain {ORDINAL}, the ordinal of the pod addressed"))
                }
            }
        });
        findings.test("relay.peers", result);
    }
    findings.range(KeyPath::from("relay.key_files"), key_files.len(), 0..=16);
}

pub(super) fn store(store: &Store, findings: &mut Findings) {
    let Store {
        path,
        listen: _,
        default_validity,
        max_validity,
        body_retention,
        retention,
        lease,
        retry,
        routes,
        numbering,
        max_messages,
        max_rows,
    } = store;
    if path.as_os_str().is_empty() {
        findings.add("store.path", "is empty; the path of the database file is needed");
    }
    for (key, value, least, most) in [
        // TP-VP reaches 63 weeks (TS 23.040 §9.2.3.12.1).
        ("default_validity", default_validity, seconds(60), seconds(63 * 7 * 86_400)),
        ("max_validity", max_validity, seconds(60), seconds(63 * 7 * 86_400)),
        ("body_retention", body_retention, seconds(0), LONGEST),
        // Late reports and repeated keys come for an hour.
        ("retention", retention, seconds(3600), LONGEST),
        ("lease", lease, seconds(30), seconds(3600)),
    ] {
        findings.duration(KeyPath::from("store").key(key), *value, least..=most);
    }
    findings.range("store.max_messages", *max_messages, 1..=10_000_000_000);
    findings.range("store.max_rows", *max_rows, 1..=10_000_000_000);
    let Numbering { country_code, national_prefix, international_prefix } = numbering;
    if let Some(code) = country_code {
        findings.test("store.numbering.country_code", digits(code, 1..=3));
    }
    findings.test("store.numbering.national_prefix", digits(national_prefix, 0..=5));
    findings.test("store.numbering.international_prefix", digits(international_prefix, 0..=5));
    let Retry { failed, congestion, unknown, no_answer, absent, memory_full } = retry;
    for (key, steps) in [
        ("failed", failed),
        ("congestion", congestion),
        ("unknown", unknown),
        ("no_answer", no_answer),
        ("absent", absent),
        ("memory_full", memory_full),
    ] {
        let path = KeyPath::from("store.retry").key(key);
        findings.range(path.clone(), steps.len(), 1..=64);
        for (at, step) in steps.iter().enumerate() {
            if findings.full() {
                break;
            }
            findings.duration(path.clone().index(at), *step, seconds(1)..=seconds(7 * 86_400));
        }
    }
    findings.range("store.routes", routes.len(), 0..=100_000);
    for (at, route) in routes.iter().enumerate() {
        if findings.full() {
            break;
        }
        let path = KeyPath::from("store.routes").index(at);
        findings.test(path.clone().key("prefix"), number(&route.prefix, 0..=20));
        findings.test(path.key("location"), names::fqdn(&route.location));
    }
}

pub(super) fn endpoints(endpoints: &Endpoints, findings: &mut Findings) {
    for (key, path, placeholder) in [
        ("frontend_register", &endpoints.frontend_register, None),
        ("frontend_deregister", &endpoints.frontend_deregister, Some("{name}")),
        ("insert_location", &endpoints.insert_location, None),
        ("delete_location", &endpoints.delete_location, Some("{impu}")),
        ("insert_message", &endpoints.insert_message, None),
        ("get_queue", &endpoints.get_queue, None),
        ("process_message", &endpoints.process_message, Some("{id}")),
        ("message_history", &endpoints.message_history, Some("{id}")),
        ("msisdn_history", &endpoints.msisdn_history, None),
    ] {
        findings.test(KeyPath::from("endpoints").key(key), names::endpoint_path(path, placeholder));
    }
}

/// A bare word that is no level would be taken for the name of a target, and everything of it logged.
pub(super) fn log_level(filter: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in filter.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(format!(
                "`{level}` is not a level; write {}, or levels by target such as info,smsc_frontend=debug",
                LEVELS.join(", ")
            ));
        }
        if directive.starts_with('=') || directive.contains(['[', ']', '{', '}', ' ']) {
            return Err(format!("`{directive}` is not target=level"));
        }
    }
    Ok(())
}
