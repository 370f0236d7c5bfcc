//! The demo without a terminal: a scripted exchange that checks itself.

use std::time::Duration;

use smsc_backend::{HistoryQuery, MessageHistory, Status};

use super::core::Switch;
use super::handset::Progress;
use super::journal::{Event, Reader};
use super::people::{ALICE, BOB, SUBSCRIBERS};
use super::stage::Stage;

/// How long one thing may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the store is asked whether an attempt is recorded.
const LOOK: Duration = Duration::from_millis(20);
const LONG: &str = "Ein Gruß aus Köln, 一二三四五六七八九十, и ещё: привет! 😀🚀🎉 This text does not fit into one \
    short message in UCS2, so it travels in parts; none of them ends inside a surrogate pair such as 😀. 終わり";

/// What a scenario found: a sentence, or what is wrong.
type Found = Result<String, String>;

/// Runs every scenario; true if all is as it must be.
pub(super) async fn run(stage: &Stage) -> bool {
    let mut script = Script {
        stage,
        events: stage.journal.reader(0),
        passed_over: Vec::new(),
        typed: 0,
        shown: Default::default(),
    };
    let mut passed = script.check("two handsets register", async |s| s.registered().await).await;
    passed &= script.check("a message and its delivery report", async |s| s.a_message().await).await;
    passed &= script.check("a long text in parts", async |s| s.a_long_text().await).await;
    passed &= script.check("a handset that is off", async |s| s.a_handset_that_is_off().await).await;
    passed &= script.check("a handset that is full", async |s| s.a_full_handset().await).await;
    passed &= script.check("two identical texts", async |s| s.two_identical_texts().await).await;
    passed &= script.check("a text/plain handset", async |s| s.a_plain_handset().await).await;
    passed & script.check("nothing lost, nothing twice", async |s| s.the_whole_chat().await).await
}

struct Script<'a> {
    stage: &'a Stage,
    events: Reader,
    /// What has happened in this scenario and was not waited for yet: things may overtake each other.
    passed_over: Vec<Event>,
    /// Messages typed so far.
    typed: usize,
    /// What each handset must have shown, in order.
    shown: [Vec<String>; 2],
}

