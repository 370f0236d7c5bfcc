//! A frontend from its file to its last open delivery.

use std::path::Path;
use std::time::Duration;

use smsc_config::Config;
use tokio::signal::unix::{SignalKind, signal};

use super::frontend::{Frontend, LogLevel, Start, StartError};
use crate::backend::{OpenError, open_backend};
use crate::settings::warnings;

/// Why `run` did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The backend cannot be opened.
    #[error(transparent)]
    Backend(#[from] OpenError),
    /// The frontend does not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl RunError {
    /// True if config.yaml, or what it points to, is at fault.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Backend(error) => error.is_configuration(),
            Self::Start(StartError::Settings(_) | StartError::Tls(_)) => true,
            Self::Start(StartError::Bind { .. } | StartError::Relay(_)) => false,
        }
    }
}

/// Runs until SIGTERM (drains, after endpoints had time to settle) or SIGINT (drains at once).
///
/// # Errors
/// The backend cannot be opened, or a listener cannot be bound.
pub async fn run(config: Config, path: &Path, log_level: Option<LogLevel>) -> Result<(), RunError> {
    for warning in warnings(&config) {
        tracing::warn!("{warning}");
    }
    let opened = open_backend(&config)?;
    let settle = config.timers.drain_settle;
    let start = Start { config, path: Some(path.to_owned()), opened, steps: None, log_level };
    let frontend = Frontend::bind(start).await?;
    for listener in frontend.listening() {
        tracing::info!(%listener, "SIP");
    }
    if let Some(address) = frontend.admin_address() {
        tracing::info!(%address, "admin");
    }
    frontend.serve(terminated(settle)).await;
    Ok(())
}

/// Resolves when a signal asks us to go, with the time endpoints need to learn of it.
pub async fn terminated(settle: Duration) -> Duration {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => settle,
        _ = int.recv() => Duration::ZERO,
    }
}
