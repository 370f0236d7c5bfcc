//! Arbitrary messages of ours: what we write reads the same.

use arbitrary::{Arbitrary as _, Result, Unstructured};
use smsc_proto::sms::{
    Address, Alphabet, Carrier, Command, Dcs, Deliver, DeliverReport, Direction, Language, RpAck, RpData,
    RpError, Rpdu, SplitOptions, StatusReport, Submit, SubmitReport, Timestamp, Tpdu, UserData, Validity,
};

use super::tpdu;
use crate::Meter;
use Direction::{MsToNetwork, NetworkToMs};

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    // An input that ends early makes nothing: libFuzzer finds longer ones.
    let _ = round_trips(&mut Unstructured::new(input), meter);
}

fn round_trips(u: &mut Unstructured<'_>, meter: &mut Meter) -> Result<()> {
    match u.int_in_range(0..=7)? {
        0 => text(u),
        1 => octets(u),
        2 => timestamp(u),
        kind => message(kind, u, meter),
    }
}

fn text(u: &mut Unstructured<'_>) -> Result<()> {
    let alphabet = *u.choose(&[None, Some(Alphabet::Gsm7), Some(Alphabet::Ucs2)])?;
    let languages = [language(u)?, language(u)?];
    let udh = elements(u)?;
    let options = SplitOptions {
        alphabet,
        languages: &languages,
        class: u.arbitrary::<Option<u8>>()?.map(|class| class & 3),
        wide_reference: u.arbitrary()?,
        udh: &udh,
    };
    let text = String::from_utf8_lossy(u.bytes(u.len())?).into_owned();
    tpdu::text_comes_back(&text, options);
    Ok(())
}

fn octets(u: &mut Unstructured<'_>) -> Result<()> {
    let udh = elements(u)?;
    let options = SplitOptions { wide_reference: u.arbitrary()?, udh: &udh, ..SplitOptions::default() };
    tpdu::octets_come_back(u.bytes(u.len())?, options);
    Ok(())
}

fn timestamp(u: &mut Unstructured<'_>) -> Result<()> {
    // 1990 to 2089: what two digits of a year can tell.
    let seconds = u.int_in_range(631_238_400..=3_786_825_600)?;
    let zone = u.int_in_range(-79..=79)?;
    let time = Timestamp::from_unix(seconds, zone);
    assert_eq!((Timestamp::decode(time.encode()), time.to_unix()), (time, Some(seconds)));
    Ok(())
}

fn message(kind: u8, u: &mut Unstructured<'_>, meter: &mut Meter) -> Result<()> {
    let data = Data::arbitrary(u)?;
    let maybe = u.arbitrary::<bool>()?.then(|| data.borrowed());
    let fcs: Option<u8> = u.arbitrary()?;
    let carrier = if fcs.is_some() { Carrier::Error } else { Carrier::Ack };
    let [one, two, three, four]: [bool; 4] = u.arbitrary()?;
    let [mr, pid, number, status]: [u8; 4] = u.arbitrary()?;
    let address = address(u)?;
    let scts = time(u)?;
    let (direction, carrier, tpdu) = match kind {
        3 => {
            let vp = validity(u)?;
            let submit = Submit {
                reject_duplicates: one,
                reply_path: two,
                status_report_request: three,
                mr,
                da: address,
                pid,
                vp,
                ud: data.borrowed(),
            };
            (MsToNetwork, Carrier::Data, Tpdu::Submit(submit))
        }
        4 => {
            let deliver = Deliver {
                more_messages: one,
                loop_prevention: two,
                reply_path: three,
                status_report_indication: four,
                oa: address,
                pid,
                scts,
                ud: data.borrowed(),
            };
            (NetworkToMs, Carrier::Data, Tpdu::Deliver(deliver))
        }
        5 if one => {
            let report = SubmitReport { fcs, scts, pid: u.arbitrary()?, ud: maybe };
            (NetworkToMs, carrier, Tpdu::SubmitReport(report))
        }
        5 => {
            (MsToNetwork, carrier, Tpdu::DeliverReport(DeliverReport { fcs, pid: u.arbitrary()?, ud: maybe }))
        }
        6 => {
            let report = StatusReport {
                more_messages: one,
                loop_prevention: two,
                status_report_qualifier: three,
                mr,
                ra: address,
                scts,
                dt: time(u)?,
                status,
                pid: u.arbitrary()?,
                ud: maybe,
            };
            (NetworkToMs, Carrier::Data, Tpdu::StatusReport(report))
        }
        _ => {
            let command = Command {
                status_report_request: one,
                header: two,
                mr,
                pid,
                command_type: status,
                message_number: number,
                da: address,
                data: &data.octets,
            };
            (MsToNetwork, Carrier::Data, Tpdu::Command(command))
        }
    };
    tpdu::round_trips(direction, carrier, &tpdu, meter);
    let mut octets = Vec::new();
    tpdu.encode(&mut octets);
    relayed(direction, &octets, u)
}

