//! Requests to the store over HTTP: none is answered 5xx, and one that is refused changes nothing.
//!
//! The input is requests, one behind a NUL after the other: `METHOD path`, header lines, an empty line, the body.
//! `{id}` in a path is the message accepted last.

use std::cell::OnceCell;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::{Router, http::StatusCode};
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use smsc_store::http::{ServeOptions, router};
use smsc_store::{Database, ManualClock, Store, StoreConfig};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::Meter;

/// Requests of one input.
const MOST_REQUESTS: usize = 12;
/// What a request counts at least, in octets: its HTTP head of a real client is longer.
pub(super) const FLOOR: usize = 256;
/// Octets of an answer; a whole page of rows is shorter.
const LONGEST_ANSWER: usize = 4 << 20;

thread_local! {
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| {
            Builder::new_current_thread().enable_time().build().expect("a runtime without I/O can be built")
        });
        runtime.block_on(exchange(input, meter));
    });
}

async fn exchange(input: &[u8], meter: &mut Meter) {
    let requests: Vec<&[u8]> = input.split(|&octet| octet == 0).take(MOST_REQUESTS).collect();
    let world = World::open();
    let mut last_id = "0192f3a1-c4d5-7000-8000-000000000000".to_owned();
    let mut state = world.state();
    for octets in requests {
        let Some(request) = read(octets, &last_id) else { continue };
        meter.count_octets(octets.len(), FLOOR);
        // What time has made due is no request's doing.
        world.store.tick().await.expect("the store answers");
        let quiet = world.state_if_changed(&state);
        state = quiet.unwrap_or(state);
        let (status, body) = world.answer(request, meter).await;
        assert!(!status.is_server_error(), "{status} {}: {}", shown(octets), shown(&body));
        let after = world.state_if_changed(&state);
        if status.is_client_error() {
            let changed = after.as_ref().is_some_and(|after| after.contents != state.contents);
            assert!(!changed, "{status}, yet something was stored: {}", shown(octets));
            assert!(!body.is_empty(), "{status} without a reason");
        }
        state = after.unwrap_or(state);
        if status == StatusCode::CREATED {
            last_id = accepted(&body).unwrap_or(last_id);
        }
    }
}

/// A request of the input; None if it is none that HTTP could carry.
fn read(octets: &[u8], last_id: &str) -> Option<Request<Body>> {
    let text = std::str::from_utf8(octets).ok()?;
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path.replace("{id}", last_id));
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(Body::from(body.replace("{id}", last_id))).ok()
}

/// The id in the answer to an accepted message.
fn accepted(body: &[u8]) -> Option<String> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("\"id\":\"")?;
    rest.split('"').next().map(str::to_owned)
}

fn shown(octets: &[u8]) -> String {
    String::from_utf8_lossy(&octets[..octets.len().min(400)]).into_owned()
}

/// A store with a database of its own, and a second look at what it stored.
struct World {
    store: Store,
    router: Router,
    looking: Connection,
    file: PathBuf,
}

/// What the database holds.
#[derive(Clone, Copy)]
struct State {
    version: i64,
    contents: u64,
}

impl World {
    fn open() -> World {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("smsc-fuzz-{}-{}.sqlite", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        // A file system in memory, for each input syncs a database.
        let shared = PathBuf::from("/dev/shm");
        let file = if shared.is_dir() { shared } else { std::env::temp_dir() }.join(name);
        let now = "2026-03-01T12:00:00Z".parse().expect("a time");
        let config = StoreConfig { database: Database::File(file.clone()), ..StoreConfig::default() };
        let store =
            Store::open(config, Arc::new(ManualClock::at(now))).expect("a new database can be opened");
        let router = router(store.clone(), ServeOptions::default()).expect("no token file is read");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let looking = Connection::open_with_flags(&file, flags).expect("the database can be read");
        World { store, router, looking, file }
    }

    async fn answer(&self, request: Request<Body>, meter: &mut Meter) -> (StatusCode, Bytes) {
        let router = self.router.clone();
        let work = async move {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let status = response.status();
            (
                status,
                to_bytes(response.into_body(), LONGEST_ANSWER).await.expect("an answer of bounded length"),
            )
        };
        meter.watch_once(work).await
    }

    fn state(&self) -> State {
        State { version: self.version(), contents: self.contents() }
    }

    /// The state, if anything was committed since `before`.
    fn state_if_changed(&self, before: &State) -> Option<State> {
        (self.version() != before.version).then(|| self.state())
    }

    fn version(&self) -> i64 {
        self.looking.query_row("PRAGMA data_version", [], |row| row.get(0)).expect("the database can be read")
    }

    fn contents(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_tables(&mut hasher).expect("the database can be read");
        hasher.finish()
    }

    fn hash_tables(&self, hasher: &mut DefaultHasher) -> rusqlite::Result<()> {
        let mut names =
            self.looking.prepare_cached("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")?;
        let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for name in names {
            name.hash(hasher);
            let mut statement = self.looking.prepare_cached(&format!("SELECT * FROM \"{name}\""))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    match row.get_ref(column)? {
                        ValueRef::Null => 0u8.hash(hasher),
                        ValueRef::Integer(number) => number.hash(hasher),
                        ValueRef::Real(number) => number.to_bits().hash(hasher),
                        ValueRef::Text(octets) | ValueRef::Blob(octets) => octets.hash(hasher),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", self.file.display()));
        }
    }
}
