//! What goes into a handset, what comes out of it, and how it is shown.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::outbox::Progress;

/// How a handset behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Mode {
    /// As it should.
    On,
    /// Out of reach; the core answers 480.
    Off,
    /// Its memory is full: RP-ERROR 22.
    Full,
    /// Takes messages and never reports.
    Mute,
}

/// What a handset wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Uplink {
    /// Its Call-ID.
    pub(in super::super) call_id: String,
    /// The Call-ID it answers to.
    pub(in super::super) in_reply_to: Option<String>,
    /// The Request-URI; absent: the service centre's.
    pub(in super::super) to: Option<String>,
    /// What it carries.
    pub(in super::super) body: Body,
}

/// The body of a MESSAGE, of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Body {
    /// application/vnd.3gpp.sms.
    Rpdu(Bytes),
    /// text/plain.
    Text(String),
}

/// What a handset receives.
#[derive(Debug)]
pub(in super::super) struct Downlink {
    /// Its Call-ID.
    pub(in super::super) call_id: String,
    /// The Call-IDs it answers to.
    pub(in super::super) in_reply_to: Vec<String>,
    /// Who sends, as the core asserts: reports go there.
    pub(in super::super) asserted: String,
    /// What it carries.
    pub(in super::super) body: Body,
}

/// One line of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Line {
    /// Number of the message; absent where it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) message: Option<u32>,
    /// The other side: name, or number.
    pub(in super::super) peer: String,
    /// The text.
    pub(in super::super) text: String,
    /// In how many SMS.
    pub(in super::super) parts: usize,
    /// How far it has come; absent where it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in super::super) progress: Option<Progress>,
}

/// A handset as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct View {
    /// Its owner.
    pub(in super::super) name: &'static str,
    /// Its number.
    pub(in super::super) number: String,
    /// How it behaves.
    pub(in super::super) mode: Mode,
    /// True if it takes text/plain only.
    pub(in super::super) plain: bool,
    /// What was sent and received, oldest first.
    pub(in super::super) chat: Vec<Line>,
}
