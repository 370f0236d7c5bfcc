//! One form for every way a recipient can be written, so that messages, registrations and rules meet.

/// How numbers are dialled here, to bring them to the international form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// The country code (`44`); without one, national numbers are left as dialled.
    pub country_code: Option<String>,
    /// What precedes a national number (`0`).
    pub national_prefix: String,
    /// What precedes an international number (`00`).
    pub international_prefix: String,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { country_code: None, national_prefix: "0".into(), international_prefix: "00".into() }
    }
}

/// TON "international" (TS 23.040 §9.1.2.5).
pub(crate) const INTERNATIONAL: u8 = 1;
/// TON "national".
const NATIONAL: u8 = 2;
/// TON "alphanumeric".
pub(crate) const ALPHANUMERIC: u8 = 5;

/// The key of a recipient: the international digits, or the normalised URI, or the text as it stands.
pub(crate) fn destination_key(address: &str, ton: u8, numbering: &Numbering) -> String {
    let address = address.trim();
    if let Some(number) = uri_number(address) {
        return number;
    }
    let (plus, digits) = match address.strip_prefix('+') {
        Some(rest) => (true, strip_separators(rest)),
        None => (false, strip_separators(address)),
    };
    if ton == ALPHANUMERIC || !is_number(&digits) {
        return impu_key(address);
    }
    if plus || ton == INTERNATIONAL {
        return digits;
    }
    let Numbering { country_code, national_prefix, international_prefix } = numbering;
    if ton != NATIONAL
        && !international_prefix.is_empty()
        && let Some(rest) = digits.strip_prefix(international_prefix.as_str())
        && !rest.is_empty()
    {
        return rest.to_owned();
    }
    let Some(country) = country_code else { return digits };
    match digits.strip_prefix(national_prefix.as_str()) {
        Some(rest) if !rest.is_empty() && !national_prefix.is_empty() => format!("{country}{rest}"),
        _ if ton == NATIONAL => format!("{country}{digits}"),
        _ => digits,
    }
}

/// The international digits of a registration: its MSISDN, else the number its public identity is.
pub(crate) fn registered_number(msisdn: Option<&str>, impu: &str) -> Option<String> {
    let given = msisdn.map(|m| strip_separators(m.trim().trim_start_matches('+')));
    given.filter(|digits| is_number(digits)).or_else(|| uri_number(impu))
}

/// One form for a public identity: scheme and host without regard to case, no URI parameters (RFC 3261 §19.1.4
/// would compare some of them, but an IMPU has none that tell subscribers apart, TS 23.003 §13.4).
pub(crate) fn impu_key(impu: &str) -> String {
    let impu = impu.trim();
    let Some((scheme, rest)) = impu.split_once(':') else { return impu.to_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split(';').next().unwrap_or_default();
    match (scheme.as_str(), rest.split_once('@')) {
        ("tel", _) => format!("tel:{}", strip_separators(rest)),
        (_, Some((user, host))) => format!("{scheme}:{user}@{}", host.to_ascii_lowercase()),
        (_, None) => format!("{scheme}:{}", rest.to_ascii_lowercase()),
    }
}

/// True for a string of decimal digits (`*` and `#` are dialled too, TS 23.040 §9.1.2.3).
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'*' || c == b'#')
}

/// The digits of a global number in a tel URI, or in a SIP URI's user part.
fn uri_number(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "tel" => rest,
        "sip" | "sips" => rest.split_once('@')?.0,
        _ => return None,
    };
    let user = user.split(';').next().unwrap_or_default();
    let digits = strip_separators(user.strip_prefix('+').or_else(|| user.strip_prefix("%2B"))?);
    is_number(&digits).then_some(digits)
}

/// Takes the visual separators of RFC 3966 §5.1.1 and spaces away.
fn strip_separators(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_number_has_one_key() {
        let uk = Numbering { country_code: Some("44".into()), ..Numbering::default() };
        let bare = Numbering::default();
        for (address, ton, numbering, key) in [
            ("+447700900123", 1, &bare, "447700900123"),
            ("447700900123", 1, &bare, "447700900123"),
            ("+44 7700 (900) 123", 0, &bare, "447700900123"),
            ("00447700900123", 0, &bare, "447700900123"),
            ("00447700900123", 0, &uk, "447700900123"),
            ("07700900123", 0, &uk, "447700900123"),
            ("07700900123", 0, &bare, "07700900123"),
            ("7700900123", 2, &uk, "447700900123"),
            ("4711", 0, &uk, "4711"),
            ("0", 0, &uk, "0"),
            ("00", 0, &bare, "00"),
            ("*100#", 0, &uk, "*100#"),
            ("tel:+44-7700-900123", 0, &bare, "447700900123"),
            ("tel:+447700900123;phone-context=x", 0, &bare, "447700900123"),
            ("sip:+447700900123@IMS.example;user=phone", 0, &bare, "447700900123"),
            ("sip:%2B447700900123@ims.example", 0, &bare, "447700900123"),
            ("SIP:alice@IMS.Example;user=x", 0, &bare, "sip:alice@ims.example"),
            ("tel:4711;phone-context=ims.example", 0, &bare, "tel:4711"),
            ("ACME", 5, &bare, "ACME"),
            ("12345", 5, &bare, "12345"),
        ] {
            assert_eq!(destination_key(address, ton, numbering), key, "{address} TON {ton}");
        }
    }

    #[test]
    fn a_registration_is_found_by_its_msisdn_or_by_the_number_in_its_identity() {
        for (msisdn, impu, number) in [
            (Some("447700900123"), "sip:alice@x", Some("447700900123")),
            (Some("+447700900123"), "sip:alice@x", Some("447700900123")),
            (None, "tel:+447700900123", Some("447700900123")),
            (None, "sip:alice@x", None),
            (None, "sip:234150000000001@x", None),
            (Some("n/a"), "tel:+4477", Some("4477")),
        ] {
            assert_eq!(registered_number(msisdn, impu).as_deref(), number, "{msisdn:?} {impu}");
        }
    }
}
