//! Characters of the GSM 7-bit tables: default (TS 23.038 §6.2.1, §6.2.1.1) and national (Annex A).
//!
//! [`NONE`] stands where a table is reserved. The tables of the Indian languages share one plan: their Unicode block
//! fills, in its order, the places that ASCII leaves free.
//!
//! Where prints of the annex and its readers disagree:
//!
//! | table | septet | here | why |
//! |---|---|---|---|
//! | 6.2.1 | 09 | Ç | so the print; Unicode's own mapping file has ç, as TS 23.038 once had |
//! | A.3.7 Kannada | 24 | U+0CA1 | the print repeats U+0CAA of septet 3D; U+0CA1 is next in the plan and stands nowhere else |
//! | A.2.11 Tamil | 24 | U+0BEE | older prints repeat U+0BEF of septet 25; V18 has the digit eight |
//! | A.2.12 Telugu | 22, 23 | U+0C6C, U+0C6D | older prints turn the digits around (06CC, 06CD) |
//! | A.2.12 Telugu | 65 | €, read only | not in the print; handsets send it as in every other Indian table |
//! | A.3.4 to A.3.13 | 2C | comma | one reader has an apostrophe, which A.2 holds at 09 |

use super::Language;

/// Stands for no character: the septet is reserved, or the escape.
pub(super) const NONE: char = '\u{1b}';
/// Place of a letter in [`SINGLE_PLAN`].
const LETTER: char = '\u{fffd}';

/// Returns the locking shift table of a language (A.3).
pub(super) fn locking(language: Language) -> Option<&'static [char; 128]> {
    static TURKISH: [char; 128] = with(DEFAULT_ALPHABET, &TURKISH_LOCKING);
    static PORTUGUESE: [char; 128] = with(DEFAULT_ALPHABET, &PORTUGUESE_LOCKING);
    static BENGALI: [char; 128] = indian(
        0x0980,
        &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4a],
        [0x4e, 0x57, 0x5c, 0x5d, 0x70, 0x71],
    );
    static GUJARATI: [char; 128] =
        indian(0x0a80, &[0x0e, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4a], [0x50, 0x60, 0x61, 0x62, 0x63, 0x71]);
    static HINDI: [char; 128] = indian(0x0900, &[], [0x50, 0x72, 0x7b, 0x7c, 0x7e, 0x7f]);
    static KANNADA: [char; 128] =
        indian(0x0c80, &[0x01, 0x0d, 0x11, 0x29, 0x34, 0x45, 0x49], [0x55, 0x56, 0x60, 0x61, 0x62, 0x63]);
    static MALAYALAM: [char; 128] =
        indian(0x0d00, &[0x01, 0x0d, 0x11, 0x29, 0x3c, 0x45, 0x49], [0x57, 0x60, 0x61, 0x62, 0x63, 0x79]);
    static ORIYA: [char; 128] = indian(
        0x0b00,
        &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4a],
        [0x56, 0x57, 0x60, 0x61, 0x62, 0x63],
    );
    static PUNJABI: [char; 128] = indian(
        0x0a00,
        &[
            0x0b, 0x0c, 0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3d, 0x43, 0x44, 0x45, 0x46, 0x49,
            0x4a,
        ],
        [0x51, 0x70, 0x71, 0x72, 0x73, 0x74],
    );
    static TAMIL: [char; 128] = indian(
        0x0b80,
        &[
            0x01, 0x0b, 0x0c, 0x0d, 0x11, 0x16, 0x17, 0x18, 0x1b, 0x1d, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27,
            0x2b, 0x2c, 0x2d, 0x3c, 0x3d, 0x43, 0x44, 0x45, 0x49,
        ],
        [0x50, 0x57, 0x70, 0x71, 0x72, 0x79],
    );
    static TELUGU: [char; 128] =
        indian(0x0c00, &[0x0d, 0x11, 0x29, 0x34, 0x3c, 0x45, 0x49], [0x55, 0x56, 0x60, 0x61, 0x62, 0x63]);
    Some(match language {
        Language::Turkish => &TURKISH,
        Language::Spanish => return None,
        Language::Portuguese => &PORTUGUESE,
        Language::Bengali => &BENGALI,
        Language::Gujarati => &GUJARATI,
        Language::Hindi => &HINDI,
        Language::Kannada => &KANNADA,
        Language::Malayalam => &MALAYALAM,
        Language::Oriya => &ORIYA,
        Language::Punjabi => &PUNJABI,
        Language::Tamil => &TAMIL,
        Language::Telugu => &TELUGU,
        Language::Urdu => &URDU_LOCKING,
    })
}

