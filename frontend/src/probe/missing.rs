//! What was missing, in one sentence that says what to look at.

use std::io;
use std::net::SocketAddr;

use smsc_proto::sip::Transport;

/// Why a probe did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The probe's own address cannot be had.
    #[error("--listen {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no way to the frontend.
    #[error("no route to {frontend}: {source}")]
    Route {
        /// The frontend.
        frontend: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The name leads nowhere.
    #[error("{host} leads to no address: {why}")]
    Name {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// The handset cannot send that.
    #[error("the message cannot be sent: {0}")]
    Unsendable(String),
    /// Nothing came back.
    #[error(
        "{frontend} gave no answer to {method} over {transport}: nobody listens there, something between drops it, or \
         its answer cannot reach {at} (--listen, --advertise)"
    )]
    NoAnswer {
        /// What was sent.
        method: &'static str,
        /// To whom.
        frontend: SocketAddr,
        /// Over what.
        transport: Transport,
        /// Where the probe is.
        at: String,
    },
    /// 403.
    #[error(
        "{method} was answered 403: {seen}, as the frontend sees this probe, is not in its trusted_peers"
    )]
    NotTrusted {
        /// What was sent.
        method: &'static str,
        /// The probe's address.
        seen: String,
    },
    /// Another status that is no success.
    #[error("{method} was answered {status} ({phrase}); the frontend's log says why")]
    Refused {
        /// What was sent.
        method: &'static str,
        /// The status.
        status: u16,
        /// Its name.
        phrase: &'static str,
    },
    /// The submission was refused.
    #[error("the message was not taken: {why}; {hint}")]
    RpError {
        /// RP-ERROR and its cause.
        why: String,
        /// What to look at.
        hint: &'static str,
    },
    /// Neither RP-ACK nor RP-ERROR.
    #[error(
        "the MESSAGE was answered 202, but no RP-ACK came: the frontend must send to {at}, which takes that it can reach \
         it and that its s_cscf_sip_uri does not point elsewhere"
    )]
    NoRpAck {
        /// Where the probe is.
        at: String,
    },
    /// The message did not come.
    #[error(
        "RP-ACK came, but no MESSAGE for {number}: the backend does not route it to a location that is polled, or not to \
         the S-CSCF at {at} (s_cscf_sip_uri of another pod?); `smsc-frontend why {number}` tells its attempts"
    )]
    NoMessage {
        /// Where the probe is.
        at: String,
        /// The recipient.
        number: String,
    },
    /// Another text came.
    #[error("the text that came is another: {came:?}")]
    OtherText {
        /// What came.
        came: String,
    },
    /// The recipient's RP-ACK was not taken.
    #[error(
        "the recipient has the message, but its RP-ACK was answered {answer}: the backend did not take the outcome \
         (process_message)"
    )]
    ReportRefused {
        /// How it was answered.
        answer: String,
    },
    /// All is well but for the end.
    #[error(
        "the recipient has the message, but no SMS-STATUS-REPORT came: the backend makes it, in the queue of the sender's \
         location"
    )]
    NoStatusReport,
    /// The backend gave it up.
    #[error("the backend has given the message up: {why}")]
    NotDelivered {
        /// What its SMS-STATUS-REPORT says.
        why: String,
    },
}

impl Missing {
    /// True if another try can only end the same way.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::NotTrusted { .. })
    }
}

/// What an RP-ERROR points to.
pub(super) fn hint(why: &str) -> &'static str {
    if why.starts_with("RP-ERROR 41") {
        "the frontend had no answer from its backend (`smsc-frontend check --core` asks it)"
    } else {
        "the backend has refused it"
    }
}
