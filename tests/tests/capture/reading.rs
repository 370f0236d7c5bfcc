//! One SIP message as tshark reads it and as we do, in one form, to be compared as a whole.

use std::collections::BTreeMap;

use smsc_proto::sip::{Header, Message, NameAddr, Params, Scheme, Uri};

use crate::pdml::Element;
use crate::sms;

/// What tshark works out, or says of lengths and extension bits that other fields depend on.
const NOT_COMPARED: [&str; 20] = [
    "e164.country_code",
    "e164.msisdn",
    "gsm_a.extension",
    "gsm_a.len",
    "gsm_a.rp.elem_id",
    "gsm_a.rp.extension",
    "gsm_sms.coding_group_bits2",
    "gsm_sms.coding_group_bits4",
    "gsm_sms.dis_field.definition",
    "gsm_sms.dis_field_addr.extension",
    "gsm_sms.dis_field_addr.length",
    "gsm_sms.gsm_7_bit_default_alphabet",
    "gsm_sms.tp.extension",
    "gsm_sms.tp.reserved",
    "sip.call_id_generated",
    "sip.release-time",
    "sip.resend",
    "sip.resend-original",
    "sip.response-request",
    "sip.response-time",
];

/// A message, read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// Octets of the whole message.
    pub(crate) length: usize,
    /// Name and value of every header line, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Behind the name of a header, of the start line's part or of an SMS field: all that is read there, in order.
    pub(crate) parts: BTreeMap<String, Vec<String>>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Reading {
    /// How many values can be compared.
    pub(crate) fn fields(&self) -> usize {
        2 + self.headers.len() + self.parts.values().map(Vec::len).sum::<usize>()
    }

    /// What another reading says otherwise.
    pub(crate) fn differences(&self, other: &Reading) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, one: String, two: String| {
            if one != two {
                differences.push(format!("{what}: tshark reads {one}, we {two}"));
            }
        };
        compare("length", self.length.to_string(), other.length.to_string());
        for index in 0..self.headers.len().max(other.headers.len()) {
            let (theirs, ours) = (self.headers.get(index), other.headers.get(index));
            compare(&format!("header {index}"), format!("{theirs:?}"), format!("{ours:?}"));
        }
        for name in self.parts.keys().chain(other.parts.keys().filter(|name| !self.parts.contains_key(*name)))
        {
            compare(name, format!("{:?}", self.parts.get(name)), format!("{:?}", other.parts.get(name)));
        }
        compare("body", format!("{:02x?}", self.body), format!("{:02x?}", other.body));
        differences
    }

    fn part(&mut self, of: &str, what: impl Into<String>) {
        self.parts.entry(of.to_owned()).or_default().push(what.into());
    }
}

/// tshark's reading of the octets that begin where its message does.
pub(crate) fn tshark(message: &Element, octets: &[u8]) -> Reading {
    let mut reading = Reading { length: message.size, ..Reading::default() };
    for element in &message.children {
        match element.name.as_str() {
            "sip.msg_hdr" => headers(&mut reading, element),
            "sip.msg_body" => {
                let start = element.position - message.position;
                reading.body = octets.get(start..start + element.size).unwrap_or_default().to_vec();
                body(&mut reading, element);
            }
            _ => parts(&mut reading, "start line", element),
        }
    }
    reading
}

