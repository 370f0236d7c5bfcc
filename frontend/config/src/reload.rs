//! Which changed keys take effect in a running process, and which need a new one.

use serde::Serialize;

use crate::config::Config;
use crate::keys;
use crate::problem::KeyPath;
use crate::sections::{Polling, Sip};
use crate::sip_tls::SipTls;
use crate::surroundings::{Log, Relay, Store, Tls};

/// What differs between two configurations, as key paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Take effect at once.
    pub live: Vec<String>,
    /// Take effect only in a new process.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }
}

impl Config {
    /// What differs between two configurations.
    ///
    /// Live are the log level, peers, routes, relay, polled locations, `sip.tls`, TLS files (whose contents are read again besides)
    /// and the generation, which names the file's state and does nothing.
    pub fn live_difference(old: &Self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        // Without `..`: a new key does not compile until somebody has decided whether it is live.
        let Self {
            version,
            api_base_url,
            location,
            s_cscf_sip_uri,
            ims_domain,
            sc_address,
            ordinal,
            generation,
            listen,
            advertise,
            trusted_peers,
            dns,
            sip,
            reg_event,
            polling,
            mt,
            timers,
            tls,
            relay,
            store,
            admin,
            limits,
            endpoints,
            log,
        } = new;
        let live = &mut changes.live;
        note(live, "generation", &old.generation, generation);
        note(live, "trusted_peers", &old.trusted_peers, trusted_peers);
        note(live, "relay", &old.relay, relay);

        let restart = &mut changes.restart;
        note(restart, "version", &old.version, version);
        note(restart, "api_base_url", &old.api_base_url, api_base_url);
        note(restart, "location", &old.location, location);
        note(restart, "s_cscf_sip_uri", &old.s_cscf_sip_uri, s_cscf_sip_uri);
        note(restart, "ims_domain", &old.ims_domain, ims_domain);
        note(restart, "sc_address", &old.sc_address, sc_address);
        note(restart, "ordinal", &old.ordinal, ordinal);
        note(restart, "listen", &old.listen, listen);
        note(restart, "advertise", &old.advertise, advertise);
        note(restart, "dns", &old.dns, dns);
        note(restart, "reg_event", &old.reg_event, reg_event);
        note(restart, "mt", &old.mt, mt);
        note(restart, "timers", &old.timers, timers);
        note(restart, "admin", &old.admin, admin);
        note(restart, "limits", &old.limits, limits);
        note(restart, "endpoints", &old.endpoints, endpoints);

        // Sections of which a part is live: compared with that part set aside.
        divided(&mut changes, "sip", &old.sip, sip, without_live_sip);
        divided(&mut changes, "polling", &old.polling, polling, without_live_polling);
        divided(&mut changes, "tls", &old.tls, tls, without_live_tls);
        divided(&mut changes, "store", &old.store, store, without_live_store);
        divided(&mut changes, "log", &old.log, log, without_live_log);
        changes
    }

    /// This configuration without what is live and what differs from pod to pod (`ordinal`, `polling.locations`,
    /// `generation`). Taken from pod 0's configuration, [`Config::to_yaml`] of it changes exactly when the pods must
    /// restart: the operator hashes that.
    pub fn restart_part(&self) -> Self {
        let Self {
            version,
            api_base_url,
            location,
            s_cscf_sip_uri,
            ims_domain,
            sc_address,
            ordinal: _,
            generation: _,
            listen,
            advertise,
            trusted_peers: _,
            dns,
            sip,
            reg_event,
            polling,
            mt,
            timers,
            tls,
            relay: _,
            store,
            admin,
            limits,
            endpoints,
            log,
        } = self.clone();
        Self {
            version,
            api_base_url,
            location,
            s_cscf_sip_uri,
            ims_domain,
            sc_address,
            ordinal: None,
            generation: None,
            listen,
            advertise,
            trusted_peers: None,
            dns,
            sip: without_live_sip(&sip),
            reg_event,
            polling: without_live_polling(&polling),
            mt,
            timers,
            tls: without_live_tls(&tls),
            relay: Relay::default(),
            store: without_live_store(&store),
            admin,
            limits,
            endpoints,
            log: without_live_log(&log),
        }
    }
}

