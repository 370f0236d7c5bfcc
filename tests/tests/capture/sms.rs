//! The fields of an RPDU as we read them, by the names and in the form that tshark has for them.

use smsc_proto::sms::{
    Address, Alphabet, Carrier, Dcs, Direction, Rpdu, Timestamp, Tpdu, UserData, Validity, rp_header,
};

/// Tells every field of an RPDU.
pub(crate) fn fields(octets: &[u8], set: &mut dyn FnMut(&str, String)) {
    let header = rp_header(octets).expect("an RPDU");
    let direction = header.direction().expect("a message type that is not reserved");
    let rpdu = Rpdu::decode(direction, octets).unwrap_or_else(|error| panic!("{octets:02x?}: {error}"));
    set("gsm_a.rp.msg_type", format!("0x{:02x}", header.mti));
    set("gsm_a.rp.rp_message_reference", format!("0x{:02x}", rpdu.mr()));
    let carrier = match &rpdu {
        Rpdu::Data(data) => {
            for number in [data.oa, data.da].iter().filter(|number| !number.is_empty()) {
                set("gsm_a.dtap.type_of_number", format!("0x{:02x}", number.ton()));
                set("gsm_a.dtap.numbering_plan_id", format!("0x{:02x}", number.npi()));
                set("gsm_a.dtap.cld_party_bcd_num", number.digits());
            }
            Carrier::Data
        }
        Rpdu::Ack(_) => Carrier::Ack,
        Rpdu::Error(error) => {
            set("gsm_a.rp.cause", error.cause.to_string());
            if let Some(octet) = error.diagnostic {
                set("gsm_a.rp.diagnostic_field", format!("{octet:02x}"));
            }
            Carrier::Error
        }
        Rpdu::Smma { .. } => return,
    };
    let Some(octets) = rpdu.user_data() else { return };
    set("gsm_a.rp.tpdu", colons(octets));
    let tpdu =
        Tpdu::decode(direction, carrier, octets).unwrap_or_else(|error| panic!("{octets:02x?}: {error}"));
    tpdu_fields(direction, &tpdu, set);
}

fn tpdu_fields(direction: Direction, tpdu: &Tpdu<'_>, set: &mut dyn FnMut(&str, String)) {
    let (mti, from_handset) = match tpdu {
        Tpdu::Deliver(_) => (0, false),
        Tpdu::DeliverReport(_) => (0, true),
        Tpdu::Submit(_) => (1, true),
        Tpdu::SubmitReport(_) => (1, false),
        Tpdu::StatusReport(_) => (2, false),
        Tpdu::Command(_) => (2, true),
    };
    assert_eq!(from_handset, direction == Direction::MsToNetwork, "{tpdu:?}");
    set("gsm_sms.tp-mti", mti.to_string());
    match tpdu {
        Tpdu::Submit(submit) => {
            flags(
                set,
                &[
                    ("rp", submit.reply_path),
                    ("srr", submit.status_report_request),
                    ("rd", submit.reject_duplicates),
                ],
            );
            set("gsm_sms.tp-mr", submit.mr.to_string());
            address("tp-da", &submit.da, set);
            protocol(submit.pid, set);
            validity(submit.vp, set);
            user_data(&submit.ud, set);
        }
        Tpdu::Deliver(deliver) => {
            flags(
                set,
                &[
                    ("rp", deliver.reply_path),
                    ("sri", deliver.status_report_indication),
                    ("lp", deliver.loop_prevention),
                    // 0 when more messages wait (TS 23.040 §9.2.3.2).
                    ("mms", !deliver.more_messages),
                ],
            );
            address("tp-oa", &deliver.oa, set);
            protocol(deliver.pid, set);
            time(&deliver.scts, set);
            user_data(&deliver.ud, set);
        }
        Tpdu::SubmitReport(report) => {
            time(&report.scts, set);
            announced(report.fcs, report.pid, report.ud, set);
        }
        Tpdu::DeliverReport(report) => announced(report.fcs, report.pid, report.ud, set),
        Tpdu::StatusReport(report) => {
            flags(
                set,
                &[
                    ("srq", report.status_report_qualifier),
                    ("lp", report.loop_prevention),
                    ("mms", !report.more_messages),
                ],
            );
            set("gsm_sms.tp-mr", report.mr.to_string());
            address("tp-ra", &report.ra, set);
            time(&report.scts, set);
            time(&report.dt, set);
            set("gsm_sms.dis_field.st_error", (report.status >> 5 & 3).to_string());
            set("gsm_sms.dis.field_st_reason", (report.status & 0x1f).to_string());
            match (report.pid, report.ud) {
                (None, None) => set("gsm_sms.tp-udhi", "0".to_owned()),
                (pid, ud) => announced(None, pid, ud, set),
            }
        }
        Tpdu::Command(command) => {
            flags(set, &[("srr", command.status_report_request), ("udhi", command.header)]);
            set("gsm_sms.tp-mr", command.mr.to_string());
            protocol(command.pid, set);
            set("gsm_sms.tp.command_type", command.command_type.to_string());
            set("gsm_sms.tp.message_number", command.message_number.to_string());
            address("tp-da", &command.da, set);
        }
    }
}

fn flags(set: &mut dyn FnMut(&str, String), flags: &[(&str, bool)]) {
    for (name, value) in flags {
        set(&format!("gsm_sms.tp-{name}"), u8::from(*value).to_string());
    }
}

fn address(name: &str, address: &Address, set: &mut dyn FnMut(&str, String)) {
    set(&format!("gsm_sms.{name}"), address.digits());
    set("gsm_sms.dis_field_addr.num_type", address.ton().to_string());
    set("gsm_sms.dis_field_addr.num_plan", address.npi().to_string());
}

