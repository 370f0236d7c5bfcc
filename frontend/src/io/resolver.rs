//! Host names to addresses. Numeric hosts never come here.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::Resolved;

const DEFAULT_PORT: u16 = 5060;
/// The system resolver does not tell for how long an answer holds.
const LIFE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(5);

/// Looks a host up.
pub(super) async fn resolve(host: &str, port: Option<u16>) -> Resolved {
    let name = format!("{host}:{}", port.unwrap_or(DEFAULT_PORT));
    match tokio::time::timeout(LIMIT, tokio::net::lookup_host(name)).await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses.collect();
            if addresses.is_empty() { Err("no address".to_owned()) } else { Ok((addresses, LIFE)) }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the resolver did not answer".to_owned()),
    }
}
