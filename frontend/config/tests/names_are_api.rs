//! Key names and defaults are API: frontends and operators of neighbouring versions share files.
//!
//! A change to `fixtures/defaults.yaml` is a change of that API. Adding a key is one; taking a key away, renaming it or
//! changing its default breaks installations.

use std::collections::BTreeSet;

use serde_yaml::Value;
use smsc_config::Config;

const FULL: &str = include_str!("fixtures/full.yaml");
const DEFAULTS: &str = include_str!("fixtures/defaults.yaml");
const SEED: &str = include_str!("fixtures/seed.yaml");

#[test]
fn names_and_defaults_are_those_released() {
    assert_eq!(serde_yaml::to_string(&Config::default()).expect("a configuration serialises"), DEFAULTS);
}

#[test]
fn the_full_file_names_every_key_and_leaves_none_at_its_default() {
    let [full, defaults] =
        [FULL, DEFAULTS].map(|text| serde_yaml::from_str::<Value>(text).expect("a fixture is YAML"));
    assert_eq!(keys("", &full), keys("", &defaults));

    let config = Config::parse(FULL, "full.yaml").expect("the full file is right");
    let written: Value = serde_yaml::from_str(&config.to_yaml()).expect("what is written is YAML");
    let mut expected = keys("", &full);
    expected.remove("version");
    assert_eq!(keys("", &written), expected);
}

#[test]
fn every_key_survives_writing_and_reading() {
    for text in [FULL, SEED] {
        let config = Config::parse(text, "fixture").expect("the fixture is right");
        assert_eq!(Config::parse(&config.to_yaml(), "written"), Ok(config.clone()));
        let whole = serde_yaml::to_string(&config).expect("a configuration serialises");
        assert_eq!(Config::parse(&whole, "whole"), Ok(config));
    }
}

#[test]
fn only_keys_that_differ_from_their_defaults_are_written() {
    assert_eq!(Config::default().to_yaml(), "{}\n");
    let seed = Config::parse(SEED, "seed.yaml").expect("the seed's file is right");
    assert_eq!(
        seed.to_yaml(),
        "api_base_url: https://10.5.198.200:8443\nlocation: smsc01.mnc001.mcc001.3gppnetwork.org\n\
         s_cscf_sip_uri: sip:127.0.0.2:5060\nims_domain: ims.mnc001.mcc001.3gppnetwork.org\n"
    );

    let mut config = Config { location: "smsc.example.org".to_owned(), ..Config::default() };
    config.admin.listen = None;
    config.store.retry.absent.truncate(1);
    assert_eq!(
        config.to_yaml(),
        "location: smsc.example.org\nstore:\n  retry:\n    absent:\n    - 30m\nadmin:\n  listen: null\n"
    );
}

/// The paths of all keys; lists count as values.
fn keys(path: &str, value: &Value) -> BTreeSet<String> {
    let Some(mapping) = value.as_mapping() else { return BTreeSet::from([path.to_owned()]) };
    let dot = if path.is_empty() { "" } else { "." };
    mapping
        .iter()
        .flat_map(|(key, inner)| keys(&format!("{path}{dot}{}", key.as_str().unwrap_or("?")), inner))
        .collect()
}
