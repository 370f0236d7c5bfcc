//! Backends that work: what they are told, how often, in which order.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_location_is_told_once_and_again_only_when_there_is_something_new() {
    let (registrar, fake) = stage();
    let first = wanted(&["a", "b"], &[]);
    assert_eq!(registrar.want(&key("x"), first.clone()), Results::default());
    seconds(1).await;
    assert_eq!(fake.seen(), ["+a v1", "+b v1"]);
    assert_eq!(poked(&registrar), [key("x")]);

    let mut older = first.clone();
    older.registered.get_mut("a").unwrap().registration.uptime_seconds = 3600;
    assert_eq!(registrar.want(&key("x"), older), results(&["a", "b"], &[]));
    seconds(3600).await;
    assert_eq!((fake.seen(), poked(&registrar)), (vec![], vec![]));

    let mut changed = first.clone();
    changed.registered.insert("a".into(), wish("a", "v2"));
    assert_eq!(registrar.want(&key("x"), changed.clone()), results(&["a", "b"], &[]));
    seconds(1).await;
    assert_eq!(fake.seen(), ["+a v2"]);

    changed.registered.get_mut("b").unwrap().incarnation = "pod-2".into();
    registrar.want(&key("x"), changed);
    seconds(1).await;
    assert_eq!(fake.seen(), ["+b v1"]);
}

#[tokio::test(start_paused = true)]
async fn another_url_is_told_everything_and_another_token_nothing() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    let other_token = Wanted { backend: with_token("new"), ..wanted(&["a"], &[]) };
    assert_eq!(registrar.want(&key("x"), other_token), results(&["a"], &[]));
    let other_url = Wanted { backend: backend("http://other"), ..wanted(&["a"], &[]) };
    assert_eq!(registrar.want(&key("x"), other_url.clone()), Results::default());
    seconds(1).await;
    assert_eq!(fake.seen(), ["+a v1", "http://other +a v1"]);
    assert_eq!(registrar.want(&key("x"), other_url), results(&["a"], &[]));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_taken_away_once_and_told_again_when_it_comes_back() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(1).await;
    let before = registrar.want(&key("x"), wanted(&["a"], &["b"]));
    assert_eq!(before, results(&["a", "b"], &[]));
    seconds(1).await;
    assert_eq!(registrar.want(&key("x"), wanted(&["a"], &["b"])), results(&["a"], &["b"]));
    seconds(3600).await;
    assert_eq!(fake.seen(), ["+a v1", "+b v1", "-b"]);

    assert_eq!(registrar.want(&key("x"), wanted(&["a", "b"], &[])), results(&["a"], &[]));
    seconds(1).await;
    assert_eq!(fake.seen(), ["+b v1"]);
    assert_eq!(registrar.want(&key("x"), wanted(&["a", "b"], &[])), results(&["a", "b"], &[]));
}

#[tokio::test(start_paused = true)]
async fn a_location_in_neither_set_is_left_alone_and_its_result_stays() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(1).await;
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(3600).await;
    assert_eq!(fake.seen(), ["+a v1", "+b v1"]);
    assert_eq!(registrar.want(&key("x"), wanted(&["a"], &[])), results(&["a", "b"], &[]));
    // Its pod was not replaced: it is Ready again.
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(1).await;
    assert_eq!(fake.seen(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deregister_waits_for_the_register_under_way_and_the_other_way_round() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(5));
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(6).await;
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(30).await;
    let at = Duration::from_secs;
    assert_eq!(
        fake.seen_at(),
        [(at(0), "+a v1".to_owned()), (at(5), "-a".to_owned()), (at(10), "+a v1".to_owned())]
    );
    assert_eq!(registrar.want(&key("x"), wanted(&["a"], &[])), results(&["a"], &[]));
}

#[tokio::test(start_paused = true)]
async fn calls_of_two_resources_about_one_location_do_not_overtake_each_other_either() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(5));
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(1).await;
    registrar.forget(&key("x"));
    let elsewhere = Key { namespace: "other".into(), name: "y".into() };
    registrar.want(&elsewhere, wanted(&["a"], &[]));
    seconds(30).await;
    let at = Duration::from_secs;
    assert_eq!(fake.seen_at(), [(at(0), "-a".to_owned()), (at(5), "+a v1".to_owned())]);
    assert_eq!(poked(&registrar), [elsewhere]);
}

#[tokio::test(start_paused = true)]
async fn a_location_that_comes_back_is_told_even_if_its_deregister_seemed_to_fail() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    // It may have been carried out all the same.
    fake.answers(Answer::Hangs);
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(1).await;
    fake.answers(Answer::Takes);
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(30).await;
    assert_eq!(fake.seen(), ["+a v1", "-a", "+a v1"]);
}

