//! What the types alone do not ensure: ranges, names, URIs, and keys that must fit together. Pure.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::Config;
use crate::duration::{LONGEST, format_duration};
use crate::names;
use crate::problem::{Finding, KeyPath};
use crate::surroundings::{ORDINAL, Relay, Retry, Store};
use crate::values::{ApiBaseUrl, Transport};

/// What a file is read for: which keys it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// `run`: `api_base_url`, `location` and `ims_domain`.
    Run,
    /// A frontend whose backend is settled elsewhere: `location` and `ims_domain`.
    Frontend,
    /// `store`, and clients of a backend: none.
    Store,
}

/// The checks of single keys.
pub(crate) fn values(config: &Config, purpose: Purpose) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    identity(config, purpose, &mut findings);
    sip(config, &mut findings);
    timers(config, &mut findings);
    limits(config, &mut findings);
    relay(&config.relay, &mut findings);
    store(&config.store, &mut findings);
    endpoints(config, &mut findings);
    findings.test("log.level", log_level(&config.log.level));
    findings.0
}

/// The checks of keys against each other.
pub(crate) fn relations(config: &Config, purpose: Purpose) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    ports(config, &mut findings);
    let tls = &config.tls;
    match (&tls.client_cert_file, &tls.client_key_file) {
        (Some(_), None) => findings.add("tls.client_cert_file", "needs tls.client_key_file beside it"),
        (None, Some(_)) => findings.add("tls.client_key_file", "needs tls.client_cert_file beside it"),
        _ => {}
    }
    if config.relay.key_files.is_empty() {
        let reason = "needs relay.key_files: relayed reports are authenticated by key, never by address";
        for (key, set) in
            [("relay.listen", config.relay.listen.is_some()), ("relay.peers", config.relay.peers.is_some())]
        {
            if set {
                findings.add(key, reason);
            }
        }
    }
    let timers = &config.timers;
    for (key, value, other, bound) in [
        ("timers.t1", timers.t1, "timers.t2", timers.t2),
        (
            "timers.backend_timeout",
            timers.backend_timeout,
            "timers.mo_insert_budget",
            timers.mo_insert_budget,
        ),
        ("timers.relay", timers.relay, "timers.report_ack", timers.report_ack),
        ("timers.tr1n", timers.tr1n, "timers.report_window", timers.report_window),
    ] {
        if value > bound {
            let (value, bound) = (format_duration(value), format_duration(bound));
            findings.add(key, format!("{value} is longer than {other} ({bound})"));
        }
    }
    let owns_store = purpose == Purpose::Store || config.api_base_url == Some(ApiBaseUrl::Embedded);
    if owns_store && config.store.lease <= timers.tr1n {
        let (lease, tr1n) = (format_duration(config.store.lease), format_duration(timers.tr1n));
        findings.add(
            "store.lease",
            format!("{lease} must be longer than timers.tr1n ({tr1n}): a delivery takes that long"),
        );
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: impl Into<KeyPath>, reason: impl Into<String>) {
        self.0.push(Finding::new(path, reason));
    }

    fn test(&mut self, path: impl Into<KeyPath>, result: Result<(), String>) {
        if let Err(reason) = result {
            self.add(path, reason);
        }
    }

    fn range<T: PartialOrd + Display>(
        &mut self,
        path: impl Into<KeyPath>,
        value: T,
        range: RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            self.add(path, format!("{value} is out of range: {} to {}", range.start(), range.end()));
        }
    }

    fn duration(&mut self, path: impl Into<KeyPath>, value: Duration, range: RangeInclusive<Duration>) {
        if !range.contains(&value) {
            let [value, least, most] = [value, *range.start(), *range.end()].map(format_duration);
            self.add(path, format!("{value} is out of range: {least} to {most}"));
        }
    }
}

