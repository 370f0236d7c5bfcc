//! What holds of every TPDU that can be read, shared by the targets of both directions.

use std::hint::black_box;

use smsc_proto::sms::{
    Alphabet, Carrier, Direction, Elements, Language, SplitOptions, Tpdu, UserData, join_text, split_binary,
    split_text,
};

use crate::Meter;

/// Reads a TPDU; what can be read can be written, and reads the same again.
pub(super) fn check(direction: Direction, carrier: Carrier, octets: &[u8], meter: &mut Meter) {
    let tpdu = match meter.watch(|| Tpdu::decode(direction, carrier, octets)) {
        Ok(tpdu) => tpdu,
        Err(error) => {
            assert!(error.octet <= octets.len() && error.rp_cause() < 128, "{error}");
            return;
        }
    };
    round_trips(direction, carrier, &tpdu, meter);
    if let Some(data) = user_data(&tpdu) {
        check_user_data(&data, meter);
    }
}

/// Written and read again a TPDU is the same.
pub(super) fn round_trips(direction: Direction, carrier: Carrier, tpdu: &Tpdu<'_>, meter: &mut Meter) {
    let written = meter.watch(|| {
        let mut out = Vec::with_capacity(256);
        tpdu.encode(&mut out);
        out
    });
    assert!(written.len() <= 232, "a TPDU of {} octets", written.len());
    assert_eq!(Tpdu::decode(direction, carrier, &written).as_ref(), Ok(tpdu));
}

fn user_data<'a>(tpdu: &Tpdu<'a>) -> Option<UserData<'a>> {
    match tpdu {
        Tpdu::Submit(tpdu) => Some(tpdu.ud),
        Tpdu::Deliver(tpdu) => Some(tpdu.ud),
        Tpdu::SubmitReport(tpdu) => tpdu.ud,
        Tpdu::DeliverReport(tpdu) => tpdu.ud,
        Tpdu::StatusReport(tpdu) => tpdu.ud,
        Tpdu::Command(_) => None,
    }
}

fn check_user_data(data: &UserData<'_>, meter: &mut Meter) {
    meter.watch(|| {
        black_box((data.udh(), data.concatenation(), data.ports(), data.shift(), data.payload().len()));
        data.elements().filter(|element| element.indication().is_some()).count()
    });
    let udh = data.udh().unwrap_or_default();
    match meter.watch(|| data.text()) {
        Ok(text) => {
            assert_eq!(join_text(&[*data]).as_ref(), Ok(&text), "one part alone and joined");
            for alphabet in [None, Some(Alphabet::Gsm7), Some(Alphabet::Ucs2)] {
                let languages = [Language::Turkish, Language::Portuguese];
                let options = SplitOptions { alphabet, languages: &languages, ..SplitOptions::default() };
                text_comes_back(&text, options);
            }
        }
        Err(_) => {
            let options = SplitOptions { udh, ..SplitOptions::default() };
            octets_come_back(data.payload(), options);
        }
    }
}

/// Text that can be split joins to itself.
pub(super) fn text_comes_back(text: &str, options: SplitOptions<'_>) {
    let Ok(parts) = split_text(text, 7, options) else { return };
    assert!((1..=255).contains(&parts.len()));
    assert!(parts.iter().all(|part| part.octets.len() <= 140), "a part that does not fit");
    let data: Vec<UserData<'_>> = parts.iter().map(|part| part.as_user_data()).collect();
    assert_eq!(join_text(&data).as_deref(), Ok(text), "{options:?}");
    told_as_parts(&data, options);
}

/// 8-bit data that can be split join to themselves.
pub(super) fn octets_come_back(octets: &[u8], options: SplitOptions<'_>) {
    let Ok(parts) = split_binary(octets, 7, options) else { return };
    assert!(parts.iter().all(|part| part.octets.len() <= 140), "a part that does not fit");
    let data: Vec<UserData<'_>> = parts.iter().map(|part| part.as_user_data()).collect();
    assert_eq!(data.iter().flat_map(|part| part.payload()).copied().collect::<Vec<_>>(), octets);
    told_as_parts(&data, options);
}

/// Several parts are numbered; a single one tells what the elements in the options do.
fn told_as_parts(parts: &[UserData<'_>], options: SplitOptions<'_>) {
    if let [part] = parts {
        let own = Elements::new(options.udh).filter_map(|element| element.concatenation()).last();
        assert_eq!(part.concatenation(), own);
        return;
    }
    for (index, part) in parts.iter().enumerate() {
        let told = part.concatenation().map(|part| (usize::from(part.total), usize::from(part.sequence)));
        assert_eq!(told, Some((parts.len(), index + 1)));
    }
}
