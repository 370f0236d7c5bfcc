//! What the probe does, step by step, and how it sees what is missing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use smsc_proto::sip::reason_phrase;

use super::missing;
use super::{
    GOODBYE, Happening, LEFT_OVER, Missing, Network, Options, RECIPIENT, SENDER, Stage, Step, between,
};
use crate::demo::journal::Event;

/// One run of the probe.
pub(super) struct Play<'a, T> {
    pub(super) network: Network,
    options: &'a Options,
    tell: T,
    began: Instant,
    deadline: Instant,
    /// Whom the frontend has registered.
    registered: [bool; 2],
}

/// How far the message has come.
#[derive(Debug, Default)]
struct Progress {
    submitted: bool,
    acknowledged: bool,
    received: bool,
    /// A report of the recipient's was answered 202.
    reported: bool,
    /// The newest other answer to one, or that there was none.
    report_refused: Option<Option<u16>>,
    delivered: bool,
    /// What came from the sender and was not what it had sent.
    other_text: Option<String>,
}

impl<'a, E: From<Missing>, T: FnMut(Step) -> Result<(), E>> Play<'a, T> {
    pub(super) fn new(options: &'a Options, network: Network, tell: T) -> Self {
        let began = Instant::now();
        let deadline = began + options.timeout;
        Self { network, options, tell, began, deadline, registered: [false; 2] }
    }

    /// How much time is left.
    pub(super) fn left(&self) -> Duration {
        between(Instant::now(), self.deadline)
    }

