//! From config.yaml to the engine's settings. Pure, but for reading the key files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use smsc_config::{
    AdvertiseAddress, ApiBaseUrl, AssertedIdentity, Config, DeliveredOn, Duplicates, Network, RequestUri,
    Transport,
};
use smsc_proto::sip::{self, transaction};
use smsc_proto::sms::Address;
use smsc_proto::sms::gsm7::Language;

use crate::engine::{Caps, Keys, RegEvent, RegisterInfo, ReportUri, Settings, Timers, Trusted};
use crate::environment::Environment;

/// A key shorter than this is no secret.
const SHORTEST_KEY: usize = 16;
/// A key longer than this was meant to be another file.
const LONGEST_KEY: u64 = 4096;
const DEFAULT_PORT: u16 = 5060;
const TLS_PORT: u16 = 5061;

/// Why the engine cannot be set up: config.yaml, or what it points to, is at fault. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `advertise.address: env:NAME`, and the variable is not set or holds no host.
    #[error("advertise.address: the environment variable {0} is not set, or empty")]
    Variable(String),
    /// `advertise.address: interface:NAME`, and there is none, or it has no address.
    #[error("advertise.address: there is no network interface {0} with an address")]
    Interface(String),
    /// A key file cannot be used.
    #[error("relay.key_files: {}: {detail}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// `sc_address` cannot be written as an address.
    #[error("sc_address: {0}")]
    ScAddress(String),
}

/// What the engine is told.
///
/// # Errors
/// The file points to a variable, interface or key that is not there.
pub fn engine_settings(config: &Config, environment: &Environment) -> Result<Settings, SettingsError> {
    let advertised_host = advertised_host(config, environment)?;
    let ordinal = config.ordinal(&environment.host_name);
    let listens = |transport| config.listen.iter().any(|listen| listen.transport == transport);
    Ok(Settings {
        location: config.location.clone(),
        ims_domain: config.ims_domain.clone(),
        home_network: home_network([&config.ims_domain, &config.location]),
        ordinal,
        s_cscf_uri: config.s_cscf_sip_uri.clone(),
        sent_by: sent_by(config, environment, Transport::Udp)?,
        sent_by_tls: listens(Transport::Tls)
            .then(|| sent_by(config, environment, Transport::Tls))
            .transpose()?,
        speaks_tls: config.sip.tls.is_client(),
        reached_by: match [Transport::Udp, Transport::Tcp, Transport::Tls].map(listens) {
            [true, ..] | [false, false, false] => None,
            [false, true, _] => Some(sip::Transport::Tcp),
            [false, false, true] => Some(sip::Transport::Tls),
        },
        advertised_host,
        trusted: trusted(config, environment),
        report_uri: report_uri(config, ordinal),
        reject_duplicates: config.sip.duplicates == Duplicates::Reject,
        overload_status: config.sip.overload_status,
        sc_address: sc_address(config)?,
        tel_uri: config.mt.request_uri == RequestUri::Tel,
        delivered_on_2xx: config.mt.delivered_on == DeliveredOn::Sip2xx,
        capable_by_default: config.mt.default_capable,
        languages: languages(config),
        reg_event: reg_event(config),
        polled: config.polled_locations().to_vec(),
        backend_leases: config.api_base_url == Some(ApiBaseUrl::Embedded),
        relay: config.relay.peers.is_some() && !config.relay.key_files.is_empty(),
        keys: keys(config)?,
        register: register_info(config),
        timers: timers(config),
        caps: caps(config),
        narrate: false,
    })
}

/// What the transaction layer is told; `seed` is fresh randomness.
///
/// # Errors
/// As [`engine_settings`].
pub fn transaction_config(
    config: &Config,
    environment: &Environment,
    seed: [u64; 2],
) -> Result<transaction::Config, SettingsError> {
    let smsc_config::Timers { t1, t2, t4, .. } = &config.timers;
    Ok(transaction::Config {
        timers: transaction::Timers { t1: *t1, t2: *t2, t4: *t4 },
        sent_by_udp: sent_by(config, environment, Transport::Udp)?,
        sent_by_tcp: sent_by(config, environment, Transport::Tcp)?,
        sent_by_tls: sent_by(config, environment, Transport::Tls)?,
        max_server: count(config.limits.server_transactions),
        max_client: count(config.limits.client_transactions),
        seed,
    })
}

