//! The handset's report: RP-ACK or RP-ERROR in a MESSAGE of its own, maybe at another pod (design §4, Matching).

use std::sync::Arc;

use data_encoding::HEXLOWER;
use rustc_hash::FxHashMap;
use smsc_backend::Status;
use smsc_proto::sip::{Header, Message, Uri};
use smsc_proto::sms::{Carrier, Direction, Rpdu, Tpdu};

use super::handsets::Sent;
use super::identity::Identity;
use super::metrics::ReasonLabel;
use super::mo::Sender;
use super::outcome::{Verdict, of_rp_error};
use super::uas::Request;
use super::{CallId, Engine, Now, Output, Pending, RelayVerdict, RelayedReport, Timer, Token};

/// A report that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ReportId(u64);

/// Reports that wait for their answer: bounded by the server transactions and the relay's connections.
#[derive(Debug, Default)]
pub(super) struct OpenReports {
    open: FxHashMap<ReportId, Asker>,
}

impl OpenReports {
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

/// Who gets the answer.
#[derive(Debug)]
enum Asker {
    Sip(Box<Request>),
    Relay(u64),
}

/// A report another pod was asked to take.
#[derive(Debug)]
pub(super) struct RelayWait {
    report: ReportId,
    named: Option<Named>,
    said: Said,
}

/// What the handset said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Acknowledged { answer: Option<String> },
    Refused { cause: u8, fcs: Option<u8>, answer: Option<String> },
}

/// A token and how it was written, which is the icid of the MESSAGE that it names.
#[derive(Debug, Clone)]
struct Named {
    token: Token,
    written: String,
}

impl Engine {
    pub(super) fn report(
        &mut self,
        now: Now,
        request: Request,
        sender: &Sender,
        rpdu: &Rpdu<'_>,
        octets: &[u8],
    ) {
        let Some(said) = said(rpdu) else { return };
        let found = self.token_of(now, &request.message).filter(|found| found.token.rp_mr == rpdu.mr());
        let report = self.open_report(now, Asker::Sip(Box::new(request)));
        let own = self.settings.ordinal;
        match found {
            Some(named) if self.settings.relay && named.token.ordinal != own => {
                self.relay(now, named.token.ordinal, report, Some(named), sender, octets, said);
            }
            Some(named) => self.by_token(now, named, report, said),
            None => match self.by_reference(now, &sender.identity, rpdu.mr(), report, &said) {
                true => {}
                // RP-MR alone names the owner where a B2BUA rewrote the Call-ID.
                false if self.settings.relay && rpdu.mr() >> 5 != own & 7 => {
                    self.relay(now, rpdu.mr() >> 5, report, None, sender, octets, said);
                }
                false => self.unmatched(now, report, &sender.identity.uri),
            },
        }
    }

    /// The token a report brings: in In-Reply-To, else in the user part of the Request-URI or To.
    fn token_of(&self, now: Now, message: &Message) -> Option<Named> {
        let read = |text: &str| {
            let token = Token::read(text, &self.settings.keys, now.wall)?;
            Some(Named { token, written: text.split('@').next().unwrap_or(text).to_owned() })
        };
        let user = |uri: &str| Uri::parse(uri).ok().and_then(|uri| read(uri.user?));
        message
            .in_reply_to()
            .find_map(read)
            .or_else(|| message.request_uri().and_then(user))
            .or_else(|| message.to().ok().and_then(|to| user(to.uri)))
    }

    fn by_token(&mut self, now: Now, named: Named, report: ReportId, said: Said) {
        let Named { token, written } = named;
        let Some(id) = self.handsets.resolve(now.mono, &token.id) else {
            self.count_unmatched("unresolvable_id");
            return self.answer_report(now, report, RelayVerdict::Failed);
        };
        if let Some(key) = self.handsets.handset_with(&id)
            && let Some(delivery) = self.handsets.delivery(&key)
            && u8::try_from(delivery.attempt).unwrap_or(u8::MAX) == token.attempt
            && delivery.part + 1 == usize::from(token.part)
            && delivery.rp_mr == token.rp_mr
        {
            return self.matched(now, &key, report, said);
        }
        let sent =
            Sent { id, attempt: token.attempt.into(), part: token.part, parts: token.parts, at: now.wall };
        self.late(now, sent, Some(written), report, said);
    }

