//! The ConfigMap with one config.yaml for each ordinal, and the polling map those files say.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata;
use crate::config::of_pod;
use crate::names::POLLING_MAP;
use crate::validate::Validated;

pub(super) fn build(resource: &Validated) -> ConfigMap {
    let files = (0..resource.files).map(|ordinal| {
        let config = of_pod(&resource.shared, ordinal, resource.polling.held_by(ordinal));
        (resource.names.file(ordinal), config.to_yaml())
    });
    let map = serde_json::to_string(&resource.polling).expect("a map of names to small enumerations is JSON");
    let mut metadata = metadata(resource, &resource.names.config);
    metadata.annotations = Some(BTreeMap::from([(POLLING_MAP.to_owned(), map)]));
    ConfigMap { metadata, data: Some(files.collect()), ..ConfigMap::default() }
}