/// What an operator should know before relying on this configuration: one sentence each.
#[must_use]
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.relay.key_files.is_empty() {
        warnings.push(
            "relay.key_files: none: the key of delivery tokens is derived from ims_domain, so a token is only a \
             checksum, and whoever may send us requests could forge a report"
                .to_owned(),
        );
    }
    if config.sc_address.is_none() {
        warnings.push(
            "sc_address: none: a message whose row names no service centre goes out with an empty RP-OA \
             (TS 24.011 §8.2.5.1 wants its number there)"
                .to_owned(),
        );
    }
    if config.tls.insecure_skip_verify {
        warnings.push("tls.insecure_skip_verify: any certificate is taken for the backend's".to_owned());
    }
    let plain = matches!(&config.api_base_url, Some(ApiBaseUrl::Url(url)) if url.starts_with("http://"));
    if plain && config.tls.token_file.is_some() {
        warnings.push("tls.token_file: the token travels in the clear: api_base_url is http".to_owned());
    }
    if config.mt.delivered_on == DeliveredOn::Sip2xx {
        warnings.push(
            "mt.delivered_on: a SIP 2xx counts as delivered; that a handset has the message is then not proved"
                .to_owned(),
        );
    }
    warnings
}

/// The networks whose requests are believed: the key `trusted_peers`, else the core's addresses and loopback.
#[must_use]
pub fn trusted(config: &Config, environment: &Environment) -> Trusted {
    let networks = match &config.trusted_peers {
        Some(networks) => networks.iter().map(|network| (network.address(), network.prefix())).collect(),
        None => {
            let core = environment.core_addresses().map(Network::host);
            let mut networks: Vec<(IpAddr, u8)> =
                vec![(Ipv4Addr::new(127, 0, 0, 0).into(), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
            for network in core.map(|network| (network.address(), network.prefix())) {
                if !networks.contains(&network) {
                    networks.push(network);
                }
            }
            networks
        }
    };
    Trusted::new(networks)
}

/// The languages whose shift tables every handset is known to have.
#[must_use]
pub fn languages(config: &Config) -> Vec<Language> {
    let table = |language: &smsc_config::Language| match language {
        smsc_config::Language::Turkish => Language::Turkish,
        smsc_config::Language::Spanish => Language::Spanish,
        smsc_config::Language::Portuguese => Language::Portuguese,
        smsc_config::Language::Bengali => Language::Bengali,
        smsc_config::Language::Gujarati => Language::Gujarati,
        smsc_config::Language::Hindi => Language::Hindi,
        smsc_config::Language::Kannada => Language::Kannada,
        smsc_config::Language::Malayalam => Language::Malayalam,
        smsc_config::Language::Oriya => Language::Oriya,
        smsc_config::Language::Punjabi => Language::Punjabi,
        smsc_config::Language::Tamil => Language::Tamil,
        smsc_config::Language::Telugu => Language::Telugu,
        smsc_config::Language::Urdu => Language::Urdu,
    };
    config.mt.languages.iter().map(table).collect()
}

/// Where handsets send their reports. A user part per pod or message stands before the location that all pods share,
/// pod 0's, so that one wildcarded PSI (TS 23.003 §13.5) covers them all.
#[must_use]
pub fn report_uri(config: &Config, ordinal: u8) -> ReportUri {
    match config.report_uri() {
        smsc_config::ReportUri::Fixed(uri) => ReportUri::Fixed(uri),
        smsc_config::ReportUri::Pod => {
            ReportUri::Pod(format!("sip:smsc-{ordinal}@{}", first_location(&config.location, ordinal)))
        }
        smsc_config::ReportUri::Message => ReportUri::Message(first_location(&config.location, ordinal)),
    }
}

/// Pod 0's location, from which pod `ordinal`'s was made; the location itself where it was not made so.
fn first_location(location: &str, ordinal: u8) -> String {
    let (label, domain) = location.split_once('.').unwrap_or((location, ""));
    match label.strip_suffix(&format!("-{ordinal}")) {
        Some(first) if ordinal > 0 && !first.is_empty() => format!("{first}.{domain}"),
        _ => location.to_owned(),
    }
}

/// What a Via says: the advertised host and the port of that transport's first listener, or of the other's.
///
/// # Errors
/// As [`advertised_host`].
pub fn sent_by(
    config: &Config,
    environment: &Environment,
    transport: Transport,
) -> Result<String, SettingsError> {
    let host = advertised_host(config, environment)?;
    let listening = listening(config, environment);
    let own = listening.iter().find(|listen| listen.transport == transport);
    // What comes over TLS must not be told to go where TLS is not spoken, nor the other way round.
    let secure = |transport| transport == Transport::Tls;
    let alike = || listening.iter().find(|listen| secure(listen.transport) == secure(transport));
    let listener = own.or_else(alike).map(|listen| listen.address.port());
    let (advertised, default_port) = match transport {
        Transport::Tls => (config.advertise.tls_port, TLS_PORT),
        Transport::Udp | Transport::Tcp => (config.advertise.port, DEFAULT_PORT),
    };
    let port = advertised.or(listener).unwrap_or(default_port);
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// The host under which this frontend can be reached, IPv6 without brackets: the key `advertise.address`, else the
/// address requests leave from.
///
/// # Errors
/// The key points to a variable or interface that is not there.
pub fn advertised_host(config: &Config, environment: &Environment) -> Result<String, SettingsError> {
    match &config.advertise.address {
        Some(AdvertiseAddress::Literal(address)) => Ok(address.clone()),
        Some(AdvertiseAddress::Env(name)) => {
            let value = environment.variable.as_deref().map(str::trim).filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| SettingsError::Variable(name.clone()))?;
            Ok(value.trim_matches(['[', ']']).to_owned())
        }
        Some(AdvertiseAddress::Interface(name)) => {
            let of_interface = environment.interfaces.iter().filter(|(interface, _)| interface == name);
            first_usable(of_interface.map(|(_, address)| *address))
                .map(|address| address.to_string())
                .ok_or_else(|| SettingsError::Interface(name.clone()))
        }
        None => Ok(local_address(config, environment).to_string()),
    }
}

/// The address requests leave from: a listener's own, else what the route to the core has, else any of the machine.
fn local_address(config: &Config, environment: &Environment) -> IpAddr {
    let listening = listening(config, environment);
    let bound = listening.iter().map(|listen| listen.address.ip()).find(|address| !address.is_unspecified());
    let outside = environment.interfaces.iter().map(|(_, address)| *address).filter(|a| !a.is_loopback());
    bound.or(environment.outbound).or_else(|| first_usable(outside)).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// The first IPv4 address, else the first IPv6 address that means something beyond its link.
fn first_usable(addresses: impl Iterator<Item = IpAddr> + Clone) -> Option<IpAddr> {
    let link_local = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    addresses.clone().find(IpAddr::is_ipv4).or_else(|| addresses.clone().find(|address| !link_local(address)))
}

fn listening<'a>(config: &'a Config, environment: &'a Environment) -> &'a [smsc_config::Listen] {
    if environment.listening.is_empty() { &config.listen } else { &environment.listening }
}

/// How an IMSI of the home network begins: MCC and MNC from labels such as `mnc001.mcc234` (TS 23.003 §13.2).
///
/// The label pads an MNC of two digits with a zero, so `mnc015` stands for 15 and for 015.
#[must_use]
pub fn home_network<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut prefixes = Vec::new();
    for name in names {
        let labels: Vec<String> = name.split('.').map(str::to_ascii_lowercase).collect();
        for pair in labels.windows(2) {
            let digits = |label: &'static str, text: &str| {
                let digits = text.strip_prefix(label)?;
                digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.to_owned())
            };
            let (Some(mnc), Some(mcc)) = (digits("mnc", &pair[0]), digits("mcc", &pair[1])) else { continue };
            if mcc.len() != 3 || !(2..=3).contains(&mnc.len()) {
                continue;
            }
            let short = mnc.strip_prefix('0').filter(|short| short.len() == 2);
            for mnc in short.into_iter().chain([mnc.as_str()]) {
                let prefix = format!("{mcc}{mnc}");
                if !prefixes.contains(&prefix) {
                    prefixes.push(prefix);
                }
            }
        }
    }
    prefixes
}

