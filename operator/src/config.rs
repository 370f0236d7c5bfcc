//! A resource's configuration as a frontend reads it: one config.yaml for each ordinal (design §7).

use std::path::PathBuf;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use smsc_config::{AdvertiseAddress, ApiBaseUrl, Config, Listen, Purpose, ReportUri, pod_location};
use smsc_crds::{
    AdvertiseFrom, AssertedIdentity, Backend, ExposureType, LogFormat, Sip, SmscFrontendSpec, Transport,
};

use crate::names::{
    ADMIN_PORT, BACKEND_CA_DIR, BACKEND_CLIENT_DIR, BACKEND_TOKEN_DIR, Names, RELAY_DIR, RELAY_KEY,
    RELAY_PORT, SIP_PORT, SIP_TLS_DIR, SIPS_PORT,
};

/// Octets of a hash that are written: enough to tell configurations apart, short enough to read aloud.
const HASH_OCTETS: usize = 8;

/// A value the specification has and a frontend would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refused {
    /// The field of the specification, or the key of config.yaml it becomes.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What all pods of a resource share: pod 0's configuration without what it polls.
///
/// `load_balancer` is the Service's address, where `advertise.from` asks for it; while it has none, the pod's stands in its
/// place, and nothing but the Services is applied ([`crate::validate::Validated::waits_for_address`]).
///
/// # Errors
/// The first value that a frontend would refuse.
pub fn shared(
    spec: &SmscFrontendSpec,
    names: &Names,
    namespace: &str,
    load_balancer: Option<&str>,
) -> Result<Config, Refused> {
    let mut config = Config {
        api_base_url: Some(parsed::<ApiBaseUrl>("backend.apiBaseURL", &spec.backend.api_base_url)?),
        location: spec.location.clone(),
        s_cscf_sip_uri: spec.s_cscf_uri.clone(),
        ims_domain: spec.ims_domain.clone(),
        sc_address: spec.sc_address.clone(),
        listen: listeners(&spec.sip.transports),
        ..Config::default()
    };
    towards_core(&mut config, spec, load_balancer)?;
    towards_backend(&mut config, &spec.backend);
    tuned(&mut config, spec);
    config.relay.listen = Some(everywhere(RELAY_PORT));
    config.relay.peers =
        Some(format!("http://{}-{{ordinal}}.{}.{namespace}.svc:{RELAY_PORT}", names.workload, names.relay));
    config.relay.key_files = vec![PathBuf::from(RELAY_DIR).join(RELAY_KEY)];
    config.admin.listen = Some(everywhere(ADMIN_PORT));
    config.check(Purpose::Frontend).map_err(|problems| {
        let first = problems.0.into_iter().next();
        first.map_or_else(
            || Refused { field: "spec".to_owned(), reason: "is refused".to_owned() },
            |problem| Refused { field: problem.key, reason: problem.reason },
        )
    })?;
    Ok(config)
}

/// The file of one ordinal, which polls `locations`; its generation names its content.
#[must_use]
pub fn of_pod(shared: &Config, ordinal: u8, locations: Vec<String>) -> Config {
    let mut config = shared.clone();
    config.location = pod_location(&shared.location, ordinal);
    config.ordinal = Some(ordinal);
    config.polling.locations = (locations != [config.location.clone()]).then_some(locations);
    config.generation = Some(hash(&config.to_yaml()));
    config
}

/// What changes exactly when pods must restart.
#[must_use]
pub fn restart_hash(shared: &Config) -> String {
    hash(&shared.restart_part().to_yaml())
}

fn towards_core(
    config: &mut Config,
    spec: &SmscFrontendSpec,
    load_balancer: Option<&str>,
) -> Result<(), Refused> {
    let Sip { transports: _, tls_secret_ref, trusted_peers, report_uri, reg_event, exposure, advertise } =
        &spec.sip;
    if tls_secret_ref.is_some() {
        let file = |name: &str| Some(PathBuf::from(SIP_TLS_DIR).join(name));
        let tls = &mut config.sip.tls;
        (tls.cert_file, tls.key_file, tls.ca_file) = (file("tls.crt"), file("tls.key"), file("ca.crt"));
    }
    if let Some(peers) = trusted_peers {
        let peers = peers.iter().map(|peer| parsed("sip.trustedPeers", peer));
        config.trusted_peers = Some(peers.collect::<Result<_, _>>()?);
    }
    // Every pod names the same: a report may come in anywhere.
    config.sip.report_uri = Some(match report_uri {
        Some(uri) => parsed("sip.reportURI", uri)?,
        None => ReportUri::Fixed(format!("sip:smsc@{}", spec.location)),
    });
    config.reg_event.enabled = reg_event.enabled;
    if let Some(seconds) = reg_event.expires_seconds {
        config.reg_event.expires = Duration::from_secs(positive(seconds));
    }
    config.reg_event.identity = match reg_event.identity {
        AssertedIdentity::Own => smsc_config::AssertedIdentity::Own,
        AssertedIdentity::Presentity => smsc_config::AssertedIdentity::Presentity,
    };
    let fixed = advertise.as_ref().and_then(|advertise| advertise.address.as_deref());
    let from = advertise.as_ref().and_then(|advertise| advertise.from);
    config.advertise.address = Some(match (fixed, from, exposure.kind, &exposure.multus) {
        (Some(address), ..) => parsed("sip.advertise.address", address)?,
        (None, Some(AdvertiseFrom::LoadBalancer), ..) => load_balancer.map_or_else(
            || AdvertiseAddress::Env("POD_IP".to_owned()),
            |address| AdvertiseAddress::Literal(address.to_owned()),
        ),
        (None, Some(AdvertiseFrom::NodeIP), ..) | (None, None, ExposureType::HostNetwork, _) => {
            AdvertiseAddress::Env("HOST_IP".to_owned())
        }
        (None, None, ExposureType::Multus, Some(multus)) => {
            AdvertiseAddress::Interface(multus.interface.clone())
        }
        (None, ..) => AdvertiseAddress::Env("POD_IP".to_owned()),
    });
    config.advertise.port =
        advertise.as_ref().and_then(|advertise| advertise.port).and_then(|port| u16::try_from(port).ok());
    Ok(())
}

