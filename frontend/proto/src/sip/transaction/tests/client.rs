//! The client transaction of RFC 3261 §17.1.2.

use super::*;

/// A layer that has just sent one MESSAGE, and that MESSAGE.
struct Sent {
    start: Instant,
    layer: Transactions,
    id: ClientId,
    transmit: Transmit,
}

fn sent(transport: Option<Transport>, body: usize) -> Sent {
    let start = Instant::now();
    let mut layer = Transactions::new(config());
    let id = layer.request(start, target(transport), outgoing("MESSAGE", body), "unique").unwrap();
    let [transmit] = transmits(&mut layer).try_into().unwrap();
    Sent { start, layer, id, transmit }
}

fn connect(transport: Transport) -> Destination {
    Destination::Connect(target(Some(transport)))
}

#[test]
fn a_request_carries_our_via_with_the_magic_cookie() {
    let Sent { transmit, id, .. } = sent(None, 20);
    assert_eq!((transmit.to, transmit.client), (connect(Transport::Udp), Some(id)));
    let message = parse(&transmit.bytes);
    let via = message.via().unwrap();
    assert_eq!((via.transport, via.host, via.port), ("UDP", "192.0.2.1", Some(5060)));
    assert_eq!(via.branch(), Some("z9hG4bKunique"));
}

#[test]
fn timer_e_repeats_the_same_bytes_until_timer_f_ends_it_at_32_s() {
    let Sent { start, mut layer, id, transmit } = sent(None, 20);
    let ran = run_until(&mut layer, start, start + secs(100));
    let at: Vec<u128> = ran.iter().map(|(at, _)| *at).collect();
    assert_eq!(
        at,
        [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000],
        "T1 doubling to T2, then F"
    );
    let (last, repeats) = ran.split_last().unwrap();
    assert!(repeats.iter().all(|(_, sent)| *sent == [transmit.clone()]));
    assert_eq!(last.1, []);
    assert_eq!(events(&mut layer), [Seen::Timeout(id)]);
    assert_eq!((layer.open_client(), layer.poll_timeout()), (0, None));
    assert_eq!(layer.counters(), Counters { retransmissions: 10, ..Counters::default() });
}

#[test]
fn a_provisional_response_slows_timer_e_to_t2_and_is_absorbed() {
    let Sent { start, mut layer, id, transmit } = sent(None, 20);
    layer.handle_message(start + ms(100), udp(PEER), parse(&answer(&parse(&transmit.bytes), 100)));
    assert_eq!(events(&mut layer), []);
    let at: Vec<u128> =
        run_until(&mut layer, start, start + secs(100)).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500, 32_000]);
    assert_eq!(events(&mut layer), [Seen::Timeout(id)]);
}

#[test]
fn a_late_timeout_repeats_once_and_not_in_a_burst() {
    let Sent { start, mut layer, transmit, .. } = sent(None, 20);
    layer.handle_timeout(start + secs(10));
    assert_eq!(transmits(&mut layer), [transmit]);
    assert_eq!(layer.poll_timeout(), Some(start + secs(11)));
}

#[test]
fn timer_k_absorbs_a_doubled_200_for_t4_and_then_it_is_a_stray() {
    let Sent { start, mut layer, id, transmit } = sent(None, 20);
    let ok = parse(&answer(&parse(&transmit.bytes), 200));
    layer.handle_message(start + ms(20), udp(PEER), ok.clone());
    assert_eq!(events(&mut layer), [Seen::Response(id, 200)]);
    assert_eq!(layer.poll_timeout(), Some(start + ms(5020)), "only K is left");

    layer.handle_message(start + ms(5019), udp(PEER), ok.clone());
    assert_eq!((events(&mut layer), layer.open_client()), (vec![], 1));
    layer.handle_timeout(start + ms(5020));
    assert_eq!((layer.open_client(), layer.poll_timeout()), (0, None));
    layer.handle_message(start + ms(5021), udp(PEER), ok);
    assert_eq!(events(&mut layer), [Seen::Stray(200)]);
}

#[test]
fn over_tcp_nothing_is_repeated_and_the_final_response_ends_it_at_once() {
    let Sent { start, mut layer, id, transmit } = sent(Some(Transport::Tcp), 20);
    assert_eq!(transmit.to, connect(Transport::Tcp));
    assert_eq!(parse(&transmit.bytes).via().unwrap().transport, "TCP");
    assert_eq!(layer.poll_timeout(), Some(start + secs(32)), "only F runs");
    layer.handle_message(start + ms(20), tcp(PEER, 1), parse(&answer(&parse(&transmit.bytes), 404)));
    assert_eq!(events(&mut layer), [Seen::Response(id, 404)]);
    assert_eq!((layer.open_client(), layer.poll_timeout()), (0, None));
}

#[test]
fn timer_f_ends_a_request_over_tcp_too() {
    let Sent { start, mut layer, id, .. } = sent(Some(Transport::Tcp), 20);
    assert_eq!(run_until(&mut layer, start, start + secs(100)), [(32_000, vec![])]);
    assert_eq!(events(&mut layer), [Seen::Timeout(id)]);
}

