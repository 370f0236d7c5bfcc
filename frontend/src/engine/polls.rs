//! Polling the backend's queue: on a timer, and at once on an event (design §7).

use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashMap;
use smsc_backend::QueuedMessage;

use super::handsets::{HOUR, Row};
use super::register::backoff;
use super::{Answered, Call, Engine, Now, Pending, Reply, Timer};

/// The locations this pod polls.
#[derive(Debug, Default)]
pub(super) struct Polls {
    by_location: FxHashMap<Arc<str>, Poll>,
    /// Locations that were written out in the last hour, and when: reports on their messages may still come here.
    left: FxHashMap<Arc<str>, Instant>,
}

impl Polls {
    /// True if some queue may yet show what is done meanwhile.
    pub(super) fn any_in_flight(&self) -> bool {
        self.by_location.values().any(|poll| poll.in_flight.is_some())
    }

    /// The locations that were written out in the hour before `now`, in which a token is accepted.
    pub(super) fn left(&self, now: Instant) -> impl Iterator<Item = &Arc<str>> {
        self.left.iter().filter(move |(_, at)| is_recent(now, **at)).map(|(location, _)| location)
    }
}

#[derive(Debug, Default)]
struct Poll {
    /// Tells this polling from an earlier one of the same location.
    epoch: u64,
    /// Sequence number at which the call in flight was made.
    in_flight: Option<u64>,
    limit: u32,
    /// Rows of the last answer that were left to the backend: they must not hide those behind them.
    left: u32,
    /// An event came while a call was in flight, or too soon after one.
    wanted: bool,
    scheduled: bool,
    last: Option<Instant>,
    /// Everything that waited when this pod began to poll has been seen.
    caught_up: bool,
    failures: u32,
}

impl Poll {
    /// Has a poll follow the one that is under way or due, if there is one.
    fn put_off(&mut self) -> bool {
        let busy = self.in_flight.is_some() || self.scheduled;
        self.wanted |= busy;
        busy
    }
}

fn is_recent(now: Instant, at: Instant) -> bool {
    now.saturating_duration_since(at) < HOUR
}

impl Engine {
    /// Starts and stops polling as `polling.locations` says.
    pub(super) fn follow_polled_locations(&mut self, now: Now) {
        let settings = self.settings.clone();
        let polled = |location: &str| settings.polled.iter().any(|polled| polled == location);
        self.polls.left.retain(|location, at| is_recent(now.mono, *at) && !polled(location));
        let gone: Vec<Arc<str>> =
            self.polls.by_location.keys().filter(|location| !polled(location)).cloned().collect();
        for location in &gone {
            self.polls.by_location.remove(location);
            self.polls.left.insert(location.clone(), now.mono);
        }
        if !gone.is_empty() {
            // Whoever polls the location from now on will send them.
            self.release_unattempted(now, "the location is no longer polled here", |l| !polled(l));
        }
        for polled in &settings.polled {
            if !self.polls.by_location.contains_key(polled.as_str()) {
                let location: Arc<str> = Arc::from(polled.as_str());
                let epoch = self.next();
                self.polls.by_location.insert(location.clone(), Poll { epoch, ..Poll::default() });
                self.schedule.set(now.mono, Timer::Poll { location, epoch, timer: true });
            }
        }
    }

    /// An event made it likely that a queue has something: poll all locations, coalesced.
    pub(super) fn poll_all_soon(&mut self, now: Now) {
        let idle = self.polls.by_location.iter_mut().filter_map(|(location, poll)| {
            let busy = poll.put_off();
            (!busy).then(|| location.clone())
        });
        for location in idle.collect::<Vec<_>>() {
            self.poll_soon(now, &location);
        }
    }

    /// The backend says that this location has rows due.
    pub fn wake(&mut self, now: Now, location: &str) {
        self.poll_soon(now, location);
        self.drain_events(now);
    }

    fn poll_soon(&mut self, now: Now, location: &str) {
        if self.draining {
            return;
        }
        let Some((location, _)) = self.polls.by_location.get_key_value(location) else { return };
        let location = location.clone();
        let Some(poll) = self.polls.by_location.get_mut(&location) else { return };
        if poll.put_off() {
            return;
        }
        let at = poll.last.map_or(now.mono, |last| now.mono.max(last + self.settings.timers.poll_gap));
        if at > now.mono {
            poll.scheduled = true;
            let epoch = poll.epoch;
            return self.schedule.set(at, Timer::Poll { location, epoch, timer: false });
        }
        self.poll(now, &location);
    }

    pub(super) fn poll_due(&mut self, now: Now, location: &Arc<str>, epoch: u64, timer: bool) {
        let cooldown = self.settings.timers.flush_cooldown;
        let interval = self.settings.timers.poll_interval;
        let poll = self.polls.by_location.get_mut(location);
        let Some(poll) = poll.filter(|poll| poll.epoch == epoch) else { return };
        if timer {
            let delay = if poll.failures > 0 { backoff(poll.failures).max(interval) } else { interval };
            self.schedule
                .set(now.mono + delay, Timer::Poll { location: location.clone(), epoch, timer: true });
            let flushed = poll.last.is_some_and(|last| now.mono.saturating_duration_since(last) < cooldown);
            if flushed || poll.scheduled {
                return;
            }
        } else {
            poll.scheduled = false;
        }
        if poll.in_flight.is_none() && !self.draining {
            self.poll(now, location);
        }
    }

