//! The frontend's heart: every rule of exact delivery, without a socket, a clock or a task.
//!
//! ```text
//! datagrams ─┐                         ┌─ Transmit
//! answers   ─┤  handle_*  → Engine →   ├─ Call, Resolve, Relay
//! timers    ─┘      poll_output        └─ RelayAnswer, Step
//! ```
//! Call order: any `handle_*`, then [`Engine::poll_output`] until it is empty, then wait for
//! [`Engine::poll_timeout`] or the next input. One engine owns all state of its subscribers; there are no locks.

mod api;
mod compose;
mod content;
mod deliveries;
mod handsets;
mod hex;
mod hops;
mod identity;
mod memory;
mod metrics;
mod mo;
mod outcome;
mod outcomes;
mod overview;
mod polls;
mod recent;
mod reg_event;
mod register;
mod remarks;
mod reports;
mod requests;
mod schedule;
mod servers;
mod settings;
mod submission;
mod submit_report;
mod token;
mod uas;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rustc_hash::{FxHashMap, FxHashSet};
use smsc_proto::sip::transaction::{self, ClientId, Event, Flow, Transactions, Transmit, TransportFailure};
use smsc_proto::sip::{Message, Transport};

pub use api::{Answered, Call, CallId, Now, Output, RelayVerdict, RelayedReport, Reply, Step};
pub use compose::encoding;
pub use hops::question;
pub use metrics::{AnswerLabel, BackendLabel, Metrics, ReasonLabel};
pub use overview::Overview;
pub use servers::{Found, NotFound, Question, Resolved, Server, pick};
pub use settings::{Caps, RegEvent, RegisterInfo, ReportUri, Settings, Timers, Trusted};
pub use token::{Keys, Token, TokenId};

use deliveries::DeliveryId;
use handsets::Handsets;
use hex::Hex;
use hops::Hops;
use identity::Subscribers;
use outcomes::{OutcomeId, Outcomes};
use polls::Polls;
use reg_event::Subscriptions;
use register::Registrar;
use reports::OpenReports;
use schedule::Schedule;
use submission::Submissions;

/// The protocol engine of one pod.
pub struct Engine {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    random: Random,
    sip: Transactions,
    outputs: VecDeque<Output>,
    schedule: Schedule<Timer>,
    sequence: u64,
    calls: FxHashMap<CallId, Pending>,
    clients: FxHashMap<ClientId, Client>,
    subscribers: Subscribers,
    registrar: Registrar,
    subscriptions: Subscriptions,
    submissions: Submissions,
    handsets: Handsets,
    outcomes: Outcomes,
    reports: OpenReports,
    polls: Polls,
    hops: Hops,
    started: Instant,
    draining: bool,
    instance: String,
    /// Connections whose peers are trusted for their certificates.
    authenticated: FxHashSet<u64>,
    /// What a MESSAGE of ours that comes back has as its sender.
    own_aor: Option<String>,
}

/// What an engine timer means when it fires.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Timer {
    /// `frontend_register` is due.
    FrontendRegister,
    /// A location's timer poll, or an event poll that waited for its turn.
    Poll { location: Arc<str>, epoch: u64, timer: bool },
    /// A REGISTER's write, of this version, is repeated.
    Registration(Box<str>, u64),
    /// A subscription is refreshed or tried again, unless this timer was replaced by a later one.
    Subscription(Arc<str>, u64),
    /// `insert_message` is repeated.
    Submission(u64),
    /// A delivery's tr1n ran out.
    Delivery(DeliveryId),
    /// A handset may go on: a hold is over, or an RP-MR is free again.
    Handset(Arc<str>),
    /// `process_message` is repeated.
    Outcome(OutcomeId),
    /// A report has waited long enough for its answer.
    ReportAnswer(u64),
    /// A relayed report was not answered in time.
    Relay(CallId),
}

