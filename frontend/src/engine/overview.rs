//! What others have to know of a pod before they move a location, end one or register one (design §5).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use smsc_backend::FrontendRegistration;

use super::{Engine, Now, Pending};

/// What a pod polls, has in hand and registers, all of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The locations polled here.
    pub polling: Vec<String>,
    /// The locations of which this pod has anything in hand, sorted: a queue asked for and not yet answered, a row not
    /// yet let go, an attempt under way, an outcome the backend has not confirmed. One that is in neither list can be
    /// polled by another pod; rows that come for it here all the same are not attempted.
    pub in_hand: Vec<String>,
    /// What `frontend_register` says at this moment.
    pub registration: FrontendRegistration,
    /// When every registration written with this pod's location has run out, as far as it can tell; `None` if it has
    /// seen no REGISTER.
    pub registrations_run_out: Option<Timestamp>,
}

impl Engine {
    /// What this pod polls, has in hand and registers.
    #[must_use]
    pub fn overview(&self, now: Now) -> Overview {
        let asked = self.calls.values().filter_map(|pending| match pending {
            Pending::Poll(location, _) => Some(location),
            _ => None,
        });
        let held = asked.chain(self.handsets.locations()).chain(self.outcomes.locations());
        // A late report may be of any location that was polled here not long ago.
        let perhaps = self.polls.left(now.mono).filter(|_| self.has_late_reports());
        let in_hand: BTreeSet<&Arc<str>> = held.chain(perhaps).collect();
        let runs_out = self.registrar.runs_out(now);
        Overview {
            polling: self.settings.polled.clone(),
            in_hand: in_hand.into_iter().map(ToString::to_string).collect(),
            registration: self.registration(now),
            registrations_run_out: runs_out.and_then(|at| Timestamp::from_second(at).ok()),
        }
    }

    /// True if something is under way of which it is not known whose queue it is of.
    fn has_late_reports(&self) -> bool {
        let relayed = self.calls.values().any(|pending| matches!(pending, Pending::Relay(_)));
        relayed || self.outcomes.any_of_no_known_location()
    }
}
