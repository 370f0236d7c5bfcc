//! The CustomResourceDefinition, as `smsc-operator crd` prints it and as it is checked in.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::SmscFrontend;

/// The definition's name.
pub const NAME: &str = "smscfrontends.smsc.ims.dev";

/// The definition.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    SmscFrontend::crd()
}

/// The definition as YAML.
///
/// # Panics
/// Never: the definition is a constant of this build, and a test prints it.
#[must_use]
pub fn yaml() -> String {
    serde_yaml::to_string(&definition()).expect("the definition is a tree of text keys")
}
