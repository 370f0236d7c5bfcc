//! Failover in virtual time: an engine, a queue with messages, and addresses that refuse.

use std::net::SocketAddr;

use bytes::Bytes;
use smsc_backend::{Accepted, MessageId, Processed, QueuedMessage, Status};
use smsc_config::Config;
use smsc_proto::sip::transaction::{self, Destination, Flow, Transmit, TransportFailure};
use smsc_proto::sip::{Message, Response};

use super::*;
use crate::engine::{Call, Metrics, Reply, Server, Settings};
use crate::environment::Environment;
use crate::settings::engine_settings;

const CONFIG: &str = "
api_base_url: https://backend.example.org
location: smsc.example.org
s_cscf_sip_uri: sip:scscf.example.org
ims_domain: ims.example.org
trusted_peers: [192.0.2.0/24]
advertise: {address: 192.0.2.200}
";

/// The engine and everything around it.
struct World {
    engine: Engine,
    now: Now,
    /// What get_queue has.
    rows: Vec<QueuedMessage>,
    /// What DNS says.
    zone: Resolved,
    /// Addresses to which nothing can be sent.
    refusing: Vec<SocketAddr>,
    looked_up: Vec<Question>,
    /// Whatever left for an address, refused or not.
    tried: Vec<SocketAddr>,
    sent: Vec<(SocketAddr, Message)>,
    outcomes: Vec<(Status, String)>,
}

impl World {
    fn new(zone: Resolved, messages: u8) -> Self {
        let config = Config::parse(CONFIG, "config.yaml").unwrap();
        let environment = Environment {
            host_name: "smsc-0".to_owned(),
            interfaces: Vec::new(),
            variable: None,
            outbound: None,
            listening: Vec::new(),
            core: Vec::new(),
        };
        let now = Now { mono: Instant::now(), wall: 1_750_000_000 };
        let transactions = transaction::Config::new("192.0.2.200:5060", [1, 2]);
        let settings = engine_settings(&config, &environment).unwrap();
        let mut world = Self {
            engine: Engine::new(settings, Arc::new(Metrics::default()), transactions, 7, now),
            now,
            rows: (1..=messages).map(row).collect(),
            zone,
            refusing: Vec::new(),
            looked_up: Vec::new(),
            tried: Vec::new(),
            sent: Vec::new(),
            outcomes: Vec::new(),
        };
        world.pass(Duration::ZERO);
        world
    }

    fn refusing(mut self, refusing: &[&str]) -> Self {
        self.refusing = refusing.iter().map(|address| address.parse().unwrap()).collect();
        self
    }

    /// Lets time pass, with every timer at its moment.
    fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        self.carry_out();
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.now.mono = self.now.mono.max(at);
            self.engine.handle_timeout(self.now);
            self.carry_out();
        }
        self.now.mono = end;
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmit(transmit),
                Output::Resolve(question) => {
                    self.looked_up.push(question.clone());
                    self.engine.handle_resolved(self.now, question, self.zone.clone());
                }
                Output::Call { id, call } => {
                    let reply = match call {
                        Call::GetQueue { .. } => Reply::Rows(std::mem::take(&mut self.rows)),
                        Call::InsertMessage(_) => Reply::Accepted(Accepted {
                            id: MessageId::from("stored"),
                            scts: None,
                            duplicate: false,
                        }),
                        Call::ProcessMessage { report, .. } => {
                            self.outcomes.push((report.status, report.detail));
                            Reply::Processed(Processed::Recorded)
                        }
                        _ => Reply::Done,
                    };
                    self.engine.handle_answer(self.now, id, Ok(reply));
                }
                Output::Relay { .. } | Output::RelayAnswer { .. } | Output::Step(_) => {}
            }
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Destination::Connect(target) = transmit.to.clone() else { return };
        self.tried.push(target.addr);
        if self.refusing.contains(&target.addr) {
            self.engine.handle_transport_failure(self.now, TransportFailure::Unsent(transmit));
        } else {
            self.sent.push((target.addr, Message::parse(transmit.bytes).unwrap()));
        }
    }

    fn answer(&mut self, status: u16) {
        let (remote, request) = self.sent.last().cloned().unwrap();
        let flow = Flow { transport: Transport::Tcp, remote, connection: 1, local: 0 };
        let response = Response::to(&request, remote, status, "core").to_bytes();
        self.engine.handle_message(self.now, flow, response);
        self.carry_out();
    }

    fn tried(&self) -> Vec<String> {
        self.tried.iter().map(ToString::to_string).collect()
    }
}

