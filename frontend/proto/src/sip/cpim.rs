//! message/cpim: a message with headers of its own around its content (RFC 3862).

use super::content_type::ContentType;
use super::error::Problem;
use super::name_addr::NameAddr;
use super::octets::trim_str;

/// The octets that both groups of headers may take together.
pub const MAX_CPIM_HEAD: usize = 8192;

/// A message/cpim body taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpim<'a> {
    message: &'a str,
    mime: &'a str,
    /// The content, octet by octet.
    pub content: &'a [u8],
}

/// Why a body is no message/cpim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpimError {
    /// An empty line is missing: after the message headers, or after those of the content.
    #[error("no empty line after the {0} headers, or more than {MAX_CPIM_HEAD} octets before it")]
    Unterminated(&'static str),
    /// A header line that is not `Name: value`.
    #[error("header line {line}: not a name, a colon and a value")]
    Line {
        /// Which line of its group, from 1.
        line: usize,
    },
    /// Headers are UTF-8.
    #[error("the headers are not UTF-8")]
    NotUtf8,
}

impl<'a> Cpim<'a> {
    /// Takes a body apart. Lines may end with LF alone.
    ///
    /// # Errors
    /// [`CpimError`] if one of the two groups of headers does not end, or a line in it cannot be read.
    pub fn parse(body: &'a [u8]) -> Result<Cpim<'a>, CpimError> {
        let (message, rest) = group(body, MAX_CPIM_HEAD).ok_or(CpimError::Unterminated("message"))?;
        let left = MAX_CPIM_HEAD - message.len();
        let (mime, content) = group(rest, left).ok_or(CpimError::Unterminated("content"))?;
        Ok(Cpim { message: checked(message)?, mime: checked(mime)?, content })
    }

    /// The first message header of this name, a prefix of its namespace included (RFC 3862 §3.4). Names are compared
    /// without regard to case, which the standard does not ask for but some senders need.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// Every message header of this name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> {
        named(self.message, name)
    }

    /// Every recipient.
    pub fn to(&self) -> impl Iterator<Item = Result<NameAddr<'a>, Problem>> {
        self.headers("To").map(NameAddr::parse)
    }

    /// The sender as the message has it; whether that is true is another question.
    pub fn from(&self) -> Option<Result<NameAddr<'a>, Problem>> {
        self.header("From").map(NameAddr::parse)
    }

    /// Names of headers that the recipient must understand, or else refuse the message (RFC 3862 §4.7).
    pub fn required(&self) -> impl Iterator<Item = &'a str> {
        self.headers("Require")
            .flat_map(|names| names.split(','))
            .map(trim_str)
            .filter(|name| !name.is_empty())
    }

    /// A header of the content, as Content-Transfer-Encoding.
    pub fn content_header(&self, name: &str) -> Option<&'a str> {
        named(self.mime, name).next()
    }

    /// The content's type; None if it is absent (which means text/plain) or cannot be read.
    pub fn content_type(&self) -> Option<ContentType<'a>> {
        self.content_header("Content-Type").and_then(ContentType::parse)
    }
}

/// The lines in front of the first empty line, and what is behind it.
fn group(octets: &[u8], limit: usize) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    loop {
        let end = start + memchr::memchr(b'\n', octets.get(start..)?)?;
        if end > limit {
            return None;
        }
        if matches!(&octets[start..end], [] | [b'\r']) {
            return Some((&octets[..start], &octets[end + 1..]));
        }
        start = end + 1;
    }
}

fn checked(head: &[u8]) -> Result<&str, CpimError> {
    let head = std::str::from_utf8(head).map_err(|_| CpimError::NotUtf8)?;
    let bad = head.lines().position(|line| line.split_once(':').is_none_or(|(name, _)| !is_name(name)));
    match bad {
        Some(at) => Err(CpimError::Line { line: at + 1 }),
        None => Ok(head),
    }
}

fn is_name(name: &str) -> bool {
    let name = trim_str(name);
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() || octet >= 0x80)
}

