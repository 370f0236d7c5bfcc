//! Both tables, their timers and the queues in and out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::client::{Client, Failed, Heard, Way};
use super::key::{Keys, MAGIC_COOKIE};
use super::sent_by::{SentBy, port_of};
use super::server::{Answered, Server};
use super::table::{Id, Table};
use super::timers::{Fifo, Heap};
use super::{
    ClientId, Config, Counters, Destination, Event, Flow, Full, ServerId, Target, Timers, Transmit,
    TransportFailure,
};
use crate::sip::{Message, Method, Request, Transport, Via, ViaOut};

/// All transactions of one protocol loop. See the [module](super) for the order of calls.
pub struct Transactions {
    timers: Timers,
    sent_by_udp: SentBy,
    sent_by_tcp: SentBy,
    sent_by_tls: SentBy,
    keys: Keys,
    clients: Table<Client>,
    timer_e: Heap,
    timer_f: Fifo,
    timer_k: Fifo,
    servers: Table<Server>,
    // Timer J, and before it the time in which an answer is still of use: both are 64·T1.
    timer_j: Fifo,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
    counters: Counters,
    branch: String,
}

impl Transactions {
    /// Makes an empty transaction layer.
    pub fn new(config: Config) -> Self {
        let Config { timers, sent_by_udp, sent_by_tcp, sent_by_tls, max_server, max_client, seed } = config;
        Self {
            timers,
            sent_by_udp: SentBy::new(sent_by_udp, Transport::Udp),
            sent_by_tcp: SentBy::new(sent_by_tcp, Transport::Tcp),
            sent_by_tls: SentBy::new(sent_by_tls, Transport::Tls),
            keys: Keys::new(seed),
            clients: Table::new(max_client),
            timer_e: Heap::default(),
            timer_f: Fifo::new(timers.f()),
            timer_k: Fifo::new(timers.k()),
            servers: Table::new(max_server),
            timer_j: Fifo::new(timers.j()),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            counters: Counters::default(),
            branch: MAGIC_COOKIE.to_owned(),
        }
    }

