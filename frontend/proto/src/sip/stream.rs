//! Cutting a stream into messages (RFC 3261 §18.3).

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memmem};

use super::header::Header;
use super::octets::{is_blank, is_token, saturating_number};
use super::scan::MAX_HEAD;

/// The longest body taken from a stream, in octets.
pub const MAX_STREAM_BODY: usize = 64 * 1024;

/// One thing found in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A whole message, for [`Message::parse`](super::Message::parse).
    Message(Bytes),
    /// A keep-alive that asks for an answer: CRLF CRLF (RFC 5626 §4.4.1). Answer with one CRLF.
    Ping,
    /// The answer to a keep-alive: one CRLF. Also told for the first half of a ping that came in two pieces.
    Pong,
}

/// Why a stream cannot be read on. Where the next message begins is not known any more: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// What should begin a message does not.
    #[error("no SIP message begins here")]
    NotSip,
    /// The header section is longer than [`MAX_HEAD`].
    #[error("header section longer than {MAX_HEAD} octets")]
    HeadTooLong,
    /// No Content-Length (RFC 3261 §20.14 demands one on a stream).
    #[error("no Content-Length")]
    NoContentLength,
    /// A Content-Length that is no number, or two that differ.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// Content-Length says more than [`MAX_STREAM_BODY`].
    #[error("body of {declared} octets, more than {MAX_STREAM_BODY}")]
    BodyTooLong {
        /// What Content-Length says.
        declared: usize,
    },
}

impl StreamError {
    /// A short name for the kind of error, for metric labels.
    pub const fn reason(&self) -> &'static str {
        match self {
            StreamError::NotSip => "not_sip",
            StreamError::HeadTooLong => "head_too_long",
            StreamError::NoContentLength => "no_content_length",
            StreamError::ContentLength => "content_length",
            StreamError::BodyTooLong { .. } => "body_too_long",
        }
    }
}

/// Cuts what comes over one connection into messages and keep-alives.
///
/// Push what was read, then call [`StreamFramer::next`] until it has nothing more. It holds at most one message that
/// is not complete, and what was pushed behind it.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// How far the head has been searched for its end.
    searched: usize,
    /// The length of the message at the front of the buffer, once its head is complete.
    total: Option<usize>,
    /// Whether the last octets taken were a CRLF that was told as a pong.
    half_ping: bool,
    failed: bool,
}

impl StreamFramer {
    /// A framer for a new connection.
    pub fn new() -> StreamFramer {
        StreamFramer::default()
    }

    /// Takes octets read from the connection.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// How many octets wait for more.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next thing in the stream; None until more is pushed. After an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "None does not mean the end")]
    pub fn next(&mut self) -> Option<Result<Framed, StreamError>> {
        let next = self.advance().transpose()?;
        if next.is_err() {
            self.failed = true;
            self.buffer = BytesMut::new();
        }
        Some(next)
    }

    fn advance(&mut self) -> Result<Option<Framed>, StreamError> {
        if self.total.is_none() {
            if let Some(keep_alive) = self.keep_alive() {
                return Ok(Some(keep_alive));
            }
            self.total = self.message_length()?;
        }
        match self.total {
            Some(total) if total <= self.buffer.len() => {
                self.total = None;
                self.searched = 0;
                Ok(Some(Framed::Message(self.buffer.split_to(total).freeze())))
            }
            _ => Ok(None),
        }
    }

    fn keep_alive(&mut self) -> Option<Framed> {
        // Behind a half, the next CRLF is the other half whatever follows it: two pings are never told as one.
        if !self.half_ping && self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Some(Framed::Ping);
        }
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.half_ping = !self.half_ping;
            return Some(if self.half_ping { Framed::Pong } else { Framed::Ping });
        }
        None
    }

    /// The length of head and body; None until the head is complete.
    fn message_length(&mut self) -> Result<Option<usize>, StreamError> {
        match self.buffer.first() {
            Some(&first) if is_token(first) => self.half_ping = false,
            // The first half of a CRLF.
            Some(b'\r') if self.buffer.len() == 1 => return Ok(None),
            Some(_) => return Err(StreamError::NotSip),
            None => return Ok(None),
        }
        // The end may straddle what was searched before.
        let from = self.searched.saturating_sub(3);
        let Some(found) = memmem::find(&self.buffer[from..], b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > MAX_HEAD { Err(StreamError::HeadTooLong) } else { Ok(None) };
        };
        let head = from + found + 4;
        if head > MAX_HEAD {
            return Err(StreamError::HeadTooLong);
        }
        let declared = content_length(&self.buffer[..head])?;
        if declared > MAX_STREAM_BODY {
            return Err(StreamError::BodyTooLong { declared });
        }
        Ok(Some(head + declared))
    }
}