fn row(number: u8) -> QueuedMessage {
    serde_json::from_value(serde_json::json!({
        "id": format!("m{number}"), "source_msisdn": "447700900001", "message_body": "hello",
        "destination_msisdn": format!("4477009001{number:02}"), "kind": "submit", "delivery_attempts": 0,
    }))
    .unwrap()
}

const A: &str = "192.0.2.1:5060";
const B: &str = "192.0.2.2:5060";

/// A comes before B.
fn a_then_b(transport: Transport) -> Resolved {
    let server = |rank, address: &str| Server {
        name: format!("s{rank}"),
        rank,
        weight: 0,
        targets: vec![Target::new(Some(transport), address.parse().unwrap())],
    };
    Ok(Found {
        servers: vec![server(1, A), server(2, B)],
        life: Duration::from_secs(600),
        ignored: Vec::new(),
    })
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_cannot_be_sent_goes_to_the_next_address_within_the_same_attempt() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut world = World::new(a_then_b(transport), 0).refusing(&[A]);
        world.rows = vec![row(1)];
        world.pass(3 * SECOND);
        assert_eq!(world.tried()[..2], [A, B]);
        assert_eq!(world.outcomes, []);
        world.answer(403);
        assert_eq!(world.outcomes.len(), 1, "one attempt: {:?}", world.outcomes);
        assert_eq!(world.engine.metrics.mt_attempts.get(), 1);
    }
}

#[test]
fn an_attempt_ends_when_no_address_is_left_and_nothing_was_sent() {
    let mut world = World::new(a_then_b(Transport::Tcp), 0).refusing(&[A, B]);
    world.rows = vec![row(1)];
    world.pass(3 * SECOND);
    let detail = "no connection to any of 2 addresses of the next hop; nothing was sent (RFC 3261 §18.4, RFC 3263 §4.3)";
    assert_eq!(
        (world.tried(), world.outcomes),
        (vec![A.to_owned(), B.to_owned()], vec![(Status::Failed, detail.to_owned())])
    );
}

#[test]
fn a_target_that_failed_comes_last_for_30_seconds() {
    let mut world = World::new(a_then_b(Transport::Tcp), 0).refusing(&[A]);
    for (after, expected) in [(3, &[A, B][..]), (3, &[B]), (30, &[A, B])] {
        world.pass(after * SECOND);
        world.tried.clear();
        world.rows = vec![row(1)];
        world.pass(3 * SECOND);
        assert_eq!(world.tried(), expected);
        world.answer(403);
    }
    world.refusing = vec![B.parse().unwrap()];
    world.tried.clear();
    world.rows = vec![row(2)];
    world.pass(3 * SECOND);
    assert_eq!(world.tried(), [B, A], "one that failed lately is better than none");
}

#[test]
fn what_may_have_been_sent_goes_nowhere_else() {
    for status in [Some(503), Some(408), None] {
        let mut world = World::new(a_then_b(Transport::Tcp), 0);
        world.rows = vec![row(1)];
        world.pass(3 * SECOND);
        match status {
            Some(status) => world.answer(status),
            None => {
                let addr = A.parse().unwrap();
                let lost = TransportFailure::Lost { transport: Transport::Tcp, addr };
                world.engine.handle_transport_failure(world.now, lost);
            }
        }
        world.pass(60 * SECOND);
        assert_eq!(world.tried(), [A]);
        assert_eq!(world.outcomes.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [Status::Unknown]);
    }
}

