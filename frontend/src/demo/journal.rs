//! Everything that happens, in order, for whoever watches: the terminal, the console page, the script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::handset::Mode;
use crate::engine::Step;

/// Events kept; a reader that is further behind misses the oldest.
const CAP: usize = 5_000;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A SIP message on the loopback between S-CSCF and frontend.
    Sip {
        /// Who sends.
        from: &'static str,
        /// Who receives.
        to: &'static str,
        /// Its first line, in short.
        line: String,
        /// What it carries.
        #[serde(skip_serializing_if = "Option::is_none")]
        carries: Option<String>,
        /// Its Call-ID.
        call_id: String,
    },
    /// What the frontend tells of a message's life.
    Step(Step),
    /// A handset is switched to another behaviour.
    Switched {
        /// Which handset.
        handset: &'static str,
        /// What it does from now on.
        mode: Mode,
        /// True if it takes text/plain only.
        plain: bool,
    },
    /// Somebody typed a message.
    Sending {
        /// Which handset.
        handset: &'static str,
        /// The demo's own number of the message.
        message: u32,
        /// Whom to.
        to: String,
        /// The whole text.
        text: String,
        /// In how many SMS.
        parts: usize,
    },
    /// The service centre has taken all of a message: RP-ACK, or 202 for text/plain.
    Stored {
        /// The sender.
        handset: &'static str,
        /// The message.
        message: u32,
    },
    /// Every part's SMS-STATUS-REPORT says that it was received.
    Delivered {
        /// The sender.
        handset: &'static str,
        /// The message.
        message: u32,
        /// Whom to.
        to: String,
        /// What the report says (TS 23.040 §9.2.3.15).
        status: String,
    },
    /// A message did not go, or its report says that it never will.
    Failed {
        /// The sender.
        handset: &'static str,
        /// The message.
        message: u32,
        /// Why.
        why: String,
    },
    /// A handset shows a whole message to its owner.
    Shown {
        /// The receiver.
        handset: &'static str,
        /// The sender's number.
        from: String,
        /// The whole text.
        text: String,
        /// Out of how many SMS it was put together.
        parts: usize,
    },
    /// Something worth a sentence.
    Note {
        /// The sentence.
        text: String,
    },
    /// The script has looked at what came out.
    Check {
        /// Which part of the script.
        scenario: &'static str,
        /// Whether it is as it must be.
        passed: bool,
        /// What was found.
        detail: String,
    },
}

/// An event, numbered and dated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Record {
    /// 0, 1, 2 …
    pub(super) number: u64,
    /// When.
    pub(super) at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub(super) event: Event,
}

/// The journal. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    records: Arc<Mutex<VecDeque<Arc<Record>>>>,
    written: watch::Sender<u64>,
}

impl Journal {
    /// An empty journal.
    pub(super) fn new() -> Self {
        Self { records: Arc::default(), written: watch::channel(0).0 }
    }

    /// Writes an event down.
    pub(super) fn write(&self, event: Event) {
        let mut records = self.lock();
        let number = records.back().map_or(0, |last| last.number + 1);
        records.push_back(Arc::new(Record { number, at: Timestamp::now(), event }));
        if records.len() > CAP {
            records.pop_front();
        }
        drop(records);
        self.written.send_replace(number + 1);
    }

    /// Reads from event `number` on.
    pub(super) fn reader(&self, number: u64) -> Reader {
        Reader { journal: self.clone(), written: self.written.subscribe(), next: number }
    }

    /// The number the next event will have.
    pub(super) fn end(&self) -> u64 {
        *self.written.borrow()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Record>>> {
        // A deque that a panic left behind is still a deque.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, number: u64) -> Option<Arc<Record>> {
        let records = self.lock();
        let first = records.front()?.number;
        let index = usize::try_from(number.saturating_sub(first)).ok()?;
        records.get(index).cloned()
    }
}

/// A place in the journal.
#[derive(Debug)]
pub(super) struct Reader {
    journal: Journal,
    written: watch::Receiver<u64>,
    next: u64,
}

impl Reader {
    /// The next event, if it has happened.
    pub(super) fn ready(&mut self) -> Option<Arc<Record>> {
        let record = self.journal.at(self.next)?;
        self.next = record.number + 1;
        Some(record)
    }

    /// Waits for the next event. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Arc<Record> {
        loop {
            self.written.mark_unchanged();
            if let Some(record) = self.ready() {
                return record;
            }
            // The reader holds the journal and with it the sender, so this cannot fail.
            _ = self.written.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    #[tokio::test]
    async fn a_reader_sees_what_was_and_what_comes() {
        let journal = Journal::new();
        journal.write(note("before"));
        let mut reader = journal.reader(0);
        assert_eq!(reader.next().await.event, note("before"));
        assert_eq!(reader.ready(), None);
        let (record, ()) = tokio::join!(reader.next(), async { journal.write(note("after")) });
        assert_eq!((record.number, &record.event, journal.end()), (1, &note("after"), 2));
    }

    #[test]
    fn a_slow_reader_misses_the_oldest_and_nothing_else() {
        let journal = Journal::new();
        for n in 0..CAP + 3 {
            journal.write(note(&n.to_string()));
        }
        let mut reader = journal.reader(1);
        let seen = std::iter::from_fn(|| reader.ready()).map(|record| record.number);
        assert_eq!(seen.collect::<Vec<_>>(), (3..CAP as u64 + 3).collect::<Vec<_>>());
    }
}
