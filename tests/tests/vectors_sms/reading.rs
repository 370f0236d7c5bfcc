//! What we read from octets, under the names that the vectors use.

use serde_json::{Map, Value, json};
use smsc_proto::sms::explain::{Input, Node, explain};
use smsc_proto::sms::{
    Address, Alphabet, Carrier, Command, Deliver, DeliverReport, Direction, RpAck, RpData, RpError, Rpdu,
    StatusReport, Submit, SubmitReport, Timestamp, Tpdu, UserData, Validity,
};

use super::hex;

type Fields = Map<String, Value>;

/// Reads an RPDU with its TPDU, or a TPDU, and checks that the explanation finds the same right or wrong.
pub(super) fn read(layer: &str, direction: &str, octets: &[u8]) -> Result<Fields, String> {
    let direction = match direction {
        "ms-to-net" => Direction::MsToNetwork,
        "net-to-ms" => Direction::NetworkToMs,
        other => panic!("{other} is no direction"),
    };
    let mut fields = Fields::new();
    let (read, input) = if layer == "rp" {
        (rpdu(direction, octets, &mut fields), Input::Rpdu { direction })
    } else {
        let carrier = carrier(direction, octets);
        (tpdu(direction, carrier, octets, &mut fields), Input::Tpdu { direction, carrier })
    };
    let explanation = explain(octets, input);
    let problems = explanation.problems().filter(|node| !node.value.contains("behind the last field"));
    assert_eq!(read.is_ok(), problems.count() == 0, "{read:?}\n{explanation}");
    if let Some(indicator) = find(&explanation.nodes, "TP-PI") {
        let indicator = u8::from_str_radix(&indicator.value, 16).expect("TP-PI is shown as two digits");
        fields.insert("pi".to_owned(), indicator.into());
    }
    if let (Some(text), Some(shown)) = (fields.get("text"), find(&explanation.nodes, "text")) {
        assert_eq!(*text, shown.value, "{explanation}");
    }
    read.map(|()| fields)
}

/// A report that stands alone is of failure if its second octet can be no TP-PI.
fn carrier(direction: Direction, octets: &[u8]) -> Carrier {
    let report = if direction == Direction::MsToNetwork { 0 } else { 1 };
    match octets {
        [first, second, ..] if first & 0x03 == report => {
            if *second >= 0x80 {
                Carrier::Error
            } else {
                Carrier::Ack
            }
        }
        _ => Carrier::Data,
    }
}

fn find<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes.iter().find_map(|node| if node.name == name { Some(node) } else { find(&node.children, name) })
}

fn rpdu(direction: Direction, octets: &[u8], fields: &mut Fields) -> Result<(), String> {
    let rpdu = Rpdu::decode(direction, octets).map_err(|error| error.to_string())?;
    fields.insert("rp_mr".to_owned(), rpdu.mr().into());
    let carrier = match rpdu {
        Rpdu::Data(RpData { mr: _, oa, da, user_data: _ }) => {
            for (name, address) in [("rp_oa", oa), ("rp_da", da)] {
                if !address.is_empty() {
                    fields.insert(name.to_owned(), address.as_dialled().into());
                }
            }
            Carrier::Data
        }
        Rpdu::Ack(RpAck { .. }) => Carrier::Ack,
        Rpdu::Error(RpError { cause, .. }) => {
            fields.insert("cause".to_owned(), cause.into());
            Carrier::Error
        }
        Rpdu::Smma { .. } => Carrier::Data,
    };
    if let Some(octets) = rpdu.user_data() {
        tpdu(direction, carrier, octets, fields)?;
        let tp_type = fields.remove("type");
        fields.extend(tp_type.map(|name| ("tp_type".to_owned(), name)));
    }
    let name = match rpdu {
        Rpdu::Data(_) => "RP-DATA",
        Rpdu::Ack(_) => "RP-ACK",
        Rpdu::Error(_) => "RP-ERROR",
        Rpdu::Smma { .. } => "RP-SMMA",
    };
    fields.insert("type".to_owned(), name.into());
    Ok(())
}

