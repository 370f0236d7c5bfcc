//! A simulated handset: the SM-TL and SM-RL of a phone with SMS over IP (TS 24.341 §5.3.1, §5.3.2), or of one that
//! knows text/plain only. No sockets and no clock: the simulated core moves what it says.

mod downlink;
mod inbox;
mod outbox;
mod types;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smsc_proto::sms::{Address, Direction, Part, RpData, Rpdu, SplitOptions, Submit, Validity, split_text};

use super::journal::Event;
use super::people::{Subscriber, called};
use inbox::Inbox;
use outbox::{Outbox, Sent, SentPart};

pub(super) use outbox::Progress;
pub(crate) use types::{Body, Downlink, Line, Mode, Uplink, View};

/// How long the handset waits for the service centre's RP-ACK (TS 24.011 §10, TR1M).
const TR1M: Duration = Duration::from_secs(40);
/// Messages of both directions kept for show; beyond, the oldest goes.
const CHAT: usize = 500;
/// SMS that wait for their turn; beyond, nothing more is taken.
const QUEUE: usize = 600;
/// Validity asked for: one day.
const VALIDITY: u64 = 86_400;

/// A handset.
#[derive(Debug)]
pub(crate) struct Handset {
    who: Subscriber,
    mode: Mode,
    plain: bool,
    instance: String,
    calls: u64,
    tp_mr: u8,
    rp_mr: u8,
    reference: u16,
    queue: VecDeque<Item>,
    in_flight: Option<InFlight>,
    /// Call-ID of a report on its way, and what it reports on.
    reporting: VecDeque<(String, Vec<u8>)>,
    inbox: Inbox,
    outbox: Outbox,
    chat: VecDeque<Line>,
    uplinks: VecDeque<Uplink>,
    events: VecDeque<Event>,
}

/// Something to send when its turn comes: one is outstanding at a time (TS 24.011 §2).
#[derive(Debug)]
enum Item {
    Submit { message: u32, index: usize, da: Address, part: Part, tp_mr: u8 },
    Text { message: u32, to: String, text: String },
    MemoryAvailable,
}

#[derive(Debug)]
struct InFlight {
    item: Item,
    call_id: String,
    rp_mr: u8,
    deadline: Instant,
}

