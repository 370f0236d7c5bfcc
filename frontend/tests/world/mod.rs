//! N real engines, an IMS core with handsets, a backend, and the links between them: all in virtual time.
//!
//! ```text
//! Handset ─┐            ┌─ Pod 0 ─┐
//! Handset ─┤ Core ─link─┤   relay ├─ Backend
//! Handset ─┘            └─ Pod 1 ─┘
//! ```
//! A test arranges, calls [`World::run`], and looks at what was seen: [`World::wire`] (every datagram), the handsets'
//! inboxes, the backend's calls and records. Nothing sleeps; one seed gives one run.

mod backend;
mod core;
mod fault;
mod handset;
mod link;
mod pod;
mod presence;
mod profile;
mod rpdus;
mod sent;
mod written;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use smsc_frontend::engine::{
    Answered, Call, CallId, Found, NotFound, Now, Output, Question, RelayVerdict, RelayedReport, Resolved,
    Settings,
};
use smsc_proto::sip::transaction::{Destination, Flow, Target, Transmit, TransportFailure};
use smsc_proto::sip::{Message, Transport};

pub(crate) use backend::{Attempts, Backend, row};
pub(crate) use core::{CORE, Core, PSI, S_CSCF};
pub(crate) use fault::{Fault, Operation};
pub(crate) use handset::{Answer, Body, Handset, InReplyTo, Incoming, Reaction, Report, SubmitVerdict};
pub(crate) use link::{Link, Packet, Party};
pub(crate) use pod::{KEY, Pod, address_of, location_of};
pub(crate) use presence::{Notify, Scripted, contact, document, registration};
pub(crate) use profile::Profile;
pub(crate) use rpdus::{Mo, report_rpdu, rp_data, tpdu_for_handset};
pub(crate) use sent::shown;

/// Unix seconds at the start of every world: 2025-06-15T15:06:40Z.
pub(crate) const WALL: i64 = 1_750_000_000;
/// More events than this in one `run` is a spin.
const SPIN: u32 = 4_000_000;

/// Whole seconds.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Everything that takes part.
pub(crate) struct World {
    zero: Instant,
    /// Time since the start.
    pub(crate) elapsed: Duration,
    /// The engines under test.
    pub(crate) pods: Vec<Pod>,
    /// The S-CSCF and the handsets behind it.
    pub(crate) core: Core,
    /// What the pods poll.
    pub(crate) backend: Backend,
    /// What happens to datagrams.
    pub(crate) link: Link,
    /// Every SIP message sent, lost ones included.
    pub(crate) wire: Vec<Packet>,
    /// What look-ups answer; a name that is not here does not exist.
    pub(crate) dns: BTreeMap<String, SocketAddr>,
    /// Look-ups made.
    pub(crate) looked_up: Vec<String>,
    /// One way between two pods' relay listeners; `None`: every relayed report is lost.
    pub(crate) relay_latency: Option<Duration>,
    agenda: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

struct Entry {
    at: Duration,
    sequence: u64,
    event: Event,
}

/// Something on its way.
enum Event {
    ToPod { pod: usize, flow: Flow, octets: Bytes },
    ToCore { flow: Flow, octets: Bytes },
    Failure { pod: usize, life: u32, failure: TransportFailure },
    Call { pod: usize, life: u32, id: CallId, call: Call },
    Answer { pod: usize, life: u32, id: CallId, answer: Answered },
    Resolved { pod: usize, life: u32, question: Question },
    Relayed { pod: usize, asker: (usize, u32, CallId), report: RelayedReport },
    RelayAnswer { asker: (usize, u32, CallId), verdict: RelayVerdict },
    Core(core::Action),
}

impl World {
    /// A world of `pods` frontends with default settings and the handsets alice and bob.
    pub(crate) fn new(pods: usize) -> Self {
        Self::with(pods, |_| {})
    }

    /// The same, with settings changed on every pod before it starts.
    pub(crate) fn with(pods: usize, adjust: impl Fn(&mut Settings)) -> Self {
        let zero = Instant::now();
        let now = Now { mono: zero, wall: WALL };
        let mut world = Self {
            zero,
            elapsed: Duration::ZERO,
            pods: (0..pods).map(|ordinal| Pod::new(ordinal, pods, now, &adjust)).collect(),
            core: Core::new(),
            backend: Backend::default(),
            link: Link::default(),
            wire: Vec::new(),
            dns: BTreeMap::new(),
            looked_up: Vec::new(),
            relay_latency: Some(ms(2)),
            agenda: BinaryHeap::new(),
            sequence: 0,
        };
        world.pump();
        world
    }

    /// The same world with handsets and a core of this kind.
    pub(crate) fn under(mut self, profile: Profile) -> Self {
        self.core.profile = profile;
        self
    }

