//! To the handset (design §4): a SIP 2xx is not a delivery, the handset's RP-ACK is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smsc_backend::{AttemptReport, Permanent, Reason, Status};

use super::compose::{Unsendable, compose};
use super::handsets::{Delivery, Row, State, part_count, part_number};
use super::hops::Hop;
use super::identity::Identity;
use super::outcome::{SipOutcome, Verdict, of_sip_status};
use super::remarks::pause;
use super::reports::ReportId;
use super::{Client, Engine, Final, Now, Purpose, Timer};

/// How long to wait when there is no room for another client transaction.
const NO_ROOM: Duration = Duration::from_millis(200);
/// Deliveries that wait for the same next hop go on within so many milliseconds of each other.
const JITTER: u64 = 1000;

/// One part of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeliveryId {
    pub(super) serial: u64,
    /// From 0.
    pub(super) part: u8,
}

impl Engine {
    /// Lets a handset's queue go on, if nothing is outstanding for it.
    pub(super) fn advance(&mut self, now: Now, key: &Arc<str>) {
        loop {
            let Some(handset) = self.handsets.get(key) else { return };
            if let Some(delivery) = &handset.open {
                if delivery.state == State::Parked {
                    self.send_part(now, key);
                }
                return;
            }
            let Some(front) = handset.queue.front() else {
                return self.handsets.tidy(key);
            };
            if let Some(hold) = front.hold_until.filter(|hold| *hold > now.mono) {
                return self.schedule.set(hold, Timer::Handset(key.clone()));
            }
            if let Some(row) = handset.queue.pop_front() {
                self.begin(now, key, row);
            }
        }
    }

    fn begin(&mut self, now: Now, key: &Arc<str>, row: Row) {
        let attempt = row.message.delivery_attempts.unwrap_or(0).saturating_add(1);
        if row.message.expires.is_some_and(|expires| expires.as_second() <= now.wall) {
            let verdict = Verdict {
                permanent: Permanent::Message,
                ..Verdict::new(Status::Failed, "its validity ended before this attempt (TS 23.040 §9.2.3.12)")
            };
            return self.end_unattempted(now, &row, attempt, verdict);
        }
        let capable = row.message.ims_capable.unwrap_or(true);
        let composed = match compose(&row.message, capable, &self.settings.languages, now.wall) {
            Ok(composed) => composed,
            Err(unsendable) => {
                let verdict = match unsendable {
                    Unsendable::Row(why) => Verdict {
                        permanent: Permanent::Message,
                        ..Verdict::new(
                            Status::Rejected,
                            format!("the message cannot be written as SMS: {why}"),
                        )
                    },
                    Unsendable::NeedsSmsip => Verdict {
                        permanent: Permanent::Link,
                        reason: Some(Reason::NoSmsip),
                        ..Verdict::new(Status::Absent, "the handset takes text only, and these are octets")
                    },
                };
                return self.end_unattempted(now, &row, attempt, verdict);
            }
        };
        self.metrics.mt_attempts.inc();
        if let Some(identity) =
            row.message.impu.as_deref().and_then(|impu| Identity::of(impu, &self.settings))
        {
            self.subscribers.file(now.mono, &identity, key);
        }
        let done = usize::from(self.handsets.acknowledged(now.mono, &row.message.id));
        let part = if done < composed.parts() { done } else { 0 };
        let delivery = Delivery {
            serial: self.next(),
            row,
            attempt,
            composed,
            part,
            rp_mr: 0,
            state: State::Parked,
            waits_until: None,
            deadline: now.mono,
            sip_status: None,
            remarks: String::new(),
            answer: None,
            icid: String::new(),
            target: None,
            tried: Vec::new(),
        };
        self.handsets.open(key, delivery);
        self.send_part(now, key);
    }

