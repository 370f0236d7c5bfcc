//! P-Charging-Vector (RFC 7315 §4.6, TS 24.229 §5.7.3): what is originated here has an icid of its own, which also
//! stands in what the backend is told.

use std::collections::BTreeSet;

use smsc_proto::sip::Message;

use crate::repeats::CAROL;
use crate::world::*;

fn icid(message: &Message) -> String {
    let vector = message.p_charging_vector().unwrap();
    assert_eq!((vector.orig_ioi(), vector.term_ioi()), (Some("ims.mnc001.mcc001.3gppnetwork.org"), None));
    vector.icid().to_owned()
}

#[test]
fn each_request_has_an_icid_that_no_other_has() {
    let mut world = World::with(2, |settings| {
        settings.reg_event =
            Some(smsc_frontend::engine::RegEvent { expires: secs(3600), as_presentity: false });
    });
    world.register(0, 3600, None);
    for pod in [0, 1] {
        for mr in 0..5 {
            world.submit(0, &Mo { tp_mr: mr, rp_mr: mr, pod, ..Mo::new(CAROL, "hello") });
        }
        world.queue(pod, &format!("4{pod}"), 1, &"in three parts ".repeat(25));
    }
    world.run(secs(5));
    let requests = world.requests();
    let methods: BTreeSet<String> =
        requests.iter().map(|(.., request)| request.method().unwrap().as_str().to_owned()).collect();
    let icids: BTreeSet<String> = requests.iter().map(|(.., request)| icid(request)).collect();
    assert_eq!(methods, BTreeSet::from(["MESSAGE".to_owned(), "SUBSCRIBE".to_owned()]));
    assert_eq!((requests.len(), icids.len()), (10 + 6 + 1, 10 + 6 + 1));
}

#[test]
fn the_icid_of_a_submission_is_the_one_the_core_gave_it() {
    let mut world = World::new(1);
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(1));
    let given = "AyretyU0dm+6O2IrT5tAFrbHLso=023551024";
    assert_eq!(world.backend.accepted[0].1.icid.as_deref(), Some(given));
}

/// Whoever records the outcome and however late: the icid is that of the MESSAGE.
#[test]
fn the_icid_of_a_delivery_stands_in_its_outcome() {
    let late = Reaction::delivered().after(secs(50));
    let cases = [
        (1, Reaction::delivered()),
        (1, Reaction::error(22, Some(0xD3))),
        (1, Reaction::only(404)),
        (1, Reaction::only(200)),
        (1, late.clone()),
        (1, late.in_reply_to(InReplyTo::Absent)),
        (2, Reaction::delivered().at_pod(1)),
    ];
    for (pods, reaction) in cases {
        let shown = format!("{reaction:?}");
        let mut world = World::new(pods);
        world.backend.retry_after = secs(3600);
        world.handset_mut(1).script.push_back(reaction);
        world.queue(0, "42", 1, "hello");
        world.run(secs(70));
        let sent = icid(&world.requests()[0].2);
        let reports = world.backend.reports("42");
        assert!(!reports.is_empty());
        assert!(reports.iter().all(|report| report.icid.as_ref() == Some(&sent)), "{shown}: {reports:?}");
    }
}
