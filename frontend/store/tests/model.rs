//! Any interleaving of requests and time: no accepted message is lost, none goes out twice unfenced, every recipient
//! gets its messages in order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{DAY, SMSC01, World, config, location, message, report};
use proptest::prelude::*;
use smsc_backend::{
    AttemptReport, Backend, LocationEvent, LocationRemoval, MessageId, NewMessage, Permanent, Processed,
    QueuedMessage, Reason, Status,
};
use smsc_store::{Selection, StoreConfig};

const RECIPIENTS: [&str; 3] = ["447700900001", "447700900002", "447700900003"];
const LEASE: Duration = Duration::from_secs(180);

/// One step. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Insert { to: usize, key: Option<u8>, reported: bool },
    Poll { limit: u32 },
    Report { which: usize, status: Status, permanent: Permanent, reason: Option<Reason> },
    Late { which: usize, status: Status },
    Register { who: usize, event: LocationEvent },
    Deregister { who: usize },
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(vec![
        Status::Delivered,
        Status::Delivered,
        Status::Failed,
        Status::Absent,
        Status::MemoryFull,
        Status::Rejected,
        Status::Unknown,
        Status::Released,
    ]);
    let permanent = prop::sample::select(vec![
        Permanent::No,
        Permanent::No,
        Permanent::No,
        Permanent::Link,
        Permanent::Message,
    ]);
    let reason = prop::sample::select(vec![None, Some(Reason::NoAnswer), Some(Reason::NotRegistered)]);
    let event = prop::sample::select(vec![
        LocationEvent::Registered,
        LocationEvent::Refreshed,
        LocationEvent::MemoryAvailable,
    ]);
    prop_oneof![
        4 => (0..3usize, prop::option::of(0..6u8), any::<bool>())
            .prop_map(|(to, key, reported)| Step::Insert { to, key, reported }),
        4 => (1..4u32).prop_map(|limit| Step::Poll { limit }),
        4 => (any::<usize>(), status.clone(), permanent, reason)
            .prop_map(|(which, status, permanent, reason)| Step::Report { which, status, permanent, reason }),
        1 => (any::<usize>(), status).prop_map(|(which, status)| Step::Late { which, status }),
        1 => (0..3usize, event).prop_map(|(who, event)| Step::Register { who, event }),
        1 => (0..3usize).prop_map(|who| Step::Deregister { who }),
        2 => prop::sample::select(vec![1, 59, 180, 600, 4000]).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// What must hold, kept apart from how the store does it.
struct Model {
    world: World,
    /// Accepted messages, by id; true once a final report was recorded or their time ran out.
    accepted: BTreeMap<MessageId, usize>,
    keys: BTreeMap<u8, MessageId>,
    /// Leases that are open: the row, and when it was given out.
    open: Vec<(QueuedMessage, jiff::Timestamp)>,
    /// Attempts that are over.
    over: Vec<QueuedMessage>,
    /// Attempts given out and not released, to tell that none comes twice.
    attempts: BTreeSet<(MessageId, u32)>,
    delivered: BTreeSet<MessageId>,
}

impl Model {
    async fn new() -> Self {
        let world = World::with(StoreConfig { lease: LEASE, default_validity: 10 * DAY, ..config() });
        for who in RECIPIENTS {
            world.register(who).await;
        }
        let (accepted, keys) = Default::default();
        let (open, over) = Default::default();
        Self { world, accepted, keys, open, over, attempts: BTreeSet::new(), delivered: BTreeSet::new() }
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Insert { to, key, reported } => self.insert(to, key, reported).await,
            Step::Poll { limit } => self.poll(limit).await,
            Step::Report { which, status, permanent, reason } => {
                if !self.open.is_empty() {
                    let (row, _) = self.open.swap_remove(which % self.open.len());
                    self.report(row, false, |report| AttemptReport { status, permanent, reason, ..report })
                        .await;
                }
            }
            Step::Late { which, status } => {
                if !self.over.is_empty() {
                    let row = self.over[which % self.over.len()].clone();
                    // A number that was released is given out again: a report on it is not late.
                    if !self.open.iter().any(|(open, _)| {
                        (&open.id, open.delivery_attempts) == (&row.id, row.delivery_attempts)
                    }) {
                        self.report(row, true, |report| AttemptReport { status, ..report }).await;
                    }
                }
            }
            Step::Register { who, event } => {
                let location = smsc_backend::Location { event, ..location(RECIPIENTS[who], SMSC01) };
                self.world.locate(location).await;
            }
            Step::Deregister { who } => {
                let impu = location(RECIPIENTS[who], SMSC01).impu;
                let removal = LocationRemoval { impu, s_cscf: None, call_id: None, cseq: None };
                self.world.store.delete_location(removal).await.unwrap();
            }
            Step::Pass { seconds } => self.world.pass(Duration::from_secs(seconds)).await,
        }
    }

    async fn insert(&mut self, to: usize, key: Option<u8>, reported: bool) {
        let idempotency_key = key.map(|key| format!("{key}")).unwrap_or_default();
        let source_msisdn = "4711".to_owned();
        let new = NewMessage {
            idempotency_key,
            source_msisdn,
            status_report_requested: reported,
            ..message(RECIPIENTS[to])
        };
        let accepted = self.world.insert(new).await;
        let known = key.and_then(|key| self.keys.get(&key));
        assert_eq!((accepted.duplicate, known.is_some()), (known.is_some(), accepted.duplicate));
        match known {
            Some(id) => assert_eq!(id, &accepted.id),
            None => {
                assert_eq!(self.accepted.insert(accepted.id.clone(), self.accepted.len()), None);
                self.keys.extend(key.map(|key| (key, accepted.id)));
            }
        }
    }

    async fn poll(&mut self, limit: u32) {
        let now = self.world.now();
        self.retire(now);
        let rows = self.world.store.get_queue(SMSC01.into(), limit).await.unwrap();
        assert!(rows.len() <= limit as usize);
        for row in rows {
            assert!(self.accepted.contains_key(&row.id), "a message nobody sent");
            assert!(!self.delivered.contains(&row.id), "a delivered message goes out again");
            let busy = self.open.iter().find(|(open, _)| open.destination_msisdn == row.destination_msisdn);
            assert!(busy.is_none(), "two in flight for one recipient: {busy:?} and {row:?}");
            assert!(
                self.attempts.insert((row.id.clone(), row.delivery_attempts.unwrap())),
                "an attempt comes twice"
            );
            self.open.push((row, now));
        }
    }

    /// Leases that ran out are attempts that are over.
    fn retire(&mut self, now: jiff::Timestamp) {
        let (over, open) =
            std::mem::take(&mut self.open).into_iter().partition(|(_, since)| *since + LEASE <= now);
        self.open = open;
        self.over.extend(Vec::into_iter(over).map(|(row, _)| row));
    }

    async fn report(
        &mut self,
        row: QueuedMessage,
        late: bool,
        change: impl Fn(AttemptReport) -> AttemptReport,
    ) {
        let now = self.world.now();
        let report = change(report(&row, Status::Unknown));
        let processed = self.world.process(&row, report.clone()).await;
        if report.status == Status::Released && !late {
            self.attempts.remove(&(row.id.clone(), row.delivery_attempts.unwrap()));
        }
        if report.status == Status::Delivered && processed == Processed::Recorded {
            assert!(self.delivered.insert(row.id.clone()), "delivered twice");
            // A late one ends the newer attempt too.
            self.open.retain(|(open, _)| open.id != row.id);
        }
        if !late {
            self.over.push(row);
        }
        self.retire(now);
    }

    /// Delivers all that is left, in the order it comes, and looks at what has become of everything.
    async fn settle(mut self) {
        let mut order: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for who in RECIPIENTS {
            self.world.register(who).await;
        }
        self.world.pass(LEASE).await;
        for who in RECIPIENTS {
            self.world.register(who).await;
        }
        for _ in 0..=self.accepted.len() {
            self.open.clear();
            for row in self.world.poll().await {
                order.entry(row.destination_msisdn.clone()).or_default().push(self.accepted[&row.id]);
                self.report(row, false, |report| AttemptReport { status: Status::Delivered, ..report }).await;
            }
        }
        for places in order.values() {
            assert!(places.is_sorted(), "out of order: {order:?}");
        }
        assert_eq!(self.world.poll().await, []);
        let all = self.world.store.list(Selection::All, None, 500).await.unwrap().messages;
        let states: BTreeMap<_, _> =
            all.iter().map(|message| (message.id.clone(), message.state.as_str())).collect();
        for id in self.accepted.keys() {
            let state = states[id];
            assert!(matches!(state, "delivered" | "failed"), "{id} is {state}");
            assert_eq!(state == "delivered", self.delivered.contains(id), "{id} is {state}");
        }
        let totals = self.world.store.summary().await.unwrap().messages;
        let open = |state| totals.get(state).copied().unwrap_or(0);
        assert_eq!(open("in_flight"), 0);
        // What is left are status reports for a sender who is nowhere.
        assert_eq!(usize::try_from(open("queued")).unwrap(), all.len() - self.accepted.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_out_of_order(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.run(step).await;
            }
            model.settle().await;
        });
    }
}
