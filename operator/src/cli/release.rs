//! `release`: let go of every resource, for clusters that the operator leaves.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Error as KubeError, ResourceExt};
use serde_json::json;
use smsc_crds::SmscFrontend;

use super::{Failure, Namespaces, block_on, print};
use crate::client::{connect, said};
use crate::metrics::Metrics;
use crate::names::FINALIZER;

/// Resources of one page.
const PAGE: u32 = 500;
/// How often one resource is tried whose finalizers somebody else changes meanwhile.
const ATTEMPTS: usize = 5;

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    namespaces: Namespaces,
}

/// Removes our finalizer everywhere, and says from where.
pub(super) fn run(args: &ReleaseArgs) -> Result<(), Failure> {
    block_on(async {
        let client = connect(Arc::new(Metrics::new())).await.map_err(Failure::failed)?;
        let Namespaces { namespaces } = &args.namespaces;
        let mut told = String::new();
        let done = if namespaces.is_empty() {
            release(&client, Api::all(client.clone()), &mut told).await
        } else {
            let mut done = Ok(());
            for namespace in namespaces {
                let api = Api::namespaced(client.clone(), namespace);
                done = done.and(release(&client, api, &mut told).await);
            }
            done
        };
        if told.is_empty() && done.is_ok() {
            told.push_str("nothing to release\n");
        }
        print(&told)?;
        done.map_err(Failure::failed)
    })
}

/// What could not be released.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("SmscFrontend resources cannot be listed: {}", said(.0))]
    List(#[source] KubeError),
    #[error("SmscFrontend {resource} cannot be released: {}", said(.error))]
    Patch {
        resource: String,
        #[source]
        error: KubeError,
    },
    #[error("SmscFrontend {0} cannot be released: its finalizers change all the time")]
    Raced(String),
}

/// Goes on after a resource that fails; the first failure is returned.
async fn release(client: &Client, all: Api<SmscFrontend>, told: &mut String) -> Result<(), Error> {
    let mut done = Ok(());
    let mut page = ListParams::default().limit(PAGE);
    loop {
        // Metadata alone: a resource that cannot be read can still be let go.
        let list = match all.list_metadata(&page).await {
            Ok(list) => list,
            // Without the definition there are no resources.
            Err(error) if is(&error, 404) => return done,
            Err(error) => return done.and(Err(Error::List(error))),
        };
        for resource in list.items {
            done = done.and(release_one(client, resource, told).await);
        }
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page = page.continue_token(&token),
            _ => return done,
        }
    }
}

/// Removes the one entry and touches no other.
async fn release_one(
    client: &Client,
    mut resource: PartialObjectMeta<SmscFrontend>,
    told: &mut String,
) -> Result<(), Error> {
    let namespace = resource.namespace().unwrap_or_default();
    let name = resource.name_any();
    let api: Api<SmscFrontend> = Api::namespaced(client.clone(), &namespace);
    let failed = |error| Error::Patch { resource: format!("{namespace}/{name}"), error };
    for _ in 0..ATTEMPTS {
        let (ours, others): (Vec<_>, Vec<_>) =
            resource.finalizers().iter().partition(|finalizer| *finalizer == FINALIZER);
        if ours.is_empty() {
            return Ok(());
        }
        // Refused unless this is the newest version.
        let version = resource.resource_version();
        let patch = json!({"metadata": {"resourceVersion": version, "finalizers": others}});
        match api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => {
                writeln!(
                    told,
                    "SmscFrontend {namespace}/{name} released: its locations stay with the backend"
                )
                .expect("text can be written to a String");
                return Ok(());
            }
            Err(error) if is(&error, 404) => return Ok(()),
            Err(error) if is(&error, 409) => {}
            Err(error) => return Err(failed(error)),
        }
        match api.get_metadata_opt(&name).await.map_err(failed)? {
            Some(newer) => resource = newer,
            None => return Ok(()),
        }
    }
    Err(Error::Raced(format!("{namespace}/{name}")))
}

fn is(error: &KubeError, code: u16) -> bool {
    matches!(error, KubeError::Api(status) if status.code == code)
}
