//! What a parser understands of a message, in words that fit all of them.

use std::net::Ipv6Addr;

/// `name=value` parameters in order, names and values in lower case; a value may be absent.
pub type Params = Vec<(String, Option<String>)>;

/// A header that was understood, or why it was not.
pub type Field<T> = Result<T, String>;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The start line.
    pub start: Start,
    /// Every header line in order.
    pub lines: Vec<Line>,
    /// Every Via, topmost first.
    pub vias: Field<Vec<Hop>>,
    /// From.
    pub from: Field<Party>,
    /// To.
    pub to: Field<Party>,
    /// Call-ID.
    pub call_id: Field<String>,
    /// CSeq.
    pub cseq: Field<CSeq>,
    /// Every Contact.
    pub contacts: Field<Vec<Party>>,
    /// Every Route.
    pub routes: Field<Vec<Party>>,
    /// Every P-Asserted-Identity.
    pub asserted: Field<Vec<Party>>,
    /// Content-Type as written.
    pub content_type: Option<String>,
    /// Content-Length in octets.
    pub content_length: Option<usize>,
    /// The body.
    pub body: Vec<u8>,
}

/// The start line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// The method.
        method: String,
        /// The Request-URI.
        uri: Field<Address>,
    },
    /// A response.
    Response {
        /// The status code.
        status: u16,
    },
}

/// A header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name in lower case.
    pub name: String,
    /// The value as written.
    pub value: String,
}

/// A URI in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The scheme.
    pub scheme: String,
    /// The user part as written; of tel the number.
    pub user: Option<String>,
    /// The host; of tel empty. An IPv6 address without its brackets, in the form of RFC 5952.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// The parameters of the URI.
    pub params: Params,
}

/// A name-addr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The display name without its quotes.
    pub display: Option<String>,
    /// The URI.
    pub uri: Address,
    /// The parameters of the header.
    pub params: Params,
}

/// A Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The transport.
    pub transport: String,
    /// The host of sent-by, as that of an [`Address`].
    pub host: String,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The parameters, `branch` among them.
    pub params: Params,
}

/// A CSeq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: String,
}

/// A parameter from its name and value.
pub(crate) fn param(name: &str, value: Option<&str>) -> (String, Option<String>) {
    (name.to_ascii_lowercase(), value.map(|value| value.trim_matches('"').to_ascii_lowercase()))
}

/// A parameter from `;name=value`, as both readers write one.
pub(crate) fn written_param(written: &str) -> (String, Option<String>) {
    let written = written.trim_start_matches(';');
    match written.split_once('=') {
        Some((name, value)) => param(name, Some(value)),
        None => param(written, None),
    }
}

/// A line from `Name: value`, as both readers write one.
pub(crate) fn written_line(written: &str) -> Line {
    let (name, value) = written.split_once(": ").unwrap_or((written, ""));
    Line { name: name.to_ascii_lowercase(), value: value.to_owned() }
}

/// A host without the brackets of an IPv6 address, and that in the one form it is shown in.
pub(crate) fn host(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<Ipv6Addr>().map_or(bare.to_owned(), |address| address.to_string())
}

/// The value of the first line of this name.
pub(crate) fn value_of<'a>(lines: &'a [Line], name: &str) -> Option<&'a str> {
    lines.iter().find(|line| line.name == name).map(|line| line.value.as_str())
}

/// The values of every line of this name.
pub(crate) fn values_of<'a>(lines: &'a [Line], name: &str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter(move |line| line.name == name).map(|line| line.value.as_str())
}