/// Returns the single shift table of a language (A.2).
pub(super) fn single(language: Language) -> &'static [char; 128] {
    static TURKISH: [char; 128] = with(DEFAULT_EXTENSION, &TURKISH_SINGLE);
    static SPANISH: [char; 128] = with(DEFAULT_EXTENSION, &SPANISH_SINGLE);
    static PORTUGUESE: [char; 128] = with(DEFAULT_EXTENSION, &PORTUGUESE_SINGLE);
    static BENGALI: [char; 128] = with_letters(&BENGALI_LETTERS);
    static GUJARATI: [char; 128] = with_letters(&GUJARATI_LETTERS);
    static HINDI: [char; 128] = with_letters(&HINDI_LETTERS);
    static KANNADA: [char; 128] = with_letters(&KANNADA_LETTERS);
    static MALAYALAM: [char; 128] = with_letters(&MALAYALAM_LETTERS);
    static ORIYA: [char; 128] = with_letters(&ORIYA_LETTERS);
    static PUNJABI: [char; 128] = with_letters(&PUNJABI_LETTERS);
    static TAMIL: [char; 128] = with_letters(&TAMIL_LETTERS);
    static TELUGU: [char; 128] = with_letters(&TELUGU_LETTERS);
    static URDU: [char; 128] = with_letters(&URDU_LETTERS);
    match language {
        Language::Turkish => &TURKISH,
        Language::Spanish => &SPANISH,
        Language::Portuguese => &PORTUGUESE,
        Language::Bengali => &BENGALI,
        Language::Gujarati => &GUJARATI,
        Language::Hindi => &HINDI,
        Language::Kannada => &KANNADA,
        Language::Malayalam => &MALAYALAM,
        Language::Oriya => &ORIYA,
        Language::Punjabi => &PUNJABI,
        Language::Tamil => &TAMIL,
        Language::Telugu => &TELUGU,
        Language::Urdu => &URDU,
    }
}

/// Returns the character of a single shift table that is read but not sent: not every reader has it.
pub(super) fn unsent(language: Language) -> Option<char> {
    (language == Language::Telugu).then_some('€')
}

#[rustfmt::skip]
pub(super) static DEFAULT_ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', NONE, 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

pub(super) static DEFAULT_EXTENSION: [char; 128] = with(
    [NONE; 128],
    &[
        (0x0a, '\u{0c}'),
        (0x14, '^'),
        (0x28, '{'),
        (0x29, '}'),
        (0x2f, '\\'),
        (0x3c, '['),
        (0x3d, '~'),
        (0x3e, ']'),
        (0x40, '|'),
        (0x65, '€'),
    ],
);

/// A.3.1, where it differs from the default alphabet.
#[rustfmt::skip]
const TURKISH_LOCKING: [(u8, char); 8] = [
    (0x04, '€'), (0x07, 'ı'), (0x0b, 'Ğ'), (0x0c, 'ğ'), (0x1c, 'Ş'), (0x1d, 'ş'), (0x40, 'İ'), (0x60, 'ç'),
];

