//! SIP messages (RFC 3261): reading, writing, framing. No sockets, no clock, no randomness.
//!
//! [`Message::parse`] scans the head once and remembers where every header line is; nothing is copied and an
//! ordinary MESSAGE costs no allocation. What a header means is read when it is asked for, by the typed
//! accessors of [`Message`]. [`Request`] and [`Response`] write octets; [`StreamFramer`] cuts a TCP stream into
//! messages.
//!
//! The reader is lenient where RFC 4475 §3.1.1 calls a message valid and strict where two readers could see two
//! different messages: a line end that is not CRLF, or two Content-Lengths, is refused.

mod body;
mod content_type;
pub mod cpim;
mod error;
mod fault;
mod header;
mod list;
mod message;
mod method;
mod name_addr;
mod octets;
mod params;
pub mod reginfo;
mod request;
mod response;
mod scan;
pub mod short_message_info;
mod status;
mod stream;
pub mod transaction;
mod transport;
mod typed;
mod uri;
mod via;

pub use body::{BodyPart, MAX_PARTS, MultipartError, multipart};
pub use content_type::ContentType;
pub use error::{HeaderError, ParseError, Problem, UriError};
pub use fault::{RequestFault, classify_malformed};
pub use header::Header;
pub use message::Message;
pub use method::{CSeq, Method};
pub use name_addr::NameAddr;
pub use params::Params;
pub use request::{Request, ViaOut};
pub use response::Response;
pub use scan::{MAX_HEAD, MAX_HEADER_LINES};
pub use status::reason_phrase;
pub use stream::{Framed, MAX_STREAM_BODY, StreamError, StreamFramer};
pub use transport::Transport;
pub use typed::{
    ChargingFunctionAddresses, ChargingVector, ServedUser, SessionCase, Valued, Warning, unescaped,
};
pub use uri::{Scheme, Uri};
pub use via::Via;
