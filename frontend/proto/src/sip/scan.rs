//! The one scan over a head: start line, then where each header line's name and value stand.

use bytes::Bytes;
use memchr::{memchr, memchr2, memmem, memrchr};

use super::error::ParseError;
use super::header::Header;
use super::octets::{is_blank, is_token};

/// The longest header section taken, start line and empty line included, in octets.
pub const MAX_HEAD: usize = 16 * 1024;

/// The most header lines taken.
pub const MAX_HEADER_LINES: usize = 128;

/// Header lines indexed without an allocation.
const INLINE_LINES: usize = 40;

/// A range of a head. Sixteen bits suffice: no head is longer than [`MAX_HEAD`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn new(start: usize, end: usize) -> Span {
        const { assert!(MAX_HEAD <= u16::MAX as usize) };
        Span { start: start as u16, end: end as u16 }
    }

    pub(super) fn of(self, octets: &[u8]) -> &[u8] {
        &octets[usize::from(self.start)..usize::from(self.end)]
    }

    pub(super) fn start(self) -> usize {
        usize::from(self.start)
    }
}

/// One header line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) header: Option<Header>,
    pub(super) name: Span,
    pub(super) value: Span,
}

/// The header lines of one head, in order.
#[derive(Clone)]
pub(super) struct Lines {
    inline: [Line; INLINE_LINES],
    count: usize,
    spilled: Vec<Line>,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines { inline: [Line::default(); INLINE_LINES], count: 0, spilled: Vec::new() }
    }

    fn push(&mut self, line: Line) {
        match self.inline.get_mut(self.count) {
            Some(slot) => *slot = line,
            None => self.spilled.push(line),
        }
        self.count += 1;
    }

    fn clear(&mut self) {
        self.count = 0;
        self.spilled.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.inline[..self.count.min(INLINE_LINES)].iter().chain(&self.spilled)
    }

    pub(super) fn of(&self, header: Header) -> impl Iterator<Item = &Line> {
        self.iter().filter(move |line| line.header == Some(header))
    }
}

/// The first line of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartLine {
    Request { method: Span, uri: Span, version: Span },
    Status { code: u16, reason: Span },
}

/// A head that was read.
pub(super) struct Head {
    /// The head with every fold made blanks; absent if there was none, so that the lines index the octets parsed.
    pub(super) unfolded: Option<Bytes>,
    /// Where what follows the head begins.
    pub(super) end: usize,
}

/// Reads the start line at `start`; also returns where the next line begins.
pub(super) fn start_line(octets: &[u8], start: usize) -> Result<(StartLine, usize), ParseError> {
    let window = &octets[..octets.len().min(MAX_HEAD)];
    let end = line_end(window, start, octets.len())?;
    let line = &octets[start..end];
    let refused = |problem| ParseError::StartLine { offset: start, problem };
    let parsed = if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        status_line(line, start)?
    } else {
        request_line(line, start).map_err(refused)?
    };
    Ok((parsed, end + 2))
}

/// Reads the header lines from `start` to the empty line into `lines`, which is filled in place because it is large.
pub(super) fn head(octets: &[u8], start: usize, lines: &mut Lines) -> Result<Head, ParseError> {
    if let Some(end) = header_lines(octets, start, lines)? {
        return Ok(Head { unfolded: None, end });
    }
    let unfolded = unfold(octets, start)?;
    // Unfolding leaves no blank behind a CRLF, except behind the start line, where it continues nothing.
    let end = header_lines(&unfolded, start, lines)?.ok_or(ParseError::HeaderLine { offset: start })?;
    Ok(Head { unfolded: Some(unfolded.into()), end })
}

fn request_line(line: &[u8], start: usize) -> Result<StartLine, &'static str> {
    let first = memchr(b' ', line).ok_or("neither request nor status line")?;
    let last = memrchr(b' ', line).filter(|&last| last > first).ok_or("no SIP version")?;
    let (method, uri, version) = (&line[..first], &line[first + 1..last], &line[last + 1..]);
    if method.is_empty() || !method.iter().copied().all(is_token) {
        return Err("method is not a token");
    }
    if !is_version(version) {
        return Err("no SIP version");
    }
    if uri.is_empty() || !uri.iter().fold(true, |all, octet| all & octet.is_ascii_graphic()) {
        return Err("Request-URI is empty or has blanks or control characters");
    }
    Ok(StartLine::Request {
        method: Span::new(start, start + first),
        uri: Span::new(start + first + 1, start + last),
        version: Span::new(start + last + 1, start + line.len()),
    })
}

