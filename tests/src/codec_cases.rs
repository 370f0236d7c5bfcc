//! RPDUs and TPDUs of every kind, made by our encoders, with what any reader of them must find.
//!
//! What is expected is written down from the values that went into the encoder, never read back by our decoders.

use smsc_proto::sms::{
    Address, Alphabet, Carrier, Command, Deliver, DeliverReport, Direction, Part, RpAck, RpData, RpError,
    Rpdu, SplitOptions, StatusReport, Submit, SubmitReport, Timestamp, Tpdu, UserData, Validity,
    split_binary, split_text,
};

/// One RPDU.
pub struct Case {
    /// What it is about, unique.
    pub name: String,
    /// Who sends it.
    pub direction: Direction,
    /// The RPDU's octets.
    pub rpdu: Vec<u8>,
    /// The TPDU in it, if there is one: what a reader of TPDUs alone gets.
    pub tpdu: Option<Vec<u8>>,
    /// The values that went in.
    pub expected: Expected,
}

/// The values of one RPDU.
#[derive(Clone, Default)]
pub struct Expected {
    /// RP-Message-Reference.
    pub rp_mr: u8,
    /// The service centre's number in RP-OA or RP-DA.
    pub service_centre: Option<&'static str>,
    /// RP-Cause and its diagnostic.
    pub rp_cause: Option<(u8, Option<u8>)>,
    /// The TPDU.
    pub tpdu: Option<ExpectedTpdu>,
}

