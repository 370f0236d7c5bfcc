//! What senders put beside their text: kept at the backend and on its way to the other handset, octet for octet
//! (TS 23.040 §9.2.3, design §6).

use data_encoding::HEXLOWER;
use smsc_backend::{Encoding, Kind, QueuedMessage, Status, StatusReport};
use smsc_proto::sms::{
    Address, Alphabet, Carrier, Dcs, Direction, Part, SplitOptions, Submit, Timestamp, Tpdu, Validity, pid,
    split_binary, split_text,
};

use crate::repeats::CAROL;
use crate::world::*;

/// An SMS-SUBMIT to carol with TP-RP and TP-SRR set.
fn submit(pid: u8, part: &Part, vp: Option<Validity>) -> Vec<u8> {
    let mut tpdu = Vec::new();
    Submit {
        reject_duplicates: false,
        reply_path: true,
        status_report_request: true,
        mr: 9,
        da: Address::dialled(CAROL).unwrap(),
        pid,
        vp,
        ud: part.as_user_data(),
    }
    .encode(&mut tpdu);
    tpdu
}

/// A text with this data coding scheme and user data header.
fn text(dcs: u8, udh: &[u8], text: &str) -> Part {
    let alphabet = Some(Dcs(dcs).alphabet());
    let options = SplitOptions { alphabet, udh, ..SplitOptions::default() };
    let part = split_text(text, 0, options).unwrap().remove(0);
    Part { dcs: Dcs(dcs), ..part }
}

/// The TPDUs a handset got.
fn got(world: &World, handset: usize) -> Vec<Vec<u8>> {
    world.handset(handset).inbox.iter().map(|incoming| tpdu_for_handset(&incoming.message.body())).collect()
}

#[test]
fn what_is_beside_a_text_passes_the_backend_and_reaches_the_other_handset() {
    let data = |dcs: u8, udh: &[u8]| {
        let part = split_binary(b"\x00\xff\x1b\r\n", 0, SplitOptions { udh, ..SplitOptions::default() });
        Part { dcs: Dcs(dcs), ..part.unwrap().remove(0) }
    };
    let mut cases: Vec<(u8, Part)> = (0x41..=0x47).map(|pid| (pid, text(0x00, &[], "replaces"))).collect();
    // Message waiting: discard, store GSM 7-bit, store UCS2; flash, in both groups; delete after reading; class 2.
    let schemes = [0xc8, 0xd9, 0xea, 0x10, 0xf0, 0x18, 0x48, 0x50, 0xf2];
    cases.extend(schemes.map(|dcs| (0, text(dcs, &[], "a scheme {of} its own"))));
    // Special message indication, 16-bit ports with an unknown element, a national table, a concatenated part.
    let headers: [&[u8]; 4] = [
        &[0x01, 0x02, 0x80, 0x05],
        &[0x05, 0x04, 0x0b, 0x84, 0x23, 0xf0, 0x99, 0x02, 0xab, 0xcd],
        &[0x25, 0x01, 0x01],
        &[0x08, 0x04, 0x12, 0x34, 0x03, 0x02],
    ];
    cases.extend(headers.map(|udh| (0, text(0x00, udh, "with a header"))));
    cases
        .extend([(pid::SIM_DOWNLOAD, data(0xf6, &[0x71, 0x00])), (0, data(0x15, &[0x05, 0x04, 1, 2, 3, 4]))]);
    cases.push((pid::TYPE_0, text(0x00, &[], "")));
    for (pid, part) in cases {
        let tpdu = submit(pid, &part, None);
        let mut world = World::new(1);
        world.send_rpdu(0, 0, &rp_data(1, &tpdu));
        world.run(secs(1));
        assert_eq!(world.handset(0).causes(), [None], "{tpdu:02x?}");
        let taken = world.backend.accepted[0].1.clone();
        let ud = part.as_user_data();
        assert_eq!(
            (taken.tp_pid, taken.tp_dcs, taken.tp_rp, taken.status_report_requested),
            (Some(pid), Some(part.dcs.0), Some(true), true)
        );
        assert_eq!(taken.udh, ud.udh().map(|udh| HEXLOWER.encode(udh)));
        assert_eq!(taken.raw_tpdu, Some(HEXLOWER.encode(&tpdu)));
        let expected = match part.dcs.alphabet() {
            Alphabet::EightBit => (Encoding::Binary, HEXLOWER.encode(ud.payload())),
            Alphabet::Gsm7 => (Encoding::Gsm7, ud.text().unwrap()),
            Alphabet::Ucs2 => (Encoding::Ucs2, ud.text().unwrap()),
        };
        assert_eq!((taken.encoding, taken.message_body.clone()), expected);
        // By the octets, and by the fields alone for a backend that keeps no octets.
        for raw_tpdu in [taken.raw_tpdu.clone(), None] {
            world.core.handsets[1].inbox.clear();
            world.queue_with(0, &format!("{}", raw_tpdu.is_some()), 1, &taken.message_body, |row| {
                QueuedMessage {
                    encoding: Some(taken.encoding),
                    tp_dcs: taken.tp_dcs,
                    tp_pid: taken.tp_pid,
                    tp_rp: taken.tp_rp,
                    udh: taken.udh.clone(),
                    raw_tpdu: raw_tpdu.clone(),
                    ..row
                }
            });
            world.run(secs(3));
            let octets = got(&world, 1).remove(0);
            let Ok(Tpdu::Deliver(deliver)) = Tpdu::decode(Direction::NetworkToMs, Carrier::Data, &octets)
            else {
                panic!("no SMS-DELIVER: {octets:02x?}");
            };
            assert_eq!((deliver.pid, deliver.reply_path, deliver.ud), (pid, true, ud), "{raw_tpdu:?}");
        }
    }
}

