//! The real frontend before a backend that accepts everything in this process: what is measured is ours alone.
//!
//! Serves until SIGINT or SIGTERM.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use smsc_config::Config;
use smsc_frontend::backend::Opened;
use smsc_frontend::io::{Frontend, Start, terminated};
use smsc_tests::accept_all::AcceptAll;

/// Where the load comes from and goes to.
#[derive(Parser)]
struct Options {
    /// The UDP address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the handsets are: every MESSAGE of ours goes there.
    #[arg(long)]
    next_hop: SocketAddr,
    /// Listen on TCP too, at the same address.
    #[arg(long)]
    tcp: bool,
    /// Where to listen for TLS; needs `sip.tls` among the further lines.
    #[arg(long)]
    tls: Option<SocketAddr>,
    /// Where to serve /metrics and /readyz.
    #[arg(long)]
    admin: Option<SocketAddr>,
    /// The section `limits` of the configuration.
    #[arg(long, default_value = "{server_transactions: 4000000}")]
    limits: String,
    /// Further lines of the configuration.
    #[arg(long, default_value = "")]
    more: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Options { listen, next_hop, tcp, tls, admin, limits, more } = Options::parse();
    let admin = admin.map_or("null".to_owned(), |address| format!("'{address}'"));
    let tcp = if tcp { format!(", 'tcp:{listen}'") } else { String::new() };
    let tls = tls.map_or(String::new(), |address| format!(", 'tls:{address}'"));
    let text = format!(
        "location: bench.ims.example.org\nims_domain: ims.example.org\ntrusted_peers: [127.0.0.0/8]\n\
         listen: ['udp:{listen}'{tcp}{tls}]\ns_cscf_sip_uri: sip:{next_hop}\nadmin: {{listen: {admin}}}\nlimits: {limits}\n{more}\n"
    );
    let config = Config::parse(&text, "bench")?;
    let opened = Opened { backend: Arc::new(AcceptAll::default()), store: None, rest: None };
    let start = Start { config, path: None, opened, steps: None, log_level: None };
    let frontend = Frontend::bind(start).await?;
    frontend.serve(terminated(Duration::ZERO)).await;
    Ok(())
}
