//! application/vnd.3gpp.sms+xml: whom a short message is for where the recipient has no MSISDN (TS 24.341 annex B.7).
//!
//! TP-DA is the dummy MSISDN then. Of the document only the URI that names the recipient is looked for: the text of an
//! element `To`, in whatever namespace, or the only URI that there is.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::reginfo::resolve;
use super::uri::{Scheme, Uri};

/// The largest document read, in octets.
const MAX_DOCUMENT: usize = 4096;
const MAX_DEPTH: usize = 8;
const MAX_ELEMENTS: usize = 64;

/// Why a document names no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// More than 4096 octets, 64 elements or 8 elements in one another.
    #[error("the document is too large")]
    TooLarge,
    /// It has a document type, which is never resolved.
    #[error("a document type is not allowed")]
    DocumentType,
    /// It is no XML 1.0 in UTF-8.
    #[error("not well-formed XML in UTF-8")]
    Xml,
    /// No element `To` has a SIP or tel URI, and there is not exactly one other.
    #[error("no URI of a recipient")]
    None,
}

/// Finds the URI of the recipient.
///
/// # Errors
/// [`RecipientError`] if the document cannot be read or names nobody.
pub fn recipient(document: &[u8]) -> Result<String, RecipientError> {
    if document.len() > MAX_DOCUMENT {
        return Err(RecipientError::TooLarge);
    }
    let text = std::str::from_utf8(document).map_err(|_| RecipientError::Xml)?;
    let mut reader = Reader::from_str(text);
    let mut found = Found::default();
    loop {
        match reader.read_event().map_err(|_| RecipientError::Xml)? {
            Event::Start(element) => found.begin(element.local_name().into_inner())?,
            Event::Empty(_) => found.count()?,
            Event::End(_) => found.end(),
            Event::Text(text) => found.text.push_str(&text.xml10_content()),
            Event::CData(text) => found.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                found.text.push(resolve(&reference).map_err(|_| RecipientError::Xml)?)
            }
            Event::DocType(_) => return Err(RecipientError::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return found.recipient(),
        }
    }
}

#[derive(Default)]
struct Found {
    open: Vec<String>,
    elements: usize,
    text: String,
    to: Option<String>,
    others: Vec<String>,
}

impl Found {
    fn begin(&mut self, name: &str) -> Result<(), RecipientError> {
        self.count()?;
        if self.open.len() >= MAX_DEPTH {
            return Err(RecipientError::TooLarge);
        }
        self.open.push(name.to_owned());
        self.text.clear();
        Ok(())
    }

    fn count(&mut self) -> Result<(), RecipientError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS { Err(RecipientError::TooLarge) } else { Ok(()) }
    }

    fn end(&mut self) {
        let name = self.open.pop().unwrap_or_default();
        let text = std::mem::take(&mut self.text);
        let uri = text.trim().trim_start_matches('<').trim_end_matches('>');
        if !Uri::parse(uri).is_ok_and(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel)) {
            return;
        }
        if name.eq_ignore_ascii_case("to") {
            self.to.get_or_insert_with(|| uri.to_owned());
        } else {
            self.others.push(uri.to_owned());
        }
    }

    fn recipient(mut self) -> Result<String, RecipientError> {
        if !self.open.is_empty() {
            return Err(RecipientError::Xml);
        }
        let only = if self.others.len() == 1 { self.others.pop() } else { None };
        self.to.or(only).ok_or(RecipientError::None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_recipient_is_the_element_to_or_the_only_uri() {
        let read = |document: &str| recipient(document.as_bytes());
        let to = "<?xml version=\"1.0\"?><s:short-message-info xmlns:s=\"urn:x\"><s:From>sip:a@x</s:From>\
                  <s:To> &#x73;ip:bob@home2.example;a=&amp; </s:To></s:short-message-info>";
        assert_eq!(read(to), Ok("sip:bob@home2.example;a=&".to_owned()));
        assert_eq!(
            read("<i><entry><![CDATA[tel:+15551234567]]></entry></i>"),
            Ok("tel:+15551234567".to_owned())
        );
        assert_eq!(read("<i><a>sip:a@x</a><b>sip:b@x</b></i>"), Err(RecipientError::None));
        assert_eq!(read("<i><to>bob</to></i>"), Err(RecipientError::None));
    }

    #[test]
    fn a_document_that_could_do_harm_is_refused() {
        let read = |document: String| recipient(document.as_bytes()).unwrap_err();
        assert_eq!(
            read("<!DOCTYPE i [<!ENTITY a \"b\">]><i>&a;</i>".to_owned()),
            RecipientError::DocumentType
        );
        assert_eq!(read("<i>&a;</i>".to_owned()), RecipientError::Xml);
        assert_eq!(read("<i><to>sip:a@x</to>".to_owned()), RecipientError::Xml);
        assert_eq!(read("<i/>".repeat(65)), RecipientError::TooLarge);
        assert_eq!(read("<i>".repeat(9)), RecipientError::TooLarge);
        assert_eq!(read(" ".repeat(4097)), RecipientError::TooLarge);
        assert_eq!(recipient(b"<i>\xFF</i>"), Err(RecipientError::Xml));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..80), text in "[<>/a-zTo&;#:@! \"\\[\\]-]{0,80}") {
            let _ = (recipient(&octets), recipient(text.as_bytes()));
        }
    }
}
