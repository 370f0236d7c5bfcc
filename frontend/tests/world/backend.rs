//! A backend in memory: like OmniMessage (rows come back until they are final), or leasing like the embedded store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smsc_backend::{
    Accepted, AttemptReport, BackendError, ErrorClass, Location, LocationEvent, MessageId, NewMessage,
    Permanent, Processed, QueuedMessage, Status,
};
use smsc_frontend::engine::{Answered, Call, Reply};

use super::core::S_CSCF;
use super::fault::{Fault, Operation};
use super::handset::Handset;
use super::{WALL, ms, secs};

/// What `delivery_attempts` of a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Attempts whose outcome was recorded.
    Recorded,
    /// Absent.
    Unknown,
}

/// The backend.
pub(crate) struct Backend {
    /// One way to it.
    pub(crate) latency: Duration,
    /// Every call that arrived: when, from which pod.
    pub(crate) calls: Vec<(Duration, usize, Call)>,
    /// Outcomes recorded: when, of what.
    pub(crate) records: Vec<(Duration, MessageId, AttemptReport)>,
    /// Messages taken from handsets, each once.
    pub(crate) accepted: Vec<(MessageId, NewMessage)>,
    /// Where subscribers are, by public identity.
    pub(crate) locations: BTreeMap<String, Location>,
    /// How long a failed message waits for its next attempt.
    pub(crate) retry_after: Duration,
    pub(crate) attempts: Attempts,
    /// Rows handed out are not handed out again for so long; then the attempt is `unknown`.
    pub(crate) lease: Option<Duration>,
    /// A backend that does not know `released` refuses it.
    pub(crate) refuses_released: bool,
    /// Idempotency and submit keys are honoured.
    pub(crate) honours_keys: bool,
    rows: Vec<Row>,
    faults: Vec<(Operation, u32, Fault)>,
    outages: Vec<(Duration, Duration, Fault)>,
    by_key: BTreeMap<String, Accepted>,
}

struct Row {
    message: QueuedMessage,
    location: String,
    state: State,
    recorded: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due(Duration),
    Leased(Duration),
    /// Until the handset registers or has memory again.
    Held,
    Final(Status),
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            latency: ms(2),
            calls: Vec::new(),
            records: Vec::new(),
            accepted: Vec::new(),
            locations: BTreeMap::new(),
            retry_after: secs(60),
            attempts: Attempts::Recorded,
            lease: None,
            refuses_released: false,
            honours_keys: true,
            rows: Vec::new(),
            faults: Vec::new(),
            outages: Vec::new(),
            by_key: BTreeMap::new(),
        }
    }
}

/// A message from +447700900009 for a handset, registered at the core.
pub(crate) fn row(id: &str, to: &Handset, text: &str) -> QueuedMessage {
    QueuedMessage {
        id: MessageId::from(id),
        source_msisdn: "+447700900009".to_owned(),
        source_ton: None,
        source_npi: None,
        destination_msisdn: format!("+{}", to.msisdn),
        impu: Some(to.impu.clone()),
        s_cscf: Some(S_CSCF.to_owned()),
        ims_capable: None,
        message_body: text.to_owned(),
        encoding: None,
        tp_dcs: None,
        tp_pid: None,
        tp_rp: None,
        udh: None,
        raw_tpdu: None,
        scts: Some(jiff::Timestamp::from_second(WALL - 60).expect("a time")),
        sc_address: None,
        kind: smsc_backend::Kind::Submit,
        priority: None,
        delivery_attempts: None,
        expires: None,
        status_report: None,
        more_to_send: None,
    }
}

impl Backend {
    /// Puts a message into a location's queue.
    pub(crate) fn enqueue(&mut self, location: &str, message: QueuedMessage) {
        let recorded = message.delivery_attempts.unwrap_or(0);
        let state = State::Due(Duration::ZERO);
        self.rows.push(Row { message, location: location.to_owned(), state, recorded });
    }

    /// Has a message wait in its queue until a time.
    pub(crate) fn due(&mut self, id: &str, at: Duration) {
        for row in self.rows.iter_mut().filter(|row| row.message.id.0 == id) {
            row.state = State::Due(at);
        }
    }