#[test]
fn a_repetition_that_cannot_be_sent_does_not_undo_the_first_transmission() {
    let mut world = World::new(a_then_b(Transport::Udp), 0);
    world.rows = vec![row(1)];
    world.pass(2 * SECOND);
    assert_eq!(world.sent.len(), 1);
    world.refusing = vec![A.parse().unwrap()];
    world.pass(60 * SECOND);
    assert!(!world.tried().contains(&B.to_owned()), "{:?}", world.tried());
    assert_eq!(world.outcomes.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [Status::Unknown]);
}

#[test]
fn a_submit_report_fails_over_as_well_and_at_last_goes_back_where_the_message_came_from() {
    let handset = "192.0.2.77:5060";
    for (refusing, expected) in
        [(&[A][..], &[A, B][..]), (&[A, B], &[A, B, handset]), (&[A, B, handset], &[A, B, handset])]
    {
        // The first delivery makes the name known.
        let mut world = World::new(a_then_b(Transport::Tcp), 1).refusing(&[]);
        world.tried.clear();
        world = world.refusing(refusing);
        let flow =
            Flow { transport: Transport::Udp, remote: handset.parse().unwrap(), connection: 0, local: 0 };
        world.engine.handle_message(world.now, flow, submission());
        world.carry_out();
        assert_eq!(world.tried(), expected);
    }
}

/// RP-DATA with an SMS-SUBMIT, as a handset sends it.
fn submission() -> Bytes {
    let rpdu = b"\x00\x2a\x00\x07\x91\x44\x77\x00\x09\x90\x99\x15\
        \x31\x07\x0c\x91\x44\x77\x00\x09\x20\x22\x00\x00\xa7\x08\xe8\x32\x9b\xfd\x06\x6d\xca";
    let mut message = b"MESSAGE sip:smsc@smsc.example.org SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
        From: <sip:+447700900111@ims.example.org>;tag=1\r\nTo: <sip:smsc@smsc.example.org>\r\n\
        P-Asserted-Identity: <sip:+447700900111@ims.example.org>\r\n\
        Call-ID: submission\r\nCSeq: 1 MESSAGE\r\nContent-Type: application/vnd.3gpp.sms\r\n"
        .to_vec();
    message.extend_from_slice(format!("Content-Length: {}\r\n\r\n", rpdu.len()).as_bytes());
    message.extend_from_slice(rpdu);
    message.into()
}

#[test]
fn one_look_up_serves_all_who_wait_and_holds_for_its_life() {
    let mut world = World::new(a_then_b(Transport::Tcp), 5);
    assert_eq!(world.sent.len(), 5);
    let question = Question { host: "scscf.example.org".to_owned(), port: None, transport: None };
    assert_eq!(world.looked_up, std::slice::from_ref(&question));
    for (number, after, looked_up) in [(6, 590, 1), (7, 20, 2)] {
        world.pass(after * SECOND);
        world.rows = vec![row(number)];
        world.pass(3 * SECOND);
        assert_eq!(world.looked_up, vec![question.clone(); looked_up]);
    }
}

#[test]
fn an_old_answer_serves_on_while_dns_is_silent_but_not_when_it_says_no() {
    let not_found = |definite| NotFound { why: "?".to_owned(), life: SECOND, definite };
    for (definite, sent) in [(false, 2), (true, 1)] {
        let mut world = World::new(a_then_b(Transport::Tcp), 1);
        world.answer(403);
        world.zone = Err(not_found(definite));
        world.pass(601 * SECOND);
        world.rows = vec![row(2)];
        world.pass(3 * SECOND);
        assert_eq!(world.sent.len(), sent, "definite: {definite}");
    }
    let world = World::new(Err(not_found(false)), 1);
    assert_eq!(
        world.outcomes,
        [(Status::Failed, "no next hop for sip:scscf.example.org: ? (RFC 3263)".to_owned())]
    );
}

#[test]
fn answers_hold_for_a_second_at_least_and_an_hour_at_most() {
    for (life, shorter, longer) in [(0, 0, 2), (86_400, 3500, 3700)] {
        let found = a_then_b(Transport::Tcp).map(|found| Found { life: life * SECOND, ..found });
        let mut world = World::new(found, 0);
        let uri = "sip:scscf.example.org";
        let ask = |world: &mut World| world.engine.next_hop(world.now, uri, &[]) == Hop::Resolving;
        assert!(ask(&mut world));
        world.carry_out();
        world.now.mono += shorter * SECOND;
        assert!(!ask(&mut world), "{life}");
        world.now.mono += (longer - shorter) * SECOND;
        assert!(ask(&mut world), "{life}");
    }
}

