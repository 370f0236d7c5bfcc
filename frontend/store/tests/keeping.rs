//! What is kept and for how long, caps, and lists.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{ALICE, BOB, DAY, HOUR, MINUTE, SECOND, World, config, message, report, text};
use smsc_backend::{
    AttemptReport, Backend, ErrorClass, FrontendRegistration, HistoryQuery, MessageId, NewMessage, Permanent,
    Status,
};
use smsc_store::{Caps, Database, MessagePage, RegisteredFrontend, Selection, StoreConfig, Summary};

fn frontend(name: &str) -> FrontendRegistration {
    FrontendRegistration {
        frontend_name: name.into(),
        frontend_type: "IMS".into(),
        hostname: "smsc01".into(),
        ip_address: "192.0.2.10".into(),
        version: "0.1.0".into(),
        uptime_seconds: 1,
        expires_in: 90,
        configuration: [("ims_domain".to_owned(), "ims.example".into())].into(),
    }
}

fn capped(caps: Caps) -> World {
    World::with(StoreConfig { caps, ..config() })
}

async fn fail(world: &World) {
    let row = world.poll_one().await;
    world
        .process(&row, AttemptReport { permanent: Permanent::Message, ..report(&row, Status::Failed) })
        .await;
}

async fn ids(world: &World, selection: Selection) -> Vec<MessageId> {
    world
        .store
        .list(selection, None, 100)
        .await
        .unwrap()
        .messages
        .into_iter()
        .map(|message| message.id)
        .collect()
}

#[tokio::test]
async fn content_is_erased_after_its_retention_and_then_the_message_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let world = World::with(StoreConfig { database: Database::File(path.clone()), ..config() });
    world.register(BOB).await;
    let secret = NewMessage {
        udh: Some("05040b8423f0".into()),
        raw_tpdu: Some("deadbeef".into()),
        idempotency_key: "k".into(),
        ..text(BOB, "a secret text")
    };
    let id = world.insert(secret.clone()).await.id;
    fail(&world).await;
    world.pass(DAY - SECOND).await;
    let occurs = |needle: &str| {
        let files =
            ["store.db", "store.db-wal"].map(|name| std::fs::read(directory.path().join(name)).unwrap());
        files.iter().any(|octets| octets.windows(needle.len()).any(|window| window == needle.as_bytes()))
    };
    assert!(occurs("a secret text") && occurs("deadbeef"));
    world.pass(SECOND).await;
    // The log keeps old pages until it is written back.
    let sql = rusqlite::Connection::open(&path).unwrap();
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    assert!(!occurs("a secret text") && !occurs("deadbeef"));
    assert_eq!(world.state(&id).await, "failed");
    let error = world.store.replay(id.clone()).await.unwrap_err();
    assert_eq!((error.class, error.status), (ErrorClass::Refused, Some(409)));
    world.pass(6 * DAY - SECOND).await;
    assert!(world.insert(secret.clone()).await.duplicate);
    world.pass(SECOND).await;
    assert_eq!(world.store.history(HistoryQuery::Message(id.clone())).await.unwrap_err().status, Some(404));
    assert_eq!(world.store.events(id).await.unwrap(), []);
    assert!(!world.insert(secret).await.duplicate);
}

#[tokio::test]
async fn what_is_not_final_is_kept_however_old_it_is() {
    let world = World::with(StoreConfig {
        body_retention: SECOND,
        row_retention: SECOND,
        default_validity: 14 * DAY,
        ..config()
    });
    world.insert(message(BOB)).await;
    world.pass(13 * DAY).await;
    world.register(BOB).await;
    assert_eq!(world.poll_texts().await, ["Hello"]);
}

#[tokio::test]
async fn final_messages_are_known_for_an_hour_at_least() {
    let world = World::with(StoreConfig { row_retention: SECOND, ..config() });
    world.register(BOB).await;
    let id = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.deliver(&row).await;
    world.pass(HOUR - SECOND).await;
    assert_eq!(world.state(&id).await, "delivered");
    world.pass(SECOND).await;
    assert!(world.store.message(id).await.is_err());
}

#[tokio::test]
async fn at_the_cap_of_open_messages_senders_come_back_later_and_repeats_are_still_known() {
    let world = capped(Caps { messages: 2, ..Caps::default() });
    world.register(BOB).await;
    let keyed = NewMessage { idempotency_key: "k".into(), ..message(BOB) };
    world.insert(keyed.clone()).await;
    world.insert(message(BOB)).await;
    let error = world.store.insert_message(message(BOB).into()).await.unwrap_err();
    assert_eq!(
        (error.class, error.status, error.retry_after, error.detail.as_str()),
        (ErrorClass::Busy, Some(429), Some(10), "2 messages wait already")
    );
    assert!(world.insert(keyed).await.duplicate);
    let row = world.poll_one().await;
    world.deliver(&row).await;
    world.insert(message(BOB)).await;
}