fn identity(config: &Config, purpose: Purpose, findings: &mut Findings) {
    findings.range("version", config.version, 1..=1);
    if purpose == Purpose::Run && config.api_base_url.is_none() {
        findings.add(
            "api_base_url",
            "is missing; the backend's URL such as https://10.5.198.200:8443, or `embedded` for the store in this process",
        );
    }
    for (key, name) in [("location", &config.location), ("ims_domain", &config.ims_domain)] {
        match (name.is_empty(), purpose) {
            (true, Purpose::Store) => {}
            (true, _) => findings
                .add(key, "is missing; a fully qualified name such as smsc01.mnc001.mcc001.3gppnetwork.org"),
            (false, _) => findings.test(key, names::fqdn(name)),
        }
    }
    if let Some(uri) = &config.s_cscf_sip_uri {
        findings.test("s_cscf_sip_uri", names::sip_uri(uri));
    }
    if let Some(number) = &config.sc_address {
        findings.test("sc_address", number_with_digits(number, 1..=20));
    }
    if let Some(generation) = &config.generation {
        findings.range("generation", generation.len(), 1..=128);
    }
}

fn sip(config: &Config, findings: &mut Findings) {
    if config.listen.is_empty() {
        findings.add("listen", "is empty: at least one listener such as udp:0.0.0.0:5060 is needed");
    }
    if config.advertise.port == Some(0) {
        findings.add("advertise.port", "0 is not a port (1 to 65535)");
    }
    if config.trusted_peers.as_ref().is_some_and(Vec::is_empty) {
        findings.add(
            "trusted_peers",
            "is empty: every request would be refused; leave the key out for the default",
        );
    }
    if ![500, 503].contains(&config.sip.overload_status) {
        findings.add("sip.overload_status", format!("{} is neither 500 nor 503", config.sip.overload_status));
    }
    let polling = &config.polling;
    findings.duration("polling.interval", polling.interval, millis(100)..=seconds(600));
    findings.duration("polling.flush_cooldown", polling.flush_cooldown, millis(0)..=seconds(60));
    findings.duration("polling.min_gap", polling.min_gap, millis(1)..=seconds(10));
    findings.range("polling.batch", polling.batch, 1..=10_000);
    for (at, location) in polling.locations.iter().flatten().enumerate() {
        let path = KeyPath::from("polling.locations").index(at);
        findings.test(path.clone(), names::fqdn(location));
        if polling.locations.iter().flatten().take(at).any(|earlier| earlier.eq_ignore_ascii_case(location)) {
            findings
                .add(path, format!("`{location}` is in the list already; a location has exactly one poller"));
        }
    }
}

fn timers(config: &Config, findings: &mut Findings) {
    let timers = &config.timers;
    for (key, value, least, most) in [
        ("t1", timers.t1, millis(10), seconds(5)),
        ("t2", timers.t2, millis(10), seconds(60)),
        ("t4", timers.t4, millis(10), seconds(60)),
        ("tr1n", timers.tr1n, seconds(20), seconds(180)),
        // The handset's TR1M ends at 35 s: the RP-ERROR must be there before.
        ("mo_insert_budget", timers.mo_insert_budget, seconds(1), seconds(30)),
        // The core's timer F ends at 32 s.
        ("report_ack", timers.report_ack, millis(500), seconds(20)),
        ("report_window", timers.report_window, seconds(60), seconds(86_400)),
        ("submit_window", timers.submit_window, seconds(60), seconds(86_400)),
        ("drain_settle", timers.drain_settle, millis(0), seconds(60)),
        ("relay", timers.relay, millis(100), seconds(20)),
        ("register_expires", timers.register_expires, seconds(30), seconds(86_400)),
        ("backend_timeout", timers.backend_timeout, millis(100), seconds(30)),
        ("tcp_connect", timers.tcp_connect, millis(100), seconds(30)),
        ("tcp_idle", timers.tcp_idle, seconds(10), seconds(86_400)),
    ] {
        findings.duration(KeyPath::from("timers").key(key), value, least..=most);
    }
}

fn limits(config: &Config, findings: &mut Findings) {
    let limits = &config.limits;
    for (key, value, most) in [
        ("open_transactions", limits.open_transactions, 10_000_000),
        ("open_mo", limits.open_mo, 10_000_000),
        ("open_mt", limits.open_mt, 10_000_000),
        ("registrations", limits.registrations, 100_000_000),
        ("queued_per_handset", limits.queued_per_handset, 100_000),
        ("remembered_submissions", limits.remembered_submissions, 10_000_000),
        ("tcp_connections", limits.tcp_connections, 1_000_000),
        ("requests_per_second", limits.requests_per_second.unwrap_or(1), 10_000_000),
    ] {
        findings.range(KeyPath::from("limits").key(key), value, 1..=most);
    }
}