/// Reads Content-Length out of a whole head.
fn content_length(head: &[u8]) -> Result<usize, StreamError> {
    let mut declared = None;
    let mut at = 0;
    while let Some(end) = memchr(b'\n', &head[at..]).map(|found| at + found + 1) {
        let line = &head[at..end];
        let name_end = line.iter().take_while(|&&octet| is_token(octet)).count();
        let blanks = line[name_end..].iter().take_while(|&&octet| is_blank(octet)).count();
        at = end;
        if line.get(name_end + blanks) != Some(&b':')
            || Header::from_name(&line[..name_end]) != Some(Header::ContentLength)
        {
            continue;
        }
        // The value may be folded: its lines go on as long as they begin with a blank.
        let mut value_end = end;
        while head.get(value_end).copied().is_some_and(is_blank) {
            value_end += memchr(b'\n', &head[value_end..]).map_or(0, |found| found + 1);
        }
        let value_start = end - line.len() + name_end + blanks + 1;
        let length = saturating_number(head[value_start..value_end].trim_ascii())
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(StreamError::ContentLength)?;
        if declared.is_some_and(|earlier| earlier != length) {
            return Err(StreamError::ContentLength);
        }
        declared = Some(length);
        at = value_end;
    }
    declared.ok_or(StreamError::NoContentLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n";
    const SECOND: &[u8] = b"SIP/2.0 200 OK\r\nl :\r\n 0\r\n\r\n";

    fn frames(pieces: &[&[u8]]) -> Vec<Result<Framed, StreamError>> {
        let mut framer = StreamFramer::new();
        let mut found = Vec::new();
        for piece in pieces {
            framer.push(piece);
            while let Some(next) = framer.next() {
                found.push(next);
            }
        }
        found
    }

    fn message(octets: &'static [u8]) -> Result<Framed, StreamError> {
        Ok(Framed::Message(Bytes::from_static(octets)))
    }

    #[test]
    fn messages_are_cut_wherever_the_reads_end() {
        let stream = [FIRST, SECOND].concat();
        for cut in 0..=stream.len() {
            let (one, two) = stream.split_at(cut);
            assert_eq!(frames(&[one, two]), [message(FIRST), message(SECOND)], "cut at {cut}");
        }
        let octets: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(frames(&octets), [message(FIRST), message(SECOND)]);
    }

    #[test]
    fn keep_alives_are_told_apart() {
        assert_eq!(frames(&[b"\r\n\r\n", SECOND]), [Ok(Framed::Ping), message(SECOND)]);
        assert_eq!(frames(&[b"\r\n", SECOND]), [Ok(Framed::Pong), message(SECOND)]);
        assert_eq!(frames(&[b"\r", b"\n\r\n"]), [Ok(Framed::Ping)]);
    }

    #[test]
    fn a_ping_in_two_pieces_is_answered_still() {
        assert_eq!(frames(&[b"\r\n", b"\r\n"]), [Ok(Framed::Pong), Ok(Framed::Ping)]);
        let two = [Ok(Framed::Pong), Ok(Framed::Ping), Ok(Framed::Pong), Ok(Framed::Ping)];
        assert_eq!(frames(&[b"\r\n", b"\r\n\r\n", b"\r\n"]), two);
    }

    #[test]
    fn a_stream_that_cannot_be_cut_is_given_up_with_its_reason() {
        let long = [b"A: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
        for (stream, error) in [
            (b"\0".as_slice(), StreamError::NotSip),
            (b"\rX", StreamError::NotSip),
            (b"OPTIONS sip:a SIP/2.0\r\n\r\n", StreamError::NoContentLength),
            (b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n", StreamError::ContentLength),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n", StreamError::ContentLength),
            (b"OPTIONS sip:a SIP/2.0\r\nl: 65537\r\n\r\n", StreamError::BodyTooLong { declared: 65537 }),
            (&long, StreamError::HeadTooLong),
        ] {
            assert_eq!(frames(&[stream, SECOND]), [Err(error)]);
        }
    }
}