#[test]
fn tcp_is_chosen_above_1300_octets_and_not_below() {
    let as_datagram = |body| sent(Some(Transport::Udp), body).transmit.bytes.len();
    let body = (1000..1300).find(|&body| as_datagram(body) == 1300).unwrap();
    assert_eq!(sent(None, body).transmit.to, connect(Transport::Udp));
    assert_eq!(sent(None, body + 1).transmit.to, connect(Transport::Tcp));
    assert_eq!(sent(Some(Transport::Udp), body + 1).transmit.to, connect(Transport::Udp), "as asked");
}

#[test]
fn a_refused_connection_falls_back_to_udp_once_if_only_the_size_chose_tcp() {
    let Sent { start, mut layer, id, transmit } = sent(None, 1400);
    assert_eq!(transmit.to, connect(Transport::Tcp));
    layer.handle_transport_error(start + secs(1), TransportFailure::Unsent(transmit));
    let [datagram] = transmits(&mut layer).try_into().unwrap();
    assert_eq!((datagram.to.clone(), datagram.client), (connect(Transport::Udp), Some(id)));
    let via = parse(&datagram.bytes);
    let via = via.via().unwrap();
    assert_eq!((via.transport, via.branch()), ("UDP", Some("z9hG4bKunique")));
    assert_eq!(events(&mut layer), []);

    let ran = run_until(&mut layer, start, start + ms(2000));
    assert_eq!(ran, [(1500, vec![datagram.clone()])], "timer E starts with the fallback");
    layer.handle_transport_error(start + secs(3), TransportFailure::Unsent(datagram));
    assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::TransportError(id)], 0));
    assert_eq!(layer.poll_timeout(), None);
}

#[test]
fn word_of_the_tcp_connection_after_the_fallback_is_of_no_interest() {
    let Sent { start, mut layer, transmit, .. } = sent(None, 1400);
    for _ in 0..2 {
        layer.handle_transport_error(start, TransportFailure::Unsent(transmit.clone()));
    }
    assert_eq!((transmits(&mut layer).len(), events(&mut layer), layer.open_client()), (1, vec![], 1));
}

#[test]
fn timers_of_zero_do_not_spin() {
    let start = Instant::now();
    let timers = Timers { t1: Duration::ZERO, t2: Duration::ZERO, t4: Duration::ZERO };
    let mut layer = Transactions::new(Config { timers, ..config() });
    let id = layer.request(start, target(None), outgoing("MESSAGE", 0), "u").unwrap();
    layer.handle_timeout(start);
    assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::Timeout(id)], 0));

    let timers = Timers { t2: Duration::ZERO, ..Timers::default() };
    let mut layer = Transactions::new(Config { timers, ..config() });
    layer.request(start, target(None), outgoing("MESSAGE", 0), "u").unwrap();
    layer.handle_timeout(start + secs(1));
    assert_eq!(transmits(&mut layer).len(), 2);
}

#[test]
fn after_the_fallback_timer_f_still_counts_from_the_first_attempt() {
    let Sent { start, mut layer, id, transmit } = sent(None, 1400);
    layer.handle_transport_error(start + secs(10), TransportFailure::Unsent(transmit));
    let ran = run_until(&mut layer, start, start + secs(100));
    assert_eq!(ran.last().map(|(at, _)| *at), Some(32_000));
    assert_eq!(events(&mut layer), [Seen::Timeout(id)]);
}

#[test]
fn a_refused_connection_is_an_error_if_tcp_was_asked_for() {
    let Sent { start, mut layer, id, transmit } = sent(Some(Transport::Tcp), 1400);
    layer.handle_transport_error(start, TransportFailure::Unsent(transmit));
    assert_eq!((transmits(&mut layer), events(&mut layer)), (vec![], vec![Seen::TransportError(id)]));
}

#[test]
fn a_broken_connection_ends_the_requests_that_wait_on_it_and_no_others() {
    let start = Instant::now();
    let mut layer = Transactions::new(config());
    let mut send = |transport, remote, branch| {
        let target = Target::new(Some(transport), addr(remote));
        layer.request(start, target, outgoing("MESSAGE", 0), branch).unwrap()
    };
    let broken = send(Transport::Tcp, PEER, "a");
    send(Transport::Tcp, "198.51.100.8:5060", "b");
    send(Transport::Udp, PEER, "c");
    let lost = TransportFailure::Lost { transport: Transport::Tcp, addr: addr(PEER) };
    layer.handle_transport_error(start + secs(1), lost);
    assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::TransportError(broken)], 2));
}

#[test]
fn a_transport_failure_after_the_final_response_is_of_no_interest() {
    let Sent { start, mut layer, id, transmit } = sent(None, 20);
    layer.handle_message(start, udp(PEER), parse(&answer(&parse(&transmit.bytes), 200)));
    layer.handle_transport_error(start, TransportFailure::Unsent(transmit));
    assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::Response(id, 200)], 1));
}

