//! What a [`RestBackend`](super::RestBackend) is made from, and what can be wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Semaphore;

use super::{BreakerConfig, Endpoints, RetryConfig};

/// The longest time any setting may hold.
const MAX_LENGTH: Duration = Duration::from_secs(3600);

/// Everything the REST client needs to know. What is secret is a file's path or, for a caller that must not write
/// it to a disk, a value that [`Debug`](fmt::Debug) does not show. Proxies in the environment are not used.
#[derive(Clone, PartialEq, Eq)]
pub struct RestConfig {
    /// `http://` or `https://`, host, port, and a path prefix if the backend has one; no credentials.
    pub base_url: String,
    /// Where each operation lives below it.
    pub endpoints: Endpoints,
    /// CA certificates (PEM) that alone are trusted; together with `ca_file`. Neither: the system's.
    pub ca_pem: Option<String>,
    /// A file of such certificates.
    pub ca_file: Option<PathBuf>,
    /// Our certificate chain (PEM) for mutual TLS; goes with `client_key_file`.
    pub client_cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub client_key_file: Option<PathBuf>,
    /// Our certificate chain (PEM) as a value instead of a file; goes with `client_key_pem`.
    pub client_cert_pem: Option<String>,
    /// Its private key (PEM).
    pub client_key_pem: Option<String>,
    /// Accepts any server certificate. For laboratories.
    pub insecure_skip_verify: bool,
    /// A file whose content is sent as `Authorization: Bearer`; read again when it changes and after a 401.
    pub token_file: Option<PathBuf>,
    /// The same as a value instead of a file; white space around it is left out.
    pub token: Option<String>,
    /// The limit for one operation, its repeats included.
    pub timeout: Duration,
    /// The limit for TCP and TLS set-up of one connection.
    pub connect_timeout: Duration,
    /// Requests under way at once; further ones wait within their own time limit.
    pub max_in_flight: usize,
    /// The longest answer read, in octets; a longer one is nonsense.
    pub max_body: usize,
    /// When requests are repeated.
    pub retry: RetryConfig,
    /// When the backend is left alone.
    pub breaker: BreakerConfig,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl RestConfig {
    /// The defaults for a backend at `base_url`.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            endpoints: Endpoints::default(),
            ca_pem: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            client_cert_pem: None,
            client_key_pem: None,
            insecure_skip_verify: false,
            token_file: None,
            token: None,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            max_in_flight: 256,
            max_body: 8 << 20,
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            user_agent: concat!("smsc/", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// Checks what would otherwise fail, or overflow a clock, much later.
    pub(super) fn check(&self) -> Result<(), RestError> {
        let BreakerConfig { open, max_open, .. } = self.breaker;
        for (name, length) in [
            ("timeout", self.timeout),
            ("connect_timeout", self.connect_timeout),
            ("breaker.open", open),
            ("breaker.max_open", max_open),
        ] {
            if length > MAX_LENGTH {
                return Err(RestError::Setting(format!("{name}: {length:?} is longer than {MAX_LENGTH:?}")));
            }
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(RestError::Setting("timeout and connect_timeout must not be zero".into()));
        }
        if (self.client_cert_file.is_some() || self.client_key_file.is_some())
            && (self.client_cert_pem.is_some() || self.client_key_pem.is_some())
        {
            return Err(RestError::Setting("a client certificate is a value or files, not both".into()));
        }
        if self.token_file.is_some() && self.token.is_some() {
            return Err(RestError::Setting("a token is a value or a file, not both".into()));
        }
        if self.max_in_flight == 0 || self.max_in_flight > Semaphore::MAX_PERMITS {
            return Err(RestError::Setting(format!("max_in_flight: {} is out of range", self.max_in_flight)));
        }
        Ok(())
    }

    /// The base URL, parsed and checked.
    pub(super) fn base(&self) -> Result<Url, RestError> {
        let refuse = |detail: &str| RestError::BaseUrl {
            url: without_userinfo(&self.base_url),
            detail: detail.into(),
        };
        let url = Url::parse(&self.base_url).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("credentials belong into a token file, not into the URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("a base URL has no query and no fragment"));
        }
        Ok(url)
    }
}

impl fmt::Debug for RestConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Field by field, so that a credential wrongly put into the URL is not shown.
        f.debug_struct("RestConfig")
            .field("base_url", &without_userinfo(&self.base_url))
            .field("endpoints", &self.endpoints)
            .field("ca_pem", &self.ca_pem.as_ref().map(String::len))
            .field("ca_file", &self.ca_file)
            .field("client_cert_file", &self.client_cert_file)
            .field("client_key_file", &self.client_key_file)
            .field("client_cert_pem", &self.client_cert_pem.as_ref().map(String::len))
            .field("client_key_pem", &self.client_key_pem.as_ref().map(|_| "***"))
            .field("insecure_skip_verify", &self.insecure_skip_verify)
            .field("token_file", &self.token_file)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_in_flight", &self.max_in_flight)
            .field("max_body", &self.max_body)
            .field("retry", &self.retry)
            .field("breaker", &self.breaker)
            .field("user_agent", &self.user_agent)
            .finish()
    }
}

