//! DNS: the records that lead from a SIP URI to addresses, asked by `hickory-resolver`.

mod locate;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use smsc_config::Config;

use crate::engine::{NotFound, Question, Resolved};
use locate::{Answer, Naptr, Records, Srv, locate};

/// How long all questions that one name needs may take together.
const LIMIT: Duration = Duration::from_secs(5);
/// An answer is kept no longer than this.
const LONGEST: Duration = Duration::from_secs(3600);
/// That there is nothing is kept no longer than this.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(60);
/// For how long there is nothing where DNS does not say for how long (RFC 2308 wants an SOA for that).
const NEGATIVE_LIFE: Duration = Duration::from_secs(5);

/// A resolver: configured servers, else the system's. Clones share their cache.
#[derive(Clone)]
pub struct Dns {
    resolver: Result<TokioResolver, String>,
    timeout: Duration,
    families: Families,
    tls: bool,
}

/// The address families requests can leave from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Families {
    v4: bool,
    v6: bool,
}

impl Dns {
    /// A resolver as the configuration has it; asks for addresses of the families there are listeners of.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let smsc_config::Dns { servers, timeout } = &config.dns;
        let (servers, mut options) = match servers.as_slice() {
            [] => system(),
            servers => (name_servers(servers), ResolverOpts::default()),
        };
        // One repeat, or the next server, within the time.
        options.timeout = *timeout / 2;
        options.attempts = 1;
        // What was removed must be gone, and what was added be there, before the day is over.
        options.positive_max_ttl = Some(LONGEST);
        options.negative_max_ttl = Some(LONGEST_NEGATIVE);
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(servers, provider).with_options(options).build();
        let listens = |v4: bool| config.listen.iter().any(|listen| listen.address.is_ipv4() == v4);
        Self {
            resolver: resolver.map_err(|error| format!("no resolver: {error}")),
            timeout: *timeout,
            families: Families { v4: listens(true), v6: listens(false) },
            tls: config.sip.tls.is_client(),
        }
    }

    /// Whether NAPTR records may lead to TLS where the URI does not ask for it.
    pub fn set_tls(&mut self, tls: bool) {
        self.tls = tls;
    }

    /// The servers behind a SIP URI (RFC 3263).
    ///
    /// # Errors
    /// There are none, or DNS did not answer within five seconds.
    pub async fn locate(&self, question: &Question) -> Resolved {
        tokio::time::timeout(LIMIT, locate(self, question, self.tls)).await.unwrap_or_else(|_| {
            let why = format!("DNS did not answer within {} s", LIMIT.as_secs());
            Err(NotFound { why, life: NEGATIVE_LIFE, definite: false })
        })
    }

    /// The addresses of a host, or the address it is as text.
    ///
    /// # Errors
    /// It has none, or DNS did not answer.
    pub async fn addresses_of(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        match self.addresses(host).await? {
            Answer { records, .. } if records.is_empty() => Err(format!("{host} has no address")),
            Answer { records, .. } => Ok(records),
        }
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, String> {
        let resolver = self.resolver.as_ref().map_err(Clone::clone)?;
        let asked = tokio::time::timeout(self.timeout, resolver.lookup(name, kind)).await;
        match asked {
            Ok(Ok(lookup)) => Ok(answer(&lookup, read)),
            Ok(Err(error)) => {
                none(&error).ok_or_else(|| format!("DNS did not answer for {name} {kind}: {error}"))
            }
            Err(_) => Err(format!("DNS did not answer for {name} {kind} within {:?}", self.timeout)),
        }
    }

    async fn family(&self, asked: bool, host: &str, kind: RecordType) -> Result<Answer<IpAddr>, String> {
        if !asked {
            return Ok(Answer { records: Vec::new(), life: Duration::MAX });
        }
        self.ask(host, kind, |data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        })
        .await
    }
}

impl Records for Dns {
    async fn naptr(&self, name: &str) -> Result<Answer<Naptr>, String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        self.ask(name, RecordType::NAPTR, |data| match data {
            RData::NAPTR(naptr) => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                service: text(&naptr.services),
                regexp: text(&naptr.regexp),
                replacement: naptr.replacement.to_utf8(),
            }),
            _ => None,
        })
        .await
    }

    async fn srv(&self, name: &str) -> Result<Answer<Srv>, String> {
        self.ask(name, RecordType::SRV, |data| match data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_utf8(),
            }),
            _ => None,
        })
        .await
    }

    /// IPv6 first where requests can leave from both families (RFC 6724, RFC 7984).
    async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, String> {
        let Families { v4, v6 } = self.families;
        let v6 = self.family(v6, host, RecordType::AAAA);
        let v4 = self.family(v4, host, RecordType::A);
        match future::join(v6, v4).await {
            (Ok(mut v6), Ok(v4)) => {
                v6.records.extend(v4.records);
                Ok(Answer { records: v6.records, life: v6.life.min(v4.life) })
            }
            (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.records.is_empty() => {
                Ok(Answer { life: one.life.min(NEGATIVE_LIFE), ..one })
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

/// What `/etc/resolv.conf` says; where it names no server, the one on this machine (resolv.conf(5)).
fn system() -> (ResolverConfig, ResolverOpts) {
    hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
        tracing::debug!(%error, "no resolver configuration; asking this machine");
        (name_servers(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]), ResolverOpts::default())
    })
}

fn name_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let connections = |port| {
        [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = port;
            connection
        })
    };
    let server =
        |server: &SocketAddr| NameServerConfig::new(server.ip(), true, connections(server.port()).into());
    ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect())
}

fn answer<T>(lookup: &Lookup, read: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    let records = lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
    Answer { records, life: lookup.valid_until().saturating_duration_since(Instant::now()) }
}

/// The answer that there is nothing, if that is what DNS has said.
fn none<T>(error: &NetError) -> Option<Answer<T>> {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else { return None };
    let definite = matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
    let life = none.negative_ttl.map_or(NEGATIVE_LIFE, |seconds| Duration::from_secs(seconds.into()));
    definite.then(|| Answer { records: Vec::new(), life })
}
