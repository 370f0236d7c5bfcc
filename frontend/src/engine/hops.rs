//! Next hops: the address behind a SIP URI (RFC 3263), looked up by the shell and kept for a while.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_proto::sip::transaction::Target;
use smsc_proto::sip::{Transport, Uri};

use super::{Engine, Now, Output, Resolved};

const DEFAULT_PORT: u16 = 5060;
/// How long a failed look-up is not repeated.
const FAILURE_LIFE: Duration = Duration::from_secs(5);
/// Hosts remembered; beyond, those that ran out go, then all.
const CAP: usize = 10_000;

/// Hosts looked up, and who waits for those under way.
#[derive(Debug, Default)]
pub(super) struct Hops {
    known: FxHashMap<(String, Option<u16>), Known>,
    waiting: FxHashMap<(String, Option<u16>), Vec<Arc<str>>>,
}

#[derive(Debug)]
struct Known {
    until: Instant,
    result: Result<SocketAddr, String>,
}

/// What is known of a next hop.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hop {
    Known(Target),
    /// Asked for; the handset goes on when the answer comes.
    Resolving,
    Failed(String),
}

impl Engine {
    /// The next hop for a SIP URI; where it must be looked up, `handset` is woken by the answer.
    pub(super) fn hop(&mut self, now: Now, uri: &str, handset: &Arc<str>) -> Hop {
        match self.look_up(now, uri) {
            Ok(Some(target)) => Hop::Known(target),
            Ok(None) => {
                if let Ok((key, _)) = parse(uri) {
                    let waiting = self.hops.waiting.entry(key).or_default();
                    if !waiting.contains(handset) {
                        waiting.push(handset.clone());
                    }
                }
                Hop::Resolving
            }
            Err(why) => Hop::Failed(why),
        }
    }

    /// The next hop if it is known; a look-up is started if not.
    pub(super) fn known_hop(&mut self, now: Now, uri: &str) -> Option<Target> {
        self.look_up(now, uri).ok().flatten()
    }

    fn look_up(&mut self, now: Now, uri: &str) -> Result<Option<Target>, String> {
        let (key, transport) = parse(uri)?;
        if let Ok(ip) = key.0.parse::<IpAddr>() {
            return Ok(Some(Target { transport, addr: SocketAddr::new(ip, key.1.unwrap_or(DEFAULT_PORT)) }));
        }
        if let Some(known) = self.hops.known.get(&key).filter(|known| known.until > now.mono) {
            return known.result.clone().map(|addr| Some(Target { transport, addr }));
        }
        if !self.hops.waiting.contains_key(&key) {
            let (host, port) = key.clone();
            self.outputs.push_back(Output::Resolve { host, port, transport });
            self.hops.waiting.insert(key, Vec::new());
        }
        Ok(None)
    }

    pub(super) fn hop_resolved(&mut self, now: Now, host: &str, port: Option<u16>, answer: Resolved) {
        if self.hops.known.len() >= CAP {
            self.hops.known.retain(|_, known| known.until > now.mono);
            if self.hops.known.len() >= CAP {
                self.hops.known.clear();
            }
        }
        let (life, result) = match answer {
            Ok((addresses, life)) => {
                (life, addresses.first().copied().ok_or_else(|| "no address".to_owned()))
            }
            Err(why) => (FAILURE_LIFE, Err(why)),
        };
        let key = (host.to_owned(), port);
        self.hops.known.insert(key.clone(), Known { until: now.mono + life, result });
        for handset in self.hops.waiting.remove(&key).unwrap_or_default() {
            self.advance(now, &handset);
        }
    }
}

type HostPort = (String, Option<u16>);

fn parse(uri: &str) -> Result<(HostPort, Option<Transport>), String> {
    let parsed = Uri::parse(uri).map_err(|error| error.to_string())?;
    let transport = match parsed.param("transport").map(str::to_ascii_lowercase).as_deref() {
        Some("tcp") => Some(Transport::Tcp),
        Some("udp") => Some(Transport::Udp),
        _ => None,
    };
    Ok(((parsed.host.trim_matches(['[', ']']).to_ascii_lowercase(), parsed.port), transport))
}
