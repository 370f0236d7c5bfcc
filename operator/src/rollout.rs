//! Which fields a rollout comes from, so that "why did my pods restart?" has an answer (design §9).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};
use smsc_config::Config;
use smsc_crds::Rollout;

use crate::names::CONFIG_HASH;

/// More than this is a new version, not a change of a field.
const MOST: usize = 8;

/// What differs between the template that ran and the one that runs now, both as the API server has them, and between the
/// configurations behind them. None if no pod restarts. `before` is pod 0's file as it was, if it could still be read.
#[must_use]
pub fn rollout(
    ran: &PodTemplateSpec,
    runs: &PodTemplateSpec,
    before: Option<&Config>,
    after: &Config,
) -> Option<Rollout> {
    if ran == runs {
        return None;
    }
    let hash = |template: &PodTemplateSpec| {
        template.metadata.as_ref()?.annotations.as_ref()?.get(CONFIG_HASH).cloned()
    };
    let json = |template: &PodTemplateSpec| {
        let mut template = template.clone();
        if let Some(annotations) = template.metadata.as_mut().and_then(|meta| meta.annotations.as_mut()) {
            annotations.remove(CONFIG_HASH);
        }
        serde_json::to_value(&template).unwrap_or_default()
    };
    let mut changed = Vec::new();
    if hash(ran) != hash(runs) {
        let keys = before.map(|before| Config::live_difference(before, after).restart).unwrap_or_default();
        // Those of one pod alone are no change of the resource.
        changed.extend(keys.into_iter().filter(|key| !matches!(key.as_str(), "ordinal" | "location")));
        if changed.is_empty() {
            changed.push("config.yaml".to_owned());
        }
    }
    differing(&json(ran), &json(runs), "template", &mut changed);
    if changed.len() > MOST {
        let more = changed.len() - MOST;
        changed.truncate(MOST);
        changed.push(format!("and {more} more"));
    }
    let config_hash = hash(runs).unwrap_or_default();
    (!changed.is_empty()).then_some(Rollout { config_hash, changed })
}

/// Paths where two templates differ.
fn differing(ran: &Value, runs: &Value, path: &str, found: &mut Vec<String>) {
    match (ran, runs) {
        (ran, runs) if ran == runs => {}
        (Value::Object(ran), Value::Object(runs)) => {
            let keys: BTreeSet<&String> = ran.keys().chain(runs.keys()).collect();
            let value = |of: &Map<String, Value>, key| of.get(key).cloned().unwrap_or_default();
            for key in keys {
                differing(&value(ran, key), &value(runs, key), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(ran), Value::Array(runs)) if ran.len() == runs.len() => {
            for (index, (ran, runs)) in ran.iter().zip(runs).enumerate() {
                let name = runs.get("name").and_then(Value::as_str).map(str::to_owned);
                let at = name.unwrap_or_else(|| index.to_string());
                differing(ran, runs, &format!("{path}[{at}]"), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As the API server shows it: defaults filled in.
    fn template(hash: &str, image: &str) -> PodTemplateSpec {
        serde_json::from_value(json!({
            "metadata": {"annotations": {CONFIG_HASH: hash}},
            "spec": {"restartPolicy": "Always", "containers": [{"name": "frontend", "image": image,
                "imagePullPolicy": "Always", "resources": {"limits": {"cpu": "500m"}}}]}
        }))
        .expect("a template")
    }

    fn config(text: &str) -> Config {
        let text =
            format!("api_base_url: http://b\nlocation: a.example.org\nims_domain: ims.example.org\n{text}");
        Config::parse(&text, "config.yaml").expect("a configuration")
    }

    #[test]
    fn the_same_template_restarts_nothing() {
        assert_eq!(rollout(&template("1", "a:1"), &template("1", "a:1"), None, &config("")), None);
    }

    #[test]
    fn what_was_taken_away_is_named() {
        let mut placed = template("1", "a:1");
        let selector = [("zone".to_owned(), "a".to_owned())];
        placed.spec.as_mut().expect("a pod").node_selector = Some(selector.into());
        let found = rollout(&placed, &template("1", "a:1"), None, &config(""));
        assert_eq!(found.map(|found| found.changed), Some(vec!["template.spec.nodeSelector".to_owned()]));
    }

    #[test]
    fn keys_of_the_configuration_and_fields_of_the_template_are_named() {
        let (before, after) = (config(""), config("polling: {batch: 7}\nlog: {level: debug}"));
        let found = rollout(&template("1", "a:1"), &template("2", "a:2"), Some(&before), &after);
        let changed =
            ["polling.batch", "template.spec.containers[frontend].image"].map(str::to_owned).to_vec();
        assert_eq!(found, Some(Rollout { config_hash: "2".to_owned(), changed }));
    }

    #[test]
    fn a_configuration_that_cannot_be_compared_is_named_as_a_whole() {
        let found = rollout(&template("1", "a:1"), &template("2", "a:1"), None, &config(""));
        assert_eq!(found.map(|found| found.changed), Some(vec!["config.yaml".to_owned()]));
    }
}
