//! Short messages: the relay layer (TS 24.011), the transfer layer (TS 23.040) and their alphabets (TS 23.038).
//!
//! ```text
//! Rpdu (rp)  ── user data ──  Tpdu (tpdu)  ── UserData ──  udh, gsm7 | ucs2 | octets
//! ```
//! Decoders borrow from the octets they are given, allocate nothing, never panic and never read past the end;
//! a [`DecodeError`] names the octet and the clause. [`explain()`] shows the same fields to people.

mod address;
mod dcs;
mod error;
pub mod explain;
mod fields;
pub mod gsm7;
pub mod names;
pub mod pid;
mod reader;
mod rp;
mod split;
mod timestamp;
mod tpdu;
pub mod ucs2;
mod udh;
mod user_data;
mod validity;

pub use address::{Address, AddressError};
pub use dcs::{Alphabet, Dcs, MessageWaiting};
pub use error::{DecodeError, ErrorKind};
pub use explain::explain;
pub use gsm7::{Language, Shift};
pub use rp::{Direction, RpAck, RpData, RpError, RpHeader, Rpdu, rp_header};
pub use split::{Part, SplitError, SplitOptions, split_binary, split_text};
pub use timestamp::Timestamp;
pub use tpdu::{Carrier, Command, Deliver, DeliverReport, StatusReport, Submit, SubmitReport, Tpdu};
pub use udh::{Concatenation, Element, Elements, Indication, Ports};
pub use user_data::{UserData, join_text};
pub use validity::{Enhanced, Period, Validity};
