//! The probe's IMS network: an S-CSCF and the two handsets behind it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Instant;

use smsc_proto::sip::transaction::{
    ClientId, Config, Event as Happened, Flow, ServerId, Target, Transactions,
};
use smsc_proto::sip::{Message, Method, Request, Response, Transport, Uri};

use super::wire::{Arrived, Wire};
use crate::demo::core::downlink;
use crate::demo::core::requests::{self, Registration};
use crate::demo::handset::{Handset, Uplink};
use crate::demo::journal::Event;
use crate::demo::people::Subscriber;

/// Transactions of each kind.
const TRANSACTIONS: usize = 1000;

/// Something the probe has to know.
#[derive(Debug)]
pub(super) enum Happening {
    /// A REGISTER has its answer, or none; `seen` is our address as the frontend sees it.
    Registered { handset: usize, status: Option<u16>, seen: Option<String> },
    /// A handset's submission has its answer, or none.
    Submitted { status: Option<u16>, seen: Option<String> },
    /// A handset's report on what it got has its answer, or none.
    Reported { handset: usize, status: Option<u16> },
    /// A handset's report leaves.
    Reports { handset: usize },
    /// A handset tells.
    Told(Event),
}

/// What a request was sent for.
enum Sent {
    Register { handset: usize },
    Submission { handset: usize, call_id: String },
    Report { handset: usize, call_id: String },
}

/// The S-CSCF and its handsets.
pub(super) struct Network {
    wire: Wire,
    bound: SocketAddr,
    random: RandomState,
    sip: Transactions,
    frontend: Target,
    /// Where the frontend reaches us, `host:port`.
    at: String,
    clients: HashMap<ClientId, Sent>,
    handsets: [Handset; 2],
    happenings: VecDeque<Happening>,
    instance: String,
    sequence: u64,
}

impl Network {
    /// A network that is not connected with any frontend yet.
    pub(super) fn new(wire: Wire, bound: SocketAddr, subscribers: [Subscriber; 2]) -> Self {
        // The standard library's hash keys come from the operating system.
        let random = RandomState::new();
        let instance = format!("{:08x}", random.hash_one(0) as u32);
        Self {
            wire,
            bound,
            sip: Transactions::new(config("", &random, 0)),
            random,
            frontend: Target::new(None, bound),
            at: String::new(),
            clients: HashMap::new(),
            handsets: subscribers.map(|who| Handset::new(who, &instance)),
            happenings: VecDeque::new(),
            instance,
            sequence: 0,
        }
    }

    /// Where its socket is bound.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// The frontend's address.
    pub(super) fn frontend(&self) -> SocketAddr {
        self.frontend.addr
    }

    /// Where the frontend reaches it.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// Sends to this frontend from now on; what was sent before is forgotten.
    pub(super) fn aim(&mut self, frontend: SocketAddr, transport: Transport, at: String) {
        self.frontend = Target::new(Some(transport), frontend);
        self.sip = Transactions::new(config(&at, &self.random, self.sequence));
        self.at = at;
        self.clients.clear();
        self.happenings.clear();
    }

    /// A handset's owner.
    pub(super) fn who(&self, handset: usize) -> &Subscriber {
        self.handsets[handset].who()
    }

