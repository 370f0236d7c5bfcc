//! What is wanted, what is known, and when to try again. Pure: no calls, no clock, no chance.
//!
//! A *job* is a call that is due: a location to be told to a backend, or to be taken away. Of the same location at the
//! same URL at most one job is under way, whoever wants it, so a register and a deregister never overtake each other.
//! A *round* is what a task does with the credentials it read once: each job at most once, the one that waits longest
//! first, so that a location that always fails does not keep others waiting.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};

use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::backoff::{Backoff, CEILING, FLOOR};
use super::record::{Errand, Place, Record, asked};
use super::wording::{Scope, Setback};
use super::world::{Call, TASKS_AT_ONCE};
use super::{Key, Results, Wanted, Wish};
use crate::status::Because;

/// Everything that tasks and reconciles share.
#[derive(Default)]
pub(super) struct Ledger {
    records: HashMap<Key, Record>,
    /// One for each task: there while something is due.
    courses: HashMap<Arc<Place>, Course>,
    /// URL and location of calls under way.
    busy: HashSet<(String, String)>,
    /// Tasks all of whose jobs wait for another task's call.
    blocked: Vec<Arc<Notify>>,
    /// URLs that failed, and until when a new task leaves them alone too.
    holds: HashMap<String, Instant>,
    /// URLs, and how many more tasks may call there now.
    turns: HashMap<String, Weak<Semaphore>>,
    /// Calls so far.
    calls: u64,
    /// Rounds so far, of all tasks.
    rounds: u64,
}

/// What is kept of a task.
struct Course {
    /// Resources that something is due for.
    members: BTreeSet<Key>,
    backoff: Backoff,
    /// When the next round may begin.
    due: Instant,
    /// When it may begin if something new is wanted.
    floor: Instant,
    /// Why the backend as a whole does not answer.
    failing: Option<Because>,
    round: u64,
    signals: Signals,
    task: Option<AbortHandle>,
}

/// What a task waits for.
#[derive(Clone)]
pub(super) struct Signals {
    /// There is something to look at.
    pub(super) wake: Arc<Notify>,
    /// To be held during a round.
    pub(super) turns: Arc<Semaphore>,
}

/// A call to be made now. To be given back to [`Ledger::settle`].
#[derive(Debug)]
pub(super) struct Job {
    key: Key,
    place: Arc<Place>,
    pub(super) location: String,
    /// Absent: it is to be taken away.
    wish: Option<Wish>,
}

impl Job {
    /// The call.
    pub(super) fn call(&self) -> Call {
        match &self.wish {
            Some(wish) => Call::Register(wish.registration.clone()),
            None => Call::Deregister(self.location.clone()),
        }
    }
}

/// What a task is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing is due any more: the task is over.
    End,
    /// Wait to be woken, or until then.
    Wait(Option<Instant>),
    /// Read credentials and make the calls that [`Ledger::take`] gives.
    Round,
}

/// What a round came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// A call succeeded.
    pub(super) succeeded: bool,
    /// A location was refused.
    pub(super) refused: bool,
    /// The backend as a whole failed: its latest failure.
    pub(super) failed: Option<Setback>,
}

