//! Scenarios in virtual time. `client` and `server` drive one layer by hand, `network` lets two talk over a bad one.

mod client;
mod interleavings;
mod network;
mod pair;
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::sip::{Header, Request, Response};

const OURS: &str = "192.0.2.1:5060";
const PEER: &str = "198.51.100.7:5060";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn config() -> Config {
    Config::new(OURS, [7, 11])
}

fn udp(remote: &str) -> Flow {
    Flow { transport: Transport::Udp, remote: addr(remote), connection: 0, local: 3 }
}

fn tcp(remote: &str, connection: u64) -> Flow {
    Flow { transport: Transport::Tcp, remote: addr(remote), connection, local: 4 }
}

fn tls(remote: &str, connection: u64) -> Flow {
    Flow { transport: Transport::Tls, ..tcp(remote, connection) }
}

fn target(transport: Option<Transport>) -> Target {
    Target::new(transport, addr(PEER))
}

fn parse(bytes: &Bytes) -> Message {
    Message::parse(bytes.clone()).unwrap()
}

/// A MESSAGE to be sent, with a body of `body` octets.
fn outgoing(method: &str, body: usize) -> Request {
    Request::new(method, "sip:bob@example.com")
        .header(Header::From, "<sip:smsc@example.com>;tag=1")
        .header(Header::To, "<sip:bob@example.com>")
        .header(Header::CallId, "call")
        .header(Header::CSeq, &format!("1 {method}"))
        .header(Header::MaxForwards, "70")
        .body("application/octet-stream", &vec![0xa5; body])
}

/// A request from the peer with this Via value.
fn incoming(method: &str, via: &str) -> Message {
    parse(&Bytes::from(format!(
        "{method} sip:smsc@example.com SIP/2.0\r\nVia: {via}\r\nFrom: <sip:bob@example.com>;tag=9\r\n\
         To: <sip:smsc@example.com>\r\nCall-ID: their-call\r\nCSeq: 5 {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )))
}

/// What a peer answers to a request on the wire.
fn answer(request: &Message, status: u16) -> Bytes {
    Response::to(request, addr(OURS), status, "peer").to_bytes()
}

fn transmits(layer: &mut Transactions) -> Vec<Transmit> {
    std::iter::from_fn(|| layer.poll_transmit()).collect()
}

/// Events in short: what, whose, and the status or the method.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Request(ServerId, String),
    Overload(String),
    Response(ClientId, u16),
    Timeout(ClientId),
    TransportError(ClientId),
    Stray(u16),
}

impl From<Event> for Seen {
    fn from(event: Event) -> Self {
        let method = |message: &Message| message.method().unwrap().as_str().to_owned();
        match event {
            Event::Request { id, flow: _, message } => Seen::Request(id, method(&message)),
            Event::Overload { flow: _, message } => Seen::Overload(method(&message)),
            Event::Response { id, message } => Seen::Response(id, message.status().unwrap()),
            Event::Timeout { id } => Seen::Timeout(id),
            Event::TransportError { id } => Seen::TransportError(id),
            Event::Stray { flow: _, message } => Seen::Stray(message.status().unwrap()),
        }
    }
}

fn events(layer: &mut Transactions) -> Vec<Seen> {
    std::iter::from_fn(|| layer.poll_event()).map(Seen::from).collect()
}

/// Lets time pass until nothing is due any more or `end` is reached; returns when timeouts fell due and what was sent.
fn run_until(layer: &mut Transactions, start: Instant, end: Instant) -> Vec<(u128, Vec<Transmit>)> {
    let mut sent = Vec::new();
    while let Some(due) = layer.poll_timeout().filter(|&due| due <= end) {
        layer.handle_timeout(due);
        sent.push(((due - start).as_millis(), transmits(layer)));
    }
    sent
}