/// What a backend call was made for.
#[derive(Debug)]
enum Pending {
    FrontendRegister,
    Registration(Box<str>, u64),
    ForgottenLocation,
    Submission(u64),
    /// Whose queue, and the sequence number at which it was asked for.
    Poll(Arc<str>, u64),
    Outcome(OutcomeId),
    Relay(reports::RelayWait),
    Memory(memory::MemoryAvailable),
}

/// What a request of ours was sent for.
#[derive(Debug)]
enum Purpose {
    SubmitReport(Box<submit_report::Sent>),
    Delivery(DeliveryId),
    Subscribe(Box<reg_event::Sent>),
}

/// A request of ours under way.
#[derive(Debug)]
struct Client {
    purpose: Purpose,
    /// How many transmissions of it were put out and not given back as unsent; at 0 nothing of it has left us.
    out: u32,
}

impl Client {
    const fn new(purpose: Purpose) -> Self {
        Self { purpose, out: 0 }
    }
}

impl Engine {
    /// An engine at rest. `seed` is from a good random source: it keys hash tables and names branches.
    #[must_use]
    pub fn new(
        settings: Settings,
        metrics: Arc<Metrics>,
        transactions: transaction::Config,
        seed: u64,
        now: Now,
    ) -> Self {
        let mut random = Random(seed);
        let instance = format!("{:08x}", random.next() as u32);
        let mut engine = Self {
            sip: Transactions::new(transactions),
            outputs: VecDeque::new(),
            schedule: Schedule::default(),
            sequence: 0,
            calls: FxHashMap::default(),
            clients: FxHashMap::default(),
            subscribers: Subscribers::new(settings.caps.registrations),
            registrar: Registrar::default(),
            subscriptions: Subscriptions::default(),
            submissions: Submissions::new(&settings),
            handsets: Handsets::new(&settings),
            outcomes: Outcomes::new(&settings),
            reports: OpenReports::default(),
            polls: Polls::default(),
            hops: Hops::default(),
            started: now.mono,
            draining: false,
            instance,
            authenticated: FxHashSet::default(),
            own_aor: uas::own_aor(&settings),
            random,
            metrics,
            settings: Arc::new(settings),
        };
        engine.schedule.set(now.mono, Timer::FrontendRegister);
        engine.follow_polled_locations(now);
        engine
    }

    /// Takes one SIP message: a datagram, or what a stream framer cut out.
    pub fn handle_message(&mut self, now: Now, flow: Flow, octets: Bytes) {
        self.metrics.received.inc();
        match Message::read(octets) {
            Ok(message) if message.is_request() && !self.trusts(flow) => {
                self.untrusted(flow, &message);
            }
            Ok(message) => self.sip.handle_message(now.mono, flow, message),
            Err((error, octets)) => {
                tracing::debug!(peer = %flow.remote, %error, "dropped: not SIP");
                self.drop_input(error.reason());
                self.malformed(flow, &octets);
            }
        }
        self.drain_events(now);
    }

    /// Says whether a connection's peer is trusted for its certificate, whatever its address; false when it is gone.
    pub fn authenticate(&mut self, connection: u64, trusted: bool) {
        if trusted {
            self.authenticated.insert(connection);
        } else {
            self.authenticated.remove(&connection);
        }
    }

    /// Counts input that was thrown away before it became a message.
    pub fn drop_input(&mut self, reason: &'static str) {
        self.metrics.dropped.get_or_create(&metrics::ReasonLabel { reason }).inc();
    }

    /// Learns what went wrong below: a connection refused or broken, a datagram that could not be sent.
    pub fn handle_transport_failure(&mut self, now: Now, failure: TransportFailure) {
        if let TransportFailure::Unsent(Transmit { client: Some(id), .. }) = &failure
            && let Some(client) = self.clients.get_mut(id)
        {
            client.out = client.out.saturating_sub(1);
        }
        self.sip.handle_transport_error(now.mono, failure);
        self.drain_events(now);
    }

