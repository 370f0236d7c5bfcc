//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).
//!
//! A key is 128 bits of two SipHash runs under a secret seed, so nobody can choose messages that share one, and among
//! a million live transactions the chance that any two do is below 2⁻⁸⁸. That is why no copy of a branch, nor the
//! request it came in, has to be kept to compare.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::sip::{Header, Message, Method, Via};

/// What a branch begins with when it is unique by itself (RFC 3261 §8.1.1.7).
pub(super) const MAGIC_COOKIE: &str = "z9hG4bK";

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key([u64; 2]);

impl Key {
    #[cfg(test)]
    pub(super) fn from_parts(a: u64, b: u64) -> Self {
        Self([a, b])
    }
}

/// Makes keys under one secret.
pub(super) struct Keys {
    seeded: Digest,
}

impl Keys {
    pub(super) fn new(seed: [u64; 2]) -> Self {
        let mut seeded = Digest([DefaultHasher::new(), DefaultHasher::new()]);
        for (hasher, place) in seeded.0.iter_mut().zip([1u8, 2]) {
            (seed, place).hash(hasher);
        }
        Self { seeded }
    }

    /// The key of a client transaction: branch and method (RFC 3261 §17.1.3).
    pub(super) fn client(&self, branch: &str, method: &str) -> Key {
        self.digest(&(Kind::Client, branch, method))
    }

    /// The key of the server transaction that `request` creates or repeats; `via` is its topmost.
    ///
    /// With the magic cookie that is branch, sent-by and method; without, everything that RFC 2543 compares.
    pub(super) fn server(&self, request: &Message, via: &Via<'_>) -> Key {
        let method = request.method();
        let method = method.as_ref().map_or("", Method::as_str);
        match unique_branch(via) {
            Some(branch) => self.digest(&(Kind::Server, branch, via.host, via.port, method)),
            None => self.digest(&(
                Kind::ServerRfc2543,
                (request.request_uri(), method, request.values(Header::Via).next()),
                request.from().ok().and_then(|from| from.tag()),
                request.to().ok().and_then(|to| to.tag()),
                (request.header(Header::CallId), request.header(Header::CSeq)),
            )),
        }
    }

    /// The key of the INVITE server transaction that `cancel` would cancel (RFC 3261 §9.2).
    pub(super) fn cancelled(&self, via: &Via<'_>) -> Option<Key> {
        let branch = unique_branch(via)?;
        Some(self.digest(&(Kind::Server, branch, via.host, via.port, Method::Invite.as_str())))
    }

    fn digest(&self, fields: &impl Hash) -> Key {
        let mut digest = self.seeded.clone();
        fields.hash(&mut digest.0[0]);
        fields.hash(&mut digest.0[1]);
        Key(digest.0.map(|hasher| hasher.finish()))
    }
}

/// Two independent runs of the hash.
#[derive(Clone)]
struct Digest([DefaultHasher; 2]);

/// Keeps keys of different kinds apart.
#[derive(Hash)]
enum Kind {
    Client,
    Server,
    ServerRfc2543,
}

/// The branch, if its sender promises that it is unique; the cookie is compared without case, as tokens are.
fn unique_branch<'a>(via: &Via<'a>) -> Option<&'a str> {
    let branch = via.branch()?;
    let cookie = branch.get(..MAGIC_COOKIE.len())?;
    (cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len()).then_some(branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_key(keys: &Keys, via: &str) -> Key {
        let text = format!("MESSAGE sip:a@b SIP/2.0\r\nVia: {via}\r\nContent-Length: 0\r\n\r\n");
        let message = Message::parse(text.into()).unwrap();
        keys.server(&message, &message.via().unwrap())
    }

    #[test]
    fn a_key_depends_on_the_secret_and_on_nothing_else_but_the_message() {
        let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa";
        let first = server_key(&Keys::new([1, 2]), via);
        assert_eq!(server_key(&Keys::new([1, 2]), via), first);
        for other in [Keys::new([1, 3]), Keys::new([0, 2]), Keys::new([2, 1])] {
            assert_ne!(server_key(&other, via), first);
        }
        assert_ne!(first.0[0], first.0[1], "the halves are independent");
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let keys = Keys::new([1, 2]);
        assert_ne!(keys.client("z9hG4bKab", "c"), keys.client("z9hG4bKa", "bc"));
        let one = server_key(&keys, "SIP/2.0/UDP 192.0.2.1:1;branch=z9hG4bKa");
        assert_ne!(one, server_key(&keys, "SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKa"));
    }

    #[test]
    fn the_cookie_alone_is_no_unique_branch() {
        for (branch, unique) in [
            ("z9hG4bKa", true),
            ("Z9HG4BKa", true),
            ("z9hG4bK", false),
            ("z9hG4b", false),
            ("1", false),
            ("z9hG4b\u{e9}a", false),
        ] {
            let text = format!("SIP/2.0/UDP 192.0.2.1;branch={branch}");
            assert_eq!(unique_branch(&Via::parse(&text).unwrap()).is_some(), unique, "{branch}");
        }
    }
}