/// A.3.3, where it differs from the default alphabet.
#[rustfmt::skip]
const PORTUGUESE_LOCKING: [(u8, char); 30] = [
    (0x04, 'ê'), (0x06, 'ú'), (0x07, 'í'), (0x08, 'ó'), (0x09, 'ç'), (0x0b, 'Ô'), (0x0c, 'ô'), (0x0e, 'Á'),
    (0x0f, 'á'), (0x12, 'ª'), (0x13, 'Ç'), (0x14, 'À'), (0x15, '∞'), (0x16, '^'), (0x17, '\\'), (0x18, '€'),
    (0x19, 'Ó'), (0x1a, '|'), (0x1c, 'Â'), (0x1d, 'â'), (0x1e, 'Ê'), (0x24, 'º'), (0x40, 'Í'), (0x5b, 'Ã'),
    (0x5c, 'Õ'), (0x5d, 'Ú'), (0x60, '~'), (0x7b, 'ã'), (0x7c, 'õ'), (0x7d, '`'),
];

/// A.3.13.
#[rustfmt::skip]
static URDU_LOCKING: [char; 128] = coded([
    0x0627, 0x0622, 0x0628, 0x067b, 0x0680, 0x067e, 0x06a6, 0x062a, 0x06c2, 0x067f, 0x000a, 0x0679, 0x067d, 0x000d, 0x067a, 0x067c,
    0x062b, 0x062c, 0x0681, 0x0684, 0x0683, 0x0685, 0x0686, 0x0687, 0x062d, 0x062e, 0x062f, 0x001b, 0x068c, 0x0688, 0x0689, 0x068a,
    0x0020, 0x0021, 0x068f, 0x068d, 0x0630, 0x0631, 0x0691, 0x0693, 0x0029, 0x0028, 0x0699, 0x0632, 0x002c, 0x0696, 0x002e, 0x0698,
    0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003a, 0x003b, 0x069a, 0x0633, 0x0634, 0x003f,
    0x0635, 0x0636, 0x0637, 0x0638, 0x0639, 0x0641, 0x0642, 0x06a9, 0x06aa, 0x06ab, 0x06af, 0x06b3, 0x06b1, 0x0644, 0x0645, 0x0646,
    0x06ba, 0x06bb, 0x06bc, 0x0648, 0x06c4, 0x06d5, 0x06c1, 0x06be, 0x0621, 0x06cc, 0x06d0, 0x06d2, 0x064d, 0x0650, 0x064f, 0x0657,
    0x0654, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006a, 0x006b, 0x006c, 0x006d, 0x006e, 0x006f,
    0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077, 0x0078, 0x0079, 0x007a, 0x0655, 0x0651, 0x0653, 0x0656, 0x0670,
]);

/// A.2.1, beyond the default extension.
#[rustfmt::skip]
const TURKISH_SINGLE: [(u8, char); 7] = [
    (0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'), (0x63, 'ç'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş'),
];

/// A.2.2, beyond the default extension.
#[rustfmt::skip]
const SPANISH_SINGLE: [(u8, char); 9] = [
    (0x09, 'ç'), (0x41, 'Á'), (0x49, 'Í'), (0x4f, 'Ó'), (0x55, 'Ú'), (0x61, 'á'), (0x69, 'í'), (0x6f, 'ó'), (0x75, 'ú'),
];

/// A.2.3, beyond the default extension.
#[rustfmt::skip]
const PORTUGUESE_SINGLE: [(u8, char); 27] = [
    (0x05, 'ê'), (0x09, 'ç'), (0x0b, 'Ô'), (0x0c, 'ô'), (0x0e, 'Á'), (0x0f, 'á'), (0x12, 'Φ'), (0x13, 'Γ'), (0x15, 'Ω'),
    (0x16, 'Π'), (0x17, 'Ψ'), (0x18, 'Σ'), (0x19, 'Θ'), (0x1f, 'Ê'), (0x41, 'À'), (0x49, 'Í'), (0x4f, 'Ó'), (0x55, 'Ú'),
    (0x5b, 'Ã'), (0x5c, 'Õ'), (0x61, 'Â'), (0x69, 'í'), (0x6f, 'ó'), (0x75, 'ú'), (0x7b, 'ã'), (0x7c, 'õ'), (0x7f, 'â'),
];

