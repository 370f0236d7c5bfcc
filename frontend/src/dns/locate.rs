//! RFC 3263 §4: from the parts of a SIP URI to servers, over whatever answers questions about records.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future;
use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::Target;

use crate::engine::{Found, NotFound, Question, Resolved, Server};

const DEFAULT_PORT: u16 = 5060;
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

/// The servers behind a SIP URI.
pub(super) async fn locate(records: &impl Records, question: &Question) -> Resolved {
    let Question { host, port, transport } = question;
    if let Ok(ip) = host.parse::<IpAddr>() {
        let addr = SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT));
        return Ok(Found::numeric(host, Target { transport: *transport, addr }));
    }
    let mut search = Search { records, life: Duration::MAX, open: None };
    let mut ignored = Vec::new();
    let servers = match (port, transport) {
        (Some(port), transport) => search.host(host, *port, *transport).await,
        (None, Some(transport)) => match search.services(vec![service(*transport, host)]).await {
            Some(servers) => servers,
            None => search.host(host, DEFAULT_PORT, Some(*transport)).await,
        },
        (None, None) => {
            let (named, left_out) = search.naptr(host).await;
            ignored = left_out;
            let probes = vec![service(Transport::Udp, host), service(Transport::Tcp, host)];
            match search.services(named).await {
                Some(servers) => servers,
                None => match search.services(probes).await {
                    Some(servers) => servers,
                    None => search.host(host, DEFAULT_PORT, None).await,
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
    };
    Service { name, transport }
}

/// A search, and what it has learned about how long its result holds.
struct Search<'a, R> {
    records: &'a R,
    /// The shortest life of any answer so far.
    life: Duration,
    /// A question that was not answered.
    open: Option<String>,
}

impl<R: Records> Search<'_, R> {
    /// The services NAPTR records name, best first, and those that we do not speak (§4.1).
    async fn naptr(&mut self, host: &str) -> (Vec<Service>, Vec<String>) {
        let mut records = self.note(self.records.naptr(host).await);
        records.sort_by_key(|naptr| (naptr.order, naptr.preference));
        let (mut services, mut ignored) = (Vec::new(), Vec::new());
        for Naptr { flags, service, regexp, replacement, .. } in records {
            let transport = match service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                other => {
                    if other.starts_with("SIP") && ignored.len() < SERVICES {
                        ignored.push(service);
                    }
                    continue;
                }
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
        let servers = listed.into_iter().filter_map(|(rank, transport, srv)| {
            let targets = targets(hosts.get(&srv.target)?, srv.port, Some(transport));
            let name = srv.target.trim_end_matches('.').to_owned();
            (!targets.is_empty()).then_some(Server { name, rank, weight: srv.weight, targets })
        });
        any.then(|| servers.collect())
    }

    /// The host itself.
    async fn host(&mut self, host: &str, port: u16, transport: Option<Transport>) -> Vec<Server> {
        let targets = targets(&self.note(self.records.addresses(host).await), port, transport);
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

fn targets(addresses: &[IpAddr], port: u16, transport: Option<Transport>) -> Vec<Target> {
    let target = |ip: &IpAddr| Target { transport, addr: SocketAddr::new(ip.to_canonical(), port) };
    let mut targets: Vec<Target> = addresses.iter().take(ADDRESSES).map(target).collect();
    targets.dedup();
    targets
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
