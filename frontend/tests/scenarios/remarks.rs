//! What a core says beside its status: told to whoever asks why, and obeyed where a pause is asked for.

use smsc_backend::Status;
use smsc_proto::sip::Header;

use crate::world::*;

fn refused(status: u16) -> Reaction {
    Reaction::only(status)
}

#[test]
fn reasons_and_warnings_of_a_refusal_stand_in_the_outcome() {
    let mut world = World::new(1);
    let said = refused(480)
        .saying(Header::Reason, "SIP;cause=480;text=\"UE in PSM\"")
        .saying(Header::Warning, "399 pcscf \"paging failed\"");
    world.handset_mut(1).script.push_back(said);
    world.queue(0, "42", 1, "hello");
    world.run(secs(1));
    assert_eq!(
        world.backend.reports("42")[0].detail,
        "SIP 480: the core could not reach the handset (RFC 3261 §21) (Reason SIP 480 \"UE in PSM\"; Warning 399 from \
         pcscf \"paging failed\")"
    );
}

#[test]
fn what_an_undecided_answer_said_stands_in_the_outcome_too() {
    let mut world = World::new(1);
    let said = refused(504).saying(Header::Warning, "399 scscf \"no answer from the P-CSCF\"");
    world.handset_mut(1).script.push_back(said);
    world.queue(0, "42", 1, "hello");
    world.run(secs(50));
    assert_eq!(
        world.backend.reports("42")[0].detail,
        "SIP 504 (Warning 399 from scscf \"no answer from the P-CSCF\"), and no report from the handset within 45 s \
         (TS 24.011 §10, TR1N)"
    );
}

/// RFC 3261 §21.5.4: nothing else goes there before; the attempt that met the 503 waits for its report as ever.
#[test]
fn an_s_cscf_that_asks_for_a_pause_gets_it() {
    for (seconds, pause) in [("7", 7), ("900", 30)] {
        let mut world = World::new(1);
        world.handset_mut(0).script.push_back(refused(503).saying(Header::RetryAfter, seconds));
        world.queue(0, "41", 0, "first");
        world.run(ms(500));
        world.queue(0, "42", 1, "second");
        world.run(secs(pause - 1));
        assert_eq!(world.copies().len(), 1, "{seconds}");
        world.run(secs(4));
        assert_eq!(world.backend.statuses("42"), [Status::Delivered], "{seconds}");
        world.run(secs(50));
        assert_eq!(world.backend.statuses("41")[0], Status::Unknown);
    }
}

/// A row in hand is leased: one that waited its time is given back, never kept until the backend counts an attempt that
/// there was not.
#[test]
fn a_message_that_waits_for_an_s_cscf_that_goes_on_asking_is_given_back() {
    let mut world = World::new(1);
    world.core.handsets.push(Handset::new("447700900003"));
    for handset in 0..3 {
        world.handset_mut(handset).script.push_back(refused(503).saying(Header::RetryAfter, "900"));
    }
    world.queue(0, "41", 0, "first");
    world.run(ms(500));
    world.queue(0, "42", 1, "second");
    world.queue(0, "43", 2, "third");
    world.run(secs(35));
    let mut outcomes = ["42", "43"].map(|id| world.backend.statuses(id));
    outcomes.sort_by_key(Vec::len);
    assert_eq!(
        (world.copies().len(), outcomes),
        (2, [vec![], vec![Status::Released]]),
        "one finds out for both"
    );
    world.run(secs(300));
    for id in ["41", "42", "43"] {
        assert_eq!(world.backend.statuses(id).last(), Some(&Status::Delivered), "{id}");
    }
}

#[test]
fn a_503_that_asks_for_nothing_closes_nothing() {
    let mut world = World::new(1);
    world.handset_mut(0).script.push_back(refused(503));
    world.queue(0, "41", 0, "first");
    world.run(ms(500));
    world.queue(0, "42", 1, "second");
    world.run(secs(3));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
}

/// A busy handset: what waits for it waits as long as it asks.
#[test]
fn a_handset_that_asks_for_a_pause_gets_it() {
    let mut world = World::new(1);
    world.handset_mut(1).script.push_back(refused(486).saying(Header::RetryAfter, "10 (in a call)"));
    world.queue(0, "41", 1, "first");
    world.queue(0, "42", 1, "second");
    world.run(secs(9));
    assert_eq!((world.backend.statuses("41"), world.copies_of("42").len()), (vec![Status::Rejected], 0));
    world.run(secs(3));
    assert_eq!(world.backend.statuses("42"), [Status::Delivered]);
}

#[test]
fn answers_to_nothing_are_counted() {
    let mut world = World::new(1);
    let answer = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnobodys\r\nFrom: <sip:a@x>;tag=1\r\n\
                  To: <sip:b@x>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
    world.inject(0, CORE, answer);
    world.inject(0, "203.0.113.9:5060".parse().unwrap(), answer);
    world.run(secs(1));
    assert_eq!(world.pods[0].metrics.stray_responses.get(), 1);
}