fn reg_event(config: &Config) -> Option<RegEvent> {
    let smsc_config::RegEvent { enabled, expires, identity } = &config.reg_event;
    enabled.then(|| RegEvent {
        expires: whole_seconds(*expires),
        as_presentity: *identity == AssertedIdentity::Presentity,
    })
}

fn sc_address(config: &Config) -> Result<Address, SettingsError> {
    let Some(number) = &config.sc_address else { return Ok(Address::EMPTY) };
    let digits = number.strip_prefix('+').unwrap_or(number);
    Address::international(digits).map_err(|error| SettingsError::ScAddress(error.to_string()))
}

fn keys(config: &Config) -> Result<Keys, SettingsError> {
    let keys =
        config.relay.key_files.iter().map(|path| {
            read_key(path).map_err(|detail| SettingsError::KeyFile { path: path.clone(), detail })
        });
    Ok(Keys::new(&keys.collect::<Result<Vec<_>, _>>()?, &config.ims_domain))
}

/// A key without the line end that editors and `echo` add, so that copies made by hand agree.
fn read_key(path: &Path) -> Result<Vec<u8>, String> {
    let mut key = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST_KEY + 1).read_to_end(&mut key).map_err(|error| error.to_string())?;
    if key.len() as u64 > LONGEST_KEY {
        return Err(format!("is longer than {LONGEST_KEY} octets"));
    }
    key.truncate(key.trim_ascii_end().len());
    if key.len() < SHORTEST_KEY {
        return Err(format!("holds {} octets; a key has at least {SHORTEST_KEY}", key.len()));
    }
    Ok(key)
}

