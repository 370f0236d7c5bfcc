//! Pods that did not answer: asked again later and later, and only while there is something to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// By a pod's uid: how often in a row it did not answer, and when it is asked again.
#[derive(Debug, Default)]
pub(super) struct Silent(BTreeMap<String, (u32, Instant)>);

/// What a pass heard of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It has answered.
    Answer,
    /// It was asked and did not answer.
    Nothing,
    /// It has been asked; the answer may still come.
    NotYet,
    /// There was nothing to ask it, or it is not to be asked yet.
    Unasked,
}

impl Silent {
    /// Whether a pod did not answer when it was last asked.
    pub(super) fn has(&self, uid: &str) -> bool {
        self.0.contains_key(uid)
    }

    /// Pods that are not to be asked yet.
    pub(super) fn resting(&self, now: Instant) -> BTreeSet<String> {
        let resting = self.0.iter().filter(|(_, (_, until))| *until > now);
        resting.map(|(uid, _)| uid.clone()).collect()
    }

    /// Notes what a pass that began at `began` heard of each pod there is. Returns how long until one is to be asked again.
    /// `wait` is after so many failures.
    pub(super) fn note<'a>(
        &mut self,
        pods: impl IntoIterator<Item = (&'a String, Heard)>,
        began: Instant,
        now: Instant,
        wait: impl Fn(u32) -> Duration,
    ) -> Option<Duration> {
        let before = std::mem::take(&mut self.0);
        for (uid, heard) in pods {
            let known = before.get(uid);
            let entry = match heard {
                Heard::Answer => None,
                Heard::Nothing => {
                    let failures = known.map_or(0, |(failures, _)| *failures).saturating_add(1);
                    Some((failures, now + wait(failures)))
                }
                Heard::NotYet => known.copied(),
                // It could have been asked and was not: there is nothing to ask it any more.
                Heard::Unasked => known.filter(|(_, until)| *until > began).copied(),
            };
            self.0.extend(entry.map(|entry| (uid.clone(), entry)));
        }
        let later = self.0.values().map(|(_, until)| *until).filter(|until| *until > now);
        later.map(|until| until.saturating_duration_since(now)).min()
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
        assert_eq!(pass(0, Heard::Nothing), Some((seconds(1), 1)));
        assert_eq!(pass(1, Heard::Nothing), Some((seconds(2), 1)));
        assert_eq!(
            pass(2, Heard::Unasked),
            Some((seconds(1), 1)),
            "a pass for another reason leaves it alone"
        );
        assert_eq!(pass(3, Heard::NotYet), None, "its answer causes the next pass");
        assert_eq!(pass(5, Heard::Nothing), Some((seconds(3), 1)));
        assert_eq!(pass(8, Heard::Answer), None);
    }

    #[test]
    fn a_pod_that_there_is_nothing_to_ask_any_more_causes_no_passes() {
        let (uid, start) = ("a".to_owned(), Instant::now());
        let mut silent = Silent::default();
        silent.note([(&uid, Heard::Nothing)], start, start, seconds);
        let later = start + seconds(2);
        assert_eq!(silent.note([(&uid, Heard::Unasked)], later, later, seconds), None);
        silent.note([(&uid, Heard::Nothing)], later, later, seconds);
        assert_eq!(silent.note([], later, later, seconds), None, "nor does one that is gone");
    }
}