/// The locking shift tables A.3.4 to A.3.12: `_` is a letter of the block, `*` one that stands outside of its order.
const LOCKING_PLAN: [u8; 128] = *b"__________\n__\r__\
    ___________\x1b____\
    \x20!______)(__,_._\
    0123456789:;___?\
    ________________\
    ________________\
    *abcdefghijklmno\
    pqrstuvwxyz*****";

/// The single shift tables A.2.4 to A.2.13.
#[rustfmt::skip]
const SINGLE_PLAN: [char; 128] = [
    '@', '£', '$', '¥', '¿', '"', '¤', '%', '&', '\'', '\u{0c}', '*', '+', NONE, '-', '/',
    '<', '=', '>', '¡', '^', '¡', '_', '#', '*', LETTER, LETTER, NONE, LETTER, LETTER, LETTER, LETTER,
    LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, '{', '}', LETTER, LETTER, LETTER, LETTER, LETTER, '\\',
    LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, LETTER, '[', '~', ']', LETTER,
    '|', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, '€', NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
    NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
];

// The letters of the single shift tables in the order of their septets, from 19 on.
#[rustfmt::skip]
const BENGALI_LETTERS: [u32; 24] = [
    0x09e6, 0x09e7, 0x09e8, 0x09e9, 0x09ea, 0x09eb, 0x09ec, 0x09ed, 0x09ee, 0x09ef, 0x09df, 0x09e0,
    0x09e1, 0x09e2, 0x09e3, 0x09f2, 0x09f3, 0x09f4, 0x09f5, 0x09f6, 0x09f7, 0x09f8, 0x09f9, 0x09fa,
];
#[rustfmt::skip]
const GUJARATI_LETTERS: [u32; 12] = [
    0x0964, 0x0965, 0x0ae6, 0x0ae7, 0x0ae8, 0x0ae9, 0x0aea, 0x0aeb, 0x0aec, 0x0aed, 0x0aee, 0x0aef,
];
#[rustfmt::skip]
const HINDI_LETTERS: [u32; 30] = [
    0x0964, 0x0965, 0x0966, 0x0967, 0x0968, 0x0969, 0x096a, 0x096b, 0x096c, 0x096d, 0x096e, 0x096f,
    0x0951, 0x0952, 0x0953, 0x0954, 0x0958, 0x0959, 0x095a, 0x095b, 0x095c, 0x095d, 0x095e, 0x095f,
    0x0960, 0x0961, 0x0962, 0x0963, 0x0970, 0x0971,
];
#[rustfmt::skip]
const KANNADA_LETTERS: [u32; 15] = [
    0x0964, 0x0965, 0x0ce6, 0x0ce7, 0x0ce8, 0x0ce9, 0x0cea, 0x0ceb, 0x0cec, 0x0ced, 0x0cee, 0x0cef,
    0x0cde, 0x0cf1, 0x0cf2,
];
#[rustfmt::skip]
const MALAYALAM_LETTERS: [u32; 24] = [
    0x0964, 0x0965, 0x0d66, 0x0d67, 0x0d68, 0x0d69, 0x0d6a, 0x0d6b, 0x0d6c, 0x0d6d, 0x0d6e, 0x0d6f,
    0x0d70, 0x0d71, 0x0d72, 0x0d73, 0x0d74, 0x0d75, 0x0d7a, 0x0d7b, 0x0d7c, 0x0d7d, 0x0d7e, 0x0d7f,
];
#[rustfmt::skip]
const ORIYA_LETTERS: [u32; 17] = [
    0x0964, 0x0965, 0x0b66, 0x0b67, 0x0b68, 0x0b69, 0x0b6a, 0x0b6b, 0x0b6c, 0x0b6d, 0x0b6e, 0x0b6f,
    0x0b5c, 0x0b5d, 0x0b5f, 0x0b70, 0x0b71,
];
#[rustfmt::skip]
const PUNJABI_LETTERS: [u32; 18] = [
    0x0964, 0x0965, 0x0a66, 0x0a67, 0x0a68, 0x0a69, 0x0a6a, 0x0a6b, 0x0a6c, 0x0a6d, 0x0a6e, 0x0a6f,
    0x0a59, 0x0a5a, 0x0a5b, 0x0a5c, 0x0a5e, 0x0a75,
];
#[rustfmt::skip]
const TAMIL_LETTERS: [u32; 19] = [
    0x0964, 0x0965, 0x0be6, 0x0be7, 0x0be8, 0x0be9, 0x0bea, 0x0beb, 0x0bec, 0x0bed, 0x0bee, 0x0bef,
    0x0bf3, 0x0bf4, 0x0bf5, 0x0bf6, 0x0bf7, 0x0bf8, 0x0bfa,
];
/// Septets 19 and 1A are reserved.
#[rustfmt::skip]
const TELUGU_LETTERS: [u32; 22] = [
    0x001b, 0x001b, 0x0c66, 0x0c67, 0x0c68, 0x0c69, 0x0c6a, 0x0c6b, 0x0c6c, 0x0c6d, 0x0c6e, 0x0c6f,
    0x0c58, 0x0c59, 0x0c78, 0x0c79, 0x0c7a, 0x0c7b, 0x0c7c, 0x0c7d, 0x0c7e, 0x0c7f,
];
#[rustfmt::skip]
const URDU_LETTERS: [u32; 32] = [
    0x0600, 0x0601, 0x06f0, 0x06f1, 0x06f2, 0x06f3, 0x06f4, 0x06f5, 0x06f6, 0x06f7, 0x06f8, 0x06f9,
    0x060c, 0x060d, 0x060e, 0x060f, 0x0610, 0x0611, 0x0612, 0x0613, 0x0614, 0x061b, 0x061f, 0x0640,
    0x0652, 0x0658, 0x066b, 0x066c, 0x0672, 0x0673, 0x06cd, 0x06d4,
];

