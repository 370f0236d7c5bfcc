//! What an answer means for an attempt (design §4, Attempt outcome): pure tables.

use smsc_backend::{Permanent, Reason, Status};
use smsc_proto::sms::names;

/// The end of an attempt, before it is put into an `AttemptReport`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) reason: Option<Reason>,
    pub(super) permanent: Permanent,
    pub(super) rp_cause: Option<u8>,
    pub(super) tp_fcs: Option<u8>,
    /// The handset's SMS-DELIVER-REPORT, hex, where it carries user data.
    pub(super) report_tpdu: Option<String>,
    pub(super) sip_status: Option<u16>,
    pub(super) detail: String,
}

impl Verdict {
    /// A verdict with nothing but a status and a sentence.
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self {
            status,
            reason: None,
            permanent: Permanent::No,
            rp_cause: None,
            tp_fcs: None,
            report_tpdu: None,
            sip_status: None,
            detail: detail.into(),
        }
    }

    /// The same with what the handset answered beside its report.
    pub(super) fn with_answer(self, report_tpdu: Option<String>) -> Self {
        let mut detail = self.detail;
        if report_tpdu.is_some() {
            detail.push_str(", with user data in its SMS-DELIVER-REPORT (TS 23.040 §9.2.2.1a)");
        }
        Self { report_tpdu, detail, ..self }
    }

    /// True if the handset itself is out of reach or full, so that nothing else for it needs trying now.
    pub(super) fn blocks_handset(&self) -> bool {
        matches!(self.status, Status::Absent | Status::MemoryFull)
    }
}

/// What a final SIP status does to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SipOutcome {
    /// 2xx: the transport has it.
    Accepted,
    /// 408, 504 or another 5xx: the handset may have it all the same; wait for its report.
    Undecided,
    /// A definite refusal.
    Ended(Verdict),
}

/// Judges a final SIP status.
pub(super) fn of_sip_status(status: u16) -> SipOutcome {
    let (outcome, reason, permanent, why) = match status {
        200..=299 => return SipOutcome::Accepted,
        408 | 500..=599 => return SipOutcome::Undecided,
        404 | 410 | 604 => {
            (Status::Absent, Some(Reason::NotRegistered), Permanent::No, "the core knows no registration")
        }
        480 => {
            (Status::Absent, Some(Reason::NoAnswer), Permanent::No, "the core could not reach the handset")
        }
        415 | 420 | 488 | 606 => {
            (Status::Absent, Some(Reason::NoSmsip), Permanent::Link, "the handset does not take SMS over IP")
        }
        401 | 407 => (
            Status::Failed,
            None,
            Permanent::No,
            "the core asks for credentials: it does not treat this frontend as an application server",
        ),
        403 => (
            Status::Failed,
            None,
            Permanent::No,
            "the core forbids it: check that this frontend is trusted there",
        ),
        482 | 483 => (Status::Failed, None, Permanent::No, "the core routes this MESSAGE in a circle"),
        486 | 600 | 603 => (Status::Rejected, None, Permanent::No, "the handset declined"),
        _ => (Status::Failed, None, Permanent::No, "the core refused the MESSAGE"),
    };
    SipOutcome::Ended(Verdict {
        reason,
        permanent,
        sip_status: Some(status),
        ..Verdict::new(outcome, format!("SIP {status}: {why} (RFC 3261 §21)"))
    })
}

/// Judges a handset's RP-ERROR (TS 24.011 §8.2.5.4, TS 23.040 §9.2.3.22).
pub(super) fn of_rp_error(cause: u8, fcs: Option<u8>) -> Verdict {
    let (status, permanent) = match (cause, fcs) {
        (22, _) | (_, Some(0xD0 | 0xD3)) => (Status::MemoryFull, Permanent::No),
        (81 | 95..=99 | 111, _) => (Status::Rejected, Permanent::Message),
        _ => (Status::Failed, Permanent::No),
    };
    let mut detail =
        format!("the handset answered RP-ERROR {cause} ({})", names::rp_cause(cause).unwrap_or("reserved"));
    if let Some(fcs) = fcs {
        detail.push_str(&format!(" with TP-FCS {fcs:#04x} ({})", names::fcs(fcs).unwrap_or("reserved")));
    }
    detail.push_str(" (TS 24.011 §8.2.5.4)");
    Verdict { permanent, rp_cause: Some(cause), tp_fcs: fcs, ..Verdict::new(status, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_2xx_is_no_delivery_and_a_5xx_no_failure() {
        for status in [200, 202] {
            assert_eq!(of_sip_status(status), SipOutcome::Accepted);
        }
        for status in [408, 500, 503, 504, 513] {
            assert_eq!(of_sip_status(status), SipOutcome::Undecided);
        }
    }

    #[test]
    fn definite_refusals_say_what_another_attempt_could_do() {
        let judged = |status| match of_sip_status(status) {
            SipOutcome::Ended(v) => (v.status, v.reason, v.permanent),
            other => panic!("{status}: {other:?}"),
        };
        for status in [404, 410, 604] {
            assert_eq!(judged(status), (Status::Absent, Some(Reason::NotRegistered), Permanent::No));
        }
        for status in [415, 420, 488, 606] {
            assert_eq!(judged(status), (Status::Absent, Some(Reason::NoSmsip), Permanent::Link));
        }
        assert_eq!(judged(480), (Status::Absent, Some(Reason::NoAnswer), Permanent::No));
        assert_eq!(judged(403), (Status::Failed, None, Permanent::No));
        assert_eq!(judged(603), (Status::Rejected, None, Permanent::No));
    }

    #[test]
    fn an_rp_error_is_full_final_or_temporary() {
        let judged = |cause, fcs| {
            let v = of_rp_error(cause, fcs);
            (v.status, v.permanent)
        };
        assert_eq!(judged(22, Some(0xD3)), (Status::MemoryFull, Permanent::No));
        assert_eq!(judged(111, None), (Status::Rejected, Permanent::Message));
        assert_eq!(judged(41, None), (Status::Failed, Permanent::No));
    }
}
