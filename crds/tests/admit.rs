//! What the rules of the definition accept and refuse, and the words they do it with: the table `admit.json`. The
//! end-to-end suite puts the same table before a real API server, which is the judge; this is the quick check.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::cel::{ValidationErrors, validate_cel, validate_cel_update};
use serde::Deserialize;
use serde_json::Value;
use smsc_crds::{SmscFrontend, definition};

/// The table. `beyond_the_schema` is for the API server alone: these are no rules.
#[derive(Deserialize)]
struct Table {
    smallest: Value,
    accepted: Vec<Change>,
    refused: Vec<Refusal>,
    updates_accepted: Vec<Change>,
    updates_refused: Vec<Refusal>,
}

/// Values by path, put into the smallest resource.
type Change = BTreeMap<String, Value>;

#[derive(Deserialize)]
struct Refusal {
    change: Change,
    /// The field and the sentence.
    says: (String, String),
}

impl Table {
    fn read() -> Self {
        serde_json::from_str(include_str!("admit.json")).expect("the table is of this form")
    }

    fn resource(&self, change: &Change) -> SmscFrontend {
        let mut resource = self.smallest.clone();
        for (path, value) in change {
            let mut at = &mut resource;
            for part in path.split('/') {
                at = &mut at[part];
            }
            *at = value.clone();
        }
        serde_json::from_value(resource).expect("the resource is of the right shape")
    }
}

fn said(verdict: Result<(), ValidationErrors>) -> Vec<(String, String)> {
    let errors = verdict.err().map(ValidationErrors::into_vec).unwrap_or_default();
    errors.into_iter().map(|error| (error.field_path, error.message)).collect()
}

#[test]
fn what_users_write_is_accepted() {
    let table = Table::read();
    for change in &table.accepted {
        assert_eq!(said(validate_cel(&table.resource(change))), [], "{change:?}");
    }
}

#[test]
fn what_cannot_work_is_refused_in_words_a_person_understands() {
    let table = Table::read();
    for Refusal { change, says } in &table.refused {
        assert_eq!(said(validate_cel(&table.resource(change))), std::slice::from_ref(says), "{change:?}");
    }
}

#[test]
fn domain_and_location_never_change() {
    let table = Table::read();
    let old = table.resource(&Change::new());
    for change in &table.updates_accepted {
        assert_eq!(said(validate_cel_update(&table.resource(change), &old)), [], "{change:?}");
    }
    for Refusal { change, says } in &table.updates_refused {
        assert_eq!(
            said(validate_cel_update(&table.resource(change), &old)),
            std::slice::from_ref(says),
            "{change:?}"
        );
    }
}

#[test]
fn every_rule_refuses_something() {
    let table = Table::read();
    let refusals = table.refused.iter().chain(&table.updates_refused);
    let told: BTreeSet<&str> = refusals.map(|refusal| refusal.says.1.as_str()).collect();
    let definition = serde_json::to_value(definition()).expect("the definition is JSON");
    let mut rules = BTreeSet::new();
    messages(&definition, &mut rules);
    assert_eq!(rules, told);
}

/// The message of every rule in a schema.
fn messages<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    if let Some(rules) = value.get("x-kubernetes-validations").and_then(Value::as_array) {
        found.extend(rules.iter().filter_map(|rule| rule["message"].as_str()));
    }
    match value {
        Value::Object(members) => members.values().for_each(|value| messages(value, found)),
        Value::Array(items) => items.iter().for_each(|value| messages(value, found)),
        _ => {}
    }
}
