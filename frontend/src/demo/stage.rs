//! The demo put together: a frontend with its embedded store, and the simulated core with its handsets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use smsc_config::{Admin, ApiBaseUrl, Config, Listen, Polling, Retry, Timers, Transport};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

use super::core::{Bound, Handle};
use super::journal::{Event, Journal};
use super::people::{DOMAIN, LOCATION, SERVICE_CENTRE};
use super::told::Records;
use crate::backend::{OpenError, open_backend};
use crate::engine::Step;
use crate::io::{Frontend, Start, StartError};

/// Steps that may wait to be written down.
const STEPS: usize = 4_096;
/// How long the frontend may take to finish what is open when the demo ends.
const GRACE: Duration = Duration::from_millis(500);

/// Why the demo does not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The temporary directory for the store could not be made.
    #[error("a temporary directory {}: {source}", path.display())]
    Directory {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Signals cannot be taken.
    #[error("signals: {0}")]
    Signals(io::Error),
    /// No port of the loopback could be had.
    #[error("a socket on 127.0.0.1: {0}")]
    Socket(io::Error),
    /// The embedded store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The frontend does not start.
    #[error(transparent)]
    Frontend(#[from] StartError),
    /// Standard output is closed, or full.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

/// Everything that runs.
pub(super) struct Stage {
    /// Commands the handsets.
    pub(super) core: Handle,
    /// What happens.
    pub(super) journal: Journal,
    /// What the store holds.
    pub(super) records: Records,
    /// Where the frontend takes SIP, UDP and TCP.
    pub(super) sip: SocketAddr,
    /// Where the simulated S-CSCF takes SIP, UDP.
    pub(super) s_cscf: SocketAddr,
    /// Where the frontend serves `/metrics` and `/status`.
    pub(super) admin: Option<SocketAddr>,
    stop: oneshot::Sender<Duration>,
    frontend: JoinHandle<()>,
    _directory: Directory,
}

impl Stage {
    /// Starts everything. If `port` is taken, SIP is on a free one.
    pub(super) async fn open(port: u16) -> Result<Self, DemoError> {
        let directory = Directory::new()?;
        let bound = Bound::new().await.map_err(DemoError::Socket)?;
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(port).map_err(DemoError::Socket)?));
        let s_cscf = bound.local();
        let config = config(sip, s_cscf, &directory.0);
        let opened = open_backend(&config)?;
        let store = opened.store.clone().ok_or(OpenError::Missing)?;
        let records = Records { store, backend: opened.backend.clone() };
        let (steps, told) = broadcast::channel(STEPS);
        let start = Start { config, path: None, opened, steps: Some(steps), log_level: None };
        let frontend = Frontend::bind(start).await?;
        let admin = frontend.admin_address();
        let (stop, stopped) = oneshot::channel();
        let frontend = tokio::spawn(frontend.serve(async { stopped.await.unwrap_or_default() }));
        let journal = Journal::new();
        tokio::spawn(write_steps(told, journal.clone()));
        let core = bound.start(sip, journal.clone());
        Ok(Self { core, journal, records, sip, s_cscf, admin, stop, frontend, _directory: directory })
    }

    /// Ends everything; the store's files go.
    pub(super) async fn close(self) {
        let Self { stop, frontend, .. } = self;
        _ = stop.send(Duration::ZERO);
        _ = tokio::time::timeout(GRACE, frontend).await;
    }
}

/// What `run` would read from a file: the four keys, and times a person does not mind to wait.
fn config(sip: SocketAddr, s_cscf: SocketAddr, directory: &Path) -> Config {
    let listen = |transport| Listen { transport, address: sip };
    let seconds = |steps: &[u64]| steps.iter().copied().map(Duration::from_secs).collect();
    let mut config = Config {
        api_base_url: Some(ApiBaseUrl::Embedded),
        location: LOCATION.to_owned(),
        s_cscf_sip_uri: Some(format!("sip:{s_cscf}")),
        ims_domain: DOMAIN.to_owned(),
        sc_address: Some(SERVICE_CENTRE.to_owned()),
        ordinal: Some(0),
        listen: vec![listen(Transport::Udp), listen(Transport::Tcp)],
        polling: Polling { interval: Duration::from_secs(1), ..Polling::default() },
        timers: Timers { tr1n: Duration::from_secs(20), ..Timers::default() },
        admin: Admin { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) },
        ..Config::default()
    };
    config.store.path = directory.join("store.db");
    config.store.retry = Retry {
        failed: seconds(&[5, 15, 60]),
        congestion: seconds(&[5, 15, 60]),
        unknown: seconds(&[5, 15, 60]),
        no_answer: seconds(&[60, 300]),
        absent: seconds(&[60, 300]),
        memory_full: seconds(&[300, 900]),
    };
    config
}

/// `wanted` if it is free for UDP and TCP, else a port that is.
fn free_port(wanted: u16) -> io::Result<u16> {
    let try_port = |port: u16| {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = tcp.local_addr()?.port();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map(|_| port)
    };
    let mut last = try_port(wanted);
    for _ in 0..20 {
        if last.is_ok() {
            break;
        }
        last = try_port(0);
    }
    last
}

async fn write_steps(mut steps: broadcast::Receiver<Arc<Step>>, journal: Journal) {
    loop {
        match steps.recv().await {
            Ok(step) => journal.write(Event::Step(Step::clone(&step))),
            Err(broadcast::error::RecvError::Lagged(count)) => {
                journal.write(Event::Note { text: format!("{count} steps of the frontend are not shown") });
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// A directory of our own that goes with its owner.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, DemoError> {
        let process = std::process::id();
        let mut number = 0u32;
        loop {
            let path = std::env::temp_dir().join(format!("smsc-demo-{process}-{number}"));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
                Err(source) => return Err(DemoError::Directory { path, source }),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Whatever cannot be removed is in the system's directory for such things.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use smsc_config::Purpose;

    use super::*;

    #[test]
    fn the_configuration_is_one_that_run_would_take() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        let config = config(address, address, Path::new("/somewhere"));
        assert_eq!(Config::parse_for(&config.to_yaml(), "config.yaml", Purpose::Run), Ok(config));
    }

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(port).unwrap(), port);
    }

    #[test]
    fn the_directory_goes_with_its_owner() {
        let directory = Directory::new().unwrap();
        let path = directory.0.clone();
        std::fs::write(path.join("store.db"), "x").unwrap();
        drop(directory);
        assert!(!path.exists());
    }
}
