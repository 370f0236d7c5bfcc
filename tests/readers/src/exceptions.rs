//! Where a reader is wrong about a message of ours, with the clause that decides. The table is exact: what stands in it
//! must occur, and nothing else may.

use std::collections::BTreeSet;

use smsc_proto::sip::{CSeq, Header, Message, Method, NameAddr};

use crate::Reader;

/// How a reader is wrong about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It refuses the message.
    Refuses,
    /// It misunderstands these fields; none if it is right.
    Fields(Vec<&'static str>),
}

/// Messages that a reader is wrong about.
pub struct Exception {
    /// The reader.
    pub reader: Reader,
    /// What is in the message that it does not understand.
    pub name: &'static str,
    /// The clause by which we are right.
    pub clause: &'static str,
    /// Whether it is in this message.
    pub applies: fn(&Message) -> bool,
    /// The fields it misunderstands; none: it refuses the message.
    pub fields: &'static [&'static str],
}

/// Every exception. Most are about what a response has from its request: the torture RFCs' requests are among those.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a tel URI as Request-URI",
        clause: "RFC 3261 §25.1: Request-URI is any absoluteURI; RFC 3966",
        applies: |message| message.request_uri().is_some_and(|uri| uri.starts_with("tel:")),
        fields: &[],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a tel URI in To",
        clause: "RFC 3261 §20.39: addr-spec is any URI; RFC 3966",
        applies: |message| message.to().is_ok_and(|to| to.uri.starts_with("tel:")),
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: the quotes are part of the display name in From",
        clause: "RFC 3261 §25.1: display-name is a quoted-string, whose quotes delimit it",
        applies: |message| begins(message, Header::From, "\""),
        fields: &["From"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: the quotes are part of the display name in To",
        clause: "RFC 3261 §25.1: display-name is a quoted-string, whose quotes delimit it",
        applies: |message| begins(message, Header::To, "\""),
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in Via",
        clause: "RFC 3261 §25.1: host is an IPv6reference",
        applies: |message| message.vias().any(|via| via.is_ok_and(|via| via.host.contains(':'))),
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in To",
        clause: "RFC 3261 §25.1: host is an IPv6reference",
        applies: |message| message.to().is_ok_and(|to| ipv6(&to)),
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in From",
        clause: "RFC 3261 §25.1: host is an IPv6reference",
        applies: |message| message.from().is_ok_and(|from| ipv6(&from)),
        fields: &["From"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in Route",
        clause: "RFC 3261 §25.1: host is an IPv6reference",
        applies: |message| message.routes().any(|route| route.is_ok_and(|route| ipv6(&route))),
        fields: &["Route"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in Contact",
        clause: "RFC 3261 §25.1: host is an IPv6reference",
        applies: |message| message.contacts().any(|contact| contact.is_ok_and(|contact| ipv6(&contact))),
        fields: &["Contact"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: headers in a URI in Contact",
        clause: "RFC 3261 §19.1.1: SIP-URI has headers",
        applies: |message| message.header(Header::Contact).is_some_and(|contact| contact.contains('?')),
        fields: &["Contact"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a parameter in quotes",
        clause: "RFC 3261 §25.1: gen-value is a token, a host or a quoted-string",
        applies: |message| message.header(Header::From).is_some_and(|from| from.contains("=\"")),
        fields: &["From"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a method it does not know in CSeq",
        clause: "RFC 3261 §7.1, §25.1: Method is any token",
        applies: unknown_method,
        fields: &["CSeq"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a semicolon and a question mark in the user part",
        clause: "RFC 3261 §25.1: user-unreserved",
        applies: marks_in_user,
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: blanks around slashes, semicolons and equals signs",
        clause: "RFC 3261 §25.1: SLASH, SEMI and EQUAL have SWS on both sides",
        applies: blanks_in_via,
        fields: &["Via", "From", "To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: something in a broken Via, which goes back as it came",
        clause: "RFC 3261 §25.1: via-params is no empty list; RFC 4475 §3.1.2.1",
        applies: broken_via,
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: a method it does not know in CSeq",
        clause: "RFC 3261 §7.1, §25.1: Method is any token",
        applies: unknown_method,
        fields: &["CSeq"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: a semicolon and a question mark in the user part",
        clause: "RFC 3261 §25.1: user-unreserved",
        applies: marks_in_user,
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: blanks around slashes, semicolons and equals signs",
        clause: "RFC 3261 §25.1: SLASH, SEMI and EQUAL have SWS on both sides",
        applies: blanks_in_via,
        fields: &["Via", "From", "To"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: something in a broken Via, which goes back as it came",
        clause: "RFC 3261 §25.1: via-params is no empty list; RFC 4475 §3.1.2.1",
        applies: broken_via,
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: something in a broken To, which goes back as it came",
        clause: "RFC 3261 §25.1: an absolute URI, without blanks; RFC 4475 §3.1.2.14, §3.3.4",
        applies: |message| {
            message.count(Header::To) > 0 && message.to().map_or(true, |to| to.parsed_uri().is_err())
        },
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: something in a broken To, which goes back as it came",
        clause: "RFC 3261 §25.1: an absolute URI, without blanks; RFC 4475 §3.1.2.14, §3.3.4",
        applies: |message| {
            message.count(Header::To) > 0 && message.to().map_or(true, |to| to.parsed_uri().is_err())
        },
        fields: &["To"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: another version in Via",
        clause: "RFC 3261 §25.1: protocol-version is any token; RFC 4475 §3.1.2.16",
        applies: |message| message.vias().any(|via| via.is_ok_and(|via| via.version != "2.0")),
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a transport it does not know in Via",
        clause: "RFC 3261 §25.1: transport is any token; RFC 4475 §3.1.1.10",
        applies: |message| message.vias().any(|via| via.is_ok_and(|via| !KNOWN.contains(&via.transport))),
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: a transport it does not know in Via",
        clause: "RFC 3261 §25.1: transport is any token; RFC 4475 §3.1.1.10",
        applies: |message| message.vias().any(|via| via.is_ok_and(|via| !KNOWN.contains(&via.transport))),
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: an IPv6 address with three colons",
        clause: "RFC 5118 §4.10: to be accepted, for the grammar of RFC 3261 had it",
        applies: |message| message.to().is_ok_and(|to| to.uri.contains(":::")),
        fields: &["To"],
    },
];

/// The transports of RFC 3261 §18; both readers know more, none of which appears.
const KNOWN: [&str; 4] = ["UDP", "TCP", "TLS", "SCTP"];

/// What a reader will do with a message, and the names of the exceptions that say so.
pub fn expected(reader: Reader, message: &Message) -> (Wrong, Vec<&'static str>) {
    let applying: Vec<_> =
        EXCEPTIONS.iter().filter(|one| one.reader == reader && (one.applies)(message)).collect();
    let names = applying.iter().map(|one| one.name).collect();
    if applying.iter().any(|one| one.fields.is_empty()) {
        return (Wrong::Refuses, names);
    }
    let fields: BTreeSet<_> = applying.iter().flat_map(|one| one.fields).copied().collect();
    let ordered = crate::differences::FIELDS.into_iter().filter(|field| fields.contains(field));
    (Wrong::Fields(ordered.collect()), names)
}

/// A method in CSeq that is none of the standards'.
fn unknown_method(message: &Message) -> bool {
    matches!(message.cseq(), Ok(CSeq { method: Method::Other(_), .. }))
}

/// A semicolon or a question mark in the user part of To.
fn marks_in_user(message: &Message) -> bool {
    message.to().is_ok_and(|to| {
        to.parsed_uri().is_ok_and(|uri| uri.user.is_some_and(|user| user.contains([';', '?'])))
    })
}

/// Blanks around the slashes of the topmost Via.
fn blanks_in_via(message: &Message) -> bool {
    begins(message, Header::Via, "SIP ")
}

/// A Via that cannot be read.
fn broken_via(message: &Message) -> bool {
    message.vias().any(|via| via.is_err()) && message.count(Header::Via) > 0
}

fn begins(message: &Message, header: Header, with: &str) -> bool {
    message.header(header).is_some_and(|value| value.starts_with(with))
}

fn ipv6(party: &NameAddr<'_>) -> bool {
    party.parsed_uri().is_ok_and(|uri| uri.host.contains(':'))
}
