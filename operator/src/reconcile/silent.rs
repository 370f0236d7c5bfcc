//! Pods that did not answer: asked again later and later, and only while there is something to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// By a pod's uid: how often in a row it did not answer, and when it is asked again.
#[derive(Debug, Default)]
pub(super) struct Silent(BTreeMap<String, (u32, Instant)>);

impl Silent {
    /// Pods that are not to be asked yet.
    pub(super) fn resting(&self, now: Instant) -> BTreeSet<String> {
        let resting = self.0.iter().filter(|(_, (_, until))| *until > now);
        resting.map(|(uid, _)| uid.clone()).collect()
    }

    /// Notes what came of a pass that began at `began`. `pods` are all there are, each with whether it has answered; absent:
    /// it was not asked. Returns how long until one is to be asked again. `wait` is after so many failures.
    pub(super) fn note<'a>(
        &mut self,
        pods: impl IntoIterator<Item = (&'a String, Option<bool>)>,
        began: Instant,
        now: Instant,
        wait: impl Fn(u32) -> Duration,
    ) -> Option<Duration> {
        let before = std::mem::take(&mut self.0);
        for (uid, answered) in pods {
            let known = before.get(uid);
            let entry = match answered {
                Some(true) => None,
                Some(false) => {
                    let failures = known.map_or(0, |(failures, _)| *failures).saturating_add(1);
                    Some((failures, now + wait(failures)))
                }
                // It could have been asked and was not: there is nothing to ask it any more.
                None => known.filter(|(_, until)| *until > began).copied(),
            };
            self.0.extend(entry.map(|entry| (uid.clone(), entry)));
        }
        self.0.values().map(|(_, until)| until.saturating_duration_since(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u32) -> Duration {
        Duration::from_secs(number.into())
    }

    #[test]
    fn a_silent_pod_is_asked_later_and_later_until_it_answers() {
        let (uid, start) = ("a".to_owned(), Instant::now());
        let mut silent = Silent::default();
        let mut pass = |at, answered| {
            let now = start + seconds(at);
            silent.note([(&uid, answered)], now, now, seconds).map(|wait| (wait, silent.resting(now).len()))
        };
        assert_eq!(pass(0, Some(false)), Some((seconds(1), 1)));
        assert_eq!(pass(1, Some(false)), Some((seconds(2), 1)));
        assert_eq!(pass(2, None), Some((seconds(1), 1)), "a pass for another reason leaves it alone");
        assert_eq!(pass(3, Some(true)), None);
    }

    #[test]
    fn a_pod_that_there_is_nothing_to_ask_any_more_causes_no_passes() {
        let (uid, start) = ("a".to_owned(), Instant::now());
        let mut silent = Silent::default();
        silent.note([(&uid, Some(false))], start, start, seconds);
        let later = start + seconds(2);
        assert_eq!(silent.note([(&uid, None)], later, later, seconds), None);
        silent.note([(&uid, Some(false))], later, later, seconds);
        assert_eq!(silent.note([], later, later, seconds), None, "nor does one that is gone");
    }
}
