//! The ledger against a model of backends: whatever is wanted, in whatever order calls end and fail, no two calls about
//! one location meet, and once calls succeed the backends know exactly what is wanted.

use proptest::prelude::*;

use super::super::ledger::{Job, Ledger, Next, Round};
use super::super::record::Place;
use super::super::wording::Setback;
use super::*;

const URLS: [&str; 2] = [URL, "http://other"];
const TOKENS: [&str; 2] = ["one", "two"];
const OWNERS: [(&str, [&str; 2]); 2] = [("x", ["a", "b"]), ("y", ["c", "d"])];

/// Something happens.
#[derive(Debug, Clone)]
enum Step {
    /// An owner wants something at one of the URLs, with one of the tokens.
    Want {
        owner: usize,
        url: usize,
        token: usize,
        of: [Asked; 2],
    },
    Forget {
        owner: usize,
    },
    /// A task goes on: begins a round, takes a job or ends its round.
    Task {
        url: usize,
        token: usize,
    },
    /// One of the calls under way ends.
    End {
        which: prop::sample::Index,
        how: Ending,
    },
    Pass(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Nothing,
    Registered(u8),
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Success,
    /// The backend did as asked, but its answer was lost.
    DoneUnheard,
    NotReached,
    Refused,
}

fn step() -> impl Strategy<Value = Step> {
    let asked = prop_oneof![
        Just(Asked::Nothing),
        (0u8..2).prop_map(Asked::Registered),
        (0u8..2).prop_map(Asked::Registered),
        Just(Asked::Gone)
    ];
    let ending = prop_oneof![
        3 => Just(Ending::Success),
        1 => Just(Ending::DoneUnheard),
        1 => Just(Ending::NotReached),
        1 => Just(Ending::Refused)
    ];
    prop_oneof![
        2 => (0usize..2, 0usize..2, 0usize..2, [asked.clone(), asked])
            .prop_map(|(owner, url, token, of)| Step::Want { owner, url, token, of }),
        1 => (0usize..2).prop_map(|owner| Step::Forget { owner }),
        6 => (0usize..2, 0usize..2).prop_map(|(url, token)| Step::Task { url, token }),
        4 => (any::<prop::sample::Index>(), ending).prop_map(|(which, how)| Step::End { which, how }),
        2 => (0u64..70_000).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
    ]
}

/// A task at work.
struct Task {
    place: Arc<Place>,
    /// The round it is in.
    round: Option<Round>,
    under_way: Vec<Job>,
}

struct Model {
    ledger: Ledger,
    now: Instant,
    tasks: Vec<Task>,
    /// What each backend has: location and version.
    backends: BTreeMap<&'static str, BTreeMap<String, String>>,
    wants: BTreeMap<Key, Wanted>,
}

impl Model {
    fn new() -> Self {
        let pairs = URLS.iter().flat_map(|url| TOKENS.map(|token| (url, token)));
        let place = |(url, token): (&&str, &str)| Place {
            namespace: "sms".into(),
            backend: Backend { api_base_url: (*url).into(), ..with_token(token) },
        };
        let tasks =
            pairs.map(|pair| Task { place: Arc::new(place(pair)), round: None, under_way: Vec::new() });
        Self {
            ledger: Ledger::default(),
            now: Instant::now(),
            tasks: tasks.collect(),
            backends: URLS.map(|url| (url, BTreeMap::new())).into(),
            wants: BTreeMap::new(),
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Want { owner, url, token, of } => {
                let (name, locations) = OWNERS[owner];
                let backend = self.tasks[2 * url + token].place.backend.clone();
                let mut wanted = Wanted { backend, ..wanted(&[], &[]) };
                for (location, asked) in locations.into_iter().zip(of) {
                    match asked {
                        Asked::Nothing => {}
                        Asked::Registered(version) => {
                            let wish = wish(location, &version.to_string());
                            wanted.registered.insert(location.into(), wish);
                        }
                        Asked::Gone => {
                            wanted.gone.insert(location.into());
                        }
                    }
                }
                self.ledger.want(&key(name), wanted.clone(), self.now);
                self.wants.insert(key(name), wanted);
            }
            Step::Forget { owner } => {
                let key = key(OWNERS[owner].0);
                self.ledger.forget(&key);
                self.wants.remove(&key);
            }
            Step::Task { url, token } => {
                self.go_on(2 * url + token);
            }
            Step::End { which, how } => {
                let busy: Vec<usize> =
                    (0..4).filter(|&task| !self.tasks[task].under_way.is_empty()).collect();
                if !busy.is_empty() {
                    self.end(busy[which.index(busy.len())], which.index(99), how);
                }
            }
            Step::Pass(time) => self.now += time,
        }
        let calls = self.tasks.iter().flat_map(|task| {
            let url = &task.place.backend.api_base_url;
            task.under_way.iter().map(move |job| (url, &job.location))
        });
        let distinct: BTreeSet<_> = calls.clone().collect();
        assert_eq!(distinct.len(), calls.count(), "two calls about one location");
    }

