//! `--core`: questions to resolver, core and backend.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smsc_backend::rest::RestBackend;
use smsc_backend::{Backend, ErrorClass, HistoryQuery};
use smsc_config::{ApiBaseUrl, Config};
use smsc_proto::sip::transaction::Target;
use smsc_proto::sip::{Header, Message, Transport, reason_phrase};
use smsc_store::{Store, SystemClock};

use super::probe::{Answer, Question, options};
use super::{Finding, Verdict};
use crate::backend::{rest_config, store_config};
use crate::engine::{Found, ReportUri, Server, Settings};
use crate::environment::{CoreHost, Environment};
use crate::tls::Tls;

/// Servers asked, best first.
const ASKED: usize = 8;
/// The body that tells an SMS application server from any other that answers OPTIONS.
const SMS: &str = "application/vnd.3gpp.sms";
/// A message no backend has; asking for it changes nothing.
const NO_MESSAGE: &str = "smsc-frontend-check";

/// Asks them all.
pub(super) async fn ask(
    config: &Config,
    environment: &Environment,
    settings: &Settings,
    tls: &Tls,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = environment.core.iter().map(|host| dns(host, config)).collect();
    let hops = next_hops(environment);
    match hops.first() {
        Some(first) => {
            let uri = config.s_cscf_sip_uri.clone().unwrap_or_else(|| format!("sip:{}", config.ims_domain));
            let report_uri = match &settings.report_uri {
                ReportUri::Fixed(uri) | ReportUri::Pod(uri) => uri.clone(),
                ReportUri::Message(host) => format!("sip:smsc@{host}"),
            };
            let from = if report_uri.starts_with("sip:") { &report_uri } else { &uri };
            let t1 = config.timers.t1;
            let question =
                |uri, hop: &Target| Question { uri, from, to: hop.addr, name: hop.name.clone(), t1, tls };
            for hop in &hops {
                for transport in transports(hop) {
                    let answer = options(&question(&uri, hop), *transport).await;
                    findings.push(s_cscf(hop, *transport, answer));
                }
            }
            let transport = first.transport.unwrap_or(Transport::Udp);
            findings.push(psi(&report_uri, options(&question(&report_uri, first), transport).await));
        }
        None => findings.push(Finding {
            check: "OPTIONS".to_owned(),
            target: config.s_cscf_sip_uri.clone().unwrap_or_else(|| config.ims_domain.clone()),
            verdict: Verdict::Failed,
            detail: "it has no address to ask".to_owned(),
        }),
    }
    findings.push(backend(config).await);
    findings
}

fn dns(host: &CoreHost, config: &Config) -> Finding {
    let proxied = host.key == "ims_domain" && config.s_cscf_sip_uri.is_some();
    let (verdict, detail) = match (&host.found, &host.addresses) {
        (Ok(found), addresses) => (Verdict::Ok, described(found, host, addresses.as_deref().unwrap_or(&[]))),
        (Err(error), _) if proxied => {
            (Verdict::Unclear, format!("{error}; requests go to s_cscf_sip_uri all the same"))
        }
        (Err(error), _) => (Verdict::Failed, error.clone()),
    };
    Finding { check: format!("DNS of {}", host.key), target: host.host.clone(), verdict, detail }
}

/// The addresses; where SRV records led to them, each server with its share and what is spoken there.
fn described(found: &Found, host: &CoreHost, addresses: &[IpAddr]) -> String {
    let server = |server: &Server| {
        let Server { name, rank, weight, targets } = server;
        let spoken = targets.first().and_then(|target| target.transport).map_or("", Transport::as_str);
        let at: Vec<String> = targets.iter().map(|target| target.addr.to_string()).collect();
        let priority = rank & 0xFFFF;
        format!("{name} over {spoken}, priority {priority}, weight {weight}: {}", at.join(", "))
    };
    let by_srv = found.servers.iter().any(|server| server.name != host.host);
    let mut parts: Vec<String> = match by_srv {
        true => found.servers.iter().map(server).collect(),
        false => vec![addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")],
    };
    if !found.ignored.is_empty() {
        parts.push(format!("not spoken here: {}", found.ignored.join(", ")));
    }
    parts.join("; ")
}

/// Where requests go, best first: the servers behind `s_cscf_sip_uri`, else those behind the IMS domain.
fn next_hops(environment: &Environment) -> Vec<Target> {
    let found = environment.core.first().and_then(|host| host.found.as_ref().ok());
    let mut servers: Vec<&Server> = found.iter().flat_map(|found| &found.servers).collect();
    servers.sort_by_key(|server| server.rank);
    servers.into_iter().flat_map(|server| server.targets.iter().cloned()).take(ASKED).collect()
}

fn transports(hop: &Target) -> &'static [Transport] {
    match hop.transport {
        Some(Transport::Udp) => &[Transport::Udp],
        Some(Transport::Tcp) => &[Transport::Tcp],
        Some(Transport::Tls) => &[Transport::Tls],
        None => &[Transport::Udp, Transport::Tcp],
    }
}

