//! `process_message`: every outcome is told to the backend, however often that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_backend::{AttemptReport, MessageId, QueuedMessage, Status};

use super::metrics::{OutcomeLabel, StatusLabel};
use super::recent::Recent;
use super::register::backoff;
use super::reports::ReportId;
use super::{Answered, Call, Engine, Now, Pending, Settings, Timer};

/// How long a message whose outcome the backend refused is not sent again.
const REFUSED_LIFE: Duration = Duration::from_secs(3600);

/// Names one outcome on its way to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OutcomeId(u64);

/// Outcomes the backend has not confirmed, and rows it may still show although they are done.
#[derive(Debug)]
pub(super) struct Outcomes {
    open: FxHashMap<OutcomeId, Outcome>,
    /// What of `open` a message has.
    pending: FxHashMap<MessageId, OnTheirWay>,
    /// Message → sequence number at which its outcome was recorded, and the attempt it was of.
    finished: FxHashMap<MessageId, (u64, u32)>,
    /// The last outcome the backend was told of a message in the last 3 × tr1n: attempt and status.
    told: Recent<MessageId, (u32, Status)>,
    /// Messages whose outcome the backend refused: it goes on showing them, but another copy must not be sent.
    refused: Recent<MessageId, ()>,
    /// Rows handed to us anew before the answer on their last attempt came: at most one for every row in hand.
    leased_again: FxHashMap<MessageId, (Arc<str>, QueuedMessage)>,
}

#[derive(Debug)]
struct Outcome {
    id: MessageId,
    report: AttemptReport,
    /// The location of the row, where that is in this pod's hand.
    location: Option<Arc<str>>,
    /// The handset's reports that wait for it: the first, and repeats of it.
    waiting: Vec<ReportId>,
    failures: u32,
}

/// The outcomes of one message that are on their way.
#[derive(Debug, Clone, Copy)]
struct OnTheirWay {
    count: u32,
    newest_attempt: u32,
    last: OutcomeId,
}

impl Outcomes {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            open: FxHashMap::default(),
            pending: FxHashMap::default(),
            finished: FxHashMap::default(),
            told: Recent::new(settings.timers.tr1n * 3, settings.caps.remembered),
            refused: Recent::new(REFUSED_LIFE, settings.caps.remembered),
            leased_again: FxHashMap::default(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// True if a queue asked for at `asked` may show the message although it is not to be sent: its outcome is on its
    /// way, was recorded since, or was refused.
    pub(super) fn keeps_back(&mut self, now: Instant, message: &QueuedMessage, asked: u64) -> bool {
        let id = &message.id;
        let recorded_since =
            self.finished.get(id).is_some_and(|(at, attempt)| *at > asked && !has_counted(message, *attempt));
        self.pending.contains_key(id) || recorded_since || self.refused.get(now, id).is_some()
    }

    /// True if the row shows that the backend has recorded an attempt whose answer is still on its way: it is no old
    /// picture, the message is handed out anew.
    pub(super) fn is_shown_anew(&self, message: &QueuedMessage) -> bool {
        self.pending.get(&message.id).is_some_and(|on_way| has_counted(message, on_way.newest_attempt))
    }

    /// True if an outcome of the message is on its way.
    pub(super) fn awaits(&self, id: &MessageId) -> bool {
        self.pending.contains_key(id)
    }

    /// True if the backend refused an outcome of the message.
    pub(super) fn is_refused(&mut self, now: Instant, id: &MessageId) -> bool {
        self.refused.get(now, id).is_some()
    }

    /// The locations that outcomes on their way, and rows that wait for them, are of.
    pub(super) fn locations(&self) -> impl Iterator<Item = &Arc<str>> {
        let waiting = self.leased_again.values().map(|(location, _)| location);
        self.open.values().filter_map(|outcome| outcome.location.as_ref()).chain(waiting)
    }

    /// True if an outcome is on its way of which it is not known whose queue it is of: a late report's.
    pub(super) fn any_of_no_known_location(&self) -> bool {
        self.open.values().any(|outcome| outcome.location.is_none())
    }

    /// Keeps a row that has been handed out again until its last attempt is settled.
    pub(super) fn leased_again(&mut self, location: Arc<str>, message: QueuedMessage) {
        self.leased_again.insert(message.id.clone(), (location, message));
    }

    /// Forgets what no queue answer can show any more.
    pub(super) fn forget_before(&mut self, oldest_asked: u64) {
        self.finished.retain(|_, (at, _)| *at > oldest_asked);
    }

    fn insert(&mut self, outcome: OutcomeId, of: Outcome) {
        let first = OnTheirWay { count: 0, newest_attempt: 0, last: outcome };
        let on_way = self.pending.entry(of.id.clone()).or_insert(first);
        on_way.count += 1;
        on_way.newest_attempt = of.report.attempt.max(on_way.newest_attempt);
        on_way.last = outcome;
        self.open.insert(outcome, of);
    }

    fn remove(&mut self, outcome: OutcomeId) -> Option<Outcome> {
        let removed = self.open.remove(&outcome)?;
        if let Some(on_way) = self.pending.get_mut(&removed.id) {
            on_way.count -= 1;
            if on_way.count == 0 {
                self.pending.remove(&removed.id);
            }
        }
        Some(removed)
    }
}

/// True if an attempt's status leaves nothing to be said by a report that means `said`.
fn covers(told: (u32, Status), said: (u32, Status)) -> bool {
    match (told.1, said.1) {
        (Status::Delivered, _) => true,
        (Status::Released, _) | (_, Status::Delivered) => false,
        (Status::Unknown, status) => told.0 == said.0 && status == Status::Unknown,
        _ => told.0 == said.0,
    }
}

/// True if the backend counts `attempt` among those made.
fn has_counted(message: &QueuedMessage, attempt: u32) -> bool {
    message.delivery_attempts.is_some_and(|made| made >= attempt)
}

impl Engine {
    /// Has an outcome recorded; `location` is that of the row, where that is in this pod's hand, and `waiting` the
    /// handset's report that waits for it.
    pub(super) fn record(
        &mut self,
        now: Now,
        id: MessageId,
        report: AttemptReport,
        location: Option<Arc<str>>,
        waiting: Option<ReportId>,
    ) {
        self.metrics.mt_outcomes.get_or_create(&OutcomeLabel { status: StatusLabel(report.status) }).inc();
        if report.status == Status::Delivered {
            tracing::debug!(message_id = %id, attempt = report.attempt, "delivered");
        } else {
            tracing::info!(message_id = %id, attempt = report.attempt, status = ?report.status, detail = report.detail, "attempt ended");
        }
        self.tell(Some(&id), "mt", || format!("{:?}: {}", report.status, report.detail));
        let outcome = OutcomeId(self.next());
        self.outcomes.insert(
            outcome,
            Outcome { id, report, location, waiting: waiting.into_iter().collect(), failures: 0 },
        );
        self.process_message(now, outcome);
    }

