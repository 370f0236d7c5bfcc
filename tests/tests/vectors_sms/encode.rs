//! What we write from a text, judged by octets where the source leaves no choice and by meaning where it does.

use serde::Deserialize;
use serde_json::Value;
use smsc_proto::sms::gsm7::{self, Language, Shift};
use smsc_proto::sms::{
    Address, Alphabet, Part, SplitError, SplitOptions, Submit, Timestamp, Validity, join_text, split_text,
};

use super::{hex, octets};

/// What is to be written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    text: String,
    /// The text is this many times `text`.
    repeat: Option<usize>,
    to: String,
    /// The type-of-address octet, if not the one of a dialled number.
    toa: Option<u8>,
    #[serde(default)]
    mr: u8,
    /// Whether each segment has the next TP-MR.
    #[serde(default)]
    mr_counts_up: bool,
    #[serde(default)]
    rd: bool,
    #[serde(default)]
    rp: bool,
    #[serde(default)]
    srr: bool,
    #[serde(default)]
    pid: u8,
    dcs: Option<u8>,
    alphabet: Option<String>,
    vp: Option<Period>,
    /// A relative validity period.
    seconds: Option<u64>,
    #[serde(rename = "ref", default)]
    reference: u16,
    ref_bits: Option<u8>,
    /// Elements without TP-UDHL.
    #[serde(default)]
    udh: String,
    #[serde(default)]
    fill_bits: u8,
    #[serde(default)]
    single_shift: u8,
    #[serde(default)]
    locking_shift: u8,
    #[serde(rename = "udh_order")]
    _udh_order: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    format: String,
    octet: Option<u8>,
    #[serde(rename = "seconds")]
    _seconds: Option<u64>,
    time: Option<String>,
    hex: Option<String>,
}

/// Returns what is wrong.
pub(super) fn judge(wish: &Wish, kind: &str, expected: &Value) -> Option<String> {
    let differs = |ours: Value| {
        // Hexadecimal digits come in either case.
        let same = if kind == "texts" { ours == *expected } else { lower(&ours) == lower(expected) };
        (!same).then(|| format!("{expected} expected, we write {ours}"))
    };
    match kind {
        "vp" => {
            let Some(seconds) = wish.seconds else { return Some("no period to write".to_owned()) };
            match Validity::relative_from_seconds(seconds) {
                Validity::Relative(octet) => differs(vec![hex(&[octet])].into()),
                other => Some(format!("{other:?} is not relative")),
            }
        }
        "packed" => packed(wish, expected),
        "count" => {
            let text = wish.text.repeat(wish.repeat.unwrap_or(1));
            let more = format!("{text}{}", wish.text);
            if wish.repeat.is_some() && !matches!(parts(wish, &more), Err(SplitError::TooManyParts(_))) {
                return Some("one character more must be refused".to_owned());
            }
            differs(
                parts(wish, &text).map_or_else(|error| error.to_string().into(), |parts| parts.len().into()),
            )
        }
        "lengths" | "texts" => {
            let parts = match parts(wish, &wish.text) {
                Ok(parts) => parts,
                Err(error) => return Some(error.to_string()),
            };
            let texts = parts.iter().map(|part| part.as_user_data().text().expect("our own text is read"));
            differs(match kind {
                "lengths" => texts.map(|text| text.chars().count()).collect(),
                _ => texts.collect(),
            })
        }
        "ud" => {
            let parts = match parts(wish, &wish.text) {
                Ok(parts) => parts,
                Err(error) => return Some(error.to_string()),
            };
            let segments = parts.iter().map(|part| {
                serde_json::json!({ "udhi": part.header, "udl": part.length, "ud": hex(&part.octets) })
            });
            differs(segments.collect())
        }
        "tpdu" => submits(wish, expected),
        other => Some(format!("{other} is no kind of segment")),
    }
}

fn lower(value: &Value) -> String {
    value.to_string().to_lowercase()
}

fn parts(wish: &Wish, text: &str) -> Result<Vec<Part>, SplitError> {
    let dcs = wish.dcs.map(smsc_proto::sms::Dcs);
    let named = wish.alphabet.as_deref().map(|name| match name {
        "gsm7" => Alphabet::Gsm7,
        "ucs2" => Alphabet::Ucs2,
        "8bit" => Alphabet::EightBit,
        other => panic!("{other} is no alphabet"),
    });
    let languages: Vec<Language> =
        [wish.single_shift, wish.locking_shift].into_iter().filter_map(Language::from_id).collect();
    let options = SplitOptions {
        alphabet: named.or(dcs.map(|dcs| dcs.alphabet())),
        class: dcs.and_then(|dcs| dcs.class()),
        wide_reference: wish.ref_bits == Some(16),
        udh: &octets(&wish.udh).expect("elements in hexadecimal"),
        languages: &languages,
    };
    split_text(text, wish.reference, options)
}

