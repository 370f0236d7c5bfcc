//! A client and a server over a network, good and bad.

use super::pair::{Network, Pair};
use super::*;

const OK_AT_ONCE: [(Duration, u16); 1] = [(Duration::ZERO, 200)];

#[test]
fn a_message_and_its_200_are_two_datagrams() {
    let mut pair = Pair::new(Network::GOOD, 1);
    let id = pair.send(None, 100, OK_AT_ONCE.into());
    pair.run_to_rest();
    assert_eq!(pair.wire, ["0 > MESSAGE UDP", "10 < 200 UDP"]);
    assert_eq!(pair.told, [(20, Seen::Response(id, 200))]);
    assert_eq!((pair.alice.open_client(), pair.bob.open_server()), (0, 0));
}

#[test]
fn a_slow_answer_meets_repetitions_that_the_server_absorbs() {
    let mut pair = Pair::new(Network::GOOD, 1);
    let id = pair.send(None, 100, vec![(secs(2), 202)]);
    pair.run_to_rest();
    assert_eq!(pair.wire, ["0 > MESSAGE UDP", "500 > MESSAGE UDP", "1500 > MESSAGE UDP", "2010 < 202 UDP"]);
    assert_eq!(pair.told, [(2020, Seen::Response(id, 202))]);
    assert_eq!(pair.taken.values().sum::<usize>(), 1);
}

#[test]
fn a_lost_answer_is_given_again_when_the_request_comes_again() {
    let mut pair = Pair::new(Network { loss: 100, ..Network::GOOD }, 1);
    pair.network.loss = 0;
    let id = pair.send(None, 100, OK_AT_ONCE.into());
    pair.network.loss = 100;
    pair.run_for(ms(1400));
    pair.network.loss = 0;
    pair.run_to_rest();
    assert_eq!(
        pair.wire,
        [
            "0 > MESSAGE UDP",
            "10 < 200 UDP lost",
            "500 > MESSAGE UDP lost",
            "1500 > MESSAGE UDP",
            "1510 < 200 UDP"
        ]
    );
    assert_eq!(pair.told, [(1520, Seen::Response(id, 200))]);
    let answers = &pair.answered["z9hG4bKn0"];
    assert_eq!((answers.len(), &answers[0]), (2, &answers[1]));
}

#[test]
fn a_dead_network_ends_in_a_timeout_at_32_s() {
    let mut pair = Pair::new(Network { loss: 100, ..Network::GOOD }, 1);
    let id = pair.send(None, 100, OK_AT_ONCE.into());
    pair.run_to_rest();
    assert_eq!(pair.told, [(32_000, Seen::Timeout(id))]);
    assert_eq!(pair.wire.len(), 11);
}

#[test]
fn an_answer_later_than_the_client_waits_is_not_sent() {
    let mut pair = Pair::new(Network::GOOD, 1);
    let id = pair.send(None, 100, vec![(secs(40), 200)]);
    pair.run_to_rest();
    assert_eq!(pair.told, [(32_000, Seen::Timeout(id))]);
    assert_eq!(pair.bob.counters().answers_dropped, 1);
    assert!(pair.wire.iter().all(|line| line.contains('>')));
}

#[test]
fn everything_doubled_still_happens_once() {
    let mut pair = Pair::new(Network { duplication: 100, jitter: ms(300), ..Network::GOOD }, 5);
    let ids: Vec<ClientId> = (0..50).map(|_| pair.send(None, 100, OK_AT_ONCE.into())).collect();
    pair.run_to_rest();
    let mut finished: Vec<Seen> = pair.told.into_iter().map(|(_, seen)| seen).collect();
    finished.sort_by_key(|seen| match seen {
        Seen::Response(id, _) => Some(*id),
        _ => None,
    });
    assert_eq!(finished, ids.iter().map(|id| Seen::Response(*id, 200)).collect::<Vec<_>>());
    assert!(pair.taken.values().all(|times| *times == 1));
}

#[test]
fn every_message_gets_through_a_network_that_loses_a_fifth() {
    let mut pair = Pair::new(Network { loss: 20, jitter: ms(100), ..Network::GOOD }, 9);
    for _ in 0..200 {
        pair.send(None, 100, OK_AT_ONCE.into());
    }
    pair.run_to_rest();
    let answered = pair.told.iter().filter(|(_, seen)| matches!(seen, Seen::Response(_, 200))).count();
    assert_eq!((pair.told.len(), answered), (200, 200));
}

#[test]
fn a_large_message_goes_over_tcp_and_comes_back_the_same_way() {
    let mut pair = Pair::new(Network { loss: 100, ..Network::GOOD }, 1);
    let id = pair.send(None, 1500, OK_AT_ONCE.into());
    pair.run_to_rest();
    assert_eq!(pair.wire, ["0 > MESSAGE TCP", "10 < 200 TCP"]);
    assert_eq!(pair.told, [(20, Seen::Response(id, 200))]);
}

#[test]
fn a_large_message_arrives_by_udp_where_tcp_is_refused() {
    let mut pair = Pair::new(Network { refuses_tcp: true, ..Network::GOOD }, 1);
    let id = pair.send(None, 1500, OK_AT_ONCE.into());
    let asked = pair.send(Some(Transport::Tcp), 1500, OK_AT_ONCE.into());
    pair.run_to_rest();
    assert_eq!(
        pair.wire,
        ["0 > MESSAGE TCP refused", "0 > MESSAGE TCP refused", "10 > MESSAGE UDP", "20 < 200 UDP"]
    );
    assert_eq!(pair.told, [(10, Seen::TransportError(asked)), (30, Seen::Response(id, 200))]);
}