impl Handset {
    /// A handset that is on. `instance` makes its Call-IDs unlike those of any other run.
    pub(crate) fn new(who: Subscriber, instance: &str) -> Self {
        Self {
            instance: format!("{}-{instance}", who.name),
            who,
            mode: Mode::On,
            plain: false,
            calls: 0,
            tp_mr: 0,
            rp_mr: 0,
            reference: 0,
            queue: VecDeque::new(),
            in_flight: None,
            reporting: VecDeque::new(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            chat: VecDeque::new(),
            uplinks: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whose it is.
    pub(crate) fn who(&self) -> &Subscriber {
        &self.who
    }

    /// How it behaves.
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// True if it takes text/plain only.
    pub(super) fn plain(&self) -> bool {
        self.plain
    }

    /// How it is shown.
    pub(super) fn view(&self) -> View {
        let line = |line: &Line| Line {
            progress: line.message.and_then(|message| self.outbox.progress(message)).or(line.progress),
            ..line.clone()
        };
        View {
            name: self.who.name,
            number: self.who.number(),
            mode: self.mode,
            plain: self.plain,
            chat: self.chat.iter().map(line).collect(),
        }
    }

    /// Makes it behave otherwise. A full one that is so no longer says RP-SMMA.
    pub(super) fn switch(&mut self, now: Instant, mode: Mode) {
        let was = std::mem::replace(&mut self.mode, mode);
        if was == Mode::Full && mode == Mode::On && !self.plain {
            self.queue.push_back(Item::MemoryAvailable);
        }
        self.events.push_back(Event::Switched { handset: self.who.name, mode, plain: self.plain });
        self.advance(now);
    }

    /// Makes it a text/plain handset, or one with SMS over IP.
    pub(super) fn set_plain(&mut self, plain: bool) {
        self.plain = plain;
        self.events.push_back(Event::Switched { handset: self.who.name, mode: self.mode, plain });
    }

    /// Sends what its owner typed.
    ///
    /// # Errors
    /// What the handset would show: it is off, the number is none, the text is too long.
    pub(crate) fn type_message(
        &mut self,
        now: Instant,
        message: u32,
        to: &str,
        text: &str,
    ) -> Result<(), String> {
        if self.mode == Mode::Off {
            return Err(format!("{} is off; /on {} switches it on", self.who.name, self.who.name));
        }
        let da = Address::dialled(to).map_err(|error| format!("{to}: {error}"))?;
        let parts = if self.plain {
            self.queue.push_back(Item::Text { message, to: to.to_owned(), text: text.to_owned() });
            self.outbox.add(Sent { message, da, parts: vec![SentPart::new(0)], failed: false });
            1
        } else {
            self.submit(message, da, text)?
        };
        let (peer, text) = (called(to), text.to_owned());
        self.events.push_back(Event::Sending {
            handset: self.who.name,
            message,
            to: peer.clone(),
            text: text.clone(),
            parts,
        });
        let progress = Some(Progress::Sending);
        self.show(Line { message: Some(message), peer, text, parts, progress });
        self.advance(now);
        Ok(())
    }

    fn submit(&mut self, message: u32, da: Address, text: &str) -> Result<usize, String> {
        self.reference = self.reference.wrapping_add(1);
        let parts = split_text(text, self.reference, SplitOptions::default()).map_err(|e| e.to_string())?;
        if self.queue.len() + parts.len() > QUEUE {
            return Err("too many messages are waiting to be sent".to_owned());
        }
        let mut sent = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            self.tp_mr = self.tp_mr.wrapping_add(1);
            sent.push(SentPart::new(self.tp_mr));
            self.queue.push_back(Item::Submit { message, index, da, part, tp_mr: self.tp_mr });
        }
        let count = sent.len();
        self.outbox.add(Sent { message, da, parts: sent, failed: false });
        Ok(count)
    }

    /// Sends the next thing if nothing is outstanding.
    fn advance(&mut self, now: Instant) {
        if self.in_flight.is_some() || self.mode == Mode::Off {
            return;
        }
        let Some(item) = self.queue.pop_front() else { return };
        self.rp_mr = self.rp_mr.wrapping_add(1);
        let (rp_mr, call_id) = (self.rp_mr, self.call_id());
        let (to, body) = match &item {
            Item::Submit { da, part, tp_mr, .. } => {
                let tpdu = submit(*tp_mr, *da, part);
                let sc = Address::international(&self.who.home.sc_address).unwrap_or(Address::EMPTY);
                let data = RpData { mr: rp_mr, oa: Address::EMPTY, da: sc, user_data: &tpdu };
                (None, rpdu(&Rpdu::Data(data)))
            }
            Item::MemoryAvailable => (None, rpdu(&Rpdu::Smma { mr: rp_mr })),
            Item::Text { to, text, .. } => {
                let domain = &self.who.home.domain;
                (Some(format!("sip:{to}@{domain};user=phone")), Body::Text(text.clone()))
            }
        };
        self.uplinks.push_back(Uplink { call_id: call_id.clone(), in_reply_to: None, to, body });
        self.in_flight = Some(InFlight { item, call_id, rp_mr, deadline: now + TR1M });
    }

    /// Takes the final SIP answer to something it sent; `None`: there was none.
    pub(crate) fn answered(&mut self, now: Instant, call_id: &str, status: Option<u16>) {
        let well = status.is_some_and(|status| status / 100 == 2);
        if let Some(at) = self.reporting.iter().position(|(report, _)| report == call_id) {
            if let Some((_, copy)) = self.reporting.remove(at)
                && !well
            {
                self.inbox.not_reported(copy);
            }
            return;
        }
        let Some(flight) = self.in_flight.take_if(|flight| flight.call_id == call_id) else { return };
        match (&flight.item, status) {
            (Item::Text { message, .. }, _) if well => self.stored(*message, 0, None),
            (_, Some(_)) if well => return self.in_flight = Some(flight),
            (item, Some(status)) => self.not_taken(item, format!("SIP {status}")),
            (item, None) => self.not_taken(item, "the network does not answer".to_owned()),
        }
        self.advance(now);
    }

    fn show(&mut self, line: Line) {
        self.chat.push_back(line);
        if self.chat.len() > CHAT {
            self.chat.pop_front();
        }
    }

    fn note(&mut self, text: String) {
        self.events.push_back(Event::Note { text });
    }

    fn call_id(&mut self) -> String {
        self.calls += 1;
        format!("{}-{}", self.instance, self.calls)
    }

    /// TR1M ran out, if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(flight) = self.in_flight.take_if(|flight| flight.deadline <= now) {
            let seconds = TR1M.as_secs();
            self.not_taken(&flight.item, format!("no RP-ACK within {seconds} s (TS 24.011 §10, TR1M)"));
            self.advance(now);
        }
    }

    /// When [`Handset::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|flight| flight.deadline)
    }

    /// The next thing to send.
    pub(crate) fn poll_uplink(&mut self) -> Option<Uplink> {
        self.uplinks.pop_front()
    }

    /// The next thing to tell.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

fn submit(tp_mr: u8, da: Address, part: &Part) -> Vec<u8> {
    let mut tpdu = Vec::with_capacity(160);
    Submit {
        reject_duplicates: false,
        reply_path: false,
        status_report_request: true,
        mr: tp_mr,
        da,
        pid: 0,
        vp: Some(Validity::relative_from_seconds(VALIDITY)),
        ud: part.as_user_data(),
    }
    .encode(&mut tpdu);
    tpdu
}

fn rpdu(rpdu: &Rpdu<'_>) -> Body {
    let mut octets = Vec::with_capacity(180);
    rpdu.encode(Direction::MsToNetwork, &mut octets);
    Body::Rpdu(octets.into())
}
