//! The StatefulSet: stable names for pods, started and stopped in parallel, updated one at a time.

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};

use super::{metadata, pod, pods};
use crate::validate::Validated;

/// `maxUnavailable` is not set: API servers drop it in silence and a comparison with it would never end. Parallel,
/// because an ordered one lets a single broken pod block the update that would repair it (kubernetes#67250).
pub(super) fn build(resource: &Validated) -> StatefulSet {
    StatefulSet {
        metadata: metadata(resource, &resource.names.workload),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(resource.replicas)),
            service_name: Some(resource.names.relay.clone()),
            selector: pods(resource),
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            template: pod::template(resource),
            ..StatefulSetSpec::default()
        }),
        status: None,
    }
}
