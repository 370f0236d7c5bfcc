//! The registrar in a world of the test's own, in virtual time.

mod failing;
mod model;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use smsc_backend::{BackendError, ErrorClass, FrontendRegistration};
use smsc_crds::{Backend, Endpoints, KeyReference};
use tokio::time::{Instant, sleep};

use super::{Call, Key, Registrar, Results, Wanted, Wish, World};
use crate::metrics::Metrics;
use crate::status::{Because, Reason};

/// What the backend does with a call.
#[derive(Debug, Clone)]
enum Answer {
    Takes,
    Fails(BackendError),
    /// Never answers.
    Hangs,
}

/// What the fake backends do and what they saw.
#[derive(Default)]
struct Plan {
    /// By location; others are taken.
    answers: BTreeMap<String, Answer>,
    /// For locations without an answer of their own.
    otherwise: Option<Answer>,
    /// How long a call takes.
    takes: Duration,
    /// Why credentials cannot be read.
    unreadable: Option<Because>,
    /// When, to which URL, and what.
    seen: Vec<(Duration, String)>,
    /// Credentials read, and with whose calls were made.
    opened: usize,
    sessions: Vec<usize>,
    under_way: BTreeSet<String>,
    most_under_way: usize,
}

#[derive(Clone)]
struct Fake {
    begun: Instant,
    plan: Arc<Mutex<Plan>>,
}

impl Fake {
    fn plan<T>(&self, look: impl FnOnce(&mut Plan) -> T) -> T {
        look(&mut self.plan.lock().unwrap())
    }

    /// Changes what the backend answers to everything.
    fn answers(&self, answer: Answer) {
        self.plan(|plan| plan.otherwise = Some(answer));
    }

    /// What was seen since the last look, without times.
    fn seen(&self) -> Vec<String> {
        self.seen_at().into_iter().map(|(_, what)| what).collect()
    }

    fn seen_at(&self) -> Vec<(Duration, String)> {
        self.plan(|plan| std::mem::take(&mut plan.seen))
    }
}

impl World for Fake {
    type Session = (usize, String);

    async fn open(&self, _: &str, backend: &Backend) -> Result<Self::Session, Because> {
        self.plan(|plan| {
            plan.opened += 1;
            let session = (plan.opened, backend.api_base_url.clone());
            plan.unreadable.clone().map_or(Ok(session), Err)
        })
    }

    async fn call(&self, (session, url): &Self::Session, call: Call) -> Result<(), BackendError> {
        let (location, what) = match &call {
            Call::Register(told) => {
                let FrontendRegistration { frontend_name, version, .. } = told;
                (frontend_name.clone(), format!("+{frontend_name} {version}"))
            }
            Call::Deregister(location) => (location.clone(), format!("-{location}")),
        };
        let place = format!("{url} {location}");
        let (answer, takes) = self.plan(|plan| {
            let at = self.begun.elapsed();
            plan.seen.push((at, if url == URL { what } else { format!("{url} {what}") }));
            plan.sessions.push(*session);
            assert!(plan.under_way.insert(place.clone()), "{place}: two calls at once");
            plan.most_under_way = plan.most_under_way.max(plan.under_way.len());
            let answer = plan.answers.get(&location).or(plan.otherwise.as_ref());
            (answer.cloned().unwrap_or(Answer::Takes), plan.takes)
        });
        // A call that is given up ends here.
        let _end = End(self, place);
        match answer {
            Answer::Hangs => std::future::pending().await,
            Answer::Takes => {
                sleep(takes).await;
                Ok(())
            }
            Answer::Fails(error) => {
                sleep(takes).await;
                Err(error)
            }
        }
    }
}

struct End<'a>(&'a Fake, String);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.plan(|plan| plan.under_way.remove(&self.1));
    }
}

const URL: &str = "http://backend";

/// A registrar and its world.
fn stage() -> (Registrar<Fake>, Fake) {
    let fake = Fake { begun: Instant::now(), plan: Arc::default() };
    (Registrar::of(fake.clone(), Arc::new(Metrics::default())), fake)
}

fn key(name: &str) -> Key {
    Key { namespace: "sms".into(), name: name.into() }
}

fn backend(url: &str) -> Backend {
    Backend { api_base_url: url.into(), tls: None, token_secret_ref: None, endpoints: Endpoints::default() }
}

/// The backend at [`URL`] with a token of its own Secret.
fn with_token(secret: &str) -> Backend {
    let token = KeyReference { name: secret.into(), key: "token".into() };
    Backend { token_secret_ref: Some(token), ..backend(URL) }
}

fn wish(location: &str, version: &str) -> Wish {
    let registration = FrontendRegistration {
        frontend_name: location.into(),
        frontend_type: "IMS".into(),
        hostname: location.into(),
        ip_address: "192.0.2.1".into(),
        version: version.into(),
        uptime_seconds: 0,
        expires_in: 90,
        configuration: BTreeMap::new(),
    };
    Wish { registration, incarnation: "pod-1".into() }
}

/// `locations` told with their first version.
fn wanted(locations: &[&str], gone: &[&str]) -> Wanted {
    Wanted {
        backend: backend(URL),
        registered: locations.iter().map(|one| ((*one).to_owned(), wish(one, "v1"))).collect(),
        gone: set(gone),
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn results(registered: &[&str], gone: &[&str]) -> Results {
    Results { registered: set(registered), gone: set(gone), failure: None }
}

fn failure(class: ErrorClass, status: Option<u16>, detail: &str) -> Answer {
    Answer::Fails(BackendError { status, ..BackendError::new("frontend_register", class, detail) })
}

fn down() -> Answer {
    failure(ErrorClass::Unreachable, None, "tcp connect error: Connection refused (os error 111)")
}

fn not_reached() -> Option<Because> {
    Some(Because::new(Reason::BackendUnreachable, "the backend was not reached: connection refused"))
}

/// Keys poked so far.
fn poked<W: World>(registrar: &Registrar<W>) -> Vec<Key> {
    let mut pokes = std::pin::pin!(registrar.pokes());
    std::iter::from_fn(|| pokes.next().now_or_never().flatten()).collect()
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}
