//! `store`: the store-and-forward backend alone, over HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use smsc_config::{Config, Purpose};
use smsc_store::http::{ServeOptions, serve};
use smsc_store::{Store, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{Exit, Failure, block_on, load, logging};
use crate::backend::store_config;
use crate::io::terminated;

/// How long requests under way may take to end after SIGTERM; the longest any client of ours waits.
const GRACE: Duration = Duration::from_secs(30);

/// Arguments of `store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// The configuration file; its section `store` says where the database is and where it is served. With
    /// `tls.token_file`, clients need the token it holds
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The file is wrong, the database cannot be opened, or the listener cannot be bound.
pub fn run(args: &StoreArgs) -> Result<Exit, Failure> {
    let config = load(&args.config, Purpose::Store)?;
    let _set_level = logging::install(&config.log).map_err(|error| Failure::new(Exit::Usage, error))?;
    block_on(serve_until_signal(config))
}

async fn serve_until_signal(config: Config) -> Result<Exit, Failure> {
    let failed = |text: String| Failure::new(Exit::Failed, text);
    let address = config.store.listen;
    let store = Store::open(store_config(&config), Arc::new(SystemClock))
        .map_err(|error| failed(error.to_string()))?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| failed(format!("store.listen {address}: {error}")))?;
    let bound = listener.local_addr().map_err(|error| failed(format!("store.listen {address}: {error}")))?;
    let options = ServeOptions { token_file: config.tls.token_file.clone(), ..ServeOptions::default() };
    if options.token_file.is_none() && !bound.ip().is_loopback() {
        tracing::warn!(listen = %bound, "tls.token_file: none: whoever reaches this listener may use the store");
    }
    tracing::info!(
        listen = %bound, path = %config.store.path.display(), "the store serves; GET /api/docs describes it"
    );
    let asked_to_end = Arc::new(Notify::new());
    let heard = asked_to_end.clone();
    let shutdown = async move {
        terminated(Duration::ZERO).await;
        tracing::info!("the store ends: requests under way are answered first");
        heard.notify_one();
    };
    let overdue = async {
        asked_to_end.notified().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serve(store, listener, options, shutdown) => {
            served.map_err(|error| failed(error.to_string()))?;
            Ok(Exit::Done)
        }
        () = overdue => Err(failed(format!("requests did not end within {} s", GRACE.as_secs()))),
    }
}
