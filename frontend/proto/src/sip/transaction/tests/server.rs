//! The server transaction of RFC 3261 §17.2.2 and RFC 4320.

use super::*;

const VIA: &str = "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKtheirs;rport";
const VIA_TCP: &str = "SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bKtheirs";

fn layer() -> (Instant, Transactions) {
    (Instant::now(), Transactions::new(config()))
}

/// Takes a request that must be new.
fn accept(layer: &mut Transactions, now: Instant, flow: Flow, message: &Message) -> ServerId {
    layer.handle_message(now, flow, message.clone());
    match events(layer).as_slice() {
        [Seen::Request(id, _)] => *id,
        other => panic!("not one new request: {other:?}"),
    }
}

fn reply(request: &Message, status: u16) -> Bytes {
    Response::to(request, addr(PEER), status, "ours").to_bytes()
}

fn to_flow(flow: Flow, bytes: &Bytes) -> Transmit {
    Transmit { to: Destination::Flow(flow), bytes: bytes.clone(), client: None }
}

#[test]
fn a_repeated_request_is_answered_with_the_same_bytes_for_32_s_after_the_answer() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &message);
    let ok = reply(&message, 200);
    layer.respond(start + ms(40), id, ok.clone());
    assert_eq!(transmits(&mut layer), [to_flow(udp(PEER), &ok)]);
    for at in [ms(500), ms(1500), ms(32_039)] {
        layer.handle_timeout(start + at);
        layer.handle_message(start + at, udp(PEER), message.clone());
        assert_eq!((events(&mut layer), transmits(&mut layer)), (vec![], vec![to_flow(udp(PEER), &ok)]));
    }
    assert_eq!(layer.poll_timeout(), Some(start + ms(32_040)));
    layer.handle_timeout(start + ms(32_040));
    assert_eq!((layer.open_server(), layer.poll_timeout()), (0, None));
    assert_ne!(accept(&mut layer, start + ms(32_041), udp(PEER), &message), id, "now it is a new request");
    assert_eq!(layer.counters(), Counters { requests_absorbed: 3, ..Counters::default() });
}

#[test]
fn a_request_repeated_before_its_answer_is_absorbed_in_silence() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    accept(&mut layer, start, udp(PEER), &message);
    layer.handle_message(start + ms(500), udp(PEER), message);
    assert_eq!((events(&mut layer), transmits(&mut layer), layer.open_server()), (vec![], vec![], 1));
}

#[test]
fn a_provisional_answer_is_repeated_until_the_final_one_takes_its_place() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &message);
    let (trying, accepted) = (reply(&message, 100), reply(&message, 202));
    layer.respond(start + ms(3500), id, trying.clone());
    layer.handle_message(start + ms(4000), udp(PEER), message.clone());
    assert_eq!(transmits(&mut layer), [to_flow(udp(PEER), &trying), to_flow(udp(PEER), &trying)]);
    layer.respond(start + ms(4500), id, accepted.clone());
    layer.handle_message(start + ms(5000), udp(PEER), message);
    assert_eq!(transmits(&mut layer), [to_flow(udp(PEER), &accepted), to_flow(udp(PEER), &accepted)]);
}

#[test]
fn over_tcp_the_answer_ends_the_transaction_and_goes_by_the_connection() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA_TCP);
    let id = accept(&mut layer, start, tcp("198.51.100.7:40000", 17), &message);
    let ok = reply(&message, 200);
    layer.respond(start, id, ok.clone());
    assert_eq!(transmits(&mut layer), [to_flow(tcp("198.51.100.7:40000", 17), &ok)]);
    assert_eq!((layer.open_server(), layer.poll_timeout()), (0, None));
    accept(&mut layer, start, tcp("198.51.100.7:40000", 17), &message);
}

#[test]
fn an_answer_whose_connection_is_gone_goes_once_over_a_new_one_to_the_sent_by_port() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA_TCP);
    let id = accept(&mut layer, start, tcp("198.51.100.7:40000", 17), &message);
    let ok = reply(&message, 200);
    layer.respond(start, id, ok.clone());
    let [unsent] = transmits(&mut layer).try_into().unwrap();
    layer.handle_transport_error(start, TransportFailure::Unsent(unsent));
    let new = Target::new(Some(Transport::Tcp), addr("198.51.100.7:5062"));
    let [again] = transmits(&mut layer).try_into().unwrap();
    assert_eq!(again, Transmit { to: Destination::Connect(new), bytes: ok, client: None });
    layer.handle_transport_error(start, TransportFailure::Unsent(again));
    assert_eq!((transmits(&mut layer), layer.counters().answers_unsent), (vec![], 1));
}

