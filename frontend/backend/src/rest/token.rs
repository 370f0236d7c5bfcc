//! The bearer token: a file that may be rotated under us, or a value.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::HeaderValue;

use super::{RestConfig, RestError};

/// How often the file's time stamp is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Longer files are no tokens.
const MAX_OCTETS: u64 = 16 << 10;

/// What is sent as `Authorization`.
pub(super) enum Token {
    /// Follows a file.
    File(TokenFile),
    /// Stays as it was given.
    Value(HeaderValue),
}

impl Token {
    /// The token `config` asks for, if any.
    pub(super) fn of(config: &RestConfig, now: Instant) -> Result<Option<Self>, RestError> {
        if let Some(token) = &config.token {
            let refuse = |detail| RestError::Value { what: "token", detail };
            return header(token).map(|header| Some(Self::Value(header))).map_err(refuse);
        }
        config.token_file.as_deref().map(|path| TokenFile::open(path, now).map(Self::File)).transpose()
    }

    /// The `Authorization` header as of now.
    pub(super) fn header(&self, now: Instant) -> HeaderValue {
        match self {
            Self::File(file) => file.header(now),
            Self::Value(header) => header.clone(),
        }
    }

    /// Looks again after a 401; true if the token is no longer `used`.
    pub(super) fn differs(&self, used: Option<&HeaderValue>, now: Instant) -> bool {
        match self {
            Self::File(file) => file.differs(used, now),
            Self::Value(_) => false,
        }
    }
}

/// The token file and the header made of it.
pub(super) struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    header: HeaderValue,
    stamp: Option<Stamp>,
    checked: Instant,
    /// The last re-read failed and was logged.
    failing: bool,
}

/// Changes when the file does.
type Stamp = (SystemTime, u64);

impl TokenFile {
    /// Reads the token for the first time.
    pub(super) fn open(path: &Path, now: Instant) -> Result<Self, RestError> {
        let stamp = stamp(path);
        let header = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(State { header, stamp, checked: now, failing: false }),
        })
    }

    /// The `Authorization` header as of now. The file is small and local, so it is read in place; a file that
    /// cannot be read leaves the old token in force.
    pub(super) fn header(&self, now: Instant) -> HeaderValue {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.checked) >= CHECK_EVERY {
            state.checked = now;
            let stamp = stamp(&self.path);
            if stamp != state.stamp || state.failing {
                self.update(&mut state, stamp);
            }
        }
        state.header.clone()
    }

    /// Reads the file again whatever its time stamp says; true if the token is no longer `used`.
    pub(super) fn differs(&self, used: Option<&HeaderValue>, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.checked = now;
        self.update(&mut state, stamp(&self.path));
        Some(&state.header) != used
    }

    fn update(&self, state: &mut State, stamp: Option<Stamp>) {
        match read(&self.path) {
            Ok(header) => {
                if header != state.header {
                    tracing::info!(path = %self.path.display(), "backend token changed");
                }
                *state = State { header, stamp, checked: state.checked, failing: false };
            }
            Err(error) => {
                if !state.failing {
                    tracing::warn!(%error, "backend token not read again; the old one stays in force");
                }
                state.failing = true;
            }
        }
    }
}

/// The token inside an `Authorization` header made here, for taking it out of error texts.
pub(super) fn secret(header: &HeaderValue) -> Option<&str> {
    header.to_str().ok()?.strip_prefix("Bearer ")
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path) -> Result<HeaderValue, RestError> {
    let error = |detail: String| RestError::File { what: "token file", path: path.to_owned(), detail };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|e| error(e.to_string()))?;
    file.take(MAX_OCTETS + 1).read_to_string(&mut text).map_err(|e| error(e.to_string()))?;
    header(&text).map_err(error)
}

/// The header that carries the token in `text`, or what is wrong with it.
fn header(text: &str) -> Result<HeaderValue, String> {
    let token = text.trim();
    if token.is_empty() {
        return Err("is empty".into());
    }
    if text.len() as u64 > MAX_OCTETS {
        return Err(format!("is longer than {MAX_OCTETS} octets"));
    }
    if !token.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err("holds a space or a character that no header can carry".into());
    }
    let mut header =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| "cannot be a header".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_seen_within_a_second_and_a_missing_one_keeps_the_old_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let now = Instant::now();
        fs::write(&path, "one\n").unwrap();
        let token = TokenFile::open(&path, now).unwrap();
        let at = |ms: u64| secret(&token.header(now + Duration::from_millis(ms))).unwrap().to_owned();

        fs::write(&path, "second\n").unwrap();
        assert_eq!([at(999), at(1000)], ["one", "second"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(at(2000), "second");
        fs::write(&path, "third").unwrap();
        assert_eq!(at(3000), "third");
    }

    #[test]
    fn after_a_401_the_file_counts_and_not_its_time_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let now = Instant::now();
        fs::write(&path, "one").unwrap();
        let token = TokenFile::open(&path, now).unwrap();
        let used = token.header(now);
        assert!(!token.differs(Some(&used), now));
        fs::write(&path, "two").unwrap();
        assert!(token.differs(Some(&used), now));
        assert_eq!(secret(&token.header(now)), Some("two"));
    }

    #[test]
    fn files_that_are_no_token_are_refused_without_showing_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let refusal = |content: &str| {
            fs::write(&path, content).unwrap();
            let Err(RestError::File { what, detail, .. }) = TokenFile::open(&path, Instant::now()) else {
                panic!("accepted {content:?}")
            };
            format!("{what} {detail}")
        };
        assert_eq!(refusal(" \n"), "token file is empty");
        assert_eq!(
            refusal("hunter2\nhunter3"),
            "token file holds a space or a character that no header can carry"
        );
        assert_eq!(refusal(&"x".repeat(16385)), "token file is longer than 16384 octets");
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, "hunter2").unwrap();
        let header = TokenFile::open(&path, Instant::now()).unwrap().header(Instant::now());
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}