    /// (subscriber, RP-MR) among open deliveries, then among those that ended within 3 × tr1n.
    fn by_reference(
        &mut self,
        now: Now,
        identity: &Identity,
        rp_mr: u8,
        report: ReportId,
        said: &Said,
    ) -> bool {
        let keys = self.subscribers.handset_keys(now.mono, identity);
        for key in &keys {
            let open = self
                .handsets
                .delivery(key)
                .filter(|d| d.rp_mr == rp_mr && d.state != super::handsets::State::Parked);
            if open.is_some() {
                let key: Arc<str> = Arc::from(key.as_str());
                self.matched(now, &key, report, said.clone());
                return true;
            }
        }
        for key in &keys {
            if let Some(sent) = self.handsets.sent(now.mono, key, rp_mr) {
                let icid = sent.token(rp_mr, self.settings.ordinal).write(&self.settings.keys, sent.at);
                self.late(now, sent, Some(icid), report, said.clone());
                return true;
            }
        }
        false
    }

    fn matched(&mut self, now: Now, key: &Arc<str>, report: ReportId, said: Said) {
        match said {
            Said::Acknowledged { answer } => self.part_acknowledged(now, key, report, answer),
            Said::Refused { cause, fcs, answer } => {
                self.end_attempt(now, key, of_rp_error(cause, fcs).with_answer(answer), Some(report));
            }
        }
    }

