//! Other people's SIP parsers beside ours: do they read what we write as we do, and what does reading cost?
//!
//! ```text
//! octets ── ours ──┐
//!        ── rsip ──┼── Reading ── differences ── exceptions (each with the clause that decides)
//!        ── rsipstack
//! ```

mod differences;
pub mod exceptions;
pub mod inputs;
pub mod kinds;
mod ours;
mod reading;
mod rsip_reader;
mod rsipstack_reader;
pub mod works;

pub use differences::{FIELDS, differences};
pub use exceptions::{Exception, Wrong};
pub use ours::ours;
pub use reading::{Address, CSeq, Field, Hop, Line, Params, Party, Reading, Start};

/// A parser that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// `rsip` 0.4.
    Rsip,
    /// The parser of `rsipstack` 0.7.
    Rsipstack,
}

impl Reader {
    /// Both.
    pub const ALL: [Reader; 2] = [Reader::Rsip, Reader::Rsipstack];

    /// What it understands of a message.
    ///
    /// # Errors
    /// It refuses the message as a whole; this is what it says.
    pub fn read(self, octets: &[u8]) -> Result<Reading, String> {
        match self {
            Reader::Rsip => rsip_reader::read(octets),
            Reader::Rsipstack => rsipstack_reader::read(octets),
        }
    }
}
