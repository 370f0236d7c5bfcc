//! What is measured: each operation of the hot path as a function that can be run again and again, by us and, for SIP,
//! by the others on the same input.

use std::hint::black_box;

use bytes::Bytes;
use rsip::headers::ToTypedHeader as _;
use rsip::message::{HasHeaders as _, HeadersExt as _};
use rsipstack::sip::headers::typed;
use rsipstack::sip::{HasHeaders as _, HeadersExt as _, ToTypedHeader as _};
use smsc_proto::sip::{Header, Message, Request, Transport, Uri, ViaOut};
use smsc_proto::sms::{Carrier, Direction, Rpdu, Tpdu};

use crate::inputs::{self, WriteDeliver};

/// One operation by one implementation.
pub struct Work {
    /// What is done.
    pub operation: &'static str,
    /// Who does it: `ours`, `rsip` or `rsipstack`.
    pub by: &'static str,
    /// Does it once.
    pub run: Box<dyn FnMut()>,
}

/// Everything that is measured, in the order in which it is shown.
pub fn works() -> Vec<Work> {
    let (mo, ok) = (inputs::mo_message(), inputs::ok());
    let rpdu = inputs::rp_data_deliver();
    let mut works = Vec::new();
    for (operation, octets) in [("parse an MO MESSAGE", mo.clone()), ("parse a 200 to an MT MESSAGE", ok)] {
        works.extend(parse(operation, &octets));
    }
    works.extend(parse_and_ask("parse an MO MESSAGE, read its headers", &mo));
    works.push(judge("judge a parsed MO MESSAGE", mo));
    works.extend(write("write an MT MESSAGE", &rpdu));
    works.extend(sms());
    works
}

fn work(operation: &'static str, by: &'static str, run: impl FnMut() + 'static) -> Work {
    Work { operation, by, run: Box::new(run) }
}

fn parse(operation: &'static str, octets: &Bytes) -> [Work; 3] {
    let [ours, rsip, stack] = [octets.clone(), octets.clone(), octets.clone()];
    [
        work(operation, "ours", move || {
            black_box(Message::parse(black_box(ours.clone())).expect("a sound message"));
        }),
        work(operation, "rsip", move || {
            black_box(rsip::SipMessage::try_from(black_box(&rsip[..])).expect("a sound message"));
        }),
        work(operation, "rsipstack", move || {
            black_box(rsipstack::sip::parser::parse_message(black_box(&stack)).expect("a sound message"));
        }),
    ]
}

/// Parses, and asks for what the engine reads of every MESSAGE.
fn parse_and_ask(operation: &'static str, octets: &Bytes) -> [Work; 3] {
    let [ours, rsip, stack] = [octets.clone(), octets.clone(), octets.clone()];
    [
        work(operation, "ours", move || {
            let message = Message::parse(black_box(ours.clone())).expect("a sound message");
            black_box(message.via().is_ok_and(|via| via.branch().is_some()));
            let (from, to) = (message.from(), message.to());
            black_box((from.is_ok_and(|from| from.tag().is_some()), to.is_ok_and(|to| to.tag().is_none())));
            black_box((
                message.call_id().is_ok(),
                message.cseq().is_ok(),
                message.header(Header::ContentType),
            ));
            let asserted = message.p_asserted_identities().next().expect("an identity").expect("a name-addr");
            black_box(Uri::parse(asserted.uri).expect("a URI").user);
            black_box(message.body_octets());
        }),
        work(operation, "rsip", move || {
            let message = rsip::SipMessage::try_from(black_box(&rsip[..])).expect("a sound message");
            black_box(message.via_header().and_then(|via| via.typed()).expect("a Via"));
            black_box(message.from_header().and_then(|from| from.typed()).expect("From"));
            black_box(message.to_header().and_then(|to| to.typed()).expect("To"));
            black_box(message.cseq_header().and_then(|cseq| cseq.typed()).expect("CSeq"));
            black_box(message.call_id_header().expect("Call-ID"));
            let asserted = message.headers().iter().find_map(|header| match header {
                rsip::Header::Other(name, value) if name == "P-Asserted-Identity" => Some(value.as_str()),
                _ => None,
            });
            let asserted = rsip::headers::Contact::from(asserted.expect("an identity"));
            black_box(asserted.typed().expect("a name-addr"));
            black_box(message.body());
        }),
        work(operation, "rsipstack", move || {
            let message = rsipstack::sip::parser::parse_message(black_box(&stack)).expect("a sound message");
            black_box(message.top_via_header().and_then(|via| via.typed()).expect("a Via"));
            black_box(message.from_header().and_then(|from| from.typed()).expect("From"));
            black_box(message.to_header().and_then(|to| to.typed()).expect("To"));
            black_box(message.cseq_header().and_then(|cseq| cseq.typed()).expect("CSeq"));
            black_box(message.call_id_header().expect("Call-ID"));
            let asserted = message.headers().iter().find_map(|header| match header {
                rsipstack::sip::Header::PAssertedIdentity(value) => Some(value.value()),
                _ => None,
            });
            black_box(typed::From::parse(asserted.expect("an identity")).expect("a name-addr"));
            black_box(&message);
        }),
    ]
}