#[tokio::test(start_paused = true)]
async fn a_location_let_go_told_and_gone_again_is_taken_away_again() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(1).await;
    fake.plan(|plan| plan.takes = Duration::from_secs(5));
    registrar.want(&key("x"), wanted(&["a"], &[]));
    seconds(1).await;
    assert_eq!(registrar.want(&key("x"), wanted(&[], &["a"])), Results::default());
    seconds(20).await;
    assert_eq!(fake.seen(), ["-a", "+a v1", "-a"]);
    assert_eq!(registrar.want(&key("x"), wanted(&[], &["a"])), results(&[], &["a"]));
}

#[tokio::test(start_paused = true)]
async fn one_call_goes_first_and_then_four_at_once() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(1));
    let locations = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    registrar.want(&key("x"), wanted(&locations, &[]));
    seconds(10).await;
    let times: Vec<u64> = fake.seen_at().iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(fake.plan(|plan| plan.most_under_way), 4);
}

#[tokio::test(start_paused = true)]
async fn of_many_namespaces_with_one_backend_four_call_at_once() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(1));
    let elsewhere = |number: usize| Key { namespace: format!("sms-{number}"), name: "x".into() };
    for number in 0..10 {
        registrar.want(&elsewhere(number), wanted(&[&format!("l{number}")], &[]));
    }
    registrar.want(&key("x"), Wanted { backend: backend("http://other"), ..wanted(&["a"], &[]) });
    seconds(10).await;
    let times: Vec<u64> = fake.seen_at().iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
    assert_eq!(poked(&registrar).len(), 11);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_for_a_resource_that_went_before_its_turn() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(1));
    let elsewhere = |number: usize| Key { namespace: format!("sms-{number}"), name: "x".into() };
    for number in 0..5 {
        registrar.want(&elsewhere(number), wanted(&[&format!("l{number}")], &[]));
    }
    sleep(Duration::from_millis(500)).await;
    registrar.forget(&elsewhere(4));
    seconds(10).await;
    assert_eq!(fake.plan(|plan| (plan.opened, plan.sessions.len())), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn credentials_are_read_once_for_a_round_and_again_for_the_next() {
    let (registrar, fake) = stage();
    registrar.want(&key("x"), wanted(&["a", "b", "c"], &[]));
    registrar.want(&key("y"), wanted(&["d"], &[]));
    seconds(1).await;
    registrar.want(&key("x"), wanted(&["a", "b", "c"], &["e"]));
    seconds(3600).await;
    assert_eq!(fake.plan(|plan| (plan.opened, plan.sessions.clone())), (2, vec![1, 1, 1, 1, 2]));
}

#[tokio::test(start_paused = true)]
async fn credentials_older_than_ten_seconds_are_read_again_although_calls_are_left() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(6));
    registrar.want(&key("x"), wanted(&["a", "b", "c", "d", "e", "f"], &[]));
    seconds(60).await;
    assert_eq!(fake.plan(|plan| plan.sessions.clone()), [1, 1, 1, 1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_for_a_resource_that_is_gone() {
    let (registrar, fake) = stage();
    fake.plan(|plan| plan.takes = Duration::from_secs(5));
    registrar.want(&key("x"), wanted(&["a", "b"], &[]));
    seconds(1).await;
    registrar.forget(&key("x"));
    seconds(3600).await;
    assert_eq!((fake.seen(), poked(&registrar)), (vec!["+a v1".to_owned()], vec![]));
    // A new one of that name starts from nothing.
    assert_eq!(registrar.want(&key("x"), wanted(&["a"], &[])), Results::default());
    seconds(6).await;
    assert_eq!(fake.seen(), ["+a v1"]);
}

#[tokio::test(start_paused = true)]
async fn tasks_end_when_nothing_is_due_and_with_the_registrar() {
    let (registrar, fake) = stage();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    registrar.want(&key("x"), wanted(&["a"], &[]));
    registrar.want(&key("y"), Wanted { backend: backend("http://other"), ..wanted(&["b"], &[]) });
    assert_eq!(tasks(), before + 2);
    seconds(1).await;
    assert_eq!(tasks(), before);
    fake.answers(Answer::Hangs);
    registrar.want(&key("x"), wanted(&[], &["a"]));
    seconds(1).await;
    assert_eq!(tasks(), before + 1);
    drop(registrar);
    seconds(1).await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn only_resources_whose_results_changed_are_poked_and_each_once() {
    let (registrar, _fake) = stage();
    registrar.want(&key("x"), wanted(&["a", "b", "c"], &[]));
    registrar.want(&key("y"), wanted(&["d"], &[]));
    registrar.want(&key("z"), wanted(&[], &[]));
    seconds(1).await;
    assert_eq!(poked(&registrar), [key("x"), key("y")]);
    assert_eq!(poked(&registrar), []);
}

#[tokio::test(start_paused = true)]
async fn a_poke_wakes_whoever_waits_for_it() {
    let (registrar, _fake) = stage();
    let waiting = tokio::spawn(registrar.pokes().take(2).collect::<Vec<Key>>());
    seconds(1).await;
    registrar.want(&key("x"), wanted(&["a"], &[]));
    registrar.want(&key("y"), wanted(&["b"], &[]));
    assert_eq!(waiting.await.unwrap(), [key("x"), key("y")]);
}
