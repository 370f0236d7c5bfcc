//! `run`: look after resources until SIGTERM.

use std::env::{self, VarError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::ValueParser;
use data_encoding::HEXLOWER;
use kube::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::{Failure, Namespaces, block_on, label, logging, not_empty};
use crate::leader::{Claim, acquire};
use crate::metrics::Metrics;
use crate::settings::{ServiceAccount, Settings};
use crate::{admin, client, reconcile};

/// The longest a pass under way may take to end after SIGTERM; a pod has 30 s by default.
const STOP: Duration = Duration::from_secs(20);

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The image of frontends whose resource names none
    #[arg(long, value_name = "IMAGE", value_parser = not_empty())]
    frontend_image: String,
    #[command(flatten)]
    namespaces: Namespaces,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// The Lease that one of several operators holds, in the namespace POD_NAMESPACE
    #[arg(long, value_name = "NAME", default_value = "smsc-operator", value_parser = label)]
    lease: String,
    /// The role that a RoleBinding gives the operator where it is to read a backend's Secrets
    #[arg(long, value_name = "NAME", default_value = "smsc-operator-secrets", value_parser = not_empty())]
    secrets_role: String,
    /// What is logged: error, warn, info, debug or trace; or a list such as warn,smsc_operator=debug
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ValueParser::new(level))]
    log: String,
}

fn level(text: &str) -> Result<String, String> {
    logging::filter(text).map(|_| text.to_owned())
}

/// Leads once the lease is free, and acts until SIGTERM or SIGINT.
pub(super) fn run(args: RunArgs) -> Result<(), Failure> {
    let RunArgs { frontend_image, namespaces: Namespaces { namespaces }, listen, lease, secrets_role, log } =
        args;
    let filter = logging::filter(&log).map_err(Failure::usage)?;
    let namespace = named("POD_NAMESPACE", label)?.unwrap_or_else(|| "default".to_owned());
    let account = named("SERVICE_ACCOUNT", any)?.unwrap_or_else(|| "default".to_owned());
    let instance = match named("POD_NAME", any)? {
        Some(pod) => pod,
        None => of_this_process()?,
    };
    let claim = Claim { namespace: namespace.clone(), name: lease, identity: instance.clone() };
    let operator = ServiceAccount { namespace, name: account };
    let settings = Settings { namespaces, frontend_image, secrets_role, operator, instance };
    logging::install(filter).map_err(Failure::failed)?;
    block_on(serve(settings, claim, listen)).map_err(Failure::logged)
}

async fn serve(settings: Settings, claim: Claim, listen: SocketAddr) -> Result<(), Failure> {
    let stop = stop_signal().map_err(Failure::failed)?;
    let metrics = Arc::new(Metrics::new());
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::failed(format!("cannot listen on {listen}: {error}")))?;
    let admin = tokio::spawn(admin::serve(listener, Arc::clone(&metrics)));
    let work = async {
        let client = tokio::select! {
            client = client::connect(Arc::clone(&metrics)) => client.map_err(Failure::failed)?,
            () = stopped(stop.clone()) => return Ok(()),
        };
        lead(client, settings, claim, metrics, stop).await
    };
    tokio::select! {
        done = work => done,
        ended = admin => {
            let why = match ended {
                Ok(Ok(())) => "no reason given".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            Err(Failure::failed(format!("the listener on {listen} ended: {why}")))
        }
    }
}

/// Acts while the lease is held. The lease is given up only when nothing acts any more.
async fn lead(
    client: Client,
    settings: Settings,
    claim: Claim,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let mut held = tokio::select! {
        held = acquire(&client, claim) => held.map_err(Failure::failed)?,
        () = stopped(stop.clone()) => return Ok(()),
    };
    tracing::info!("the lease is held, now leading");
    metrics.leader(true);
    let (finish, finished) = oneshot::channel::<()>();
    // Tasks of their own: a renewal never waits for a pass.
    let mut keeper = tokio::spawn(async move {
        tokio::select! {
            lost = held.keep() => Err(lost),
            _ = finished => Ok(held),
        }
    });
    let mut work = tokio::spawn(reconcile::run(client, settings, metrics, stop.clone()));
    let done = tokio::select! {
        biased;
        lost = &mut keeper => {
            let why = match lost {
                Ok(Err(lost)) => lost.to_string(),
                Ok(Ok(_)) => "its keeper ended".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(Failure::failed(format!("the lease is lost: {why}")));
        }
        done = &mut work => done,
        () = too_late(stop.clone()) => {
            let text = format!("a pass did not end within {} s; the lease runs out by itself", STOP.as_secs());
            return Err(Failure::failed(text));
        }
    };
    let done = match done {
        Ok(Ok(())) if *stop.borrow() => Ok(()),
        Ok(Ok(())) => Err(Failure::failed("nothing looks after the resources any more")),
        Ok(Err(error)) => Err(Failure::failed(error)),
        Err(error) => Err(Failure::failed(error)),
    };
    drop(finish);
    if let Ok(Ok(held)) = keeper.await {
        match held.release().await {
            Ok(()) => tracing::info!("the lease is given up"),
            Err(error) => tracing::warn!(%error, "the lease could not be given up, it runs out by itself"),
        }
    }
    done
}

/// Becomes true at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop");
        sender.send_replace(true);
        sender.closed().await;
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone is as good as a word.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn too_late(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    sleep(STOP).await;
}

/// A variable of the environment that `parse` accepts; absent: not set, or empty.
fn named(name: &str, parse: fn(&str) -> Result<String, String>) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => parse(&value).map(Some).map_err(|error| Failure::usage(format!("{name}: {error}"))),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(Failure::usage(format!("{name}: {error}"))),
    }
}

fn any(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A name for an operator outside a pod; several may run on one host.
fn of_this_process() -> Result<String, Failure> {
    let host = nix::unistd::gethostname().map_err(Failure::failed)?;
    let mut octets = [0; 4];
    getrandom::fill(&mut octets).map_err(Failure::failed)?;
    Ok(format!("{}-{}", host.to_string_lossy(), HEXLOWER.encode(&octets)))
}
