//! Where a reader is wrong about a message of ours, with the clause that decides. The table is exact: what stands in it
//! must occur, and nothing else may.

use std::collections::BTreeSet;

use smsc_proto::sip::{CSeq, Header, Message, Method};

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

/// Every exception.
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
        name: "rsip: the quotes are taken for part of a display name",
        clause: "RFC 3261 §25.1: display-name is a quoted-string, whose quotes delimit it",
        applies: |message| message.header(Header::From).is_some_and(|from| from.starts_with('"')),
        fields: &["From"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: an IPv6 address in Via",
        clause: "RFC 3261 §25.1: sent-by has a host, which may be an IPv6reference",
        applies: |message| message.vias().any(|via| via.is_ok_and(|via| via.host.contains(':'))),
        fields: &["Via"],
    },
    Exception {
        reader: Reader::Rsip,
        name: "rsip: a method it does not know in CSeq",
        clause: "RFC 3261 §7.1, §25.1: Method is any token",
        applies: |message| matches!(message.cseq(), Ok(CSeq { method: Method::Other(_), .. })),
        fields: &["CSeq"],
    },
    Exception {
        reader: Reader::Rsipstack,
        name: "rsipstack: a method it does not know in CSeq",
        clause: "RFC 3261 §7.1, §25.1: Method is any token",
        applies: |message| matches!(message.cseq(), Ok(CSeq { method: Method::Other(_), .. })),
        fields: &["CSeq"],
    },
];

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
