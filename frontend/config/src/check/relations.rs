//! How keys fit together.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Findings, Purpose, sip_tls};
use crate::config::Config;
use crate::duration::format_duration;
use crate::problem::{Finding, KeyPath};
use crate::values::{ApiBaseUrl, Transport};

/// The checks of keys against each other.
pub(crate) fn relations(config: &Config, purpose: Purpose) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    ports(config, &mut findings);
    sip_tls::relations(config, &mut findings);
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
    let (timers, store) = (&config.timers, &config.store);
    for (key, value, other, bound) in [
        ("timers.t1", timers.t1, "timers.t2", timers.t2),
        (
            "timers.backend_timeout",
            timers.backend_timeout,
            "timers.mo_insert_budget",
            timers.mo_insert_budget,
        ),
        ("timers.relay", timers.relay, "timers.report_ack", timers.report_ack),
        ("timers.backend_connect", timers.backend_connect, "timers.backend_timeout", timers.backend_timeout),
        ("store.default_validity", store.default_validity, "store.max_validity", store.max_validity),
        ("store.body_retention", store.body_retention, "store.retention", store.retention),
    ] {
        if value > bound {
            let (value, bound) = (format_duration(value), format_duration(bound));
            findings.add(key, format!("{value} is longer than {other} ({bound})"));
        }
    }
    let owns_store = purpose == Purpose::Store || config.api_base_url == Some(ApiBaseUrl::Embedded);
    if owns_store && store.lease <= timers.tr1n {
        let (lease, tr1n) = (format_duration(store.lease), format_duration(timers.tr1n));
        findings.add(
            "store.lease",
            format!("{lease} must be longer than timers.tr1n ({tr1n}): a delivery takes that long"),
        );
    }
    if store.max_messages > store.max_rows {
        let (messages, rows) = (store.max_messages, store.max_rows);
        findings.add(
            "store.max_messages",
            format!("{messages} is more than store.max_rows ({rows}), which includes them"),
        );
    }
    findings.0
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
    let mut taken: BTreeMap<(bool, bool, u16), BTreeMap<IpAddr, KeyPath>> = BTreeMap::new();
    for (path, transport, address) in
        sip.chain(others.into_iter().flatten()).filter(|(.., address)| address.port() != 0)
    {
        let key = (transport == Transport::Udp, address.is_ipv4(), address.port());
        let earlier = taken.entry(key).or_default();
        let everywhere = match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let clash = if address.ip() == everywhere {
            earlier.values().next()
        } else {
            earlier.get(&address.ip()).or_else(|| earlier.get(&everywhere))
        };
        if let Some(other) = clash {
            let reason = format!("{} port {} is taken by {other}", transport.as_str(), address.port());
            findings.add(path.clone(), reason);
        }
        earlier.entry(address.ip()).or_insert(path);
    }
}
