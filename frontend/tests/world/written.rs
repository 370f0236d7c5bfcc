//! What the engine writes, kept for other people's readers: with `SMSC_WRITTEN=FOLDER` every message it sends in a test
//! goes into a file there, one of each shape. The stage `readers` reads them.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use smsc_proto::sip::{Message, Transport};

/// Files one process may write. More shapes than this is a number that [`shape`] does not see through.
const MOST: usize = 10_000;

/// Writes a message that was sent into the folder, unless one of its shape is there.
pub(super) fn keep(transport: Transport, octets: &Bytes) {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let folder = FOLDER.get_or_init(|| std::env::var_os("SMSC_WRITTEN").map(PathBuf::from));
    let Some(folder) = folder else { return };
    let name = format!("{}-{:016x}.sip", transport.as_str().to_lowercase(), shape(transport, octets));
    // Another test may have been first.
    let Ok(mut file) = File::create_new(folder.join(name)) else { return };
    assert!(FILES.fetch_add(1, Ordering::Relaxed) < MOST, "more than {MOST} shapes of messages");
    file.write_all(octets).expect("the folder can be written to");
}

/// Alike for messages that differ only in numbers, tags, branches and tokens, and in what their body says.
fn shape(transport: Transport, octets: &Bytes) -> u64 {
    /// No word of a header's value that says something is longer.
    const WORD: usize = 14;
    let message = Message::parse(octets.clone()).expect("what is sent can be read");
    let body = message.body_octets();
    let mut hasher = DefaultHasher::new();
    transport.hash(&mut hasher);
    let head = String::from_utf8_lossy(&octets[..octets.len() - body.len()]);
    for line in head.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        name.hash(&mut hasher);
        for part in value.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let mark = part.len() - usize::from(!part.ends_with(|c: char| c.is_ascii_alphanumeric()));
            let (word, mark) = part.split_at_checked(mark).unwrap_or((part, ""));
            let varies = word.len() > WORD || word.bytes().any(|octet| octet.is_ascii_digit());
            (if varies { "0" } else { word }, mark).hash(&mut hasher);
        }
    }
    // RP-MTI, or the first octet of a text.
    (body.first(), body.len()).hash(&mut hasher);
    hasher.finish()
}
