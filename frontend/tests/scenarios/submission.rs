//! From the handset: RP-ACK only for what the backend holds durably (design §4, MO).

use smsc_backend::{ErrorClass, SourceType};
use smsc_proto::sms::{Address, Direction, RpData, Rpdu, Timestamp, Validity};

use crate::repeats::{CAROL, taken};
use crate::world::*;

pub(crate) fn rp_ack_comes_only_after_durable_storage(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.fail(Operation::InsertMessage, 1, Fault::Slow(secs(8)));
    let call_id = world.submit(0, &Mo { rp_mr: 200, ..Mo::new(CAROL, "hello") });
    world.run(secs(7));
    assert_eq!((world.statuses(&call_id), world.handset(0).verdicts.len()), (vec![202], 0));
    world.run(secs(2));
    assert_eq!(
        world.handset(0).verdicts,
        [SubmitVerdict {
            in_reply_to: call_id,
            rp_mr: 200,
            error: None,
            scts: Some(Timestamp::from_unix(WALL, 0)),
        }]
    );
}

#[test]
fn what_a_handset_submits_reaches_the_backend_with_every_field() {
    let mut world = World::new(1);
    let mo = Mo {
        tp_mr: 9,
        rp_mr: 7,
        status_report: true,
        validity: Some(Validity::Relative(11)),
        ..Mo::new("07700900099", "ünï€")
    };
    let call_id = world.submit(0, &mo);
    world.run(secs(1));
    let message = world.backend.accepted[0].1.clone();
    assert_eq!(
        message,
        smsc_backend::NewMessage {
            idempotency_key: message.idempotency_key.clone(),
            source_msisdn: "+447700900001".into(),
            destination_msisdn: "07700900099".into(),
            destination_ton: 0,
            destination_npi: 1,
            message_body: "ünï€".into(),
            source_smsc: location_of(0),
            source_type: SourceType::Ims,
            encoding: message.encoding,
            tp_dcs: Some(8),
            tp_pid: Some(0),
            tp_mr: Some(9),
            tp_rd: Some(false),
            tp_rp: Some(false),
            rp_mr: Some(7),
            udh: None,
            raw_tpdu: Some(data_encoding::HEXLOWER.encode(&mo.tpdu())),
            sc_address: Some("+447785016005".into()),
            submit_key: message.submit_key.clone(),
            validity_period: Some(3600),
            status_report_requested: true,
            call_id: Some(call_id),
            icid: Some("AyretyU0dm+6O2IrT5tAFrbHLso=023551024".into()),
        }
    );
    assert_eq!((message.idempotency_key.len(), message.submit_key.unwrap().len()), (32, 32));
}

pub(crate) fn a_backend_down_for_10_s_costs_nothing_but_time(profile: Profile) {
    for fault in [Fault::Down, Fault::Status(503, None), Fault::Status(429, None), Fault::Nonsense] {
        let mut world = World::new(1).under(profile);
        world.backend.outage(ms(0), secs(10), fault);
        world.submit(0, &Mo::new(CAROL, "hello"));
        world.run(secs(30));
        assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None]), "{fault:?}");
        assert_eq!(world.handset(0).fell_back, [""; 0], "{fault:?}");
    }
}

/// The backend took it, but its answer was lost: the key tells it that the next call is the same message.
pub(crate) fn a_lost_answer_of_the_backend_does_not_double_a_message(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.fail(Operation::InsertMessage, 2, Fault::LostAnswer);
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(30));
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None]));
    assert_eq!(world.backend.times(Operation::InsertMessage).len(), 3);
}

/// Any other cause would make the handset fall back to CS or NAS at once.
pub(crate) fn a_backend_down_for_longer_than_25_s_is_rp_error_41_and_no_other(profile: Profile) {
    for fault in [Fault::Down, Fault::Status(500, None), Fault::Status(429, Some(42)), Fault::LostAnswer] {
        let mut world = World::new(1).under(profile);
        world.backend.honours_keys = true;
        world.backend.outage(ms(0), secs(60), fault);
        world.submit(0, &Mo::new(CAROL, "hello"));
        world.run(secs(24));
        assert!(world.handset(0).verdicts.is_empty());
        world.run(secs(40));
        assert_eq!(world.handset(0).causes(), [Some(41)], "{fault:?}");
        assert_eq!(world.handset(0).fell_back, [""; 0], "{fault:?}");
    }
}