fn without_live_sip(sip: &Sip) -> Sip {
    Sip { tls: SipTls::default(), ..sip.clone() }
}

fn without_live_polling(polling: &Polling) -> Polling {
    Polling { locations: None, ..polling.clone() }
}

fn without_live_tls(tls: &Tls) -> Tls {
    Tls { insecure_skip_verify: tls.insecure_skip_verify, ..Tls::default() }
}

fn without_live_store(store: &Store) -> Store {
    Store { routes: Vec::new(), ..store.clone() }
}

fn without_live_log(log: &Log) -> Log {
    Log { level: Log::default().level, ..log.clone() }
}

fn note<T: Serialize + PartialEq>(keys: &mut Vec<String>, key: &str, old: &T, new: &T) {
    if old != new {
        keys::differing(&KeyPath::from(key), &keys::tree(old), &keys::tree(new), keys);
    }
}

fn divided<T: Serialize + PartialEq>(
    changes: &mut Changes,
    key: &str,
    old: &T,
    new: &T,
    without_live: fn(&T) -> T,
) {
    let before = changes.restart.len();
    note(&mut changes.restart, key, &without_live(old), &without_live(new));
    let mut all = Vec::new();
    note(&mut all, key, old, new);
    let restart = &changes.restart[before..];
    changes.live.extend(all.into_iter().filter(|key| !restart.contains(key)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::ReportUri;
    use std::time::Duration;

    /// One change, the keys it makes live, those it makes restart.
    type Case = (fn(&mut Config), &'static [&'static str], &'static [&'static str]);

    #[test]
    fn each_change_is_live_or_needs_a_restart() {
        let cases: [Case; 15] = [
            (|_| {}, &[], &[]),
            (|c| c.log.level = "debug".to_owned(), &["log.level"], &[]),
            (|c| c.log.format = crate::LogFormat::Json, &[], &["log.format"]),
            (|c| c.trusted_peers = Some(Vec::new()), &["trusted_peers"], &[]),
            (|c| c.dns.timeout = Duration::from_secs(1), &[], &["dns.timeout"]),
            (|c| c.polling.locations = Some(Vec::new()), &["polling.locations"], &[]),
            (|c| c.polling.batch = 7, &[], &["polling.batch"]),
            (|c| c.relay.key_files = vec!["/k".into()], &["relay.key_files"], &[]),
            (|c| c.tls.token_file = Some("/t".into()), &["tls.token_file"], &[]),
            (|c| c.tls.insecure_skip_verify = true, &[], &["tls.insecure_skip_verify"]),
            (
                |c| {
                    c.store.routes =
                        vec![crate::Route { prefix: "44".to_owned(), location: "a.b".to_owned() }];
                    c.store.lease = Duration::from_secs(200);
                },
                &["store.routes"],
                &["store.lease"],
            ),
            (|c| c.sip.report_uri = Some(ReportUri::Pod), &[], &["sip.report_uri"]),
            (|c| c.sip.tls.cert_file = Some("/c".into()), &["sip.tls.cert_file"], &[]),
            (|c| c.timers.tls_handshake = Duration::from_secs(1), &[], &["timers.tls_handshake"]),
            (|c| (c.generation, c.ordinal) = (Some("g2".to_owned()), Some(1)), &["generation"], &["ordinal"]),
        ];
        for (change, live, restart) in cases {
            let old = Config::default();
            let mut new = old.clone();
            change(&mut new);
            let expected = Changes {
                live: live.iter().map(|key| (*key).to_owned()).collect(),
                restart: restart.iter().map(|key| (*key).to_owned()).collect(),
            };
            assert_eq!(Config::live_difference(&old, &new), expected);
            assert_eq!(Config::live_difference(&old, &new).is_empty(), old == new);
            let restarts = restart.iter().any(|key| *key != "ordinal");
            assert_eq!(old.restart_part() != new.restart_part(), restarts, "{live:?} {restart:?}");
        }
    }
}
