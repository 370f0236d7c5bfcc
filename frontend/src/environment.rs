//! What this machine adds to config.yaml: its name, its addresses, what the resolver says of the core.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use smsc_config::{Config, Listen};

use crate::dns::Dns;
use crate::engine::{Found, Question, question};

/// How long one host name may take to resolve at start.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Everything settings depend on that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The host name; its last digits are the ordinal where the file has none.
    pub host_name: String,
    /// Every address of every network interface, in the system's order.
    pub interfaces: Vec<(String, IpAddr)>,
    /// The value of the environment variable that `advertise.address` names, if it names one and it is set.
    pub variable: Option<String>,
    /// The local address from which packets towards the core leave.
    pub outbound: Option<IpAddr>,
    /// The listeners as opened; empty: as the file has them. They differ where the file says port 0.
    pub listening: Vec<Listen>,
    /// The hosts that are trusted unless the file says otherwise, each with its addresses or why it has none.
    pub core: Vec<CoreHost>,
}

/// A host of the IMS core, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreHost {
    /// The key it comes from: `s_cscf_sip_uri` or `ims_domain`.
    pub key: &'static str,
    /// The name, or an address as text.
    pub host: String,
    /// The servers behind it, to which requests go (RFC 3263), or why there are none.
    pub found: Result<Found, String>,
    /// The addresses of those and of the name itself, or why there are none.
    pub addresses: Result<Vec<IpAddr>, String>,
}

impl Environment {
    /// Asks the system, and the resolver for what settings rest on; what cannot be learned is left out, which takes
    /// at most five seconds.
    pub async fn gather(config: &Config) -> Self {
        let advertised = config.advertise.address.is_some();
        let trusted = config.trusted_peers.is_some();
        let keys: &[&str] = match (trusted, advertised, &config.s_cscf_sip_uri) {
            (false, ..) => &["s_cscf_sip_uri", "ims_domain"],
            (true, true, _) => &[],
            (true, false, Some(_)) => &["s_cscf_sip_uri"],
            (true, false, None) => &["ims_domain"],
        };
        Self::with_core(config, look_up(config, keys).await)
    }

    /// The same, with every host of the core looked up: for `check`.
    pub async fn gather_all(config: &Config) -> Self {
        Self::with_core(config, look_up(config, &["s_cscf_sip_uri", "ims_domain"]).await)
    }

    fn with_core(config: &Config, core: Vec<CoreHost>) -> Self {
        let first = core.iter().find_map(|host| {
            let server = host.found.as_ref().ok()?.servers.iter().min_by_key(|server| server.rank)?;
            Some(server.targets.first()?.addr)
        });
        Self {
            host_name: host_name(),
            interfaces: interfaces(),
            variable: match &config.advertise.address {
                Some(smsc_config::AdvertiseAddress::Env(name)) => std::env::var(name).ok(),
                _ => None,
            },
            outbound: first.and_then(outbound),
            listening: Vec::new(),
            core,
        }
    }

    /// The addresses of the core's hosts.
    pub fn core_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.core.iter().filter_map(|host| host.addresses.as_ref().ok()).flatten().copied()
    }
}

/// Looks up the hosts that these keys name, all at once.
async fn look_up(config: &Config, keys: &[&str]) -> Vec<CoreHost> {
    let dns = Dns::new(config);
    let domain = format!("sip:{}", config.ims_domain);
    let named = [("s_cscf_sip_uri", config.s_cscf_sip_uri.as_deref()), ("ims_domain", Some(domain.as_str()))];
    let hosts = named.into_iter().filter(|(key, _)| keys.contains(key)).filter_map(|(key, uri)| {
        let question = question(uri?).ok().filter(|question| !question.host.is_empty())?;
        Some(core_host(&dns, key, question))
    });
    futures_util::future::join_all(hosts).await
}

/// One host: the servers behind it, and the addresses of those and of the name itself, from which the core may call.
async fn core_host(dns: &Dns, key: &'static str, question: Question) -> CoreHost {
    let own = tokio::time::timeout(LOOK_UP, dns.addresses_of(&question.host));
    let (found, own) = futures_util::future::join(dns.locate(&question), own).await;
    let servers = found.iter().flat_map(|found| &found.servers).flat_map(|server| &server.targets);
    let servers = servers.map(|target| target.addr.ip());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in servers.chain(own.into_iter().flatten().flatten()).map(|address| address.to_canonical()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let found = found.map_err(|not_found| not_found.why);
    let addresses = match &found {
        Err(why) if addresses.is_empty() => Err(why.clone()),
        _ => Ok(addresses),
    };
    CoreHost { key, host: question.host, found, addresses }
}

/// The local address the system would send from; connecting a datagram socket sends nothing.
pub fn outbound(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn interfaces() -> Vec<(String, IpAddr)> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    all.filter_map(|interface| {
        let address = interface.address?;
        let address: IpAddr = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => v4.ip().into(),
            (None, Some(v6)) => v6.ip().into(),
            (None, None) => return None,
        };
        Some((interface.interface_name, address))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smsc_proto::sip::transaction::Target;

    #[tokio::test]
    async fn the_machine_is_asked_for_what_the_file_leaves_out() {
        let config = Config {
            s_cscf_sip_uri: Some("sip:127.0.0.2:5070".to_owned()),
            ims_domain: "127.0.0.3".to_owned(),
            ..Config::default()
        };
        let environment = Environment::gather(&config).await;
        let core = |key, host: &str, port| {
            let address: IpAddr = host.parse().unwrap();
            let target = Target::new(None, SocketAddr::new(address, port));
            let found = Ok(Found::numeric(host, target));
            CoreHost { key, host: host.to_owned(), found, addresses: Ok(vec![address]) }
        };
        assert_eq!(
            environment.core,
            [core("s_cscf_sip_uri", "127.0.0.2", 5070), core("ims_domain", "127.0.0.3", 5060)]
        );
        assert!(environment.outbound.is_some_and(|address| address.is_loopback()), "{environment:?}");
        assert!(environment.interfaces.iter().any(|(_, address)| address.is_loopback()), "{environment:?}");
    }
}