impl Ledger {
    /// Replaces what `key` wants; returns what is known.
    pub(super) fn want(&mut self, key: &Key, wanted: Wanted, now: Instant) -> Results {
        let place = Place { namespace: key.namespace.clone(), backend: wanted.backend.clone() };
        let known = self.courses.get_key_value(&place).map(|(place, _)| place.clone());
        let place = known.unwrap_or_else(|| Arc::new(place));
        let mut fresh = !self.records.contains_key(key);
        let record = self.records.entry(key.clone()).or_insert_with(|| Record {
            place: place.clone(),
            wanted: wanted.clone(),
            entries: BTreeMap::new(),
            published: Results::default(),
        });
        if record.place != place {
            if record.place.site() != place.site() {
                record.entries.clear();
            }
            fresh = true;
            let left = std::mem::replace(&mut record.place, place.clone());
            self.leave(&left, key);
        }
        let Some(record) = self.records.get_mut(key) else { return Results::default() };
        let before = std::mem::replace(&mut record.wanted, wanted);
        let Record { wanted, entries, .. } = record;
        entries.retain(|location, entry| {
            let Wanted { backend: _, registered, gone } = &*wanted;
            entry.taken || registered.contains_key(location) || gone.contains(location)
        });
        let new =
            |(location, errand): (&String, Errand<'_>)| fresh || asked(&before, location) != Some(errand);
        let (any, news) = record.due().fold((false, false), |(_, news), job| (true, news || new(job)));
        if any {
            self.join(place, key, news, now);
        } else {
            self.leave(&place, key);
        }
        self.publish(key);
        self.records.get(key).map(|record| record.published.clone()).unwrap_or_default()
    }

    /// Forgets what `key` wanted and what is known.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(record) = self.records.remove(key) {
            self.leave(&record.place, key);
        }
    }

    /// Places that need a task.
    pub(super) fn to_start(&self) -> Vec<(Arc<Place>, Signals)> {
        let waiting = self.courses.iter().filter(|(_, course)| course.task.is_none());
        waiting.map(|(place, course)| (place.clone(), course.signals.clone())).collect()
    }

    /// A task works at `place` from now on.
    pub(super) fn started(&mut self, place: &Place, task: AbortHandle) {
        if let Some(course) = self.courses.get_mut(place) {
            course.task = Some(task);
        }
    }

    /// Ends all tasks.
    pub(super) fn abort(&mut self) {
        self.courses.drain().filter_map(|(_, course)| course.task).for_each(|task| task.abort());
    }

    /// What the task at `place` is to do next. To be asked between rounds only.
    pub(super) fn next(&mut self, place: &Place, now: Instant) -> Next {
        let Some(course) = self.courses.get_mut(place) else { return Next::End };
        if course.members.is_empty() {
            self.courses.remove(place);
            return Next::End;
        }
        if course.due > now {
            return Next::Wait(Some(course.due));
        }
        self.rounds += 1;
        course.round = self.rounds;
        if self.longest_waiting(place).is_some() {
            return Next::Round;
        }
        // Every job waits for a call of another task; whoever settles it wakes this one.
        if let Some(course) = self.courses.get(place)
            && !self.blocked.iter().any(|wake| Arc::ptr_eq(wake, &course.signals.wake))
        {
            self.blocked.push(course.signals.wake.clone());
        }
        Next::Wait(None)
    }

    /// The next call of this round. From now on nobody knows what the backend has of that location.
    pub(super) fn take(&mut self, place: &Arc<Place>) -> Option<Job> {
        let (key, location) = self.longest_waiting(place)?;
        let round = self.courses.get(place)?.round;
        let record = self.records.get_mut(&key)?;
        let wish = match asked(&record.wanted, &location)? {
            Errand::Register(wish) => Some(wish.clone()),
            Errand::Deregister => None,
        };
        self.calls += 1;
        let entry = record.entries.entry(location.clone()).or_default();
        entry.told = None;
        entry.let_go = false;
        entry.tried = self.calls;
        entry.round = round;
        self.busy.insert((place.backend.api_base_url.clone(), location.clone()));
        Some(Job { key, place: place.clone(), location, wish })
    }

    /// Writes down what came of a call. Returns whose results changed, and whether a refusal is news.
    pub(super) fn settle(&mut self, job: Job, outcome: Result<(), &Setback>) -> (Option<Key>, bool) {
        let Job { key, place, location, wish } = job;
        self.busy.remove(&(place.backend.api_base_url.clone(), location.clone()));
        self.blocked.drain(..).for_each(|wake| wake.notify_one());
        // A resource made anew under the same name learns from its predecessor's call too.
        let record = self.records.get_mut(&key);
        let Some(record) = record.filter(|record| record.place.site() == place.site()) else {
            return (None, false);
        };
        let mut news = false;
        match (outcome, wish) {
            (Ok(()), Some(wish)) => {
                let entry = record.entries.entry(location).or_default();
                (entry.taken, entry.told, entry.failure) = (true, Some(wish), None);
            }
            (Ok(()), None) => {
                if let Some(entry) = record.entries.get_mut(&location) {
                    (entry.taken, entry.let_go, entry.failure) = (false, true, None);
                }
            }
            (Err(Setback { because, scope: Scope::Location(status), .. }), _) => {
                if let Some(entry) = record.entries.get_mut(&location) {
                    // The same refusal in other words (it may name a request) is the same refusal.
                    news = entry.failure.as_ref().is_none_or(|(before, _)| before != status);
                    if news {
                        entry.failure = Some((*status, because.clone()));
                    }
                }
            }
            (Err(Setback { scope: Scope::Backend, .. }), _) => {}
        }
        if record.due().next().is_none() {
            let place = record.place.clone();
            self.leave(&place, &key);
        }
        (self.publish(&key).then_some(key), news)
    }

    /// Ends a round: when the next may begin. Returns whose results changed, and whether the failure is news.
    pub(super) fn close(
        &mut self,
        place: &Place,
        round: Round,
        now: Instant,
        chance: u64,
    ) -> (Vec<Key>, bool) {
        let Some(course) = self.courses.get_mut(place) else { return (Vec::new(), false) };
        let Round { succeeded, refused, failed } = round;
        if succeeded {
            course.backoff.reset();
        }
        if refused || failed.is_some() {
            let asked = failed.as_ref().and_then(|failed| failed.retry_after).unwrap_or_default();
            course.floor = now + FLOOR.max(asked.min(CEILING));
            course.due = course.floor.max(now + course.backoff.failed(chance));
            self.holds.retain(|_, until| *until > now);
            self.holds.insert(place.backend.api_base_url.clone(), course.floor);
        }
        let failing = failed.map(|failed| failed.because);
        let news = failing.is_some() && course.failing != failing;
        course.failing = failing;
        let members: Vec<Key> = course.members.iter().cloned().collect();
        (members.into_iter().filter(|key| self.publish(key)).collect(), news)
    }

    /// Something is due for `key` at `place`.
    fn join(&mut self, place: Arc<Place>, key: &Key, news: bool, now: Instant) {
        let Self { courses, holds, turns, .. } = self;
        let url = place.backend.api_base_url.clone();
        let course = courses.entry(place).or_insert_with(|| {
            let held = holds.get(&url).copied().unwrap_or(now).max(now);
            Course {
                members: BTreeSet::new(),
                backoff: Backoff::default(),
                due: held,
                floor: held,
                failing: None,
                round: 0,
                signals: Signals { wake: Arc::default(), turns: turns_at(turns, url) },
                task: None,
            }
        });
        course.members.insert(key.clone());
        if news {
            course.backoff.reset();
            course.due = course.due.min(course.floor.max(now));
            course.signals.wake.notify_one();
        }
    }

    /// Nothing is due for `key` at `place` any more.
    fn leave(&mut self, place: &Place, key: &Key) {
        if let Some(course) = self.courses.get_mut(place)
            && course.members.remove(key)
            && course.members.is_empty()
        {
            course.signals.wake.notify_one();
        }
    }

    /// Whose location of those at `place` waits longest, has not been called in this round, and can be called now.
    fn longest_waiting(&self, place: &Place) -> Option<(Key, String)> {
        let Course { members, round, .. } = self.courses.get(place)?;
        let url = &place.backend.api_base_url;
        let mut first: Option<(u64, &Key, &String)> = None;
        for key in members {
            let Some(record) = self.records.get(key) else { continue };
            for (location, _) in record.due() {
                let (tried, in_round) =
                    record.entries.get(location).map_or((0, 0), |entry| (entry.tried, entry.round));
                let waits = in_round != *round && first.is_none_or(|(earliest, ..)| tried < earliest);
                if waits && !self.busy.contains(&(url.clone(), location.clone())) {
                    first = Some((tried, key, location));
                }
            }
        }
        first.map(|(_, key, location)| (key.clone(), location.clone()))
    }

    /// Brings what the reconcile of `key` knows up to date; true if that changed.
    fn publish(&mut self, key: &Key) -> bool {
        let Some(record) = self.records.get_mut(key) else { return false };
        let failing = self
            .courses
            .get(&record.place)
            .filter(|course| course.members.contains(key))
            .and_then(|course| course.failing.as_ref());
        let results = record.results(failing);
        let changed = results != record.published;
        record.published = results;
        changed
    }
}

/// The turns of all tasks at `url`; those of URLs without a task are let go.
fn turns_at(turns: &mut HashMap<String, Weak<Semaphore>>, url: String) -> Arc<Semaphore> {
    if let Some(found) = turns.get(&url).and_then(Weak::upgrade) {
        return found;
    }
    turns.retain(|_, turns| turns.strong_count() > 0);
    let made = Arc::new(Semaphore::new(TASKS_AT_ONCE));
    turns.insert(url, Arc::downgrade(&made));
    made
}
