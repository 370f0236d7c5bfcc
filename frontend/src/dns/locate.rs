//! RFC 3263 §4: from the parts of a SIP URI to servers, over whatever answers questions about records.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future;
use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::Target;

use crate::engine::{Found, NotFound, Question, Resolved, Server};

/// NAPTR services followed, SRV records of one name, addresses of one host: more are left out.
const SERVICES: usize = 4;
const SERVERS: usize = 16;
const ADDRESSES: usize = 8;
/// An answer that rests on a question DNS left open is asked for again after this.
const UNSURE: Duration = Duration::from_secs(30);
/// How long it is of no use to ask again where DNS did not answer.
const SILENT: Duration = Duration::from_secs(5);

/// Records of one kind, perhaps none, and for how long that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<T> {
    pub(super) records: Vec<T>,
    pub(super) life: Duration,
}

/// A NAPTR record (RFC 3403 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Naptr {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) flags: String,
    pub(super) service: String,
    pub(super) regexp: String,
    pub(super) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) target: String,
}

/// Answers questions about records; an error is that there was no answer. Names that end in a dot are whole.
pub(super) trait Records: Sync {
    fn naptr(&self, name: &str) -> impl Future<Output = Result<Answer<Naptr>, String>> + Send;
    fn srv(&self, name: &str) -> impl Future<Output = Result<Answer<Srv>, String>> + Send;
    fn addresses(&self, host: &str) -> impl Future<Output = Result<Answer<IpAddr>, String>> + Send;
}

/// The servers behind a SIP URI. `tls` says whether NAPTR records may lead to TLS where the URI does not ask for it.
///
/// What asks for TLS gets TLS or nothing: NAPTR `SIPS+D2T`, SRV `_sips._tcp`, port 5061 (RFC 3263 §4.1).
pub(super) async fn locate(records: &impl Records, question: &Question, tls: bool) -> Resolved {
    let Question { host, port, transport } = question;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Found::numeric(host, question.numeric(ip)));
    }
    let default_port = transport.unwrap_or(Transport::Udp).default_port();
    let mut search = Search { records, name: host.as_str().into(), life: Duration::MAX, open: None };
    let mut ignored = Vec::new();
    let servers = match (port, transport) {
        (Some(port), transport) => search.host(host, *port, *transport).await,
        (None, Some(transport @ (Transport::Udp | Transport::Tcp))) => {
            match search.services(vec![service(*transport, host)]).await {
                Some(servers) => servers,
                None => search.host(host, default_port, Some(*transport)).await,
            }
        }
        (None, Some(Transport::Tls) | None) => {
            let spoken: &[Transport] = match (transport, tls) {
                (Some(_), _) => &[Transport::Tls],
                (None, true) => &[Transport::Udp, Transport::Tcp, Transport::Tls],
                (None, false) => &[Transport::Udp, Transport::Tcp],
            };
            let (named, left_out) = search.naptr(host, spoken).await;
            ignored = left_out;
            // A sip URI is probed for _sip services, a sips URI for _sips (§4.1).
            let probed: &[Transport] =
                if transport.is_some() { spoken } else { &[Transport::Udp, Transport::Tcp] };
            let probes = probed.iter().map(|transport| service(*transport, host)).collect();
            match search.services(named).await {
                Some(servers) => servers,
                None => match search.services(probes).await {
                    Some(servers) => servers,
                    None => search.host(host, default_port, *transport).await,
                },
            }
        }
    };
    let Search { life, open, .. } = search;
    match (servers.is_empty(), open) {
        (false, None) => Ok(Found { servers, life, ignored }),
        (false, Some(_)) => Ok(Found { servers, life: life.min(UNSURE), ignored }),
        (true, None) => {
            let why = match ignored.as_slice() {
                [] => format!("{host} has no address"),
                services => format!("{host} has no address; not spoken here: {}", services.join(", ")),
            };
            Err(NotFound { why, life, definite: true })
        }
        (true, Some(why)) => Err(NotFound { why, life: SILENT, definite: false }),
    }
}

/// An SRV name and what is spoken there.
#[derive(Debug)]
struct Service {
    name: String,
    transport: Transport,
}

fn service(transport: Transport, host: &str) -> Service {
    let name = match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    };
    Service { name, transport }
}

/// A search, and what it has learned about how long its result holds.
struct Search<'a, R> {
    records: &'a R,
    /// The domain that was asked for: its certificate is the one wanted, whatever DNS leads to (RFC 5922 §4).
    name: Arc<str>,
    /// The shortest life of any answer so far.
    life: Duration,
    /// A question that was not answered.
    open: Option<String>,
}

