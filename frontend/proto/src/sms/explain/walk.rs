//! Reading fields into nodes, and going on after something wrong.

use std::fmt::Write as _;

use super::Node;
use crate::sms::address::Address;
use crate::sms::error::DecodeError;
use crate::sms::reader::{Field, Reader};
use crate::sms::timestamp::Timestamp;

/// Where a reading stands: a group of nodes under construction over a slice of the input.
///
/// Methods return nothing once something is wrong; the problem is then a node already and the group ends there.
pub(super) struct Walk<'a> {
    pub(super) reader: Reader<'a>,
    /// Where the slice starts in the whole input.
    base: usize,
    octets: &'a [u8],
    nodes: Vec<Node>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Walk<'a> {
        Walk::inside(octets, 0)
    }

    fn inside(octets: &'a [u8], base: usize) -> Walk<'a> {
        Walk { reader: Reader::new(octets), base, octets, nodes: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Node> {
        self.nodes
    }

    /// Adds a field from `start` up to where the reader is.
    pub(super) fn field(&mut self, start: usize, name: &str, value: impl Into<String>, note: Option<String>) {
        let node = Node {
            octets: self.base + start..self.base + self.reader.at(),
            name: name.to_owned(),
            value: value.into(),
            note,
            problem: false,
            children: Vec::new(),
        };
        self.nodes.push(node);
    }

    /// Adds a group of what `read` adds, from the octet it starts at to the one it ends at.
    pub(super) fn group(
        &mut self,
        name: &str,
        value: impl Into<String>,
        read: impl FnOnce(&mut Walk<'a>) -> Option<()>,
    ) -> Option<()> {
        let start = self.reader.at();
        let outer = std::mem::take(&mut self.nodes);
        let outcome = read(self);
        let children = std::mem::replace(&mut self.nodes, outer);
        self.field(start, name, value, None);
        if let Some(group) = self.nodes.last_mut() {
            // What is wrong reaches behind the last octet that could be read.
            let end = children.iter().map(|child| child.octets.end).max();
            group.octets.end = group.octets.end.max(end.unwrap_or(0));
            group.children = children;
        }
        outcome
    }

    /// Adds what `read` makes of octets that were already taken, ending at the reader's place.
    pub(super) fn nested(&mut self, octets: &'a [u8], read: impl FnOnce(&mut Walk<'a>) -> Option<()>) {
        let mut inner = Walk::inside(octets, self.base + self.reader.at() - octets.len());
        // What is wrong inside ends the inner reading only.
        let _ = read(&mut inner);
        self.nodes.extend(inner.nodes);
    }

    /// Takes the value or adds what is wrong.
    pub(super) fn check<T>(&mut self, result: Result<T, DecodeError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let start = error.octet.min(self.octets.len());
                self.problem(start, error.shifted(self.base).to_string());
                None
            }
        }
    }

    /// Adds something wrong from `start` to the end.
    pub(super) fn problem(&mut self, start: usize, what: String) {
        let rest = &self.octets[start..];
        let node = Node {
            octets: self.base + start..self.base + self.octets.len(),
            name: "problem".to_owned(),
            value: what,
            note: (!rest.is_empty()).then(|| hex(rest)),
            problem: true,
            children: Vec::new(),
        };
        self.nodes.push(node);
    }

    /// Adds the octets that nothing has read.
    pub(super) fn trailing(&mut self) {
        if !self.reader.is_empty() {
            let count = self.reader.left();
            let plural = if count == 1 { "" } else { "s" };
            self.problem(self.reader.at(), format!("{count} octet{plural} behind the last field, ignored"));
        }
    }

    /// Reads one octet and adds it as a number with what it means.
    pub(super) fn octet(&mut self, field: Field, note: impl FnOnce(u8) -> Option<String>) -> Option<u8> {
        let start = self.reader.at();
        let octet = self.reader.octet(field);
        let octet = self.check(octet)?;
        self.field(start, field.name, octet.to_string(), note(octet));
        Some(octet)
    }

    /// As [`Walk::octet`], shown in hexadecimal.
    pub(super) fn hex_octet(&mut self, field: Field, note: impl FnOnce(u8) -> Option<String>) -> Option<u8> {
        let octet = self.octet(field, note)?;
        if let Some(node) = self.nodes.last_mut() {
            node.value = format!("{octet:02x}");
        }
        Some(octet)
    }

    /// Gives the field added last another name.
    pub(super) fn rename(&mut self, name: &str) {
        if let Some(node) = self.nodes.last_mut() {
            node.name = name.to_owned();
        }
    }

    /// Ends the field added last before octets that were read along with it.
    pub(super) fn end_field_at(&mut self, end: usize) {
        if let Some(node) = self.nodes.last_mut() {
            node.octets.end = self.base + end;
        }
    }

    /// Reads an address, of the relay layer or the transfer layer.
    pub(super) fn address(
        &mut self,
        field: Field,
        read: impl FnOnce(&mut Reader<'a>, Field) -> Result<Address, DecodeError>,
    ) -> Option<()> {
        let start = self.reader.at();
        let address = read(&mut self.reader, field);
        let address = self.check(address)?;
        let note = (!address.is_empty()).then(|| type_of(&address));
        let value = if address.is_empty() { "(none)".to_owned() } else { address.as_dialled() };
        self.field(start, field.name, value, note);
        Some(())
    }

    /// Reads seven octets of time.
    pub(super) fn timestamp(&mut self, field: Field) -> Option<()> {
        let start = self.reader.at();
        let octets = self.reader.array(field);
        let octets: [u8; 7] = self.check(octets)?;
        let time = Timestamp::decode(octets);
        let note = time.to_unix().is_none().then(|| format!("no date: {}", hex(&octets)));
        self.field(start, field.name, time.to_string(), note);
        Some(())
    }
}

pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

pub(super) fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Type of number and numbering plan (TS 23.040 §9.1.2.5).
fn type_of(address: &Address) -> String {
    let ton = match address.ton() {
        0 => "unknown type",
        1 => "international",
        2 => "national",
        3 => "network specific",
        4 => "subscriber number",
        5 => return "alphanumeric".to_owned(),
        6 => "abbreviated",
        _ => "reserved type",
    };
    let npi = match address.npi() {
        0 => "unknown plan",
        1 => "E.164",
        3 => "X.121",
        4 => "telex",
        5 | 6 => "SC specific plan",
        8 => "national plan",
        9 => "private plan",
        10 => "ERMES",
        _ => "reserved plan",
    };
    format!("{ton}, {npi}")
}
