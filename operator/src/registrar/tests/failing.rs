//! Backends that are down, slow or refuse, and credentials that cannot be read.

use super::*;

/// How far apart calls were.
fn gaps(seen: &[(Duration, String)]) -> Vec<Duration> {
    seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_down_gets_one_request_at_a_time_less_and_less_often() {
    let (registrar, fake) = stage();
    fake.answers(down());
    registrar.want(&key("x"), wanted(&["a", "b", "c", "d"], &[]));
    seconds(3600).await;
    let seen = fake.seen_at();
    let gaps = gaps(&seen);
    for (gap, highest) in gaps.iter().zip([2, 4, 8, 16, 32].into_iter().chain(std::iter::repeat(60))) {
        assert!((1.0..=f64::from(highest)).contains(&gap.as_secs_f64()), "{gaps:?}");
    }
    // An hour of waits of 1 to 60 s each.
    assert!((60..400).contains(&seen.len()), "{}", seen.len());
    // Full jitter: the waits differ.
    let distinct: BTreeSet<&Duration> = gaps.iter().collect();
    assert!(distinct.len() > gaps.len() / 2, "{gaps:?}");
    // Everybody has its turn.
    let turns: Vec<&str> = seen.iter().take(5).map(|(_, what)| what.as_str()).collect();
    assert_eq!(turns, ["+a v1", "+b v1", "+c v1", "+d v1", "+a v1"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_over_when_the_backend_is_back() {
    let (registrar, fake) = stage();
    fake.answers(down());
    let x = wanted(&["a", "b"], &[]);
    registrar.want(&key("x"), x.clone());
    seconds(600).await;
    assert_eq!(poked(&registrar), [key("x")]);
    let failed = Results { failure: not_reached(), ..Results::default() };
    assert_eq!(registrar.want(&key("x"), x.clone()), failed);
    seconds(600).await;
    assert_eq!(poked(&registrar), []);

    fake.answers(Answer::Takes);
    fake.seen();
    seconds(61).await;
    assert_eq!(fake.seen().len(), 2);
    assert_eq!(poked(&registrar), [key("x")]);
    assert_eq!(registrar.want(&key("x"), x), results(&["a", "b"], &[]));
}

#[tokio::test(start_paused = true)]
async fn after_a_success_waits_are_short_again() {
    let (registrar, fake) = stage();
    fake.answers(down());
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(600).await;
    fake.answers(Answer::Takes);
    fake.plan(|plan| plan.answers.insert("b".into(), failure(ErrorClass::Busy, Some(500), "")));
    seconds(120).await;
    let times = fake.seen_at();
    let success = times.iter().rposition(|(_, what)| what == "+a v1").unwrap();
    let after: Vec<Duration> = gaps(&times[success..]);
    assert!(after[0] <= Duration::from_secs(2), "{after:?}");
    assert!(after[1] <= Duration::from_secs(4), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn something_new_is_tried_before_the_wait_is_over() {
    let (registrar, fake) = stage();
    fake.answers(down());
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(600).await;
    fake.answers(Answer::Takes);
    fake.seen();
    registrar.want(&key("y"), wanted(&["b"], &[]));
    seconds(2).await;
    assert_eq!(fake.seen(), ["+b v1", "+a v1"]);
}

#[tokio::test(start_paused = true)]
async fn after_something_new_waits_are_short_again() {
    let (registrar, fake) = stage();
    fake.answers(down());
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(600).await;
    fake.seen();
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(60).await;
    let gaps = gaps(&fake.seen_at());
    for (gap, highest) in gaps.iter().zip([2.0, 4.0, 8.0]) {
        assert!(gap.as_secs_f64() <= highest, "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_wanted_a_backend_that_is_down_is_asked_once_a_second_at_most() {
    let (registrar, fake) = stage();
    fake.answers(down());
    for turn in 0..600 {
        let version = turn.to_string();
        let changing = [("a".to_owned(), wish("a", &version))].into();
        registrar.want(&key("x"), Wanted { registered: changing, ..wanted(&[], &[]) });
        sleep(Duration::from_millis(100)).await;
    }
    let seen = fake.seen_at();
    assert!((55..=61).contains(&seen.len()), "{}", seen.len());
    assert!(gaps(&seen).iter().all(|gap| *gap >= Duration::from_secs(1)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn other_credentials_and_resources_that_come_and_go_do_not_ask_more_often_either() {
    let (registrar, fake) = stage();
    fake.answers(down());
    for turn in 0..600 {
        let backend = with_token(&format!("token-{}", turn % 3));
        registrar.want(&key("x"), Wanted { backend, ..wanted(&["a"], &[]) });
        sleep(Duration::from_millis(50)).await;
        registrar.forget(&key("x"));
        sleep(Duration::from_millis(50)).await;
    }
    let seen = fake.seen_at();
    assert!((10..=61).contains(&seen.len()), "{}", seen.len());
    assert!(gaps(&seen).iter().all(|gap| *gap >= Duration::from_secs(1)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn wanting_the_same_again_does_not_shorten_a_wait() {
    let (registrar, fake) = stage();
    fake.answers(down());
    for _ in 0..6000 {
        registrar.want(&key("x"), wanted(&["a"], &["b"]));
        sleep(Duration::from_millis(100)).await;
    }
    let calls = fake.seen().len();
    assert!(calls < 100, "{calls} calls in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_given_up_after_ten_seconds() {
    let (registrar, fake) = stage();
    fake.answers(Answer::Hangs);
    registrar.want(&key("x"), wanted(&["a"], &[]));
    sleep(Duration::from_millis(9_999)).await;
    assert_eq!(poked(&registrar), []);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(poked(&registrar), [key("x")]);
    let failure = Because::new(Reason::BackendUnreachable, "the backend did not answer within 10 s");
    assert_eq!(
        registrar.want(&key("x"), wanted(&["a"], &[])),
        Results { failure: Some(failure), ..Results::default() }
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_location_holds_up_no_other_and_is_tried_less_and_less_often() {
    let (registrar, fake) = stage();
    let refusal = failure(ErrorClass::Refused, Some(422), "HTTP 422: no such type");
    fake.plan(|plan| plan.answers.insert("a".into(), refusal));
    registrar.want(&key("x"), wanted(&["a", "b", "c"], &[]));
    seconds(600).await;
    let seen = fake.seen();
    assert_eq!(seen[..3], ["+a v1", "+b v1", "+c v1"]);
    assert!(seen[3..].iter().all(|call| call == "+a v1"), "{seen:?}");
    assert!((10..100).contains(&seen.len()), "{seen:?}");
    let failure = "the backend refused location a: HTTP 422: no such type";
    assert_eq!(
        registrar.want(&key("x"), wanted(&["a", "b", "c"], &[])),
        Results { failure: Some(Because::new(Reason::BackendError, failure)), ..results(&["b", "c"], &[]) }
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_other_words_changes_no_status() {
    let (registrar, fake) = stage();
    let refused = |text: &str| failure(ErrorClass::Refused, Some(422), text);
    fake.answers(refused("HTTP 422: request 1"));
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(60).await;
    assert_eq!(poked(&registrar), [key("x")]);
    fake.answers(refused("HTTP 422: request 2"));
    seconds(600).await;
    assert_eq!(poked(&registrar), []);
}

#[tokio::test(start_paused = true)]
async fn a_location_the_backend_always_fails_at_holds_up_no_other() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.answers.insert("a".into(), failure(ErrorClass::Busy, Some(500), "HTTP 500")));
    registrar.want(&key("x"), wanted(&["a", "b", "c"], &[]));
    seconds(10).await;
    assert_eq!(fake.seen()[..4], ["+a v1", "+b v1", "+c v1", "+a v1"]);
    let failure = Because::new(Reason::BackendError, "the backend answered 500 Internal Server Error");
    assert_eq!(
        registrar.want(&key("x"), wanted(&["a", "b", "c"], &[])),
        Results { failure: Some(failure), ..results(&["b", "c"], &[]) }
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_kept_up_to_a_minute_also_for_something_new() {
    let (registrar, fake) = stage();
    let busy = BackendError::new("frontend_register", ErrorClass::Busy, "HTTP 503");
    fake.answers(Answer::Fails(BackendError { status: Some(503), retry_after: Some(30), ..busy.clone() }));
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    fake.answers(Answer::Fails(BackendError { status: Some(503), retry_after: Some(86_400), ..busy }));
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(200).await;
    let times: Vec<u64> = fake.seen_at().iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 30, 90, 150]);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_is_called_and_they_are_read_again_later() {
    let (registrar, fake) = stage();
    let missing = Because::new(Reason::SecretUnreadable, "Secret sms/token does not exist");
    fake.plan(|plan| plan.unreadable = Some(missing.clone()));
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(600).await;
    assert_eq!(fake.seen(), [""; 0]);
    assert_eq!(poked(&registrar), [key("x")]);
    let opened = fake.plan(|plan| plan.opened);
    assert!((10..100).contains(&opened), "{opened}");
    assert_eq!(
        registrar.want(&key("x"), wanted(&["a", "b"], &[])),
        Results { failure: Some(missing), ..Results::default() }
    );
    fake.plan(|plan| plan.unreadable = None);
    seconds(61).await;
    assert_eq!(registrar.want(&key("x"), wanted(&["a", "b"], &[])), results(&["a", "b"], &[]));
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_has_stays_known_while_it_is_down() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    fake.answers(down());
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(10).await;
    let known = registrar.want(&key("x"), wanted(&[], &["a"]));
    assert_eq!(known, Results { failure: not_reached(), ..results(&["a"], &[]) });
    // Nothing is wanted of it any more, so nothing fails.
    assert_eq!(registrar.want(&key("x"), wanted(&[], &[])), results(&["a"], &[]));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_down_holds_up_no_other() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.answers.insert("a".into(), Answer::Hangs));
    registrar.want(&key("x"), wanted(&["a"], &[]));
    registrar.want(&key("y"), Wanted { backend: backend("http://other"), ..wanted(&["b"], &[]) });
    seconds(1).await;
    assert_eq!(poked(&registrar), [key("y")]);
}
