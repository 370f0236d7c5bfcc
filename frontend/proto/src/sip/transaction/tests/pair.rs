//! Two transaction layers and a network between them that delays, loses, doubles and reorders, in virtual time.

use std::collections::BTreeMap;

use super::*;

/// How the network between the two behaves. TCP only delays, or refuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) latency: Duration,
    /// Up to this much is added to each datagram's latency, so datagrams overtake each other.
    pub(super) jitter: Duration,
    /// Datagrams lost, in percent.
    pub(super) loss: u64,
    /// Datagrams that arrive twice, in percent.
    pub(super) duplication: u64,
    /// Whether connections are refused.
    pub(super) refuses_tcp: bool,
}

impl Network {
    pub(super) const GOOD: Self = Self {
        latency: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0,
        duplication: 0,
        refuses_tcp: false,
    };
}

/// What the user of the server side answers and when, counted from the request.
pub(super) type Answers = Vec<(Duration, u16)>;

/// Alice sends requests, Bob answers them.
pub(super) struct Pair {
    pub(super) alice: Transactions,
    pub(super) bob: Transactions,
    pub(super) network: Network,
    /// What Alice's user was told: milliseconds since the start, and the event.
    pub(super) told: Vec<(u128, Seen)>,
    /// How often Bob's user was given the request with this branch.
    pub(super) taken: BTreeMap<String, usize>,
    /// What was put on the wire: milliseconds since the start, direction, start of the first line, and its fate.
    pub(super) wire: Vec<String>,
    /// The bytes of every answer Bob put on the wire, by branch.
    pub(super) answered: BTreeMap<String, Vec<Bytes>>,
    start: Instant,
    now: Instant,
    rng: Rng,
    // Ordered by time, then by order of scheduling.
    agenda: BTreeMap<(Instant, u64), Due>,
    scheduled: u64,
    plans: BTreeMap<String, Answers>,
}

enum Due {
    AtAlice(Flow, Bytes),
    AtBob(Flow, Bytes),
    Refused(Transmit),
    Answer(ServerId, Bytes),
}

impl Pair {
    pub(super) fn new(network: Network, seed: u64) -> Self {
        let start = Instant::now();
        Self {
            alice: Transactions::new(config()),
            bob: Transactions::new(Config::new(PEER, [seed, !seed])),
            network,
            told: Vec::new(),
            taken: BTreeMap::new(),
            wire: Vec::new(),
            answered: BTreeMap::new(),
            start,
            now: start,
            rng: Rng(seed),
            agenda: BTreeMap::new(),
            scheduled: 0,
            plans: BTreeMap::new(),
        }
    }

    /// Sends a MESSAGE that Bob's user will answer so.
    pub(super) fn send(&mut self, transport: Option<Transport>, body: usize, answers: Answers) -> ClientId {
        let branch = format!("n{}", self.plans.len());
        self.plans.insert(format!("z9hG4bK{branch}"), answers);
        let id = self.alice.request(self.now, target(transport), outgoing("MESSAGE", body), &branch).unwrap();
        self.drain();
        id
    }