/// What `frontend_register` shows: a function of the file alone, so that every sender of it says the same.
fn register_info(config: &Config) -> RegisterInfo {
    let text = |value: String| Value::String(value);
    let mut configuration = BTreeMap::from([
        ("ims_domain".to_owned(), text(config.ims_domain.clone())),
        ("report_uri".to_owned(), text(config.report_uri().to_string())),
        ("polling_interval_seconds".to_owned(), Value::from(config.polling.interval.as_secs_f64())),
        ("tr1n_seconds".to_owned(), Value::from(config.timers.tr1n.as_secs())),
    ]);
    if let Some(sc_address) = &config.sc_address {
        configuration.insert("sc_address".to_owned(), text(sc_address.clone()));
    }
    if let Some(generation) = &config.generation {
        configuration.insert("generation".to_owned(), text(generation.clone()));
    }
    RegisterInfo { version: env!("CARGO_PKG_VERSION").to_owned(), configuration }
}

fn timers(config: &Config) -> Timers {
    let (timers, polling) = (&config.timers, &config.polling);
    Timers {
        tr1n: timers.tr1n,
        mo_budget: timers.mo_insert_budget,
        report_ack: timers.report_ack,
        relay: timers.relay,
        register_expires: whole_seconds(timers.register_expires),
        poll_interval: polling.interval,
        flush_cooldown: polling.flush_cooldown,
        poll_gap: polling.min_gap,
        poll_batch: polling.batch,
        submit_window: timers.submit_window,
    }
}

/// `expires_in` counts whole seconds.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn caps(config: &Config) -> Caps {
    let limits = &config.limits;
    Caps {
        server_transactions: count(limits.server_transactions),
        client_transactions: count(limits.client_transactions),
        open_mo: count(limits.open_mo),
        open_mt: count(limits.open_mt),
        queued_per_handset: count(limits.queued_per_handset),
        submissions_per_second: limits.submissions_per_second,
        registrations: count(limits.registrations),
        subscriptions: count(limits.subscriptions),
        remembered: count(limits.remembered),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
