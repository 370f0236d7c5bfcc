//! Handsets and cores as they are met in the field: each bends what the standards say, and no promise may break.

use std::time::Duration;

use super::handset::{Answer, InReplyTo, Reaction};
use super::ms;

/// When, after its first report, a Samsung handset sends it again.
const SENT_AGAIN: [Duration; 4] = [ms(300), ms(1000), ms(3000), ms(8000)];
/// What a report loses that met a 488 first and was sent once more.
const REFUSED_ONCE: Duration = ms(500);

/// A quirk of the handsets or of the core in front of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Profile {
    /// What the standards say.
    #[default]
    Standard,
    /// Knows a submit report by its RP-MR alone, and sends over CS or NAS at once what gets an RP-Cause other than 41:
    /// a second copy that no key of ours ever sees.
    Android,
    /// Sends each of its reports five times, with a new Call-ID each, whatever the answer.
    Samsung,
    /// A P-CSCF that is a B2BUA: Call-IDs and tags are other ones on its other side, so that In-Reply-To names a
    /// Call-ID nobody knows.
    B2bua,
    /// Answers 488 to an RP-ACK: to every submit report of ours, and to a handset's report the first time it is sent.
    Refuses488,
}

impl Profile {
    /// Every profile.
    pub(crate) const ALL: [Self; 5] =
        [Self::Standard, Self::Android, Self::Samsung, Self::B2bua, Self::Refuses488];
    /// Those under which a report brings our token back.
    pub(crate) const WITH_TOKENS: [Self; 4] =
        [Self::Standard, Self::Android, Self::Samsung, Self::Refuses488];

    /// True if In-Reply-To of a report is what we called our MESSAGE.
    pub(crate) fn keeps_tokens(self) -> bool {
        self != Self::B2bua
    }

    /// True if a handset never takes the RP-ACK for what it has submitted.
    pub(crate) fn refuses_rp_ack(self) -> bool {
        self == Self::Refuses488
    }

    /// TP-MR of a handset's `n`th message. Phones exist whose TP-MR is always the same; but of one that takes no RP-ACK
    /// only TP-MR tells another message from the same one sent again.
    pub(crate) fn tp_mr(self, n: u8) -> u8 {
        if self.refuses_rp_ack() { n } else { 1 }
    }

    /// When the reports to a message go out, from its arrival.
    pub(super) fn reports(self, reaction: &Reaction) -> Vec<Duration> {
        let usual = (0..reaction.reports).map(|copy| reaction.report_after + ms(10) * copy);
        match self {
            Self::Samsung => usual
                .flat_map(|at| [ms(0)].into_iter().chain(SENT_AGAIN).map(move |later| at + later))
                .collect(),
            Self::Refuses488 => usual.map(|at| at + REFUSED_ONCE).collect(),
            _ => usual.collect(),
        }
    }

    /// In-Reply-To as it arrives, of a handset that writes this.
    pub(super) fn in_reply_to(self, written: InReplyTo) -> InReplyTo {
        match written {
            InReplyTo::Token if !self.keeps_tokens() => InReplyTo::Rewritten,
            other => other,
        }
    }

    /// Call-ID and From tag of a handset's `n`th request as they reach us.
    pub(super) fn dialog(self, n: u32) -> (String, String) {
        match self {
            Self::B2bua => (format!("b2bua-{n}@192.0.2.77"), format!("b2bua{n}")),
            _ => (format!("ue-{n}@visited.example"), "583558".to_owned()),
        }
    }

    /// The answer to a submit report.
    pub(super) fn answer_to_submit_report(self) -> Answer {
        Answer::Status(if self.refuses_rp_ack() { 488 } else { 200 })
    }

    /// True if a submission that got this RP-Cause goes out over CS or NAS.
    pub(super) fn falls_back(self, cause: u8) -> bool {
        self == Self::Android && cause != 41
    }
}