    fn poll(&mut self, now: Now, location: &Arc<str>) {
        if self.handsets.in_hand() >= self.settings.caps.open_mt {
            return;
        }
        let asked = self.next();
        let held = self.handsets.in_hand_of(location) + self.settings.timers.poll_batch;
        let Some(poll) = self.polls.by_location.get_mut(location) else { return };
        let limit = held + poll.left;
        *poll = Poll { in_flight: Some(asked), limit, wanted: false, last: Some(now.mono), ..*poll };
        self.metrics.polls.inc();
        let call = Call::GetQueue { location: location.to_string(), limit };
        self.call(call, Pending::Poll(location.clone(), asked));
    }

    pub(super) fn queue_answered(&mut self, now: Now, location: &Arc<str>, asked: u64, answer: Answered) {
        let poll = self.polls.by_location.get_mut(location);
        let Some(poll) = poll.filter(|poll| poll.in_flight == Some(asked)) else {
            // Asked for before the location was written out: its rows are another's, or are shown again.
            return self.give_back(now, location, answer);
        };
        poll.in_flight = None;
        let (wanted, limit, left_before, catching_up) = (poll.wanted, poll.limit, poll.left, !poll.caught_up);
        match answer {
            Ok(Reply::Rows(rows)) => {
                poll.failures = 0;
                let full = rows.len() >= limit as usize;
                poll.caught_up |= !full;
                let (fresh, left) = self.take_rows(now, location, rows, asked, catching_up);
                if let Some(poll) = self.polls.by_location.get_mut(location) {
                    poll.left = left;
                }
                self.forget_finished();
                if wanted || (full && (fresh > 0 || left > left_before)) {
                    self.poll_soon(now, location);
                }
            }
            Ok(_) => poll.failures += 1,
            Err(_) => poll.failures += 1,
        }
    }

    /// A backend that leases has to hear that its rows were not attempted.
    fn give_back(&mut self, now: Now, location: &Arc<str>, answer: Answered) {
        if let (true, Ok(Reply::Rows(rows))) = (self.settings.backend_leases, answer) {
            let asked = self.next();
            self.take_rows(now, location, rows, asked, false);
        }
    }

    pub(super) fn take_rows(
        &mut self,
        now: Now,
        location: &Arc<str>,
        rows: Vec<QueuedMessage>,
        asked: u64,
        catching_up: bool,
    ) -> (u32, u32) {
        let (mut fresh, mut left) = (0, 0);
        let mut handsets: Vec<Arc<str>> = Vec::new();
        let leases = self.settings.backend_leases;
        let refused = match (self.draining, self.polls.by_location.contains_key(location)) {
            (true, _) => Some("the frontend is shutting down"),
            (false, false) => Some("the location is no longer polled here"),
            (false, true) => None,
        };
        for message in rows {
            // What a leasing backend shows is handed out anew, and to nobody else before the lease ends: it is never
            // an old picture, and not to be lost. Where leases are not known of, the count of attempts tells.
            let held = self.handsets.holds(&message.id) || self.outcomes.awaits(&message.id);
            if held && (leases || self.outcomes.is_shown_anew(&message)) {
                self.outcomes.leased_again(location.clone(), message);
                continue;
            }
            if leases {
                if let Some(why) = refused {
                    let row = Row { message, location: location.clone(), hold_until: None };
                    self.release(now, vec![row], why);
                    continue;
                }
            } else if refused.is_some() || self.handsets.holds(&message.id) {
                continue;
            }
            let kept_back = if leases {
                self.outcomes.is_refused(now.mono, &message.id)
            } else {
                self.outcomes.keeps_back(now.mono, &message, asked)
            };
            if kept_back {
                left += 1;
                continue;
            }
            // An attempt of an earlier life of this pod may still be reported: give it the time (design §11).
            let tried = message.delivery_attempts != Some(0);
            let hold = catching_up && tried && !leases;
            let hold_until = hold.then(|| now.mono + self.settings.timers.tr1n);
            self.tell(Some(&message.id), "mt", || format!("fetched for {}", message.destination_msisdn));
            let row = Row { message, location: location.clone(), hold_until };
            if self.handsets.queued(&row.message) >= self.settings.caps.queued_per_handset {
                // Only a backend that leases needs to hear of it; others show the row again.
                if leases {
                    self.release(now, vec![row], "enough is in hand for this handset");
                }
                left += 1;
                continue;
            }
            let key = self.handsets.take(row);
            fresh += 1;
            if !handsets.contains(&key) {
                handsets.push(key);
            }
        }
        self.metrics.mt_in_hand.set(self.handsets.in_hand() as i64);
        for key in handsets {
            self.advance(now, &key);
        }
        (fresh, left)
    }

    fn forget_finished(&mut self) {
        let oldest =
            self.polls.by_location.values().filter_map(|poll| poll.in_flight).min().unwrap_or(self.sequence);
        self.outcomes.forget_before(oldest);
    }
}
