//! The simulated S-CSCF with the handsets behind it: one UDP socket on the loopback, real SIP to and from the frontend.

mod handle;
pub(crate) mod requests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use smsc_proto::sip::transaction::{
    ClientId, Config, Destination, Event as Happened, Flow, ServerId, Target, Transactions,
};
use smsc_proto::sip::{Message, Method, Response, Transport, Uri, reason_phrase};
use smsc_proto::sms::Direction;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::handset::{Body, Downlink, Handset, Mode, Uplink};
use super::journal::{Event, Journal};
use super::people::{SUBSCRIBERS, find};
use super::words;
use handle::Command;
use requests::Registration;

pub(super) use handle::{Handle, Switch};

/// Transactions of each kind.
const TRANSACTIONS: usize = 10_000;
/// Lifetime of a registration, seconds: what IMS cores commonly grant.
const EXPIRES: u32 = 600_000;
const S_CSCF: &str = "S-CSCF";
const FRONTEND: &str = "smsc";

/// A socket whose address the frontend's configuration needs.
#[derive(Debug)]
pub(super) struct Bound {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Bound {
    /// Binds a free port of the loopback.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// The address.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to serve; both handsets register.
    pub(super) fn start(self, frontend: SocketAddr, journal: Journal) -> Handle {
        let (handle, commands) = handle::handle();
        tokio::spawn(Core::new(self, frontend, journal).run(commands));
        handle
    }
}

struct Core {
    socket: UdpSocket,
    local: SocketAddr,
    frontend: SocketAddr,
    journal: Journal,
    sip: Transactions,
    clients: HashMap<ClientId, Sent>,
    handsets: [Handset; 2],
    instance: String,
    sequence: u64,
    messages: u32,
}

/// What a request was sent for.
enum Sent {
    Register { handset: usize, call_id: String },
    Uplink { handset: usize, call_id: String },
}

impl Core {
    fn new(bound: Bound, frontend: SocketAddr, journal: Journal) -> Self {
        // The standard library's hash keys come from the operating system.
        let random = RandomState::new();
        let instance = format!("{:08x}", random.hash_one(2) as u32);
        let config = Config {
            max_server: TRANSACTIONS,
            max_client: TRANSACTIONS,
            ..Config::new(bound.local.to_string(), [random.hash_one(0), random.hash_one(1)])
        };
        Self {
            socket: bound.socket,
            local: bound.local,
            frontend,
            journal,
            sip: Transactions::new(config),
            clients: HashMap::new(),
            handsets: SUBSCRIBERS.map(|who| Handset::new(who, &instance)),
            instance,
            sequence: 0,
            messages: 0,
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; 65_535];
        for handset in 0..self.handsets.len() {
            self.register(handset);
        }
        loop {
            self.perform().await;
            let timeout =
                self.handsets.iter().filter_map(Handset::poll_timeout).chain(self.sip.poll_timeout());
            let wake_at = timeout.min();
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    // An error here is an ICMP message about something sent before; SIP repeats that.
                    if let Ok((length, remote)) = received {
                        self.datagram(remote, Bytes::copy_from_slice(&buffer[..length]));
                    }
                }
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                () = until(wake_at) => {
                    let now = Instant::now();
                    self.sip.handle_timeout(now);
                    self.handsets.iter_mut().for_each(|handset| handset.handle_timeout(now));
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        // Whoever asked may be gone; what was asked for is done all the same.
        match command {
            Command::Type { from, to, text, answer } => {
                self.messages += 1;
                let number = self.messages;
                let typed = self.handsets[from].type_message(Instant::now(), number, &to, &text);
                _ = answer.send(typed.map(|()| number));
            }
            Command::Switch { handset, switch, answer } => {
                self.switch(handset, switch);
                _ = answer.send(());
            }
            Command::Views { answer } => _ = answer.send(self.handsets.iter().map(Handset::view).collect()),
        }
    }

    fn switch(&mut self, index: usize, switch: Switch) {
        let now = Instant::now();
        let handset = &mut self.handsets[index];
        let was_off = handset.mode() == Mode::Off;
        let was_plain = handset.plain();
        match switch {
            Switch::On => handset.switch(now, Mode::On),
            Switch::Off => handset.switch(now, Mode::Off),
            Switch::Full => handset.switch(now, Mode::Full),
            Switch::Mute => handset.switch(now, Mode::Mute),
            Switch::Plain => handset.set_plain(true),
            Switch::Sms => handset.set_plain(false),
        }
        let on = handset.mode() != Mode::Off;
        if on && (was_off || handset.plain() != was_plain) {
            self.register(index);
        }
    }

    fn register(&mut self, index: usize) {
        let handset = &self.handsets[index];
        let (who, plain) = (handset.who(), handset.plain());
        self.sequence += 1;
        let at = self.local.to_string();
        let registration = Registration {
            s_cscf: &format!("sip:{at}"),
            at: &at,
            plain,
            expires: EXPIRES,
            cseq: u32::try_from(self.sequence).unwrap_or(u32::MAX),
            tag: &self.instance,
        };
        let request = requests::register(who, &registration);
        let call_id = format!("register-{}-{}", who.name, self.instance);
        let text = if plain { "text/plain only" } else { "SMS over IP" };
        let carries = format!("{} registers: {}, {text}", who.name, who.number());
        self.tell(S_CSCF, FRONTEND, "REGISTER", Some(carries), &call_id);
        self.send(request, Sent::Register { handset: index, call_id });
    }

    fn uplink(&mut self, index: usize, uplink: &Uplink) {
        let who = self.handsets[index].who().clone();
        self.sequence += 1;
        let tag = format!("{}{:x}", self.instance, self.sequence);
        let carries = carries(Direction::MsToNetwork, &uplink.body);
        self.tell(who.name, FRONTEND, "MESSAGE", Some(carries), &uplink.call_id);
        let request = requests::message(&who, uplink, &tag);
        self.send(request, Sent::Uplink { handset: index, call_id: uplink.call_id.clone() });
    }

    fn send(&mut self, request: smsc_proto::sip::Request, sent: Sent) {
        self.sequence += 1;
        let branch = format!("{}{:x}", self.instance, self.sequence);
        let target = Target::new(Some(Transport::Udp), self.frontend);
        match self.sip.request(Instant::now(), target, request, &branch) {
            Ok(client) => _ = self.clients.insert(client, sent),
            Err(full) => self.journal.write(Event::Note { text: format!("{S_CSCF}: {full}") }),
        }
    }

    fn datagram(&mut self, remote: SocketAddr, octets: Bytes) {
        match Message::parse(octets) {
            Ok(message) => {
                let flow = Flow { transport: Transport::Udp, remote, connection: 0, local: 0 };
                self.sip.handle_message(Instant::now(), flow, message);
            }
            Err(error) => self.journal.write(Event::Note { text: format!("{S_CSCF}: not SIP: {error}") }),
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
            for index in 0..self.handsets.len() {
                while let Some(event) = self.handsets[index].poll_event() {
                    self.journal.write(event);
                }
                while let Some(uplink) = self.handsets[index].poll_uplink() {
                    idle = false;
                    self.uplink(index, &uplink);
                }
            }
            while let Some(transmit) = self.sip.poll_transmit() {
                idle = false;
                let to = match transmit.to {
                    Destination::Flow(flow) => flow.remote,
                    Destination::Connect(target) => target.addr,
                };
                // What cannot be sent is lost like any datagram; timer E repeats it.
                _ = self.socket.send_to(&transmit.bytes, to).await;
            }
            if idle {
                return;
            }
        }
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Request { id, flow, message } => self.request(id, flow, &message),
            Happened::Overload { flow, message } => {
                let answer = Response::to(&message, flow.remote, 500, &self.instance).to_bytes();
                self.sip.respond_stateless(flow, &message, answer);
            }
            Happened::Response { id, message } => self.response(id, message.status()),
            Happened::Timeout { id } | Happened::TransportError { id } => self.response(id, None),
            Happened::Stray { .. } => {}
        }
    }

