//! A received message: its octets and where everything stands in them.

use std::fmt;

use bytes::Bytes;

use super::content_type::ContentType;
use super::error::{HeaderError, ParseError, Problem};
use super::header::Header;
use super::list::elements;
use super::method::{CSeq, Method};
use super::name_addr::NameAddr;
use super::octets::{all, saturating_number, trim};
use super::scan::{self, Lines, StartLine};
use super::via::Via;

/// A SIP request or response as received. A clone shares the octets.
///
/// Its structure was readable; whether a header has a sense is told by the accessor that reads it.
/// [`Message::request_fault`] judges a request as a whole.
#[derive(Clone)]
pub struct Message {
    raw: Bytes,
    unfolded: Option<Bytes>,
    start: StartLine,
    lines: Lines,
    body_start: usize,
    body_end: usize,
}

impl Message {
    /// Reads one whole message: a datagram, or what [`StreamFramer`](super::StreamFramer) cut out.
    ///
    /// Line ends before the start line are passed over (RFC 3261 §7.5). The body is as long as Content-Length says;
    /// octets behind it are ignored, missing ones an error. Without Content-Length it is the rest (§18.3).
    ///
    /// # Errors
    /// [`ParseError`] if the structure cannot be read. [`classify_malformed`](super::classify_malformed) tells whether
    /// a 400 can be sent nevertheless.
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        Message::read(datagram).map_err(|(error, _)| error)
    }

    /// The same, and gives the octets back with the error.
    ///
    /// # Errors
    /// As for [`Message::parse`].
    pub fn read(datagram: Bytes) -> Result<Message, (ParseError, Bytes)> {
        let (start_line, headers) = match start_line(&datagram) {
            Ok(found) => found,
            Err(error) => return Err((error, datagram)),
        };
        let mut message = Message::beginning(datagram, start_line);
        match message.read_head(headers) {
            Ok(()) => Ok(message),
            Err(error) => Err((error, message.raw)),
        }
    }

    fn read_head(&mut self, headers: usize) -> Result<(), ParseError> {
        let head = scan::head(&self.raw, headers, &mut self.lines)?;
        self.unfolded = head.unfolded;
        self.body_start = head.end;
        self.body_end = head.end + self.body_length()?;
        Ok(())
    }

    /// A request good enough to answer it: what can be told apart of its head, and no body.
    pub(super) fn salvage(raw: Bytes) -> Option<Message> {
        let start = raw.iter().position(|octet| !matches!(octet, b'\r' | b'\n'))?;
        let (start_line, headers) = scan::salvaged_start_line(&raw, start)?;
        let mut message = Message::beginning(raw, start_line);
        let lines = &mut message.lines;
        let head = match scan::head(&message.raw, headers, lines) {
            Ok(head) => head,
            Err(_) => scan::salvaged_head(&message.raw, headers, lines)?,
        };
        message.unfolded = head.unfolded;
        Some(message)
    }

    fn beginning(raw: Bytes, start: StartLine) -> Message {
        Message { raw, unfolded: None, start, lines: Lines::new(), body_start: 0, body_end: 0 }
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method<'_>> {
        let StartLine::Request { method, .. } = self.start else { return None };
        std::str::from_utf8(method.of(&self.raw)).ok().map(Method::from_name)
    }

    /// The Request-URI of a request, as written.
    pub fn request_uri(&self) -> Option<&str> {
        let StartLine::Request { uri, .. } = self.start else { return None };
        std::str::from_utf8(uri.of(&self.raw)).ok()
    }

    /// Whether the SIP version is 2.0. A request of another version is answered 505 (RFC 3261 §21.5.6).
    pub fn is_version_2(&self) -> bool {
        match self.start {
            StartLine::Request { version, .. } => version.of(&self.raw).ends_with(b"/2.0"),
            StartLine::Status { .. } => true,
        }
    }

    /// The status code of a response, 100 to 699.
    pub fn status(&self) -> Option<u16> {
        let StartLine::Status { code, .. } = self.start else { return None };
        Some(code)
    }

    /// The reason phrase of a response; None if it is not UTF-8.
    pub fn reason(&self) -> Option<&str> {
        let StartLine::Status { reason, .. } = self.start else { return None };
        std::str::from_utf8(reason.of(&self.raw)).ok()
    }

    /// The value of the first line of this header, trimmed and unfolded; None if absent or not UTF-8.
    pub fn header(&self, name: Header) -> Option<&str> {
        self.header_octets(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of every line of this header that is UTF-8.
    pub fn headers(&self, name: Header) -> impl Iterator<Item = &str> {
        self.header_octets(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The value of every line of this header, as octets.
    pub fn header_octets(&self, name: Header) -> impl Iterator<Item = &[u8]> {
        let head = self.head();
        self.lines.of(name).map(|line| line.value.of(head))
    }

    /// Every comma-separated element of every line of this header; empty elements and what is not UTF-8 are left out.
    pub fn values(&self, name: Header) -> impl Iterator<Item = &str> {
        self.header_octets(name)
            .flat_map(elements)
            .filter(|element| !element.is_empty())
            .filter_map(|element| std::str::from_utf8(element).ok())
    }

    /// The value of the first line of a header by its name, known to this program or not, without regard to case.
    pub fn header_named(&self, name: &str) -> Option<&str> {
        if let Some(header) = Header::from_name(name.as_bytes()) {
            return self.header(header);
        }
        let head = self.head();
        let line = self.lines.iter().find(|line| line.name.of(head).eq_ignore_ascii_case(name.as_bytes()))?;
        std::str::from_utf8(line.value.of(head)).ok()
    }

    /// Every header line in order, name as written and value; what is not UTF-8 is left out.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = self.head();
        self.lines.iter().filter_map(|line| {
            let name = std::str::from_utf8(line.name.of(head)).ok()?;
            Some((name, std::str::from_utf8(line.value.of(head)).ok()?))
        })
    }

    /// The header of every line in order, unknown ones left out.
    pub(super) fn known_headers(&self) -> impl Iterator<Item = Header> {
        self.lines.iter().filter_map(|line| line.header)
    }

    /// How many lines of this header there are.
    pub fn count(&self, name: Header) -> usize {
        self.lines.of(name).count()
    }

    /// The body; shares the octets received.
    pub fn body(&self) -> Bytes {
        self.raw.slice(self.body_start..self.body_end)
    }

    /// The body's octets.
    pub fn body_octets(&self) -> &[u8] {
        &self.raw[self.body_start..self.body_end]
    }

    /// Everything as received, folds included.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// [`HeaderError`] if there is none or it cannot be read.
    pub fn via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias().next().unwrap_or(Err(HeaderError { header: Header::Via, problem: Problem::Missing }))
    }

    /// Every Via, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.list(Header::Via, Via::parse)
    }

    /// The From header.
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.party(Header::From)
    }

    /// The To header.
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.party(Header::To)
    }

    /// The Call-ID.
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent, empty or has blanks.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        self.single(Header::CallId, |value| {
            let legal = all(value, |octet| (octet > b' ') & (octet != 0x7f));
            if legal { Ok(value) } else { Err(Problem::Blank) }
        })
    }

    /// The CSeq.
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn cseq(&self) -> Result<CSeq<'_>, HeaderError> {
        self.single(Header::CSeq, CSeq::parse)
    }

    /// Every Contact. A Contact of `*` fails as a URI: look at [`Message::header`] first where it may appear.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::Contact, NameAddr::parse)
    }

    /// Every P-Asserted-Identity (RFC 3325 §9.1): one sip or sips URI, one tel URI, or both.
    pub fn p_asserted_identities(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::PAssertedIdentity, NameAddr::parse_identity)
    }

    /// Every Route, first hop first.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::Route, NameAddr::parse)
    }

    /// Every element of any header that holds name-addrs with parameters, as P-Associated-URI or Path do.
    pub fn name_addrs(&self, header: Header) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(header, NameAddr::parse)
    }

    /// The Expires header in seconds; None if absent or no number. More than [`u32::MAX`] is read as that.
    pub fn expires(&self) -> Option<u32> {
        self.number(Header::Expires)
    }

    /// Max-Forwards; None if absent or no number. More than 255 is read as 255.
    pub fn max_forwards(&self) -> Option<u8> {
        self.number(Header::MaxForwards).map(|number| u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// Content-Length in octets as the sender gave it; None if absent.
    pub fn content_length(&self) -> Option<usize> {
        self.number(Header::ContentLength).and_then(|number| usize::try_from(number).ok())
    }

    /// Retry-After in seconds, without its comment and parameters; None if absent or no number.
    pub fn retry_after(&self) -> Option<u32> {
        let value = self.header_octets(Header::RetryAfter).next()?;
        let end =
            value.iter().position(|octet| matches!(octet, b';' | b'(' | b' ' | b'\t')).unwrap_or(value.len());
        saturating_number(&value[..end])
    }

    /// The Content-Type; None if absent or not `type/subtype`.
    pub fn content_type(&self) -> Option<ContentType<'_>> {
        self.header(Header::ContentType).and_then(ContentType::parse)
    }

    /// Every Call-ID of In-Reply-To (RFC 3261 §20.21).
    pub fn in_reply_to(&self) -> impl Iterator<Item = &str> {
        // A Call-ID may have quotes and angle brackets that close nothing, but never a comma.
        self.headers(Header::InReplyTo)
            .flat_map(|value| value.split(','))
            .map(|element| element.trim_matches([' ', '\t']))
            .filter(|element| !element.is_empty())
    }

    fn head(&self) -> &[u8] {
        self.unfolded.as_ref().unwrap_or(&self.raw)
    }

    fn number(&self, header: Header) -> Option<u32> {
        self.header_octets(header).next().and_then(saturating_number)
    }

    pub(super) fn single<'a, T>(
        &'a self,
        header: Header,
        parse: impl FnOnce(&'a str) -> Result<T, Problem>,
    ) -> Result<T, HeaderError> {
        let value = self.header_octets(header).next();
        value
            .ok_or(Problem::Missing)
            .and_then(text)
            .and_then(parse)
            .map_err(|problem| HeaderError { header, problem })
    }

    pub(super) fn list<'a, T>(
        &'a self,
        header: Header,
        parse: impl Fn(&'a str) -> Result<T, Problem> + 'a,
    ) -> impl Iterator<Item = Result<T, HeaderError>> {
        self.header_octets(header).flat_map(elements).map(move |element| {
            text(element).and_then(&parse).map_err(|problem| HeaderError { header, problem })
        })
    }

    /// From or To. A display name that is not UTF-8 is left out rather than losing the whole message for it.
    fn party(&self, header: Header) -> Result<NameAddr<'_>, HeaderError> {
        let value = self.header_octets(header).next();
        value
            .ok_or(Problem::Missing)
            .and_then(|value| match (text(value), memchr::memrchr(b'<', value)) {
                (Err(Problem::NotUtf8), Some(angle)) => text(&value[angle..]),
                (value, _) => value,
            })
            .and_then(NameAddr::parse)
            .map_err(|problem| HeaderError { header, problem })
    }

    fn body_length(&self) -> Result<usize, ParseError> {
        let present = self.raw.len() - self.body_start;
        let mut declared = None;
        for line in self.lines.of(Header::ContentLength) {
            let offset = line.value.start();
            let length = saturating_number(trim(line.value.of(self.head())))
                .and_then(|number| usize::try_from(number).ok())
                .ok_or(ParseError::ContentLength { offset })?;
            if declared.is_some_and(|earlier| earlier != length) {
                return Err(ParseError::ContentLengthConflict { offset });
            }
            declared = Some(length);
        }
        match declared {
            Some(declared) if declared > present => {
                Err(ParseError::BodyTruncated { offset: self.body_start, declared, present })
            }
            Some(declared) => Ok(declared),
            None => Ok(present),
        }
    }
}

/// Two messages are equal if the same octets were received.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        match self.start {
            StartLine::Request { .. } => {
                shown.field("method", &self.method()).field("request_uri", &self.request_uri())
            }
            StartLine::Status { code, .. } => shown.field("status", &code),
        };
        shown.field("call_id", &self.call_id().ok()).field("octets", &self.raw.len()).finish_non_exhaustive()
    }
}

fn start_line(datagram: &[u8]) -> Result<(StartLine, usize), ParseError> {
    let start = datagram.iter().position(|octet| !matches!(octet, b'\r' | b'\n')).ok_or(ParseError::Empty)?;
    scan::start_line(datagram, start)
}

fn text(value: &[u8]) -> Result<&str, Problem> {
    let value = std::str::from_utf8(value).map_err(|_| Problem::NotUtf8)?;
    if value.is_empty() { Err(Problem::Empty) } else { Ok(value) }
}
