//! pycrate: RP layer and all TPDUs, both ways.

use std::process::Command;

use serde_json::{Map, Value, json};
use smsc_proto::sms::{Address, Alphabet, Carrier, Rpdu, Timestamp, Tpdu, UserData, Validity, rp_header};
use smsc_tests::codec_cases::cases;

use crate::disagreements::{self, Row};
use crate::{answers, cache, hex, reader};

type Fields = Map<String, Value>;

/// How pycrate reads what we write.
const READING: &[Row<Fields, Fields>] = &[
    Row {
        what: "the tens of a zone are taken as a hexadecimal digit",
        clause: "TS 23.040 §9.2.3.11: two semi-octets, each a decimal digit",
        mend: |read, right| {
            let mut mended = false;
            for field in ["tp_scts", "tp_dt"] {
                mended |= zone(read.get_mut(field), right.get(field));
            }
            let (theirs, ours) = (read.get_mut("tp_vp"), right.get("tp_vp"));
            mended | zone(theirs.and_then(|vp| vp.get_mut(1)), ours.and_then(|vp| vp.get(1)))
        },
    },
    Row {
        what: "a last @ of a text is taken for fill bits",
        clause: "TS 23.040 §9.2.3.16: TP-UDL says how many septets there are",
        mend: |read, right| {
            let wrong = text(right).and_then(|text| text.strip_suffix('@'));
            wrong.is_some() && text(read) == wrong && copy("text", read, right)
        },
    },
];

/// How we read what pycrate writes; what went into it is what is put right.
const WRITING: &[Row<Fields, Fields>] = &[Row {
    what: "seven bits that are left over are filled with CR, which TP-UDL counts",
    clause: "TS 23.038 §6.1.2.3.1: CR as padding is for USSD; TS 23.040 §9.2.3.16: TP-UDL is the number of septets",
    mend: |meant, read| {
        let filled = text(meant).map(|text| format!("{text}\r"));
        let septets = |fields: &Fields| fields.get("tp_udl").and_then(Value::as_u64);
        let one_more = septets(meant).map(|length| length + 1) == septets(read)
            && septets(read).is_some_and(|length| length % 8 == 0);
        one_more
            && filled.as_deref() == text(read)
            && copy("text", meant, read)
            && copy("tp_udl", meant, read)
    },
}];

