//! Judging requests: what must be refused, and what of a broken one can still be answered.

use bytes::Bytes;

use super::error::{HeaderError, Problem, UriError};
use super::header::Header;
use super::message::Message;
use super::method::Method;
use super::uri::{Scheme, Uri};

/// Why a request that could be parsed must be refused whatever its method is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// Another SIP version than 2.0.
    #[error("SIP version is not 2.0")]
    Version,
    /// A header that every request has is absent, repeated or cannot be read.
    #[error("{0}")]
    Header(HeaderError),
    /// The Request-URI cannot be read.
    #[error("Request-URI: {0}")]
    RequestUri(UriError),
    /// The method in CSeq is not that of the request.
    #[error("CSeq: another method than the request's")]
    CSeqMethod,
    /// The Request-URI is neither sip, sips nor tel.
    #[error("Request-URI: scheme is not sip, sips or tel")]
    Scheme,
}

impl RequestFault {
    /// The status to refuse the request with.
    pub const fn status(&self) -> u16 {
        match self {
            RequestFault::Version => 505,
            RequestFault::Scheme => 416,
            RequestFault::Header(_) | RequestFault::RequestUri(_) | RequestFault::CSeqMethod => 400,
        }
    }
}

impl Message {
    /// What is wrong with this request as a whole (RFC 3261 §8.1.1, §8.2, RFC 4475 §3.3); None for a response.
    ///
    /// Max-Forwards may be absent: RFC 2543 did not have it.
    pub fn request_fault(&self) -> Option<RequestFault> {
        let method = self.method()?;
        if !self.is_version_2() {
            return Some(RequestFault::Version);
        }
        if let Err(error) = self.check_headers() {
            return Some(RequestFault::Header(error));
        }
        if self.cseq().is_ok_and(|cseq| cseq.method != method) {
            return Some(RequestFault::CSeqMethod);
        }
        self.request_uri().map(Uri::parse)?.err().map(RequestFault::RequestUri)
    }

    /// Whether the Request-URI of this request has a scheme that nobody here serves. To be asked once the method is
    /// known to be served (RFC 3261 §8.2.1 comes before §8.2.2.1).
    pub fn scheme_fault(&self) -> Option<RequestFault> {
        let uri = self.request_uri().filter(|uri| !uri.starts_with("sip:"))?;
        matches!(Uri::parse(uri).ok()?.scheme, Scheme::Other(_)).then_some(RequestFault::Scheme)
    }

    fn check_headers(&self) -> Result<(), HeaderError> {
        self.check_single()?;
        if self.count(Header::Via) == 0 {
            return Err(HeaderError { header: Header::Via, problem: Problem::Missing });
        }
        for via in self.vias() {
            if via?.version != "2.0" {
                return Err(HeaderError { header: Header::Via, problem: Problem::Protocol });
            }
        }
        for (header, party) in [(Header::From, self.from()?), (Header::To, self.to()?)] {
            party.parsed_uri().map_err(|error| HeaderError { header, problem: Problem::Uri(error) })?;
        }
        self.call_id()?;
        self.cseq()?;
        if self.count(Header::MaxForwards) > 0 && self.max_forwards().is_none() {
            return Err(HeaderError { header: Header::MaxForwards, problem: Problem::NotANumber });
        }
        Ok(())
    }

    fn check_single(&self) -> Result<(), HeaderError> {
        let mut seen = [false; SINGLE.len()];
        for header in self.known_headers() {
            if let Some(index) = SINGLE.iter().position(|&single| single == header)
                && std::mem::replace(&mut seen[index], true)
            {
                return Err(HeaderError { header, problem: Problem::Repeated });
            }
        }
        Ok(())
    }
}

/// Headers that no request has twice.
const SINGLE: [Header; 7] = [
    Header::From,
    Header::To,
    Header::CallId,
    Header::CSeq,
    Header::MaxForwards,
    Header::ContentLength,
    Header::ContentType,
];

/// What can be answered of octets that [`Message::parse`] refused: a request other than ACK whose Via, From, To,
/// Call-ID and CSeq stand in lines that can be told apart. Answer it 400; its body is left out. None: say nothing.
pub fn classify_malformed(datagram: &[u8]) -> Option<Message> {
    let message = Message::salvage(Bytes::copy_from_slice(datagram))?;
    let answerable = message.method() != Some(Method::Ack)
        && message.via().is_ok()
        && [Header::From, Header::To, Header::CallId, Header::CSeq]
            .into_iter()
            .all(|header| message.header_octets(header).next().is_some_and(|value| !value.is_empty()));
    answerable.then_some(message)
}
