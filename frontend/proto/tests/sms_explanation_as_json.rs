//! The JSON of an explanation is what `decode --json` prints, so its shape is API.

use serde_json::json;
use smsc_proto::sms::Direction;
use smsc_proto::sms::explain::{Input, explain, guess};

#[test]
fn a_sound_rpdu_is_its_reading_and_its_fields() {
    let explanation = guess(&[0x02, 0x07], None);
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        json!({
            "pdu": "rpdu",
            "direction": "ms_to_network",
            "nodes": [{
                "octets": { "start": 0, "end": 2 },
                "name": "RP-ACK",
                "value": "MS to network",
                "children": [
                    { "octets": { "start": 0, "end": 1 }, "name": "RP-MTI", "value": "2", "note": "RP-ACK, MS to network" },
                    { "octets": { "start": 1, "end": 2 }, "name": "RP-MR", "value": "7" },
                ],
            }],
        })
    );
}

#[test]
fn what_is_wrong_is_a_node_marked_as_a_problem() {
    let input = Input::Rpdu { direction: Direction::NetworkToMs };
    let explanation = explain(&[0x05, 0x07, 0x02, 0x29], input);
    let nodes = serde_json::to_value(&explanation.nodes).unwrap();
    assert_eq!(
        nodes[0]["children"][2],
        json!({
            "octets": { "start": 3, "end": 4 },
            "name": "problem",
            "value": "octet 3: RP-Cause needs 2 octets, 1 left (TS 24.011 §8.2.5.4)",
            "note": "29",
            "problem": true,
        })
    );
}
