//! The delivery token: what a report must bring back (design §4, §11).
//!
//! 25 octets for a UUID, written as 40 lower-case base32 characters and compared without case: kind and length of
//! the id, the id, attempt, part, parts, RP-MR, ordinal, 24-bit MAC. The MAC also covers the hour it was made in,
//! which is not written down: a token is accepted in the hour of its making, the one after, and by a clock that is
//! an hour behind.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use smsc_backend::MessageId;

const MAC_OCTETS: usize = 3;
const HASHED_ID_OCTETS: usize = 10;
const HOUR: i64 = 3600;

/// Which delivery a MESSAGE belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// The message.
    pub id: TokenId,
    /// The attempt, saturating at 255.
    pub attempt: u8,
    /// The part this MESSAGE carried, from 1.
    pub part: u8,
    /// How many parts the message has.
    pub parts: u8,
    /// RP-MR of the RP-DATA.
    pub rp_mr: u8,
    /// The pod that made the attempt.
    pub ordinal: u8,
}

/// A message id as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenId {
    /// A UUID, an integer or short hex: the id itself.
    Plain(MessageId),
    /// Any other id: a hash, which its owner resolves.
    Hashed([u8; HASHED_ID_OCTETS]),
}

impl TokenId {
    /// How `id` travels.
    #[must_use]
    pub fn of(id: &MessageId) -> Self {
        match compact(&id.0) {
            Some(_) => Self::Plain(id.clone()),
            None => Self::Hashed(hash(id)),
        }
    }
}

/// The keys tokens are signed and verified with: the first signs, all verify.
#[derive(Clone)]
pub struct Keys(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Keys from the contents of `relay.key_files`; none: a key derived from the domain, a mere checksum.
    #[must_use]
    pub fn new(keys: &[Vec<u8>], ims_domain: &str) -> Self {
        let derived = [ims_domain.as_bytes().to_vec()];
        let keys = if keys.is_empty() { &derived[..] } else { keys };
        Self(keys.iter().map(|key| keyed(&Sha256::digest([b"token ", &key[..]].concat()))).collect())
    }

    /// Signs `message` for a relay peer.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        let mut mac = self.0.first().expect("Keys::new makes at least one").clone();
        mac.update(message);
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    /// True if any key made `signature` of `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = HEXLOWER.decode(signature.as_bytes()) else { return false };
        self.0.iter().any(|key| {
            let mut mac = key.clone();
            mac.update(message);
            mac.verify_slice(&signature).is_ok()
        })
    }

    fn tag(key: &Hmac<Sha256>, octets: &[u8], hour: i64) -> [u8; MAC_OCTETS] {
        let mut mac = key.clone();
        mac.update(octets);
        mac.update(&hour.to_be_bytes());
        let full = mac.finalize().into_bytes();
        [full[0], full[1], full[2]]
    }
}

impl Token {
    /// Writes the token, signed, as it stands in a Call-ID.
    #[must_use]
    pub fn write(&self, keys: &Keys, wall: i64) -> String {
        let (kind, id) = match &self.id {
            TokenId::Plain(id) => compact(&id.0).unwrap_or((Kind::Hashed, hash(id).to_vec())),
            TokenId::Hashed(hash) => (Kind::Hashed, hash.to_vec()),
        };
        let mut octets = Vec::with_capacity(25);
        octets.push((kind as u8) << 5 | id.len() as u8);
        octets.extend_from_slice(&id);
        octets.extend_from_slice(&[self.attempt, self.part, self.parts, self.rp_mr, self.ordinal]);
        let key = keys.0.first().expect("Keys::new makes at least one");
        let tag = Keys::tag(key, &octets, wall.div_euclid(HOUR));
        octets.extend_from_slice(&tag);
        BASE32_NOPAD.encode(&octets).to_ascii_lowercase()
    }

    /// Reads and verifies a token; what stands behind an `@` is not looked at. `None`: not a token of ours, or too old.
    #[must_use]
    pub fn read(text: &str, keys: &Keys, wall: i64) -> Option<Self> {
        let text = text.split('@').next().unwrap_or(text);
        if !(14..=48).contains(&text.len()) {
            return None;
        }
        let octets = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        let (signed, tag) = octets.split_at_checked(octets.len().checked_sub(MAC_OCTETS)?)?;
        let hour = wall.div_euclid(HOUR);
        let genuine = keys.0.iter().any(|key| {
            [hour, hour - 1, hour + 1]
                .iter()
                .any(|hour| constant_time_eq(&Keys::tag(key, signed, *hour), tag))
        });
        if !genuine {
            return None;
        }
        let (head, rest) = signed.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(head & 0x1F))?;
        let &[attempt, part, parts, rp_mr, ordinal] = rest else { return None };
        Some(Self { id: expand(head >> 5, id)?, attempt, part, parts, rp_mr, ordinal })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Hashed = 0,
    Uuid = 1,
    Integer = 2,
    Hex = 3,
}