fn protocol(pid: u8, set: &mut dyn FnMut(&str, String)) {
    set("gsm_sms.tp-pid", pid.to_string());
    // Bits 8 and 7 say what the others are (TS 23.040 §9.2.3.9).
    set("gsm_sms.tp.pid.format_subsequent_bits", format!("0x{:02x}", pid >> 6));
    if pid >> 6 == 0 {
        set("gsm_sms.tp.pid.telematic_interworking", (pid >> 5 & 1).to_string());
        set("gsm_sms.tp.pid.sm_al_proto", (pid & 0x1f).to_string());
    } else if pid >> 6 == 1 {
        set("gsm_sms.tp.pid.message_type", (pid & 0x3f).to_string());
    }
}

fn validity(vp: Option<Validity>, set: &mut dyn FnMut(&str, String)) {
    let format = match vp {
        None => 0,
        Some(validity @ Validity::Enhanced(octets)) => {
            set("gsm_sms.vp.extension", (octets[0] >> 7).to_string());
            set("gsm_sms.vp.single_shot_sm", u8::from(validity.single_shot()).to_string());
            set("gsm_sms.vp.reserved", format!("0x{:02x}", octets[0] >> 3 & 7));
            set("gsm_sms.vp.validity_period_format", (octets[0] & 7).to_string());
            // No capture has one that gives anything but seconds (TS 23.040 §9.2.3.12.3).
            set("gsm_sms.vp.validity_period", validity.seconds(0).expect("a period").to_string());
            1
        }
        Some(Validity::Relative(octet)) => {
            set("gsm_sms.vp.validity_period", octet.to_string());
            2
        }
        Some(Validity::Absolute(at)) => {
            time(&at, set);
            3
        }
    };
    set("gsm_sms.tp-vpf", format.to_string());
}

/// TP-FCS, TP-PI and what that announces.
fn announced(fcs: Option<u8>, pid: Option<u8>, ud: Option<UserData<'_>>, set: &mut dyn FnMut(&str, String)) {
    if let Some(fcs) = fcs {
        set("gsm_sms.tp-fcs", format!("0x{fcs:02x}"));
    }
    let parameters = u8::from(pid.is_some()) | if ud.is_some() { 0x06 } else { 0 };
    set("gsm_sms.tp.parameter_indicator", format!("0x{parameters:02x}"));
    for (bit, name) in ["pid", "dcs", "udl"].iter().enumerate() {
        set(&format!("gsm_sms.tp.{name}.present"), (parameters >> bit & 1).to_string());
    }
    if let Some(pid) = pid {
        protocol(pid, set);
    }
    match &ud {
        Some(ud) => user_data(ud, set),
        None => set("gsm_sms.tp-udhi", "0".to_owned()),
    }
}

fn time(time: &Timestamp, set: &mut dyn FnMut(&str, String)) {
    for (name, value) in [
        ("year", time.year),
        ("month", time.month),
        ("day", time.day),
        ("hour", time.hour),
        ("minutes", time.minute),
        ("seconds", time.second),
        // tshark keeps the sign for the text beside the number.
        ("timezone", time.zone_quarters.unsigned_abs()),
    ] {
        set(&format!("gsm_sms.scts.{name}"), value.to_string());
    }
}

fn user_data(data: &UserData<'_>, set: &mut dyn FnMut(&str, String)) {
    set("gsm_sms.tp-udhi", u8::from(data.header).to_string());
    set("gsm_sms.tp-dcs", data.dcs.0.to_string());
    data_coding(data.dcs, set);
    set("gsm_sms.tp.user_data_length", data.length.to_string());
    if let Some(udh) = data.udh() {
        set("gsm_sms.dis_field_udh.user_data_header_length", udh.len().to_string());
    }
    for element in data.elements() {
        set("gsm_sms.ie_identifier", format!("0x{:02x}", element.id));
        set("gsm_sms.dis_field_ud_iei.length", element.data.len().to_string());
    }
    if let Some(part) = data.concatenation() {
        set("gsm_sms.udh.mm.msg_id", part.reference.to_string());
        set("gsm_sms.udh.mm.msg_parts", part.total.to_string());
        set("gsm_sms.udh.mm.msg_part", part.sequence.to_string());
    }
    if let Some(ports) = data.ports() {
        set("gsm_sms.destination_port", ports.destination.to_string());
        set("gsm_sms.originator_port", ports.source.to_string());
    }
    match data.alphabet() {
        Alphabet::EightBit => set("gsm_sms.sms_body", colons(data.payload())),
        _ => set("gsm_sms.sms_text", data.text().expect("text that is not compressed")),
    }
}

/// The parts of the general data coding group (TS 23.038 §4).
fn data_coding(dcs: Dcs, set: &mut dyn FnMut(&str, String)) {
    if dcs.0 == 0 || dcs.0 >> 6 != 0 {
        return;
    }
    let character_set = match dcs.alphabet() {
        Alphabet::Gsm7 => 0,
        Alphabet::EightBit => 1,
        Alphabet::Ucs2 => 2,
    };
    set("gsm_sms.dcs.text_compressed", u8::from(dcs.compressed()).to_string());
    set("gsm_sms.dcs.message_class_defined", u8::from(dcs.class().is_some()).to_string());
    set("gsm_sms.dcs.character_set", format!("0x{character_set:02x}"));
    set("gsm_sms.dcs.message_class", format!("0x{:02x}", dcs.class().unwrap_or_default()));
}

fn colons(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}
