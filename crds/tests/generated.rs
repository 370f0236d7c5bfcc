//! The definition that is checked in is the one these types make, and `kubectl apply` can take it.

use std::path::PathBuf;

use smsc_crds::{NAME, definition, yaml};

/// What `kubectl apply` keeps in an annotation may not be larger.
const ANNOTATIONS: usize = 262_144;

/// Where it is checked in: here, and in the chart that installs it.
const FILES: [&str; 2] = ["smscfrontends.yaml", "../charts/smsc-operator/files/smscfrontends.yaml"];

#[test]
fn the_checked_in_definition_is_the_one_the_types_make() {
    for name in FILES {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("SMSC_WRITE_CRD").is_some() {
            std::fs::write(&file, yaml()).expect("the definition can be written");
        }
        let checked_in = std::fs::read_to_string(&file).expect("the definition is checked in");
        assert!(
            checked_in == yaml(),
            "crds/{name} is stale: SMSC_WRITE_CRD=1 cargo test -p smsc-crds writes it anew"
        );
    }
}

#[test]
fn the_definition_fits_into_the_annotation_of_a_plain_apply() {
    let json = serde_json::to_string(&definition()).expect("the definition is JSON");
    assert!(json.len() < ANNOTATIONS / 2, "{} octets", json.len());
}

#[test]
fn the_definition_is_named_after_plural_and_group() {
    assert_eq!(definition().metadata.name.as_deref(), Some(NAME));
}