#[test]
fn an_answer_over_tls_opens_a_connection_only_to_the_host_of_the_sent_by() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", "SIP/2.0/TLS SCSCF.example.com;branch=z9hG4bK1");
    let id = accept(&mut layer, start, tls("198.51.100.7:40000", 17), &message);
    layer.respond(start, id, reply(&message, 200));
    let [unsent] = transmits(&mut layer).try_into().unwrap();
    assert_eq!(unsent.to, Destination::Flow(tls("198.51.100.7:40000", 17)));
    layer.handle_transport_error(start, TransportFailure::Unsent(unsent));
    let new = Target {
        name: Some("scscf.example.com".into()),
        ..Target::new(Some(Transport::Tls), addr("198.51.100.7:5061"))
    };
    let [again] = transmits(&mut layer).try_into().unwrap();
    assert_eq!(again.to, Destination::Connect(new));
}

#[test]
fn a_datagram_that_could_not_be_sent_is_sent_again_when_the_request_is_repeated() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &message);
    layer.respond(start, id, reply(&message, 200));
    let [unsent] = transmits(&mut layer).try_into().unwrap();
    layer.handle_transport_error(start, TransportFailure::Unsent(unsent.clone()));
    assert_eq!((transmits(&mut layer), layer.counters().answers_unsent), (vec![], 1));
    layer.handle_message(start + ms(500), udp(PEER), message);
    assert_eq!((events(&mut layer), transmits(&mut layer)), (vec![], vec![unsent]));
}

#[test]
fn over_udp_the_answer_goes_to_the_source_port_only_with_rport() {
    let nat = udp("203.0.113.9:61000");
    for (via, port) in [
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport", 61_000),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK2", 5070),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK3", 5060),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK4;maddr=192.0.2.200", 5060),
    ] {
        let (start, mut layer) = layer();
        let message = incoming("MESSAGE", via);
        let id = accept(&mut layer, start, nat, &message);
        let ok = Response::to(&message, nat.remote, 200, "ours").to_bytes();
        layer.respond(start, id, ok.clone());
        let back = Flow { remote: SocketAddr::new(nat.remote.ip(), port), ..nat };
        assert_eq!(transmits(&mut layer), [to_flow(back, &ok)], "{via}");
    }
}

#[test]
fn a_repetition_from_elsewhere_is_answered_to_the_first_source() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &message);
    let ok = reply(&message, 200);
    layer.respond(start, id, ok.clone());
    layer.handle_message(start, udp("203.0.113.66:1"), message);
    assert_eq!(transmits(&mut layer), [to_flow(udp(PEER), &ok), to_flow(udp(PEER), &ok)]);
}

#[test]
fn branch_sent_by_and_method_together_make_a_request_another_one() {
    let (start, mut layer) = layer();
    let vias = [
        "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa",
        "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKA",
        "SIP/2.0/UDP 198.51.100.7:5061;branch=z9hG4bKa",
        "SIP/2.0/UDP 198.51.100.8:5060;branch=z9hG4bKa",
        "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hg4bk-b",
    ];
    for via in vias {
        for method in ["MESSAGE", "REGISTER", "FOO"] {
            accept(&mut layer, start, udp(PEER), &incoming(method, via));
        }
    }
    for via in vias {
        layer.handle_message(start, udp(PEER), incoming("FOO", via));
    }
    assert_eq!((events(&mut layer), layer.open_server()), (vec![], 15));
}

#[test]
fn without_the_magic_cookie_a_request_is_known_by_all_that_rfc_2543_compares() {
    let (start, mut layer) = layer();
    let plain = incoming("MESSAGE", "SIP/2.0/UDP 198.51.100.7:5060;branch=1");
    let id = accept(&mut layer, start, udp(PEER), &plain);
    layer.respond(start, id, reply(&plain, 200));
    transmits(&mut layer);

    let text = std::str::from_utf8(plain.raw()).unwrap();
    for (from, to) in [
        ("sip:smsc@example.com SIP", "sip:other@example.com SIP"),
        ("tag=9", "tag=8"),
        ("To: <sip:smsc@example.com>", "To: <sip:smsc@example.com>;tag=3"),
        ("their-call", "their-next-call"),
        ("CSeq: 5", "CSeq: 6"),
        ("branch=1", "branch=2"),
        (";branch=1", ""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        accept(&mut layer, start, udp(PEER), &parse(&Bytes::from(changed)));
    }
    layer.handle_message(start, udp(PEER), plain.clone());
    assert_eq!((events(&mut layer), transmits(&mut layer).len()), (vec![], 1));
    let renamed = text.replacen("From: <sip:bob@example.com>", "From: Bob <sip:bob@example.com>", 1);
    layer.handle_message(start, udp(PEER), parse(&Bytes::from(renamed)));
    assert_eq!(events(&mut layer), [], "only the tag of From counts");
}

#[test]
fn a_second_final_answer_is_dropped() {
    let (start, mut layer) = layer();
    let message = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &message);
    layer.respond(start, id, reply(&message, 200));
    assert_eq!(transmits(&mut layer).len(), 1);
    layer.respond(start + ms(1), id, reply(&message, 500));
    layer.respond(start + ms(1), id, reply(&message, 100));
    assert_eq!((transmits(&mut layer), layer.counters().answers_dropped), (vec![], 2));
}