impl<R: Records> Search<'_, R> {
    /// The services NAPTR records name, best first, and those that we do not speak (§4.1).
    async fn naptr(&mut self, host: &str, spoken: &[Transport]) -> (Vec<Service>, Vec<String>) {
        let mut records = self.note(self.records.naptr(host).await);
        records.sort_by_key(|naptr| (naptr.order, naptr.preference));
        let (mut services, mut ignored) = (Vec::new(), Vec::new());
        for Naptr { flags, service, regexp, replacement, .. } in records {
            let upper = service.to_ascii_uppercase();
            let transport = match upper.as_str() {
                "SIP+D2U" => Some(Transport::Udp),
                "SIP+D2T" => Some(Transport::Tcp),
                "SIPS+D2T" => Some(Transport::Tls),
                _ => None,
            };
            let Some(transport) = transport.filter(|transport| spoken.contains(transport)) else {
                let not_spoken = !matches!(transport, Some(Transport::Udp | Transport::Tcp));
                if not_spoken && upper.starts_with("SIP") && ignored.len() < SERVICES {
                    ignored.push(service);
                }
                continue;
            };
            // Another flag, or a regexp, is not what §4.1 describes.
            if flags.eq_ignore_ascii_case("s") && regexp.is_empty() && services.len() < SERVICES {
                services.push(Service { name: replacement, transport });
            }
        }
        (services, ignored)
    }

    /// The servers of SRV names, in this order; `None` if not one of the names has an SRV record (§4.2).
    async fn services(&mut self, services: Vec<Service>) -> Option<Vec<Server>> {
        let records = self.records;
        let answers = future::join_all(services.iter().map(|service| records.srv(&service.name))).await;
        let mut listed: Vec<(u32, Transport, Srv)> = Vec::new();
        let mut any = false;
        for (at, (service, answer)) in (0_u32..).zip(services.iter().zip(answers)) {
            let mut found = self.note(answer);
            any |= !found.is_empty();
            // A lone dot says that the service is decidedly not there (RFC 2782).
            found.retain(|srv| srv.target != "." && srv.port != 0);
            found.sort_by_key(|srv| (srv.priority, std::cmp::Reverse(srv.weight)));
            found.truncate(SERVERS);
            let rank = |srv: &Srv| at << 16 | u32::from(srv.priority);
            listed.extend(found.into_iter().map(|srv| (rank(&srv), service.transport, srv)));
        }
        let mut hosts = BTreeMap::new();
        for (_, _, srv) in &listed {
            hosts.entry(srv.target.clone()).or_insert_with(Vec::new);
        }
        let answers = future::join_all(hosts.keys().map(|host| records.addresses(host))).await;
        for (addresses, answer) in hosts.values_mut().zip(answers) {
            *addresses = self.note(answer);
        }
        let asked = self.name.clone();
        let servers = listed.into_iter().filter_map(|(rank, transport, srv)| {
            let targets = targets(hosts.get(&srv.target)?, srv.port, Some(transport), &asked);
            let name = srv.target.trim_end_matches('.').to_owned();
            (!targets.is_empty()).then_some(Server { name, rank, weight: srv.weight, targets })
        });
        any.then(|| servers.collect())
    }

    /// The host itself.
    async fn host(&mut self, host: &str, port: u16, transport: Option<Transport>) -> Vec<Server> {
        let addresses = self.note(self.records.addresses(host).await);
        let targets = targets(&addresses, port, transport, &self.name);
        let server = Server { name: host.to_owned(), rank: 0, weight: 0, targets };
        if server.targets.is_empty() { Vec::new() } else { vec![server] }
    }

    fn note<T>(&mut self, answer: Result<Answer<T>, String>) -> Vec<T> {
        match answer {
            Ok(Answer { records, life }) => {
                self.life = self.life.min(life);
                records
            }
            Err(why) => {
                self.open.get_or_insert(why);
                Vec::new()
            }
        }
    }
}

fn targets(addresses: &[IpAddr], port: u16, transport: Option<Transport>, name: &Arc<str>) -> Vec<Target> {
    let name = (transport == Some(Transport::Tls)).then_some(name);
    let target = |ip: &IpAddr| Target {
        transport,
        addr: SocketAddr::new(ip.to_canonical(), port),
        name: name.cloned(),
    };
    let mut targets: Vec<Target> = addresses.iter().take(ADDRESSES).map(target).collect();
    targets.dedup();
    targets
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
