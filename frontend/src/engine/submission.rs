//! A submission between 202 and RP-ACK: asked of the backend until it answers or the budget is spent, and remembered
//! afterwards for repeats of it (design §4, MO repeats).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_backend::{Accepted, BackendError, MessageId, NewMessage};

use super::metrics::CauseLabel;
use super::recent::Recent;
use super::submit_report::{Addressee, Refusal};
use super::uas::Request;
use super::{Answered, Call, Engine, Now, Pending, Reply, Settings, Timer};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(4);

/// RP-Cause 21, where the backend refused without naming one (TS 24.011 §8.2.5.4).
pub(super) const CAUSE_REJECTED: u8 = 21;
/// RP-Cause 41: the only one after which a handset tries again over IMS.
pub(super) const CAUSE_TEMPORARY: u8 = 41;
/// TP-FCS: duplicate rejected (TS 23.040 §9.2.3.22).
const FCS_DUPLICATE: u8 = 0xC5;

/// Names a submission: a digest of what its copies have in common.
pub(super) type Key = [u8; 16];

/// Identifies a submission whose RP-ACK is on its way.
pub(super) type Confirmation<'a> = Option<(Key, &'a MessageId)>;

/// Submissions on their way to the backend, and what became of recent ones.
#[derive(Debug)]
pub(super) struct Submissions {
    open: FxHashMap<u64, Submission>,
    remembered: Recent<Key, Verdict>,
    by_submit_key: Recent<Key, Key>,
    /// When the second under way began, and how many it has taken.
    rate: (Option<Instant>, u32),
}

impl Submissions {
    pub(super) fn new(settings: &Settings) -> Self {
        let (window, cap) = (settings.timers.submit_window, settings.caps.remembered);
        Self {
            open: FxHashMap::default(),
            remembered: Recent::new(window, cap),
            by_submit_key: Recent::new(window, cap),
            rate: (None, 0),
        }
    }

    /// Submissions the backend has not answered.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// What became of a submission.
    pub(super) fn verdict(&mut self, now: Instant, key: &Key) -> Option<Verdict> {
        self.remembered.get(now, key).cloned()
    }

    /// Remembers that `key` is the same submission as `first`, in another request.
    pub(super) fn is_repeat_of(&mut self, now: Instant, key: Key, first: Key) {
        if key != first {
            self.remembered.insert(now, key, Verdict::RepeatOf(first));
        }
    }

    /// Remembers by what a repeat in another request will be known.
    pub(super) fn know_by(&mut self, now: Instant, submit_key: Key, key: Key) {
        self.by_submit_key.insert(now, submit_key, key);
    }
}

#[derive(Debug)]
struct Submission {
    key: Key,
    message: Arc<NewMessage>,
    answer: AnswerBy,
    deadline: Instant,
    failures: u32,
    in_flight: bool,
    given_up: bool,
}

/// How the sender learns the outcome.
#[derive(Debug)]
pub(super) enum AnswerBy {
    /// An RP-ACK or RP-ERROR in a MESSAGE of its own.
    Rp(Box<Addressee>),
    /// The SIP answer itself: text/plain and CPIM senders get no later report.
    Sip(Box<Request>),
}

/// What became of a submission.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Pending(u64),
    Accepted {
        accepted: Accepted,
        confirmed: bool,
    },
    Refused(Refusal),
    /// Answered RP-ERROR 41: the backend may have it all the same.
    Unanswered,
    /// The same message as this one, in another request.
    RepeatOf(Key),
}

impl Engine {
    /// Takes a submission to the backend.
    pub(super) fn submit(&mut self, now: Now, key: Key, message: Arc<NewMessage>, answer: AnswerBy) {
        let id = self.next();
        self.tell(None, "mo", || {
            format!(
                "{} sends {:?} to {}",
                message.source_msisdn, message.message_body, message.destination_msisdn
            )
        });
        let deadline = now.mono + self.settings.timers.mo_budget;
        let submission =
            Submission { key, message, answer, deadline, failures: 0, in_flight: false, given_up: false };
        self.submissions.open.insert(id, submission);
        self.submissions.remembered.insert(now.mono, key, Verdict::Pending(id));
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        self.insert_message(now, id);
        self.schedule.set(deadline, Timer::Submission(id));
    }