fn status_line(line: &[u8], start: usize) -> Result<StartLine, ParseError> {
    let refused = |problem| ParseError::StartLine { offset: start, problem };
    let space = memchr(b' ', line).ok_or(refused("no status code"))?;
    let (version, rest) = (&line[..space], &line[space + 1..]);
    if !is_version(version) {
        return Err(refused("no SIP version"));
    }
    if !version[4..].eq(b"2.0") {
        return Err(ParseError::Version { offset: start });
    }
    let code = match rest {
        [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9']
        | [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
            [*a, *b, *c].iter().fold(0u16, |code, digit| code * 10 + u16::from(digit - b'0'))
        }
        _ => return Err(refused("status code is not three digits from 100 to 699")),
    };
    let reason = start + line.len() - rest.len().saturating_sub(4);
    Ok(StartLine::Status { code, reason: Span::new(reason, start + line.len()) })
}

/// Whether `octets` is `SIP/digits.digits`.
fn is_version(octets: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if octets == b"SIP/2.0" {
        return true;
    }
    octets.len() > 4
        && octets[..4].eq_ignore_ascii_case(b"SIP/")
        && memchr(b'.', octets).is_some_and(|dot| digits(&octets[4..dot]) && digits(&octets[dot + 1..]))
}

/// Reads the header lines from `start`; returns where the empty line behind them ends, or None if a line is folded.
fn header_lines(octets: &[u8], start: usize, lines: &mut Lines) -> Result<Option<usize>, ParseError> {
    let window = &octets[..octets.len().min(MAX_HEAD)];
    lines.clear();
    let mut at = start;
    loop {
        match window.get(at) {
            Some(b'\r') if window.get(at + 1) == Some(&b'\n') => {
                return Ok(Some(at + 2));
            }
            Some(octet) if is_blank(*octet) => return Ok(None),
            Some(_) => {}
            None => return Err(unterminated(octets)),
        }
        if lines.count == MAX_HEADER_LINES {
            return Err(ParseError::TooManyHeaders { offset: at, limit: MAX_HEADER_LINES });
        }
        let end = line_end(window, at, octets.len())?;
        let name_end = at + window[at..end].iter().take_while(|&&octet| is_token(octet)).count();
        let colon = skip_blanks(window, name_end, end);
        if name_end == at || window[colon] != b':' {
            return Err(ParseError::HeaderLine { offset: at });
        }
        let value = skip_blanks(window, colon + 1, end);
        let mut value_end = end;
        while value_end > value && is_blank(window[value_end - 1]) {
            value_end -= 1;
        }
        lines.push(Line {
            header: Header::from_name(&window[at..name_end]),
            name: Span::new(at, name_end),
            value: Span::new(value, value_end),
        });
        at = end + 2;
    }
}

/// The first octet from `from` on that is no blank, at most `end`.
fn skip_blanks(octets: &[u8], from: usize, end: usize) -> usize {
    let mut at = from;
    while at < end && is_blank(octets[at]) {
        at += 1;
    }
    at
}

/// Where the CRLF stands that ends the line which `from` is in. `total` is how many octets there really are.
fn line_end(window: &[u8], from: usize, total: usize) -> Result<usize, ParseError> {
    // Line ends in front of the start line may alone be longer than a head.
    let Some(found) = window.get(from..).and_then(|rest| memchr2(b'\r', b'\n', rest)) else {
        return Err(ended(window, total));
    };
    let at = from + found;
    match (window[at], window.get(at + 1)) {
        (b'\r', Some(b'\n')) => Ok(at),
        (b'\r', None) => Err(ended(window, total)),
        _ => Err(ParseError::StrayLineEnd { offset: at }),
    }
}

fn unterminated(octets: &[u8]) -> ParseError {
    ended(&octets[..octets.len().min(MAX_HEAD)], octets.len())
}

/// The octets ended inside the head: because there are no more, or because it is too long.
fn ended(window: &[u8], total: usize) -> ParseError {
    if total > window.len() {
        ParseError::HeadTooLong { limit: MAX_HEAD }
    } else {
        ParseError::HeadUnterminated { offset: total }
    }
}

/// A copy of the head in which each fold (RFC 3261 §7.3.1) is blanks. Every octet keeps its place.
fn unfold(octets: &[u8], start: usize) -> Result<Vec<u8>, ParseError> {
    let window = &octets[..octets.len().min(MAX_HEAD)];
    // The CRLF of the start line counts, or an empty header section would not be seen.
    let from = start.saturating_sub(2);
    let end = memmem::find(&window[from..], b"\r\n\r\n").ok_or_else(|| unterminated(octets))?;
    let mut copy = window[..from + end + 4].to_vec();
    for at in start..copy.len() - 2 {
        if copy[at] == b'\r' && copy[at + 1] == b'\n' && is_blank(copy[at + 2]) {
            copy[at] = b' ';
            copy[at + 1] = b' ';
        }
    }
    Ok(copy)
}

/// The start line of a request that need only be good enough to answer it: a method and something behind it.
pub(super) fn salvaged_start_line(octets: &[u8], start: usize) -> Option<(StartLine, usize)> {
    if let Ok((line, next)) = start_line(octets, start) {
        return matches!(line, StartLine::Request { .. }).then_some((line, next));
    }
    let window = &octets[..octets.len().min(MAX_HEAD)];
    let end = line_end(window, start, octets.len()).ok()?;
    let line = &octets[start..end];
    let space = memchr(b' ', line).filter(|&space| space > 0)?;
    if !line[..space].iter().copied().all(is_token) {
        return None;
    }
    let method = Span::new(start, start + space);
    let empty = Span::new(end, end);
    Some((StartLine::Request { method, uri: empty, version: empty }, end + 2))
}

/// The header lines that can be told apart of a head with broken ones, up to its empty line or the octets' end.
pub(super) fn salvaged_head(octets: &[u8], start: usize, lines: &mut Lines) -> Option<Head> {
    let window = &octets[..octets.len().min(MAX_HEAD)];
    let mut kept = window[..start].to_vec();
    let mut at = start;
    while let Ok(end) = line_end(window, at, octets.len()) {
        if end == at {
            break;
        }
        let line = &window[at..end + 2];
        let name = line.iter().take_while(|&&octet| is_token(octet)).count();
        let blanks = line[name..].iter().take_while(|&&octet| is_blank(octet)).count();
        if name > 0 && line.get(name + blanks) == Some(&b':') {
            kept.extend_from_slice(line);
        }
        at = end + 2;
    }
    kept.extend_from_slice(b"\r\n");
    let end = header_lines(&kept, start, lines).ok()??;
    Some(Head { unfolded: Some(kept.into()), end })
}