    /// Registers a handset; says what is missing if that is not answered 200 within `patience`.
    pub(super) async fn register(
        &mut self,
        handset: usize,
        patience: Duration,
    ) -> Result<Option<Missing>, E> {
        let lifetime = self.options.timeout + LEFT_OVER;
        self.network.register(handset, u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        let sent = Instant::now();
        let until = self.deadline.min(sent + patience);
        while let Some(happening) = self.network.next(until).await {
            match happening {
                Happening::Registered { handset: of, status: Some(200), .. } if of == handset => {
                    self.registered[handset] = true;
                    let text = format!("registered by {}", self.network.frontend());
                    self.reached(Stage::Registered, handset, sent, text)?;
                    return Ok(None);
                }
                Happening::Registered { status: Some(status), seen, .. } => {
                    return Ok(Some(self.refused("REGISTER", status, seen)));
                }
                Happening::Registered { status: None, .. } => break,
                _ => {}
            }
        }
        Ok(Some(self.no_answer("REGISTER")))
    }

    pub(super) async fn register_recipient(&mut self) -> Result<(), E> {
        let left = self.left();
        match self.register(RECIPIENT, left).await? {
            None => Ok(()),
            Some(missing) => Err(missing.into()),
        }
    }

    /// Sends the message and waits for all that makes its delivery.
    pub(super) async fn message(&mut self) -> Result<(), E> {
        let mut progress = Progress::default();
        let to = self.network.who(RECIPIENT).number();
        let text = self.options.text.clone();
        self.network.type_message(SENDER, &to, &text).map_err(Missing::Unsendable)?;
        let (sent, mut reports) = (Instant::now(), Instant::now());
        while !progress.is_delivered() || self.network.awaits() {
            let Some(happening) = self.network.next(self.deadline).await else {
                return Err(self.missing(&progress).into());
            };
            match happening {
                Happening::Submitted { status: Some(status @ 200..=299), .. } => {
                    progress.submitted = true;
                    let text = format!("SMS-SUBMIT in RP-DATA answered {status}");
                    self.reached(Stage::Submitted, SENDER, sent, text)?;
                }
                Happening::Submitted { status: Some(status), seen, .. } => {
                    return Err(self.refused("MESSAGE", status, seen).into());
                }
                Happening::Submitted { status: None, .. } => {
                    return Err(self.no_answer("MESSAGE").into());
                }
                Happening::Reports { handset: RECIPIENT } => reports = Instant::now(),
                Happening::Reported { handset: RECIPIENT, status: Some(status @ 200..=299) } => {
                    progress.reported = true;
                    let text = format!("RP-ACK on it answered {status}");
                    self.reached(Stage::Reported, RECIPIENT, reports, text)?;
                }
                Happening::Reported { handset: RECIPIENT, status } => progress.report_refused = Some(status),
                Happening::Told(event) => self.told(event, &mut progress, sent)?,
                Happening::Registered { .. } | Happening::Reported { .. } | Happening::Reports { .. } => {}
            }
        }
        if progress.reported { Ok(()) } else { Err(self.missing(&progress).into()) }
    }

    fn told(&mut self, event: Event, progress: &mut Progress, sent: Instant) -> Result<(), E> {
        let [sender, recipient] = [SENDER, RECIPIENT].map(|handset| self.network.who(handset).name);
        let number = self.network.who(SENDER).number();
        match event {
            Event::Stored { .. } => {
                progress.acknowledged = true;
                let text = "RP-ACK: the backend has the message".to_owned();
                self.reached(Stage::RpAck, SENDER, sent, text)
            }
            Event::Shown { handset, from, text, parts } if handset == recipient && from == number => {
                if text != self.options.text {
                    progress.other_text = Some(text);
                    return Ok(());
                }
                progress.received = true;
                let in_parts = if parts > 1 { format!(", in {parts} parts") } else { String::new() };
                let text = format!("SMS-DELIVER: the text as it was sent{in_parts}");
                self.reached(Stage::Received, RECIPIENT, sent, text)
            }
            Event::Delivered { handset, status, .. } if handset == sender => {
                progress.delivered = true;
                let text = format!("SMS-STATUS-REPORT: {status}");
                self.reached(Stage::StatusReport, SENDER, sent, text)?;
                match progress.other_text.take_if(|_| !progress.received) {
                    Some(came) => Err(Missing::OtherText { came }.into()),
                    None => Ok(()),
                }
            }
            Event::Failed { handset, why, .. } if handset == sender => Err(if progress.acknowledged {
                Missing::NotDelivered { why }
            } else if why.starts_with("RP-ERROR") {
                Missing::RpError { hint: missing::hint(&why), why }
            } else {
                self.missing(progress)
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Takes the registrations back. That this fails is told by what is not told.
    pub(super) async fn deregister(&mut self) -> Result<(), E> {
        let known: Vec<usize> = [SENDER, RECIPIENT].into_iter().filter(|h| self.registered[*h]).collect();
        for handset in &known {
            self.network.register(*handset, 0);
        }
        let sent = Instant::now();
        let mut open = known.len();
        while open > 0
            && let Some(happening) = self.network.next(sent + GOODBYE).await
        {
            if let Happening::Registered { handset, status, .. } = happening {
                open -= 1;
                if status == Some(200) {
                    self.reached(Stage::Deregistered, handset, sent, "deregistered".to_owned())?;
                }
            }
        }
        Ok(())
    }

    /// What a message that came no further lacks.
    fn missing(&self, progress: &Progress) -> Missing {
        let (at, number) = (self.network.at(), self.network.who(RECIPIENT).number());
        progress.missing(at, number).unwrap_or_else(|| self.no_answer("MESSAGE"))
    }

    fn no_answer(&self, method: &'static str) -> Missing {
        let (frontend, transport): (SocketAddr, _) = (self.network.frontend(), self.options.transport);
        Missing::NoAnswer { method, frontend, transport, at: self.network.at().to_owned() }
    }

    fn refused(&self, method: &'static str, status: u16, seen: Option<String>) -> Missing {
        match status {
            403 => Missing::NotTrusted { method, seen: seen.unwrap_or_else(|| self.network.at().to_owned()) },
            _ => Missing::Refused { method, status, phrase: reason_phrase(status) },
        }
    }

    fn reached(&mut self, stage: Stage, handset: usize, since: Instant, text: String) -> Result<(), E> {
        let now = Instant::now();
        let number = self.network.who(handset).number();
        let (at, took) = (between(self.began, now), between(since, now));
        (self.tell)(Step { stage, at, took, number, text })
    }
}

impl Progress {
    fn is_delivered(&self) -> bool {
        let reported = self.reported || self.report_refused.is_some();
        self.acknowledged && self.received && reported && self.delivered
    }

    /// What comes next and is not there; `None`: any answer at all.
    fn missing(&self, at: &str, number: String) -> Option<Missing> {
        let Self { submitted, acknowledged, received, reported, report_refused, delivered: _, other_text } =
            self;
        Some(match other_text {
            _ if !submitted => return None,
            _ if !acknowledged => Missing::NoRpAck { at: at.to_owned() },
            Some(came) if !received => Missing::OtherText { came: came.clone() },
            None if !received => Missing::NoMessage { at: at.to_owned(), number },
            _ if !reported => Missing::ReportRefused { answer: answer(report_refused.flatten()) },
            _ => Missing::NoStatusReport,
        })
    }
}

fn answer(status: Option<u16>) -> String {
    match status {
        Some(status) => format!("{status} ({})", reason_phrase(status)),
        None => "not at all".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_first_thing_that_should_have_come() {
        let nothing = Progress::default();
        let submitted = Progress { submitted: true, ..Progress::default() };
        let acknowledged = Progress { acknowledged: true, submitted: true, ..Progress::default() };
        let garbled = || Progress {
            other_text: Some("hallo".into()),
            acknowledged: true,
            submitted: true,
            ..Progress::default()
        };
        let received = || Progress { received: true, ..garbled() };
        let refused = Progress { report_refused: Some(Some(500)), delivered: true, ..received() };
        let reported = Progress { reported: true, ..received() };
        let said =
            [nothing, submitted, acknowledged, garbled(), received(), refused, reported].map(|progress| {
                let missing = progress.missing("192.0.2.1:5060", "+447700900002".into());
                missing.map(|missing| {
                    missing.to_string().split([':', ';']).next().unwrap_or_default().to_owned()
                })
            });
        assert_eq!(
            said.each_ref().map(Option::as_deref),
            [
                None,
                Some("the MESSAGE was answered 202, but no RP-ACK came"),
                Some("RP-ACK came, but no MESSAGE for +447700900002"),
                Some("the text that came is another"),
                Some("the recipient has the message, but its RP-ACK was answered not at all"),
                Some(
                    "the recipient has the message, but its RP-ACK was answered 500 (Server Internal Error)"
                ),
                Some("the recipient has the message, but no SMS-STATUS-REPORT came"),
            ]
        );
    }
}
