//! Runs the five steps for every resource whenever something of it changes, and never two of one resource at once.

mod context;
mod deletion;
mod judge;
mod pass;
mod silent;
mod tell;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Client, Resource as _};
use tokio::sync::watch;

use crate::caches::{Guarded, Scope, Watches};
use crate::client::said;
use crate::metrics::Metrics;
use crate::registrar::Key;
use crate::settings::Settings;
use context::Context;
use pass::Pass;

/// Resources looked at at once.
const CONCURRENCY: u16 = 16;
/// Changes that come together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// When the finalizer of one that cannot be read is tried again.
const UNREADABLE: Duration = Duration::from_secs(10);
/// How often resources are counted for the metrics.
const COUNTED_EVERY: Duration = Duration::from_secs(10);

/// Why the operator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client that asks pods cannot be set up.
    #[error("the client for GET /status of pods: {0}")]
    Pods(#[from] reqwest::Error),
}

/// Looks after all resources until `shutdown` is true.
///
/// # Errors
/// What keeps it from beginning.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Arc<Metrics>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    let namespaces: Vec<Option<&str>> = match settings.namespaces.as_slice() {
        [] => vec![None],
        named => named.iter().map(|namespace| Some(namespace.as_str())).collect(),
    };
    let (scopes, watches): (Vec<Scope>, Vec<Watches>) =
        namespaces.into_iter().map(|namespace| Scope::watch(&client, namespace)).unzip();
    let context = Arc::new(Context::new(client, settings, metrics, scopes)?);
    let counting = tokio::spawn(count(context.clone()));
    let answers = tokio::spawn(hand_on(context.clone()));
    let controllers = watches.into_iter().enumerate().map(|(index, watches)| {
        let poked = context.pokes[index].clone().stream();
        let poked = poked.map(|Key { namespace, name }| ObjectRef::new(&name).within(&namespace));
        let triggers = stream::select(triggers(&context, watches), poked);
        let stop = stopped(shutdown.clone());
        let controller = Controller::for_stream(stream::pending(), context.scopes[index].resources.clone())
            .with_config(Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE))
            .reconcile_on(triggers)
            .graceful_shutdown_on(stop)
            .run(reconcile, |_, never: &Infallible, _| match *never {}, context.clone())
            .for_each(|_| async {});
        let (context, shutdown) = (context.clone(), shutdown.clone());
        async move {
            tokio::select! {
                () = controller => {}
                () = stopped_before_known(&context, &context.scopes[index], shutdown) => {}
            }
        }
    });
    join_all(controllers).await;
    counting.abort();
    answers.abort();
    Ok(())
}

async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone is as good as a word.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Waits for what a pass over a resource in `own` needs: what others may have a claim on, then what exists of its own.
async fn known(context: &Context, own: &Scope) {
    for scope in &context.scopes {
        scope.asked().await;
    }
    own.filled().await;
}

/// Returns at a stop before any pass could begin: controllers themselves wait for caches first, perhaps for ever.
async fn stopped_before_known(context: &Context, own: &Scope, shutdown: watch::Receiver<bool>) {
    tokio::select! {
        biased;
        () = known(context, own) => std::future::pending().await,
        () = stopped(shutdown) => {}
    }
}

/// One pass over one resource; what fails is told in its status and tried again later.
async fn reconcile(guarded: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Infallible> {
    if let Some(own) = guarded.meta().namespace.as_deref().and_then(|namespace| context.scope(namespace)) {
        known(&context, own).await;
    }
    let began = Instant::now();
    let resource = match &guarded.0 {
        Ok(resource) => resource,
        Err(invalid) => {
            let (namespace, name) = (&invalid.metadata.namespace, &invalid.metadata.name);
            tracing::error!(
                namespace,
                name,
                error = invalid.error,
                "a resource that cannot be read is left alone"
            );
            // Nobody can tell what the backend has of it, and it must not stay for ever.
            if invalid.metadata.deletion_timestamp.is_some()
                && let Err(error) = tell::release(&context.client, &invalid.metadata).await
            {
                tracing::warn!(namespace, name, error = said(&error), "finalizer");
                return Ok(Action::requeue(UNREADABLE));
            }
            context.metrics.reconciled("Unreadable", began.elapsed());
            return Ok(Action::await_change());
        }
    };
    let Some(pass) = Pass::of(&context, resource) else { return Ok(Action::await_change()) };
    let mut memory = context.recall(&pass.key, &pass.uid);
    let (outcome, again) = pass.run(&mut memory).await;
    context.remember(&pass.key, memory);
    context.metrics.reconciled(outcome.as_str(), began.elapsed());
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// What is to be looked at when something changes. Errors of watching are told and tried again by the watch itself.
fn triggers(context: &Arc<Context>, watches: Watches) -> BoxStream<'static, ObjectRef<Guarded>> {
    let owned = stream::select_all(watches.owned).filter_map(|object| async {
        object.inspect_err(|error| tracing::warn!(%error, "watching what was made")).ok()
    });
    let context = context.clone();
    let resources = watches.resources.filter_map(move |event| {
        let looked_at = match event {
            Ok(Event::InitApply(DeserializeGuard(Ok(resource)))) => Key::of(&resource.metadata),
            Ok(Event::Apply(DeserializeGuard(Ok(resource)))) => {
                context.disturb(&resource);
                Key::of(&resource.metadata)
            }
            Ok(Event::Delete(DeserializeGuard(Ok(resource)))) => {
                context.forget(&resource);
                None
            }
            Ok(
                Event::InitApply(DeserializeGuard(Err(invalid)))
                | Event::Apply(DeserializeGuard(Err(invalid))),
            ) => Key::of(&invalid.metadata),
            Ok(Event::Delete(DeserializeGuard(Err(_))) | Event::Init | Event::InitDone) => None,
            Err(error) => {
                tracing::warn!(%error, "watching resources");
                None
            }
        };
        let object = looked_at.map(|Key { namespace, name }| ObjectRef::new(&name).within(&namespace));
        async { object }
    });
    stream::select(owned, resources).boxed()
}

/// Has a resource looked at again when its backend or a pod of it has answered.
async fn hand_on(context: Arc<Context>) {
    let mut answered = std::pin::pin!(stream::select(context.registrar.pokes(), context.pods.answered()));
    while let Some(key) = answered.next().await {
        context.poke(key);
    }
}

async fn count(context: Arc<Context>) {
    for scope in &context.scopes {
        scope.asked().await;
    }
    let mut ticks = tokio::time::interval(COUNTED_EVERY);
    loop {
        ticks.tick().await;
        let resources = context.scopes.iter().flat_map(|scope| scope.resources.state());
        let conditions = resources.filter_map(|guarded| guarded.0.as_ref().ok()?.status.clone());
        let conditions = conditions.flat_map(|status| status.conditions);
        context.metrics.resources(conditions.map(|condition| (condition.kind, condition.status)));
    }
}

#[cfg(test)]
mod tests;
