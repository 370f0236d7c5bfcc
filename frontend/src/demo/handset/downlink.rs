//! What a handset does with what it receives: messages, reports on its own, and the service centre's verdicts.

use std::time::Instant;

use smsc_proto::sms::{
    Carrier, DeliverReport, Direction, RpAck, RpData, RpError, Rpdu, SubmitReport, Timestamp, Tpdu, names,
};

use super::inbox::{Came, Whole, fingerprint};
use super::outbox::Reported;
use super::{Body, Downlink, Event, Handset, InFlight, Item, Line, Mode, Uplink, called, rpdu};

/// "Memory capacity exceeded" as RP-Cause (TS 24.011 §8.2.5.4) and as TP-FCS (TS 23.040 §9.2.3.22).
const MEMORY_FULL: (u8, u8) = (22, 0xD3);
/// "Message type non-existent" as RP-Cause, "TPDU not supported" as TP-FCS.
const NOT_SUPPORTED: (u8, u8) = (97, 0xB0);

impl Handset {
    /// Takes a MESSAGE; returns the SIP status to answer with.
    pub(crate) fn receive(&mut self, now: Instant, downlink: Downlink) -> u16 {
        let octets = match (&downlink.body, self.plain) {
            (Body::Text(text), true) => {
                let whole = Whole { from: downlink.asserted.clone(), text: text.clone(), parts: 1 };
                self.whole(whole);
                return 200;
            }
            (Body::Rpdu(octets), false) => octets.clone(),
            _ => return 415,
        };
        match Rpdu::decode(Direction::NetworkToMs, &octets) {
            Ok(Rpdu::Data(data)) => {
                self.rp_data(&downlink, &data);
                200
            }
            Ok(rpdu) => {
                let about = |flight: &mut InFlight| {
                    flight.rp_mr == rpdu.mr() && downlink.in_reply_to.contains(&flight.call_id)
                };
                // TS 24.341 §5.3.1.2: a report that answers nothing it has sent is not acceptable.
                let Some(flight) = self.in_flight.take_if(about) else { return 488 };
                self.reported_on(flight, &rpdu);
                self.advance(now);
                200
            }
            Err(error) => {
                self.note(format!("{} cannot read what came: {error}", self.who.name));
                400
            }
        }
    }

    fn rp_data(&mut self, downlink: &Downlink, data: &RpData<'_>) {
        let tpdu = Tpdu::decode(Direction::NetworkToMs, Carrier::Data, data.user_data);
        let copy = fingerprint(data.user_data);
        let refusal = match &tpdu {
            Ok(Tpdu::Deliver(_)) if self.mode == Mode::Full => Some(MEMORY_FULL),
            Ok(Tpdu::Deliver(deliver)) => {
                match self.inbox.take(deliver, &copy) {
                    Came::Whole(whole) => self.whole(whole),
                    Came::Part { sequence, total } => {
                        self.note(format!("{} has part {sequence} of {total}", self.who.name));
                    }
                    Came::Repeat => self.note(format!("{} has this already; shown once", self.who.name)),
                }
                None
            }
            Ok(Tpdu::StatusReport(report)) => {
                let reported = self.outbox.report(report);
                self.status(reported);
                None
            }
            Ok(_) => Some(NOT_SUPPORTED),
            Err(error) => Some((error.rp_cause(), NOT_SUPPORTED.1)),
        };
        if self.mode == Mode::Mute {
            return self.inbox.not_reported(copy);
        }
        let report = DeliverReport { fcs: refusal.map(|(_, fcs)| fcs), ..DeliverReport::default() };
        let mut tpdu = Vec::new();
        report.encode(&mut tpdu);
        let (mr, user_data) = (data.mr, Some(&tpdu[..]));
        let body = rpdu(&match refusal {
            None => Rpdu::Ack(RpAck { mr, user_data }),
            Some((cause, _)) => Rpdu::Error(RpError { mr, cause, diagnostic: None, user_data }),
        });
        let call_id = self.call_id();
        if refusal.is_none() {
            self.inbox.reported(&copy);
            self.reporting.push_back((call_id.clone(), copy));
        }
        let (in_reply_to, to) = (Some(downlink.call_id.clone()), Some(downlink.asserted.clone()));
        self.uplinks.push_back(Uplink { call_id, in_reply_to, to, body });
    }

    /// The service centre's RP-ACK or RP-ERROR on what was in flight.
    fn reported_on(&mut self, flight: InFlight, rpdu: &Rpdu<'_>) {
        match (&flight.item, rpdu) {
            (Item::Submit { message, index, .. }, Rpdu::Ack(ack)) => {
                let report = ack.user_data.and_then(|o| SubmitReport::decode(Carrier::Ack, o).ok());
                self.stored(*message, *index, report.map(|report| report.scts));
            }
            (Item::MemoryAvailable, Rpdu::Ack(_)) => {
                self.note(format!("the network knows that {} has room again", self.who.name));
            }
            (item, Rpdu::Error(error)) => {
                let name = names::rp_cause(error.cause).unwrap_or("reserved");
                self.not_taken(item, format!("RP-ERROR {} ({name})", error.cause));
            }
            _ => {}
        }
    }

    pub(super) fn stored(&mut self, message: u32, index: usize, scts: Option<Timestamp>) {
        let Some(sent) = self.outbox.find(message) else { return };
        if let Some(part) = sent.parts.get_mut(index) {
            part.stored = true;
            part.scts = scts;
        }
        if sent.parts.iter().all(|part| part.stored) {
            self.events.push_back(Event::Stored { handset: self.who.name, message });
        }
    }

    /// The network did not take a part: the rest of that message is not sent.
    pub(super) fn not_taken(&mut self, item: &Item, why: String) {
        let (Item::Submit { message, .. } | Item::Text { message, .. }) = *item else {
            return self.note(format!("{} could not say that it has room again: {why}", self.who.name));
        };
        self.queue.retain(|other| !matches!(other, Item::Submit { message: m, .. } if *m == message));
        if let Some(sent) = self.outbox.find(message) {
            sent.failed = true;
        }
        self.events.push_back(Event::Failed { handset: self.who.name, message, why });
    }

    fn status(&mut self, reported: Reported) {
        let handset = self.who.name;
        match reported {
            Reported::Delivered { message, status } => {
                let line = self.chat.iter().find(|line| line.message == Some(message));
                let to = line.map(|line| line.peer.clone()).unwrap_or_default();
                self.events.push_back(Event::Delivered { handset, message, to, status });
            }
            Reported::Part { message, status } => {
                self.note(format!("{handset} has a report on part of message {message}: {status}"));
            }
            Reported::Failed { message, why } => {
                self.events.push_back(Event::Failed { handset, message, why });
            }
            Reported::Unknown => self.note(format!("{handset} has a report on nothing it has sent")),
        }
    }

    fn whole(&mut self, whole: Whole) {
        let Whole { from, text, parts } = whole;
        let handset = self.who.name;
        self.events.push_back(Event::Shown { handset, from: from.clone(), text: text.clone(), parts });
        self.show(Line { message: None, peer: called(&from), text, parts, progress: None });
    }
}
