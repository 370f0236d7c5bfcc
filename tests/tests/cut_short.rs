//! RPDUs and TPDUs that end too early are refused, wherever they are cut; only what is optional may be missing.

use smsc_proto::sms::{Carrier, Rpdu, Tpdu};
use smsc_tests::codec_cases::{Case, cases};

#[test]
fn an_rpdu_cut_anywhere_is_refused_unless_only_user_data_that_is_optional_is_missing() {
    let mut refused = 0;
    for Case { name, direction, rpdu, .. } in cases() {
        let mandatory = match Rpdu::decode(direction, &rpdu).expect("our own") {
            Rpdu::Data(_) => rpdu.len(),
            Rpdu::Ack(_) | Rpdu::Smma { .. } => 2,
            // The cause has a length of its own (TS 24.011 §8.2.5.4).
            Rpdu::Error(_) => 3 + usize::from(rpdu[2]),
        };
        for length in (0..rpdu.len()).filter(|length| *length != mandatory) {
            assert!(Rpdu::decode(direction, &rpdu[..length]).is_err(), "{name}: {:02x?}", &rpdu[..length]);
            refused += 1;
        }
        assert!(Rpdu::decode(direction, &rpdu[..mandatory]).is_ok(), "{name}: {:02x?}", &rpdu[..mandatory]);
    }
    assert!(refused > 1000, "only {refused}");
}

#[test]
fn a_tpdu_cut_anywhere_is_refused() {
    let mut refused = 0;
    for Case { name, direction, rpdu, tpdu, .. } in cases() {
        let Some(tpdu) = tpdu else { continue };
        let carrier = match Rpdu::decode(direction, &rpdu).expect("our own") {
            Rpdu::Data(_) => Carrier::Data,
            Rpdu::Ack(_) | Rpdu::Smma { .. } => Carrier::Ack,
            Rpdu::Error(_) => Carrier::Error,
        };
        assert!(Tpdu::decode(direction, carrier, &tpdu).is_ok(), "{name}");
        for length in 0..tpdu.len() {
            let cut = &tpdu[..length];
            assert!(Tpdu::decode(direction, carrier, cut).is_err(), "{name}: {cut:02x?}");
            refused += 1;
        }
    }
    assert!(refused > 1000, "only {refused}");
}