    /// Lets everything happen that is due within `time`.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.step(next);
        }
        self.now = end;
    }

    /// Lets everything happen that is left to happen.
    pub(super) fn run_to_rest(&mut self) {
        let mut steps = 0;
        while let Some(next) = self.next() {
            self.step(next);
            steps += 1;
            assert!(steps < 100_000, "the two never come to rest");
        }
    }

    /// Breaks what Alice has open towards Bob over this transport.
    pub(super) fn lose(&mut self, transport: Transport) {
        let lost = TransportFailure::Lost { transport, addr: addr(PEER) };
        self.alice.handle_transport_error(self.now, lost);
        self.drain();
    }

    fn next(&mut self) -> Option<Instant> {
        let agenda = self.agenda.keys().next().map(|(at, _)| *at);
        [agenda, self.alice.poll_timeout(), self.bob.poll_timeout()].into_iter().flatten().min()
    }

    fn step(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Due::AtAlice(flow, bytes) => self.alice.handle_message(now, flow, parse(&bytes)),
                Due::AtBob(flow, bytes) => self.bob.handle_message(now, flow, parse(&bytes)),
                Due::Refused(transmit) => {
                    self.alice.handle_transport_error(now, TransportFailure::Unsent(transmit));
                }
                Due::Answer(id, bytes) => self.bob.respond(now, id, bytes),
            }
            self.drain();
        }
        self.alice.handle_timeout(now);
        self.bob.handle_timeout(now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(event) = self.alice.poll_event() {
            self.told.push(((self.now - self.start).as_millis(), event.into()));
        }
        while let Some(event) = self.bob.poll_event() {
            let Event::Request { id, message, .. } = event else { panic!("Bob was told {event:?}") };
            let branch = message.via().unwrap().branch().unwrap().to_owned();
            for (after, status) in self.plans[&branch].clone() {
                let answer = Response::to(&message, addr(OURS), status, "bob").to_bytes();
                self.schedule(after, Due::Answer(id, answer));
            }
            *self.taken.entry(branch).or_default() += 1;
        }
        while let Some(transmit) = self.alice.poll_transmit() {
            let Destination::Connect(Target { transport: Some(transport), .. }) = transmit.to else {
                panic!("a request went {:?}", transmit.to)
            };
            if transport == Transport::Tcp && self.network.refuses_tcp {
                self.note('>', &transmit.bytes, "TCP", "refused");
                self.schedule(self.network.latency, Due::Refused(transmit));
                continue;
            }
            let flow = Flow { remote: addr(OURS), ..flow_of(transport) };
            self.carry('>', transport, &transmit.bytes, |bytes| Due::AtBob(flow, bytes));
        }
        while let Some(transmit) = self.bob.poll_transmit() {
            let Destination::Flow(Flow { transport, .. }) = transmit.to else {
                panic!("an answer went {:?}", transmit.to)
            };
            let branch = parse(&transmit.bytes).via().unwrap().branch().unwrap().to_owned();
            self.answered.entry(branch).or_default().push(transmit.bytes.clone());
            let flow = Flow { remote: addr(PEER), ..flow_of(transport) };
            self.carry('<', transport, &transmit.bytes, |bytes| Due::AtAlice(flow, bytes));
        }
    }

    fn carry(&mut self, direction: char, transport: Transport, bytes: &Bytes, due: impl Fn(Bytes) -> Due) {
        let copies = match transport {
            Transport::Tcp | Transport::Tls => 1,
            Transport::Udp if self.rng.percent(self.network.loss) => 0,
            Transport::Udp if self.rng.percent(self.network.duplication) => 2,
            Transport::Udp => 1,
        };
        self.note(direction, bytes, transport.as_str(), ["lost", "", "doubled"][copies]);
        for _ in 0..copies {
            let jitter = match transport {
                Transport::Tcp | Transport::Tls => Duration::ZERO,
                Transport::Udp => self.rng.up_to(self.network.jitter),
            };
            self.schedule(self.network.latency + jitter, due(bytes.clone()));
        }
    }

    fn note(&mut self, direction: char, bytes: &Bytes, transport: &str, fate: &str) {
        let message = parse(bytes);
        let what = match (message.method(), message.status()) {
            (Some(method), _) => method.as_str().to_owned(),
            (None, status) => status.unwrap().to_string(),
        };
        let line = format!("{} {direction} {what} {transport} {fate}", (self.now - self.start).as_millis());
        self.wire.push(line.trim_end().to_owned());
    }

    fn schedule(&mut self, after: Duration, due: Due) {
        self.scheduled += 1;
        self.agenda.insert((self.now + after, self.scheduled), due);
    }
}

fn flow_of(transport: Transport) -> Flow {
    match transport {
        Transport::Udp => udp(PEER),
        Transport::Tcp => tcp(PEER, 1),
        Transport::Tls => tls(PEER, 1),
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap();
        Duration::from_micros(self.next() % (most + 1))
    }
}
