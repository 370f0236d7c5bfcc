//! Log lines: JSON on standard error, for whoever gathers the logs of a cluster.

use std::io;

use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// What our libraries say of themselves is worth a line only when it is a warning; `level` may say otherwise.
const LIBRARIES: &str =
    "hyper=warn,kube=warn,kube_client=warn,kube_runtime=warn,reqwest=warn,rustls=warn,tower=warn";

/// A filter such as `info` or `warn,smsc_operator=debug`.
pub(super) fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{LIBRARIES},{level}")).map_err(|error| error.to_string())
}

/// Begins to log. Once per process.
pub(super) fn install(filter: EnvFilter) -> Result<(), String> {
    let lines = fmt::layer().json().flatten_event(true).with_writer(io::stderr);
    set_global_default(Registry::default().with(filter).with(lines)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_for_us_and_one_with_a_name_for_a_library() {
        let shown = |level: &str| {
            let filter = filter(level).unwrap().to_string();
            let mut directives: Vec<String> = filter.split(',').map(str::to_owned).collect();
            directives.sort();
            directives.retain(|directive| !directive.starts_with(['h', 'r', 't']));
            directives.join(",")
        };
        assert_eq!(shown("debug"), "debug,kube=warn,kube_client=warn,kube_runtime=warn");
        assert_eq!(shown("info,kube_client=trace"), "info,kube=warn,kube_client=trace,kube_runtime=warn");
        assert!(filter("loud=very").is_err());
    }
}
