//! Whatever comes in, the readers answer with a value or an error, and what they say fits together.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use proptest::prelude::*;
use smsc_proto::sip::{
    ContentType, Framed, Header, Message, NameAddr, Response, StreamFramer, Uri, Via, classify_malformed,
    multipart, unescaped,
};

const SEEDS: [&[u8]; 6] = [
    b"NOTIFY sip:a@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n\
Call-ID: 1\r\nCSeq: 1 NOTIFY\r\no: reg;id=1\r\nSubscription-State: active;expires=9\r\nReason: SIP;cause=480;text=\"a\\\"\"\r\n\
Warning: 399 h \"x \\\\ y\", 399 h \"z\"\r\na: *;+g.3gpp.smsip;require\r\nd: no-fork, queue\r\nP-Served-User: <sip:a@x>;sescase=orig\r\n\
P-Charging-Vector: icid-value=\"a,b\";orig-ioi=x\r\nP-Charging-Function-Addresses: ccf=[::1];ecf=\"aaa://b\"\r\n\
P-Visited-Network-ID: \"a \\\" b\", c\r\nPath: <sip:p;lr>\r\nContent-Disposition: render;handling=optional\r\nl: 0\r\n\r\n",
    b"MESSAGE sip:smsc@ims.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP \
[2001:db8::1]\r\nf: \"A \\\"b\" <sip:a@x;user=phone>;tag=1\r\nt: <tel:7042;phone-context=x>\r\ni: c@x\r\nCSeq: 1 \
MESSAGE\r\nContact: <sip:a@b>;+sip.instance=\"<urn:x>\", *\r\nc: multipart/mixed;boundary=\"b\"\r\nl: 40\r\n\r\n\
--b\r\nContent-Type: a/b\r\n\r\n\x00\xff\r\n--b--\r\n        ",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n ;branch=z9hG4bK1\r\nFrom: sip:a@x;tag=1\r\nTo: sip:b@x\r\nCall-ID: 1\r\n\
CSeq: 7 REGISTER\r\nExpires: 99999999999\r\nRetry-After: 5 (busy);duration=9\r\nContent-Length: 0\r\n\r\n",
    b"\r\n\r\nREGISTER sips:[::1]:5061;lr?a=b SIP/2.0\r\nVia : SIP / 2.0 / TCP a : 1 ; received=[::1]\r\nTo\t: <sip:a@x>\r\n\
From:<sip:a@x>\r\nCall-ID:x\r\nCSeq:1 REGISTER\r\nIn-Reply-To: a, b\r\nl:0\r\n\r\n",
    b"--b\r\n\r\n--b\r\nA: b\r\n c\r\n\r\nx\r\n--b--",
    b"ACK sip:x SIP/9.9\r\nl: 3\r\nl: 4\r\n\r\nabcd",
];

/// Asks a message everything there is to ask.
fn interrogate(message: &Message) {
    let _ =
        (message.is_request(), message.method(), message.request_uri(), message.status(), message.reason());
    let _ = (message.request_fault(), message.scheme_fault(), message.cseq(), message.call_id());
    let _ = (message.expires(), message.max_forwards(), message.content_length(), message.retry_after());
    for &header in Header::ALL {
        assert!(message.headers(header).count() <= message.count(header));
        message.values(header).for_each(|value| {
            let _ = (Uri::parse(value), ContentType::parse(value));
        });
        message.name_addrs(header).flatten().for_each(|party| {
            let _ = (party.tag(), party.parsed_uri().map(|uri| (uri.aor_key(), uri.number())));
        });
    }
    message.vias().flatten().for_each(|via| {
        let _ = (via.branch(), via.received(), via.rport());
    });
    message.lines().for_each(|(name, _)| {
        let _ = message.header_named(name);
    });
    let _ = (message.in_reply_to().count(), message.content("a", "b"), format!("{message:?}"));
    let valued = [message.event(), message.subscription_state(), message.content_disposition()];
    let listed = message.reasons().chain(message.accept_contacts()).chain(message.feature_caps());
    let listed = listed.chain(message.p_visited_network_ids()).chain(message.p_access_network_infos());
    valued.into_iter().chain(listed).flatten().for_each(|valued| {
        let _ = (valued.params.iter().count(), valued.number("cause"));
    });
    message.warnings().flatten().for_each(|warning| {
        let _ = unescaped(warning.text);
    });
    let _ = (message.accepts().count(), message.request_dispositions().count());
    let _ = (message.content_encodings().count(), message.content_languages().count());
    let _ = (message.paths().count(), message.service_routes().count(), message.p_associated_uris().count());
    let _ = (message.p_called_party_id(), message.p_served_user().map(|user| user.session_case()));
    let _ = message.p_charging_vector().map(|vector| (vector.icid().len(), vector.orig_ioi()));
    let _ = message.p_charging_function_addresses().map(|functions| functions.ccf().count());
    if message.is_request() {
        let source = "192.0.2.9:5060".parse().unwrap();
        let response = Response::to(message, source, 400, "t").to_bytes();
        assert_eq!(Message::parse(response).unwrap().status(), Some(400));
    }
}