    /// A report for an attempt that is not under way here: after its end, after a restart, or another pod's.
    fn late(&mut self, now: Now, sent: Sent, icid: Option<String>, report: ReportId, said: Said) {
        let Sent { id, attempt, part, parts, at: _ } = sent;
        if matches!(said, Said::Acknowledged { .. }) && part < parts {
            self.handsets.acknowledge(now.mono, &id, part);
            // The attempt is past this part, and goes on: nothing ends.
            if self.handsets.handset_with(&id).is_some() {
                return self.report_taken(now, report);
            }
        }
        let verdict = match said {
            Said::Acknowledged { answer } if part >= parts => Verdict::new(
                Status::Delivered,
                "the handset's RP-ACK came after the attempt had ended here (TS 24.011 §7.3.3)",
            )
            .with_answer(answer),
            Said::Acknowledged { answer } => Verdict::new(
                Status::Unknown,
                format!("part {part} of {parts} was acknowledged; who sent the rest is gone"),
            )
            .with_answer(answer),
            Said::Refused { cause, fcs, answer } => of_rp_error(cause, fcs).with_answer(answer),
        };
        if self.is_repeated(now, &id, (attempt, verdict.status), report) {
            return;
        }
        // Another attempt that is not on the air yet waits for what the backend makes of this one.
        let withdrawn = match verdict.status {
            Status::Delivered => self.handsets.withdraw(&id),
            _ => None,
        };
        let (handset, row) = match withdrawn {
            Some((key, row)) => (Some(key), Some(row)),
            None => (None, self.handsets.unqueue(&id)),
        };
        let attempt = self.attempt_report(attempt, verdict, icid);
        self.record(now, id, attempt, row.map(|row| row.location), Some(report));
        if let Some(key) = handset {
            self.advance(now, &key);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a report and all that is known of it")]
    fn relay(
        &mut self,
        now: Now,
        ordinal: u8,
        report: ReportId,
        named: Option<Named>,
        sender: &Sender,
        octets: &[u8],
        said: Said,
    ) {
        self.metrics.reports_relayed.inc();
        let relayed = RelayedReport {
            token: named.as_ref().map(|named| named.written.clone()),
            identity: sender.identity.uri.clone(),
            rpdu: HEXLOWER.encode(octets),
        };
        let id = CallId(self.next());
        self.calls.insert(id, Pending::Relay(RelayWait { report, named, said }));
        self.outputs.push_back(Output::Relay { id, ordinal, report: relayed });
        self.schedule.set(now.mono + self.settings.timers.relay, Timer::Relay(id));
    }

    pub(super) fn relay_answered(&mut self, now: Now, id: CallId, verdict: RelayVerdict) {
        if !matches!(self.calls.get(&id), Some(Pending::Relay(_))) {
            return;
        }
        let Some(Pending::Relay(RelayWait { report, named, said })) = self.calls.remove(&id) else { return };
        match (verdict, named) {
            (RelayVerdict::Taken, _) => self.answer_report(now, report, RelayVerdict::Taken),
            (_, Some(named)) => self.by_token(now, named, report, said),
            (RelayVerdict::Unknown, None) => self.unmatched(now, report, "a report relayed by its RP-MR"),
            (RelayVerdict::Failed, None) => self.answer_report(now, report, RelayVerdict::Failed),
        }
    }

    /// A report another pod received for one of our deliveries.
    pub(super) fn relayed_report(&mut self, now: Now, id: u64, relayed: &RelayedReport) {
        let octets = HEXLOWER.decode(relayed.rpdu.as_bytes()).unwrap_or_default();
        let decoded = Rpdu::decode(Direction::MsToNetwork, &octets).ok();
        let report = self.open_report(now, Asker::Relay(id));
        let Some((rpdu, said)) = decoded.and_then(|rpdu| said(&rpdu).map(|said| (rpdu, said))) else {
            return self.answer_report(now, report, RelayVerdict::Unknown);
        };
        match relayed.token.as_deref() {
            Some(written) => match Token::read(written, &self.settings.keys, now.wall) {
                Some(token) => {
                    let written = written.split('@').next().unwrap_or(written).to_owned();
                    self.by_token(now, Named { token, written }, report, said);
                }
                None => self.answer_report(now, report, RelayVerdict::Unknown),
            },
            None => {
                let identity = Identity::of(&relayed.identity, &self.settings);
                let matched = identity
                    .is_some_and(|identity| self.by_reference(now, &identity, rpdu.mr(), report, &said));
                if !matched {
                    self.answer_report(now, report, RelayVerdict::Unknown);
                }
            }
        }
    }

    fn open_report(&mut self, now: Now, asker: Asker) -> ReportId {
        let report = ReportId(self.next());
        self.reports.open.insert(report, asker);
        self.schedule.set(now.mono + self.settings.timers.report_ack, Timer::ReportAnswer(report.0));
        report
    }

    pub(super) fn report_taken(&mut self, now: Now, report: ReportId) {
        self.answer_report(now, report, RelayVerdict::Taken);
    }

    /// The backend did not confirm in time: 500, so that the network repeats the report for us.
    pub(super) fn report_waited_too_long(&mut self, now: Now, report: u64) {
        self.answer_report(now, ReportId(report), RelayVerdict::Failed);
    }

    fn answer_report(&mut self, now: Now, report: ReportId, verdict: RelayVerdict) {
        match (self.reports.open.remove(&report), verdict) {
            (Some(Asker::Sip(request)), RelayVerdict::Taken | RelayVerdict::Unknown) => {
                self.answer(now, &request, 202, |r| r)
            }
            (Some(Asker::Sip(request)), RelayVerdict::Failed) => {
                self.refuse(now, &request, 500, "report_not_recorded", |r| r.header(Header::RetryAfter, "2"));
            }
            (Some(Asker::Relay(id)), verdict) => self.outputs.push_back(Output::RelayAnswer { id, verdict }),
            (None, _) => {}
        }
    }

    fn unmatched(&mut self, now: Now, report: ReportId, from: &str) {
        tracing::info!(from, "a report that fits no delivery");
        self.count_unmatched("no_delivery");
        self.answer_report(now, report, RelayVerdict::Unknown);
    }

    fn count_unmatched(&self, reason: &'static str) {
        self.metrics.reports_unmatched.get_or_create(&ReasonLabel { reason }).inc();
    }
}

fn said(rpdu: &Rpdu<'_>) -> Option<Said> {
    match rpdu {
        Rpdu::Ack(ack) => {
            let (_, answer) = deliver_report(Carrier::Ack, ack.user_data);
            Some(Said::Acknowledged { answer })
        }
        Rpdu::Error(error) => {
            let (fcs, answer) = deliver_report(Carrier::Error, error.user_data);
            Some(Said::Refused { cause: error.cause, fcs, answer })
        }
        Rpdu::Data(_) | Rpdu::Smma { .. } => None,
    }
}

/// TP-FCS of an SMS-DELIVER-REPORT, and all of it in hex where it carries user data.
fn deliver_report(carrier: Carrier, octets: Option<&[u8]>) -> (Option<u8>, Option<String>) {
    let Some(octets) = octets else { return (None, None) };
    match Tpdu::decode(Direction::MsToNetwork, carrier, octets) {
        Ok(Tpdu::DeliverReport(report)) => (report.fcs, report.ud.map(|_| HEXLOWER.encode(octets))),
        _ => (None, None),
    }
}
