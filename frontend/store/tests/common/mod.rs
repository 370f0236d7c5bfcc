//! A store in memory, in virtual time, and the words scenarios are told in.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smsc_backend::{
    Accepted, AttemptReport, Backend, Encoding, HistoryQuery, Location, LocationEvent, MessageHistory,
    MessageId, NewMessage, Permanent, Processed, QueuedMessage, Reason, SourceType, Status,
};
use smsc_store::{ManualClock, RetryTable, Route, Store, StoreConfig};

/// When every scenario begins: a fraction of a second past a full one.
pub(crate) const START: Timestamp = Timestamp::constant(1_772_366_400, 250_000_000);
/// Two locations.
pub(crate) const SMSC01: &str = "smsc01.example";
pub(crate) const SMSC02: &str = "smsc02.example";
/// Two subscribers.
pub(crate) const ALICE: &str = "447700900123";
pub(crate) const BOB: &str = "447700900456";

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A store and its clock.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
}

/// A configuration without jitter, so that pauses are those of the table.
pub(crate) fn config() -> StoreConfig {
    StoreConfig { retry: RetryTable { jitter_percent: 0, ..RetryTable::default() }, ..StoreConfig::default() }
}

pub(crate) fn route(prefix: &str, location: &str) -> Route {
    Route { prefix: prefix.into(), location: location.into() }
}

/// "Hello" from Alice to `to`.
pub(crate) fn message(to: &str) -> NewMessage {
    NewMessage {
        idempotency_key: String::new(),
        source_msisdn: ALICE.into(),
        destination_msisdn: format!("+{to}"),
        destination_ton: 1,
        destination_npi: 1,
        message_body: "Hello".into(),
        source_smsc: SMSC01.into(),
        source_type: SourceType::Ims,
        encoding: Encoding::Gsm7,
        tp_dcs: Some(0),
        tp_pid: Some(0),
        tp_mr: Some(42),
        tp_rd: Some(false),
        tp_rp: None,
        rp_mr: Some(7),
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

pub(crate) fn text(to: &str, text: &str) -> NewMessage {
    NewMessage { message_body: text.into(), ..message(to) }
}

pub(crate) fn location(msisdn: &str, at: &str) -> Location {
    Location {
        msisdn: Some(msisdn.into()),
        imsi: None,
        impu: format!("sip:+{msisdn}@ims.example"),
        location: at.into(),
        ims_capable: true,
        contact: None,
        s_cscf: Some("sip:scscf.ims.example".into()),
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

pub(crate) fn report(row: &QueuedMessage, status: Status) -> AttemptReport {
    AttemptReport {
        dest_smsc: SMSC01.into(),
        attempt: row.delivery_attempts.unwrap() + 1,
        status,
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

pub(crate) fn absent(row: &QueuedMessage, reason: Reason) -> AttemptReport {
    AttemptReport { reason: Some(reason), ..report(row, Status::Absent) }
}

impl World {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: StoreConfig) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = Store::open(config, Arc::clone(&clock) as _).unwrap();
        Self { clock, store }
    }

    /// A store where Alice and Bob are registered at [`SMSC01`].
    pub(crate) async fn registered() -> Self {
        let world = Self::new();
        world.register(ALICE).await;
        world.register(BOB).await;
        world
    }

    /// Lets time pass, and what it makes due happen.
    pub(crate) async fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.store.tick().await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        smsc_store::Clock::now(&*self.clock)
    }

    pub(crate) async fn register(&self, msisdn: &str) {
        self.locate(location(msisdn, SMSC01)).await;
    }

    pub(crate) async fn locate(&self, location: Location) {
        self.store.insert_location(location).await.unwrap();
    }

    pub(crate) async fn insert(&self, message: NewMessage) -> Accepted {
        self.store.insert_message(message.into()).await.unwrap()
    }

    pub(crate) async fn poll(&self) -> Vec<QueuedMessage> {
        self.poll_at(SMSC01).await
    }

    pub(crate) async fn poll_at(&self, location: &str) -> Vec<QueuedMessage> {
        self.store.get_queue(location.into(), 100).await.unwrap()
    }

    /// The one row that waits.
    pub(crate) async fn poll_one(&self) -> QueuedMessage {
        let mut rows = self.poll().await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The texts of the rows that wait.
    pub(crate) async fn poll_texts(&self) -> Vec<String> {
        self.poll().await.into_iter().map(|row| row.message_body).collect()
    }

    pub(crate) async fn process(&self, row: &QueuedMessage, report: AttemptReport) -> Processed {
        self.store.process_message(row.id.clone(), report).await.unwrap()
    }

    pub(crate) async fn deliver(&self, row: &QueuedMessage) {
        assert_eq!(self.process(row, report(row, Status::Delivered)).await, Processed::Recorded);
    }

    pub(crate) async fn history(&self, id: &MessageId) -> MessageHistory {
        self.store.history(HistoryQuery::Message(id.clone())).await.unwrap().remove(0)
    }

    pub(crate) async fn state(&self, id: &MessageId) -> String {
        self.history(id).await.state
    }

    /// When the recipient's next attempt is due, from now.
    pub(crate) async fn due_in(&self, id: &MessageId) -> Option<Duration> {
        let due = self.history(id).await.due?;
        Some(due.duration_since(self.now()).try_into().unwrap_or(Duration::ZERO))
    }

    pub(crate) async fn statuses(&self, id: &MessageId) -> Vec<Status> {
        self.history(id).await.attempts.into_iter().map(|attempt| attempt.report.status).collect()
    }
}
