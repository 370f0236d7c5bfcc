//! Bodies of several parts (RFC 2046 §5.1, RFC 3261 §7.4).

use bytes::Bytes;
use memchr::memmem;

use super::content_type::ContentType;
use super::error::ParseError;
use super::header::Header;
use super::message::Message;
use super::scan::{self, Lines};

/// The most parts taken from one multipart body.
pub const MAX_PARTS: usize = 16;

/// How deep multipart bodies may stand in one another.
const MAX_DEPTH: usize = 3;

/// Why a multipart body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The Content-Type is no multipart, or has no usable boundary.
    #[error("no multipart Content-Type with a boundary of 1 to 70 characters")]
    Boundary,
    /// No part begins, or the last one does not end.
    #[error("octet {offset}: the boundary that should follow is missing")]
    Unterminated {
        /// Where the search began.
        offset: usize,
    },
    /// More than [`MAX_PARTS`] parts.
    #[error("more than {MAX_PARTS} parts")]
    TooManyParts,
    /// The header lines of a part cannot be read; offsets count from the start of the part.
    #[error("part {part}: {error}")]
    Part {
        /// Which part, from 1.
        part: usize,
        /// What is wrong.
        error: ParseError,
    },
}

/// One part of a multipart body.
#[derive(Clone)]
pub struct BodyPart {
    head: Bytes,
    lines: Lines,
    /// The content of the part.
    pub body: Bytes,
}

impl BodyPart {
    /// The value of the first line of this header; None if absent or not UTF-8.
    pub fn header(&self, name: Header) -> Option<&str> {
        self.lines.of(name).next().and_then(|line| std::str::from_utf8(line.value.of(&self.head)).ok())
    }

    /// The part's Content-Type; None if absent (which means text/plain) or unreadable.
    pub fn content_type(&self) -> Option<ContentType<'_>> {
        self.header(Header::ContentType).and_then(ContentType::parse)
    }
}

impl std::fmt::Debug for BodyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyPart")
            .field("content_type", &self.header(Header::ContentType))
            .field("octets", &self.body.len())
            .finish()
    }
}

/// Takes a multipart body apart. The parts share the body's octets.
///
/// # Errors
/// [`MultipartError`] if the boundary is missing anywhere it is due, or there are too many parts.
pub fn multipart(content_type: &ContentType<'_>, body: &Bytes) -> Result<Vec<BodyPart>, MultipartError> {
    let boundary = content_type
        .param("boundary")
        .filter(|boundary| content_type.is_multipart() && (1..=70).contains(&boundary.len()))
        .ok_or(MultipartError::Boundary)?;
    let delimiter = format!("--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let unterminated = |offset| MultipartError::Unterminated { offset };
    let mut parts = Vec::new();
    let mut line = next_delimiter(body, &finder, 0).ok_or(unterminated(0))?;
    while !line.last {
        if parts.len() == MAX_PARTS {
            return Err(MultipartError::TooManyParts);
        }
        let next = next_delimiter(body, &finder, line.behind).ok_or(unterminated(line.behind))?;
        // A part without headers and content has nothing between its delimiters, not even the line end it shares.
        let part = body.slice(line.behind..next.before.max(line.behind));
        parts.push(read_part(part).map_err(|error| MultipartError::Part { part: parts.len() + 1, error })?);
        line = next;
    }
    Ok(parts)
}

impl Message {
    /// The content of this media type: the body itself, or the first such part of a multipart body, also of one that
    /// stands in another. None if there is none or the body cannot be read.
    pub fn content(&self, kind: &str, subtype: &str) -> Option<Bytes> {
        find(&self.content_type()?, &self.body(), kind, subtype, MAX_DEPTH)
    }
}

fn find(
    content_type: &ContentType<'_>,
    body: &Bytes,
    kind: &str,
    subtype: &str,
    depth: usize,
) -> Option<Bytes> {
    if content_type.is(kind, subtype) {
        return Some(body.clone());
    }
    if depth == 0 || !content_type.is_multipart() {
        return None;
    }
    let parts = multipart(content_type, body).ok()?;
    parts.iter().find_map(|part| find(&part.content_type()?, &part.body, kind, subtype, depth - 1))
}

fn read_part(part: Bytes) -> Result<BodyPart, ParseError> {
    let mut lines = Lines::new();
    let head = scan::head(&part, 0, &mut lines)?;
    let body = part.slice(head.end..);
    Ok(BodyPart { head: head.unfolded.unwrap_or(part), lines, body })
}

/// A delimiter line.
struct Delimiter {
    /// Where the content before it ends: the line end before the delimiter belongs to the delimiter.
    before: usize,
    /// Where what follows the line begins.
    behind: usize,
    /// Whether it is the closing one.
    last: bool,
}

fn next_delimiter(body: &[u8], finder: &memmem::Finder<'_>, from: usize) -> Option<Delimiter> {
    let mut at = from;
    loop {
        let start = at + finder.find(&body[at..])?;
        at = start + finder.needle().len();
        let Some(before) = line_start(body, start) else { continue };
        let rest = &body[at..];
        let (last, rest) = match rest.strip_prefix(b"--") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let padding = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let rest = &rest[padding..];
        let line_end = if rest.starts_with(b"\r\n") {
            2
        } else if rest.is_empty() && last {
            0
        } else {
            // A longer boundary that begins with this one, or text.
            continue;
        };
        return Some(Delimiter { before, behind: body.len() - rest.len() + line_end, last });
    }
}

/// Where the content before a delimiter at `start` ends; None if the delimiter does not begin a line.
fn line_start(body: &[u8], start: usize) -> Option<usize> {
    if start == 0 { Some(0) } else { body[..start].ends_with(b"\r\n").then(|| start - 2) }
}