    /// Takes the answer to [`Output::Call`].
    pub fn handle_answer(&mut self, now: Now, id: CallId, answer: Answered) {
        let Some(pending) = self.calls.remove(&id) else { return };
        match &answer {
            Ok(_) => _ = self.metrics.backend_last_answer.set(now.wall),
            Err(error) => {
                tracing::warn!(%error, "backend");
                let label = metrics::BackendLabel { operation: error.operation, class: error.class.as_str() };
                self.metrics.backend_errors.get_or_create(&label).inc();
            }
        }
        match pending {
            Pending::FrontendRegister => self.frontend_registered(now, answer),
            Pending::Registration(impu, version) => self.registration_written(now, &impu, version, answer),
            Pending::ForgottenLocation | Pending::Relay(_) => {}
            Pending::Submission(submission) => self.submission_answered(now, submission, answer),
            Pending::Poll(location, asked) => self.queue_answered(now, &location, asked, answer),
            Pending::Outcome(outcome) => self.outcome_answered(now, outcome, answer),
            Pending::Memory(memory) => self.memory_answered(now, memory, answer),
        }
        self.drain_events(now);
    }

    /// Takes the answer to [`Output::Resolve`].
    pub fn handle_resolved(&mut self, now: Now, question: Question, answer: Resolved) {
        self.hop_resolved(now, question, answer);
        self.drain_events(now);
    }

    /// Takes a report another pod passed on; answered with [`Output::RelayAnswer`] under the same `id`.
    pub fn handle_relayed_report(&mut self, now: Now, id: u64, report: &RelayedReport) {
        self.relayed_report(now, id, report);
        self.drain_events(now);
    }

    /// Takes the answer to [`Output::Relay`].
    pub fn handle_relay_answer(&mut self, now: Now, id: CallId, verdict: RelayVerdict) {
        self.relay_answered(now, id, verdict);
        self.drain_events(now);
    }

    /// Puts new settings in force.
    pub fn apply(&mut self, now: Now, settings: Settings) {
        self.own_aor = uas::own_aor(&settings);
        self.settings = Arc::new(settings);
        self.follow_polled_locations(now);
        self.drain_events(now);
    }

    /// Stops polling, gives back what was not attempted, and carries out removals that wait for an S-CSCF's answer;
    /// everything open is finished (design §4, Drain).
    pub fn begin_drain(&mut self, now: Now) {
        self.draining = true;
        self.release_unattempted(now, "the frontend is shutting down", |_| true);
        self.settle_doubts();
        self.drain_events(now);
    }