    /// True while an answer is awaited.
    pub(super) fn awaits(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Registers a handset for so many seconds, or takes that back.
    pub(super) fn register(&mut self, handset: usize, expires: u32) {
        self.sequence += 1;
        let transport = match self.frontend.transport {
            Some(Transport::Tcp) => ";transport=tcp",
            _ => "",
        };
        let registration = Registration {
            s_cscf: &format!("sip:{}{transport}", self.at),
            at: &self.at,
            plain: false,
            expires,
            cseq: u32::try_from(self.sequence).unwrap_or(u32::MAX),
            tag: &self.instance,
        };
        let request = requests::register(self.handsets[handset].who(), &registration);
        self.send(request, Sent::Register { handset });
    }

    /// Has a handset send a text.
    ///
    /// # Errors
    /// What the handset would show.
    pub(super) fn type_message(&mut self, from: usize, to: &str, text: &str) -> Result<(), String> {
        self.handsets[from].type_message(Instant::now(), 1, to, text)
    }

    /// The next thing that happens, or nothing until then.
    pub(super) async fn next(&mut self, until: Instant) -> Option<Happening> {
        loop {
            self.perform().await;
            if let Some(happening) = self.happenings.pop_front() {
                return Some(happening);
            }
            let now = Instant::now();
            if now >= until {
                return None;
            }
            let timers = self.handsets.iter().filter_map(Handset::poll_timeout);
            let wake_at = timers.chain(self.sip.poll_timeout()).min().map_or(until, |at| at.min(until));
            tokio::select! {
                arrived = self.wire.next() => self.arrived(arrived),
                () = tokio::time::sleep_until(wake_at.into()) => {
                    let now = Instant::now();
                    self.sip.handle_timeout(now);
                    self.handsets.iter_mut().for_each(|handset| handset.handle_timeout(now));
                }
            }
        }
    }

    fn arrived(&mut self, arrived: Arrived) {
        let now = Instant::now();
        match arrived {
            Arrived::Message(flow, octets) => {
                // Whatever is not SIP was not sent by a frontend.
                if let Ok(message) = Message::parse(octets) {
                    self.sip.handle_message(now, flow, message);
                }
            }
            Arrived::Failed(failures) => {
                for failure in failures {
                    self.sip.handle_transport_error(now, failure);
                }
            }
        }
    }

    /// Lets transactions and handsets act on each other until nothing is left, and sends what they want sent.
    async fn perform(&mut self) {
        loop {
            let mut idle = true;
            while let Some(happened) = self.sip.poll_event() {
                idle = false;
                self.happened(happened);
            }
            for handset in 0..self.handsets.len() {
                while let Some(event) = self.handsets[handset].poll_event() {
                    self.happenings.push_back(Happening::Told(event));
                }
                while let Some(uplink) = self.handsets[handset].poll_uplink() {
                    idle = false;
                    self.uplink(handset, &uplink);
                }
            }
            while let Some(transmit) = self.sip.poll_transmit() {
                idle = false;
                if let Err(failure) = self.wire.send(transmit).await {
                    self.sip.handle_transport_error(Instant::now(), failure);
                }
            }
            if idle {
                return;
            }
        }
    }

    fn uplink(&mut self, handset: usize, uplink: &Uplink) {
        self.sequence += 1;
        let tag = format!("{}{:x}", self.instance, self.sequence);
        let request = requests::message(self.handsets[handset].who(), uplink, &tag);
        let call_id = uplink.call_id.clone();
        let sent = if uplink.in_reply_to.is_some() {
            self.happenings.push_back(Happening::Reports { handset });
            Sent::Report { handset, call_id }
        } else {
            Sent::Submission { handset, call_id }
        };
        self.send(request, sent);
    }

    fn send(&mut self, request: Request, sent: Sent) {
        self.sequence += 1;
        let branch = format!("{}{:x}", self.instance, self.sequence);
        match self.sip.request(Instant::now(), self.frontend.clone(), request, &branch) {
            Ok(client) => _ = self.clients.insert(client, sent),
            // Two handsets with a message each are far from the cap; it ends as if nobody had answered.
            Err(_full) => self.answered(sent, None),
        }
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Request { id, flow, message } => self.request(id, flow, &message),
            Happened::Overload { flow, message } => {
                let answer = Response::to(&message, flow.remote, 500, &self.instance).to_bytes();
                self.sip.respond_stateless(flow, &message, answer);
            }
            Happened::Response { id, message } => {
                if let Some(sent) = self.clients.remove(&id) {
                    self.answered(sent, Some(&message));
                }
            }
            Happened::Timeout { id } | Happened::TransportError { id } => {
                if let Some(sent) = self.clients.remove(&id) {
                    self.answered(sent, None);
                }
            }
            Happened::Stray { .. } => {}
        }
    }

    fn answered(&mut self, sent: Sent, answer: Option<&Message>) {
        let status = answer.and_then(Message::status);
        let seen = answer.and_then(|answer| answer.via().ok()?.received().map(str::to_owned));
        let (happening, uplink) = match sent {
            Sent::Register { handset } => (Happening::Registered { handset, status, seen }, None),
            Sent::Submission { handset, call_id } => {
                (Happening::Submitted { status, seen }, Some((handset, call_id)))
            }
            Sent::Report { handset, call_id } => {
                (Happening::Reported { handset, status }, Some((handset, call_id)))
            }
        };
        self.happenings.push_back(happening);
        if let Some((handset, call_id)) = uplink {
            self.handsets[handset].answered(Instant::now(), &call_id, status);
        }
    }

    /// A request from the frontend; repeats of it are answered again by the transaction.
    fn request(&mut self, id: ServerId, flow: Flow, message: &Message) {
        let number = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(|uri| uri.number());
        let digits = number.as_deref().map(|number| number.trim_start_matches('+'));
        let called = digits.and_then(|digits| self.handsets.iter_mut().find(|h| h.who().msisdn == digits));
        let call_id = message.call_id().unwrap_or_default();
        let status = match (message.method(), called, downlink(message, call_id)) {
            (Some(Method::Message), None, _) => 404,
            (Some(Method::Message), Some(_), None) => 415,
            (Some(Method::Message), Some(handset), Some(downlink)) => {
                handset.receive(Instant::now(), downlink)
            }
            _ => 405,
        };
        let answer = Response::to(message, flow.remote, status, &self.instance).to_bytes();
        self.sip.respond(Instant::now(), id, answer);
    }
}

fn config(at: &str, random: &RandomState, run: u64) -> Config {
    let seed = [random.hash_one((run, 1)), random.hash_one((run, 2))];
    Config { max_server: TRANSACTIONS, max_client: TRANSACTIONS, ..Config::new(at, seed) }
}