    /// The next `count` calls of an operation go wrong.
    pub(crate) fn fail(&mut self, operation: Operation, count: u32, fault: Fault) {
        self.faults.push((operation, count, fault));
    }

    /// Every call that arrives in `[from, to)` goes wrong.
    pub(crate) fn outage(&mut self, from: Duration, to: Duration, fault: Fault) {
        self.outages.push((from, to, fault));
    }

    /// The status a message ended with.
    pub(crate) fn ended(&self, id: &str) -> Option<Status> {
        self.rows.iter().find(|row| row.message.id.0 == id).and_then(|row| match row.state {
            State::Final(status) => Some(status),
            _ => None,
        })
    }

    /// Statuses recorded for a message, in order.
    pub(crate) fn statuses(&self, id: &str) -> Vec<Status> {
        self.reports(id).iter().map(|report| report.status).collect()
    }

    /// Outcomes recorded for a message, in order.
    pub(crate) fn reports(&self, id: &str) -> Vec<&AttemptReport> {
        self.records.iter().filter(|(_, of, _)| of.0 == id).map(|(.., report)| report).collect()
    }

    /// When calls of an operation arrived.
    pub(crate) fn times(&self, operation: Operation) -> Vec<Duration> {
        self.calls.iter().filter(|(.., call)| Operation::of(call) == operation).map(|(at, ..)| *at).collect()
    }

    /// Ids of all messages that are not final.
    pub(crate) fn unfinished(&self) -> Vec<&MessageId> {
        let open = self.rows.iter().filter(|row| !matches!(row.state, State::Final(_)));
        open.map(|row| &row.message.id).collect()
    }

    pub(super) fn handle(&mut self, at: Duration, pod: usize, call: Call) -> (Duration, Answered) {
        let operation = Operation::of(&call);
        self.calls.push((at, pod, call.clone()));
        let once = self.faults.iter_mut().find(|(of, left, _)| *of == operation && *left > 0);
        let fault = match once {
            Some((_, left, fault)) => {
                *left -= 1;
                Some(*fault)
            }
            None => self.outages.iter().find(|(from, to, _)| (*from..*to).contains(&at)).map(|o| o.2),
        };
        let Some(fault) = fault else { return (self.latency, self.perform(at, call)) };
        let done = fault.takes_effect().then(|| self.perform(at, call));
        let (after, error) = fault.outcome(operation.name());
        let answer = error.map_or_else(|| done.expect("done, only late"), Err);
        (after, answer)
    }

    fn perform(&mut self, at: Duration, call: Call) -> Answered {
        match call {
            Call::FrontendRegister(_) => Ok(Reply::Done),
            Call::InsertLocation(location) => {
                self.located(at, location);
                Ok(Reply::Done)
            }
            Call::DeleteLocation(removal) => {
                let same = |known: &Location| removal.s_cscf.is_none() || removal.s_cscf == known.s_cscf;
                if self.locations.get(&removal.impu).is_some_and(same) {
                    self.locations.remove(&removal.impu);
                }
                Ok(Reply::Done)
            }
            Call::InsertMessage(message) => Ok(Reply::Accepted(self.take(at, Arc::unwrap_or_clone(message)))),
            Call::GetQueue { location, limit } => Ok(Reply::Rows(self.queue(at, &location, limit))),
            Call::ProcessMessage { id, report } => self.record(at, &id, *report),
        }
    }

    fn located(&mut self, at: Duration, location: Location) {
        for row in &mut self.rows {
            let this = row.message.impu.as_ref() == Some(&location.impu);
            if this && row.state == State::Held {
                row.state = State::Due(at);
            }
        }
        if location.event == LocationEvent::MemoryAvailable {
            return;
        }
        self.locations.insert(location.impu.clone(), location);
    }