/// The values of one TPDU.
#[derive(Clone)]
pub struct ExpectedTpdu {
    /// TP-MTI.
    pub mti: u8,
    /// The flags of the first octet by their names in TS 23.040, as they are on the wire.
    pub flags: Vec<(&'static str, bool)>,
    /// TP-UDHI.
    pub header: bool,
    /// TP-MR.
    pub mr: Option<u8>,
    /// TP-OA, TP-DA or TP-RA: its name, TON, NPI and digits or text.
    pub address: Option<(&'static str, u8, u8, String)>,
    /// TP-PID.
    pub pid: Option<u8>,
    /// TP-VP.
    pub vp: Option<Validity>,
    /// TP-SCTS and TP-DT.
    pub times: Vec<Timestamp>,
    /// TP-ST.
    pub status: Option<u8>,
    /// TP-FCS.
    pub fcs: Option<u8>,
    /// TP-PI.
    pub parameters: Option<u8>,
    /// TP-CT and TP-MN.
    pub command: Option<(u8, u8)>,
    /// The user data.
    pub user_data: Option<ExpectedUserData>,
}

/// The user data of one TPDU.
#[derive(Clone)]
pub struct ExpectedUserData {
    /// TP-DCS.
    pub dcs: u8,
    /// TP-UDL.
    pub length: u8,
    /// Reference, parts and part number.
    pub concatenation: Option<(u16, u8, u8)>,
    /// Whether the reference has 16 bits.
    pub wide_reference: bool,
    /// The text; nothing for 8-bit data.
    pub text: Option<String>,
    /// 8-bit data; nothing for text.
    pub data: Option<Vec<u8>>,
}

/// The service centre of every case.
pub const SERVICE_CENTRE: &str = "447700900999";
const ALICE: &str = "447700900111";
const BOB: &str = "447700900222";

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    texts(&mut cases);
    submits(&mut cases);
    delivers(&mut cases);
    reports(&mut cases);
    status_reports(&mut cases);
    commands(&mut cases);
    bare_rpdus(&mut cases);
    cases
}

/// A text, and how its parts are cut where it needs more than one.
struct Text {
    name: String,
    parts: Vec<String>,
    options: SplitOptions<'static>,
    dcs: u8,
}

/// Every alphabet, every alignment of septets, every limit: as SMS-DELIVER.
fn texts(cases: &mut Vec<Case>) {
    let ascii = "the quick brown fox jumps over the lazy dog ".repeat(8);
    let mut texts = Vec::new();
    let mut one = |name: &str, text: &str, dcs: u8| {
        texts.push(Text {
            name: name.to_owned(),
            parts: vec![text.to_owned()],
            options: SplitOptions::default(),
            dcs,
        });
    };
    for length in 1..=17 {
        one(&format!("{length} septets"), &ascii[..length], 0);
    }
    one("160 septets", &ascii[..160], 0);
    one("empty", "", 0);
    one("at sign last of eight", "1234567@", 0);
    one("extension characters", "[{€}]~^|\\", 0);
    one("letters of the default alphabet", "£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà", 0);
    one("Cyrillic", "Привет, мир", 8);
    one("Chinese", "你好，世界", 8);
    one("surrogate pairs", "😀 smile 👍", 8);
    one("70 characters of UCS2", &"ы".repeat(70), 8);

    for class in 0..=3 {
        let options = SplitOptions { class: Some(class), ..SplitOptions::default() };
        texts.push(Text {
            name: format!("class {class}"),
            parts: vec!["flash".to_owned()],
            options,
            dcs: 0x10 | class,
        });
        let options = SplitOptions { alphabet: Some(Alphabet::Ucs2), ..options };
        texts.push(Text {
            name: format!("UCS2, class {class}"),
            parts: vec!["éclat".to_owned()],
            options,
            dcs: 0x18 | class,
        });
    }
    for wide_reference in [false, true] {
        let (septets, units) = if wide_reference { (152, 66) } else { (153, 67) };
        let options = SplitOptions { wide_reference, ..SplitOptions::default() };
        let long = |name: &str, parts: Vec<String>, dcs| Text {
            name: format!("{name}, {} bits of reference", if wide_reference { 16 } else { 8 }),
            parts,
            options,
            dcs,
        };
        texts.push(long(
            "septets",
            vec![ascii[..septets].to_owned(), ascii[septets..septets + 10].to_owned()],
            0,
        ));
        // The Euro sign needs two septets: it moves to the next part whole.
        texts.push(long("escape", vec![ascii[..septets - 1].to_owned(), "€".to_owned() + &ascii[..20]], 0));
        texts.push(long("UCS2", vec!["ж".repeat(units), "ж".repeat(units), "ж".to_owned()], 8));
        // So does a pair of surrogates.
        texts.push(long("pair", vec!["ж".repeat(units - 1), "😀".to_owned() + &"ж".repeat(10)], 8));
    }

    for text in texts {
        let parts = split_text(&text.parts.concat(), 0x2a, text.options).expect("the text can be coded");
        assert_eq!(parts.len(), text.parts.len(), "{}", text.name);
        for (index, (part, slice)) in parts.iter().zip(&text.parts).enumerate() {
            let user_data = ExpectedUserData {
                dcs: text.dcs,
                length: part.length,
                concatenation: (parts.len() > 1).then_some((0x2a, parts.len() as u8, index as u8 + 1)),
                wide_reference: text.options.wide_reference,
                text: Some(slice.clone()),
                data: None,
            };
            deliver(cases, &format!("{}, part {}", text.name, index + 1), part, user_data);
        }
    }
    binary(cases);
}

/// 8-bit data.
fn binary(cases: &mut Vec<Case>) {
    let octets: Vec<u8> = (0..=255).rev().collect();
    for length in [1, 140, 256] {
        let parts =
            split_binary(&octets[..length], 0x2a, SplitOptions::default()).expect("octets can be coded");
        for (index, part) in parts.iter().enumerate() {
            let data = if parts.len() > 1 {
                octets.chunks(134).nth(index).unwrap_or_default()
            } else {
                &octets[..length]
            };
            let user_data = ExpectedUserData {
                dcs: 4,
                length: part.length,
                concatenation: (parts.len() > 1).then_some((0x2a, parts.len() as u8, index as u8 + 1)),
                wide_reference: false,
                text: None,
                data: Some(data.to_owned()),
            };
            deliver(cases, &format!("{length} octets, part {}", index + 1), part, user_data);
        }
    }
}

fn deliver(cases: &mut Vec<Case>, name: &str, part: &Part, user_data: ExpectedUserData) {
    let scts = time(0);
    let tpdu = Tpdu::Deliver(Deliver {
        more_messages: false,
        loop_prevention: false,
        reply_path: false,
        status_report_indication: false,
        oa: international(ALICE),
        pid: 0,
        scts,
        ud: part.as_user_data(),
    });
    let expected = ExpectedTpdu {
        flags: vec![("tp-mms", true), ("tp-lp", false), ("tp-sri", false), ("tp-rp", false)],
        header: part.header,
        address: Some(("tp-oa", 1, 1, ALICE.to_owned())),
        pid: Some(0),
        times: vec![scts],
        user_data: Some(user_data),
        ..ExpectedTpdu::of(0)
    };
    data(cases, &format!("SMS-DELIVER: {name}"), Direction::NetworkToMs, &tpdu, expected);
}

/// Flags, validity and addresses of SMS-SUBMIT.
fn submits(cases: &mut Vec<Case>) {
    let (part, user_data) = hello();
    let validities = [
        None,
        Some(Validity::Relative(0)),
        Some(Validity::Relative(143)),
        Some(Validity::Relative(167)),
        Some(Validity::Relative(255)),
        Some(Validity::Absolute(time(-14))),
        Some(Validity::Enhanced([0x02, 90, 0, 0, 0, 0, 0])),
    ];
    let mut submit = |name: &str, flags: [bool; 3], da: Address, address: (u8, u8, &str), vp| {
        let [reject_duplicates, reply_path, status_report_request] = flags;
        let mr = cases.len() as u8;
        let ud = part.as_user_data();
        let tpdu = Tpdu::Submit(Submit {
            reject_duplicates,
            reply_path,
            status_report_request,
            mr,
            da,
            pid: 0x41,
            vp,
            ud,
        });
        let expected = ExpectedTpdu {
            flags: vec![
                ("tp-rd", reject_duplicates),
                ("tp-rp", reply_path),
                ("tp-srr", status_report_request),
            ],
            mr: Some(mr),
            address: Some(("tp-da", address.0, address.1, address.2.to_owned())),
            pid: Some(0x41),
            vp,
            user_data: Some(user_data.clone()),
            ..ExpectedTpdu::of(1)
        };
        data(cases, &format!("SMS-SUBMIT: {name}"), Direction::MsToNetwork, &tpdu, expected);
    };
    let none = [false; 3];
    for vp in validities {
        submit(&format!("validity {vp:?}"), none, international(BOB), (1, 1, BOB), vp);
    }
    for bit in 0..3 {
        let flags = [bit == 0, bit == 1, bit == 2];
        submit(&format!("flags {flags:?}"), flags, international(BOB), (1, 1, BOB), None);
    }
    for length in 1..=20 {
        let digits = &"12345678901234567890"[..length];
        submit(&format!("{length} digits"), none, address(0, 1, digits), (0, 1, digits), None);
    }
    for (ton, npi, digits) in [
        (2, 1, "07700900222"),
        (3, 9, "60901"),
        (4, 3, "1234"),
        (6, 8, "99"),
        (0, 1, "*100#"),
        (0, 0, "1ab*c#2"),
    ] {
        submit(
            &format!("TON {ton}, NPI {npi}, {digits}"),
            none,
            address(ton, npi, digits),
            (ton, npi, digits),
            None,
        );
    }
}

/// Flags, senders and zones of SMS-DELIVER.
fn delivers(cases: &mut Vec<Case>) {
    let (part, user_data) = hello();
    let mut deliver =
        |name: &str, flags: [bool; 4], oa: Address, address: (u8, u8, &str), scts: Timestamp| {
            let [more_messages, loop_prevention, reply_path, status_report_indication] = flags;
            let ud = part.as_user_data();
            let tpdu = Tpdu::Deliver(Deliver {
                more_messages,
                loop_prevention,
                reply_path,
                status_report_indication,
                oa,
                pid: 0x7f,
                scts,
                ud,
            });
            let expected = ExpectedTpdu {
                // TP-MMS is 0 when more messages wait (TS 23.040 §9.2.3.2).
                flags: vec![
                    ("tp-mms", !more_messages),
                    ("tp-lp", loop_prevention),
                    ("tp-rp", reply_path),
                    ("tp-sri", status_report_indication),
                ],
                address: Some(("tp-oa", address.0, address.1, address.2.to_owned())),
                pid: Some(0x7f),
                times: vec![scts],
                user_data: Some(user_data.clone()),
                ..ExpectedTpdu::of(0)
            };
            data(cases, &format!("SMS-DELIVER: {name}"), Direction::NetworkToMs, &tpdu, expected);
        };
    let none = [false; 4];
    for bit in 0..4 {
        let flags = [bit == 0, bit == 1, bit == 2, bit == 3];
        deliver(&format!("flags {flags:?}"), flags, international(ALICE), (1, 1, ALICE), time(0));
    }
    for zone in [-48, -14, -1, 0, 1, 22, 39, 40, 56] {
        deliver(&format!("zone {zone}"), none, international(ALICE), (1, 1, ALICE), time(zone));
    }
    for length in 1..=11 {
        let text = &"ACME Ltd 24"[..length];
        deliver(&format!("sender {text}"), none, alphanumeric(text), (5, 0, text), time(0));
    }
}

/// The reports of both sides, in RP-ACK and in RP-ERROR.
fn reports(cases: &mut Vec<Case>) {
    let (part, user_data) = hello();
    let bodies: [(Option<u8>, Option<UserData<'_>>, u8); 4] = [
        (None, None, 0x00),
        (Some(0x7f), None, 0x01),
        (None, Some(part.as_user_data()), 0x06),
        (Some(0), Some(part.as_user_data()), 0x07),
    ];
    for (pid, ud, parameters) in bodies {
        for fcs in [None, Some(0x80), Some(0xc5), Some(0xd3), Some(0xff)] {
            let (name, scts) = (format!("parameters {parameters:02x}, cause {fcs:02x?}"), time(8));
            let expected = |mti, times| ExpectedTpdu {
                pid,
                times,
                fcs,
                parameters: Some(parameters),
                user_data: ud.map(|_| user_data.clone()),
                ..ExpectedTpdu::of(mti)
            };
            let tpdu = Tpdu::SubmitReport(SubmitReport { fcs, scts, pid, ud });
            report(
                cases,
                &format!("SMS-SUBMIT-REPORT: {name}"),
                Direction::NetworkToMs,
                fcs,
                &tpdu,
                expected(1, vec![scts]),
            );
            let tpdu = Tpdu::DeliverReport(DeliverReport { fcs, pid, ud });
            report(
                cases,
                &format!("SMS-DELIVER-REPORT: {name}"),
                Direction::MsToNetwork,
                fcs,
                &tpdu,
                expected(0, vec![]),
            );
        }
    }
}

fn status_reports(cases: &mut Vec<Case>) {
    for status in [0x00, 0x01, 0x02, 0x20, 0x25, 0x30, 0x40, 0x46, 0x49, 0x60, 0x65, 0x7f] {
        let (scts, dt, mr) = (time(4), time(-20), status ^ 0xff);
        let flags = [status & 1 != 0, status & 2 != 0, status & 4 != 0];
        let [more_messages, loop_prevention, status_report_qualifier] = flags;
        let tpdu = Tpdu::StatusReport(StatusReport {
            more_messages,
            loop_prevention,
            status_report_qualifier,
            mr,
            ra: international(BOB),
            scts,
            dt,
            status,
            pid: None,
            ud: None,
        });
        let expected = ExpectedTpdu {
            flags: vec![
                ("tp-mms", !more_messages),
                ("tp-lp", loop_prevention),
                ("tp-srq", status_report_qualifier),
            ],
            mr: Some(mr),
            address: Some(("tp-ra", 1, 1, BOB.to_owned())),
            times: vec![scts, dt],
            status: Some(status),
            ..ExpectedTpdu::of(2)
        };
        data(cases, &format!("SMS-STATUS-REPORT: {status:02x}"), Direction::NetworkToMs, &tpdu, expected);
    }
}

fn commands(cases: &mut Vec<Case>) {
    for (command_type, status_report_request) in [(0, true), (1, false), (2, false), (3, true)] {
        let tpdu = Tpdu::Command(Command {
            status_report_request,
            header: false,
            mr: 9,
            pid: 0,
            command_type,
            message_number: 7,
            da: international(BOB),
            data: &[],
        });
        let expected = ExpectedTpdu {
            flags: vec![("tp-srr", status_report_request)],
            mr: Some(9),
            address: Some(("tp-da", 1, 1, BOB.to_owned())),
            pid: Some(0),
            command: Some((command_type, 7)),
            ..ExpectedTpdu::of(2)
        };
        data(cases, &format!("SMS-COMMAND: {command_type}"), Direction::MsToNetwork, &tpdu, expected);
    }
}

/// RPDUs without a TPDU.
fn bare_rpdus(cases: &mut Vec<Case>) {
    let mut bare = |name: String, direction, rpdu: Rpdu<'_>, rp_cause| {
        let expected = Expected { rp_mr: rpdu.mr(), rp_cause, ..Expected::default() };
        push(cases, name, direction, &rpdu, None, expected);
    };
    for direction in [Direction::MsToNetwork, Direction::NetworkToMs] {
        for mr in [0, 1, 0x7f, 0xff] {
            bare(
                format!("RP-ACK {mr}, {direction:?}"),
                direction,
                Rpdu::Ack(RpAck { mr, user_data: None }),
                None,
            );
        }
        for cause in [1, 8, 21, 22, 27, 41, 42, 47, 50, 69, 81, 95, 96, 97, 98, 99, 111, 127] {
            for diagnostic in [None, Some(0x5a)] {
                let rpdu = Rpdu::Error(RpError { mr: cause, cause, diagnostic, user_data: None });
                let name = format!("RP-ERROR {cause} {diagnostic:?}, {direction:?}");
                bare(name, direction, rpdu, Some((cause, diagnostic)));
            }
        }
    }
    bare("RP-SMMA".to_owned(), Direction::MsToNetwork, Rpdu::Smma { mr: 0x33 }, None);
}

/// A TPDU in RP-DATA.
fn data(cases: &mut Vec<Case>, name: &str, direction: Direction, tpdu: &Tpdu<'_>, expected: ExpectedTpdu) {
    let octets = octets(tpdu);
    let (centre, mr) = (international(SERVICE_CENTRE), cases.len() as u8);
    let (oa, da) = match direction {
        Direction::MsToNetwork => (Address::EMPTY, centre),
        Direction::NetworkToMs => (centre, Address::EMPTY),
    };
    let rpdu = Rpdu::Data(RpData { mr, oa, da, user_data: &octets });
    let expected = Expected {
        rp_mr: mr,
        service_centre: Some(SERVICE_CENTRE),
        tpdu: Some(expected),
        ..Expected::default()
    };
    push(cases, name.to_owned(), direction, &rpdu, Some(octets.clone()), expected);
}

/// A report in RP-ACK or, with a failure cause, in RP-ERROR.
fn report(
    cases: &mut Vec<Case>,
    name: &str,
    direction: Direction,
    fcs: Option<u8>,
    tpdu: &Tpdu<'_>,
    expected: ExpectedTpdu,
) {
    let (octets, mr) = (octets(tpdu), cases.len() as u8);
    let carrier = if fcs.is_some() { Carrier::Error } else { Carrier::Ack };
    let (rpdu, rp_cause) = match carrier {
        Carrier::Error => {
            let error = RpError { mr, cause: 41, diagnostic: None, user_data: Some(&octets) };
            (Rpdu::Error(error), Some((41, None)))
        }
        _ => (Rpdu::Ack(RpAck { mr, user_data: Some(&octets) }), None),
    };
    let expected = Expected { rp_mr: mr, rp_cause, tpdu: Some(expected), ..Expected::default() };
    push(cases, name.to_owned(), direction, &rpdu, Some(octets.clone()), expected);
}

fn push(
    cases: &mut Vec<Case>,
    name: String,
    direction: Direction,
    rpdu: &Rpdu<'_>,
    tpdu: Option<Vec<u8>>,
    expected: Expected,
) {
    let mut octets = Vec::new();
    rpdu.encode(direction, &mut octets);
    cases.push(Case { name, direction, rpdu: octets, tpdu, expected });
}

impl ExpectedTpdu {
    fn of(mti: u8) -> ExpectedTpdu {
        ExpectedTpdu {
            mti,
            flags: vec![],
            header: false,
            mr: None,
            address: None,
            pid: None,
            vp: None,
            times: vec![],
            status: None,
            fcs: None,
            parameters: None,
            command: None,
            user_data: None,
        }
    }
}

/// A text for cases that are about something else.
fn hello() -> (Part, ExpectedUserData) {
    let text = "hello €";
    let mut parts = split_text(text, 0, SplitOptions::default()).expect("the text can be coded");
    let user_data = ExpectedUserData {
        dcs: 0,
        length: 8,
        concatenation: None,
        wide_reference: false,
        text: Some(text.to_owned()),
        data: None,
    };
    (parts.remove(0), user_data)
}

fn octets(tpdu: &Tpdu<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    tpdu.encode(&mut octets);
    octets
}

fn time(zone_quarters: i8) -> Timestamp {
    Timestamp { year: 26, month: 11, day: 21, hour: 13, minute: 5, second: 59, zone_quarters }
}

fn international(digits: &str) -> Address {
    Address::international(digits).expect("an international number")
}

fn alphanumeric(text: &str) -> Address {
    Address::alphanumeric(text).expect("a text of at most 11 characters")
}

fn address(ton: u8, npi: u8, digits: &str) -> Address {
    Address::new(ton, npi, digits).expect("at most 20 digits")
}