    /// True if the task has something to do.
    fn go_on(&mut self, task: usize) -> bool {
        let quiet = self.tasks.iter().all(|task| task.under_way.is_empty());
        let Self { ledger, now, tasks, .. } = self;
        let Task { place, round, under_way } = &mut tasks[task];
        if round.is_none() {
            match ledger.next(place, *now) {
                Next::Round => *round = Some(Round::default()),
                Next::Wait(until) => {
                    assert!(until.is_some() || !quiet, "a task waits for nothing");
                    return true;
                }
                Next::End => return false,
            }
        }
        match ledger.take(place) {
            Some(job) => under_way.push(job),
            None if under_way.is_empty() => {
                ledger.close(place, round.take().unwrap_or_default(), *now, u64::MAX);
            }
            None => {}
        }
        true
    }

    fn end(&mut self, task: usize, which: usize, how: Ending) {
        let Self { ledger, tasks, backends, .. } = self;
        let Task { place, round, under_way } = &mut tasks[task];
        let job = under_way.swap_remove(which % under_way.len());
        let has = backends.get_mut(place.backend.api_base_url.as_str()).unwrap();
        if matches!(how, Ending::Success | Ending::DoneUnheard) {
            match job.call() {
                Call::Register(told) => has.insert(told.frontend_name, told.version),
                Call::Deregister(location) => has.remove(&location),
            };
        }
        let error = |class, status| {
            let error = BackendError { status, ..BackendError::new("op", class, "") };
            Setback::of(&error, &job.location)
        };
        let round = round.as_mut().unwrap();
        let failure = match how {
            Ending::Success => None,
            Ending::DoneUnheard => Some(error(ErrorClass::Timeout, None)),
            Ending::NotReached => Some(error(ErrorClass::Unreachable, None)),
            Ending::Refused => Some(error(ErrorClass::Refused, Some(422))),
        };
        ledger.settle(job, failure.as_ref().map_or(Ok(()), Err));
        match how {
            Ending::Success => round.succeeded = true,
            Ending::Refused => round.refused = true,
            Ending::DoneUnheard | Ending::NotReached => round.failed = failure,
        }
    }

    /// Every call succeeds until no task has anything to do.
    fn finish(&mut self) {
        for _ in 0..100 {
            self.now += Duration::from_secs(61);
            for task in 0..4 {
                while !self.tasks[task].under_way.is_empty() {
                    self.end(task, 0, Ending::Success);
                }
            }
            let working = (0..4).filter(|&task| self.go_on(task)).count();
            if working == 0 {
                return;
            }
        }
        panic!("tasks do not come to an end");
    }
}

proptest! {
    #[test]
    fn backends_know_what_is_wanted_once_calls_succeed(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
        }
        model.finish();
        for (key, wanted) in model.wants.clone() {
            let has = &model.backends[wanted.backend.api_base_url.as_str()];
            for (location, wish) in &wanted.registered {
                prop_assert_eq!(has.get(location), Some(&wish.registration.version), "{}", location);
            }
            for location in &wanted.gone {
                prop_assert_eq!(has.get(location), None, "{}", location);
            }
            let known = model.ledger.want(&key, wanted.clone(), model.now);
            prop_assert!(wanted.registered.keys().all(|location| known.registered.contains(location)));
            prop_assert!(wanted.gone.is_disjoint(&known.registered));
            prop_assert_eq!((known.gone, known.failure), (wanted.gone, None));
        }
        // Wanting the same again gave nothing to do.
        prop_assert!((0..4).all(|task| !model.go_on(task)));
    }
}