fn towards_backend(config: &mut Config, backend: &Backend) {
    let Backend { api_base_url: _, tls, token_secret_ref, endpoints } = backend;
    if let Some(tls) = tls {
        config.tls.ca_file = tls.ca_ref.as_ref().map(|ca| PathBuf::from(BACKEND_CA_DIR).join(&ca.key));
        if tls.client_cert_secret_ref.is_some() {
            config.tls.client_cert_file = Some(PathBuf::from(BACKEND_CLIENT_DIR).join("tls.crt"));
            config.tls.client_key_file = Some(PathBuf::from(BACKEND_CLIENT_DIR).join("tls.key"));
        }
        config.tls.insecure_skip_verify = tls.insecure_skip_verify;
    }
    config.tls.token_file =
        token_secret_ref.as_ref().map(|token| PathBuf::from(BACKEND_TOKEN_DIR).join(&token.key));
    let smsc_crds::Endpoints {
        frontend_register,
        frontend_deregister,
        insert_location,
        delete_location,
        insert_message,
        get_queue,
        process_message,
    } = endpoints;
    let paths = &mut config.endpoints;
    set(&mut paths.frontend_register, frontend_register.clone());
    set(&mut paths.frontend_deregister, frontend_deregister.clone());
    set(&mut paths.insert_location, insert_location.clone());
    set(&mut paths.delete_location, delete_location.clone());
    set(&mut paths.insert_message, insert_message.clone());
    set(&mut paths.get_queue, get_queue.clone());
    set(&mut paths.process_message, process_message.clone());
}

fn tuned(config: &mut Config, spec: &SmscFrontendSpec) {
    let smsc_crds::Polling { interval_milliseconds, flush_cooldown_milliseconds, batch } = &spec.polling;
    let milliseconds = |number: i32| Duration::from_millis(positive(number));
    set(&mut config.polling.interval, interval_milliseconds.map(milliseconds));
    set(&mut config.polling.flush_cooldown, flush_cooldown_milliseconds.map(milliseconds));
    set(&mut config.polling.batch, batch.map(i32::unsigned_abs));

    let smsc_crds::Limits {
        server_transactions,
        client_transactions,
        open_mo,
        open_mt,
        queued_per_handset,
        registrations,
        subscriptions,
        remembered,
        tcp_connections,
        backend_requests,
        submissions_per_second,
    } = &spec.limits;
    let limits = &mut config.limits;
    set(&mut limits.server_transactions, server_transactions.map(i32::unsigned_abs));
    set(&mut limits.client_transactions, client_transactions.map(i32::unsigned_abs));
    set(&mut limits.open_mo, open_mo.map(i32::unsigned_abs));
    set(&mut limits.open_mt, open_mt.map(i32::unsigned_abs));
    set(&mut limits.queued_per_handset, queued_per_handset.map(i32::unsigned_abs));
    set(&mut limits.registrations, registrations.map(i32::unsigned_abs));
    set(&mut limits.subscriptions, subscriptions.map(i32::unsigned_abs));
    set(&mut limits.remembered, remembered.map(i32::unsigned_abs));
    set(&mut limits.tcp_connections, tcp_connections.map(i32::unsigned_abs));
    set(&mut limits.backend_requests, backend_requests.map(i32::unsigned_abs));
    limits.submissions_per_second = submissions_per_second.map(i32::unsigned_abs);

    set(&mut config.log.level, spec.log.level.clone());
    config.log.format = match spec.log.format {
        LogFormat::Json => smsc_config::LogFormat::Json,
        LogFormat::Text => smsc_config::LogFormat::Text,
    };
}

fn listeners(transports: &[Transport]) -> Vec<Listen> {
    let listen = |transport: &Transport| match transport {
        Transport::Udp => Listen { transport: smsc_config::Transport::Udp, address: everywhere(SIP_PORT) },
        Transport::Tcp => Listen { transport: smsc_config::Transport::Tcp, address: everywhere(SIP_PORT) },
        Transport::Tls => Listen { transport: smsc_config::Transport::Tls, address: everywhere(SIPS_PORT) },
    };
    // In one order, whatever the specification's: the order alone must not restart pods.
    let mut transports = transports.to_vec();
    transports.sort_unstable();
    transports.dedup();
    transports.iter().map(listen).collect()
}

fn everywhere(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::UNSPECIFIED, port).into()
}

fn parsed<T: std::str::FromStr<Err = String>>(field: &str, text: &str) -> Result<T, Refused> {
    text.parse().map_err(|reason| Refused { field: field.to_owned(), reason })
}

fn set<T>(key: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *key = value;
    }
}

/// The schema allows no negative number.
fn positive(number: i32) -> u64 {
    u64::from(number.unsigned_abs())
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..HASH_OCTETS])
}
