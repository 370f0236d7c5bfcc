//! Which fields a rollout comes from, so that "why did my pods restart?" has an answer (design §9).

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;
use smsc_config::Config;
use smsc_crds::Rollout;

use crate::names::CONFIG_HASH;

/// More than this is a new version, not a change of a field.
const MOST: usize = 8;

/// What differs between the template that runs and the one that is built, and between the configurations behind them. None
/// if no pod restarts. `before` is pod 0's file as it was, if it can still be read.
#[must_use]
pub fn rollout(
    running: &PodTemplateSpec,
    built: &PodTemplateSpec,
    before: Option<&Config>,
    after: &Config,
) -> Option<Rollout> {
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
    if hash(running) != hash(built) {
        let keys = before.map(|before| Config::live_difference(before, after).restart).unwrap_or_default();
        // Those of one pod alone are no change of the resource.
        changed.extend(keys.into_iter().filter(|key| !matches!(key.as_str(), "ordinal" | "location")));
        if changed.is_empty() {
            changed.push("config.yaml".to_owned());
        }
    }
    differing(&json(built), &json(running), "template", &mut changed);
    if changed.len() > MOST {
        let more = changed.len() - MOST;
        changed.truncate(MOST);
        changed.push(format!("and {more} more"));
    }
    let config_hash = hash(built).unwrap_or_default();
    (!changed.is_empty()).then_some(Rollout { config_hash, changed })
}

/// Paths where `running` lacks what is `built`. The API server adds defaults, so what only it has is no difference, but for
/// lists, which it never lengthens.
fn differing(built: &Value, running: &Value, path: &str, found: &mut Vec<String>) {
    match (built, running) {
        (Value::Object(built), Value::Object(running)) => {
            for (key, value) in built {
                differing(value, running.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(built), Value::Array(running)) if built.len() == running.len() => {
            for (index, (built, running)) in built.iter().zip(running).enumerate() {
                let name = built.get("name").and_then(Value::as_str).map(str::to_owned);
                let at = name.unwrap_or_else(|| index.to_string());
                differing(built, running, &format!("{path}[{at}]"), found);
            }
        }
        (built, running) if built == running || same_quantity(built, running) => {}
        // Empty maps and lists are what absent ones are.
        (Value::Object(built), Value::Null) if built.is_empty() => {}
        _ => found.push(path.to_owned()),
    }
}

/// `0.5` and `500m` are one quantity; only their texts are compared elsewhere.
fn same_quantity(built: &Value, running: &Value) -> bool {
    let milli = |value: &Value| {
        let text = value.as_str()?;
        match text.strip_suffix('m') {
            Some(number) => number.parse::<f64>().ok(),
            None => text.parse::<f64>().ok().map(|number| number * 1000.0),
        }
    };
    matches!((milli(built), milli(running)), (Some(one), Some(other)) if (one - other).abs() < f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(hash: &str, image: &str) -> PodTemplateSpec {
        serde_json::from_value(json!({
            "metadata": {"annotations": {CONFIG_HASH: hash}},
            "spec": {"containers": [{"name": "frontend", "image": image, "resources": {"limits": {"cpu": "0.5"}}}]}
        }))
        .expect("a template")
    }

    /// As the API server shows it: defaults filled in.
    fn defaulted(hash: &str, image: &str) -> PodTemplateSpec {
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
    fn the_same_template_with_defaults_restarts_nothing() {
        assert_eq!(rollout(&defaulted("1", "a:1"), &template("1", "a:1"), None, &config("")), None);
    }

    #[test]
    fn keys_of_the_configuration_and_fields_of_the_template_are_named() {
        let (before, after) = (config(""), config("polling: {batch: 7}\nlog: {level: debug}"));
        let found = rollout(&defaulted("1", "a:1"), &template("2", "a:2"), Some(&before), &after);
        let changed =
            ["polling.batch", "template.spec.containers[frontend].image"].map(str::to_owned).to_vec();
        assert_eq!(found, Some(Rollout { config_hash: "2".to_owned(), changed }));
    }

    #[test]
    fn a_configuration_that_cannot_be_compared_is_named_as_a_whole() {
        let found = rollout(&defaulted("1", "a:1"), &template("2", "a:1"), None, &config(""));
        assert_eq!(found.map(|found| found.changed), Some(vec!["config.yaml".to_owned()]));
    }
}
