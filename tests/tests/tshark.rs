//! tshark as an independent reader: a capture of our own MESSAGEs, decoded by it and compared field by field.
//!
//! Run by `tests/run --only tshark`, which installs tshark.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use smsc_proto::sms::{Direction, Timestamp, Validity};
use smsc_tests::capture::Capture;
use smsc_tests::codec_cases::{Case, ExpectedTpdu, ExpectedUserData, cases};

/// Every field that is compared. A field that a case does not expect must be absent.
const FIELDS: [&str; 47] = [
    "gsm_a.rp.msg_type",
    "gsm_a.rp.rp_message_reference",
    "gsm_a.dtap.cld_party_bcd_num",
    "gsm_a.rp.cause",
    "gsm_a.rp.diagnostic_field",
    "gsm_a.rp.extraneous_data",
    "gsm_a.rp.missing_mandatory_element",
    "gsm_sms.tp-mti",
    "gsm_sms.tp-mms",
    "gsm_sms.tp-lp",
    "gsm_sms.tp-sri",
    "gsm_sms.tp-srr",
    "gsm_sms.tp-srq",
    "gsm_sms.tp-rd",
    "gsm_sms.tp-rp",
    "gsm_sms.tp-udhi",
    "gsm_sms.tp-vpf",
    "gsm_sms.tp-mr",
    "gsm_sms.tp-oa",
    "gsm_sms.tp-da",
    "gsm_sms.tp-ra",
    "gsm_sms.dis_field_addr.num_type",
    "gsm_sms.dis_field_addr.num_plan",
    "gsm_sms.tp-pid",
    "gsm_sms.tp-dcs",
    "gsm_sms.tp-fcs",
    "gsm_sms.tp.parameter_indicator",
    "gsm_sms.scts.year",
    "gsm_sms.scts.month",
    "gsm_sms.scts.day",
    "gsm_sms.scts.hour",
    "gsm_sms.scts.minutes",
    "gsm_sms.scts.seconds",
    "gsm_sms.scts.timezone",
    "gsm_sms.vp.validity_period",
    "gsm_sms.dis_field.st_error",
    "gsm_sms.dis.field_st_reason",
    "gsm_sms.tp.user_data_length",
    "gsm_sms.udh.mm.msg_id",
    "gsm_sms.udh.mm.msg_parts",
    "gsm_sms.udh.mm.msg_part",
    "gsm_sms.ie_identifier",
    "gsm_sms.sms_text",
    "gsm_sms.sms_body",
    "gsm_sms.tp.message_number",
    "gsm_sms.tp.command_type",
    "_ws.expert.message",
];

/// tshark's remark that the printable form of a SIP message, body included, holds a NUL before its end.
const NUL_IN_BODY: &str = "Trailing stray characters";

type Fields = BTreeMap<String, Vec<String>>;