    fn take(&mut self, at: Duration, message: NewMessage) -> Accepted {
        let key = message.idempotency_key.clone();
        let submit_key = message.submit_key.clone().map(|key| format!("submit {key}"));
        if self.honours_keys {
            let repeated = submit_key.as_ref().filter(|_| message.tp_rd == Some(true));
            let known = self.by_key.get(&key).or_else(|| self.by_key.get(repeated?));
            if let Some(known) = known {
                return Accepted { duplicate: true, ..known.clone() };
            }
        }
        let seconds = WALL + i64::try_from(at.as_secs()).expect("not that late");
        let accepted = Accepted {
            id: MessageId(format!("{}", 9000 + self.accepted.len())),
            scts: Some(jiff::Timestamp::from_second(seconds).expect("a time")),
            duplicate: false,
        };
        self.by_key.insert(key, accepted.clone());
        if let Some(submit_key) = submit_key {
            self.by_key.insert(submit_key, accepted.clone());
        }
        self.route(&accepted, &message);
        self.accepted.push((accepted.id.clone(), message));
        accepted
    }

    /// A recipient who is registered gets it at once; others are none of this model's business.
    fn route(&mut self, accepted: &Accepted, message: &NewMessage) {
        let number = message.destination_msisdn.trim_start_matches('+');
        let found = self.locations.values().find(|l| l.msisdn.as_deref() == Some(number)).cloned();
        if let Some(location) = found {
            let queued = QueuedMessage {
                source_msisdn: message.source_msisdn.clone(),
                s_cscf: location.s_cscf.clone(),
                raw_tpdu: message.raw_tpdu.clone(),
                scts: accepted.scts,
                impu: Some(location.impu.clone()),
                ..row(&accepted.id.0, &Handset::new(number), &message.message_body)
            };
            self.enqueue(&location.location, queued);
        }
    }

    fn queue(&mut self, at: Duration, location: &str, limit: u32) -> Vec<QueuedMessage> {
        self.expire_leases(at);
        let due =
            |row: &&mut Row| row.location == location && matches!(row.state, State::Due(due) if due <= at);
        let mut rows = Vec::new();
        for row in self.rows.iter_mut().filter(due).take(limit as usize) {
            if let Some(lease) = self.lease {
                row.state = State::Leased(at + lease);
            }
            let known = self.attempts == Attempts::Recorded;
            rows.push(QueuedMessage {
                delivery_attempts: known.then_some(row.recorded),
                ..row.message.clone()
            });
        }
        rows
    }

    /// The store's own part of the promise: a lease that ran out without a report is an `unknown` (design §4).
    fn expire_leases(&mut self, at: Duration) {
        for row in &mut self.rows {
            if matches!(row.state, State::Leased(until) if until <= at) {
                row.recorded += 1;
                row.state = State::Due(at);
                let report = AttemptReport {
                    dest_smsc: row.location.clone(),
                    attempt: row.recorded,
                    status: Status::Unknown,
                    reason: None,
                    permanent: Permanent::No,
                    rp_cause: None,
                    tp_fcs: None,
                    report_tpdu: None,
                    sip_status: None,
                    icid: None,
                    detail: "the lease ran out".to_owned(),
                };
                self.records.push((at, row.message.id.clone(), report));
            }
        }
    }

    fn record(&mut self, at: Duration, id: &MessageId, report: AttemptReport) -> Answered {
        let refusal = |status, detail: &str| {
            let error = BackendError::new("process_message", ErrorClass::Refused, detail);
            Err(BackendError { status: Some(status), ..error })
        };
        let Some(row) = self.rows.iter_mut().find(|row| row.message.id == *id) else {
            return refusal(404, "no such message");
        };
        if report.status == Status::Released && self.refuses_released {
            return refusal(422, "no such status");
        }
        if let State::Final(status) = row.state
            && (status == Status::Delivered || report.status != Status::Delivered)
        {
            return Ok(Reply::Processed(Processed::AlreadyFinal));
        }
        // Nothing that is not a delivery counts for an attempt that is over (design §11).
        let late = report.attempt <= row.recorded && self.attempts == Attempts::Recorded;
        if !late || report.status == Status::Delivered {
            row.recorded += u32::from(report.status != Status::Released);
            row.state = match (report.status, report.permanent) {
                (Status::Delivered, _) | (_, Permanent::Message | Permanent::Link) => {
                    State::Final(report.status)
                }
                (Status::Released, _) if row.state == State::Held => State::Held,
                (Status::Released, _) => State::Due(at),
                (Status::Absent | Status::MemoryFull, _) => State::Held,
                _ => State::Due(at + self.retry_after),
            };
        }
        self.records.push((at, id.clone(), report));
        Ok(Reply::Processed(Processed::Recorded))
    }
}