    /// The two clocks of this instant.
    pub(crate) fn now(&self) -> Now {
        Now {
            mono: self.zero + self.elapsed,
            wall: WALL + i64::try_from(self.elapsed.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// Lets `duration` pass, and everything happen that happens in it.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.elapsed + duration;
        self.pump();
        for _ in 0..SPIN {
            let Some(next) = self.next_event().filter(|next| *next <= end) else {
                self.elapsed = end;
                return;
            };
            self.elapsed = self.elapsed.max(next);
            self.fire();
            self.pump();
        }
        panic!("spinning at {:?}", self.elapsed);
    }

    /// Runs until `done`, at most for `limit`; returns whether it came to that.
    pub(crate) fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.elapsed + limit;
        while !done(self) && self.elapsed < end {
            self.run(ms(10));
        }
        done(self)
    }

    /// Ends a pod without a word, as a crash does.
    pub(crate) fn kill(&mut self, pod: usize) {
        self.pods[pod].kill(self.elapsed);
    }

    /// Starts a pod again: nothing but its configuration and keys are as before.
    pub(crate) fn restart(&mut self, pod: usize) {
        let now = self.now();
        self.pods[pod].kill(self.elapsed);
        self.pods[pod].start(now);
        self.pump();
    }

    /// Calls an engine and lets it speak.
    pub(crate) fn engine<T>(
        &mut self,
        pod: usize,
        with: impl FnOnce(&mut smsc_frontend::engine::Engine, Now) -> T,
    ) -> T {
        let now = self.now();
        let result = with(self.pods[pod].engine.as_mut().expect("the pod is alive"), now);
        self.pump();
        result
    }

    /// Puts a message for a handset into a pod's queue.
    pub(crate) fn queue(&mut self, pod: usize, id: &str, handset: usize, text: &str) {
        self.queue_with(pod, id, handset, text, |row| row);
    }

    /// The same, changed.
    pub(crate) fn queue_with(
        &mut self,
        pod: usize,
        id: &str,
        handset: usize,
        text: &str,
        change: impl FnOnce(smsc_backend::QueuedMessage) -> smsc_backend::QueuedMessage,
    ) {
        let row = change(row(id, &self.core.handsets[handset], text));
        self.backend.enqueue(&location_of(pod), row);
    }

    /// Puts octets before a pod as if `from` had sent them over UDP.
    pub(crate) fn inject(&mut self, pod: usize, from: SocketAddr, octets: impl Into<Bytes>) {
        self.inject_over(Transport::Udp, pod, from, octets);
    }

    /// The same over another transport.
    pub(crate) fn inject_over(
        &mut self,
        transport: Transport,
        pod: usize,
        from: SocketAddr,
        octets: impl Into<Bytes>,
    ) {
        self.put(ms(0), Event::ToPod { pod, flow: flow(transport, from), octets: octets.into() });
    }

    /// What was sent to an address that is neither a pod nor the core.
    pub(crate) fn sent_to(&self, address: SocketAddr) -> Vec<Message> {
        let to = Party::Other(address);
        self.wire.iter().filter(|packet| packet.to == to).map(Packet::message).collect()
    }

    fn put(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.agenda.push(Reverse(Entry { at: self.elapsed + delay, sequence: self.sequence, event }));
    }

    fn next_event(&mut self) -> Option<Duration> {
        let zero = self.zero;
        let timers = self.pods.iter_mut().filter_map(|pod| pod.engine.as_mut()?.poll_timeout());
        let timers = timers.min().into_iter().chain(self.core.poll_timeout()).min();
        let timers = timers.map(|at| at.saturating_duration_since(zero));
        let agenda = self.agenda.peek().map(|Reverse(entry)| entry.at);
        timers.into_iter().chain(agenda).min()
    }

    fn fire(&mut self) {
        let now = self.now();
        if self.agenda.peek().is_some_and(|Reverse(entry)| entry.at <= self.elapsed)
            && let Some(Reverse(entry)) = self.agenda.pop()
        {
            return self.happen(entry.event);
        }
        for pod in &mut self.pods {
            if let Some(engine) = &mut pod.engine
                && engine.poll_timeout().is_some_and(|at| at <= now.mono)
            {
                engine.handle_timeout(now);
            }
        }
        self.core.handle_timeout(now.mono);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::ToPod { pod, flow, octets } => {
                if let Some(engine) = &mut self.pods[pod].engine {
                    engine.handle_message(now, flow, octets);
                }
            }
            Event::ToCore { flow, octets } => self.core.handle_message(now.mono, flow, octets),
            Event::Failure { pod, life, failure } => {
                if let Some(engine) = self.pods[pod].living(life) {
                    engine.handle_transport_failure(now, failure);
                }
            }
            Event::Call { pod, life, id, call } => {
                let (after, answer) = self.backend.handle(self.elapsed, pod, call);
                self.put(after, Event::Answer { pod, life, id, answer });
            }
            Event::Answer { pod, life, id, answer } => {
                if let Some(engine) = self.pods[pod].living(life) {
                    engine.handle_answer(now, id, answer);
                }
            }
            Event::Resolved { pod, life, question } => {
                let answer: Resolved = match self.dns.get(&question.host) {
                    Some(addr) => {
                        let target = Target::new(question.transport, *addr);
                        Ok(Found { life: secs(30), ..Found::numeric(&question.host, target) })
                    }
                    None => {
                        let why = "no such host".to_owned();
                        Err(NotFound { why, life: secs(5), definite: true })
                    }
                };
                if let Some(engine) = self.pods[pod].living(life) {
                    engine.handle_resolved(now, question, answer);
                }
            }
            Event::Relayed { pod, asker, report } => {
                self.sequence += 1;
                let id = self.sequence;
                match self.pods.get_mut(pod) {
                    Some(Pod { engine: Some(engine), relayed, .. }) => {
                        relayed.insert(id, asker);
                        engine.handle_relayed_report(now, id, &report);
                    }
                    _ => self.put(ms(2), Event::RelayAnswer { asker, verdict: RelayVerdict::Failed }),
                }
            }
            Event::RelayAnswer { asker: (pod, life, id), verdict } => {
                if let Some(engine) = self.pods[pod].living(life) {
                    engine.handle_relay_answer(now, id, verdict);
                }
            }
            Event::Core(action) => self.core.act(now.mono, action),
        }
    }

