use proptest::prelude::*;

use super::*;
use crate::sms::Tpdu;
use Direction::{MsToNetwork, NetworkToMs};

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Octets, name and value of every node.
fn flat(nodes: &[Node]) -> Vec<(Range<usize>, &str, &str)> {
    nodes
        .iter()
        .flat_map(|node| {
            let this = (node.octets.clone(), node.name.as_str(), node.value.as_str());
            std::iter::once(this).chain(flat(&node.children))
        })
        .collect()
}

#[test]
fn an_rpdu_is_explained_down_to_its_text_with_octets_of_the_whole_input() {
    let input = octets("002a0007914477000910321421000b911316325476f8000008e8329bfd066dca");
    let explanation = guess(&input, None);
    assert_eq!(explanation.input, Input::Rpdu { direction: MsToNetwork });
    assert_eq!(
        flat(&explanation.nodes),
        [
            (0..32, "RP-DATA", "MS to network"),
            (0..1, "RP-MTI", "0"),
            (1..2, "RP-MR", "42"),
            (2..3, "RP-OA", "(none)"),
            (3..11, "RP-DA", "+447700900123"),
            (11..12, "RP-User Data", "20 octets"),
            (12..32, "SMS-SUBMIT", ""),
            (12..13, "TP-MTI", "1"),
            (12..13, "TP-VPF", "0"),
            (12..13, "TP-RD", "0"),
            (12..13, "TP-SRR", "1"),
            (12..13, "TP-UDHI", "0"),
            (12..13, "TP-RP", "0"),
            (13..14, "TP-MR", "0"),
            (14..22, "TP-DA", "+31612345678"),
            (22..23, "TP-PID", "00"),
            (23..24, "TP-DCS", "00"),
            (24..25, "TP-UDL", "8"),
            (25..32, "TP-UD", ""),
            (25..32, "text", "hello €"),
        ]
    );
}

#[test]
fn a_guess_tells_rpdus_modem_pdus_and_bare_tpdus_apart() {
    let table = [
        ("0021000b911316325476f8000008e8329bfd066dca", Input::Modem { direction: MsToNetwork }),
        ("21000b911316325476f8000008e8329bfd066dca", tpdu(MsToNetwork, Carrier::Data)),
        ("04038121f300006211123123330005e8329bfd06", tpdu(NetworkToMs, Carrier::Data)),
        ("062a0b911316325476f862111231233300621112312373 0000", tpdu(NetworkToMs, Carrier::Data)),
        ("0100621112312333 0a", tpdu(NetworkToMs, Carrier::Ack)),
        ("01c00062111231233300", tpdu(NetworkToMs, Carrier::Error)),
        ("0101621112312333002c", tpdu(NetworkToMs, Carrier::Ack)),
        ("0655", Input::Rpdu { direction: MsToNetwork }),
        ("03074109010062111231233300", Input::Rpdu { direction: NetworkToMs }),
        ("0407011641030 0d300", Input::Rpdu { direction: MsToNetwork }),
    ];
    for (hex, expected) in table {
        let explanation = guess(&octets(hex), None);
        assert_eq!(explanation.input, expected, "{hex}\n{explanation}");
        assert_eq!(explanation.problems().count(), 0, "{hex}\n{explanation}");
    }
}

fn tpdu(direction: Direction, carrier: Carrier) -> Input {
    Input::Tpdu { direction, carrier }
}

#[test]
fn the_tree_is_aligned_and_says_what_is_wrong_where() {
    let input = octets("012a0791447700091032001344038121f30004621112312333000605 00037a");
    let expected = " 0-30  RP-DATA          network to MS
    0  ├─ RP-MTI        1  (RP-DATA, network to MS)
    1  ├─ RP-MR         42
  2-9  ├─ RP-OA         +447700900123  (international, E.164)
   10  ├─ RP-DA         (none)
   11  ├─ RP-User Data  19 octets
12-30  └─ SMS-DELIVER
   12     ├─ TP-MTI     0  (SMS-DELIVER)
   12     ├─ TP-MMS     1  (no more messages wait)
   12     ├─ TP-LP      0  (may be forwarded)
   12     ├─ TP-SRI     0  (sender wants no status report)
   12     ├─ TP-UDHI    1  (a header in front of the user data)
   12     ├─ TP-RP      0  (no reply path)
13-16     ├─ TP-OA      123  (unknown type, E.164)
   17     ├─ TP-PID     00  (short message)
   18     ├─ TP-DCS     04  (8-bit data)
19-25     ├─ TP-SCTS    2026-11-21T13:32:33+00:00
26-30     └─ ! problem  octet 26: TP-UDL says 6 octets, 4 octets follow (TS 23.040 §9.2.3.16)  (060500037a)
";
    assert_eq!(guess(&input, None).to_string(), expected);
}