fn relay(relay: &Relay, findings: &mut Findings) {
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

fn store(store: &Store, findings: &mut Findings) {
    let Store { path, listen: _, default_validity, retention, lease, retry, routes, max_messages } = store;
    if path.as_os_str().is_empty() {
        findings.add("store.path", "is empty; the path of the database file is needed");
    }
    // TP-VP reaches 63 weeks (TS 23.040 §9.2.3.12.1).
    findings.duration("store.default_validity", *default_validity, seconds(60)..=seconds(63 * 7 * 86_400));
    findings.duration("store.retention", *retention, seconds(0)..=LONGEST);
    findings.duration("store.lease", *lease, seconds(30)..=seconds(3600));
    findings.range("store.max_messages", *max_messages, 1..=10_000_000_000);
    let Retry { failed, absent, memory_full, unknown } = retry;
    for (key, steps) in
        [("failed", failed), ("absent", absent), ("memory_full", memory_full), ("unknown", unknown)]
    {
        let path = KeyPath::from("store.retry").key(key);
        findings.range(path.clone(), steps.len(), 1..=64);
        for (at, step) in steps.iter().enumerate() {
            findings.duration(path.clone().index(at), *step, seconds(1)..=seconds(7 * 86_400));
        }
    }
    findings.range("store.routes", routes.len(), 0..=100_000);
    for (at, route) in routes.iter().enumerate() {
        let path = KeyPath::from("store.routes").index(at);
        findings.test(path.clone().key("prefix"), number_with_digits(&route.prefix, 0..=20));
        findings.test(path.key("location"), names::fqdn(&route.location));
    }
}

fn endpoints(config: &Config, findings: &mut Findings) {
    let endpoints = &config.endpoints;
    for (key, path, placeholder) in [
        ("frontend_register", &endpoints.frontend_register, None),
        ("frontend_deregister", &endpoints.frontend_deregister, Some("{name}")),
        ("insert_location", &endpoints.insert_location, None),
        ("delete_location", &endpoints.delete_location, Some("{impu}")),
        ("insert_message", &endpoints.insert_message, None),
        ("get_queue", &endpoints.get_queue, None),
        ("process_message", &endpoints.process_message, Some("{id}")),
    ] {
        findings.test(KeyPath::from("endpoints").key(key), names::endpoint_path(path, placeholder));
    }
}

/// Two listeners that could not both be opened.
fn ports(config: &Config, findings: &mut Findings) {
    let sip = config
        .listen
        .iter()
        .enumerate()
        .map(|(at, listen)| (KeyPath::from("listen").index(at), listen.transport, listen.address));
    let tcp = |key: &str, address| (KeyPath::from(key), Transport::Tcp, address);
    let others = [
        config.relay.listen.map(|address| tcp("relay.listen", address)),
        config.admin.listen.map(|address| tcp("admin.listen", address)),
        Some(tcp("store.listen", config.store.listen)),
    ];
    let mut taken: BTreeMap<(bool, u16), Vec<(KeyPath, SocketAddr)>> = BTreeMap::new();
    for (path, transport, address) in
        sip.chain(others.into_iter().flatten()).filter(|(.., address)| address.port() != 0)
    {
        let earlier = taken.entry((transport == Transport::Udp, address.port())).or_default();
        let clash = earlier.iter().find(|(_, other)| {
            let overlap =
                other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified();
            overlap && other.is_ipv4() == address.is_ipv4()
        });
        if let Some((other, _)) = clash {
            findings.add(
                path.clone(),
                format!("{} port {} is taken by {other}", transport.as_str(), address.port()),
            );
        }
        earlier.push((path, address));
    }
}

fn number_with_digits(text: &str, length: RangeInclusive<usize>) -> Result<(), String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) && length.contains(&digits.len()) {
        return Ok(());
    }
    let (least, most) = (length.start(), length.end());
    Err(format!("`{text}` is not a number: {least} to {most} digits, `+` first if it is international"))
}

/// A bare word that is no level would be taken for the name of a target, and everything of it logged.
fn log_level(filter: &str) -> Result<(), String> {
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

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
