//! The real frontend before a backend that accepts everything in this process: what is measured is ours alone.
//!
//! Serves until SIGINT or SIGTERM.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use smsc_backend::{
    Accepted, Answer, AttemptReport, Backend, FrontendRegistration, HistoryQuery, Location, LocationRemoval,
    MessageHistory, MessageId, NewMessage, Processed, QueuedMessage,
};
use smsc_config::Config;
use smsc_frontend::backend::Opened;
use smsc_frontend::io::{Frontend, Start, terminated};

/// Where the load comes from and goes to.
#[derive(Parser)]
struct Options {
    /// The UDP address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the handsets are: every MESSAGE of ours goes there.
    #[arg(long)]
    next_hop: SocketAddr,
}

/// Takes every message at once and has none to deliver.
#[derive(Default)]
struct AcceptAll {
    accepted: AtomicU64,
}

impl Backend for AcceptAll {
    fn frontend_register(&self, _: FrontendRegistration) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn frontend_deregister(&self, _: String) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn insert_location(&self, _: Location) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn delete_location(&self, _: LocationRemoval) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn insert_message(&self, _: NewMessage) -> Answer<'_, Accepted> {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        Box::pin(
            async move { Ok(Accepted { id: MessageId(number.to_string()), scts: None, duplicate: false }) },
        )
    }

    fn get_queue(&self, _: String, _: u32) -> Answer<'_, Vec<QueuedMessage>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn process_message(&self, _: MessageId, _: AttemptReport) -> Answer<'_, Processed> {
        Box::pin(async { Ok(Processed::Recorded) })
    }

    fn history(&self, _: HistoryQuery) -> Answer<'_, Vec<MessageHistory>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Options { listen, next_hop } = Options::parse();
    let text = format!(
        "location: bench.ims.example.org\nims_domain: ims.example.org\ntrusted_peers: [127.0.0.0/8]\n\
         listen: ['udp:{listen}']\ns_cscf_sip_uri: sip:{next_hop}\nadmin: {{listen: null}}\nlimits: {{server_transactions: 4000000}}\n"
    );
    let config = Config::parse(&text, "bench")?;
    let opened = Opened { backend: Arc::new(AcceptAll::default()), store: None, rest: None };
    let start = Start { config, path: None, opened, steps: None, log_level: None };
    let frontend = Frontend::bind(start).await?;
    frontend.serve(terminated(Duration::ZERO)).await;
    Ok(())
}
