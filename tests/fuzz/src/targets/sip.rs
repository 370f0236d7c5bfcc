//! A datagram: read, judged, answered, and written again.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use smsc_proto::sip::{
    Header, MAX_HEAD, MAX_HEADER_LINES, Message, NameAddr, Request, Response, Transport, Uri, ViaOut,
    classify_malformed,
};

use crate::Meter;

const SOURCE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 40_000);
const VIA: ViaOut<'_> =
    ViaOut { transport: Transport::Udp, sent_by: "192.0.2.1:5060", branch: "z9hG4bKfuzz", alias: false };
/// What a writer may add to a head: a Via, `received`, `rport`, a tag, Content-Length, and a blank behind each colon.
const ADDED: usize = 1024;
const ADDED_LINES: usize = 4;

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let octets = Bytes::copy_from_slice(input);
    match meter.watch(|| Message::parse(octets.clone())) {
        Ok(message) => {
            meter.watch(|| read(&message));
            if message.is_request() {
                written_again(&message);
                if meter.watch(|| message.request_fault()).is_none() {
                    answered(&message, meter);
                }
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.reason().is_empty());
            if let Some(request) = meter.watch(|| classify_malformed(input)) {
                assert!(request.is_request() && request.body().is_empty());
                let answer = meter.watch(|| Response::to(&request, SOURCE, 400, "t").to_bytes());
                assert!(answer.len() <= 2 * input.len() + ADDED, "an answer that amplifies");
            }
        }
    }
}

/// Asks for everything that an application server asks for.
fn read(message: &Message) {
    let _ = black_box((message.method(), message.status(), message.reason(), message.is_version_2()));
    black_box(message.request_uri().map(Uri::parse).map(|uri| uri.map(|uri| uri.aor_key())).map(drop));
    black_box(message.vias().filter_map(Result::ok).filter(|via| via.branch().is_some()).count());
    let _ = black_box(message.via().map(|via| (via.received().is_some(), via.rport().is_some())));
    let _ = black_box((message.call_id(), message.cseq()));
    for party in [message.from(), message.to()].into_iter().flatten() {
        party_read(&party);
    }
    message.contacts().flatten().for_each(|contact| party_read(&contact));
    message.p_asserted_identities().flatten().for_each(|identity| party_read(&identity));
    message.routes().flatten().for_each(|route| party_read(&route));
    for header in [Header::PAssociatedUri, Header::Path, Header::ServiceRoute, Header::RecordRoute] {
        message.name_addrs(header).flatten().for_each(|element| party_read(&element));
    }
    let _ = black_box((
        message.expires(),
        message.max_forwards(),
        message.content_length(),
        message.retry_after(),
    ));
    black_box(message.content_type().and_then(|kind| kind.param("boundary")));
    black_box(message.in_reply_to().count());
    black_box(message.values(Header::Supported).count() + message.values(Header::Require).count());
    let _ = black_box((message.header_named("X-Unknown"), message.headers(Header::PChargingVector).count()));
    let _ = black_box((message.scheme_fault(), message.body().len()));
    black_box(message.content("application", "vnd.3gpp.sms"));
}

fn party_read(party: &NameAddr<'_>) {
    black_box((party.display, party.tag(), party.param("expires"), party.param("+g.3gpp.smsip")));
    if let Ok(uri) = party.parsed_uri() {
        black_box((uri.aor_key(), uri.number(), uri.param("transport")));
    }
}

/// A request written again from what was read of it says the same.
fn written_again(message: &Message) {
    let (Some(method), Some(uri)) = (message.method(), message.request_uri()) else { return };
    let kept =
        |name: &str| !["content-length", "l", "content-type", "c"].contains(&&*name.to_ascii_lowercase());
    let lines: Vec<(&str, &str)> = message.lines().filter(|(name, _)| kept(name)).collect();
    let head = message.raw().len() - message.body_octets().len();
    if lines.len() + ADDED_LINES > MAX_HEADER_LINES || head + lines.len() + ADDED > MAX_HEAD {
        return;
    }
    let mut request = Request::new(method.as_str(), uri);
    for (name, value) in &lines {
        request = request.header_named(name, value);
    }
    let kind = message.header(Header::ContentType).unwrap_or("application/octet-stream");
    let written = request.body(kind, message.body_octets()).to_bytes(&VIA);
    let again = Message::parse(written).expect("what we write can be read");
    assert_eq!((again.method(), again.request_uri()), (Some(method), Some(uri)));
    let found: Vec<(String, String)> = again
        .lines()
        .skip(1)
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let expected: Vec<(String, String)> =
        lines.iter().map(|(name, value)| ((*name).to_owned(), as_written(value))).collect();
    assert_eq!(found, expected);
    assert_eq!(again.body_octets(), message.body_octets());
}

/// The response to a request without fault is one that its sender can match.
fn answered(request: &Message, meter: &mut Meter) {
    let octets = meter.watch(|| Response::to(request, SOURCE, 200, "tag-of-ours").to_bytes());
    let head = request.raw().len() - request.body_octets().len();
    if request.count(Header::Via) + ADDED_LINES > MAX_HEADER_LINES || head + ADDED > MAX_HEAD {
        return;
    }
    if request.raw()[..head].contains(&0) {
        // A NUL goes back as a blank, and a blank may mean something else.
        return;
    }
    let response = Message::parse(octets).expect("the response to a readable request can be read");
    assert_eq!(response.status(), Some(200));
    let text = |value: Option<&str>| value.map(as_written);
    assert_eq!(text(response.call_id().ok()), text(request.call_id().ok()));
    assert_eq!(response.cseq(), request.cseq());
    assert_eq!(response.vias().count(), request.vias().count());
    let branch = |message: &Message| message.via().ok().and_then(|via| via.branch().map(as_written));
    assert_eq!(branch(&response), branch(request));
    let tag = |message: &Message| message.to().ok().and_then(|to| to.tag().map(as_written));
    let tagged = request.to().is_ok_and(|to| to.params.contains("tag"));
    assert_eq!(tag(&response), if tagged { tag(request) } else { Some("tag-of-ours".to_owned()) });
    assert_eq!(response.from().map(|from| from.uri), request.from().map(|from| from.uri));
    assert_eq!(response.to().map(|to| to.uri), request.to().map(|to| to.uri));
}

/// A value as a writer gives it out: NUL is a blank there, and blanks at the ends go when it is read.
fn as_written(value: &str) -> String {
    value.replace('\0', " ").trim_matches([' ', '\t']).to_owned()
}