fn read_every_way(octets: &[u8]) {
    match Message::parse(Bytes::copy_from_slice(octets)) {
        Ok(message) => interrogate(&message),
        Err(error) => assert!(!error.reason().is_empty() && !error.to_string().is_empty()),
    }
    if let Some(message) = classify_malformed(octets) {
        interrogate(&message);
    }
    let content_type = ContentType::parse("multipart/mixed;boundary=b").unwrap();
    let _ = multipart(&content_type, &Bytes::copy_from_slice(octets));
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = (Uri::parse(text), Via::parse(text), NameAddr::parse(text), ContentType::parse(text));
    }
}

/// Every frame of a stream that comes in these pieces; an error ends it.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Framed>> {
    let mut framer = StreamFramer::new();
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(next) = framer.next() {
            found.push(next.ok());
        }
    }
    found
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Truncate(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let piece = prop_oneof![
        prop::sample::select(b"\r\n\t :;,<>\"@/=?%[]\\\0\xff-1".as_slice()).prop_map(|octet| vec![octet]),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n ".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 1..6),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, octet)| Mutation::Replace(at, octet)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<prop::sample::Index>(), 1usize..20).prop_map(|(at, count)| Mutation::Remove(at, count)),
        any::<prop::sample::Index>().prop_map(Mutation::Truncate),
    ]
}

fn mutate(seed: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut octets = seed.to_vec();
    for mutation in mutations {
        let length = octets.len();
        match mutation {
            _ if length == 0 => {}
            Mutation::Replace(at, octet) => octets[at.index(length)] = *octet,
            Mutation::Insert(at, piece) => {
                let at = at.index(length);
                octets.splice(at..at, piece.iter().copied());
            }
            Mutation::Remove(at, count) => {
                let at = at.index(length);
                octets.drain(at..(at + count).min(length));
            }
            Mutation::Truncate(at) => octets.truncate(at.index(length)),
        }
    }
    octets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_messages(
        seed in prop::sample::select(SEEDS.as_slice()),
        mutations in proptest::collection::vec(mutation(), 0..6),
    ) {
        read_every_way(&mutate(seed, &mutations));
    }

    #[test]
    fn random_octets(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_every_way(&octets);
    }

    #[test]
    fn a_stream_is_cut_alike_however_it_is_read(
        seed in prop::sample::select(SEEDS.as_slice()),
        mutations in proptest::collection::vec(mutation(), 0..3),
        size in 1usize..50,
    ) {
        let stream = [mutate(seed, &mutations).as_slice(), SEEDS[1]].concat();
        let messages = |frames: Vec<Option<Framed>>| {
            // Keep-alives are told by what is there when they are looked for.
            frames.into_iter().filter(|frame| !matches!(frame, Some(Framed::Ping | Framed::Pong))).collect::<Vec<_>>()
        };
        prop_assert_eq!(messages(frames(stream.chunks(size))), messages(frames(stream.chunks(stream.len()))));
    }
}