    /// Takes a message from the wire.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        match message.status() {
            Some(status) => self.handle_response(now, flow, message, status),
            None => self.handle_request(now, flow, message),
        }
    }

    /// Fires every timer due at `now`. Each fires once, however late: there are no bursts after a pause.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timer_f.pop(now, |_, id| awaits(&self.clients, id)) {
            self.clients.remove(id);
            self.events.push_back(Event::Timeout { id: ClientId(id) });
        }
        while let Some(id) = self.timer_k.pop(now, |_, id| self.clients.get(id).is_some()) {
            self.clients.remove(id);
        }
        while let Some(id) = self.timer_e.pop(now, |due, id| e_runs(&self.clients, due, id)) {
            self.repeat_request(now, id);
        }
        while let Some(id) = self.timer_j.pop(now, |due, id| ends_at(&self.servers, due, id)) {
            let ended = self.servers.remove(id);
            if ended.is_some_and(|server| !server.is_completed()) {
                self.counters.unanswered += 1;
            }
        }
    }

    /// Takes a failure of the transport (RFC 3261 §17.1.4, §18.1.1, §18.2.2, §18.4).
    ///
    /// An unsent request ends in [`Event::TransportError`], unless only its size chose TCP: then it goes over UDP. An
    /// answer whose connection is gone is sent once more over a new one.
    pub fn handle_transport_error(&mut self, now: Instant, failure: TransportFailure) {
        match failure {
            TransportFailure::Unsent(Transmit { client: Some(ClientId(id)), to, bytes: _ }) => {
                self.request_unsent(now, id, to);
            }
            TransportFailure::Unsent(Transmit { client: None, to, bytes }) => self.answer_unsent(to, bytes),
            TransportFailure::Lost { transport, addr } => {
                let lost = |client: &Client| client.awaiting() == Some(transport) && client.addr() == addr;
                let ids: Vec<Id> =
                    self.clients.iter().filter(|(_, client)| lost(client)).map(|(id, _)| id).collect();
                for id in ids {
                    self.clients.remove(id);
                    self.events.push_back(Event::TransportError { id: ClientId(id) });
                }
            }
        }
    }

    /// Sends a request and waits for its final response.
    ///
    /// `branch` is the unique part of the Via's branch; the magic cookie is put before it. Two requests of one method
    /// must not share it: the response would go to the later.
    ///
    /// # Errors
    /// [`Full`] at the cap of client transactions; nothing was sent.
    pub fn request(
        &mut self,
        now: Instant,
        target: Target,
        request: Request,
        branch: &str,
    ) -> Result<ClientId, Full> {
        if self.clients.is_full() {
            return Err(Full);
        }
        self.branch.truncate(MAGIC_COOKIE.len());
        self.branch.push_str(branch);
        let (transport, bytes, way) = self.way(target.transport, &request);
        let key = self.keys.client(&self.branch, request.method());
        let client = Client::new(now, &self.timers, target.addr, way);
        let timer_e = client.timer_e();
        let id = self.clients.insert(key, client).ok_or(Full)?;
        self.timer_f.push(now, id, self.clients.len(), |_, id| awaits(&self.clients, id));
        if let Some(due) = timer_e {
            self.start_timer_e(due, id);
        }
        self.send_request(id, Target { transport: Some(transport), ..target }, bytes);
        Ok(ClientId(id))
    }

    /// Answers a request; `response` is one whole message, whose status line says whether it is final.
    ///
    /// Dropped, and counted, are an answer that comes 64·T1 after the request or later, one after a final answer, and
    /// what only an INVITE may get: 408, and any provisional response but 100 (RFC 4320 §4.1, §4.2). A 100 over UDP is
    /// of use 3.5 s after the request and must not go before (§4.1); that is left to the caller.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: Bytes) {
        let ServerId(id) = id;
        let Some(server) = self.servers.get_mut(id) else {
            self.counters.answers_dropped += 1;
            return;
        };
        let reply_to = server.reply_to();
        match server.respond(status_of(&response), &response) {
            Answered::Provisional => {}
            Answered::FinalThenJ => {
                let open = self.servers.len();
                let due = self.timer_j.push(now, id, open, |due, id| ends_at(&self.servers, due, id));
                if let Some(server) = self.servers.get_mut(id) {
                    server.set_timer_j(due);
                }
            }
            Answered::FinalThenGone => {
                self.servers.remove(id);
            }
            Answered::Dropped => {
                self.counters.answers_dropped += 1;
                return;
            }
        }
        self.send_response(reply_to, response);
    }

    /// Answers a request that has no transaction ([`Event::Overload`]); a repetition of it will come as a new one.
    pub fn respond_stateless(&mut self, flow: Flow, request: &Message, response: Bytes) {
        match request.via() {
            Ok(via) => self.send_response(reply_to(flow, &via), response),
            Err(_) => self.counters.answers_unsent += 1,
        }
    }

    /// The INVITE that a CANCEL is for, if it has a transaction: 200 then, else 481 (RFC 3261 §9.2).
    pub fn cancelled(&self, cancel: &Message) -> Option<ServerId> {
        let key = self.keys.cancelled(&cancel.via().ok()?)?;
        self.servers.find(&key).map(ServerId)
    }

    /// The next thing to tell the user.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; changes with every other call.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let e = self.timer_e.next(|due, id| e_runs(&self.clients, due, id));
        let f = self.timer_f.next(|_, id| awaits(&self.clients, id));
        let k = self.timer_k.next(|_, id| self.clients.get(id).is_some());
        let j = self.timer_j.next(|due, id| ends_at(&self.servers, due, id));
        [e, f, k, j].into_iter().flatten().min()
    }

    /// How many server transactions exist, answered ones that absorb repetitions included.
    pub fn open_server(&self) -> usize {
        self.servers.len()
    }

    /// How many client transactions exist, finished ones that absorb repetitions included.
    pub fn open_client(&self) -> usize {
        self.clients.len()
    }

    /// What was absorbed, repeated and dropped so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn handle_request(&mut self, now: Instant, flow: Flow, message: Message) {
        let Ok(via) = message.via() else {
            self.counters.unanswerable += 1;
            return;
        };
        let method = message.method();
        // An ACK to the refusal of an INVITE ends nothing here, as there is no timer G to stop.
        if method == Some(Method::Ack) {
            self.counters.requests_absorbed += 1;
            return;
        }
        let key = self.keys.server(&message, &via);
        if let Some(server) = self.servers.find(&key).and_then(|id| self.servers.get(id)) {
            self.counters.requests_absorbed += 1;
            if let Some(answer) = server.repeated() {
                let reply_to = server.reply_to();
                self.send_response(reply_to, answer);
            }
            return;
        }
        let server = Server::new(reply_to(flow, &via), method == Some(Method::Invite), now + self.timers.j());
        match self.servers.insert(key, server) {
            Some(id) => {
                self.timer_j.push(now, id, self.servers.len(), |due, id| ends_at(&self.servers, due, id));
                self.events.push_back(Event::Request { id: ServerId(id), flow, message });
            }
            None => self.events.push_back(Event::Overload { flow, message }),
        }
    }

    fn handle_response(&mut self, now: Instant, flow: Flow, message: Message, status: u16) {
        let Some(id) = self.client_of(&message) else {
            self.events.push_back(Event::Stray { flow, message });
            return;
        };
        match self.clients.get_mut(id).map_or(Heard::Absorbed, |client| client.respond(status)) {
            Heard::Absorbed => {
                self.counters.responses_absorbed += 1;
                return;
            }
            Heard::FinalThenK => {
                self.timer_k.push(now, id, self.clients.len(), |_, id| self.clients.get(id).is_some());
            }
            Heard::FinalThenGone => {
                self.clients.remove(id);
            }
        }
        self.events.push_back(Event::Response { id: ClientId(id), message });
    }

    /// RFC 3261 §17.1.3, and §18.1.2 for the sent-by.
    fn client_of(&self, response: &Message) -> Option<Id> {
        let (via, cseq) = (response.via().ok()?, response.cseq().ok()?);
        if ![&self.sent_by_udp, &self.sent_by_tcp, &self.sent_by_tls].iter().any(|ours| ours.is(&via)) {
            return None;
        }
        self.clients.find(&self.keys.client(via.branch()?, cseq.method.as_str()))
    }

    /// RFC 3261 §18.1.1. The branch is in `self.branch`.
    fn way(&self, asked: Option<Transport>, request: &Request) -> (Transport, Bytes, Way) {
        if let Some(stream) = asked.filter(|transport| transport.is_reliable()) {
            return (
                stream,
                self.with_via(request, stream),
                Way::Stream { transport: stream, fallback: None },
            );
        }
        let udp = self.with_via(request, Transport::Udp);
        if asked == Some(Transport::Udp) || udp.len() <= LARGEST_UDP_REQUEST {
            return (Transport::Udp, udp.clone(), Way::Udp(udp));
        }
        let tcp = self.with_via(request, Transport::Tcp);
        (Transport::Tcp, tcp, Way::Stream { transport: Transport::Tcp, fallback: Some(udp) })
    }

    fn with_via(&self, request: &Request, transport: Transport) -> Bytes {
        let sent_by = match transport {
            Transport::Udp => &self.sent_by_udp,
            Transport::Tcp => &self.sent_by_tcp,
            Transport::Tls => &self.sent_by_tls,
        };
        // The peer knows by our certificate that the connection leads to us, so it may use it too (RFC 5923 §7.1).
        let alias = transport == Transport::Tls;
        request.to_bytes(&ViaOut { transport, sent_by: sent_by.as_str(), branch: &self.branch, alias })
    }

    fn repeat_request(&mut self, now: Instant, id: Id) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some((request, due)) = client.repeat(now, &self.timers) else { return };
        let addr = client.addr();
        self.counters.retransmissions += 1;
        self.start_timer_e(due, id);
        self.send_request(id, Target::new(Some(Transport::Udp), addr), request);
    }

    fn request_unsent(&mut self, now: Instant, id: Id, to: Destination) {
        let transport = match to {
            Destination::Connect(Target { transport, .. }) => transport,
            Destination::Flow(flow) => Some(flow.transport),
        };
        let Some(client) = self.clients.get_mut(id) else { return };
        let addr = client.addr();
        match client.unsent(now, &self.timers, transport) {
            Failed::Ignored => {}
            Failed::FallBack { request, timer_e } => {
                self.counters.udp_fallbacks += 1;
                self.start_timer_e(timer_e, id);
                self.send_request(id, Target::new(Some(Transport::Udp), addr), request);
            }
            Failed::Gone => {
                self.clients.remove(id);
                self.events.push_back(Event::TransportError { id: ClientId(id) });
            }
        }
    }

    /// RFC 3261 §18.2.2: over a stream, once more by a new connection to the source address and the port of the
    /// sent-by; over TLS, whose certificate must then be that of the sent-by's host.
    fn answer_unsent(&mut self, to: Destination, bytes: Bytes) {
        if let Destination::Flow(Flow { transport, remote, .. }) = to
            && transport.is_reliable()
            && let Ok(response) = Message::parse(bytes.clone())
            && let Ok(via) = response.via()
        {
            let addr = SocketAddr::new(remote.ip(), port_of(&via));
            let name = (transport == Transport::Tls).then(|| via.host.to_ascii_lowercase().into());
            let to = Destination::Connect(Target { transport: Some(transport), addr, name });
            self.transmits.push_back(Transmit { to, bytes, client: None });
            return;
        }
        self.counters.answers_unsent += 1;
    }

    fn start_timer_e(&mut self, due: Instant, id: Id) {
        self.timer_e.push(due, id, self.clients.len(), |due, id| e_runs(&self.clients, due, id));
    }

    fn send_request(&mut self, id: Id, target: Target, bytes: Bytes) {
        let to = Destination::Connect(target);
        self.transmits.push_back(Transmit { to, bytes, client: Some(ClientId(id)) });
    }

    fn send_response(&mut self, reply_to: Flow, bytes: Bytes) {
        self.transmits.push_back(Transmit { to: Destination::Flow(reply_to), bytes, client: None });
    }
}

