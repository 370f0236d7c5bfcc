//! Next hops: the servers behind a SIP URI (RFC 3263), looked up by the shell and kept for a while.
//!
//! A target to which something could definitely not be sent is put last for a while, and the sender tries the next
//! (RFC 3263 §4.3). Nothing fails over once octets may have left us: a second copy needs an `unknown` first (design §4).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_proto::sip::transaction::Target;
use smsc_proto::sip::{Transport, Uri};

use super::servers::{Found, NotFound, Question, Resolved, pick};
use super::{Engine, Now, Output, Random};

/// An answer holds at least so long, and at most [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);
/// A name that leads nowhere is not asked for again for this long at most.
const FAILURE: Duration = Duration::from_secs(60);
/// How long an old answer serves on, from question to question, while DNS does not answer.
const STALE: Duration = Duration::from_secs(5);
/// How long a target that failed is put last.
const PENALTY: Duration = Duration::from_secs(30);
/// Names and failed targets remembered; beyond, those that ran out go, then all.
const CAP: usize = 10_000;

/// Why a URI that asks for TLS leads nowhere.
const NO_TLS: &str = "it asks for TLS, and without sip.tls.ca_file no server could be verified";

/// Names looked up, who waits for those under way, and targets that failed.
#[derive(Debug, Default)]
pub(super) struct Hops {
    known: FxHashMap<Question, Known>,
    waiting: FxHashMap<Question, Vec<Arc<str>>>,
    failed: FxHashMap<Target, Instant>,
    /// Targets that asked to be left alone (503 with Retry-After), and until when.
    closed: FxHashMap<Target, Instant>,
}

#[derive(Debug)]
struct Known {
    until: Instant,
    /// An answer that ran out serves on until then, if DNS is silent.
    stale_until: Instant,
    result: Result<Found, String>,
}

/// What is known of a next hop.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hop {
    Known(Target),
    /// Asked for; the handset goes on when the answer comes.
    Resolving,
    /// Every target was tried.
    Exhausted,
    Failed(String),
}

impl Engine {
    /// The next hop for a SIP URI, but for those `tried`; where it must be looked up, `handset` is woken by the answer.
    pub(super) fn hop(&mut self, now: Now, uri: &str, tried: &[Target], handset: &Arc<str>) -> Hop {
        let hop = self.next_hop(now, uri, tried);
        if hop == Hop::Resolving
            && let Ok(question) = question(uri)
        {
            let waiting = self.hops.waiting.entry(question).or_default();
            if !waiting.contains(handset) {
                waiting.push(handset.clone());
            }
        }
        hop
    }

    /// The same where nobody can wait: a look-up is started for the next who asks.
    pub(super) fn next_hop(&mut self, now: Now, uri: &str, tried: &[Target]) -> Hop {
        let question = match question(uri) {
            Ok(question) => question,
            Err(why) => return Hop::Failed(why),
        };
        if question.transport == Some(Transport::Tls) && !self.settings.speaks_tls {
            return Hop::Failed(NO_TLS.to_owned());
        }
        if let Ok(ip) = question.host.parse::<IpAddr>() {
            let target = question.numeric(ip);
            return if tried.contains(&target) { Hop::Exhausted } else { Hop::Known(target) };
        }
        if let Some(known) = self.hops.known.get(&question).filter(|known| known.until > now.mono) {
            return match &known.result {
                Ok(found) => self.hops.choose(&mut self.random, now.mono, found, tried),
                Err(why) => Hop::Failed(why.clone()),
            };
        }
        if !self.hops.waiting.contains_key(&question) {
            self.outputs.push_back(Output::Resolve(question.clone()));
            self.hops.waiting.insert(question, Vec::new());
        }
        Hop::Resolving
    }

    /// Nothing could be sent to a target: others come before it for a while.
    pub(super) fn hop_failed(&mut self, now: Now, target: Target) {
        self.metrics.next_hops_failed.inc();
        tracing::info!(address = %target.addr, "nothing can be sent there; other addresses come first for a while");
        make_room(&mut self.hops.failed, |until| *until > now.mono);
        self.hops.failed.insert(target, now.mono + PENALTY);
    }