    fn response(&mut self, id: ClientId, status: Option<u16>) {
        let Some(sent) = self.clients.remove(&id) else { return };
        let (index, to, call_id) = match &sent {
            Sent::Register { handset, call_id } => (*handset, S_CSCF, call_id),
            Sent::Uplink { handset, call_id } => (*handset, self.handsets[*handset].who().name, call_id),
        };
        match status {
            Some(status) => self.tell(FRONTEND, to, &status_line(status), None, call_id),
            None => self.journal.write(Event::Note { text: format!("{to}: no answer to {call_id}") }),
        }
        if let Sent::Uplink { call_id, .. } = &sent {
            self.handsets[index].answered(Instant::now(), call_id, status);
        }
    }

    /// A request from the frontend.
    fn request(&mut self, id: ServerId, flow: Flow, message: &Message) {
        let call_id = message.call_id().unwrap_or_default().to_owned();
        let number = message.request_uri().and_then(|uri| Uri::parse(uri).ok()).and_then(|uri| uri.number());
        let called = number.and_then(|number| find(&number));
        let name = called.map_or(S_CSCF, |index| SUBSCRIBERS[index].name);
        let method = message.method().map_or("", |method| method.as_str()).to_owned();
        let downlink = downlink(message, &call_id);
        let carries = downlink.as_ref().map(|downlink| carries(Direction::NetworkToMs, &downlink.body));
        self.tell(FRONTEND, name, &method, carries, &call_id);
        let status = match (message.method(), called, downlink) {
            (Some(Method::Message), None, _) => 404,
            (Some(Method::Message), Some(_), None) => 415,
            (Some(Method::Message), Some(index), Some(downlink)) => {
                let handset = &mut self.handsets[index];
                match handset.mode() {
                    Mode::Off => 480,
                    Mode::On | Mode::Full | Mode::Mute => handset.receive(Instant::now(), downlink),
                }
            }
            _ => 405,
        };
        // It is the core that answers for a handset out of reach.
        let by = if matches!(status, 404 | 405 | 480) { S_CSCF } else { name };
        self.tell(by, FRONTEND, &status_line(status), None, &call_id);
        let tag = format!("{}-{name}", self.instance);
        let answer = Response::to(message, flow.remote, status, &tag).to_bytes();
        self.sip.respond(Instant::now(), id, answer);
    }

