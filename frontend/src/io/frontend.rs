//! One frontend put together: configuration, backend, sockets, engine.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use smsc_config::{Config, Listen, Transport};
use smsc_proto::sip;
use tokio::sync::{broadcast, mpsc, watch};

use super::admin::{self, Described};
use super::calls::Calls;
use super::clock::{now, random_seed};
use super::relay::{self, Peers};
use super::reload::Reloader;
use super::shell::{Input, Shell};
use super::streams::{self, Limits, Streams};
use super::udp::Udp;
use crate::backend::Opened;
use crate::dns::Dns;
use crate::engine::{Engine, Metrics, Settings, Step};
use crate::environment::Environment;
use crate::settings::{SettingsError, engine_settings, transaction_config};
use crate::tls::{Certificate, Tls, TlsError};

/// Inputs of other tasks that may wait for the loop; beyond, those tasks wait.
const INPUTS: usize = 1024;

/// Changes the log level of the process; an error says what is wrong with the filter.
pub type LogLevel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What a frontend is made of.
pub struct Start {
    /// The configuration in force.
    pub config: Config,
    /// The file it came from: watched for changes.
    pub path: Option<PathBuf>,
    /// The backend.
    pub opened: Opened,
    /// Where the steps of messages' lives are told; `None`: nowhere.
    pub steps: Option<broadcast::Sender<Arc<Step>>>,
    /// Changes the log level.
    pub log_level: Option<LogLevel>,
}