/// PID 7F, class 2, binary, a command packet; the card's answer comes with the RP-ACK (TS 31.115, TS 23.040 §9.2.3.9).
#[test]
fn a_command_for_a_sim_reaches_the_card_and_its_answer_the_backend() {
    const ANSWER: &[u8] = &[0x40, 0x07, 0x7f, 0xf6, 0x06, 0x02, 0x71, 0x00, 0x00, 0x01, 0x90];
    let command: Vec<u8> = (0..=255).collect();
    let mut world = World::new(1);
    world.handset_mut(1).usual = Reaction { report: Report::AckWith(ANSWER), ..Reaction::delivered() };
    world.queue_with(0, "42", 1, &HEXLOWER.encode(&command), |row| QueuedMessage {
        encoding: Some(Encoding::Binary),
        tp_pid: Some(pid::SIM_DOWNLOAD),
        tp_dcs: Some(0xf6),
        udh: Some("7000".to_owned()),
        ..row
    });
    world.run(secs(2));
    let mut payload = Vec::new();
    for (index, octets) in got(&world, 1).iter().enumerate() {
        let Ok(Tpdu::Deliver(deliver)) = Tpdu::decode(Direction::NetworkToMs, Carrier::Data, octets) else {
            panic!("no SMS-DELIVER");
        };
        assert!(pid::is_sim_download(deliver.pid, deliver.ud.dcs) && deliver.ud.dcs.0 == 0xf6);
        let elements: Vec<u8> = deliver.ud.elements().map(|element| element.id).collect();
        assert_eq!(elements, if index == 0 { vec![0x00, 0x70] } else { vec![0x00] });
        payload.extend_from_slice(deliver.ud.payload());
    }
    assert_eq!(payload, command);
    let reports = world.backend.reports("42");
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (reports[0].status, reports[0].report_tpdu.clone(), reports[0].detail.as_str()),
        (
            Status::Delivered,
            Some(HEXLOWER.encode(ANSWER)),
            "the handset answered RP-ACK (TS 24.011 §7.3.3), with user data in its SMS-DELIVER-REPORT \
             (TS 23.040 §9.2.2.1a)"
        )
    );
}

/// After the attempt's end, and at a pod that never knew it, the answer is not lost either.
#[test]
fn the_answer_of_a_sim_is_kept_when_the_report_comes_late() {
    const ANSWER: &[u8] = &[0x00, 0x07, 0x7f, 0xf6, 0x02, 0x90, 0x00];
    let mut world = World::new(1);
    let late = Reaction { report: Report::AckWith(ANSWER), ..Reaction::delivered() }.after(secs(50));
    world.handset_mut(1).script.push_back(late);
    world.queue(0, "42", 1, "hello");
    world.run(secs(60));
    let answers: Vec<_> =
        world.backend.reports("42").iter().map(|r| (r.status, r.report_tpdu.is_some())).collect();
    assert_eq!(answers, [(Status::Unknown, false), (Status::Delivered, true)]);
}