/// Where the answers to a request go (RFC 3261 §18.2.2, RFC 3581 §4): over a stream its connection, over UDP its source
/// address, with the source port if it asks for that by `rport`, else the port of its sent-by.
fn reply_to(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() || via.params.get("rport").is_some() {
        return flow;
    }
    Flow { remote: SocketAddr::new(flow.remote.ip(), port_of(via)), ..flow }
}

/// The status of a response; one that cannot be read counts as final.
fn status_of(response: &[u8]) -> u16 {
    response
        .get(STATUS_AT)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u16::MAX)
}

fn awaits(clients: &Table<Client>, id: Id) -> bool {
    clients.get(id).is_some_and(|client| client.awaiting().is_some())
}

fn e_runs(clients: &Table<Client>, due: Instant, id: Id) -> bool {
    clients.get(id).is_some_and(|client| client.timer_e() == Some(due))
}

fn ends_at(servers: &Table<Server>, due: Instant, id: Id) -> bool {
    servers.get(id).is_some_and(|server| server.ends() == due)
}

/// Beyond this a request whose path MTU is not known goes over TCP (RFC 3261 §18.1.1). In octets.
const LARGEST_UDP_REQUEST: usize = 1300;

/// The digits in `SIP/2.0 200 OK`.
const STATUS_AT: std::ops::Range<usize> = 8..11;
