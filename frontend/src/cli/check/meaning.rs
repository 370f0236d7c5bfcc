//! What the keys come to on this machine, defaults included.

mod tls;

use serde::{Serialize, Serializer};
use smsc_config::{ApiBaseUrl, Config, DeliveredOn, Duplicates, RequestUri, Transport, format_duration};
use smsc_proto::sip;
use smsc_proto::sms::Address;

use crate::engine::{ReportUri, Settings};
use crate::environment::{CoreHost, Environment};
use crate::settings::sent_by;
use crate::tls::Tls;

/// Facts that belong together.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    pub(super) title: &'static str,
    #[serde(serialize_with = "as_map")]
    pub(super) facts: Vec<Fact>,
}

/// One fact, in one line or several.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) values: Vec<String>,
}

fn as_map<S: Serializer>(facts: &[Fact], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|fact| (fact.name, &fact.values)))
}

/// Everything worth reading before `run`.
pub(super) fn of(config: &Config, environment: &Environment, settings: &Settings, tls: &Tls) -> Vec<Section> {
    let mut sections = vec![
        Section { title: "Identity", facts: identity(config, environment, settings) },
        Section { title: "SIP", facts: sip(config, environment, settings) },
        Section { title: "Messages", facts: messages(config, settings) },
        Section { title: "Backend", facts: backend(config) },
    ];
    let over_tls = self::tls::facts(config, tls);
    if !over_tls.is_empty() {
        sections.insert(2, Section { title: "SIP over TLS", facts: over_tls });
    }
    sections
}

fn identity(config: &Config, environment: &Environment, settings: &Settings) -> Vec<Fact> {
    let ordinal = match config.ordinal {
        Some(ordinal) => ordinal.to_string(),
        None => format!("{}, from the host name {}", settings.ordinal, environment.host_name),
    };
    let network = match settings.home_network.as_slice() {
        [] => "unknown: neither ims_domain nor location has labels mncXXX.mccYYY, so no IMSI is told from a number"
            .to_owned(),
        prefixes => format!("15 digits that begin with {} are an IMSI", prefixes.join(" or ")),
    };
    vec![
        one("location", &config.location),
        one("ims_domain", &config.ims_domain),
        one("ordinal", ordinal),
        one("home network", network),
    ]
}

fn sip(config: &Config, environment: &Environment, settings: &Settings) -> Vec<Fact> {
    let listen = config.listen.iter().map(ToString::to_string).collect();
    let via = |transport| sent_by(config, environment, transport).ok();
    let mut via = match (via(Transport::Udp), via(Transport::Tcp)) {
        (Some(udp), Some(tcp)) if udp != tcp => vec![format!("{udp} over UDP"), format!("{tcp} over TCP")],
        (udp, tcp) => {
            udp.or(tcp).into_iter().filter(|_| settings.reached_by != Some(sip::Transport::Tls)).collect()
        }
    };
    via.extend(settings.sent_by_tls.iter().map(|tls| format!("{tls} over TLS")));
    let next_hop = config.s_cscf_sip_uri.clone().unwrap_or_else(|| {
        format!("the S-CSCF of the subscriber's location, else what DNS names for {}", config.ims_domain)
    });
    let report_uri = match &settings.report_uri {
        ReportUri::Fixed(uri) => uri.clone(),
        ReportUri::Pod(uri) => format!("{uri}, one per pod"),
        ReportUri::Message(host) => format!("sip:<token>@{host}, one per message"),
    };
    vec![
        Fact { name: "listen", values: listen },
        Fact { name: "Via says", values: via },
        one("next hop", next_hop),
        Fact { name: "trusted peers", values: trusted(config, environment, settings) },
        one("report_uri", report_uri),
        one("overload answer", settings.overload_status),
        one("reg event", reg_event(settings)),
    ]
}

fn reg_event(settings: &Settings) -> String {
    let Some(reg_event) = &settings.reg_event else {
        return "off: a registration is taken as its REGISTER has it".to_owned();
    };
    let identity = match (&settings.report_uri, reg_event.as_presentity) {
        (_, true) => "the subscriber's own identity",
        (ReportUri::Fixed(uri) | ReportUri::Pod(uri), false) => uri,
        (ReportUri::Message(host), false) => &format!("sip:smsc@{host}"),
    };
    let lifetime = format_duration(reg_event.expires);
    format!("the S-CSCF is asked for each subscriber's contacts as {identity}, for {lifetime} each time")
}