/// TS 23.042: nobody compresses, and who cannot read it must not pass it on as text.
#[test]
fn a_compressed_text_is_refused_with_the_cause_that_says_so() {
    for dcs in [0x20, 0x2a, 0x35, 0x60] {
        let part = Part { dcs: Dcs(dcs), header: false, length: 3, octets: vec![1, 2, 3] };
        let mut world = World::new(1);
        let call_id = world.send_rpdu(0, 0, &rp_data(1, &submit(0, &part, None)));
        world.run(secs(1));
        assert_eq!((world.statuses(&call_id), world.backend.accepted.len()), (vec![202], 0));
        assert_eq!(world.handset(0).verdicts[0].error, Some((21, Some(0x90))), "{dcs:02x}");
    }
}

/// A service centre that holds no messages of its own acts on no command (TS 23.040 §9.2.3.22, TP-FCS A1).
#[test]
fn every_sms_command_is_refused_as_unsupported() {
    for (first, command_type) in [(0x02, 0), (0x22, 1), (0x02, 2), (0x22, 3), (0x02, 0xff)] {
        let mut world = World::new(1);
        let command = [first, 1, 0, command_type, 1, 0x0c, 0x91, 0x44, 0x77, 0x00, 0x09, 0x00, 0x90, 0];
        world.send_rpdu(0, 0, &rp_data(5, &command));
        world.run(secs(1));
        assert_eq!(world.handset(0).verdicts[0].error, Some((69, Some(0xA1))), "{command_type}");
        assert!(world.backend.accepted.is_empty());
    }
}

#[test]
fn every_format_of_a_validity_period_is_told_in_seconds() {
    let formats = [
        (None, None),
        (Some(Validity::Relative(0)), Some(300)),
        (Some(Validity::Relative(143)), Some(12 * 3600)),
        (Some(Validity::Relative(167)), Some(24 * 3600)),
        (Some(Validity::Relative(255)), Some(63 * 7 * 86_400)),
        (Some(Validity::Absolute(Timestamp::from_unix(WALL + 7200, 8))), Some(7200)),
        (Some(Validity::Enhanced([0x02, 0x2d, 0, 0, 0, 0, 0])), Some(45)),
        (Some(Validity::Enhanced([0x03, 0x10, 0x20, 0x30, 0, 0, 0])), Some(3600 + 120 + 3)),
        (Some(Validity::Enhanced([0x01, 0x0b, 0, 0, 0, 0, 0])), Some(3600)),
    ];
    for (validity, seconds) in formats {
        let mut world = World::new(1);
        world.submit(0, &Mo { validity, ..Mo::new(CAROL, "hello") });
        world.run(secs(1));
        assert_eq!(world.backend.accepted[0].1.validity_period, seconds, "{validity:?}");
    }
}

/// Every group of TP-ST: completed, still trying, permanent, given up, reserved (TS 23.040 §9.2.3.15).
#[test]
fn a_status_report_says_what_the_backend_says() {
    for status in [0x00, 0x01, 0x02, 0x20, 0x25, 0x40, 0x46, 0x4f, 0x60, 0x65, 0x7f, 0xff] {
        let mut world = World::new(1);
        world.queue_with(0, "50", 0, "", |row| QueuedMessage {
            kind: Kind::StatusReport,
            status_report: Some(StatusReport {
                message_id: "42".into(),
                tp_mr: 200,
                status,
                scts: jiff::Timestamp::from_second(WALL - 9).unwrap(),
                dt: jiff::Timestamp::from_second(WALL).unwrap(),
                destination_msisdn: CAROL.to_owned(),
            }),
            ..row
        });
        world.run(secs(1));
        let shown = &world.handset(0).inbox[0].body;
        let scts = Timestamp::from_unix(WALL - 9, 0);
        assert_eq!(*shown, Body::StatusReport { tp_mr: 200, to: CAROL.to_owned(), status, scts });
        assert_eq!(world.backend.statuses("50"), [Status::Delivered]);
    }
}