#[test]
fn a_header_is_shown_element_by_element_and_unknown_ones_too() {
    let input = octets("44038121f3000462111231233300 0d 0a 0003550201 990301020 3 cafe");
    let explanation = explain(&input, tpdu(NetworkToMs, Carrier::Data));
    let shown = flat(&explanation.nodes);
    assert_eq!(
        shown[shown.len() - 5..],
        [
            (15..26, "TP-UDH", "11 octets"),
            (15..16, "TP-UDHL", "10"),
            (16..21, "IE 00", "reference 85, part 1 of 2"),
            (21..26, "IE 99", "010203"),
            (26..28, "data", "cafe"),
        ],
        "{explanation}"
    );
}

#[test]
fn text_of_a_national_language_is_read_with_its_tables_and_says_so() {
    let input = octets("44038121f300006211123123330007 03 250101 382c00");
    let explanation = explain(&input, tpdu(NetworkToMs, Carrier::Data));
    let shown = explanation.to_string();
    assert!(
        shown.contains("IE 25") && shown.contains("Turkish  (national language locking shift)"),
        "{shown}"
    );
    assert!(shown.contains("\"ıĞ\"  (2 septets, Turkish locking shift)"), "{shown}");
}

#[test]
fn what_a_sender_wrote_cannot_move_the_cursor() {
    let input = octets("04038121f3000862111231233300 04 001b 202e");
    let shown = explain(&input, tpdu(NetworkToMs, Carrier::Data)).to_string();
    assert!(shown.contains("\"\\u{1b}\\u{202e}\""), "{shown}");
}

proptest! {
    #[test]
    fn any_octets_are_explained_within_their_bounds(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let explanation = guess(&input, None);
        for (range, name, _) in flat(&explanation.nodes) {
            prop_assert!(range.start <= range.end && range.end <= input.len(), "{name} {range:?}");
        }
        let _ = explanation.to_string();
    }

    #[test]
    fn an_explanation_has_a_problem_where_the_decoder_has_an_error(
        first: u8, number in prop::collection::vec(any::<u8>(), 0..6),
        rest in prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), 0u8..8, any::<u8>()], 0..230),
        from_handset: bool, carrier in prop::sample::select(&[Carrier::Data, Carrier::Ack, Carrier::Error][..]),
    ) {
        let direction = if from_handset { MsToNetwork } else { NetworkToMs };
        // An address of a sound length behind the first octets of most types.
        let address = [&[2 * number.len() as u8, 0x91][..], &number].concat();
        for input in [
            [&[first][..], &rest].concat(),
            [&[first][..], &address, &rest].concat(),
            [&[first, 0][..], &address, &rest].concat(),
            [&[first, 0, 0, 0, 0][..], &address, &rest].concat(),
        ] {
            let explanation = explain(&input, tpdu(direction, carrier));
            let problems: Vec<&Node> =
                explanation.problems().filter(|node| !node.value.contains("behind the last field")).collect();
            match Tpdu::decode(direction, carrier, &input) {
                Ok(_) => prop_assert!(problems.is_empty(), "{explanation}"),
                Err(error) => {
                    prop_assert_eq!(problems.len(), 1, "{}", explanation);
                    prop_assert_eq!(&problems[0].value, &error.to_string(), "{}", explanation);
                }
            }
        }
    }

    #[test]
    fn every_cut_of_a_sound_rpdu_names_a_problem(end in 2usize..32) {
        let input = octets("002a0007914477000910321421000b911316325476f8000008e8329bfd066dca");
        let explanation = explain(&input[..end], Input::Rpdu { direction: MsToNetwork });
        prop_assert!(explanation.problems().count() > 0, "{explanation}");
    }
}