pub(crate) fn a_definite_refusal_of_the_backend_names_the_cause(profile: Profile) {
    for (fault, cause) in
        [(Fault::Status(404, Some(1)), 1), (Fault::Status(422, Some(38)), 38), (Fault::Status(400, None), 21)]
    {
        let mut world = World::new(1).under(profile);
        world.backend.fail(Operation::InsertMessage, 1, fault);
        let call_id = world.submit(0, &Mo::new(CAROL, "hello"));
        world.run(secs(2));
        assert_eq!((world.statuses(&call_id), world.handset(0).causes()), (vec![202], vec![Some(cause)]));
        assert_eq!(world.backend.times(Operation::InsertMessage).len(), 1);
        // Who sends it over CS now has sent it once: the backend does not have it.
        let past_us = if profile == Profile::Android { vec!["hello".to_owned()] } else { vec![] };
        assert_eq!((taken(&world), world.handset(0).fell_back.clone()), (vec![], past_us));
    }
}

/// A handset may know a verdict by RP-MR alone; the one on a later message must not end an earlier one.
pub(crate) fn a_verdict_bears_the_rp_mr_of_its_own_submission(profile: Profile) {
    let mut world = World::new(1).under(profile);
    world.backend.fail(Operation::InsertMessage, 1, Fault::Slow(secs(8)));
    world.submit(0, &Mo { rp_mr: 1, ..Mo::new(CAROL, "slow") });
    world.run(secs(1));
    world.backend.fail(Operation::InsertMessage, 1, Fault::Status(422, Some(38)));
    world.submit(0, &Mo { rp_mr: 2, tp_mr: 2, ..Mo::new(CAROL, "refused") });
    world.run(secs(10));
    let verdicts: Vec<_> = world.handset(0).verdicts.iter().map(|v| (v.rp_mr, v.error)).collect();
    assert_eq!(verdicts, [(2, Some((38, None))), (1, None)]);
    let past_us = if profile == Profile::Android { vec!["refused".to_owned()] } else { vec![] };
    assert_eq!((taken(&world), world.handset(0).fell_back.clone()), (vec!["slow"], past_us));
}

/// Credentials that are not accepted are the operator's fault, not the sender's.
#[test]
fn a_backend_that_denies_us_is_asked_again() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(5), Fault::Status(401, None));
    world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(10));
    assert_eq!((taken(&world), world.handset(0).causes()), (vec!["hello"], vec![None]));
    let errors = &world.pods[0].metrics.backend_errors;
    let label = smsc_frontend::engine::BackendLabel {
        operation: "insert_message",
        class: ErrorClass::Denied.as_str(),
    };
    assert!(errors.get_or_create(&label).get() > 0);
}

/// A retransmission over UDP is the same transaction: one insert, one answer repeated.
#[test]
fn a_retransmission_is_answered_again_and_nothing_more() {
    let mut world = World::new(1);
    world.link.lose(3, |packet| packet.message().status() == Some(202));
    let call_id = world.submit(0, &Mo::new(CAROL, "hello"));
    world.run(secs(10));
    assert_eq!((world.statuses(&call_id), taken(&world)), (vec![202], vec!["hello"]));
    assert_eq!(world.backend.times(Operation::InsertMessage).len(), 1);
    assert_eq!(world.handset(0).causes(), [None]);
}

/// No later report can correct it, so the 2xx of a text waits for the backend (design §11).
#[test]
fn the_2xx_of_a_text_waits_for_the_backend() {
    let mut world = World::new(1);
    world.backend.outage(ms(0), secs(3), Fault::Down);
    let to = "sip:+447700900099@ims.mnc001.mcc001.3gppnetwork.org;user=phone";
    let call_id = world.send_text(0, to, "hello, plain world");
    world.run(ms(2900));
    assert_eq!(world.statuses(&call_id), [0u16; 0]);
    world.run(secs(4));
    assert_eq!(world.statuses(&call_id), [202]);
    let message = &world.backend.accepted[0].1;
    assert_eq!(
        (message.message_body.as_str(), message.destination_msisdn.as_str(), message.destination_ton),
        ("hello, plain world", CAROL, 1)
    );
    assert!(world.handset(0).verdicts.is_empty());
}

