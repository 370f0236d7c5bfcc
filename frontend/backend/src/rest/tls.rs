//! The HTTP client underneath: connections, certificates.

use std::fs;
use std::path::Path;
use std::time::Duration;

use reqwest::tls::{Certificate, Identity};
use reqwest::{Client, redirect, retry};

use super::{RestConfig, RestError};

/// Makes the client `config` asks for. Reads the certificate files, so calling it again reloads them.
pub(super) fn client(config: &RestConfig, https: bool) -> Result<Client, RestError> {
    let mut builder = Client::builder()
        .user_agent(config.user_agent.as_str())
        .connect_timeout(config.connect_timeout)
        .http1_only()
        .pool_max_idle_per_host(config.max_in_flight)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(15))
        // Following one would show the token to a host nobody configured.
        .redirect(redirect::Policy::none())
        // Repeats are counted and budgeted here, not below.
        .retry(retry::never())
        // The configuration file alone says how the backend is reached, not the environment.
        .no_proxy();
    if https {
        let roots = roots(config)?;
        if !roots.is_empty() {
            builder = builder.tls_certs_only(roots);
        }
        if let Some(identity) = identity(config)? {
            builder = builder.identity(identity);
        }
        builder = builder.tls_danger_accept_invalid_certs(config.insecure_skip_verify);
    } else {
        // Plain HTTP must work in an image without any CA certificates.
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| RestError::Setting(format!("HTTP client: {}", super::classify::chain(&error))))
}

/// The CA certificates that alone are trusted; none: the system's.
fn roots(config: &RestConfig) -> Result<Vec<Certificate>, RestError> {
    let mut roots = Vec::new();
    if let Some(pem) = &config.ca_pem {
        let refuse = |detail| RestError::Value { what: "CA certificate", detail };
        roots.extend(
            Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|error| refuse(super::classify::chain(&error)))?,
        );
        if roots.is_empty() {
            return Err(refuse("holds no certificate in PEM form".into()));
        }
    }
    if let Some(path) = &config.ca_file {
        let what = "CA file";
        let found = Certificate::from_pem_bundle(&read(what, path)?)
            .map_err(|error| unusable(what, path, super::classify::chain(&error)))?;
        if found.is_empty() {
            return Err(unusable(what, path, "holds no certificate in PEM form".into()));
        }
        roots.extend(found);
    }
    Ok(roots)
}

/// Our certificate and key for mutual TLS.
fn identity(config: &RestConfig) -> Result<Option<Identity>, RestError> {
    match (&config.client_cert_pem, &config.client_key_pem) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            let what = "client certificate";
            let pem = format!("{certificate}\n{key}");
            return Identity::from_pem(pem.as_bytes())
                .map(Some)
                .map_err(|_| RestError::Value { what, detail: "it and its key hold no usable PEM".into() });
        }
        _ => return Err(RestError::Setting("client certificate and client key go together".into())),
    }
    let (certificate, key) = match (&config.client_cert_file, &config.client_key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => {
            return Err(RestError::Setting("client certificate file and client key file go together".into()));
        }
    };
    let mut pem = read("client certificate file", certificate)?;
    pem.push(b'\n');
    pem.extend(read("client key file", key)?);
    Identity::from_pem(&pem).map(Some).map_err(|_| {
        unusable("client certificate file", certificate, "it and its key file hold no usable PEM".into())
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, RestError> {
    fs::read(path).map_err(|error| unusable(what, path, error.to_string()))
}

fn unusable(what: &'static str, path: &Path, detail: String) -> RestError {
    RestError::File { what, path: path.to_owned(), detail }
}
