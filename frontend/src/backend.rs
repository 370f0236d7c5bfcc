//! From config.yaml to a backend: the REST client, or the store in this process.

use std::path::Path;
use std::sync::Arc;

use smsc_backend::Backend;
use smsc_backend::rest::{Endpoints, RestBackend, RestConfig, RestError};
use smsc_config::{ApiBaseUrl, Config};
use smsc_store::{Caps, Database, Numbering, RetryTable, Route, Store, StoreConfig, StoreError, SystemClock};

/// An opened backend.
#[derive(Clone)]
pub struct Opened {
    /// What the frontend asks.
    pub backend: Arc<dyn Backend>,
    /// The store, where it runs in this process: it wakes pollers at once and serves lists.
    pub store: Option<Store>,
    /// The REST client, where the backend is remote: it reloads its TLS files and counts.
    pub rest: Option<Arc<RestBackend>>,
}

/// Why no backend could be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file names no backend.
    #[error("api_base_url: is missing; the URL of the backend, or `embedded`")]
    Missing,
    /// The REST client cannot be made from these settings.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The embedded store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A client of the embedded store found no database file.
    #[error("store {}: there is no such file; nothing has been stored here yet", .0.display())]
    NoFile(std::path::PathBuf),
}

impl OpenError {
    /// True if config.yaml, or a file it names, is at fault.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Missing | Self::Rest(_))
    }
}

/// Opens the backend a file names; an embedded store is made if it is not there.
///
/// # Errors
/// No backend is named, a setting cannot be used, or the store cannot be opened.
pub fn open_backend(config: &Config) -> Result<Opened, OpenError> {
    match config.api_base_url.as_ref().ok_or(OpenError::Missing)? {
        ApiBaseUrl::Url(url) => {
            let rest = Arc::new(RestBackend::new(rest_config(config, url))?);
            Ok(Opened { backend: rest.clone(), store: None, rest: Some(rest) })
        }
        ApiBaseUrl::Embedded => {
            let store = Store::open(store_config(config), Arc::new(SystemClock))?;
            Ok(Opened { backend: Arc::new(store.clone()), store: Some(store), rest: None })
        }
    }
}