#[test]
fn a_text_is_refused_with_the_status_that_says_what_the_backend_said() {
    let to = "tel:+447700900099";
    let answered = |fault, wait| {
        let mut world = World::new(1);
        world.backend.outage(ms(0), secs(100), fault);
        let call_id = world.send_text(0, to, "hello");
        world.run(wait);
        let answers = world.core.answers_to(&call_id);
        assert_eq!(answers.len(), 1);
        (answers[0].status().unwrap(), answers[0].retry_after().is_some())
    };
    assert_eq!(answered(Fault::Status(404, Some(1)), secs(1)), (404, false));
    assert_eq!(answered(Fault::Status(422, Some(21)), secs(1)), (403, false));
    assert_eq!(answered(Fault::Down, secs(28)), (500, true));
    let mut world = World::new(1);
    let call_id = world.send_text(0, "sip:nobody@example.org", "hello");
    world.run(secs(1));
    assert_eq!(world.statuses(&call_id), [404]);
}

/// The TPDU is broken: 202, then an RP-ERROR that says how, with the sender's RP-MR.
#[test]
fn a_bad_tpdu_is_rp_error_95_to_111_with_its_rp_mr() {
    let da = Address::international("447785016005").unwrap();
    let with = |tpdu: &[u8]| {
        let mut rpdu = Vec::new();
        Rpdu::Data(RpData { mr: 99, oa: Address::EMPTY, da, user_data: tpdu })
            .encode(Direction::MsToNetwork, &mut rpdu);
        rpdu
    };
    let good = with(&Mo::new(CAROL, "hello").tpdu());
    let broken = [
        with(&[0x01]),
        with(&[0x01, 1, 0x0c, 0x91, 0x44]),
        good[..good.len() - 3].to_vec(),
        vec![0x00, 99],
        vec![0x07, 99, 1, 2, 3],
    ];
    for rpdu in broken {
        let mut world = World::new(1);
        let call_id = world.send_rpdu(0, 0, &rpdu);
        world.run(secs(1));
        let verdicts = &world.handset(0).verdicts;
        assert_eq!((verdicts.len(), verdicts[0].rp_mr), (1, 99), "{rpdu:02x?}");
        let cause = verdicts[0].error.unwrap().0;
        assert!(matches!(cause, 95..=99 | 111), "{rpdu:02x?}: {cause}");
        assert_eq!(world.statuses(&call_id), [202]);
        assert!(world.backend.accepted.is_empty());
    }
}

#[test]
fn an_sms_command_is_not_implemented() {
    let mut world = World::new(1);
    let mut rpdu = Vec::new();
    let command = [0x02, 1, 0, 2, 1, 0x0c, 0x91, 0x44, 0x77, 0x00, 0x09, 0x00, 0x90, 0];
    Rpdu::Data(RpData {
        mr: 5,
        oa: Address::EMPTY,
        da: Address::international("447785016005").unwrap(),
        user_data: &command,
    })
    .encode(Direction::MsToNetwork, &mut rpdu);
    world.send_rpdu(0, 0, &rpdu);
    world.run(secs(1));
    assert_eq!(world.handset(0).verdicts[0].error, Some((69, Some(0xA1))));
}

/// A report that cannot be read is never answered with an RP-ERROR.
#[test]
fn a_broken_report_is_answered_by_sip_alone() {
    for rpdu in [vec![0x04, 9], vec![0x04, 9, 0], vec![0x02, 9, 0x41, 9, 0]] {
        let mut world = World::new(1);
        let call_id = world.send_rpdu(0, 0, &rpdu);
        world.run(secs(1));
        assert_eq!((world.statuses(&call_id), world.requests().len()), (vec![400], 0), "{rpdu:02x?}");
    }
}

