//! What the types alone do not ensure: ranges, names, URIs, and keys that must fit together. Pure.

mod relations;
mod sip_tls;
mod surroundings;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::Config;
use crate::duration::format_duration;
use crate::names;
use crate::problem::{Finding, KeyPath, MOST};

pub(crate) use relations::relations;

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
    surroundings::dns(&config.dns, &mut findings);
    surroundings::relay(&config.relay, &mut findings);
    surroundings::store(&config.store, &mut findings);
    surroundings::endpoints(&config.endpoints, &mut findings);
    findings.test("log.level", surroundings::log_level(&config.log.level));
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    /// Whether there are far more than are ever told: a long list need not be looked through to its end.
    fn full(&self) -> bool {
        self.0.len() >= 4 * MOST
    }

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
    if let Some(address) = &config.sc_address {
        findings.test("sc_address", number(address, 1..=20));
    }
    if let Some(generation) = &config.generation {
        findings.range("generation", generation.len(), 1..=128);
    }
}

fn sip(config: &Config, findings: &mut Findings) {
    if config.listen.is_empty() {
        findings.add("listen", "is empty: at least one listener such as udp:0.0.0.0:5060 is needed");
    }
    let advertise = &config.advertise;
    for (key, port) in [("advertise.port", advertise.port), ("advertise.tls_port", advertise.tls_port)] {
        if port == Some(0) {
            findings.add(key, "0 is not a port (1 to 65535)");
        }
    }
    sip_tls::values(&config.sip.tls, findings);
    if config.trusted_peers.as_ref().is_some_and(Vec::is_empty) {
        findings.add(
            "trusted_peers",
            "is empty: every request would be refused; leave the key out for the default",
        );
    }
    if ![500, 503].contains(&config.sip.overload_status) {
        findings.add("sip.overload_status", format!("{} is neither 500 nor 503", config.sip.overload_status));
    }
    findings.duration("reg_event.expires", config.reg_event.expires, seconds(60)..=seconds(604_800));
    let languages = &config.mt.languages;
    for (at, language) in languages.iter().enumerate() {
        if findings.full() {
            break;
        }
        if languages[..at].contains(language) {
            findings.add(KeyPath::from("mt.languages").index(at), "is in the list already");
        }
    }
    let polling = &config.polling;
    findings.duration("polling.interval", polling.interval, millis(100)..=seconds(600));
    findings.duration("polling.flush_cooldown", polling.flush_cooldown, millis(0)..=seconds(60));
    findings.duration("polling.min_gap", polling.min_gap, millis(1)..=seconds(10));
    findings.range("polling.batch", polling.batch, 1..=10_000);
    let mut polled = BTreeSet::new();
    for (at, location) in polling.locations.iter().flatten().enumerate() {
        if findings.full() {
            break;
        }
        let path = KeyPath::from("polling.locations").index(at);
        findings.test(path.clone(), names::fqdn(location));
        if !polled.insert(location.to_ascii_lowercase()) {
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
        ("submit_window", timers.submit_window, seconds(60), seconds(86_400)),
        ("drain_settle", timers.drain_settle, millis(0), seconds(60)),
        ("relay", timers.relay, millis(100), seconds(20)),
        ("register_expires", timers.register_expires, seconds(30), seconds(86_400)),
        ("backend_timeout", timers.backend_timeout, millis(100), seconds(30)),
        ("backend_connect", timers.backend_connect, millis(100), seconds(30)),
        ("tcp_connect", timers.tcp_connect, millis(100), seconds(30)),
        ("tcp_idle", timers.tcp_idle, seconds(10), seconds(86_400)),
        ("tls_handshake", timers.tls_handshake, millis(100), seconds(30)),
    ] {
        findings.duration(KeyPath::from("timers").key(key), value, least..=most);
    }
}

fn limits(config: &Config, findings: &mut Findings) {
    let limits = &config.limits;
    for (key, value, most) in [
        ("server_transactions", limits.server_transactions, 10_000_000),
        ("client_transactions", limits.client_transactions, 10_000_000),
        ("open_mo", limits.open_mo, 10_000_000),
        ("open_mt", limits.open_mt, 10_000_000),
        ("queued_per_handset", limits.queued_per_handset, 100_000),
        ("registrations", limits.registrations, 100_000_000),
        ("subscriptions", limits.subscriptions, 10_000_000),
        ("remembered", limits.remembered, 10_000_000),
        ("tcp_connections", limits.tcp_connections, 1_000_000),
        ("tls_handshakes", limits.tls_handshakes, 100_000),
        ("backend_requests", limits.backend_requests, 100_000),
        ("submissions_per_second", limits.submissions_per_second.unwrap_or(1), 10_000_000),
    ] {
        findings.range(KeyPath::from("limits").key(key), value, 1..=most);
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Digits, with `+` in front or not.
fn number(text: &str, length: RangeInclusive<usize>) -> Result<(), String> {
    digits(text.strip_prefix('+').unwrap_or(text), length)
        .map_err(|reason| format!("{reason}, `+` first if the number is international"))
}

fn digits(text: &str, length: RangeInclusive<usize>) -> Result<(), String> {
    if text.bytes().all(|b| b.is_ascii_digit()) && length.contains(&text.len()) {
        return Ok(());
    }
    let (least, most) = (length.start(), length.end());
    Err(format!("`{text}` is not {least} to {most} digits"))
}