    fn send_part(&mut self, now: Now, key: &Arc<str>) {
        let Some(delivery) = self.handsets.delivery(key) else { return };
        let hop_uri = match (&self.settings.s_cscf_uri, &delivery.row.message.s_cscf) {
            (Some(uri), _) | (None, Some(uri)) => uri.clone(),
            (None, None) => format!("sip:{}", self.settings.ims_domain),
        };
        let tried = delivery.tried.clone();
        let target = match self.hop(now, &hop_uri, &tried, key) {
            Hop::Known(target) => match self.hops.closed_until(now.mono, &target) {
                Some(until) => return self.wait_for_hop(now, key, until),
                None => target,
            },
            Hop::Resolving => return,
            Hop::Exhausted => {
                let none = match tried.len() {
                    1 => "no connection to the next hop".to_owned(),
                    many => format!("no connection to any of {many} addresses of the next hop"),
                };
                let detail = format!("{none}; nothing was sent (RFC 3261 §18.4, RFC 3263 §4.3)");
                self.schedule.set(now.mono, Timer::Handset(key.clone()));
                return self.close_attempt(now, key, Verdict::new(Status::Failed, detail), None);
            }
            Hop::Failed(why) => {
                let verdict =
                    Verdict::new(Status::Failed, format!("no next hop for {hop_uri}: {why} (RFC 3263)"));
                // By way of the schedule: a long queue that ends so must not end inside one another.
                self.schedule.set(now.mono, Timer::Handset(key.clone()));
                return self.close_attempt(now, key, verdict, None);
            }
        };
        let start = self.random.next() as u8;
        let rp_mr = match self.handsets.reference(now.mono, key, self.settings.ordinal, start) {
            Ok(rp_mr) => rp_mr,
            Err(free) => return self.schedule.set(free, Timer::Handset(key.clone())),
        };
        let branch = self.branch();
        let Some(request) = self.mt_request(now, key, rp_mr, &hop_uri) else { return };
        let sent_to = target.clone();
        match self.sip.request(now.mono, target, request, &branch) {
            Ok(client) => {
                let deadline = now.mono + self.settings.timers.tr1n;
                let Some(delivery) = self.handsets.delivery(key) else { return };
                delivery.state = State::Sent;
                delivery.rp_mr = rp_mr;
                delivery.deadline = deadline;
                delivery.target = Some(sent_to);
                self.handsets.remember_sent(now, key);
                let Some(delivery) = self.handsets.delivery(key) else { return };
                let id = DeliveryId { serial: delivery.serial, part: part_number(delivery.part) - 1 };
                let (message, part, parts) =
                    (delivery.row.message.id.clone(), id.part + 1, part_count(&delivery.composed));
                tracing::debug!(message_id = %message, attempt = delivery.attempt, rp_mr, part, icid = %delivery.icid, "sent");
                self.tell(Some(&message), "mt", || {
                    format!("sent to {key} (part {part} of {parts}, RP-MR {rp_mr})")
                });
                self.clients.insert(client, Client::new(Purpose::Delivery(id)));
                self.schedule.set(deadline, Timer::Delivery(id));
            }
            Err(_) => {
                self.handsets.give_back_reference(now.mono, key);
                self.schedule.set(now.mono + NO_ROOM, Timer::Handset(key.clone()));
            }
        }
    }