/// Every trusted network and why it is.
fn trusted(config: &Config, environment: &Environment, settings: &Settings) -> Vec<String> {
    if config.trusted_peers.is_some() {
        return settings.trusted.networks().map(|network| format!("{network}, from the file")).collect();
    }
    let origin = |network: &str| {
        let of_host = |host: &&CoreHost| {
            let addresses = host.addresses.as_ref().map(Vec::as_slice).unwrap_or_default();
            addresses.iter().any(|address| network.split('/').next() == Some(address.to_string().as_str()))
        };
        match environment.core.iter().find(of_host) {
            Some(host) => format!("{network}, {} {}", host.key, host.host),
            None => format!("{network}, loopback"),
        }
    };
    let unknown = environment.core.iter().filter_map(|host| {
        let error = host.addresses.as_ref().err()?;
        Some(format!("none for {} {}: {error}", host.key, host.host))
    });
    settings.trusted.networks().map(|network| origin(&network)).chain(unknown).collect()
}

fn messages(config: &Config, settings: &Settings) -> Vec<Fact> {
    let sc_address = match settings.sc_address {
        Address::EMPTY => "none; RP-OA is what a row carries".to_owned(),
        address => address.to_string(),
    };
    let languages = match settings.languages.as_slice() {
        [] => "the default alphabet and UCS2 only".to_owned(),
        languages => languages.iter().map(|language| language.name()).collect::<Vec<_>>().join(", "),
    };
    let request_uri = match config.mt.request_uri {
        RequestUri::Sip => format!("sip:+<msisdn>@{};user=phone where no IMPU is known", config.ims_domain),
        RequestUri::Tel => "tel:+<msisdn> where no IMPU is known".to_owned(),
    };
    let delivered_on = match config.mt.delivered_on {
        DeliveredOn::RpAck => {
            format!("the handset's RP-ACK, awaited for {}", format_duration(config.timers.tr1n))
        }
        DeliveredOn::Sip2xx => "the SIP 2xx".to_owned(),
    };
    let repeats = match config.sip.duplicates {
        Duplicates::Ack => "answered RP-ACK with the first TP-SCTS",
        Duplicates::Reject => "answered RP-ERROR with TP-FCS 0xC5",
    };
    let polling = &config.polling;
    let every = format!("every {}, up to {} rows", format_duration(polling.interval), polling.batch);
    let polled = match settings.polled.as_slice() {
        [] => vec!["nothing".to_owned()],
        locations => locations.iter().map(|location| format!("{location}, {every}")).collect(),
    };
    vec![
        one("sc_address", sc_address),
        one("languages", languages),
        one("Request-URI", request_uri),
        one("delivered on", delivered_on),
        one("MO repeats", repeats),
        Fact { name: "polls", values: polled },
    ]
}

fn backend(config: &Config) -> Vec<Fact> {
    let mut facts = Vec::new();
    match &config.api_base_url {
        Some(ApiBaseUrl::Url(url)) => {
            let timers = &config.timers;
            facts.push(one("api_base_url", url));
            facts.push(one("an operation may take", format_duration(timers.backend_timeout)));
            let authorities = match &config.tls.ca_file {
                Some(path) => format!("those in {}", path.display()),
                None => "the system's".to_owned(),
            };
            facts.push(one("trusted authorities", authorities));
            if let Some(path) = &config.tls.client_cert_file {
                facts.push(one("client certificate", path.display()));
            }
            if let Some(path) = &config.tls.token_file {
                facts.push(one("bearer token", format!("in {}", path.display())));
            }
        }
        Some(ApiBaseUrl::Embedded) => {
            facts.push(one("api_base_url", "embedded: the store runs in this process"));
            facts.push(one("database", config.store.path.display()));
            facts.push(one(
                "validity",
                format!("{} unless asked for", format_duration(config.store.default_validity)),
            ));
            let routes = config.store.routes.iter();
            let routes: Vec<String> =
                routes.map(|route| format!("{}... to {}", route.prefix, route.location)).collect();
            if !routes.is_empty() {
                facts.push(Fact { name: "routes", values: routes });
            }
        }
        None => {}
    }
    facts
}

fn one(name: &'static str, value: impl ToString) -> Fact {
    Fact { name, values: vec![value.to_string()] }
}