/// Why a frontend does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be bound.
    #[error("{what} {address}: {source}")]
    Bind {
        /// The key in config.yaml.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A value of the configuration cannot be used here.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file of `sip.tls` cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client for relay peers could not be made.
    #[error("relay client: {0}")]
    Relay(#[from] reqwest::Error),
}

/// A frontend whose sockets are bound.
pub struct Frontend {
    shell: Shell,
    config: Config,
    status: watch::Sender<Described>,
    listening: Vec<Listen>,
    admin: Option<SocketAddr>,
    reload: Option<Reloader>,
}

impl Frontend {
    /// Binds everything. Nothing is answered before [`Frontend::serve`].
    pub async fn bind(start: Start) -> Result<Self, StartError> {
        let Start { config, path, opened, steps, log_level } = start;
        let (sender, inputs) = mpsc::channel(INPUTS);
        let udp = Udp::bind(&addresses(&config.listen, Transport::Udp))
            .map_err(|(address, source)| StartError::Bind { what: "listen", address, source })?;
        let tls = Arc::new(Tls::load(&config)?);
        if let Some(warning) = tls.warning(Timestamp::now()) {
            tracing::warn!("{warning}");
        }
        let limits = Limits {
            connections: config.limits.tcp_connections as usize,
            handshakes: config.limits.tls_handshakes as usize,
            connect: config.timers.tcp_connect,
            handshake: config.timers.tls_handshake,
            idle: config.timers.tcp_idle,
        };
        let streams = Streams::new(limits, tls.clone(), sender.clone());
        let mut environment = Environment::gather(&config).await;
        let bound = |transport| move |address| Listen { transport, address };
        environment.listening = udp.addresses().into_iter().map(bound(Transport::Udp)).collect();
        for (transport, spoken) in
            [(Transport::Tcp, sip::Transport::Tcp), (Transport::Tls, sip::Transport::Tls)]
        {
            for (index, address) in addresses(&config.listen, transport).into_iter().enumerate() {
                let fail = |source| StartError::Bind { what: "listen", address, source };
                let listener = streams::bind(address).map_err(fail)?;
                environment.listening.push(bound(transport)(listener.local_addr().map_err(fail)?));
                streams.listen(listener, spoken, u16::try_from(index).unwrap_or(u16::MAX));
            }
        }

        let mut settings = engine_settings(&config, &environment)?;
        settings.narrate = steps.is_some();
        let metrics = Arc::new(Metrics::default());
        metrics.certificate(tls.own().map(|own| own.not_after.as_second()));
        let (status, watched) =
            watch::channel(describe(&config, &settings, &environment.listening, tls.own()));
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let admin = match config.admin.listen {
            Some(address) => Some(
                admin::serve(address, watched, Arc::new(registry), sender.clone())
                    .await
                    .map_err(|source| StartError::Bind { what: "admin.listen", address, source })?,
            ),
            None => None,
        };
        let peers = Peers::new(config.relay.clone(), settings.keys.clone(), settings.timers.relay)?;
        let (keys, watched_keys) = watch::channel(settings.keys.clone());
        if let Some(address) = config.relay.listen {
            let bound = relay::serve(address, sender.clone(), watched_keys)
                .await
                .map_err(|source| StartError::Bind { what: "relay.listen", address, source })?;
            status.send_modify(|status| status.relay = Some(bound));
        }
        for location in &settings.polled {
            watch_store(&opened, location, &sender);
        }
        let polled = settings.polled.clone();
        let transactions = transaction_config(&config, &environment, [random_seed(), random_seed()])?;
        let engine = Engine::new(settings, metrics.clone(), transactions, random_seed(), now());
        let shell = Shell {
            engine,
            udp,
            streams,
            dns: Dns::new(&config),
            calls: Calls::new(opened.backend.clone(), config.limits.backend_requests as usize),
            peers: peers.clone(),
            inputs,
            sender,
            steps,
            relayed: HashMap::new(),
            sequence: 0,
            drain: None,
        };
        let reload = path.map(|path| Reloader {
            path,
            config: config.clone(),
            listening: environment.listening.clone(),
            opened,
            inputs: shell.sender.clone(),
            status: status.clone(),
            polled,
            keys,
            peers,
            metrics,
            log_level,
            narrate: shell.steps.is_some(),
        });
        Ok(Self { shell, config, status, listening: environment.listening, admin, reload })
    }

    /// The SIP listeners as bound.
    #[must_use]
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    /// The bound admin address.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Serves until `shutdown` resolves and everything open is finished. `shutdown` says how long endpoints may
    /// still send new work here: nothing for a person's Ctrl-C, `timers.drain_settle` in a cluster.
    pub async fn serve(self, shutdown: impl Future<Output = Duration> + Send + 'static) {
        let Self { shell, config, status, reload, .. } = self;
        status.send_modify(|status| status.ready = true);
        if let Some(reload) = reload {
            tokio::spawn(reload.run());
        }
        let sender = shell.sender.clone();
        tokio::spawn(async move {
            let settle = shutdown.await;
            status.send_modify(|status| status.draining = true);
            tracing::info!("draining");
            _ = sender.send(Input::Drain { settle, limit: config.timers.tr1n.max(settle) }).await;
        });
        shell.run().await;
    }
}

/// Tells the loop when the embedded store has rows due.
pub(super) fn watch_store(opened: &Opened, location: &str, sender: &mpsc::Sender<Input>) {
    let Some(store) = &opened.store else { return };
    let mut changes = store.subscribe(location);
    let (sender, location) = (sender.clone(), location.to_owned());
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            if sender.send(Input::Wake { location: location.clone() }).await.is_err() {
                return;
            }
        }
    });
}

/// What `/status` shows of a configuration.
pub(super) fn describe(
    config: &Config,
    settings: &Settings,
    listening: &[Listen],
    certificate: Option<&Certificate>,
) -> Described {
    Described {
        version: env!("CARGO_PKG_VERSION"),
        location: settings.location.clone(),
        ordinal: settings.ordinal,
        generation: config.generation.clone(),
        ready: false,
        draining: false,
        listening: listening.iter().map(ToString::to_string).collect(),
        relay: None,
        trusted_peers: settings.trusted.networks().collect(),
        certificate: certificate.cloned(),
        restart_needed: Vec::new(),
        refused: None,
    }
}

fn addresses(listen: &[Listen], transport: Transport) -> Vec<SocketAddr> {
    listen.iter().filter(|l| l.transport == transport).map(|l| l.address).collect()
}