#[tokio::test]
async fn beyond_the_cap_of_rows_the_oldest_final_messages_go_early() {
    let world = capped(Caps { rows: 3, ..Caps::default() });
    world.register(BOB).await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(world.insert(message(BOB)).await.id);
        let row = world.poll_one().await;
        world.deliver(&row).await;
        world.pass(MINUTE).await;
    }
    all.reverse();
    assert_eq!(ids(&world, Selection::All).await, all[..3]);
    for _ in 0..5 {
        world.insert(message(BOB)).await;
    }
    world.pass(MINUTE).await;
    assert_eq!(ids(&world, Selection::Open).await.len(), 5, "open messages are never given up for room");
    assert_eq!(ids(&world, Selection::All).await.len(), 5);
}

#[tokio::test]
async fn a_database_at_its_size_takes_no_message_but_lets_them_out() {
    let world = capped(Caps { database_octets: 400_000, ..Caps::default() });
    world.register(BOB).await;
    let big = text(BOB, &"x".repeat(4000));
    let mut taken = 0;
    let error = loop {
        match world.store.insert_message(big.clone().into()).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.class, error.status, error.retry_after), (ErrorClass::Busy, Some(503), Some(30)));
    assert!((10..100).contains(&taken), "{taken}");
    for _ in 0..taken {
        let row = world.poll_one().await;
        world.deliver(&row).await;
    }
    world.pass(8 * DAY).await;
    world.insert(big).await;
}

#[tokio::test]
async fn lists_go_by_state_newest_first_and_by_pages() {
    let world = World::new();
    world.register(BOB).await;
    let failed = world.insert(message(BOB)).await.id;
    fail(&world).await;
    let delivered = world.insert(message(BOB)).await.id;
    let row = world.poll_one().await;
    world.deliver(&row).await;
    let in_flight = world.insert(message(BOB)).await.id;
    world.poll_one().await;
    let queued = world.insert(message(BOB)).await.id;
    let held = world.insert(message(ALICE)).await.id;
    for (selection, expected) in [
        (Selection::All, vec![&held, &queued, &in_flight, &delivered, &failed]),
        (Selection::Open, vec![&held, &queued, &in_flight]),
        (Selection::Queued, vec![&held, &queued]),
        (Selection::Held, vec![&held]),
        (Selection::InFlight, vec![&in_flight]),
        (Selection::Delivered, vec![&delivered]),
        (Selection::Dead, vec![&failed]),
        (Selection::Failed, vec![&failed]),
        (Selection::Expired, vec![]),
    ] {
        assert_eq!(
            ids(&world, selection).await,
            expected.into_iter().cloned().collect::<Vec<_>>(),
            "{selection:?}"
        );
    }
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let MessagePage { messages, next } = world.store.list(Selection::All, before, 2).await.unwrap();
        paged.push(messages.into_iter().map(|message| message.id).collect::<Vec<_>>());
        let Some(next) = next else { break };
        before = Some(next);
    }
    assert_eq!(paged, [vec![held, queued], vec![in_flight, delivered], vec![failed]]);
    let counts = [("delivered", 1), ("failed", 1), ("in_flight", 1), ("queued", 2)];
    let summary = Summary {
        messages: counts.map(|(state, count)| (state.to_owned(), count)).into(),
        registrations: 1,
        frontends: 0,
        oldest: Some(jiff::Timestamp::constant(1_772_366_400, 0)),
    };
    assert_eq!(world.store.summary().await.unwrap(), summary);
}

#[tokio::test]
async fn frontends_are_listed_until_their_registration_runs_out_or_is_taken_away() {
    let world = World::new();
    for name in ["b", "a", "c"] {
        world.store.frontend_register(frontend(name)).await.unwrap();
    }
    world.pass(60 * SECOND).await;
    let refreshed = FrontendRegistration { uptime_seconds: 61, ..frontend("a") };
    world.store.frontend_register(refreshed.clone()).await.unwrap();
    for _ in 0..2 {
        world.store.frontend_deregister("c".into()).await.unwrap();
    }
    world.pass(30 * SECOND).await;
    let registered = RegisteredFrontend {
        registration: refreshed,
        updated: common::START + 60 * SECOND,
        expires: common::START + 150 * SECOND,
    };
    assert_eq!(world.store.frontends().await.unwrap(), [registered]);
    assert_eq!(world.store.summary().await.unwrap().frontends, 1);
}

#[tokio::test]
async fn at_the_cap_of_frontends_a_new_one_is_put_off_and_a_nameless_one_refused() {
    let world = capped(Caps { frontends: 1, ..Caps::default() });
    world.store.frontend_register(frontend("a")).await.unwrap();
    world.store.frontend_register(frontend("a")).await.unwrap();
    assert_eq!(world.store.frontend_register(frontend("b")).await.unwrap_err().status, Some(429));
    assert_eq!(world.store.frontend_register(frontend(" ")).await.unwrap_err().status, Some(400));
}

#[tokio::test]
async fn requests_beyond_what_may_wait_are_put_off() {
    let world = capped(Caps { waiting: 1, ..Caps::default() });
    let requests: Vec<_> = (0..2000).map(|_| world.store.insert_message(message(BOB).into())).collect();
    let answers = futures_util::future::join_all(requests).await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let put_off = answers.into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(put_off.iter().all(|error| error.class == ErrorClass::Busy && error.status == Some(429)));
    assert_eq!(world.store.list(Selection::All, None, 500).await.unwrap().messages.len(), taken.min(500));
    assert!(taken >= 1 && !put_off.is_empty());
}
