//! A handset as its S-CSCF shows it: what it does with what it gets, and what it has got.

use std::collections::VecDeque;
use std::time::Duration;

use smsc_proto::sip::{Header, Message};
use smsc_proto::sms::{Concatenation, Timestamp};

use super::profile::Profile;
use super::{ms, pod};

/// A handset and its memory.
pub(crate) struct Handset {
    /// Its public identity.
    pub(crate) impu: String,
    /// Its number, digits only.
    pub(crate) msisdn: String,
    /// P-Asserted-Identity of what it sends.
    pub(crate) asserted: Vec<String>,
    /// What it does with the next messages, in order.
    pub(crate) script: VecDeque<Reaction>,
    /// What it does once the script is used up.
    pub(crate) usual: Reaction,
    /// RP-DATA and texts it got, repetitions by the transaction layer taken out.
    pub(crate) inbox: Vec<Incoming>,
    /// What it was told of its own submissions.
    pub(crate) verdicts: Vec<SubmitVerdict>,
    /// RP-MR and text of its submissions that got no submit report.
    pub(crate) submitted: Vec<(u8, String)>,
    /// Texts it has sent over CS or NAS instead.
    pub(crate) fell_back: Vec<String>,
    /// How it answers the next submit reports; then as its profile does.
    pub(crate) verdict_answers: VecDeque<Answer>,
}

/// What a handset does with one message.
#[derive(Debug, Clone)]
pub(crate) struct Reaction {
    pub(crate) answer: Answer,
    /// What the SIP answer says besides.
    pub(crate) headers: Vec<(Header, &'static str)>,
    /// From the arrival to the SIP answer.
    pub(crate) answer_after: Duration,
    pub(crate) report: Report,
    /// From the arrival to the first report.
    pub(crate) report_after: Duration,
    /// How many equal reports it sends, 10 ms apart, each a request of its own.
    pub(crate) reports: u32,
    pub(crate) in_reply_to: InReplyTo,
    /// Where the report comes in; else where the report URI leads.
    pub(crate) to_pod: Option<usize>,
    /// Asserted identities of the report, if not the handset's.
    pub(crate) asserted: Option<Vec<String>>,
    /// How often the network repeats a report that was answered 5xx, 3 s later each.
    pub(crate) retries: u32,
}

/// A SIP answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u16),
    Silence,
    /// The core sends the MESSAGE to this pod instead, and passes its answer back.
    LoopTo(usize),
}

/// The RP report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    Ack,
    /// RP-ACK with this SMS-DELIVER-REPORT.
    AckWith(&'static [u8]),
    /// RP-Cause and TP-FCS.
    Error(u8, Option<u8>),
    None,
}

/// In-Reply-To of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InReplyTo {
    /// The Call-ID of our MESSAGE.
    Token,
    Absent,
    /// What a B2BUA had made of it.
    Rewritten,
}

/// A message as a handset got it.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) body: Body,
    /// RP-MR; 0 for text.
    pub(crate) rp_mr: u8,
    /// The handset will say RP-ACK.
    pub(crate) acknowledged: bool,
    pub(crate) message: Message,
}

/// What a MESSAGE carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Deliver { from: String, text: String, more: bool, scts: Timestamp, part: Option<Concatenation> },
    StatusReport { tp_mr: u8, to: String, status: u8, scts: Timestamp },
    Text(String),
}

/// A submit report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubmitVerdict {
    /// Call-ID of the submission.
    pub(crate) in_reply_to: String,
    pub(crate) rp_mr: u8,
    /// RP-Cause and TP-FCS of an RP-ERROR; `None`: RP-ACK.
    pub(crate) error: Option<(u8, Option<u8>)>,
    /// TP-SCTS of the SMS-SUBMIT-REPORT.
    pub(crate) scts: Option<Timestamp>,
}

impl Handset {
    /// A handset that takes everything.
    pub(crate) fn new(msisdn: &str) -> Self {
        let impu = format!("sip:+{msisdn}@{}", pod::DOMAIN);
        Self {
            asserted: vec![impu.clone(), format!("tel:+{msisdn}")],
            impu,
            msisdn: msisdn.to_owned(),
            script: VecDeque::new(),
            usual: Reaction::delivered(),
            inbox: Vec::new(),
            verdicts: Vec::new(),
            submitted: Vec::new(),
            fell_back: Vec::new(),
            verdict_answers: VecDeque::new(),
        }
    }

    /// Ends the newest submission with the RP-MR of a submit report; what else the report says about whose it is does
    /// not matter.
    pub(super) fn settle(&mut self, profile: Profile, verdict: &SubmitVerdict) {
        let Some(at) = self.submitted.iter().rposition(|(rp_mr, _)| *rp_mr == verdict.rp_mr) else { return };
        let (_, text) = self.submitted.remove(at);
        if verdict.error.is_some_and(|(cause, _)| profile.falls_back(cause)) {
            self.fell_back.push(text);
        }
    }

    /// The texts it has shown, in order.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.inbox
            .iter()
            .filter_map(|incoming| match &incoming.body {
                Body::Deliver { text, .. } | Body::Text(text) => Some(text.as_str()),
                Body::StatusReport { .. } => None,
            })
            .collect()
    }

    /// RP-MR of all it got.
    pub(crate) fn rp_references(&self) -> Vec<u8> {
        self.inbox.iter().map(|incoming| incoming.rp_mr).collect()
    }

    /// RP-Cause of each submit report; `None` for RP-ACK.
    pub(crate) fn causes(&self) -> Vec<Option<u8>> {
        self.verdicts.iter().map(|verdict| verdict.error.map(|(cause, _)| cause)).collect()
    }
}

impl Reaction {
    /// 200 at once, RP-ACK 100 ms after.
    pub(crate) fn delivered() -> Self {
        Self {
            answer: Answer::Status(200),
            headers: Vec::new(),
            answer_after: ms(20),
            report: Report::Ack,
            report_after: ms(100),
            reports: 1,
            in_reply_to: InReplyTo::Token,
            to_pod: None,
            asserted: None,
            retries: 0,
        }
    }

    /// A SIP answer and no report.
    pub(crate) fn only(status: u16) -> Self {
        Self { answer: Answer::Status(status), report: Report::None, ..Self::delivered() }
    }

    /// Neither answer nor report.
    pub(crate) fn silent() -> Self {
        Self { answer: Answer::Silence, report: Report::None, ..Self::delivered() }
    }

    /// 200 and an RP-ERROR.
    pub(crate) fn error(cause: u8, fcs: Option<u8>) -> Self {
        Self { report: Report::Error(cause, fcs), ..Self::delivered() }
    }

    /// The report comes in at this pod.
    pub(crate) fn at_pod(self, pod: usize) -> Self {
        Self { to_pod: Some(pod), ..self }
    }

    /// The report comes so long after the message.
    pub(crate) fn after(self, report_after: Duration) -> Self {
        Self { report_after, ..self }
    }

    /// The report has no In-Reply-To, or one a B2BUA changed.
    pub(crate) fn in_reply_to(self, in_reply_to: InReplyTo) -> Self {
        Self { in_reply_to, ..self }
    }

    /// The SIP answer says more.
    pub(crate) fn saying(self, name: Header, value: &'static str) -> Self {
        let mut headers = self.headers;
        headers.push((name, value));
        Self { headers, ..self }
    }

    /// The SIP answer is another.
    pub(crate) fn answering(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}