/// The TPDU in every RPDU that can carry one.
fn relayed(direction: Direction, octets: &[u8], u: &mut Unstructured<'_>) -> Result<()> {
    let mr = u.arbitrary()?;
    let centre = address(u)?;
    let centre = if centre.is_alphanumeric() { Address::EMPTY } else { centre };
    let user_data = u.arbitrary::<bool>()?.then_some(octets);
    let cause = u.int_in_range(0..=127)?;
    let mut rpdus = vec![
        Rpdu::Data(RpData { mr, oa: centre, da: Address::EMPTY, user_data: octets }),
        Rpdu::Ack(RpAck { mr, user_data }),
        Rpdu::Error(RpError { mr, cause, diagnostic: u.arbitrary()?, user_data }),
    ];
    if direction == MsToNetwork {
        rpdus.push(Rpdu::Smma { mr });
    }
    for rpdu in rpdus {
        let mut written = Vec::new();
        rpdu.encode(direction, &mut written);
        assert_eq!(Rpdu::decode(direction, &written), Ok(rpdu));
    }
    Ok(())
}

/// User data that are sound: their length fits their scheme, their header fits in.
struct Data {
    dcs: Dcs,
    header: bool,
    length: u8,
    octets: Vec<u8>,
}

impl Data {
    fn arbitrary(u: &mut Unstructured<'_>) -> Result<Data> {
        let dcs = Dcs(u.arbitrary()?);
        let udh = elements(u)?;
        let header = u.arbitrary()?;
        let mut octets = Vec::new();
        if header {
            octets.push(udh.len() as u8);
            octets.extend_from_slice(&udh);
        }
        let room = u.int_in_range(0..=139 - octets.len())?;
        octets.extend_from_slice(u.bytes(room.min(u.len()))?);
        if header && dcs.counts_septets() {
            // A header ends at the next septet boundary.
            octets.push(0);
        }
        let length = if dcs.counts_septets() { octets.len() * 8 / 7 } else { octets.len() };
        // A length of 8n septets less one would leave its last octet unused.
        octets.truncate(if dcs.counts_septets() { (length * 7).div_ceil(8) } else { length });
        Ok(Data { dcs, header, length: length as u8, octets })
    }

    fn borrowed(&self) -> UserData<'_> {
        UserData { dcs: self.dcs, header: self.header, length: self.length, octets: &self.octets }
    }
}

/// Information elements that fill a header exactly and are no concatenation.
fn elements(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut header = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let id: u8 = u.arbitrary()?;
        let length: usize = u.int_in_range(0..=12)?;
        let data = u.bytes(length.min(u.len()))?;
        if !matches!(id, 0x00 | 0x08) {
            header.extend_from_slice(&[id, data.len() as u8]);
            header.extend_from_slice(data);
        }
    }
    Ok(header)
}

fn language(u: &mut Unstructured<'_>) -> Result<Language> {
    Ok(Language::from_id(u.int_in_range(1..=13)?).unwrap_or(Language::Turkish))
}

fn address(u: &mut Unstructured<'_>) -> Result<Address> {
    let text: String = u.arbitrary::<&str>()?.chars().take(20).collect();
    let digits: String = text.chars().map(|letter| char::from(b'0' + (letter as u32 % 10) as u8)).collect();
    let made = match u.int_in_range(0..=3)? {
        0 => Address::international(&digits),
        1 => Address::dialled(&digits),
        2 => Address::new(u.int_in_range(0..=4)?, u.int_in_range(0..=15)?, &digits),
        _ => Address::alphanumeric(&text),
    };
    Ok(made.unwrap_or(Address::DUMMY_MSISDN))
}

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    Ok(Timestamp::from_unix(i64::from(u32::arbitrary(u)?), u.int_in_range(-79..=79)?))
}

fn validity(u: &mut Unstructured<'_>) -> Result<Option<Validity>> {
    Ok(match u.int_in_range(0..=3)? {
        0 => None,
        1 => Some(Validity::Relative(u.arbitrary()?)),
        2 => Some(Validity::Absolute(time(u)?)),
        _ => Some(Validity::Enhanced(u.arbitrary()?)),
    })
}
