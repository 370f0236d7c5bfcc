//! The same message again, and another that only looks the same (design §4, MO repeats).

use crate::world::*;

/// A number nobody has registered.
pub(crate) const CAROL: &str = "+447700900099";

/// Bodies of what the backend took, in order.
pub(crate) fn taken(world: &World) -> Vec<&str> {
    world.backend.accepted.iter().map(|(_, message)| message.message_body.as_str()).collect()
}

pub(crate) fn two_identical_texts_are_two_messages(profile: Profile) {
    let mut world = World::new(1).under(profile);
    for rp_mr in [1, 2, 3] {
        world.submit(0, &Mo { rp_mr, tp_mr: profile.tp_mr(rp_mr), ..Mo::new(CAROL, "OK") });
        world.run(secs(2));
    }
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["OK"; 3], vec![None; 3]));
}

/// TP-RD: the same TP-MR, TP-DA and text again is the same message, and gets the first one's SCTS.
pub(crate) fn a_repeat_with_tp_rd_is_the_same_message(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(50));
    world.submit(0, &Mo { rp_mr: 2, reject_duplicates: true, ..Mo::new(CAROL, "hello") });
    world.run(secs(2));
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None, None]));
    let verdicts = world.handset(0).verdicts.clone();
    assert_eq!((verdicts[1].rp_mr, verdicts[1].scts), (2, verdicts[0].scts));
}

/// Another TP-MR, another recipient or another text is another message, TP-RD or not.
#[test]
fn tp_rd_does_not_make_different_messages_one() {
    let mut world = World::new(1);
    let first = Mo { reject_duplicates: true, ..Mo::new(CAROL, "hello") };
    let others = [
        first.clone(),
        Mo { tp_mr: 2, ..first.clone() },
        Mo { to: "+447700900098".into(), ..first.clone() },
        Mo { text: "hallo".into(), ..first },
    ];
    for mo in others {
        world.submit(0, &mo);
        world.run(secs(1));
    }
    world.submit(1, &Mo { reject_duplicates: true, ..Mo::new(CAROL, "hello") });
    world.run(secs(1));
    assert_eq!(taken(&world), ["hello", "hello", "hello", "hallo", "hello"]);
}

pub(crate) fn a_repeat_with_tp_rd_at_another_pod_is_the_same_message(profile: Profile) {
    let mut world = World::new(2).under(profile);
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(50));
    world.submit(0, &Mo { rp_mr: 2, reject_duplicates: true, pod: 1, ..Mo::new(CAROL, "hello") });
    world.run(secs(2));
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None, None]));
}

/// `duplicates: reject` (TS 23.040 §9.2.3.25): RP-ERROR with TP-FCS 0xC5.
#[test]
fn a_repeat_is_rejected_where_the_operator_says_so() {
    let mut world = World::with(1, |settings| settings.reject_duplicates = true);
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(2));
    world.submit(0, &Mo { rp_mr: 2, reject_duplicates: true, ..Mo::new(CAROL, "hello") });
    world.run(secs(2));
    let errors: Vec<_> = world.handset(0).verdicts.iter().map(|verdict| verdict.error).collect();
    assert_eq!(errors, [None, Some((21, Some(0xC5)))]);
    assert_eq!(taken(&world), ["hello"]);
}

/// The handset never saw our RP-ACK, and phones exist that do not set TP-RD then. The text after that is a new one.
pub(crate) fn a_repeat_after_an_rp_ack_that_was_not_confirmed_is_the_same_message(profile: Profile) {
    for answer in [Answer::Silence, Answer::Status(480)] {
        let mut world = World::new(1).under(profile);
        world.handset_mut(0).verdict_answers.push_back(answer);
        world.submit(0, &Mo::new(CAROL, "OK"));
        world.run(secs(40));
        world.submit(0, &Mo { rp_mr: 2, ..Mo::new(CAROL, "OK") });
        world.run(secs(2));
        assert_eq!(taken(&world), ["OK"], "{answer:?}");
        world.submit(0, &Mo { rp_mr: 3, tp_mr: profile.tp_mr(3), ..Mo::new(CAROL, "OK") });
        world.run(secs(2));
        assert_eq!(taken(&world), ["OK", "OK"], "{answer:?}");
        assert_eq!(world.handset(0).causes(), [None; 3]);
    }
}

pub(crate) fn the_same_request_through_two_pods_is_one_message(profile: Profile) {
    let mut world = World::new(2).under(profile);
    let call_id = world.submit(0, &Mo::new(CAROL, "hello"));
    world.send_again(1, &call_id);
    world.run(secs(2));
    assert_eq!(world.statuses(&call_id), [202, 202]);
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None, None]));
    assert_eq!(world.backend.times(Operation::InsertMessage).len(), 2);
}

#[test]
fn the_same_request_again_at_one_pod_gets_the_same_verdict() {
    let mut world = World::new(1);
    world.backend.fail(Operation::InsertMessage, 1, Fault::Status(404, Some(1)));
    let refused = world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(1));
    world.send_again(0, &refused);
    world.run(secs(1));
    let accepted = world.submit(0, &Mo { tp_mr: 2, ..Mo::new(CAROL, "hello") });
    world.send_again(0, &accepted);
    world.run(secs(1));
    world.send_again(0, &accepted);
    world.run(secs(1));
    // The second copy came while the first was still open: the newest of them gets the answer.
    assert_eq!(world.handset(0).causes(), [Some(1), Some(1), None, None]);
    assert_eq!(taken(&world), ["hello"]);
}

/// The handset tries again after 41; the backend had it all the time, and has it once.
pub(crate) fn a_message_sent_again_after_rp_error_41_is_one_message(profile: Profile) {
    for reject_duplicates in [true, false] {
        let mut world = World::new(1).under(profile);
        world.backend.outage(ms(0), secs(27), Fault::LostAnswer);
        world.submit(0, &Mo::new(CAROL, "hello"));
        world.run(secs(40));
        world.submit(0, &Mo { rp_mr: 2, reject_duplicates, ..Mo::new(CAROL, "hello") });
        world.run(secs(5));
        assert_eq!(world.handset(0).causes(), [Some(41), None]);
        assert_eq!(taken(&world), ["hello"]);
        // The user's next message is another one, although it reads the same.
        world.submit(0, &Mo { rp_mr: 3, tp_mr: profile.tp_mr(3), ..Mo::new(CAROL, "hello") });
        world.run(secs(5));
        assert_eq!(taken(&world), ["hello", "hello"]);
    }
}
