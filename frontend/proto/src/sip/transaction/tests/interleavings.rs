//! Whatever the network and the users do, every request ends exactly once and nothing is left behind.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::pair::{Answers, Network, Pair};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send { transport: Option<Transport>, body: usize, answers: Answers },
    Wait(Duration),
    Change(Network),
    Lose(Transport),
}

fn network() -> impl Strategy<Value = Network> {
    (0..200u64, 0..2000u64, 0..=100u64, 0..=100u64, any::<bool>()).prop_map(
        |(latency, jitter, loss, duplication, refuses_tcp)| Network {
            latency: ms(latency),
            jitter: ms(jitter),
            loss,
            duplication,
            refuses_tcp,
        },
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp), Just(Transport::Tls)]
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![Just(100u16), Just(180), Just(200), Just(202), Just(408), Just(503), Just(600)];
    let answers = proptest::collection::vec(((0..40_000u64).prop_map(ms), status), 0..4);
    let body = prop_oneof![Just(100usize), Just(1500)];
    prop_oneof![
        4 => (proptest::option::of(transport()), body, answers)
            .prop_map(|(transport, body, answers)| Step::Send { transport, body, answers }),
        3 => (0..10_000u64).prop_map(|time| Step::Wait(ms(time))),
        1 => network().prop_map(Step::Change),
        1 => transport().prop_map(Step::Lose),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_request_ends_exactly_once_and_the_tables_empty(
        seed: u64,
        network in network(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut pair = Pair::new(network, seed);
        let mut ends: BTreeMap<ClientId, usize> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Send { transport, body, answers } => {
                    prop_assert!(ends.insert(pair.send(transport, body, answers), 0).is_none(), "an id was used twice");
                }
                Step::Wait(time) => pair.run_for(time),
                Step::Change(network) => pair.network = network,
                Step::Lose(transport) => pair.lose(transport),
            }
        }
        pair.run_to_rest();
        for (at, seen) in &pair.told {
            match seen {
                Seen::Response(id, status) => {
                    prop_assert!(*status >= 200 && *status != 408);
                    *ends.entry(*id).or_default() += 1;
                }
                Seen::Timeout(id) | Seen::TransportError(id) => *ends.entry(*id).or_default() += 1,
                Seen::Stray(_) => {}
                other => prop_assert!(false, "Alice was told {other:?} at {at}"),
            }
        }
        prop_assert!(ends.values().all(|times| *times == 1), "{ends:?}");
        for bytes in pair.answered.values() {
            let finals: Vec<&Bytes> = bytes.iter().filter(|bytes| parse(bytes).status() >= Some(200)).collect();
            prop_assert!(finals.windows(2).all(|pair| pair[0] == pair[1]), "one request, two different final answers");
        }
        prop_assert_eq!((pair.alice.open_client(), pair.bob.open_server()), (0, 0));
        prop_assert_eq!((pair.alice.poll_timeout(), pair.bob.poll_timeout()), (None, None));
    }

    #[test]
    fn no_message_that_can_be_parsed_upsets_the_layer(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        response: bool,
    ) {
        let start = Instant::now();
        let mut layer = Transactions::new(config());
        let id = layer.request(start, target(None), outgoing("MESSAGE", 10), "u").unwrap();
        let request = parse(&layer.poll_transmit().unwrap().bytes);
        let original = if response { answer(&request, 200) } else { request.raw().clone() };
        let mut octets = original.to_vec();
        for (index, octet) in changes {
            *index.get_mut(&mut octets) = octet;
        }
        let Ok(message) = Message::parse(octets.into()) else { return Ok(()) };
        layer.handle_message(start, udp(PEER), message);
        let told = layer.poll_event();
        match &told {
            Some(Event::Response { id: of, .. }) => prop_assert_eq!(*of, id),
            Some(Event::Stray { message, .. }) => prop_assert!(message.status().is_some()),
            Some(Event::Request { id, message, .. }) => {
                layer.respond(start, *id, answer(message, 400));
                prop_assert_eq!(layer.poll_transmit().map(|sent| sent.client), Some(None));
            }
            None => {}
            Some(other) => prop_assert!(false, "{other:?}"),
        }
        while let Some(due) = layer.poll_timeout() {
            layer.handle_timeout(due);
        }
        prop_assert_eq!((layer.open_client(), layer.open_server()), (0, 0));
    }
}