impl Script<'_> {
    async fn check(&mut self, scenario: &'static str, run: impl AsyncFnOnce(&mut Self) -> Found) -> bool {
        self.passed_over.clear();
        let found = run(self).await;
        let passed = found.is_ok();
        let detail = found.unwrap_or_else(|wrong| wrong);
        self.stage.journal.write(Event::Check { scenario, passed, detail });
        passed
    }

    async fn registered(&mut self) -> Found {
        for _ in SUBSCRIBERS {
            self.wait(
                "200 for a REGISTER",
                |event| matches!(event, Event::Sip { to: "S-CSCF", line, .. } if line == "200 OK"),
            )
            .await?;
        }
        Ok("200 for both third-party REGISTERs".to_owned())
    }

    async fn a_message(&mut self) -> Found {
        let message = self.type_message(ALICE, BOB, "hello bob").await?;
        self.shown(BOB, ALICE, "hello bob", 1).await?;
        self.delivered(message).await
    }

    async fn a_long_text(&mut self) -> Found {
        let message = self.type_message(BOB, ALICE, LONG).await?;
        let parts = self.shown(ALICE, BOB, LONG, 3).await?;
        self.delivered(message).await?;
        Ok(format!("{parts} parts, one text, and a report on each"))
    }

    async fn a_handset_that_is_off(&mut self) -> Found {
        self.stage.core.switch(BOB, Switch::Off).await;
        let message = self.type_message(ALICE, BOB, "are you there?").await?;
        self.waits_after(Status::Absent).await?;
        self.stage.core.switch(BOB, Switch::On).await;
        self.shown(BOB, ALICE, "are you there?", 1).await?;
        self.delivered(message).await?;
        Ok("held while off (480), delivered when it registered".to_owned())
    }

    async fn a_full_handset(&mut self) -> Found {
        self.stage.core.switch(BOB, Switch::Full).await;
        let message = self.type_message(ALICE, BOB, "do you have room?").await?;
        self.waits_after(Status::MemoryFull).await?;
        self.stage.core.switch(BOB, Switch::On).await;
        self.shown(BOB, ALICE, "do you have room?", 1).await?;
        self.delivered(message).await?;
        Ok("held while full (RP-ERROR 22), delivered after RP-SMMA".to_owned())
    }

    async fn two_identical_texts(&mut self) -> Found {
        let first = self.type_message(ALICE, BOB, "OK").await?;
        let second = self.type_message(ALICE, BOB, "OK").await?;
        self.shown(BOB, ALICE, "OK", 1).await?;
        self.shown(BOB, ALICE, "OK", 1).await?;
        self.delivered(first).await?;
        self.delivered(second).await?;
        Ok("two messages, two reports".to_owned())
    }

    async fn a_plain_handset(&mut self) -> Found {
        self.stage.core.switch(BOB, Switch::Plain).await;
        self.wait(
            "200 for the REGISTER",
            |event| matches!(event, Event::Sip { to: "S-CSCF", line, .. } if line == "200 OK"),
        )
        .await?;
        let answer = self.type_message(BOB, ALICE, "plain words").await?;
        self.shown(ALICE, BOB, "plain words", 1).await?;
        self.shown[BOB].push("plain too".to_owned());
        let message = self.type_message(ALICE, BOB, "plain too").await?;
        self.delivered(message).await?;
        match self.progress(answer).await {
            Some(Progress::Stored) => {
                Ok("its 200 is the delivery; sender and report by SMS over IP".to_owned())
            }
            progress => Err(format!("the text/plain message is {progress:?} at its sender")),
        }
    }

    /// What the handsets show is exactly what was typed, and every report has come.
    async fn the_whole_chat(&mut self) -> Found {
        let views = self.stage.core.views().await;
        for (index, view) in views.iter().enumerate() {
            let received = view.chat.iter().filter(|line| line.message.is_none());
            let received: Vec<&String> = received.map(|line| &line.text).collect();
            let expected: Vec<&String> = self.shown[index].iter().collect();
            if received != expected {
                return Err(format!("{} shows {received:?}, not {expected:?}", view.name));
            }
        }
        let sent = views.iter().flat_map(|view| &view.chat).filter_map(|line| line.progress);
        let (delivered, other): (Vec<_>, Vec<_>) = sent.partition(|p| *p == Progress::Delivered);
        // The text/plain handset is told of no delivery: its protocol has no report.
        if other != [Progress::Stored] || delivered.len() + 1 != self.typed {
            return Err(format!(
                "of {} messages {} are delivered, others {other:?}",
                self.typed,
                delivered.len()
            ));
        }
        self.nothing_left().await?;
        Ok(format!("{} messages; the store has nothing left to do", self.typed))
    }

    /// Waits until every message and every report is delivered.
    async fn nothing_left(&self) -> Result<(), String> {
        let mut left = String::new();
        let settled = async {
            loop {
                let summary = self.stage.records.store.summary().await.map_err(|error| error.to_string())?;
                let mut rows = summary.messages.into_iter();
                match rows.find(|(state, count)| state != "delivered" && *count > 0) {
                    Some((state, count)) => left = format!("the store still holds {count} that are {state}"),
                    None => return Ok(()),
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        settled.unwrap_or(Err(left))
    }

    async fn type_message(&mut self, from: usize, to: usize, text: &str) -> Result<u32, String> {
        self.typed += 1;
        self.stage.core.type_message(from, SUBSCRIBERS[to].name, text).await
    }

    /// Waits until a handset shows a text; returns the number of its parts.
    async fn shown(&mut self, at: usize, by: usize, said: &str, least: usize) -> Result<usize, String> {
        let (name, number) = (SUBSCRIBERS[at].name, SUBSCRIBERS[by].number());
        let what = format!("{name} shows {said:?} from {number}");
        let mut found = 0;
        self.wait(&what, |event| match event {
            Event::Shown { handset, from, text, parts } => {
                found = *parts;
                *handset == name && *from == number && text == said && *parts >= least
            }
            _ => false,
        })
        .await?;
        self.shown[at].push(said.to_owned());
        Ok(found)
    }

    async fn delivered(&mut self, message: u32) -> Found {
        self.wait(
            &format!("the delivery report on message {message}"),
            |event| matches!(event, Event::Delivered { message: m, .. } if *m == message),
        )
        .await?;
        Ok("shown at the handset, and the report says so".to_owned())
    }

    /// Waits until the newest message to bob has an attempt that came to this, and is waiting.
    async fn waits_after(&mut self, status: Status) -> Result<(), String> {
        let what = || format!("an attempt recorded as {status:?}, and the message waiting");
        let recorded = async {
            loop {
                let newest = self.newest(BOB).await?;
                let last = newest.as_ref().and_then(|history| history.attempts.last());
                if last.is_some_and(|attempt| attempt.report.status == status) {
                    return Ok::<_, String>(newest.map(|history| history.state));
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(PATIENCE, recorded).await.map_err(|_| what())?? {
            Some(state) if state == "queued" => Ok(()),
            state => Err(format!("{}: it is {state:?}", what())),
        }
    }

    async fn newest(&self, to: usize) -> Result<Option<MessageHistory>, String> {
        let number = SUBSCRIBERS[to].number();
        let found = self.stage.records.backend.history(HistoryQuery::Msisdn(number.clone())).await;
        let mut found = found.map_err(|error| error.to_string())?;
        found.retain(|history| history.destination_msisdn == number);
        Ok(found.into_iter().max_by_key(|history| (history.scts, history.id.clone())))
    }

    async fn progress(&self, message: u32) -> Option<Progress> {
        let views = self.stage.core.views().await;
        let mut lines = views.iter().flat_map(|view| &view.chat);
        lines.find(|line| line.message == Some(message)).and_then(|line| line.progress)
    }

    /// Waits for an event of this scenario that was not waited for before.
    async fn wait(&mut self, what: &str, mut is: impl FnMut(&Event) -> bool) -> Result<(), String> {
        if let Some(at) = self.passed_over.iter().position(&mut is) {
            self.passed_over.remove(at);
            return Ok(());
        }
        let found = async {
            loop {
                let record = self.events.next().await;
                if is(&record.event) {
                    return;
                }
                self.passed_over.push(record.event.clone());
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .map_err(|_| format!("not within {} s: {what}", PATIENCE.as_secs()))
    }
}
