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