#[test]
#[ignore = "needs pycrate: tests/run --only oracles"]
fn pycrate_reads_what_we_encode() {
    let cases = cases();
    let lines: String = cases.iter().map(|case| format!("{}\n", hex(&case.rpdu))).collect();
    let readings: Vec<Fields> = answers(pycrate("read"), lines);
    assert_eq!(readings.len(), cases.len(), "one answer for each RPDU");
    let (mut needed, mut wrong) = ([0; READING.len()], Vec::new());
    for (case, mut read) in cases.iter().zip(readings) {
        let mut right = fields(&case.rpdu);
        // What it writes again from what it has read is what it was given.
        right.insert("same".to_owned(), true.into());
        disagreements::mend(READING, &mut needed, &mut read, &right);
        compare(&case.name, &hex(&case.rpdu), &read, &right, &mut wrong);
    }
    println!("pycrate: {} RPDUs of ours read", cases.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    disagreements::conclude("pycrate", READING, &needed);
}

#[test]
#[ignore = "needs pycrate: tests/run --only oracles"]
fn we_read_what_pycrate_encodes() {
    let written: Vec<Value> = answers(pycrate("write"), String::new());
    let (mut needed, mut wrong) = ([0; WRITING.len()], Vec::new());
    for case in &written {
        let octets = case["hex"].as_str().expect("octets");
        let read = fields(&octets_of(octets));
        if written_again(&octets_of(octets)) != octets_of(octets) {
            wrong.push(format!("{}: we would write {octets} otherwise", case["name"]));
        }
        let mut meant = case["fields"].as_object().expect("fields").clone();
        disagreements::mend(WRITING, &mut needed, &mut meant, &read);
        compare(case["name"].as_str().expect("a name"), octets, &meant, &read, &mut wrong);
    }
    println!("pycrate: {} RPDUs of its own, read by us", written.len());
    assert!(written.len() > 300, "pycrate wrote too little");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    disagreements::conclude("pycrate", WRITING, &needed);
}

/// What our encoders make of what our decoders read.
fn written_again(octets: &[u8]) -> Vec<u8> {
    let direction = rp_header(octets).and_then(|header| header.direction()).expect("an RPDU");
    let mut rpdu = Rpdu::decode(direction, octets).expect("read before");
    let mut tpdu = Vec::new();
    let carrier = match &rpdu {
        Rpdu::Data(_) => Carrier::Data,
        Rpdu::Error(_) => Carrier::Error,
        Rpdu::Ack(_) | Rpdu::Smma { .. } => Carrier::Ack,
    };
    if let Some(octets) = rpdu.user_data() {
        Tpdu::decode(direction, carrier, octets).expect("read before").encode(&mut tpdu);
    }
    match &mut rpdu {
        Rpdu::Data(data) => data.user_data = &tpdu,
        Rpdu::Ack(ack) => ack.user_data = ack.user_data.map(|_| tpdu.as_slice()),
        Rpdu::Error(error) => error.user_data = error.user_data.map(|_| tpdu.as_slice()),
        Rpdu::Smma { .. } => {}
    }
    let mut again = Vec::new();
    rpdu.encode(direction, &mut again);
    again
}

fn pycrate(what: &str) -> Command {
    let mut command = Command::new(cache().join("python/bin/python"));
    command.arg(reader("rp.py")).arg(what);
    command
}

fn compare(name: &str, octets: &str, theirs: &Fields, ours: &Fields, wrong: &mut Vec<String>) {
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for field in names {
        let (theirs, ours) = (theirs.get(field), ours.get(field));
        if theirs != ours {
            wrong.push(format!("{name}: {field}: pycrate has {theirs:?}, we {ours:?} in {octets}"));
        }
    }
}

fn zone(theirs: Option<&mut Value>, ours: Option<&Value>) -> bool {
    let (Some(Value::Array(theirs)), Some(Value::Array(ours))) = (theirs, ours) else { return false };
    let (Some(read), Some(right)) =
        (theirs.get(6).and_then(Value::as_i64), ours.get(6).and_then(Value::as_i64))
    else {
        return false;
    };
    let hexadecimal = (right.abs() / 10 * 16 + right.abs() % 10) * right.signum();
    let wrong = read != right && read == hexadecimal;
    if wrong {
        theirs[6] = right.into();
    }
    wrong
}

fn text(fields: &Fields) -> Option<&str> {
    fields.get("text")?.as_str()
}

fn copy(field: &str, to: &mut Fields, from: &Fields) -> bool {
    from.get(field).is_some_and(|value| to.insert(field.to_owned(), value.clone()).is_some())
}

/// Our reading in the form of tests/peers/oracles/rp.py.
fn fields(octets: &[u8]) -> Fields {
    let mut fields = Fields::new();
    let header = rp_header(octets).expect("an RPDU");
    let direction = header.direction().expect("a message type that is not reserved");
    let rpdu = match Rpdu::decode(direction, octets) {
        Ok(rpdu) => rpdu,
        Err(error) => return Fields::from_iter([("error".to_owned(), error.to_string().into())]),
    };
    let mut set = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    set("rp_mti", header.mti.into());
    set("rp_mr", rpdu.mr().into());
    let carrier = match &rpdu {
        Rpdu::Data(data) => {
            for (name, number) in [("rp_oa", &data.oa), ("rp_da", &data.da)] {
                if !number.is_empty() {
                    set(name, address(number));
                }
            }
            Carrier::Data
        }
        Rpdu::Error(error) => {
            set("rp_cause", error.cause.into());
            if let Some(octet) = error.diagnostic {
                set("rp_diagnostic", format!("{octet:02x}").into());
            }
            Carrier::Error
        }
        Rpdu::Ack(_) | Rpdu::Smma { .. } => Carrier::Ack,
    };
    if let Some(octets) = rpdu.user_data() {
        match Tpdu::decode(direction, carrier, octets) {
            Ok(tpdu) => tpdu_fields(&tpdu, &mut set),
            Err(error) => set("error", error.to_string().into()),
        }
    }
    fields
}

fn tpdu_fields(tpdu: &Tpdu<'_>, set: &mut dyn FnMut(&str, Value)) {
    set("type", tpdu.name().into());
    let (mti, ud) = match tpdu {
        Tpdu::Deliver(tpdu) => {
            flag("tp_rp", tpdu.reply_path, set);
            flag("tp_sri", tpdu.status_report_indication, set);
            flag("tp_lp", tpdu.loop_prevention, set);
            // 0 when more messages wait (TS 23.040 §9.2.3.2).
            flag("tp_mms", !tpdu.more_messages, set);
            set("tp_oa", address(&tpdu.oa));
            set("tp_pid", tpdu.pid.into());
            set("tp_scts", time(&tpdu.scts));
            (0, Some(tpdu.ud))
        }
        Tpdu::Submit(tpdu) => {
            flag("tp_rp", tpdu.reply_path, set);
            flag("tp_srr", tpdu.status_report_request, set);
            flag("tp_rd", tpdu.reject_duplicates, set);
            set("tp_mr", tpdu.mr.into());
            set("tp_da", address(&tpdu.da));
            set("tp_pid", tpdu.pid.into());
            match tpdu.vp {
                Some(Validity::Relative(octet)) => set("tp_vp", json!(["relative", octet])),
                Some(Validity::Absolute(at)) => set("tp_vp", json!(["absolute", time(&at)])),
                Some(Validity::Enhanced(octets)) => set("tp_vp", json!(["enhanced", hex(&octets)])),
                None => {}
            }
            (1, Some(tpdu.ud))
        }
        Tpdu::DeliverReport(tpdu) => {
            announced(tpdu.fcs, tpdu.pid, tpdu.ud, set);
            (0, tpdu.ud)
        }
        Tpdu::SubmitReport(tpdu) => {
            announced(tpdu.fcs, tpdu.pid, tpdu.ud, set);
            set("tp_scts", time(&tpdu.scts));
            (1, tpdu.ud)
        }
        Tpdu::StatusReport(tpdu) => {
            flag("tp_srq", tpdu.status_report_qualifier, set);
            flag("tp_lp", tpdu.loop_prevention, set);
            flag("tp_mms", !tpdu.more_messages, set);
            set("tp_mr", tpdu.mr.into());
            set("tp_ra", address(&tpdu.ra));
            set("tp_scts", time(&tpdu.scts));
            set("tp_dt", time(&tpdu.dt));
            set("tp_st", tpdu.status.into());
            if tpdu.pid.is_some() || tpdu.ud.is_some() {
                announced(None, tpdu.pid, tpdu.ud, set);
            }
            (2, tpdu.ud)
        }
        Tpdu::Command(tpdu) => {
            flag("tp_srr", tpdu.status_report_request, set);
            flag("tp_udhi", tpdu.header, set);
            set("tp_mr", tpdu.mr.into());
            set("tp_pid", tpdu.pid.into());
            set("tp_ct", tpdu.command_type.into());
            set("tp_mn", tpdu.message_number.into());
            set("tp_da", address(&tpdu.da));
            set("tp_cd", hex(tpdu.data).into());
            set("tp_mti", 2.into());
            return;
        }
    };
    set("tp_mti", mti.into());
    flag("tp_udhi", ud.is_some_and(|ud| ud.header), set);
    if let Some(ud) = ud {
        user_data(&ud, set);
    }
}

fn flag(name: &str, value: bool, set: &mut dyn FnMut(&str, Value)) {
    set(name, u8::from(value).into());
}

/// TP-FCS, TP-PI and TP-PID of a report.
fn announced(fcs: Option<u8>, pid: Option<u8>, ud: Option<UserData<'_>>, set: &mut dyn FnMut(&str, Value)) {
    if let Some(fcs) = fcs {
        set("tp_fcs", fcs.into());
    }
    if let Some(pid) = pid {
        set("tp_pid", pid.into());
    }
    set("tp_pi", (u8::from(pid.is_some()) | if ud.is_some() { 0x06 } else { 0 }).into());
}

fn user_data(ud: &UserData<'_>, set: &mut dyn FnMut(&str, Value)) {
    set("tp_dcs", ud.dcs.0.into());
    set("tp_udl", ud.length.into());
    if let Some(udh) = ud.udh() {
        set("tp_udh", format!("{:02x}{}", udh.len(), hex(udh)).into());
    }
    match ud.alphabet() {
        Alphabet::EightBit => set("data", hex(ud.payload()).into()),
        _ => set("text", ud.text().unwrap_or_else(|error| error.to_string()).into()),
    }
}

fn address(address: &Address) -> Value {
    json!([address.ton(), address.npi(), address.digits()])
}

fn time(time: &Timestamp) -> Value {
    json!([time.year, time.month, time.day, time.hour, time.minute, time.second, time.zone_quarters])
}

fn octets_of(hex: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(octet).collect()
}
