//! `process_message`: every outcome is told to the backend, however often that takes.

use rustc_hash::FxHashMap;
use smsc_backend::{AttemptReport, MessageId, Status};

use super::metrics::{OutcomeLabel, StatusLabel};
use super::register::backoff;
use super::reports::ReportId;
use super::{Answered, Call, Engine, Now, Pending, Timer};

/// Names one outcome on its way to the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OutcomeId(u64);

/// Outcomes the backend has not confirmed, and rows it may still show although they are done.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    open: FxHashMap<OutcomeId, Outcome>,
    /// Message → sequence number at which its outcome was recorded.
    finished: FxHashMap<MessageId, u64>,
}

#[derive(Debug)]
struct Outcome {
    id: MessageId,
    report: AttemptReport,
    /// True if the row is in this pod's hand.
    in_hand: bool,
    waiting: Option<ReportId>,
    failures: u32,
}

impl Outcomes {
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// True if a queue asked for at `asked` may show the message although its outcome is recorded since.
    pub(super) fn finished_since(&self, id: &MessageId, asked: u64) -> bool {
        self.finished.get(id).is_some_and(|at| *at > asked)
    }

    /// Forgets what no queue answer can show any more.
    pub(super) fn forget_before(&mut self, oldest_asked: u64) {
        self.finished.retain(|_, at| *at > oldest_asked);
    }
}

impl Engine {
    /// Has an outcome recorded; `report` is the handset's report that waits for it.
    pub(super) fn record(
        &mut self,
        now: Now,
        id: MessageId,
        report: AttemptReport,
        in_hand: bool,
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
        self.outcomes.open.insert(outcome, Outcome { id, report, in_hand, waiting, failures: 0 });
        self.process_message(now, outcome);
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
        let Some(open) = self.outcomes.open.remove(&outcome) else { return };
        if let Err(error) = answer
            && open.report.status != Status::Released
        {
            tracing::error!(message_id = %open.id, %error, "the backend refused an outcome");
        }
        let sequence = self.next();
        self.outcomes.finished.insert(open.id.clone(), sequence);
        if open.in_hand {
            self.handsets.let_go(&open.id);
            self.metrics.mt_in_hand.set(self.handsets.in_hand() as i64);
        } else if open.report.status == Status::Delivered && self.handsets.unqueue(&open.id).is_some() {
            self.handsets.let_go(&open.id);
        }
        if let Some(report) = open.waiting {
            self.report_taken(now, report);
        }
    }
}