/// The shortest form of an id that gives back the very same text.
fn compact(id: &str) -> Option<(Kind, Vec<u8>)> {
    if let Some(octets) = uuid_octets(id) {
        return Some((Kind::Uuid, octets));
    }
    if let Ok(number) = id.parse::<u64>()
        && number.to_string() == id
    {
        let octets = number.to_be_bytes();
        let skip = octets.iter().take_while(|o| **o == 0).count().min(7);
        return Some((Kind::Integer, octets[skip..].to_vec()));
    }
    if (2..=32).contains(&id.len()) {
        return HEXLOWER.decode(id.as_bytes()).ok().map(|octets| (Kind::Hex, octets));
    }
    None
}

fn expand(kind: u8, octets: &[u8]) -> Option<TokenId> {
    let text = match kind {
        0 => return Some(TokenId::Hashed(octets.try_into().ok()?)),
        1 if octets.len() == 16 => {
            let hex = HEXLOWER.encode(octets);
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
        }
        2 if octets.len() <= 8 => octets.iter().fold(0u64, |n, o| n << 8 | u64::from(*o)).to_string(),
        3 => HEXLOWER.encode(octets),
        _ => return None,
    };
    Some(TokenId::Plain(MessageId(text)))
}

fn uuid_octets(id: &str) -> Option<Vec<u8>> {
    let dashes = id.len() == 36 && [8, 13, 18, 23].iter().all(|at| id.as_bytes()[*at] == b'-');
    let octets = HEXLOWER.decode(id.replace('-', "").as_bytes()).ok()?;
    (dashes && octets.len() == 16).then_some(octets)
}

fn hash(id: &MessageId) -> [u8; HASHED_ID_OCTETS] {
    let digest = Sha256::digest(id.0.as_bytes());
    std::array::from_fn(|at| digest[at])
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str) -> Token {
        Token { id: TokenId::of(&id.into()), attempt: 2, part: 1, parts: 3, rp_mr: 0x47, ordinal: 2 }
    }

    fn keys() -> Keys {
        Keys::new(&[b"secret".to_vec()], "ims.example")
    }

    #[test]
    fn a_token_brings_back_what_it_was_made_of() {
        for id in
            ["0190d7a2-5b1c-7def-8123-456789abcdef", "42", "0", "18446744073709551615", "00ff", "deadbeef00"]
        {
            let written = token(id).write(&keys(), 7200);
            assert!(written.len() <= 40, "{written}");
            assert_eq!(Token::read(&written.to_ascii_uppercase(), &keys(), 7200), Some(token(id)), "{id}");
        }
        let foreign = token("queue/7/Alice's message");
        assert!(matches!(foreign.id, TokenId::Hashed(_)));
        assert_eq!(
            Token::read(&format!("{}@10.0.0.1", foreign.write(&keys(), 0)), &keys(), 0),
            Some(foreign)
        );
    }

    #[test]
    fn a_uuid_takes_forty_characters() {
        assert_eq!(token("0190d7a2-5b1c-7def-8123-456789abcdef").write(&keys(), 0).len(), 40);
    }

    #[test]
    fn a_token_is_accepted_for_an_hour_and_not_for_a_day() {
        let written = token("42").write(&keys(), 3599);
        let accepted = [3599, 7199, 7200, 90_000].map(|wall| Token::read(&written, &keys(), wall).is_some());
        assert_eq!(accepted, [true, true, false, false]);
    }

    #[test]
    fn a_changed_character_or_another_key_is_not_believed() {
        let written = token("42").write(&keys(), 0);
        for at in 0..written.len() {
            let mut bent = written.clone().into_bytes();
            bent[at] = if bent[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(Token::read(std::str::from_utf8(&bent).unwrap(), &keys(), 0), None);
        }
        assert_eq!(Token::read(&written, &Keys::new(&[], "ims.example"), 0), None);
        assert_eq!(Token::read("not-a-token", &keys(), 0), None);
    }

    #[test]
    fn keys_roll_over_while_the_old_one_still_verifies() {
        let rolled = Keys::new(&[b"new".to_vec(), b"secret".to_vec()], "ims.example");
        assert_eq!(Token::read(&token("42").write(&keys(), 0), &rolled, 0), Some(token("42")));
        assert_eq!(Token::read(&token("42").write(&rolled, 0), &keys(), 0), None);
        assert!(rolled.verify(b"report", &keys().sign(b"report")));
        assert!(!keys().verify(b"report", &rolled.sign(b"report")));
    }
}