    /// True if nothing is open: a drained engine may go.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let waits = |call: &Pending| !matches!(call, Pending::Poll(..) | Pending::FrontendRegister);
        self.handsets.open_deliveries() == 0
            && self.submissions.open() == 0
            && self.outcomes.open() == 0
            && self.reports.open() == 0
            && self.registrar.open() == 0
            && !self.calls.values().any(waits)
            && !self.clients.values().any(|client| matches!(client.purpose, Purpose::SubmitReport(_)))
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.sip.handle_timeout(now.mono);
        self.drain_events(now);
        while let Some(timer) = self.schedule.due(now.mono) {
            match timer {
                Timer::FrontendRegister => self.frontend_register(now),
                Timer::Poll { location, epoch, timer } => self.poll_due(now, &location, epoch, timer),
                Timer::Registration(impu, version) => self.registration_due(&impu, version),
                Timer::Subscription(aor, serial) => self.subscription_due(now, &aor, serial),
                Timer::Submission(submission) => self.insert_message(now, submission),
                Timer::Delivery(delivery) => self.tr1n_ran_out(now, delivery),
                Timer::Handset(handset) => self.advance(now, &handset),
                Timer::Outcome(outcome) => self.process_message(now, outcome),
                Timer::ReportAnswer(report) => self.report_waited_too_long(now, report),
                Timer::Relay(call) => self.relay_answered(now, call, RelayVerdict::Failed),
            }
            self.drain_events(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let Some(transmit) = self.sip.poll_transmit() else { return self.outputs.pop_front() };
        if let Some(client) = transmit.client.and_then(|id| self.clients.get_mut(&id)) {
            client.out += 1;
        }
        Some(Output::Transmit(transmit))
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        match (self.sip.poll_timeout(), self.schedule.next()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    fn drain_events(&mut self, now: Now) {
        while let Some(event) = self.sip.poll_event() {
            match event {
                Event::Request { id, flow, message } => self.request(now, uas::Request { id, flow, message }),
                Event::Overload { flow, message } => self.overloaded(flow, &message),
                Event::Response { id, message } => self.response(now, id, Final::Response(&message)),
                Event::Timeout { id } => self.response(now, id, Final::Timeout),
                Event::TransportError { id } => {
                    let unsent = self.clients.get(&id).is_some_and(|client| client.out == 0);
                    self.response(now, id, if unsent { Final::Unsent } else { Final::TransportError });
                }
                Event::Stray { flow, .. } if self.trusts(flow) => {
                    self.metrics.stray_responses.inc();
                    self.poll_all_soon(now)
                }
                Event::Stray { .. } => self.drop_input("stray_response"),
            }
        }
    }

    fn response(&mut self, now: Now, id: ClientId, result: Final<'_>) {
        match self.clients.remove(&id).map(|client| client.purpose) {
            Some(Purpose::Delivery(delivery)) => self.delivery_answered(now, delivery, result),
            Some(Purpose::SubmitReport(sent)) => self.submit_report_answered(now, *sent, result),
            Some(Purpose::Subscribe(sent)) => self.subscribe_answered(now, *sent, result),
            None => {}
        }
    }

    /// Whether requests that come this way are believed: for the certificate of the peer, else for its address.
    fn trusts(&self, flow: Flow) -> bool {
        let by_certificate =
            flow.transport == Transport::Tls && self.authenticated.contains(&flow.connection);
        by_certificate || self.settings.trusted.contains(flow.remote)
    }

    fn call(&mut self, call: Call, pending: Pending) -> CallId {
        let id = CallId(self.next());
        self.calls.insert(id, pending);
        self.outputs.push_back(Output::Call { id, call });
        id
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn branch(&mut self) -> String {
        let sequence = self.next();
        [&self.instance, Hex::new(sequence).as_str()].concat()
    }

    /// A Call-ID of ours without a token.
    fn new_call_id(&mut self) -> String {
        [&self.new_icid(), "@", &self.settings.advertised_host].concat()
    }

    /// An IMS charging identifier: 64 random bits and a number that this pod never used (RFC 7315 §4.6).
    fn new_icid(&mut self) -> String {
        let (random, sequence) = (Hex::new(self.random.next()), Hex::new(self.next()));
        [random.padded(), sequence.as_str()].concat()
    }

    /// P-Charging-Vector of a request of ours: our network is orig-ioi (TS 24.229 §5.7.3).
    fn charging_vector(&self, icid: &str) -> String {
        ["icid-value=", icid, ";orig-ioi=", &self.settings.ims_domain].concat()
    }

    fn tell(
        &mut self,
        id: Option<&smsc_backend::MessageId>,
        stage: &'static str,
        text: impl FnOnce() -> String,
    ) {
        if self.settings.narrate {
            self.outputs.push_back(Output::Step(Step { id: id.cloned(), stage, text: text() }));
        }
    }
}

/// How a request of ours ended.
#[derive(Debug, Clone, Copy)]
enum Final<'a> {
    Response(&'a Message),
    Timeout,
    TransportError,
    /// Not one octet of it left us.
    Unsent,
}

/// SplitMix64: jitter, tags and names of branches. Nothing secret rests on it.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
