//! Why a message, a header or a URI was refused.

use super::header::Header;

/// A message whose structure cannot be read. Offsets count octets from the start of what was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No octets but line ends: a keep-alive (RFC 5626 §3.5.1) or nothing.
    #[error("no message, only line ends")]
    Empty,
    /// Neither a request line nor a status line (RFC 3261 §7.1, §7.2).
    #[error("octet {offset}: start line: {problem}")]
    StartLine {
        /// Where the start line begins.
        offset: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A response of another SIP version than 2.0.
    #[error("octet {offset}: a response of another SIP version than 2.0")]
    Version {
        /// Where the start line begins.
        offset: usize,
    },
    /// A CR or LF that is not part of a CRLF. Refused because others may see a line end there, or none.
    #[error("octet {offset}: CR or LF alone")]
    StrayLineEnd {
        /// Where it stands.
        offset: usize,
    },
    /// A header line that does not begin with a name and a colon (RFC 3261 §7.3.1).
    #[error("octet {offset}: header line without a name and a colon")]
    HeaderLine {
        /// Where the line begins.
        offset: usize,
    },
    /// No empty line ends the header section.
    #[error("octet {offset}: no empty line ends the header section")]
    HeadUnterminated {
        /// Where the octets end.
        offset: usize,
    },
    /// The header section is longer than [`MAX_HEAD`](super::MAX_HEAD).
    #[error("header section longer than {limit} octets")]
    HeadTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// More header lines than [`MAX_HEADER_LINES`](super::MAX_HEADER_LINES).
    #[error("octet {offset}: more than {limit} header lines")]
    TooManyHeaders {
        /// Where the first line too many begins.
        offset: usize,
        /// The limit in lines.
        limit: usize,
    },
    /// A Content-Length that is no number, or not one this program could ever take.
    #[error("octet {offset}: Content-Length is not a usable number")]
    ContentLength {
        /// Where the value begins.
        offset: usize,
    },
    /// Two Content-Lengths that differ (RFC 4475 §3.3.9).
    #[error("octet {offset}: a second, different Content-Length")]
    ContentLengthConflict {
        /// Where the second value begins.
        offset: usize,
    },
    /// Fewer octets than Content-Length says (RFC 3261 §18.3).
    #[error("octet {offset}: Content-Length says {declared} octets, {present} follow")]
    BodyTruncated {
        /// Where the body begins.
        offset: usize,
        /// What Content-Length says.
        declared: usize,
        /// How many octets there are.
        present: usize,
    },
}

impl ParseError {
    /// A short name for the kind of error, for metric labels.
    pub const fn reason(&self) -> &'static str {
        match self {
            ParseError::Empty => "empty",
            ParseError::StartLine { .. } => "start_line",
            ParseError::Version { .. } => "version",
            ParseError::StrayLineEnd { .. } => "line_end",
            ParseError::HeaderLine { .. } => "header_line",
            ParseError::HeadUnterminated { .. } => "head_unterminated",
            ParseError::HeadTooLong { .. } => "head_too_long",
            ParseError::TooManyHeaders { .. } => "too_many_headers",
            ParseError::ContentLength { .. } | ParseError::ContentLengthConflict { .. } => "content_length",
            ParseError::BodyTruncated { .. } => "body_truncated",
        }
    }
}

/// A header that is absent or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// Which header.
    pub header: Header,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The header is not there.
    #[error("missing")]
    Missing,
    /// The value, or a list element, is empty.
    #[error("empty")]
    Empty,
    /// The value is not UTF-8 (RFC 3261 §7).
    #[error("not UTF-8")]
    NotUtf8,
    /// The header may appear once and appears more often.
    #[error("more than once")]
    Repeated,
    /// A quoted string without its closing quote.
    #[error("quote not closed")]
    OpenQuote,
    /// `<` without `>`.
    #[error("'<' not closed")]
    OpenAngle,
    /// Something other than parameters after the value.
    #[error("something other than ';' after the value")]
    Trailing,
    /// Blanks inside a value that has none.
    #[error("blank or control character inside")]
    Blank,
    /// The sent-protocol of a Via is not `SIP/2.0/transport`.
    #[error("sent-protocol is not SIP/2.0/transport")]
    Protocol,
    /// A host that is no name, IPv4 address or bracketed IPv6 address; or a bad port.
    #[error("sent-by: {0}")]
    SentBy(UriError),
    /// The URI cannot be read.
    #[error("{0}")]
    Uri(UriError),
    /// Not a number where one is due.
    #[error("not a number")]
    NotANumber,
    /// A number beyond what the header allows.
    #[error("number too large")]
    NumberTooLarge,
    /// CSeq without a method.
    #[error("no method")]
    NoMethod,
    /// Characters that a token cannot have.
    #[error("not a token")]
    NotAToken,
}

/// Why a URI was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No `scheme:` at the start.
    #[error("no URI scheme")]
    Scheme,
    /// A blank, control character, `<`, `>` or `"` inside.
    #[error("character not allowed in a URI")]
    Character,
    /// More than one `@`.
    #[error("more than one '@'")]
    At,
    /// `@` with nothing before it, or a tel URI without a number.
    #[error("no user or number")]
    User,
    /// No host, or one with characters no host has, or IPv6 without brackets.
    #[error("bad host")]
    Host,
    /// A port that is no number up to 65535.
    #[error("bad port")]
    Port,
}