    /// Carries out everything anyone wants done, until nobody wants anything.
    fn pump(&mut self) {
        for pod in 0..self.pods.len() {
            while let Some(output) = self.pods[pod].engine.as_mut().and_then(|engine| engine.poll_output()) {
                self.carry_out(pod, output);
            }
        }
        let now = self.now();
        self.core.react(now.mono);
        for (after, action) in std::mem::take(&mut self.core.agenda) {
            self.put(after, Event::Core(action));
        }
        while let Some(transmit) = self.core.poll_transmit() {
            self.send_from_core(&transmit);
        }
    }

    fn carry_out(&mut self, pod: usize, output: Output) {
        let life = self.pods[pod].life;
        match output {
            Output::Transmit(transmit) => self.send_from_pod(pod, transmit),
            Output::Call { id, call } => {
                let latency = self.backend.latency;
                self.put(latency, Event::Call { pod, life, id, call });
            }
            Output::Resolve(question) => {
                self.looked_up.push(question.host.clone());
                self.put(ms(3), Event::Resolved { pod, life, question });
            }
            Output::Relay { id, ordinal, report } => {
                self.pods[pod].relays.push(report.clone());
                if let Some(latency) = self.relay_latency {
                    let event = Event::Relayed { pod: usize::from(ordinal), asker: (pod, life, id), report };
                    self.put(latency, event);
                }
            }
            Output::RelayAnswer { id, verdict } => {
                if let (Some(asker), Some(latency)) = (self.pods[pod].relayed.remove(&id), self.relay_latency)
                {
                    self.put(latency, Event::RelayAnswer { asker, verdict });
                }
            }
            Output::Step(step) => self.pods[pod].steps.push(step),
        }
    }

    fn send_from_pod(&mut self, pod: usize, transmit: Transmit) {
        let (transport, to) = way(&transmit);
        if transport == Transport::Tcp && self.link.tcp_refused {
            let life = self.pods[pod].life;
            let failure = TransportFailure::Unsent(transmit);
            return self.put(ms(1), Event::Failure { pod, life, failure });
        }
        let party = if to == CORE { Party::Core } else { Party::Other(to) };
        let flow = flow(transport, address_of(pod));
        for delay in self.post(Party::Pod(pod), party, transport, &transmit.bytes) {
            if party == Party::Core {
                self.put(delay, Event::ToCore { flow, octets: transmit.bytes.clone() });
            }
        }
    }

    fn send_from_core(&mut self, transmit: &Transmit) {
        let (transport, to) = way(transmit);
        let Some(pod) = (0..self.pods.len()).find(|pod| address_of(*pod) == to) else { return };
        let flow = flow(transport, CORE);
        for delay in self.post(Party::Core, Party::Pod(pod), transport, &transmit.bytes) {
            self.put(delay, Event::ToPod { pod, flow, octets: transmit.bytes.clone() });
        }
    }

    /// Writes a message down and asks the link what becomes of it: one delay for each copy that arrives.
    fn post(&mut self, from: Party, to: Party, transport: Transport, octets: &Bytes) -> Vec<Duration> {
        let mut packet =
            Packet { at: self.elapsed, from, to, transport, octets: octets.clone(), lost: false };
        let delays = self.link.carry(&packet);
        packet.lost = delays.is_empty();
        if let Party::Pod(_) = from {
            written::keep(transport, octets);
        }
        self.wire.push(packet);
        delays
    }
}

fn way(transmit: &Transmit) -> (Transport, SocketAddr) {
    match &transmit.to {
        Destination::Flow(flow) => (flow.transport, flow.remote),
        Destination::Connect(target) => (target.transport.unwrap_or(Transport::Udp), target.addr),
    }
}

fn flow(transport: Transport, remote: SocketAddr) -> Flow {
    Flow { transport, remote, connection: u64::from(transport == Transport::Tcp), local: 0 }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