fn tpdu(direction: Direction, carrier: Carrier, octets: &[u8], fields: &mut Fields) -> Result<(), String> {
    let tpdu = Tpdu::decode(direction, carrier, octets).map_err(|error| error.to_string())?;
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("type", tpdu.name().trim_start_matches("SMS-").into());
    let (mut number, mut dcs_and_data) = (None, None);
    match tpdu {
        Tpdu::Submit(Submit { status_report_request, mr, da, pid, vp, ud, .. }) => {
            set("srr", status_report_request.into());
            set("mr", mr.into());
            set("pid", pid.into());
            if let Some(vp) = vp {
                set("vp", validity(vp));
            }
            (number, dcs_and_data) = (Some(da), Some(ud));
        }
        Tpdu::Deliver(Deliver { oa, pid, scts, ud, .. }) => {
            set("pid", pid.into());
            set("scts", time(scts));
            (number, dcs_and_data) = (Some(oa), Some(ud));
        }
        Tpdu::SubmitReport(SubmitReport { fcs, scts, pid, ud }) => {
            fcs.and_then(|fcs| set("fcs", fcs.into()));
            set("scts", time(scts));
            pid.and_then(|pid| set("pid", pid.into()));
            dcs_and_data = ud;
        }
        Tpdu::DeliverReport(DeliverReport { fcs, pid, ud }) => {
            fcs.and_then(|fcs| set("fcs", fcs.into()));
            pid.and_then(|pid| set("pid", pid.into()));
            dcs_and_data = ud;
        }
        Tpdu::StatusReport(StatusReport { mr, ra, scts, dt, status, pid, ud, .. }) => {
            set("mr", mr.into());
            set("scts", time(scts));
            set("dt", time(dt));
            set("status", status.into());
            pid.and_then(|pid| set("pid", pid.into()));
            (number, dcs_and_data) = (Some(ra), ud);
        }
        Tpdu::Command(Command {
            status_report_request,
            mr,
            pid,
            command_type,
            message_number,
            da,
            data,
            ..
        }) => {
            set("srr", status_report_request.into());
            set("mr", mr.into());
            set("pid", pid.into());
            set("ct", command_type.into());
            set("mn", message_number.into());
            set("data_hex", hex(data).into());
            number = Some(da);
        }
    }
    if let Some(number) = number {
        address(number, &mut set);
    }
    if let Some(data) = dcs_and_data {
        user_data(data, &mut set);
    }
    Ok(())
}

fn address(address: Address, set: &mut impl FnMut(&str, Value) -> Option<Value>) {
    set("address", address.as_dialled().into());
    set("ton", address.ton().into());
    set("npi", address.npi().into());
}

fn user_data(data: UserData<'_>, set: &mut impl FnMut(&str, Value) -> Option<Value>) {
    set("dcs", data.dcs.0.into());
    set("udl", data.length.into());
    if let Some(udh) = data.udh() {
        set("udh_hex", format!("{:02x}{}", udh.len(), hex(udh)).into());
    }
    if let Some(part) = data.concatenation() {
        set("concat", json!({ "ref": part.reference, "total": part.total, "seq": part.sequence }));
    }
    if let Some(ports) = data.ports() {
        set("ports", json!({ "dst": ports.destination, "src": ports.source }));
    }
    if data.dcs.compressed() {
        assert!(data.text().is_err(), "compressed text is refused");
        set("compressed", true.into());
        set("data_hex", hex(data.payload()).into());
    } else if data.alphabet() == Alphabet::EightBit {
        set("data_hex", hex(data.payload()).into());
    } else {
        set("text", data.text().expect("text that is not compressed is read").into());
    }
}

fn validity(vp: Validity) -> Value {
    match vp {
        Validity::Relative(octet) => {
            json!({ "format": "relative", "octet": octet, "seconds": vp.seconds(0) })
        }
        Validity::Absolute(at) => json!({ "format": "absolute", "time": time(at) }),
        Validity::Enhanced(octets) => {
            json!({ "format": "enhanced", "hex": hex(&octets), "seconds": vp.seconds(0) })
        }
    }
}

/// RFC 3339 without the century.
fn time(time: Timestamp) -> Value {
    time.to_string()[2..].into()
}
