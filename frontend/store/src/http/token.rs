//! The bearer token (RFC 6750 §2.1), read from a file that may be replaced at any time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// How long a token that was read is used before the file is looked at again.
const FRESH: Duration = Duration::from_secs(5);

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("token file {path:?}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file holds nothing but white space.
    #[error("token file {0:?} is empty")]
    Empty(PathBuf),
}

/// The token in force. Only its hash is kept: comparing hashes says nothing about where two tokens differ.
pub(super) struct TokenFile {
    path: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    hash: [u8; 32],
    read: Instant,
}

impl TokenFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, TokenError> {
        let hash = read(&path)?;
        Ok(Self { path, current: Mutex::new(Current { hash, read: Instant::now() }) })
    }

    /// Whether an `Authorization` header carries the token. A new file that cannot be used leaves the old token in
    /// force.
    pub(super) fn admits(&self, authorization: &[u8]) -> bool {
        let Some((scheme, token)) = authorization.split_at_checked(b"Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && hash(token.trim_ascii()) == self.expected()
    }

    fn expected(&self) -> [u8; 32] {
        let mut current = self.lock();
        if current.read.elapsed() >= FRESH {
            current.read = Instant::now();
            match read(&self.path) {
                Ok(hash) => current.hash = hash,
                Err(error) => tracing::warn!(%error, "the old token stays in force"),
            }
        }
        current.hash
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<[u8; 32], TokenError> {
    let content =
        std::fs::read(path).map_err(|error| TokenError::Unreadable { path: path.to_owned(), error })?;
    let token = content.trim_ascii();
    if token.is_empty() { Err(TokenError::Empty(path.to_owned())) } else { Ok(hash(token)) }
}

fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}
