//! `kill -9` in a loop under load: what was answered 2xx is there, exactly once.
//!
//! The store runs in a process of its own: this test's binary, started again for [`serves_until_killed`] alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::{SMSC01, config, location, message, report};
use reqwest::Client;
use smsc_backend::{Accepted, NewMessage, QueuedMessage, Status};
use smsc_store::http::{ServeOptions, serve};
use smsc_store::{Database, Selection, Store, StoreConfig, SystemClock};

/// Where the store to serve lives; set only in the process that is killed.
const STORE: &str = "SMSC_STORE_KILL_NINE";
const ROUNDS: u32 = 10;
const SENDERS: u64 = 8;
const RECIPIENTS: u64 = 40;

fn at(path: PathBuf) -> StoreConfig {
    StoreConfig { database: Database::File(path), ..config() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn serves_until_killed() {
    let Some(path) = std::env::var_os(STORE) else { return };
    runtime().block_on(async {
        let store = Store::open(at(path.into()), Arc::new(SystemClock)).unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        std::io::stdout().write_all(format!("\nserving {address}\n").as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
        serve(store, listener, ServeOptions::default(), std::future::pending()).await.unwrap();
    });
}

/// What the store said before it was killed, over all rounds.
#[derive(Default)]
struct Answered {
    /// The number of the next message: its sender and its key.
    next: Cell<u64>,
    /// Accepted messages by number.
    accepted: RefCell<BTreeMap<u64, String>>,
    /// Messages sent without an answer.
    unanswered: RefCell<BTreeSet<u64>>,
    /// Rows given out, with their attempt.
    leased: RefCell<BTreeSet<(String, u32)>>,
    /// Messages whose delivery was recorded.
    delivered: RefCell<BTreeSet<String>>,
    /// Answers in this round.
    count: Cell<u32>,
}

/// A store process.
struct Victim {
    child: RefCell<Child>,
    base: String,
    client: Client,
    /// Killed when the answers of the round reach this number.
    last: u32,
}

impl Victim {
    fn start(path: &Path, last: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serves_until_killed", "--nocapture"])
            .env(STORE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("serving ").map(str::to_owned));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child: RefCell::new(child), base: format!("http://{}", address.unwrap()), client, last }
    }

    /// Counts an answer, and kills at the last one: others are under way at that moment.
    fn count(&self, answered: &Answered) {
        answered.count.set(answered.count.get() + 1);
        if answered.count.get() == self.last {
            self.child.borrow_mut().kill().unwrap();
            self.child.borrow_mut().wait().unwrap();
        }
    }

    async fn send(&self, number: u64) -> Option<Accepted> {
        let new = message_number(number);
        let request = self.client.post(format!("{}/api/messages", self.base));
        let request = request.header("Idempotency-Key", number.to_string()).json(&new);
        let response = request.send().await.ok()?;
        assert_eq!(response.status().as_u16(), 201);
        response.json().await.ok()
    }

    async fn sender(&self, answered: &Answered) {
        loop {
            let number = answered.next.get();
            answered.next.set(number + 1);
            let Some(accepted) = self.send(number).await else {
                answered.unanswered.borrow_mut().insert(number);
                return;
            };
            answered.accepted.borrow_mut().insert(number, accepted.id.0);
            self.count(answered);
        }
    }

    async fn frontend(&self, answered: &Answered) -> Option<()> {
        for number in 0..RECIPIENTS {
            let request = self.client.post(format!("{}/api/locations", self.base));
            request.json(&location(&recipient(number), SMSC01)).send().await.ok()?;
        }
        loop {
            let request = self.client.get(format!("{}/api/messages/get_queue?limit=10", self.base));
            let rows: Vec<QueuedMessage> =
                request.header("smsc", SMSC01).send().await.ok()?.json().await.ok()?;
            self.count(answered);
            for row in rows {
                let attempt = row.delivery_attempts.unwrap();
                assert!(
                    answered.leased.borrow_mut().insert((row.id.0.clone(), attempt)),
                    "{row:?} leased twice"
                );
                let request = self.client.patch(format!("{}/api/messages/{}", self.base, row.id));
                let response = request.json(&report(&row, Status::Delivered)).send().await.ok()?;
                assert_eq!(response.status().as_u16(), 200);
                answered.delivered.borrow_mut().insert(row.id.0);
                self.count(answered);
            }
        }
    }
}

fn recipient(number: u64) -> String {
    (447_700_900_000 + number % RECIPIENTS).to_string()
}

/// A message that its sender's number tells from all others.
fn message_number(number: u64) -> NewMessage {
    NewMessage { source_msisdn: (31_600_000_000 + number).to_string(), ..message(&recipient(number)) }
}

#[test]
fn what_was_answered_survives_kill_nine_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let answered = Answered::default();
    for round in 0..ROUNDS {
        answered.count.set(0);
        // Different lengths hit different moments of commit, checkpoint and recovery.
        let victim = Victim::start(&path, 20 + round * round * 12);
        runtime().block_on(async {
            let senders = futures_util::future::join_all((0..SENDERS).map(|_| victim.sender(&answered)));
            tokio::join!(senders, victim.frontend(&answered));
        });
        assert!(answered.count.get() >= victim.last, "round {round}: the store stopped by itself");
    }
    runtime().block_on(examine(path, answered));
}

/// Opens what is left and compares it with what was said.
async fn examine(path: PathBuf, answered: Answered) {
    let sql = rusqlite::Connection::open(&path).unwrap();
    let integrity: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let store = Store::open(at(path), Arc::new(SystemClock)).unwrap();
    let mut accepted = answered.accepted.into_inner();
    for number in answered.unanswered.into_inner() {
        // Whether it was taken before the kill or not: with its key it is one message now.
        let new = NewMessage { idempotency_key: number.to_string(), ..message_number(number) };
        let again = smsc_backend::Backend::insert_message(&store, new.into()).await.unwrap();
        accepted.insert(number, again.id.0);
    }
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = store.list(Selection::All, before, 500).await.unwrap();
        found.extend(page.messages);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let mut numbers: Vec<_> = found
        .iter()
        .map(|message| (message.source_msisdn.parse::<u64>().unwrap() - 31_600_000_000, message.id.0.clone()))
        .collect();
    numbers.sort();
    assert_eq!(numbers, accepted.into_iter().collect::<Vec<_>>());
    let delivered: BTreeSet<_> = found
        .into_iter()
        .filter(|message| message.state == "delivered")
        .map(|message| message.id.0)
        .collect();
    let missing: Vec<_> = answered.delivered.borrow().difference(&delivered).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
    assert!(answered.delivered.borrow().len() > 100, "the load was no load");
}
