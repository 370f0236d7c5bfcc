//! What an attempt's outcome means for its message. Pure: everything it needs is passed in, time included.

use smsc_backend::{AttemptReport, Permanent, Reason, Status};

use crate::retry::{Class, RetryTable};
use crate::tp_status;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waiting: for its turn, its time, or a route.
    Queued,
    /// Leased: an attempt is under way.
    InFlight,
    /// Final: the handset has it.
    Delivered,
    /// Final: it cannot be delivered.
    Failed,
    /// Final: its validity ran out.
    Expired,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InFlight => "in_flight",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::InFlight, Self::Delivered, Self::Failed, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == name)
    }

    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Expired)
    }
}

/// What is known about a message when a report on it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing<'a> {
    /// Where it stands.
    pub(crate) state: State,
    /// The newest attempt's number: the fence. Late reports carry an older one.
    pub(crate) attempt: u32,
    /// Who holds the lease.
    pub(crate) leased_to: Option<&'a str>,
    /// When its validity ends, in milliseconds.
    pub(crate) expires: i64,
    /// The class of the failures in a row before this attempt, and how many.
    pub(crate) failures: Option<(Class, u32)>,
    /// The handset registered, or had memory again, after the attempt began.
    pub(crate) woken: bool,
    /// Whether another location could take the message if this one is ruled out.
    pub(crate) other_route: bool,
    /// Scatters pauses.
    pub(crate) seed: u64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was final already: nothing.
    AlreadyFinal,
    /// The report is not on the attempt under way: nothing.
    Ignored,
    /// Not attempted: due again at once, the attempt does not count.
    Released,
    /// It is final: the handset has it.
    Delivered,
    /// It is final: its validity ended during the attempt.
    Expired,
    /// It is final with this TP-Status.
    Failed { tp_status: u8 },
    /// This location is ruled out; another one gets it at once.
    OtherRoute,
    /// Tried again at `due`, after failure number `step` (0 is the first) in a row of this class.
    Retry { due: i64, class: Class, step: u32 },
}

/// Judges one report (design §4, §6).
pub(crate) fn judge(
    standing: &Standing<'_>,
    report: &AttemptReport,
    table: &RetryTable,
    now: i64,
) -> Verdict {
    if standing.state.is_final() {
        return Verdict::AlreadyFinal;
    }
    // The handset has it, whichever attempt brought it: the only late report that counts.
    if report.status == Status::Delivered {
        return Verdict::Delivered;
    }
    let Some(holder) = standing.leased_to.filter(|_| report.attempt == standing.attempt) else {
        return Verdict::Ignored;
    };
    if report.status == Status::Released {
        // A released attempt's number is used again, so its holder is part of the fence.
        return if holder == report.dest_smsc { Verdict::Released } else { Verdict::Ignored };
    }
    match report.permanent {
        Permanent::Message => return Verdict::Failed { tp_status: tp_status::of_failure(report) },
        Permanent::Link if !standing.other_route => {
            return Verdict::Failed { tp_status: tp_status::of_failure(report) };
        }
        Permanent::Link | Permanent::No => {}
    }
    if now >= standing.expires {
        return Verdict::Expired;
    }
    if report.permanent == Permanent::Link {
        return Verdict::OtherRoute;
    }
    let class = class_of(report);
    if class.parks_destination() && standing.woken {
        return Verdict::Retry { due: now, class, step: 0 };
    }
    let step = match standing.failures {
        Some((before, step)) if before == class => step.saturating_add(1),
        _ => 0,
    };
    Verdict::Retry { due: now.saturating_add(table.pause(class, step, standing.seed)), class, step }
}