    /// Has a report share the outcome of the one it repeats: answered at once if that was told, else together with it.
    /// False if the report says something new.
    pub(super) fn is_repeated(
        &mut self,
        now: Now,
        id: &MessageId,
        said: (u32, Status),
        report: ReportId,
    ) -> bool {
        let outcomes = &mut self.outcomes;
        let last = outcomes.pending.get(id).map(|on_way| on_way.last);
        if let Some(open) = last.and_then(|last| outcomes.open.get_mut(&last))
            && covers((open.report.attempt, open.report.status), said)
        {
            open.waiting.push(report);
            return true;
        }
        let repeated = outcomes.told.get(now.mono, id).is_some_and(|told| covers(*told, said));
        if repeated {
            self.report_taken(now, report);
        }
        repeated
    }

    pub(super) fn process_message(&mut self, _now: Now, outcome: OutcomeId) {
        let Some(open) = self.outcomes.open.get(&outcome) else { return };
        let call = Call::ProcessMessage { id: open.id.clone(), report: Box::new(open.report.clone()) };
        self.call(call, Pending::Outcome(outcome));
    }

    pub(super) fn outcome_answered(&mut self, now: Now, outcome: OutcomeId, answer: Answered) {
        let Some(open) = self.outcomes.open.get_mut(&outcome) else { return };
        if let Err(error) = &answer
            && error.is_transient()
        {
            open.failures += 1;
            let delay = backoff(open.failures);
            return self.schedule.set(now.mono + delay, Timer::Outcome(outcome));
        }
        let Some(open) = self.outcomes.remove(outcome) else { return };
        if let Err(error) = answer
            && open.report.status != Status::Released
        {
            tracing::error!(message_id = %open.id, %error, "the backend refused an outcome");
            self.outcomes.refused.insert(now.mono, open.id.clone(), ());
        }
        // A released row says nothing about an attempt.
        if open.report.status != Status::Released {
            let told = (open.report.attempt, open.report.status);
            self.outcomes.told.insert(now.mono, open.id.clone(), told);
        }
        if self.polls.any_in_flight() {
            let sequence = self.next();
            self.outcomes.finished.insert(open.id.clone(), (sequence, open.report.attempt));
        }
        if open.location.is_some() {
            self.handsets.let_go(&open.id);
            self.metrics.mt_in_hand.set(self.handsets.in_hand() as i64);
        }
        for report in &open.waiting {
            self.report_taken(now, *report);
        }
        self.take_what_was_leased_again(now, &open);
    }

    fn take_what_was_leased_again(&mut self, now: Now, settled: &Outcome) {
        if self.outcomes.awaits(&settled.id) || self.handsets.holds(&settled.id) {
            return;
        }
        let Some((location, message)) = self.outcomes.leased_again.remove(&settled.id) else { return };
        // A late `delivered` has ended the message, and its new lease with it.
        if settled.report.status != Status::Delivered {
            let asked = self.next();
            self.take_rows(now, &location, vec![message], asked, false);
        }
    }
}