#[test]
#[ignore = "needs tshark: tests/run --only tshark"]
fn tshark_reads_every_pdu_that_we_encode_as_it_was_meant() {
    let cases = cases();
    let read = tshark(&cases);
    assert_eq!(read.len(), cases.len(), "tshark must see every message");
    let mut wrong = Vec::new();
    for (case, read) in cases.iter().zip(&read) {
        let expected = expected(case);
        for field in FIELDS {
            if expected.get(field) != read.get(field) {
                let octets = hex(&case.rpdu);
                wrong.push(format!(
                    "{}: {field}: {:?}, tshark reads {:?} in {octets}",
                    case.name,
                    expected.get(field),
                    read.get(field)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The fields that tshark finds in each case.
fn tshark(cases: &[Case]) -> Vec<Fields> {
    let mut capture = Capture::default();
    for case in cases {
        capture.add(case.direction, &case.rpdu);
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("messages.pcap");
    std::fs::write(&file, capture.as_bytes()).expect("the capture can be written");
    let mut command = Command::new("tshark");
    // Each part is compared as it is, not the message put together.
    command.args(["-o", "gsm_sms.reassemble:FALSE", "-T", "json", "-r"]).arg(&file);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packets: Vec<Value> = serde_json::from_slice(&output.stdout).expect("tshark writes JSON");
    packets.iter().map(|packet| layers(&packet["_source"]["layers"])).collect()
}

fn layers(layers: &Value) -> Fields {
    let mut fields: Fields = serde_json::from_value(layers.clone()).expect("each field is a list of texts");
    fields.retain(|field, values| {
        if field == "_ws.expert.message" {
            values.retain(|message| message != NUL_IN_BODY);
        }
        !values.is_empty()
    });
    fields
}

/// What tshark must say of a case.
fn expected(case: &Case) -> Fields {
    let mut fields = Fields::new();
    let mut set = |field: &str, value: String| fields.entry(field.to_owned()).or_default().push(value);
    let expected = &case.expected;
    set("gsm_a.rp.msg_type", format!("0x{:02x}", case.rpdu[0]));
    set("gsm_a.rp.rp_message_reference", format!("0x{:02x}", expected.rp_mr));
    if let Some(number) = expected.service_centre {
        set("gsm_a.dtap.cld_party_bcd_num", number.to_owned());
    }
    if let Some((cause, diagnostic)) = expected.rp_cause {
        set("gsm_a.rp.cause", cause.to_string());
        if let Some(octet) = diagnostic {
            set("gsm_a.rp.diagnostic_field", format!("{octet:02x}"));
        }
    }
    if let Some(tpdu) = &expected.tpdu {
        tpdu_fields(case.direction, tpdu, &mut set);
    }
    fields
}

fn tpdu_fields(direction: Direction, tpdu: &ExpectedTpdu, set: &mut impl FnMut(&str, String)) {
    let bit = |value: bool| u8::from(value).to_string();
    set("gsm_sms.tp-mti", tpdu.mti.to_string());
    set("gsm_sms.tp-udhi", bit(tpdu.header));
    for (flag, value) in &tpdu.flags {
        set(&format!("gsm_sms.{flag}"), bit(*value));
    }
    if let Some(mr) = tpdu.mr {
        set("gsm_sms.tp-mr", mr.to_string());
    }
    if let Some((name, ton, npi, digits)) = &tpdu.address {
        set(&format!("gsm_sms.{name}"), digits.clone());
        set("gsm_sms.dis_field_addr.num_type", ton.to_string());
        set("gsm_sms.dis_field_addr.num_plan", npi.to_string());
    }
    if let Some(pid) = tpdu.pid {
        set("gsm_sms.tp-pid", pid.to_string());
    }
    if let Some(fcs) = tpdu.fcs {
        set("gsm_sms.tp-fcs", format!("0x{fcs:02x}"));
    }
    if let Some(parameters) = tpdu.parameters {
        set("gsm_sms.tp.parameter_indicator", format!("0x{parameters:02x}"));
    }
    let submit = direction == Direction::MsToNetwork && tpdu.mti == 1;
    if submit {
        validity_fields(tpdu.vp, set);
    }
    for time in &tpdu.times {
        time_fields(time, set);
    }
    if let Some(status) = tpdu.status {
        set("gsm_sms.dis_field.st_error", (status >> 5 & 3).to_string());
        set("gsm_sms.dis.field_st_reason", (status & 0x1f).to_string());
    }
    if let Some((command_type, number)) = tpdu.command {
        set("gsm_sms.tp.command_type", command_type.to_string());
        set("gsm_sms.tp.message_number", number.to_string());
    }
    if let Some(user_data) = &tpdu.user_data {
        user_data_fields(user_data, set);
    }
}

fn validity_fields(vp: Option<Validity>, set: &mut impl FnMut(&str, String)) {
    let format = match vp {
        None => 0,
        // All enhanced cases give their period in seconds, in the second octet (TS 23.040 §9.2.3.12.3).
        Some(Validity::Enhanced(octets)) => {
            set("gsm_sms.vp.validity_period", octets[1].to_string());
            1
        }
        Some(Validity::Relative(octet)) => {
            set("gsm_sms.vp.validity_period", octet.to_string());
            2
        }
        Some(Validity::Absolute(time)) => {
            time_fields(&time, set);
            3
        }
    };
    set("gsm_sms.tp-vpf", format.to_string());
}

fn time_fields(time: &Timestamp, set: &mut impl FnMut(&str, String)) {
    set("gsm_sms.scts.year", time.year.to_string());
    set("gsm_sms.scts.month", time.month.to_string());
    set("gsm_sms.scts.day", time.day.to_string());
    set("gsm_sms.scts.hour", time.hour.to_string());
    set("gsm_sms.scts.minutes", time.minute.to_string());
    set("gsm_sms.scts.seconds", time.second.to_string());
    // tshark keeps the sign for the text beside the number.
    set("gsm_sms.scts.timezone", time.zone_quarters.unsigned_abs().to_string());
}

fn user_data_fields(user_data: &ExpectedUserData, set: &mut impl FnMut(&str, String)) {
    set("gsm_sms.tp-dcs", user_data.dcs.to_string());
    set("gsm_sms.tp.user_data_length", user_data.length.to_string());
    if let Some((reference, parts, part)) = user_data.concatenation {
        set("gsm_sms.ie_identifier", if user_data.wide_reference { "0x08" } else { "0x00" }.to_owned());
        set("gsm_sms.udh.mm.msg_id", reference.to_string());
        set("gsm_sms.udh.mm.msg_parts", parts.to_string());
        set("gsm_sms.udh.mm.msg_part", part.to_string());
    }
    if let Some(text) = user_data.text.as_ref().filter(|text| !text.is_empty()) {
        set("gsm_sms.sms_text", text.clone());
    }
    if let Some(data) = &user_data.data {
        set("gsm_sms.sms_body", hex(data));
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