/// Opens the backend for a client that only makes sense where a frontend has run: an embedded store must be there.
///
/// # Errors
/// As [`open_backend`], and where the database file is not there.
pub fn open_existing_backend(config: &Config) -> Result<Opened, OpenError> {
    if config.api_base_url == Some(ApiBaseUrl::Embedded) && !is_file(&config.store.path) {
        return Err(OpenError::NoFile(config.store.path.clone()));
    }
    open_backend(config)
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// The REST client's settings for a backend at `url`.
#[must_use]
pub fn rest_config(config: &Config, url: &str) -> RestConfig {
    let smsc_config::Tls { ca_file, client_cert_file, client_key_file, insecure_skip_verify, token_file } =
        &config.tls;
    RestConfig {
        endpoints: endpoints(&config.endpoints),
        ca_file: ca_file.clone(),
        client_cert_file: client_cert_file.clone(),
        client_key_file: client_key_file.clone(),
        insecure_skip_verify: *insecure_skip_verify,
        token_file: token_file.clone(),
        timeout: config.timers.backend_timeout,
        connect_timeout: config.timers.backend_connect,
        max_in_flight: count(config.limits.backend_requests),
        user_agent: concat!("smsc-frontend/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..RestConfig::new(url)
    }
}

fn endpoints(endpoints: &smsc_config::Endpoints) -> Endpoints {
    let smsc_config::Endpoints {
        frontend_register,
        frontend_deregister,
        insert_location,
        delete_location,
        insert_message,
        get_queue,
        process_message,
        message_history,
        msisdn_history,
    } = endpoints.clone();
    Endpoints {
        frontend_register,
        frontend_deregister,
        insert_location,
        delete_location,
        insert_message,
        get_queue,
        process_message,
        message_history,
        msisdn_history,
    }
}

/// The store's settings, in this process or alone.
#[must_use]
pub fn store_config(config: &Config) -> StoreConfig {
    let smsc_config::Store {
        path,
        listen: _,
        default_validity,
        max_validity,
        body_retention,
        retention,
        lease,
        retry,
        routes: _,
        numbering,
        max_messages,
        max_rows,
    } = &config.store;
    StoreConfig {
        database: Database::File(path.clone()),
        retry: retry_table(retry),
        lease: *lease,
        // Each further part of a long message may take a whole tr1n.
        lease_per_part: config.timers.tr1n,
        default_validity: *default_validity,
        max_validity: *max_validity,
        report_validity: *default_validity,
        submit_key_window: config.timers.submit_window,
        body_retention: *body_retention,
        row_retention: *retention,
        routes: self::routes(config),
        numbering: store_numbering(numbering),
        caps: Caps { messages: *max_messages, rows: *max_rows, ..Caps::default() },
    }
}

/// The store's routing rules; they reload live.
#[must_use]
pub fn routes(config: &Config) -> Vec<Route> {
    let rules = config.store.routes.iter();
    rules
        .map(|smsc_config::Route { prefix, location }| Route {
            prefix: prefix.clone(),
            location: location.clone(),
        })
        .collect()
}

fn retry_table(retry: &smsc_config::Retry) -> RetryTable {
    let smsc_config::Retry { failed, congestion, unknown, no_answer, absent, memory_full } = retry.clone();
    RetryTable { failed, congestion, unknown, no_answer, absent, memory_full, ..RetryTable::default() }
}

fn store_numbering(numbering: &smsc_config::Numbering) -> Numbering {
    let smsc_config::Numbering { country_code, national_prefix, international_prefix } = numbering.clone();
    Numbering { country_code, national_prefix, international_prefix }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Config {
        Config::parse_for(text, "config.yaml", smsc_config::Purpose::Store).unwrap()
    }

    #[test]
    fn every_setting_of_the_rest_client_comes_from_the_file() {
        let config = parse(
            "api_base_url: https://10.5.198.200:8443/\n\
             tls: {ca_file: ca.pem, client_cert_file: c.pem, client_key_file: k.pem, token_file: t}\n\
             timers: {backend_timeout: 7s, backend_connect: 1s}\n\
             limits: {backend_requests: 9}\n\
             endpoints: {get_queue: /v2/queue}\n",
        );
        let expected = RestConfig {
            endpoints: Endpoints { get_queue: "/v2/queue".to_owned(), ..Endpoints::default() },
            ca_file: Some("ca.pem".into()),
            client_cert_file: Some("c.pem".into()),
            client_key_file: Some("k.pem".into()),
            token_file: Some("t".into()),
            timeout: Duration::from_secs(7),
            connect_timeout: Duration::from_secs(1),
            max_in_flight: 9,
            user_agent: format!("smsc-frontend/{}", env!("CARGO_PKG_VERSION")),
            ..RestConfig::new("https://10.5.198.200:8443")
        };
        assert_eq!(rest_config(&config, "https://10.5.198.200:8443"), expected);
    }

    #[test]
    fn the_files_defaults_are_the_stores_defaults() {
        let expected = StoreConfig { database: Database::File("smsc.db".into()), ..StoreConfig::default() };
        assert_eq!(store_config(&Config::default()), expected);
    }

    #[test]
    fn every_setting_of_the_store_comes_from_the_file() {
        let config = parse(
            "timers: {tr1n: 30s, submit_window: 10m}\n\
             store:\n  path: /data/s.db\n  default_validity: 1h\n  max_validity: 2h\n  body_retention: 3h\n  \
             retention: 4h\n  lease: 2m\n  retry: {unknown: [1m]}\n  \
             routes: [{prefix: '+44', location: smpp-uk.smsc01.example.org}]\n  \
             numbering: {country_code: '44'}\n  max_messages: 5\n  max_rows: 6\n",
        );
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let expected = StoreConfig {
            database: Database::File("/data/s.db".into()),
            retry: RetryTable { unknown: vec![Duration::from_secs(60)], ..RetryTable::default() },
            lease: Duration::from_secs(120),
            lease_per_part: Duration::from_secs(30),
            default_validity: hours(1),
            max_validity: hours(2),
            report_validity: hours(1),
            submit_key_window: Duration::from_secs(600),
            body_retention: hours(3),
            row_retention: hours(4),
            routes: vec![Route {
                prefix: "+44".to_owned(),
                location: "smpp-uk.smsc01.example.org".to_owned(),
            }],
            numbering: Numbering { country_code: Some("44".to_owned()), ..Numbering::default() },
            caps: Caps { messages: 5, rows: 6, ..Caps::default() },
        };
        assert_eq!(store_config(&config), expected);
    }

    #[test]
    fn a_client_does_not_make_a_store_where_none_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.db");
        let config = parse(&format!("api_base_url: embedded\nstore: {{path: {}}}\n", path.display()));
        let error = open_existing_backend(&config).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("store {}: there is no such file; nothing has been stored here yet", path.display())
        );
        assert!(!path.exists() && !error.is_configuration());
        assert!(open_backend(&config).unwrap().store.is_some() && open_existing_backend(&config).is_ok());
    }

    #[test]
    fn a_file_without_a_backend_is_a_configuration_mistake() {
        assert!(open_backend(&Config::default()).err().unwrap().is_configuration());
    }
}
