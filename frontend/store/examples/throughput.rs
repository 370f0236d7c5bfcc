//! How many messages a second the store takes and gives out, printed: `cargo run --release --example throughput -p
//! smsc-store [DIRECTORY]`. The figures depend on the disk's sync and say nothing on another machine.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use smsc_backend::{
    AttemptReport, Backend, Encoding, Location, LocationEvent, NewMessage, Permanent, SourceType, Status,
};
use smsc_store::{Database, Store, StoreConfig, SystemClock};

const MESSAGES: u64 = 20_000;
const LOCATION: &str = "smsc01.example";

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join(format!("smsc-store-throughput-{}.db", std::process::id()));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let measured = runtime.block_on(measure(path.clone()));
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        // SQLite has removed its log if the store has closed already.
        let _ = std::fs::remove_file(file);
    }
    measured
}

async fn measure(path: PathBuf) -> Result<(), Box<dyn Error>> {
    let config = StoreConfig { database: Database::File(path), ..StoreConfig::default() };
    let store = Store::open(config, Arc::new(SystemClock))?;
    for (concurrency, count) in [(1, 2000), (64, MESSAGES), (256, MESSAGES)] {
        let start = Instant::now();
        for first in (0..count).step_by(concurrency) {
            let batch =
                (first..).take(concurrency).map(|n| store.insert_message(message(n, concurrency).into()));
            for answer in futures_util::future::join_all(batch).await {
                answer?;
            }
        }
        print("insert_message", concurrency, count, start);
    }
    for first in (0..MESSAGES).step_by(256) {
        let batch = (first..).take(256).map(|n| store.insert_location(location(n)));
        for answer in futures_util::future::join_all(batch).await {
            answer?;
        }
    }
    let (start, mut delivered) = (Instant::now(), 0);
    loop {
        let rows = store.get_queue(LOCATION.into(), 256).await?;
        if rows.is_empty() {
            break;
        }
        let reports = rows.into_iter().map(|row| {
            let attempt = row.delivery_attempts.unwrap_or(0) + 1;
            store.process_message(row.id, delivery(attempt))
        });
        for answer in futures_util::future::join_all(reports).await {
            answer?;
            delivered += 1;
        }
    }
    print("get_queue and process_message", 256, delivered, start);
    Ok(())
}

fn print(what: &str, concurrency: usize, count: u64, start: Instant) {
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    println!("{what}, {concurrency} at a time: {} a second", count.saturating_mul(1_000_000) / micros);
}

fn recipient(n: u64) -> String {
    (447_700_000_000 + n % MESSAGES).to_string()
}

fn message(n: u64, series: usize) -> NewMessage {
    NewMessage {
        idempotency_key: format!("{series} {n}"),
        source_msisdn: "447700900123".into(),
        destination_msisdn: format!("+{}", recipient(n)),
        destination_ton: 1,
        destination_npi: 1,
        message_body: "The quick brown fox jumps over the lazy dog".into(),
        source_smsc: LOCATION.into(),
        source_type: SourceType::Ims,
        encoding: Encoding::Gsm7,
        tp_dcs: Some(0),
        tp_pid: Some(0),
        tp_mr: Some(1),
        tp_rd: None,
        tp_rp: None,
        rp_mr: Some(1),
        udh: None,
        raw_tpdu: None,
        sc_address: None,
        submit_key: None,
        validity_period: None,
        status_report_requested: false,
        call_id: None,
        icid: None,
    }
}

fn location(n: u64) -> Location {
    let msisdn = recipient(n);
    Location {
        impu: format!("tel:+{msisdn}"),
        msisdn: Some(msisdn),
        imsi: None,
        location: LOCATION.into(),
        ims_capable: true,
        contact: None,
        s_cscf: None,
        call_id: None,
        cseq: None,
        imei: None,
        user_agent: None,
        access_network_info: None,
        visited_network: None,
        expires: 600_000,
        event: LocationEvent::Registered,
    }
}

fn delivery(attempt: u32) -> AttemptReport {
    AttemptReport {
        dest_smsc: LOCATION.into(),
        attempt,
        status: Status::Delivered,
        reason: None,
        permanent: Permanent::No,
        rp_cause: None,
        tp_fcs: None,
        report_tpdu: None,
        sip_status: None,
        icid: None,
        detail: String::new(),
    }
}