/// Looks for what must be refused (RFC 3261 §8.2), which the others leave to their users.
fn judge(operation: &'static str, octets: Bytes) -> Work {
    let message = Message::parse(octets).expect("a sound message");
    work(operation, "ours", move || assert_eq!(black_box(&message).request_fault(), None))
}

fn write(operation: &'static str, body: &[u8]) -> [Work; 3] {
    let [ours, rsip, stack] = [body.to_vec(), body.to_vec(), body.to_vec()];
    let (sent_by, branch) = inputs::VIA;
    let via = format!("SIP/2.0/UDP {sent_by};branch={branch};rport");
    let length = body.len().to_string();
    let lines: Vec<(&'static str, String)> = [("Via", via)]
        .into_iter()
        .chain(inputs::HEADERS.map(|(name, value)| (name, value.to_owned())))
        .chain([("Content-Type", inputs::SMS.to_owned()), ("Content-Length", length)])
        .collect();
    let same_lines = lines.clone();
    [
        work(operation, "ours", move || {
            let mut request = Request::new("MESSAGE", black_box(inputs::HANDSET));
            for (name, value) in inputs::HEADERS {
                request = request.header_named(name, black_box(value));
            }
            let via = ViaOut { transport: Transport::Udp, sent_by, branch, alias: false };
            black_box(request.body(inputs::SMS, black_box(&ours)).to_bytes(&via));
        }),
        work(operation, "rsip", move || {
            let mut headers = rsip::Headers::default();
            for (name, value) in &lines {
                headers.push(rsip::Header::Other((*name).to_owned(), black_box(value).clone()));
            }
            let request = rsip::Request {
                method: rsip::Method::Message,
                uri: rsip::Uri::try_from(black_box(inputs::HANDSET)).expect("a URI"),
                version: rsip::Version::V2,
                headers,
                body: black_box(&rsip).clone(),
            };
            black_box(Vec::from(request));
        }),
        work(operation, "rsipstack", move || {
            let mut headers = rsipstack::sip::Headers::default();
            for (name, value) in &same_lines {
                headers.push(rsipstack::sip::Header::Other((*name).to_owned(), black_box(value).clone()));
            }
            let request = rsipstack::sip::Request {
                method: rsipstack::sip::Method::Message,
                uri: rsipstack::sip::parse_uri(black_box(inputs::HANDSET)).expect("a URI"),
                version: rsipstack::sip::Version::V2,
                headers,
                body: black_box(&stack).clone(),
            };
            black_box(request.to_bytes());
        }),
    ]
}

/// RPDUs with their TPDUs, written into buffers that are there. Neither of the others knows them.
fn sms() -> [Work; 4] {
    let (submit, report) = (inputs::rp_data_submit(), inputs::rp_ack_submit_report());
    let deliver = WriteDeliver::new();
    let buffers = || (Vec::with_capacity(256), Vec::with_capacity(256));
    let ((mut tpdu, mut rpdu), (mut report_tpdu, mut report_rpdu)) = (buffers(), buffers());
    let decode = |direction, carrier, octets: &[u8]| {
        let rpdu = Rpdu::decode(direction, black_box(octets)).expect("a sound RPDU");
        black_box(Tpdu::decode(direction, carrier, rpdu.user_data().expect("a TPDU")).expect("a sound TPDU"));
    };
    [
        work("decode RP-DATA + SMS-SUBMIT", "ours", move || {
            decode(Direction::MsToNetwork, Carrier::Data, &submit);
        }),
        work("encode RP-DATA + SMS-DELIVER", "ours", move || {
            black_box(&deliver).write(&mut tpdu, &mut rpdu);
            black_box(&rpdu);
        }),
        work("decode RP-ACK + SMS-SUBMIT-REPORT", "ours", move || {
            decode(Direction::NetworkToMs, Carrier::Ack, &report);
        }),
        work("encode RP-ACK + SMS-SUBMIT-REPORT", "ours", move || {
            inputs::write_submit_report(&mut report_tpdu, &mut report_rpdu);
            black_box(&report_rpdu);
        }),
    ]
}