fn named<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    head.lines().filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        trim_str(found).eq_ignore_ascii_case(name).then(|| trim_str(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &[u8] = b"From: MR SANDERS <im:piglet@100akerwood.com>\r\n\
        To: Depressed Donkey <im:eeyore@100akerwood.com>\r\nTo: sip:+447700900123@x\r\n\
        DateTime: 2000-12-13T13:40:00-08:00\r\nSubject:;lang=fr beau temps pr\xC3\xA9vu\r\n\
        NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\nRequire: MyFeatures.VitalMessageOption, Date\r\n\
        MyFeatures.VitalMessageOption: Confirmation-requested\r\n\r\n\
        Content-type: text/plain; charset=utf-8\r\nContent-ID: <1>\r\n\r\nfirst\r\n\r\nsecond \xFF";

    #[test]
    fn headers_of_the_message_those_of_the_content_and_the_content_are_told_apart() {
        let cpim = Cpim::parse(EXAMPLE).unwrap();
        let to: Vec<_> = cpim.to().map(|to| to.unwrap().uri).collect();
        assert_eq!(to, ["im:eeyore@100akerwood.com", "sip:+447700900123@x"]);
        assert_eq!(cpim.from().unwrap().unwrap().display, Some("MR SANDERS"));
        assert_eq!(cpim.header("datetime"), Some("2000-12-13T13:40:00-08:00"));
        assert_eq!(cpim.header("Subject"), Some(";lang=fr beau temps prévu"));
        assert_eq!(cpim.required().collect::<Vec<_>>(), ["MyFeatures.VitalMessageOption", "Date"]);
        assert_eq!(cpim.header("Content-ID"), None);
        assert!(cpim.content_type().unwrap().is("text", "plain"));
        assert_eq!(cpim.content_header("content-id"), Some("<1>"));
        assert_eq!(cpim.content, b"first\r\n\r\nsecond \xFF");
    }

    #[test]
    fn lines_may_end_with_lf_alone_and_groups_may_be_empty() {
        let cpim = Cpim::parse(b"To: <sip:a@x>\n\n\nhello\n").unwrap();
        assert_eq!((cpim.to().count(), cpim.content_type(), cpim.content), (1, None, &b"hello\n"[..]));
        assert_eq!(Cpim::parse(b"\r\n\r\n").map(|cpim| cpim.content.len()), Ok(0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Cpim::parse(b""), Err(CpimError::Unterminated("message")));
        assert_eq!(Cpim::parse(b"To: x\r\n"), Err(CpimError::Unterminated("message")));
        assert_eq!(
            Cpim::parse(b"To: x\r\n\r\nContent-Type: text/plain\r\n"),
            Err(CpimError::Unterminated("content"))
        );
        assert_eq!(Cpim::parse(b"To: x\r\nhello\r\n\r\n\r\n"), Err(CpimError::Line { line: 2 }));
        assert_eq!(Cpim::parse(b"T o: x\r\n\r\n\r\n"), Err(CpimError::Line { line: 1 }));
        assert_eq!(Cpim::parse(b"To: \xFF\r\n\r\n\r\n"), Err(CpimError::NotUtf8));
        let bomb = [b"To: x\r\n".repeat(2000), b"\r\n\r\n".to_vec()].concat();
        assert_eq!(Cpim::parse(&bomb), Err(CpimError::Unterminated("message")));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(mut octets in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index) {
            let _ = Cpim::parse(&octets).map(|cpim| (cpim.to().count(), cpim.required().count()));
            let mut mutated = EXAMPLE.to_vec();
            octets.truncate(4);
            mutated.splice(at.index(EXAMPLE.len())..at.index(EXAMPLE.len()), octets);
            let _ = Cpim::parse(&mutated).map(|cpim| (cpim.from().is_some(), cpim.content_type().is_some()));
        }

        #[test]
        fn whatever_the_content_is_it_comes_back(content in prop::collection::vec(any::<u8>(), 0..200)) {
            let body = [b"To: <sip:a@x>\r\n\r\nContent-Type: a/b\r\n\r\n", &content[..]].concat();
            prop_assert_eq!(Cpim::parse(&body).map(|cpim| cpim.content), Ok(&content[..]));
        }
    }
}