/// The error class of a report that leaves hope.
fn class_of(report: &AttemptReport) -> Class {
    match (report.status, report.reason) {
        (Status::Absent, Some(Reason::NoAnswer)) => Class::NoAnswer,
        (Status::Absent, _) => Class::Absent,
        (Status::MemoryFull, _) => Class::MemoryFull,
        (Status::Unknown, _) => Class::Unknown,
        _ if matches!(report.rp_cause, Some(41 | 42 | 47))
            || matches!(report.sip_status, Some(429 | 503)) =>
        {
            Class::Congestion
        }
        _ => Class::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;
    const AT: &str = "smsc01";

    fn standing() -> Standing<'static> {
        Standing {
            state: State::InFlight,
            attempt: 3,
            leased_to: Some(AT),
            expires: NOW + 86_400_000,
            failures: None,
            woken: false,
            other_route: false,
            seed: 1,
        }
    }

    fn report(status: Status) -> AttemptReport {
        AttemptReport {
            dest_smsc: AT.into(),
            attempt: 3,
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

    fn verdict(standing: Standing<'_>, report: AttemptReport) -> Verdict {
        judge(&standing, &report, &RetryTable { jitter_percent: 0, ..RetryTable::default() }, NOW)
    }

    #[test]
    fn nothing_moves_a_final_message() {
        for state in [State::Delivered, State::Failed, State::Expired] {
            for status in [Status::Delivered, Status::Failed, Status::Released, Status::Unknown] {
                let standing = Standing { state, leased_to: None, ..standing() };
                assert_eq!(verdict(standing, report(status)), Verdict::AlreadyFinal);
            }
        }
    }

    #[test]
    fn only_delivered_passes_the_fence() {
        let queued = Standing { state: State::Queued, leased_to: None, ..standing() };
        for (standing, attempt) in [(standing(), 2), (standing(), 4), (queued, 3), (queued, 1)] {
            for status in [
                Status::Failed,
                Status::Absent,
                Status::MemoryFull,
                Status::Rejected,
                Status::Unknown,
                Status::Released,
            ] {
                let late = AttemptReport { attempt, permanent: Permanent::Message, ..report(status) };
                assert_eq!(verdict(standing, late), Verdict::Ignored, "{status:?}");
            }
            let late = AttemptReport { attempt, ..report(Status::Delivered) };
            assert_eq!(verdict(standing, late), Verdict::Delivered);
        }
    }

    #[test]
    fn only_the_holder_releases() {
        assert_eq!(verdict(standing(), report(Status::Released)), Verdict::Released);
        let other = AttemptReport { dest_smsc: "smsc01-1".into(), ..report(Status::Released) };
        assert_eq!(verdict(standing(), other), Verdict::Ignored);
    }

    #[test]
    fn permanent_decides_before_the_class() {
        let other_route = Standing { other_route: true, ..standing() };
        let rejected = AttemptReport { permanent: Permanent::Message, ..report(Status::Rejected) };
        let link = AttemptReport { permanent: Permanent::Link, ..report(Status::Failed) };
        let no_smsip = AttemptReport {
            permanent: Permanent::Link,
            reason: Some(Reason::NoSmsip),
            ..report(Status::Absent)
        };
        for (standing, report, expected) in [
            (standing(), rejected.clone(), Verdict::Failed { tp_status: 0x42 }),
            (other_route, rejected, Verdict::Failed { tp_status: 0x42 }),
            (standing(), link.clone(), Verdict::Failed { tp_status: 0x45 }),
            (other_route, link.clone(), Verdict::OtherRoute),
            (Standing { expires: NOW, ..other_route }, link, Verdict::Expired),
            (standing(), no_smsip, Verdict::Failed { tp_status: 0x41 }),
        ] {
            assert_eq!(verdict(standing, report), expected);
        }
    }

    #[test]
    fn each_kind_of_failure_has_its_class() {
        let with_cause = |rp_cause| AttemptReport { rp_cause: Some(rp_cause), ..report(Status::Failed) };
        let no_answer = AttemptReport { reason: Some(Reason::NoAnswer), ..report(Status::Absent) };
        for (report, class, pause) in [
            (report(Status::Failed), Class::Failed, 30_000),
            (report(Status::Rejected), Class::Failed, 30_000),
            (with_cause(42), Class::Congestion, 10_000),
            (with_cause(111), Class::Failed, 30_000),
            (AttemptReport { sip_status: Some(503), ..report(Status::Failed) }, Class::Congestion, 10_000),
            (report(Status::Unknown), Class::Unknown, 60_000),
            (no_answer, Class::NoAnswer, 120_000),
            (report(Status::Absent), Class::Absent, 1_800_000),
            (report(Status::MemoryFull), Class::MemoryFull, 1_800_000),
        ] {
            let expected = Verdict::Retry { due: NOW + pause, class, step: 0 };
            assert_eq!(verdict(standing(), report), expected);
        }
    }

    #[test]
    fn failures_of_one_class_in_a_row_wait_longer_and_another_class_begins_anew() {
        let before = Standing { failures: Some((Class::Failed, 1)), ..standing() };
        let third = Verdict::Retry { due: NOW + 600_000, class: Class::Failed, step: 2 };
        assert_eq!(verdict(before, report(Status::Failed)), third);
        let first = Verdict::Retry { due: NOW + 60_000, class: Class::Unknown, step: 0 };
        assert_eq!(verdict(before, report(Status::Unknown)), first);
    }

    #[test]
    fn a_handset_that_came_back_during_the_attempt_is_tried_again_at_once() {
        let woken = Standing { woken: true, failures: Some((Class::Absent, 3)), ..standing() };
        let at_once = Verdict::Retry { due: NOW, class: Class::Absent, step: 0 };
        assert_eq!(verdict(woken, report(Status::Absent)), at_once);
        // What the message itself suffers from is not cured by a registration.
        let later = Verdict::Retry { due: NOW + 30_000, class: Class::Failed, step: 0 };
        assert_eq!(verdict(woken, report(Status::Failed)), later);
    }

    #[test]
    fn validity_that_ended_during_the_attempt_ends_the_message() {
        let ended = Standing { expires: NOW, ..standing() };
        assert_eq!(verdict(ended, report(Status::Failed)), Verdict::Expired);
        assert_eq!(verdict(ended, report(Status::Released)), Verdict::Released);
        assert_eq!(verdict(ended, report(Status::Delivered)), Verdict::Delivered);
    }
}