    pub(super) fn delivery_answered(&mut self, now: Now, id: DeliveryId, result: Final<'_>) {
        let Some(key) = self.handsets.handset_of(id) else { return };
        let on_2xx = self.settings.delivered_on_2xx;
        let tr1n = self.settings.timers.tr1n;
        let Some(delivery) = self.handsets.delivery(&key) else { return };
        if delivery.state != State::Sent {
            return;
        }
        let (mut asked_pause, mut remarks) = (None, String::new());
        let status = match result {
            Final::Response(message) => {
                (asked_pause, remarks) = (pause(message), super::remarks::remarks(message));
                message.status()
            }
            Final::Timeout | Final::TransportError => None,
            Final::Unsent => {
                return self.try_next_hop(now, &key);
            }
        };
        delivery.sip_status = status;
        delivery.remarks.clone_from(&remarks);
        let (target, message) = (delivery.target.clone(), delivery.row.message.id.clone());
        let plain = matches!(delivery.composed, super::compose::Composed::Plain(_));
        match status.map(of_sip_status) {
            Some(SipOutcome::Accepted) if plain || on_2xx => {
                let verdict = match status {
                    Some(202) if plain => Verdict::new(
                        Status::Unknown,
                        "SIP 202: a relay has taken the text; whether the handset has it is not known (RFC 3428 §7)",
                    ),
                    _ => Verdict::new(Status::Delivered, "the handset answered 200 (RFC 3428 §7)"),
                };
                self.end_attempt(now, &key, verdict, None);
            }
            Some(SipOutcome::Accepted) => {
                delivery.state = State::AwaitingReport;
                delivery.deadline = now.mono + tr1n;
                self.schedule.set(now.mono + tr1n, Timer::Delivery(id));
                self.tell(Some(&message), "mt", || {
                    "the handset's SIP stack has it; its report decides".to_owned()
                });
            }
            Some(SipOutcome::Undecided) | None => {
                delivery.state = State::AwaitingReport;
                // An S-CSCF that is overloaded is left alone for as long as it asks (RFC 3261 §21.5.4).
                if let (Some(503), Some(pause), Some(target)) = (status, asked_pause, target) {
                    self.hops.close(now.mono, target, now.mono + pause);
                }
                self.tell(Some(&message), "mt", || match status {
                    Some(status) => {
                        format!("SIP {status}{remarks}: the handset may have it; its report decides")
                    }
                    None => "no SIP answer: the handset may have it; its report decides".to_owned(),
                });
            }
            Some(SipOutcome::Ended(mut verdict)) => {
                verdict.detail.push_str(&remarks);
                if let (Some(pause), Some(handset)) = (asked_pause, self.handsets.get(&key)) {
                    handset.hold(now.mono + pause);
                }
                self.end_attempt(now, &key, verdict, None);
            }
        }
    }

    /// Not one octet of the part has left us: the attempt goes on at the next address (RFC 3263 §4.3).
    fn try_next_hop(&mut self, now: Now, key: &Arc<str>) {
        let Some(delivery) = self.handsets.delivery(key) else { return };
        delivery.state = State::Parked;
        let message = delivery.row.message.id.clone();
        if let Some(target) = delivery.target.take() {
            let address = target.addr;
            delivery.tried.push(target.clone());
            self.hop_failed(now, target);
            self.tell(Some(&message), "mt", || {
                format!("nothing could be sent to {address}; the next address is tried")
            });
        }
        self.handsets.give_back_reference(now.mono, key);
        self.send_part(now, key);
    }

    /// Neither a report nor a definite answer came: the handset may have the message or not.
    pub(super) fn tr1n_ran_out(&mut self, now: Now, id: DeliveryId) {
        let Some(key) = self.handsets.handset_of(id) else { return };
        let Some(delivery) = self.handsets.delivery(&key) else { return };
        if now.mono < delivery.deadline || delivery.state == State::Parked {
            return;
        }
        let sip = match delivery.sip_status {
            Some(status) => format!("SIP {status}{}", delivery.remarks),
            None => "no SIP answer".to_owned(),
        };
        let seconds = self.settings.timers.tr1n.as_secs();
        let detail =
            format!("{sip}, and no report from the handset within {seconds} s (TS 24.011 §10, TR1N)");
        self.end_attempt(now, &key, Verdict::new(Status::Unknown, detail), None);
    }

    /// The next hop asked to be left alone until then. A row waits for that once: its lease runs, and where it ended the
    /// backend would count an attempt that there was not.
    fn wait_for_hop(&mut self, now: Now, key: &Arc<str>, until: Instant) {
        let Some(delivery) = self.handsets.delivery(key) else { return };
        let jitter = Duration::from_millis(self.random.below(JITTER));
        let end = *delivery.waits_until.get_or_insert(until + jitter);
        if now.mono < end {
            return self.schedule.set(end, Timer::Handset(key.clone()));
        }
        // By way of the schedule, as where there is no next hop.
        self.schedule.set(now.mono, Timer::Handset(key.clone()));
        let why = "the next hop goes on asking to be left alone (RFC 3261 §21.5.4)";
        if delivery.part > 0 {
            return self.close_attempt(now, key, Verdict::new(Status::Failed, why), None);
        }
        if let Some(delivery) = self.handsets.close(key) {
            self.release(now, vec![delivery.row], why);
        }
    }