    pub(super) fn hop_resolved(&mut self, now: Now, question: Question, answer: Resolved) {
        self.metrics.next_hop_look_ups.inc();
        make_room(&mut self.hops.known, |known| known.stale_until > now.mono);
        let known = match answer {
            Ok(found) => {
                self.metrics.next_hop_services_ignored.inc_by(found.ignored.len() as u64);
                let until = now.mono + found.life.clamp(SHORTEST, LONGEST);
                Known { until, stale_until: until + LONGEST, result: Ok(found) }
            }
            Err(NotFound { why, life, definite }) => {
                tracing::warn!(host = question.host, why, "no next hop");
                let old = self.hops.known.remove(&question);
                match old.filter(|old| !definite && old.result.is_ok() && old.stale_until > now.mono) {
                    Some(old) => Known { until: now.mono + STALE, ..old },
                    None => {
                        let until = now.mono + life.clamp(SHORTEST, FAILURE);
                        Known { until, stale_until: until, result: Err(why) }
                    }
                }
            }
        };
        let waiting = self.hops.waiting.remove(&question);
        self.hops.known.insert(question, known);
        for handset in waiting.unwrap_or_default() {
            self.advance(now, &handset);
        }
    }
}

impl Hops {
    /// Leaves a target alone until then; others come before it.
    pub(super) fn close(&mut self, now: Instant, target: Target, until: Instant) {
        make_room(&mut self.closed, |until| *until > now);
        self.closed.insert(target, until);
    }

    /// Until when a target is to be left alone.
    pub(super) fn closed_until(&self, now: Instant, target: &Target) -> Option<Instant> {
        self.closed.get(target).copied().filter(|until| *until > now)
    }

    /// A target that was not tried; one that failed lately only if there is no other.
    fn choose(&self, random: &mut Random, now: Instant, found: &Found, tried: &[Target]) -> Hop {
        let failed = |target: &Target| self.failed.get(target).is_some_and(|until| *until > now);
        let excluded = |target: &Target| {
            tried.contains(target) || failed(target) || self.closed_until(now, target).is_some()
        };
        pick(&found.servers, excluded, |bound| random.below(bound))
            .or_else(|| pick(&found.servers, |target| tried.contains(target), |bound| random.below(bound)))
            .map_or(Hop::Exhausted, Hop::Known)
    }
}

fn make_room<K: std::hash::Hash + Eq, V>(map: &mut FxHashMap<K, V>, live: impl Fn(&V) -> bool) {
    if map.len() >= CAP {
        map.retain(|_, value| live(value));
        if map.len() >= CAP {
            map.clear();
        }
    }
}

/// What RFC 3263 goes by in a URI.
///
/// # Errors
/// It is no SIP URI, or asks for a transport that there is not: another in its place would not be what it asks for.
pub fn question(uri: &str) -> Result<Question, String> {
    let parsed = Uri::parse(uri).map_err(|error| error.to_string())?;
    let named = match parsed.param("transport") {
        None => None,
        Some(name) => match Transport::from_name(name) {
            None => return Err(format!("transport {name} is not spoken towards the core")),
            transport => transport,
        },
    };
    // In a sips URI transport=tcp means TLS over TCP (RFC 3261 §26.2.2).
    let transport = match (parsed.scheme == smsc_proto::sip::Scheme::Sips, named) {
        (true, Some(Transport::Udp)) => return Err("there is no TLS over UDP".to_owned()),
        (true, _) => Some(Transport::Tls),
        (false, named) => named,
    };
    let host = parsed.host.trim_matches(['[', ']']).to_ascii_lowercase();
    Ok(Question { host, port: parsed.port, transport })
}

#[cfg(test)]
#[path = "hops/tests.rs"]
mod tests;