fn packed(wish: &Wish, expected: &Value) -> Option<String> {
    let shift = Shift {
        single: Language::from_id(wish.single_shift),
        locking: Language::from_id(wish.locking_shift),
    };
    let (mut septets, mut packed) = (Vec::new(), Vec::new());
    if let Err(char) = gsm7::encode(&wish.text, shift.tables(), &mut septets) {
        return Some(format!("{char:?} is not in the tables"));
    }
    gsm7::pack(&septets, wish.fill_bits, &mut packed);
    let back: String =
        gsm7::chars(gsm7::unpack(&packed, wish.fill_bits.into(), septets.len()), shift.tables()).collect();
    let expected = expected[0].as_str().unwrap_or_default().to_lowercase();
    (hex(&packed) != expected || back != wish.text)
        .then(|| format!("{expected} expected, we write {} and read {back:?}", hex(&packed)))
}

fn submits(wish: &Wish, expected: &Value) -> Option<String> {
    let parts = match parts(wish, &wish.text) {
        Ok(parts) => parts,
        Err(error) => return Some(error.to_string()),
    };
    let segments = expected.as_array().and_then(|segments| {
        segments.iter().map(|segment| octets(segment.as_str()?)).collect::<Option<Vec<_>>>()
    });
    let Some(expected) = segments else { return Some(format!("{expected} are no TPDUs")) };
    let ours: Vec<Vec<u8>> =
        parts.iter().enumerate().map(|(index, part)| submit(wish, index as u8, part)).collect();
    (ours != expected && !same_meaning(&ours, &expected)).then(|| {
        let show = |tpdus: &[Vec<u8>]| tpdus.iter().map(|tpdu| hex(tpdu)).collect::<Vec<_>>().join(" ");
        format!("{} expected, we write {}", show(&expected), show(&ours))
    })
}

fn submit(wish: &Wish, index: u8, part: &Part) -> Vec<u8> {
    let da = match wish.toa {
        Some(toa) => Address::new(toa >> 4 & 0x07, toa & 0x0f, &wish.to),
        None => Address::dialled(&wish.to),
    };
    let submit = Submit {
        reject_duplicates: wish.rd,
        reply_path: wish.rp,
        status_report_request: wish.srr,
        mr: wish.mr + if wish.mr_counts_up { index } else { 0 },
        da: da.expect("a number"),
        pid: wish.pid,
        vp: wish.vp.as_ref().map(validity),
        ud: part.as_user_data(),
    };
    let mut out = Vec::new();
    submit.encode(&mut out);
    out
}

fn validity(period: &Period) -> Validity {
    match (period.format.as_str(), period.octet, &period.time) {
        ("relative", Some(octet), _) => Validity::Relative(octet),
        ("absolute", _, Some(time)) => {
            let time: jiff::Zoned = jiff::fmt::temporal::DateTimeParser::new()
                .parse_zoned(format!("{time}[{}]", &time[19..]))
                .expect("a time of RFC 3339");
            let quarters = time.offset().seconds() / 900;
            Validity::Absolute(Timestamp::from_unix(time.timestamp().as_second(), quarters as i8))
        }
        ("enhanced", ..) => {
            let octets = octets(period.hex.as_deref().unwrap_or_default()).unwrap_or_default();
            Validity::Enhanced(octets.try_into().expect("an enhanced period has seven octets"))
        }
        (other, ..) => panic!("{other} is no format of a validity period"),
    }
}

/// Whether both say the same but for the order of the elements and where the text is cut.
fn same_meaning(ours: &[Vec<u8>], expected: &[Vec<u8>]) -> bool {
    let meaning = |tpdus: &[Vec<u8>]| {
        let submits: Vec<Submit<'_>> =
            tpdus.iter().map(|tpdu| Submit::decode(tpdu).ok()).collect::<Option<_>>()?;
        let text = join_text(&submits.iter().map(|submit| submit.ud).collect::<Vec<_>>()).ok()?;
        let heads: Vec<_> = submits
            .iter()
            .map(|submit| {
                let mut elements: Vec<(u8, Vec<u8>)> =
                    submit.ud.elements().map(|element| (element.id, element.data.to_vec())).collect();
                elements.sort();
                let flags = [submit.reject_duplicates, submit.reply_path, submit.status_report_request];
                (flags, submit.mr, submit.da, submit.pid, submit.vp, submit.ud.dcs, elements)
            })
            .collect();
        Some((text, heads))
    };
    let ours = meaning(ours);
    ours.is_some() && ours == meaning(expected)
}