/// Replaces some characters of a table.
const fn with(mut table: [char; 128], changes: &[(u8, char)]) -> [char; 128] {
    let mut index = 0;
    while index < changes.len() {
        table[changes[index].0 as usize] = changes[index].1;
        index += 1;
    }
    table
}

/// Turns code points into characters.
const fn coded(codes: [u32; 128]) -> [char; 128] {
    let mut table = [NONE; 128];
    let mut septet = 0;
    while septet < 128 {
        table[septet] = character(codes[septet]);
        septet += 1;
    }
    table
}

/// Fills [`SINGLE_PLAN`]; a place for which there is no letter is reserved.
const fn with_letters(letters: &[u32]) -> [char; 128] {
    let mut table = SINGLE_PLAN;
    let (mut septet, mut next) = (0, 0);
    while septet < 128 {
        if table[septet] == LETTER {
            table[septet] = if next < letters.len() { character(letters[next]) } else { NONE };
            next += 1;
        }
        septet += 1;
    }
    table
}

/// Fills [`LOCKING_PLAN`]. Offsets are in the Unicode block: those that have no character, and those for the `*`.
const fn indian(block: u32, absent: &[u8], outside: [u8; 6]) -> [char; 128] {
    let mut table = [NONE; 128];
    let (mut septet, mut offset, mut next) = (0, 0u8, 0);
    while septet < 128 {
        table[septet] = match LOCKING_PLAN[septet] {
            b'_' => {
                offset = match offset {
                    // No block has a character for these in Unicode 5.1, which the annex follows.
                    0x03 => 0x05,
                    0x39 => 0x3c,
                    other => other + 1,
                };
                if holds(absent, offset) { NONE } else { character(block + offset as u32) }
            }
            b'*' => {
                next += 1;
                character(block + outside[next - 1] as u32)
            }
            ascii => ascii as char,
        };
        septet += 1;
    }
    table
}

const fn holds(offsets: &[u8], offset: u8) -> bool {
    let mut index = 0;
    while index < offsets.len() {
        if offsets[index] == offset {
            return true;
        }
        index += 1;
    }
    false
}

/// Every caller is a constant, so a code that is no character does not compile.
const fn character(code: u32) -> char {
    match char::from_u32(code) {
        Some(char) => char,
        None => panic!("a code point of these tables is a character"),
    }
}
