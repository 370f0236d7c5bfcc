//! The ConfigMap with one config.yaml for each ordinal, and the polling map those files say.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;

use super::metadata;
use crate::config::of_pod;
use crate::names::{GENERATIONS, POLLING_MAP};
use crate::validate::Validated;

pub(super) fn build(resource: &Validated) -> ConfigMap {
    let mut files = BTreeMap::new();
    let mut generations = BTreeMap::new();
    for ordinal in 0..resource.files {
        let config = of_pod(&resource.shared, ordinal, resource.polling.held_by(ordinal));
        files.insert(resource.names.file(ordinal), config.to_yaml());
        generations.extend(config.generation.map(|generation| (ordinal, generation)));
    }
    let mut metadata = metadata(resource, &resource.names.config);
    metadata.annotations = Some(BTreeMap::from([
        (POLLING_MAP.to_owned(), json(&resource.polling)),
        (GENERATIONS.to_owned(), json(&generations)),
    ]));
    ConfigMap { metadata, data: Some(files), ..ConfigMap::default() }
}

fn json(map: &impl Serialize) -> String {
    serde_json::to_string(map).expect("a map of names and numbers to small values is JSON")
}