#[test]
fn an_answer_after_64_t1_is_dropped_and_the_request_forgotten() {
    for via in [VIA, VIA_TCP] {
        let (start, mut layer) = layer();
        let message = incoming("MESSAGE", via);
        let id = accept(&mut layer, start, udp(PEER), &message);
        layer.respond(start + secs(5), id, reply(&message, 100));
        transmits(&mut layer);
        assert_eq!(layer.poll_timeout(), Some(start + secs(32)));
        layer.handle_timeout(start + secs(32));
        layer.respond(start + secs(33), id, reply(&message, 200));
        assert_eq!((transmits(&mut layer), layer.open_server(), layer.poll_timeout()), (vec![], 0, None));
        assert_eq!(layer.counters(), Counters { unanswered: 1, answers_dropped: 1, ..Counters::default() });
    }
}

#[test]
fn what_only_an_invite_may_get_is_sent_to_nothing_else() {
    for (method, sent) in [("MESSAGE", 0), ("INVITE", 2)] {
        let (start, mut layer) = layer();
        let message = incoming(method, VIA);
        let id = accept(&mut layer, start, udp(PEER), &message);
        layer.respond(start, id, reply(&message, 180));
        layer.respond(start, id, reply(&message, 408));
        assert_eq!(transmits(&mut layer).len(), sent, "{method}");
        assert_eq!(layer.counters().answers_dropped, 2 - sent as u64);
        layer.handle_message(start + ms(500), udp(PEER), message);
        assert_eq!(events(&mut layer), [], "a repetition is still absorbed");
    }
}

#[test]
fn at_the_cap_a_new_request_is_overload_and_a_repeated_one_is_still_answered() {
    let start = Instant::now();
    let mut layer = Transactions::new(Config { max_server: 1, ..config() });
    let first = incoming("MESSAGE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &first);
    layer.respond(start, id, reply(&first, 200));
    transmits(&mut layer);

    let second = incoming("MESSAGE", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKsecond");
    layer.handle_message(start, udp(PEER), second.clone());
    assert_eq!(events(&mut layer), [Seen::Overload("MESSAGE".into())]);
    let refusal = reply(&second, 500);
    layer.respond_stateless(udp(PEER), &second, refusal.clone());
    assert_eq!(transmits(&mut layer), [to_flow(udp("198.51.100.7:5070"), &refusal)]);

    layer.handle_message(start, udp(PEER), first);
    assert_eq!((events(&mut layer), transmits(&mut layer).len()), (vec![], 1));
    layer.handle_timeout(start + secs(32));
    accept(&mut layer, start + secs(32), udp(PEER), &second);
}

#[test]
fn an_ack_is_never_an_event() {
    let (start, mut layer) = layer();
    let invite = incoming("INVITE", VIA);
    let id = accept(&mut layer, start, udp(PEER), &invite);
    layer.respond(start, id, reply(&invite, 405));
    transmits(&mut layer);
    layer.handle_message(start, udp(PEER), incoming("ACK", VIA));
    layer.handle_message(start, udp(PEER), incoming("ACK", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKnone"));
    assert_eq!((events(&mut layer), transmits(&mut layer), layer.open_server()), (vec![], vec![], 1));
}

#[test]
fn a_cancel_of_nothing_is_a_request_of_its_own_and_names_no_invite() {
    let (start, mut layer) = layer();
    let cancel = incoming("CANCEL", VIA);
    accept(&mut layer, start, udp(PEER), &cancel);
    assert_eq!(layer.cancelled(&cancel), None);

    let of_message = incoming("CANCEL", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKmessage");
    accept(
        &mut layer,
        start,
        udp(PEER),
        &incoming("MESSAGE", "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKmessage"),
    );
    assert_eq!(layer.cancelled(&of_message), None, "only an INVITE can be cancelled");

    let invite = accept(&mut layer, start, udp(PEER), &incoming("INVITE", VIA));
    assert_eq!(layer.cancelled(&cancel), Some(invite));
}

#[test]
fn a_request_without_a_readable_via_is_counted_and_dropped() {
    let (start, mut layer) = layer();
    layer.handle_message(start, udp(PEER), incoming("MESSAGE", "nonsense"));
    assert_eq!((events(&mut layer), transmits(&mut layer), layer.open_server()), (vec![], vec![], 0));
    assert_eq!(layer.counters(), Counters { unanswerable: 1, ..Counters::default() });
}

#[test]
fn an_answered_transaction_keeps_its_answer_and_little_else() {
    let octets = size_of::<crate::sip::transaction::server::Server>();
    assert!(octets <= 128, "{octets} octets beside the answer");
}