/// Before anything is stored: 500 with Retry-After, so that the S-CSCF does not leave every pod alone.
#[test]
fn overload_is_500_with_retry_after_and_stores_nothing() {
    for (status, text) in [(500, false), (503, false), (500, true)] {
        let mut world = World::with(1, |settings| {
            settings.caps.open_mo = 1;
            settings.overload_status = status;
        });
        world.backend.outage(ms(0), secs(5), Fault::Down);
        world.submit(0, &Mo::new(CAROL, "first"));
        let call_id = if text {
            world.send_text(0, "tel:+447700900099", "second")
        } else {
            world.submit(1, &Mo::new(CAROL, "second"))
        };
        world.run(secs(10));
        let answer = world.core.answers_to(&call_id)[0];
        assert_eq!(answer.status(), Some(status));
        assert!(answer.retry_after().is_some_and(|seconds| (1..=8).contains(&seconds)));
        assert_eq!(taken(&world), ["first"]);
    }
}

#[test]
fn a_full_transaction_table_is_500_with_retry_after() {
    let mut world = World::with(1, |settings| settings.caps.server_transactions = 1);
    world.submit(0, &Mo::new(CAROL, "first"));
    let call_id = world.submit(1, &Mo::new(CAROL, "second"));
    world.run(secs(10));
    let answer = world.core.answers_to(&call_id)[0];
    assert_eq!((answer.status(), answer.retry_after().is_some()), (Some(500), true));
    assert_eq!(taken(&world), ["first"]);
}

/// The sender's number is not in its identity but known from its registration.
#[test]
fn a_sender_without_a_number_has_the_one_its_registration_told() {
    let mut world = World::new(1);
    let alice = world.handset_mut(0);
    alice.impu = "sip:alice@ims.mnc001.mcc001.3gppnetwork.org".into();
    alice.asserted = vec![alice.impu.clone()];
    world.submit(0, &Mo::new(CAROL, "before"));
    let info = b"<ims-3gpp version=\"1\"><service-info>447700900001</service-info></ims-3gpp>";
    world.run(secs(1));
    world.register(0, 3600, Some(("application/3gpp-ims+xml", info)));
    world.run(secs(1));
    world.submit(0, &Mo::new(CAROL, "after"));
    world.run(secs(1));
    let sources: Vec<_> = world.backend.accepted.iter().map(|(_, m)| m.source_msisdn.as_str()).collect();
    assert_eq!(sources, ["sip:alice@ims.mnc001.mcc001.3gppnetwork.org", "+447700900001"]);
}

/// What the sender put beside its text travels beside it (design §6).
#[test]
fn a_header_in_the_user_data_is_kept_and_octets_travel_as_hex() {
    let mut world = World::new(1);
    let da = Address::international("447785016005").unwrap();
    let tpdus = [
        "41010c9144770009009900000c0500030a0201c8329bfd06",
        "41020c9144770009009900040b06050415b30000000102ff",
    ];
    for tpdu in tpdus {
        let mut rpdu = Vec::new();
        let user_data = &data_encoding::HEXLOWER.decode(tpdu.as_bytes()).unwrap();
        Rpdu::Data(RpData { mr: 1, oa: Address::EMPTY, da, user_data })
            .encode(Direction::MsToNetwork, &mut rpdu);
        world.send_rpdu(0, 0, &rpdu);
        world.run(secs(1));
    }
    let kept: Vec<_> = (world.backend.accepted.iter())
        .map(|(_, m)| (m.udh.as_deref(), m.encoding, m.raw_tpdu.as_deref()))
        .collect();
    use smsc_backend::Encoding::{Binary, Gsm7};
    assert_eq!(
        kept,
        [(Some("00030a0201"), Gsm7, Some(tpdus[0])), (Some("050415b30000"), Binary, Some(tpdus[1])),]
    );
    assert_eq!(taken(&world)[1], "000102ff");
}

/// A CPIM wrapper names the recipient itself (RFC 3862).
#[test]
fn a_cpim_text_goes_to_whom_its_wrapper_names() {
    let mut world = World::new(1);
    let (call_id, request) = world.core.message(0, PSI);
    let cpim = "From: <im:alice@x>\r\nTo: <tel:+447700900099>\r\n\r\nContent-Type: text/plain\r\n\r\nwrapped";
    world.send(0, &call_id, request.body("message/cpim", cpim.as_bytes()));
    world.run(secs(1));
    assert_eq!(world.statuses(&call_id), [202]);
    let message = &world.backend.accepted[0].1;
    assert_eq!((message.destination_msisdn.as_str(), message.message_body.as_str()), (CAROL, "wrapped"));
}