#[test]
fn a_uri_says_what_is_looked_up_or_why_it_cannot_be() {
    let found = |host: &str, port, transport| Ok(Question { host: host.to_owned(), port, transport });
    for (uri, expected) in [
        ("sip:SCSCF.ims", found("scscf.ims", None, None)),
        ("sip:a@b:5070;transport=TCP;lr", found("b", Some(5070), Some(Transport::Tcp))),
        ("sip:[2001:db8::1]", found("2001:db8::1", None, None)),
        ("sip:b;transport=tls", found("b", None, Some(Transport::Tls))),
        ("sips:b", found("b", None, Some(Transport::Tls))),
        ("sips:b:5070;transport=tcp", found("b", Some(5070), Some(Transport::Tls))),
        ("sips:b;transport=udp", Err("there is no TLS over UDP".to_owned())),
        ("sip:b;transport=sctp", Err("transport sctp is not spoken towards the core".to_owned())),
    ] {
        assert_eq!(question(uri), expected, "{uri}");
    }
    let mut world = World::new(a_then_b(Transport::Udp), 0);
    let target = Target::new(None, A.parse().unwrap());
    assert_eq!(world.engine.next_hop(world.now, "sip:192.0.2.1", &[]), Hop::Known(target.clone()));
    assert_eq!(world.engine.next_hop(world.now, "sip:192.0.2.1", &[target]), Hop::Exhausted);
    assert_eq!(world.looked_up, []);
}

#[test]
fn where_no_server_could_be_verified_nothing_is_sent_over_tls() {
    let mut world = World::new(a_then_b(Transport::Tls), 0);
    for uri in ["sips:scscf.example.org", "sip:192.0.2.1;transport=tls"] {
        assert_eq!(world.engine.next_hop(world.now, uri, &[]), Hop::Failed(NO_TLS.to_owned()));
    }
    assert_eq!(world.looked_up, []);
    let settings = Settings { speaks_tls: true, ..(**world.engine.settings()).clone() };
    world.engine.apply(world.now, settings);
    let target = Target {
        name: Some("192.0.2.1".into()),
        ..Target::new(Some(Transport::Tls), "192.0.2.1:5061".parse().unwrap())
    };
    assert_eq!(world.engine.next_hop(world.now, "sips:192.0.2.1", &[]), Hop::Known(target));
}

#[test]
fn a_connection_is_trusted_for_its_certificate_whatever_the_address() {
    let mut world = World::new(a_then_b(Transport::Tls), 0);
    let flow = Flow {
        transport: Transport::Tls,
        remote: "203.0.113.9:40000".parse().unwrap(),
        connection: 7,
        local: 0,
    };
    let mut status = |trusted: Option<bool>, flow: Flow, branch: &str| {
        if let Some(trusted) = trusted {
            world.engine.authenticate(7, trusted);
        }
        let options = format!(
            "OPTIONS sip:smsc.example.org SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{branch}\r\nFrom: <sip:h>;tag=1\r\n\
             To: <sip:smsc.example.org>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        world.engine.handle_message(world.now, flow, options.into());
        let mut answers = Vec::new();
        while let Some(output) = world.engine.poll_output() {
            if let Output::Transmit(transmit) = output {
                answers.push(Message::parse(transmit.bytes).unwrap().status().unwrap());
            }
        }
        answers
    };
    assert_eq!(status(None, flow, "a"), [403]);
    assert_eq!(status(Some(true), flow, "b"), [200]);
    assert_eq!(status(None, Flow { connection: 8, ..flow }, "c"), [403], "another connection");
    assert_eq!(status(None, Flow { transport: Transport::Udp, ..flow }, "d"), [403]);
    assert_eq!(status(Some(false), flow, "e"), [403]);
}