/// Why no client could be made, or a reload was refused. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// The base URL cannot be used.
    #[error("backend URL {url}: {detail}")]
    BaseUrl {
        /// The URL without user name and password.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A path template cannot be used.
    #[error("endpoint {operation}: {detail}")]
    Endpoint {
        /// The operation it is for.
        operation: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A certificate, key or token file cannot be read or used.
    #[error("{what} {}: {detail}", path.display())]
    File {
        /// What the file is for (`CA file`).
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A certificate, key or token given as a value cannot be used.
    #[error("{what}: {detail}")]
    Value {
        /// What it is (`CA certificate`, `client certificate`, `token`).
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A setting that cannot be used, or two that contradict each other.
    #[error("{0}")]
    Setting(String),
}

/// `url` with anything between `//` and `@` of the authority masked, even if it does not parse.
fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else { return url.to_owned() };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => format!("{scheme}//***{}", &rest[at..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_that_cannot_work_are_refused() {
        let refusal = |url: &str| RestConfig::new(url).base().unwrap_err().to_string();
        assert_eq!(
            refusal("10.5.198.200:8443"),
            "backend URL 10.5.198.200:8443: relative URL without a base"
        );
        assert_eq!(refusal("ftp://h"), "backend URL ftp://h: neither http nor https");
        assert_eq!(
            refusal("http://h/?a=1"),
            "backend URL http://h/?a=1: a base URL has no query and no fragment"
        );
    }

    #[test]
    fn lengths_that_no_clock_can_add_are_refused() {
        let refusal = |config: RestConfig| config.check().unwrap_err().to_string();
        let config = RestConfig::new("http://h");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(
            refusal(RestConfig { timeout: Duration::from_secs(3601), ..config.clone() }),
            "timeout: 3601s is longer than 3600s"
        );
        assert_eq!(
            refusal(RestConfig { timeout: Duration::ZERO, ..config.clone() }),
            "timeout and connect_timeout must not be zero"
        );
        assert_eq!(refusal(RestConfig { max_in_flight: 0, ..config }), "max_in_flight: 0 is out of range");
    }

    #[test]
    fn a_credential_is_given_once() {
        let refusal = |config: RestConfig| config.check().unwrap_err().to_string();
        let text = |text: &str| Some(text.to_owned());
        let config =
            RestConfig { client_key_pem: text("k"), token: text("t"), ..RestConfig::new("http://h") };
        assert_eq!(config.check(), Ok(()));
        assert_eq!(
            refusal(RestConfig { client_key_file: Some("k".into()), ..config.clone() }),
            "a client certificate is a value or files, not both"
        );
        assert_eq!(
            refusal(RestConfig { token_file: Some("t".into()), ..config }),
            "a token is a value or a file, not both"
        );
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_never_shown() {
        let config = RestConfig::new("https://me:hunter2@h:8443/api");
        let error = config.base().unwrap_err();
        assert_eq!(
            error.to_string(),
            "backend URL https://***@h:8443/api: credentials belong into a token file, not into the URL"
        );
        assert!(!format!("{error:?} {config:?}").contains("hunter2"));
        assert!(!format!("{:?}", RestConfig::new("http://a:hunter2@b:nonsense/x")).contains("hunter2"));
    }

    #[test]
    fn credentials_given_as_values_are_never_shown() {
        let secret = || Some("hunter2".to_owned());
        let config = RestConfig { token: secret(), client_key_pem: secret(), ..RestConfig::new("https://h") };
        assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
    }
}
