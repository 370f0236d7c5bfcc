//! UCS2 user data, read and written as UTF-16 big-endian (TS 23.038 §6.2.3).

/// Returns the characters; half of a surrogate pair becomes U+FFFD and an odd last octet is left out.
pub fn chars(octets: &[u8]) -> impl Iterator<Item = char> + '_ {
    let (units, _) = octets.as_chunks::<2>();
    char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)))
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Writes the text, a surrogate pair for each character above U+FFFF.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_beyond_the_basic_plane_is_a_surrogate_pair() {
        let mut out = Vec::new();
        encode("€😀", &mut out);
        assert_eq!(out, [0x20, 0xac, 0xd8, 0x3d, 0xde, 0x00]);
        assert_eq!(chars(&out).collect::<String>(), "€😀");
    }

    #[test]
    fn half_a_pair_is_replaced_and_the_rest_is_kept() {
        assert_eq!(chars(&[0xd8, 0x3d, 0x00, 0x41, 0x00]).collect::<String>(), "\u{fffd}A");
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text: String) {
            let mut out = Vec::new();
            encode(&text, &mut out);
            prop_assert_eq!(chars(&out).collect::<String>(), text);
        }
    }
}
