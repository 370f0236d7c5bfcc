//! `--core`: questions to resolver, core and backend.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smsc_backend::rest::RestBackend;
use smsc_backend::{Backend, ErrorClass, HistoryQuery};
use smsc_config::{ApiBaseUrl, Config};
use smsc_proto::sip::{Header, Message, Transport, Uri, reason_phrase};
use smsc_store::{Store, SystemClock};

use super::probe::{Answer, Question, options};
use super::{Finding, Verdict};
use crate::backend::{rest_config, store_config};
use crate::engine::{ReportUri, Settings};
use crate::environment::{CoreHost, Environment};

const DEFAULT_PORT: u16 = 5060;
/// The body that tells an SMS application server from any other that answers OPTIONS.
const SMS: &str = "application/vnd.3gpp.sms";
/// A message no backend has; asking for it changes nothing.
const NO_MESSAGE: &str = "smsc-frontend-check";

/// Asks them all.
pub(super) async fn ask(config: &Config, environment: &Environment, settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<Finding> = environment.core.iter().map(|host| dns(host, config)).collect();
    match next_hop(config, environment) {
        Some(hop) => {
            let uri = config.s_cscf_sip_uri.clone().unwrap_or_else(|| format!("sip:{}", config.ims_domain));
            let report_uri = match &settings.report_uri {
                ReportUri::Fixed(uri) | ReportUri::Pod(uri) => uri.clone(),
                ReportUri::Message(host) => format!("sip:smsc@{host}"),
            };
            let from = if report_uri.starts_with("sip:") { &report_uri } else { &uri };
            let question = |uri| Question { uri, from, to: hop.address, t1: config.timers.t1 };
            for transport in hop.transports {
                let answer = options(&question(&uri), *transport).await;
                findings.push(s_cscf(&hop, *transport, answer));
            }
            let transport = hop.transports.first().copied().unwrap_or(Transport::Udp);
            findings.push(psi(&report_uri, options(&question(&report_uri), transport).await));
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
    let (verdict, detail) = match &host.addresses {
        Ok(addresses) => {
            (Verdict::Ok, addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "))
        }
        Err(error) if proxied => {
            (Verdict::Unclear, format!("{error}; requests go to s_cscf_sip_uri all the same"))
        }
        Err(error) => (Verdict::Failed, error.clone()),
    };
    Finding { check: format!("DNS of {}", host.key), target: host.host.clone(), verdict, detail }
}

struct Hop {
    address: SocketAddr,
    transports: &'static [Transport],
}

/// Where requests go: `s_cscf_sip_uri`, else the IMS domain.
fn next_hop(config: &Config, environment: &Environment) -> Option<Hop> {
    let host = environment.core.first()?;
    let address = SocketAddr::new(*host.addresses.as_ref().ok()?.first()?, host.port.unwrap_or(DEFAULT_PORT));
    let uri = config.s_cscf_sip_uri.as_deref().and_then(|uri| Uri::parse(uri).ok());
    let transport = uri.and_then(|uri| uri.param("transport").map(str::to_ascii_lowercase));
    let transports: &[Transport] = match transport.as_deref() {
        Some("udp") => &[Transport::Udp],
        Some("tcp") => &[Transport::Tcp],
        _ => &[Transport::Udp, Transport::Tcp],
    };
    Some(Hop { address, transports })
}

/// Any final answer proves that SIP is spoken there.
fn s_cscf(hop: &Hop, transport: Transport, answer: Result<Answer, String>) -> Finding {
    let (verdict, detail) = match answer {
        Ok(answer) => (Verdict::Ok, format!("{} in {}", status(&answer.message), millis(answer.took))),
        Err(error) => (Verdict::Failed, error),
    };
    let check = format!("OPTIONS over {}", transport.as_str());
    Finding { check, target: hop.address.to_string(), verdict, detail }
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
