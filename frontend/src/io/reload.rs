//! Live reload: a file that is right is put in force, one that is wrong is refused and the old one stays.
//!
//! The file and every file it names are read once a second and compared: a mounted ConfigMap or Secret changes by a
//! swap of symbolic links, which file watches miss or tell several times.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smsc_config::{Config, Listen, Log, Polling, Purpose, Relay, Sip, Store, Transport};
use tokio::sync::{mpsc, oneshot, watch};

use super::admin::Described;
use super::frontend::{LogLevel, describe, watch_store};
use super::relay::Peers;
use super::shell::Input;
use crate::backend::{Opened, routes};
use crate::engine::{Keys, Metrics};
use crate::environment::Environment;
use crate::settings::engine_settings;
use crate::tls::Tls;

const INTERVAL: Duration = Duration::from_secs(1);
/// Names in `s_cscf_sip_uri` and `ims_domain` are looked up again for the default of `trusted_peers`.
const LOOK_UP_EVERY: u32 = 60;
/// After a refusal all is read anew: a file that the refused configuration names may have come meanwhile.
const RETRY_EVERY: u32 = 5;

/// Watches the configuration of a running frontend.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    /// The SIP listeners as bound.
    pub(super) listening: Vec<Listen>,
    pub(super) opened: Opened,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) status: watch::Sender<Described>,
    /// The locations polled here.
    pub(super) polled: Vec<String>,
    pub(super) keys: watch::Sender<Keys>,
    pub(super) peers: Peers,
    pub(super) metrics: Arc<Metrics>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) narrate: bool,
}

impl Reloader {
    /// Watches for as long as the loop lives.
    pub(super) async fn run(mut self) {
        let mut seen = self.contents();
        let mut ticks = 0u32;
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            if self.inputs.is_closed() {
                return;
            }
            ticks = ticks.wrapping_add(1);
            let contents = self.contents();
            let refused = self.status.borrow().refused.is_some();
            let changed = contents != seen || (refused && ticks.is_multiple_of(RETRY_EVERY));
            if changed || (ticks.is_multiple_of(LOOK_UP_EVERY) && self.config.trusted_peers.is_none()) {
                seen = contents;
                match self.reload(changed).await {
                    Ok(()) if changed => {
                        tracing::info!(path = %self.path.display(), "configuration reloaded")
                    }
                    Ok(()) => {}
                    Err(reason) => self.refuse(reason),
                }
            }
        }
    }

    async fn reload(&mut self, changed: bool) -> Result<(), String> {
        let new = Config::load_for(&self.path, Purpose::Run).map_err(|problems| problems.to_string())?;
        let config = with_live_keys(&self.config, &new);
        let environment =
            Environment { listening: self.listening.clone(), ..Environment::gather(&config).await };
        let mut settings = engine_settings(&config, &environment).map_err(|error| error.to_string())?;
        settings.narrate = self.narrate;
        let tls = Arc::new(Tls::load(&config).map_err(|error| error.to_string())?);
        if let Some(warning) = tls.warning(Timestamp::now()).filter(|_| changed) {
            tracing::warn!("{warning}");
        }
        if changed {
            if let Some(rest) = &self.opened.rest {
                rest.reload().map_err(|error| error.to_string())?;
            }
            if let Some(log_level) = &self.log_level {
                log_level(&config.log.level)?;
            }
            if let Some(store) = &self.opened.store {
                let routes = routes(&config);
                store.set_routes(routes).await.map_err(|error| error.to_string())?;
            }
        }
        for location in settings.polled.iter().filter(|location| !self.polled.contains(location)) {
            watch_store(&self.opened, location, &self.inputs);
        }
        self.peers = self.peers.with(config.relay.clone(), settings.keys.clone());
        self.keys.send_replace(settings.keys.clone());
        let restart = Config::live_difference(&config, &new).restart;
        let described = describe(&config, &settings, &self.listening, tls.own());
        self.metrics.certificate(tls.own().map(|own| own.not_after.as_second()));
        self.polled.clone_from(&settings.polled);
        self.config = config;
        let (applied, in_force) = oneshot::channel();
        let apply = Input::Apply { settings: Box::new(settings), peers: self.peers.clone(), tls, applied };
        let stopped = "the frontend has stopped";
        self.inputs.send(apply).await.map_err(|_| stopped.to_owned())?;
        in_force.await.map_err(|_| stopped.to_owned())?;
        // A generation is shown when all of it is in force: an operator builds on that.
        self.status.send_modify(|status| {
            status.generation = described.generation;
            status.trusted_peers = described.trusted_peers;
            status.certificate = described.certificate;
            status.restart_needed = restart;
            status.refused = None;
        });
        Ok(())
    }

    /// Told once, however often the same is tried again.
    fn refuse(&self, reason: String) {
        if self.status.borrow().refused.as_ref() == Some(&reason) {
            return;
        }
        tracing::error!(path = %self.path.display(), reason, "configuration refused; the one before stays in force");
        self.metrics.reloads_refused.inc();
        self.status.send_modify(|status| status.refused = Some(reason));
    }

    /// What the file and those it names hold; unreadable counts as empty.
    fn contents(&self) -> Vec<Vec<u8>> {
        let tls = &self.config.tls;
        let named = [&tls.ca_file, &tls.client_cert_file, &tls.client_key_file].into_iter().flatten();
        let named = named.chain(self.config.sip.tls.files());
        let files = std::iter::once(&self.path).chain(named).chain(&self.config.relay.key_files);
        files.map(|file: &PathBuf| fs::read(Path::new(file)).unwrap_or_default()).collect()
    }
}

/// The configuration in force with the live keys of a newer file.
fn with_live_keys(old: &Config, new: &Config) -> Config {
    // A listener stays until the restart, and with it its certificate.
    let listens = old.listen.iter().any(|listen| listen.transport == Transport::Tls);
    let keeps = listens && new.sip.tls.cert_file.is_none();
    let sip_tls = if keeps { &old.sip.tls } else { &new.sip.tls };
    Config {
        generation: new.generation.clone(),
        trusted_peers: new.trusted_peers.clone(),
        sip: Sip { tls: sip_tls.clone(), ..old.sip.clone() },
        relay: Relay { listen: old.relay.listen, ..new.relay.clone() },
        polling: Polling { locations: new.polling.locations.clone(), ..old.polling.clone() },
        store: Store { routes: new.store.routes.clone(), ..old.store.clone() },
        log: Log { level: new.log.level.clone(), ..old.log.clone() },
        ..old.clone()
    }
}
