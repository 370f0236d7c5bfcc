//! What a handset has sent: every part with what the service centre said of it.

use std::collections::VecDeque;

use serde::Serialize;
use smsc_proto::sms::names::{self, StatusClass};
use smsc_proto::sms::{Address, StatusReport, Timestamp};

/// Messages kept; beyond, the oldest is forgotten.
const CAP: usize = 200;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    /// Not all of it is with the service centre.
    Sending,
    /// The service centre has all of it.
    Stored,
    /// Every part's status report says that it was received.
    Delivered,
    /// It did not go, or never will.
    Failed,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) message: u32,
    pub(super) da: Address,
    pub(super) parts: Vec<SentPart>,
    pub(super) failed: bool,
}

/// One SMS-SUBMIT of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentPart {
    pub(super) tp_mr: u8,
    /// True once the service centre has it.
    pub(super) stored: bool,
    /// TP-SCTS of its SMS-SUBMIT-REPORT.
    pub(super) scts: Option<Timestamp>,
    /// TP-ST of its SMS-STATUS-REPORT.
    pub(super) status: Option<u8>,
}

impl SentPart {
    /// A part not sent yet.
    pub(super) fn new(tp_mr: u8) -> Self {
        Self { tp_mr, stored: false, scts: None, status: None }
    }
}

impl Sent {
    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        if self.failed {
            Progress::Failed
        } else if self.parts.iter().all(|part| part.status.is_some()) {
            Progress::Delivered
        } else if self.parts.iter().all(|part| part.stored) {
            Progress::Stored
        } else {
            Progress::Sending
        }
    }
}

/// What a status report changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reported {
    /// The last part's: the whole message was received.
    Delivered { message: u32, status: String },
    /// A part's; others are awaited, or the service centre still tries.
    Part { message: u32, status: String },
    /// It never will be.
    Failed { message: u32, why: String },
    /// It is about nothing this handset has sent.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    sent: VecDeque<Sent>,
}

impl Outbox {
    pub(super) fn add(&mut self, sent: Sent) {
        self.sent.push_back(sent);
        if self.sent.len() > CAP {
            self.sent.pop_front();
        }
    }

    pub(super) fn find(&mut self, message: u32) -> Option<&mut Sent> {
        self.sent.iter_mut().find(|sent| sent.message == message)
    }

    /// How far a message has come; forgotten ones are nowhere.
    pub(super) fn progress(&self, message: u32) -> Option<Progress> {
        self.sent.iter().find(|sent| sent.message == message).map(Sent::progress)
    }

    /// Takes an SMS-STATUS-REPORT: TP-MR, TP-RA and TP-SCTS must all be those of one submission (TS 23.040 §9.2.3.6).
    pub(super) fn report(&mut self, report: &StatusReport<'_>) -> Reported {
        let meant = |sent: &Sent, part: &SentPart| {
            part.tp_mr == report.mr
                && sent.da == report.ra
                && part.scts.is_none_or(|scts| scts == report.scts)
        };
        let found = self.sent.iter_mut().rev().find_map(|sent| {
            let at = sent.parts.iter().position(|part| meant(sent, part))?;
            Some((sent, at))
        });
        let Some((sent, at)) = found else { return Reported::Unknown };
        let (message, status) = (sent.message, names::status(report.status).to_owned());
        match StatusClass::of(report.status) {
            StatusClass::StillTrying => Reported::Part { message, status },
            StatusClass::Permanent | StatusClass::GaveUp => {
                sent.failed = true;
                Reported::Failed { message, why: format!("its status report says: {status}") }
            }
            StatusClass::Completed => {
                sent.parts[at].status = Some(report.status);
                match sent.progress() {
                    Progress::Delivered => Reported::Delivered { message, status },
                    _ => Reported::Part { message, status },
                }
            }
        }
    }
}
