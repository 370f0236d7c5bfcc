//! What a pass writes on the resource itself: its status, with an event and a log line for each transition, and its finalizer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, Resource as _};
use serde_json::json;
use smsc_crds::{SmscFrontend, SmscFrontendStatus};

use super::context::Memory;
use super::pass::Pass;
use crate::apply::Refused;
use crate::events::{Transition, changed};
use crate::names::{FINALIZER, STATUS_MANAGER};
use crate::status::{Facts, status};

impl Pass<'_> {
    /// Writes the status if it differs from the one there is, and tells what changed as events.
    pub(super) async fn tell(&self, memory: &mut Memory, facts: &Facts) -> Result<(), Refused> {
        let mut resource = self.resource.clone();
        resource.status = Some(self.before(memory));
        let new = status(&resource, facts, Time(self.now));
        if self.resource.status.as_ref() == Some(&new) {
            memory.status = Some(new);
            return Ok(());
        }
        let api: Api<SmscFrontend> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        let written = json!({
            "apiVersion": SmscFrontend::api_version(&()),
            "kind": SmscFrontend::kind(&()),
            "metadata": {"name": self.key.name, "uid": self.uid},
            "status": new,
        });
        let parameters = PatchParams::apply(STATUS_MANAGER).force();
        match api.patch_status(&self.key.name, &parameters, &Patch::Apply(&written)).await {
            Ok(_) => {}
            // Gone meanwhile, or another of that name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(source) => return Err(Refused { what: "status".to_owned(), source }),
        }
        let before = resource.status.unwrap_or_default().conditions;
        for (old, condition) in changed(&before, &new.conditions) {
            tracing::info!(
                namespace = self.key.namespace,
                name = self.key.name,
                condition = ?condition.kind,
                before = old.map(|old| format!("{:?}", old.status)),
                status = ?condition.status,
                reason = condition.reason,
                "{}",
                condition.message,
            );
        }
        let told = Transition { reference: self.reference(), before, after: new.conditions.clone() };
        self.context.transitions.tell(told);
        memory.status = Some(new);
        Ok(())
    }

    /// Adds the finalizer or takes it away, unless it is so already.
    pub(super) async fn finalizer(&self, wanted: bool) -> Result<(), Refused> {
        let refused = |source| Refused { what: "finalizer".to_owned(), source };
        mark(&self.context.client, &self.resource.metadata, wanted).await.map_err(refused)
    }

    /// The status as it was last written by us, else as the API server has it.
    pub(super) fn before(&self, memory: &Memory) -> SmscFrontendStatus {
        memory.status.clone().or_else(|| self.resource.status.clone()).unwrap_or_default()
    }
}

/// Takes the finalizer away from a resource that cannot be read.
pub(super) async fn release(client: &Client, metadata: &ObjectMeta) -> kube::Result<()> {
    mark(client, metadata, false).await
}

async fn mark(client: &Client, metadata: &ObjectMeta, wanted: bool) -> kube::Result<()> {
    let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else { return Ok(()) };
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|name| name == FINALIZER) == wanted {
        return Ok(());
    }
    finalizers.retain(|name| name != FINALIZER);
    if wanted {
        finalizers.push(FINALIZER.to_owned());
    }
    // With the version it was read at, so that nobody else's finalizer is lost.
    let patch = json!({"metadata": {
        "uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": finalizers,
    }});
    let api: Api<SmscFrontend> = Api::namespaced(client.clone(), namespace);
    match api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
