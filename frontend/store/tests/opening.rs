//! Files: what survives, what is migrated, what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{BOB, START, World, config, message, report};
use smsc_backend::{Backend, ErrorClass, NewMessage, Status};
use smsc_store::{Database, ManualClock, Store, StoreConfig, StoreError};

fn at(path: &Path) -> StoreConfig {
    StoreConfig { database: Database::File(path.to_owned()), ..config() }
}

fn refusal(path: &Path) -> StoreError {
    Store::open(at(path), Arc::new(ManualClock::at(START))).err().unwrap()
}

#[tokio::test]
async fn what_was_answered_is_there_after_opening_again_leases_and_keys_included() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let keyed = NewMessage { idempotency_key: "k".into(), ..message(BOB) };
    let (id, row) = {
        let world = World::with(at(&path));
        world.register(BOB).await;
        let id = world.insert(keyed.clone()).await.id;
        (id, world.poll_one().await)
    };
    let world = World::with(at(&path));
    assert_eq!(world.poll().await, []);
    assert!(world.insert(keyed).await.duplicate);
    world.process(&row, report(&row, Status::Delivered)).await;
    assert_eq!(world.state(&id).await, "delivered");
}

#[tokio::test]
async fn two_stores_on_one_file_never_lease_the_same_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let (one, two) = (World::with(at(&path)), World::with(at(&path)));
    one.register(BOB).await;
    two.insert(message(BOB)).await;
    let (a, b) = tokio::join!(one.poll(), two.poll());
    assert_eq!(a.len() + b.len(), 1);
}

#[test]
fn a_file_of_a_later_version_of_another_program_or_of_no_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let later = directory.path().join("later.db");
    drop(Store::open(at(&later), Arc::new(ManualClock::at(START))).unwrap());
    let sql = rusqlite::Connection::open(&later).unwrap();
    sql.execute("UPDATE schema_version SET version = 99", []).unwrap();
    assert!(matches!(refusal(&later), StoreError::TooNew { found: 99, known: 1, .. }));

    let foreign = directory.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute("CREATE TABLE theirs (x)", []).unwrap();
    assert!(matches!(refusal(&foreign), StoreError::Foreign { found: 0, .. }));

    let text = directory.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be looked at as one".repeat(20)).unwrap();
    let error = refusal(&text);
    assert_eq!(error.to_string(), format!("store {text:?}: file is not a database"));

    let nowhere = directory.path().join("missing/store.db");
    assert!(matches!(refusal(&nowhere), StoreError::Database { .. }));
}

#[tokio::test]
async fn a_database_that_fails_is_never_an_acknowledgement_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let world = World::with(at(&path));
    world.insert(message(BOB)).await;
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.execute_batch(
        "CREATE TRIGGER broken BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk I/O'); END",
    )
    .unwrap();
    // Several in one commit: the trouble of some must not be that of others.
    let (a, b, located) = tokio::join!(
        world.store.insert_message(message(BOB).into()),
        world.store.insert_message(message(BOB).into()),
        world.store.insert_location(common::location(BOB, common::SMSC01)),
    );
    for error in [a.unwrap_err(), b.unwrap_err()] {
        assert_eq!((error.class, error.status), (ErrorClass::Busy, Some(503)));
        assert_eq!(error.detail, "the database failed: disk I/O");
    }
    located.unwrap();
    sql.execute_batch("DROP TRIGGER broken").unwrap();
    world.insert(message(BOB)).await;
    assert_eq!(world.store.summary().await.unwrap().messages.values().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_becomes_a_dead_letter_and_holds_up_nobody() {
    for column in ["content", "tried", "kind"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let world = World::with(at(&path));
        world.register(BOB).await;
        let sql = rusqlite::Connection::open(&path).unwrap();
        let damage = |id: &smsc_backend::MessageId| {
            let update = format!("UPDATE messages SET {column} = '{{' WHERE id = ?1");
            sql.execute(&update, [&id.0]).unwrap();
        };
        let first = world.insert(message(BOB)).await.id;
        let leased = world.insert(message(BOB)).await.id;
        let expired = world.insert(message(common::ALICE)).await.id;
        damage(&first);
        assert_eq!(world.poll_one().await.id, leased);
        damage(&leased);
        damage(&expired);
        world.pass(3 * common::DAY).await;
        let dead = world.store.list(smsc_store::Selection::Dead, None, 10).await.unwrap().messages;
        let ids: Vec<_> = dead.iter().map(|message| message.id.clone()).collect();
        assert_eq!(ids, [expired, leased, first.clone()]);
        for message in dead {
            assert!(message.reason.unwrap().starts_with("the store could not read it: "));
        }
        let events = world.store.events(first).await.unwrap();
        assert_eq!(events[0].event, "damaged");
        assert_eq!(world.store.summary().await.unwrap().messages, [("failed".to_owned(), 3)].into());
    }
}
