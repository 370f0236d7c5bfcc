//! What goes into a handset, what comes out of it, and how it is shown.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::outbox::Progress;

/// How a handset behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
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
pub(crate) struct Uplink {
    /// Its Call-ID.
    pub(crate) call_id: String,
    /// The Call-ID it answers to.
    pub(crate) in_reply_to: Option<String>,
    /// The Request-URI; absent: the service centre's.
    pub(crate) to: Option<String>,
    /// What it carries.
    pub(crate) body: Body,
}

/// The body of a MESSAGE, of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// application/vnd.3gpp.sms.
    Rpdu(Bytes),
    /// text/plain.
    Text(String),
}

/// What a handset receives.
#[derive(Debug)]
pub(crate) struct Downlink {
    /// Its Call-ID.
    pub(crate) call_id: String,
    /// The Call-IDs it answers to.
    pub(crate) in_reply_to: Vec<String>,
    /// Who sends, as the core asserts: reports go there.
    pub(crate) asserted: String,
    /// What it carries.
    pub(crate) body: Body,
}

/// One line of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// Number of the message; absent where it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<u32>,
    /// The other side: name, or number.
    pub(crate) peer: String,
    /// The text.
    pub(crate) text: String,
    /// In how many SMS.
    pub(crate) parts: usize,
    /// How far it has come; absent where it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<Progress>,
}

/// A handset as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct View {
    /// Its owner.
    pub(crate) name: &'static str,
    /// Its number.
    pub(crate) number: String,
    /// How it behaves.
    pub(crate) mode: Mode,
    /// True if it takes text/plain only.
    pub(crate) plain: bool,
    /// What was sent and received, oldest first.
    pub(crate) chat: Vec<Line>,
}