/// Any final answer proves that SIP is spoken there.
fn s_cscf(hop: &Target, transport: Transport, answer: Result<Answer, String>) -> Finding {
    let (verdict, detail) = match answer {
        Ok(answer) => (Verdict::Ok, format!("{} in {}", status(&answer.message), millis(answer.took))),
        Err(error) => (Verdict::Failed, error),
    };
    let check = format!("OPTIONS over {}", transport.as_str());
    Finding { check, target: hop.addr.to_string(), verdict, detail }
}

/// The report URI, asked through the core: a frontend answers if one runs and the core leads there.
fn psi(uri: &str, answer: Result<Answer, String>) -> Finding {
    let (verdict, detail) = match answer {
        Ok(Answer { message, .. }) => {
            let told = status(&message);
            let takes_sms = message.values(Header::Accept).any(|accepted| accepted.eq_ignore_ascii_case(SMS));
            match message.status() {
                Some(200..=299) if takes_sms => {
                    (Verdict::Ok, format!("{told}: the core leads to an SMS application server"))
                }
                Some(404 | 604) => (Verdict::Failed, format!("{told}: the core does not know this PSI")),
                Some(200..=299) => {
                    (Verdict::Unclear, format!("{told}, but not from an SMS application server"))
                }
                _ => (Verdict::Unclear, format!("{told}: is a frontend running, and the PSI provisioned?")),
            }
        }
        Err(error) => (Verdict::Unclear, error),
    };
    Finding { check: "OPTIONS to the report URI".to_owned(), target: uri.to_owned(), verdict, detail }
}

async fn backend(config: &Config) -> Finding {
    let (target, (verdict, detail)) = match &config.api_base_url {
        Some(ApiBaseUrl::Url(url)) => (url.clone(), over_http(config, url).await),
        Some(ApiBaseUrl::Embedded) => {
            (config.store.path.display().to_string(), embedded(config, &config.store.path).await)
        }
        None => (String::new(), (Verdict::Failed, "api_base_url: is missing".to_owned())),
    };
    Finding { check: "backend".to_owned(), target, verdict, detail }
}

async fn over_http(config: &Config, url: &str) -> (Verdict, String) {
    let rest = match RestBackend::new(rest_config(config, url)) {
        Ok(rest) => rest,
        Err(error) => return (Verdict::Failed, error.to_string()),
    };
    let begun = Instant::now();
    let Err(error) = rest.history(HistoryQuery::Message(NO_MESSAGE.into())).await else {
        return (Verdict::Ok, format!("answers in {}", millis(begun.elapsed())));
    };
    match (error.class, error.status) {
        (ErrorClass::Refused, _) => (Verdict::Ok, format!("answers in {}", millis(begun.elapsed()))),
        // It is there; a history is not what every backend has.
        (ErrorClass::Nonsense | ErrorClass::Busy, Some(_)) => (Verdict::Unclear, error.to_string()),
        _ => (Verdict::Failed, error.to_string()),
    }
}

async fn embedded(config: &Config, path: &Path) -> (Verdict, String) {
    if !path.exists() {
        return (Verdict::Ok, "not there yet; run makes it".to_owned());
    }
    let opened = Store::open(store_config(config), Arc::new(SystemClock)).map_err(|error| error.to_string());
    let summary = match opened {
        Ok(store) => store.summary().await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match summary {
        Ok(summary) => {
            let messages: u64 = summary.messages.values().sum();
            (Verdict::Ok, format!("holds {messages} messages and {} registrations", summary.registrations))
        }
        Err(error) => (Verdict::Failed, error),
    }
}

fn status(message: &Message) -> String {
    let status = message.status().unwrap_or_default();
    let phrase =
        message.reason().filter(|phrase| !phrase.is_empty()).unwrap_or_else(|| reason_phrase(status));
    format!("{status} {phrase}")
}

fn millis(took: Duration) -> String {
    format!("{} ms", took.as_millis().max(1))
}
