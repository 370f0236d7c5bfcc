//! `smsc-frontend decode`, run as people run it.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod support;

use support::{Ended, smsc, smsc_with_input};

const SUBMIT: &str = "002a0007914477000910321421000b911316325476f8000008e8329bfd066dca";

const SUBMIT_TREE: &str = " 0-31  RP-DATA          MS to network
    0  ├─ RP-MTI        0  (RP-DATA, MS to network)
    1  ├─ RP-MR         42
    2  ├─ RP-OA         (none)
 3-10  ├─ RP-DA         +447700900123  (international, E.164)
   11  ├─ RP-User Data  20 octets
12-31  └─ SMS-SUBMIT
   12     ├─ TP-MTI     1  (SMS-SUBMIT)
   12     ├─ TP-VPF     0  (no validity period)
   12     ├─ TP-RD      0  (accept duplicates)
   12     ├─ TP-SRR     1  (status report requested)
   12     ├─ TP-UDHI    0  (no header)
   12     ├─ TP-RP      0  (no reply path)
   13     ├─ TP-MR      0
14-21     ├─ TP-DA      +31612345678  (international, E.164)
   22     ├─ TP-PID     00  (short message)
   23     ├─ TP-DCS     00  (GSM 7-bit)
   24     ├─ TP-UDL     8  (septets)
25-31     └─ TP-UD
25-31        └─ text    \"hello €\"  (8 septets)
";

fn done(out: &str) -> Ended {
    Ended { code: Some(0), out: out.to_owned(), err: String::new() }
}

#[test]
fn an_rpdu_is_shown_field_by_field_with_its_octets() {
    assert_eq!(smsc(["decode", SUBMIT]), done(SUBMIT_TREE));
}

#[test]
fn hex_may_come_in_pieces_from_arguments_or_standard_input() {
    let pairs: Vec<String> =
        SUBMIT.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
    let arguments = std::iter::once("decode").chain(pairs.iter().map(String::as_str));
    assert_eq!(smsc(arguments), done(SUBMIT_TREE));
    for input in [pairs.join(":"), format!("0x{}\n", SUBMIT.to_uppercase()), pairs.join("\r\n")] {
        assert_eq!(smsc_with_input(["decode"], &input), done(SUBMIT_TREE), "{input}");
        assert_eq!(smsc_with_input(["decode", "-"], &input), done(SUBMIT_TREE), "{input}");
    }
}

#[test]
fn a_broken_message_shows_what_could_be_read_and_fails() {
    let tree = "\
0-4  RP-DATA       MS to network
  0  ├─ RP-MTI     0  (RP-DATA, MS to network)
  1  ├─ RP-MR      42
  2  ├─ RP-OA      (none)
  5  └─ ! problem  octet 5: RP-DA needs 6 octets, 0 left (TS 24.011 §8.2.5.2)
";
    assert_eq!(
        smsc(["decode", "002a000791"]),
        Ended { code: Some(1), out: tree.to_owned(), err: String::new() }
    );
}

#[test]
fn half_an_octet_at_the_end_is_told_after_the_rest() {
    assert_eq!(
        smsc(["decode", &format!("{SUBMIT}7")]),
        Ended {
            code: Some(1),
            out: SUBMIT_TREE.to_owned(),
            err: "smsc-frontend: a hex digit is left over at the end; octets have two\n".to_owned(),
        }
    );
}

#[test]
fn what_is_not_hex_is_a_usage_mistake() {
    for (input, reason) in [
        ("00 2x", "`x` behind 3 hex digits is not one"),
        ("", "no octets; at least two hex digits are needed"),
        ("  \n", "no octets; at least two hex digits are needed"),
    ] {
        assert_eq!(
            smsc_with_input(["decode"], input),
            Ended { code: Some(2), out: String::new(), err: format!("smsc-frontend: {reason}\n") },
            "{input:?}"
        );
    }
}

#[test]
fn octets_are_read_as_what_they_are_said_to_be() {
    let pdu = |arguments: &[&str]| {
        let ended = smsc(["decode", "--json"].iter().chain(arguments).copied());
        let mut shown: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        shown.as_object_mut().unwrap().remove("nodes");
        (ended.code, shown.to_string())
    };
    let deliver = "04038121f300006211123123330005e8329bfd06";
    let table: [(&[&str], i32, &str); 4] = [
        (&[deliver], 0, r#"{"carrier":"data","direction":"network_to_ms","pdu":"tpdu"}"#),
        (&["--tpdu", deliver], 0, r#"{"carrier":"data","direction":"network_to_ms","pdu":"tpdu"}"#),
        (
            &["--tpdu", "--direction", "ms-to-net", SUBMIT],
            1,
            r#"{"carrier":"data","direction":"ms_to_network","pdu":"tpdu"}"#,
        ),
        (
            &["--smsc", "079144770009103221000b911316325476f8000008e8329bfd066dca"],
            0,
            r#"{"direction":"ms_to_network","pdu":"modem"}"#,
        ),
    ];
    for (arguments, code, expected) in table {
        assert_eq!(pdu(arguments), (Some(code), expected.to_owned()), "{arguments:?}");
    }
}

#[test]
fn json_has_every_field_with_its_octets() {
    let ended = smsc(["decode", "--json", "0655"]);
    let shown: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let expected = serde_json::json!({
        "pdu": "rpdu",
        "direction": "ms_to_network",
        "nodes": [{
            "octets": {"start": 0, "end": 2},
            "name": "RP-SMMA",
            "value": "MS to network",
            "children": [
                {"octets": {"start": 0, "end": 1}, "name": "RP-MTI", "value": "6", "note": "RP-SMMA, MS to network"},
                {"octets": {"start": 1, "end": 2}, "name": "RP-MR", "value": "85"},
            ],
        }],
    });
    assert_eq!((ended.code, shown), (Some(0), expected));
}