    fn tell(&self, from: &'static str, to: &'static str, line: &str, carries: Option<String>, call_id: &str) {
        let (line, call_id) = (line.to_owned(), call_id.to_owned());
        self.journal.write(Event::Sip { from, to, line, carries, call_id });
    }
}

fn status_line(status: u16) -> String {
    format!("{status} {}", reason_phrase(status))
}

/// What a MESSAGE from the frontend brings a handset; nothing where it is of another kind.
pub(crate) fn downlink(message: &Message, call_id: &str) -> Option<Downlink> {
    let content = message.content_type()?;
    let body = if content.is("application", "vnd.3gpp.sms") {
        Body::Rpdu(message.body())
    } else if content.is("text", "plain") {
        Body::Text(String::from_utf8_lossy(&message.body()).into_owned())
    } else {
        return None;
    };
    let asserted = message.p_asserted_identities().next()?.ok()?.uri.to_owned();
    let in_reply_to = message.in_reply_to().map(str::to_owned).collect();
    Some(Downlink { call_id: call_id.to_owned(), in_reply_to, asserted, body })
}

fn carries(direction: Direction, body: &Body) -> String {
    match body {
        Body::Rpdu(octets) => words::rpdu(direction, octets),
        Body::Text(text) => format!("text/plain {}", words::text(text)),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
