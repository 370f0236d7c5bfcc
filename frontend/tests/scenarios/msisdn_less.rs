//! Handsets without a number (TS 24.341 annex B.7, TS 23.003 §3.3): named by their URI, the dummy MSISDN in the TPDU.

use smsc_backend::{Kind, QueuedMessage, Status, StatusReport};
use smsc_proto::sms::{Address, Part, SplitOptions, Submit, split_text};

use crate::world::*;

const SENSOR: &str = "sip:sensor7@ims.mnc001.mcc001.3gppnetwork.org";
const METER: &str = "sip:meter@home2.example";

/// A world in which alice is a sensor without a number.
fn world() -> World {
    let mut world = World::new(1);
    let sensor = world.handset_mut(0);
    sensor.impu = SENSOR.to_owned();
    sensor.msisdn = "none".to_owned();
    sensor.asserted = vec![SENSOR.to_owned()];
    world
}

/// An RP-DATA whose TP-DA is the dummy MSISDN.
fn to_the_dummy(mr: u8) -> Vec<u8> {
    let part: Part = split_text("42.7", 0, SplitOptions::default()).unwrap().remove(0);
    let mut tpdu = Vec::new();
    Submit {
        reject_duplicates: false,
        reply_path: false,
        status_report_request: true,
        mr,
        da: Address::DUMMY_MSISDN,
        pid: 0,
        vp: None,
        ud: part.as_user_data(),
    }
    .encode(&mut tpdu);
    rp_data(mr, &tpdu)
}

fn with_info(rpdu: &[u8], to: &str) -> Vec<u8> {
    let info = format!("<?xml version=\"1.0\"?><short-message-info><To>{to}</To></short-message-info>");
    let head = format!(
        "--b\r\nContent-Type: application/vnd.3gpp.sms+xml\r\n\r\n{info}\r\n\
         --b\r\nContent-Type: application/vnd.3gpp.sms\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    );
    [head.as_bytes(), rpdu, b"\r\n--b--\r\n"].concat()
}

#[test]
fn a_message_from_one_to_another_is_for_the_uri_beside_the_tpdu() {
    let mut world = world();
    for (mr, to) in [(1, METER), (2, "sip:other@home2.example")] {
        let body = with_info(&to_the_dummy(mr), to);
        world.send_body(0, "multipart/mixed;boundary=b", &body);
        world.run(secs(1));
        let message = &world.backend.accepted[usize::from(mr) - 1].1;
        assert_eq!(
            (
                message.source_msisdn.as_str(),
                message.destination_msisdn.as_str(),
                message.message_body.as_str()
            ),
            (SENSOR, to, "42.7")
        );
    }
    assert_eq!(world.handset(0).causes(), [None, None]);
}

#[test]
fn a_message_for_nobody_is_refused() {
    let mut world = world();
    world.send_rpdu(0, 0, &to_the_dummy(1));
    world.send_body(0, "multipart/mixed;boundary=b", &with_info(&to_the_dummy(2), "nobody"));
    world.run(secs(1));
    let errors: Vec<_> = world.handset(0).verdicts.iter().map(|verdict| verdict.error).collect();
    assert_eq!(errors, [Some((1, Some(0xC3))); 2]);
    assert!(world.backend.accepted.is_empty());
}

/// The Request-URI is the URI, and the report finds its delivery by token or by identity and RP-MR.
#[test]
fn a_message_for_one_is_delivered_to_its_uri() {
    for in_reply_to in [InReplyTo::Token, InReplyTo::Absent] {
        for impu in [None, Some(SENSOR.to_owned())] {
            let mut world = world();
            world.handset_mut(0).script.push_back(Reaction::delivered().in_reply_to(in_reply_to));
            world.queue_with(0, "42", 0, "set 21", |row| QueuedMessage {
                destination_msisdn: SENSOR.to_owned(),
                source_msisdn: METER.to_owned(),
                impu,
                ..row
            });
            world.run(secs(2));
            let incoming = &world.handset(0).inbox[0];
            assert_eq!(incoming.message.request_uri(), Some(SENSOR));
            assert!(
                matches!(&incoming.body, Body::Deliver { from, text, .. } if from == "meter" && text == "set 21")
            );
            assert_eq!(world.backend.statuses("42"), [Status::Delivered], "{in_reply_to:?}");
        }
    }
}

#[test]
fn a_status_report_names_the_dummy_that_was_submitted() {
    let mut world = world();
    world.queue_with(0, "50", 0, "", |row| QueuedMessage {
        destination_msisdn: SENSOR.to_owned(),
        kind: Kind::StatusReport,
        status_report: Some(StatusReport {
            message_id: "42".into(),
            tp_mr: 7,
            status: 0,
            scts: jiff::Timestamp::from_second(WALL).unwrap(),
            dt: jiff::Timestamp::from_second(WALL).unwrap(),
            destination_msisdn: METER.to_owned(),
        }),
        ..row
    });
    world.run(secs(1));
    let Body::StatusReport { tp_mr, to, .. } = &world.handset(0).inbox[0].body else { panic!("a report") };
    assert_eq!((*tp_mr, to.as_str()), (7, Address::DUMMY_MSISDN.as_dialled().as_str()));
}