fn headers(reading: &mut Reading, section: &Element) {
    for header in &section.children {
        match header.name.as_str() {
            // Authorization once more.
            "sip.auth" | "sip.call_id_generated" | "_ws.expert" => {}
            // Names it does not know.
            "" => {
                let (name, value) = header.show.split_once(':').unwrap_or((&header.show, ""));
                reading.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            name => {
                let name = name.trim_start_matches("sip.").to_ascii_lowercase();
                reading.headers.push((name.clone(), header.show.trim().to_owned()));
                for part in &header.children {
                    parts(reading, &name, part);
                }
            }
        }
    }
}

fn parts(reading: &mut Reading, of: &str, element: &Element) {
    for part in element.all() {
        let name = part.name.as_str();
        // What is in Authorization is the S-CSCF's business.
        if name.starts_with("_ws.")
            || name.starts_with("sip.auth")
            || name.is_empty()
            || NOT_COMPARED.contains(&name)
        {
            continue;
        }
        // Second names for what has one.
        if !matches!(name, "sip.tag" | "sip.display.info") {
            reading.part(of, format!("{name}={}", part.show.trim()));
        }
    }
}

/// Only what is a short message: the fields of XML are none of ours.
fn body(reading: &mut Reading, element: &Element) {
    for part in element.all() {
        let name = part.name.as_str();
        let of_sms = name.starts_with("gsm_a.") || name.starts_with("gsm_sms.");
        if of_sms && name != "gsm_a.rp" && !NOT_COMPARED.contains(&name) {
            reading.part(name, part.show.clone());
        }
    }
}

/// Our reading.
pub(crate) fn ours(message: &Message) -> Reading {
    let mut reading =
        Reading { length: message.raw().len(), body: message.body().to_vec(), ..Reading::default() };
    start_line(&mut reading, message);
    for (name, value) in message.lines() {
        let name = Header::from_name(name.as_bytes()).map_or(name, |header| header.as_str());
        reading.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    vias(&mut reading, message);
    // tshark names the parts of these headers so, and reads that many values of each.
    for (header, prefix, values) in [
        (Header::From, "from", 1),
        (Header::To, "to", 1),
        (Header::Contact, "contact", usize::MAX),
        (Header::Route, "Route", usize::MAX),
        (Header::RecordRoute, "Record-Route", usize::MAX),
        (Header::Path, "Path", usize::MAX),
        (Header::ServiceRoute, "Service-Route", usize::MAX),
        (Header::PAssertedIdentity, "pai", 1),
    ] {
        let name = header.as_str().to_ascii_lowercase();
        for value in message.values(header).take(values) {
            name_addr(&mut reading, &name, prefix, value);
        }
    }
    let cseq = message.cseq().expect("a CSeq");
    reading.part("cseq", format!("sip.CSeq.seq={}", cseq.number));
    reading.part("cseq", format!("sip.CSeq.method={}", cseq.method.as_str()));
    for value in message.headers(Header::PChargingVector) {
        if let Some(icid) = Params::new(value).value("icid-value") {
            reading.part("p-charging-vector", format!("sip.icid_value={}", in_quotes(icid, value)));
        }
    }
    for value in message.headers(Header::PAccessNetworkInfo) {
        let (access, params) = value.split_once(';').unwrap_or((value, ""));
        reading.part("p-access-network-info", format!("sip.P-Access-Network-Info.access-type={access}"));
        if let Some(cell) = Params::new(params).value("utran-cell-id-3gpp") {
            let cell = in_quotes(cell, params);
            reading.part(
                "p-access-network-info",
                format!("sip.P-Access-Network-Info.utran-cell-id-3gpp={cell}"),
            );
        }
    }
    if let Some(rpdu) = message.content("application", "vnd.3gpp.sms") {
        sms::fields(&rpdu, &mut |name: &str, value: String| reading.part(name, value));
    }
    reading
}

/// tshark leaves the quotes that a value was written in.
fn in_quotes(value: &str, header: &str) -> String {
    let quoted = format!("\"{value}\"");
    if header.contains(&quoted) { quoted } else { value.to_owned() }
}

fn start_line(reading: &mut Reading, message: &Message) {
    let of = "start line";
    match (message.method(), message.request_uri(), message.status(), message.reason()) {
        (Some(method), Some(uri), ..) => {
            reading.part(of, format!("sip.Request-Line={} {uri} SIP/2.0", method.as_str()));
            reading.part(of, format!("sip.Method={}", method.as_str()));
            reading.part(of, format!("sip.r-uri={uri}"));
            uri_parts(reading, of, "sip.r-uri", uri);
        }
        (_, _, Some(status), Some(reason)) => {
            reading.part(of, format!("sip.Status-Line=SIP/2.0 {status} {reason}"));
            reading.part(of, format!("sip.Status-Code={status}"));
        }
        other => reading.part(of, format!("neither a request nor a response: {other:?}")),
    }
}

fn uri_parts(reading: &mut Reading, of: &str, prefix: &str, uri: &str) {
    let uri = Uri::parse(uri).expect("a URI");
    let password = uri.password.map(|password| format!(":{password}")).unwrap_or_default();
    // tshark has no name for the number of a tel URI.
    if let Some(user) = uri.user.filter(|_| uri.scheme != Scheme::Tel) {
        reading.part(of, format!("{prefix}.user={user}{password}"));
    }
    if !uri.host.is_empty() {
        let host = if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.to_owned() };
        reading.part(of, format!("{prefix}.host={host}"));
    }
    if let Some(port) = uri.port {
        reading.part(of, format!("{prefix}.port={port}"));
    }
    for param in written(uri.params) {
        reading.part(of, format!("{prefix}.param={param}"));
    }
}

/// Parameters as tshark prints them: as they were written.
fn written(params: Params<'_>) -> impl Iterator<Item = &str> {
    // What is in quotes may hold semicolons.
    let mut quoted = false;
    let outside = move |letter: char| {
        quoted ^= letter == '"';
        letter == ';' && !quoted
    };
    params.as_str().split(outside).map(str::trim).filter(|param| !param.is_empty())
}

fn vias(reading: &mut Reading, message: &Message) {
    for via in message.vias() {
        let via = via.expect("a Via");
        let mut part = |name: &str, value: &str| reading.part("via", format!("sip.Via.{name}={value}"));
        part("transport", via.transport);
        part("sent-by.address", via.host);
        if let Some(port) = via.port {
            part("sent-by.port", &port.to_string());
        }
        for (name, value) in via.params.iter() {
            match name {
                "branch" => part(name, via.branch().unwrap_or_default()),
                "received" => part(name, via.received().unwrap_or_default()),
                // Without a value the name is all that there is to print.
                "rport" => match via.rport().flatten() {
                    Some(port) => part(name, &port.to_string()),
                    None => part(name, name),
                },
                "maddr" | "ttl" | "comp" => part(name, value.unwrap_or_default()),
                // It has no names for the others.
                _ => {}
            }
        }
    }
}

fn name_addr(reading: &mut Reading, of: &str, prefix: &str, value: &str) {
    let read = match of {
        "p-asserted-identity" => NameAddr::parse_identity(value),
        _ => NameAddr::parse(value),
    };
    let read = read.expect("a name-addr");
    if let Some(display) = read.display {
        // It leaves the quotes.
        let display =
            if value.trim_start().starts_with('"') { format!("\"{display}\"") } else { display.to_owned() };
        reading.part(of, format!("sip.{prefix}.display.info={display}"));
    }
    let uri = if matches!(prefix, "from" | "to" | "pai") { "addr" } else { "uri" };
    reading.part(of, format!("sip.{prefix}.{uri}={}", read.uri));
    uri_parts(reading, of, &format!("sip.{prefix}"), read.uri);
    for param in written(read.params) {
        match (prefix, param.split_once('=')) {
            ("from" | "to", Some(("tag", tag))) => reading.part(of, format!("sip.{prefix}.tag={tag}")),
            ("contact", _) => reading.part(of, format!("sip.contact.parameter={param}")),
            _ => {}
        }
    }
}