#[test]
fn a_response_of_another_method_or_branch_or_sent_by_is_a_stray() {
    let Sent { start, mut layer, transmit, .. } = sent(None, 20);
    let ok = answer(&parse(&transmit.bytes), 200);
    let ok = std::str::from_utf8(&ok).unwrap();
    for (ours, theirs) in [
        ("CSeq: 1 MESSAGE", "CSeq: 1 REGISTER"),
        ("z9hG4bKunique", "z9hG4bKuniqua"),
        ("192.0.2.1:5060", "192.0.2.1:5070"),
        ("192.0.2.1:5060", "192.0.2.2:5060"),
    ] {
        let changed = ok.replacen(ours, theirs, 1);
        assert_ne!(changed, ok);
        layer.handle_message(start, udp(PEER), parse(&Bytes::from(changed)));
        assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::Stray(200)], 1), "{theirs}");
    }
    layer.handle_message(start, udp(PEER), parse(&Bytes::from(ok.replacen(":5060", "", 1))));
    assert_eq!(events(&mut layer).len(), 1, "5060 is the default port");
    assert_eq!(layer.counters(), Counters::default());
}

#[test]
fn a_response_without_readable_via_or_cseq_is_a_stray() {
    let Sent { start, mut layer, transmit, .. } = sent(None, 20);
    let ok = answer(&parse(&transmit.bytes), 200);
    let broken = std::str::from_utf8(&ok).unwrap().replacen("CSeq: 1 MESSAGE", "CSeq: one MESSAGE", 1);
    layer.handle_message(start, udp(PEER), parse(&Bytes::from(broken)));
    assert_eq!(events(&mut layer), [Seen::Stray(200)]);
}

#[test]
fn a_configuration_is_shown_without_its_secret() {
    let shown = format!("{:?}", Config::new("host", [0xdead_beef, 12_345_678]));
    assert!(
        shown.contains("host") && !shown.contains("3735928559") && !shown.contains("12345678"),
        "{shown}"
    );
}

#[test]
fn at_the_cap_a_request_is_refused_and_nothing_is_sent() {
    let start = Instant::now();
    let mut layer = Transactions::new(Config { max_client: 2, ..config() });
    for branch in ["a", "b"] {
        layer.request(start, target(None), outgoing("MESSAGE", 0), branch).unwrap();
    }
    assert_eq!(transmits(&mut layer).len(), 2);
    assert_eq!(layer.request(start, target(None), outgoing("MESSAGE", 0), "c"), Err(Full));
    assert_eq!((transmits(&mut layer), layer.open_client()), (vec![], 2));

    run_until(&mut layer, start, start + secs(32));
    assert_eq!(layer.open_client(), 0);
    assert!(layer.request(start + secs(32), target(None), outgoing("MESSAGE", 0), "c").is_ok());
}

#[test]
fn an_ipv6_sent_by_matches_with_and_without_port() {
    for sent_by in ["[2001:db8::1]:5060", "[2001:DB8::1]", "[2001:db8::1]:5080"] {
        let start = Instant::now();
        let mut layer = Transactions::new(Config { sent_by_udp: sent_by.to_owned(), ..config() });
        let id = layer.request(start, target(None), outgoing("MESSAGE", 0), "u").unwrap();
        let [transmit] = transmits(&mut layer).try_into().unwrap();
        layer.handle_message(start, udp(PEER), parse(&answer(&parse(&transmit.bytes), 202)));
        assert_eq!(events(&mut layer), [Seen::Response(id, 202)], "{sent_by}");
    }
}

#[test]
fn over_tls_a_request_is_sent_once_to_the_name_asked_for_and_offers_its_connection_for_reuse() {
    let start = Instant::now();
    let mut layer = Transactions::new(Config { sent_by_tls: "smsc.example.com".to_owned(), ..config() });
    let name: Arc<str> = "scscf.example.com".into();
    let target = Target { name: Some(name), ..target(Some(Transport::Tls)) };
    let id = layer.request(start, target.clone(), outgoing("MESSAGE", 1400), "unique").unwrap();
    let [transmit] = transmits(&mut layer).try_into().unwrap();
    assert_eq!(transmit.to, Destination::Connect(target));
    let message = parse(&transmit.bytes);
    let via = message.via().unwrap();
    assert_eq!((via.transport, via.host, via.port), ("TLS", "smsc.example.com", None));
    assert_eq!((via.params.get("alias"), via.params.get("rport")), (Some(None), None));

    let answer = Response::to(&message, addr(PEER), 200, "bob").to_bytes();
    layer.handle_message(start, tls(PEER, 1), parse(&answer));
    assert_eq!((events(&mut layer), layer.open_client()), (vec![Seen::Response(id, 200)], 0));
}

#[test]
fn over_tls_a_request_that_cannot_be_sent_never_goes_another_way() {
    let Sent { start, mut layer, id, transmit } = sent(Some(Transport::Tls), 1400);
    layer.handle_transport_error(start, TransportFailure::Unsent(transmit));
    assert_eq!((transmits(&mut layer), events(&mut layer)), (vec![], vec![Seen::TransportError(id)]));
}
