//! Which parts belong to one multipart message (TS 23.040 §9.2.3.24.1, §9.2.3.24.8).

use smsc_backend::NewMessage;

/// A part's place in its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The same for all parts of one message, as long as its reference is not used again.
    pub(crate) key: String,
    /// From 1.
    pub(crate) sequence: u8,
}

/// The concatenation a message's user data header announces, if it does.
pub(crate) fn part_of(message: &NewMessage) -> Option<Part> {
    let header = octets(message.udh.as_deref()?)?;
    let (reference, total, sequence) = concatenation(&header)?;
    Some(Part { key: format!("{} {reference} {total}", message.source_msisdn), sequence })
}

/// Reference, number of parts and sequence number, from the information elements. The last one given counts
/// (TS 23.040 §9.2.3.24). Values the clause calls invalid are ignored.
fn concatenation(mut elements: &[u8]) -> Option<(u16, u8, u8)> {
    let mut found = None;
    while let [identifier, length, rest @ ..] = elements {
        let (data, rest) = rest.split_at_checked(usize::from(*length))?;
        found = match (*identifier, data) {
            (0x00, &[reference, total, sequence]) => valid(u16::from(reference), total, sequence).or(found),
            (0x08, &[high, low, total, sequence]) => {
                valid(u16::from_be_bytes([high, low]), total, sequence).or(found)
            }
            _ => found,
        };
        elements = rest;
    }
    found
}

fn valid(reference: u16, total: u8, sequence: u8) -> Option<(u16, u8, u8)> {
    (total > 1 && (1..=total).contains(&sequence)).then_some((reference, total, sequence))
}

/// The octets of a hex string; None if it is not one.
pub(crate) fn octets(hex: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| char::from(c).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenation_is_found_among_other_elements_and_damaged_headers_are_not_one() {
        for (udh, expected) in [
            ("0003a70201", Some((0xa7, 2, 1))),
            ("0804beef0302", Some((0xbeef, 3, 2))),
            ("05040b8423f00003070202", Some((7, 2, 2))),
            ("00030702010804000803020", None),
            ("000307020108040008 30201", None),
            ("0003070201080400080302", Some((8, 3, 2))),
            ("0003a70203", None),
            ("0003a70200", None),
            ("0003a70101", None),
            ("0003a702", None),
            ("05", None),
            ("", None),
        ] {
            let found = octets(udh).and_then(|octets| concatenation(&octets));
            assert_eq!(found, expected, "{udh}");
        }
    }
}