    /// Asks the backend, or gives up when the budget is spent.
    pub(super) fn insert_message(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        if now.mono >= submission.deadline {
            if !submission.given_up {
                submission.given_up = true;
                self.give_up(now, id);
            }
        } else if !submission.in_flight {
            submission.in_flight = true;
            let message = submission.message.clone();
            self.call(Call::InsertMessage(message), Pending::Submission(id));
        }
    }

    pub(super) fn submission_answered(&mut self, now: Now, id: u64, answer: Answered) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        submission.in_flight = false;
        match answer {
            Ok(Reply::Accepted(accepted)) => self.accepted(now, id, accepted),
            Ok(_) => self.retry_insert(now, id),
            Err(error) if error.is_transient() => self.retry_insert(now, id),
            Err(error) => self.refused(now, id, &error),
        }
    }

    fn retry_insert(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        if submission.given_up {
            return self.close(id);
        }
        submission.failures += 1;
        let delay = FIRST_RETRY.saturating_mul(1 << (submission.failures - 1).min(6)).min(LAST_RETRY);
        if now.mono + delay < submission.deadline {
            self.schedule.set(now.mono + delay, Timer::Submission(id));
        }
    }

    fn accepted(&mut self, now: Now, id: u64, accepted: Accepted) {
        let Some(submission) = self.submissions.open.remove(&id) else { return };
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        self.metrics.mo_accepted.inc();
        let icid = submission.message.icid.as_deref();
        tracing::debug!(message_id = %accepted.id, from = %submission.message.source_msisdn,
            to = %submission.message.destination_msisdn, icid, "accepted");
        self.tell(Some(&accepted.id), "mo", || "the backend has stored it".to_owned());
        let confirmed = matches!(submission.answer, AnswerBy::Sip(_));
        let verdict = Verdict::Accepted { accepted: accepted.clone(), confirmed };
        self.submissions.remembered.insert(now.mono, submission.key, verdict);
        if submission.given_up {
            return;
        }
        match submission.answer {
            AnswerBy::Rp(addressee) => {
                self.send_rp_ack(now, *addressee, accepted.scts, Some((submission.key, &accepted.id)))
            }
            AnswerBy::Sip(request) => self.answer(now, &request, 202, |r| r),
        }
        self.poll_all_soon(now);
    }

    fn refused(&mut self, now: Now, id: u64, error: &BackendError) {
        let Some(submission) = self.submissions.open.remove(&id) else { return };
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        let refusal = Refusal { cause: error.rp_cause.unwrap_or(CAUSE_REJECTED), fcs: None };
        self.submissions.remembered.insert(now.mono, submission.key, Verdict::Refused(refusal));
        if submission.given_up {
            return;
        }
        match submission.answer {
            AnswerBy::Rp(addressee) => self.refuse_submission(now, *addressee, refusal, &error.to_string()),
            AnswerBy::Sip(request) => {
                let status = if refusal.cause == 1 { 404 } else { 403 };
                self.refuse(now, &request, status, "backend_refused", |r| r);
            }
        }
    }

    /// The outcome is not known: RP-ERROR 41 and no other, so that the handset tries again over IMS.
    fn give_up(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        self.submissions.remembered.insert(now.mono, submission.key, Verdict::Unanswered);
        let answer = match &mut submission.answer {
            AnswerBy::Rp(addressee) => AnswerBy::Rp(addressee.clone()),
            AnswerBy::Sip(request) => AnswerBy::Sip(request.clone()),
        };
        if !submission.in_flight {
            self.close(id);
        }
        match answer {
            AnswerBy::Rp(addressee) => {
                let refusal = Refusal { cause: CAUSE_TEMPORARY, fcs: None };
                self.refuse_submission(now, *addressee, refusal, "the backend did not answer in time");
            }
            AnswerBy::Sip(request) => self.refuse_overload(now, &request),
        }
    }

    fn close(&mut self, id: u64) {
        self.submissions.open.remove(&id);
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
    }

    /// Our RP-ACK was answered 2xx: an equal submission from now on is a new message.
    pub(super) fn rp_ack_confirmed(&mut self, now: Now, key: Key) {
        if let Some(Verdict::Accepted { confirmed, .. }) = self.submissions.remembered.get(now.mono, &key) {
            *confirmed = true;
        }
    }

    /// True if another submission may be taken. Spends one of this second's allowance; what a second did not use does
    /// not pile up.
    pub(super) fn has_room(&mut self, now: Now) -> bool {
        if self.submissions.open.len() >= self.settings.caps.open_mo {
            return false;
        }
        let Some(limit) = self.settings.caps.submissions_per_second else { return true };
        let (since, taken) = &mut self.submissions.rate;
        if since.is_none_or(|since| now.mono.saturating_duration_since(since) >= Duration::from_secs(1)) {
            (*since, *taken) = (Some(now.mono), 0);
        }
        *taken += 1;
        *taken <= limit
    }

    /// The verdict on an earlier copy: the same SIP request, or the same submission where it says so (TP-RD) or
    /// where our RP-ACK is not known to have arrived.
    pub(super) fn earlier(
        &mut self,
        now: Now,
        key: &Key,
        submit_key: &Key,
        reject_duplicates: bool,
    ) -> Option<(Key, Verdict)> {
        let remembered = &mut self.submissions.remembered;
        match remembered.get(now.mono, key).cloned() {
            Some(Verdict::RepeatOf(first)) => {
                return remembered.get(now.mono, &first).map(|verdict| (first, verdict.clone()));
            }
            Some(verdict) => return Some((*key, verdict)),
            None => {}
        }
        let first = *self.submissions.by_submit_key.get(now.mono, submit_key)?;
        let verdict = remembered.get(now.mono, &first)?;
        let same = match verdict {
            Verdict::Accepted { confirmed, .. } => reject_duplicates || !*confirmed,
            Verdict::Pending(_) => reject_duplicates,
            Verdict::Refused(_) | Verdict::RepeatOf(_) => false,
            Verdict::Unanswered => true,
        };
        same.then(|| (first, verdict.clone()))
    }

    /// Gives the sender of a repeat the verdict on the first copy.
    pub(super) fn repeat(&mut self, now: Now, key: Key, verdict: Verdict, addressee: Addressee) {
        self.metrics.mo_repeats.inc();
        match verdict {
            Verdict::Pending(id) => {
                if let Some(submission) = self.submissions.open.get_mut(&id) {
                    submission.answer = AnswerBy::Rp(Box::new(addressee));
                }
            }
            Verdict::Accepted { accepted, .. } => {
                self.tell(Some(&accepted.id), "mo", || "a repeat of a message already accepted".to_owned());
                let confirms = Some((key, &accepted.id));
                if self.settings.reject_duplicates {
                    let refusal = Refusal { cause: CAUSE_REJECTED, fcs: Some(FCS_DUPLICATE) };
                    self.refuse_repeat(now, addressee, refusal, "duplicate", confirms);
                } else {
                    self.send_rp_ack(now, addressee, accepted.scts, confirms);
                }
            }
            Verdict::Refused(refusal) => self.refuse_submission(now, addressee, refusal, "refused before"),
            Verdict::Unanswered | Verdict::RepeatOf(_) => {}
        }
    }

    /// Answers a submission RP-ERROR.
    pub(super) fn refuse_submission(&mut self, now: Now, addressee: Addressee, refusal: Refusal, why: &str) {
        self.refuse_repeat(now, addressee, refusal, why, None);
    }

    /// RP-ERROR; where it refuses a repeat of an accepted message, its 2xx shows that the sender knows.
    fn refuse_repeat(
        &mut self,
        now: Now,
        addressee: Addressee,
        refusal: Refusal,
        why: &str,
        confirms: Confirmation<'_>,
    ) {
        tracing::info!(sender = %addressee.uri, call_id = %addressee.in_reply_to, cause = refusal.cause, why, "RP-ERROR");
        self.metrics.mo_refused.get_or_create(&CauseLabel { cause: refusal.cause }).inc();
        self.tell(None, "mo", || format!("RP-ERROR {}: {why}", refusal.cause));
        self.send_rp_error(now, addressee, refusal, confirms);
    }
}