    /// The current part was acknowledged; the attempt goes on with the next, or is delivered.
    pub(super) fn part_acknowledged(
        &mut self,
        now: Now,
        key: &Arc<str>,
        report: ReportId,
        answer: Option<String>,
    ) {
        let Some(delivery) = self.handsets.delivery(key) else { return };
        delivery.answer = answer.or(delivery.answer.take());
        let (done, parts) = (delivery.part + 1, delivery.composed.parts());
        if done >= parts {
            let verdict = Verdict::new(Status::Delivered, "the handset answered RP-ACK (TS 24.011 §7.3.3)")
                .with_answer(delivery.answer.take());
            return self.end_attempt(now, key, verdict, Some(report));
        }
        delivery.part = done;
        delivery.state = State::Parked;
        delivery.tried.clear();
        let message = delivery.row.message.id.clone();
        self.handsets.acknowledge(now.mono, &message, part_number(done) - 1);
        self.tell(Some(&message), "report", || format!("part {done} of {parts} acknowledged"));
        self.report_taken(now, report);
        self.send_part(now, key);
    }

    /// Ends the attempt under way, has it recorded, and lets the handset's queue go on.
    pub(super) fn end_attempt(
        &mut self,
        now: Now,
        key: &Arc<str>,
        verdict: Verdict,
        report: Option<ReportId>,
    ) {
        self.close_attempt(now, key, verdict, report);
        self.advance(now, key);
    }

    /// Ends the attempt under way and has it recorded.
    fn close_attempt(&mut self, now: Now, key: &Arc<str>, verdict: Verdict, report: Option<ReportId>) {
        let Some(delivery) = self.handsets.close(key) else { return };
        let Row { message, location, .. } = delivery.row;
        if verdict.reason == Some(Reason::NotRegistered)
            && let Some(impu) = &message.impu
        {
            self.forget_location(impu, message.s_cscf.clone());
        }
        let blocks = verdict.blocks_handset();
        let icid = (!delivery.icid.is_empty()).then_some(delivery.icid);
        let sip_status = verdict.sip_status.or(delivery.sip_status);
        let attempt = self.attempt_report(delivery.attempt, Verdict { sip_status, ..verdict }, icid);
        self.record(now, message.id, attempt, Some(location), report);
        if blocks {
            self.release_handset(now, key);
        }
    }

    fn end_unattempted(&mut self, now: Now, row: &Row, attempt: u32, verdict: Verdict) {
        let report = self.attempt_report(attempt, verdict, None);
        self.record(now, row.message.id.clone(), report, Some(row.location.clone()), None);
    }

    pub(super) fn attempt_report(
        &self,
        attempt: u32,
        verdict: Verdict,
        icid: Option<String>,
    ) -> AttemptReport {
        AttemptReport {
            dest_smsc: self.settings.location.clone(),
            attempt,
            status: verdict.status,
            reason: verdict.reason,
            permanent: verdict.permanent,
            rp_cause: verdict.rp_cause,
            tp_fcs: verdict.tp_fcs,
            report_tpdu: verdict.report_tpdu,
            sip_status: verdict.sip_status,
            icid,
            detail: verdict.detail,
        }
    }

    /// Gives back what else is in hand for a handset that is absent or full.
    fn release_handset(&mut self, now: Now, key: &Arc<str>) {
        let Some(handset) = self.handsets.get(key) else { return };
        let rows: Vec<Row> = handset.queue.drain(..).collect();
        self.release(now, rows, "another message for this handset has just failed");
    }

    /// Gives back every row that was not attempted, of the locations that `which` picks.
    pub(super) fn release_unattempted(&mut self, now: Now, why: &str, which: impl Fn(&str) -> bool) {
        let rows = self.handsets.take_unattempted(which);
        self.release(now, rows, why);
    }

    pub(super) fn release(&mut self, now: Now, rows: Vec<Row>, why: &str) {
        for row in rows {
            let attempt = row.message.delivery_attempts.unwrap_or(0).saturating_add(1);
            self.end_unattempted(now, &row, attempt, Verdict::new(Status::Released, why));
        }
    }
}
