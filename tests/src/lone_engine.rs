//! One engine between a core that it trusts and a backend that takes everything, in virtual time: for judging answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use smsc_backend::{Accepted, MessageId, Processed};
use smsc_config::Config;
use smsc_frontend::engine::{AnswerLabel, Call, Engine, Metrics, Now, Output, ReasonLabel, Reply};
use smsc_frontend::environment::Environment;
use smsc_frontend::settings::{engine_settings, transaction_config};
use smsc_proto::sip::transaction::Flow;
use smsc_proto::sip::{Framed, Message, StreamError, StreamFramer, Transport};

/// The trusted peer that everything comes from.
pub const PEER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5060);

const CONFIG: &str = "\
location: smsc01.ims.example.com
ims_domain: ims.example.com
trusted_peers: [192.0.2.0/24]
s_cscf_sip_uri: sip:192.0.2.1:5060
";

/// What came back for some octets.
#[derive(Debug, Default)]
pub struct Heard {
    /// The responses.
    pub answers: Vec<Message>,
    /// Requests of the engine's own, such as submit reports.
    pub requests: Vec<Message>,
    /// Why the stream they came by was closed.
    pub closed: Option<StreamError>,
}

impl Heard {
    /// The statuses answered, in order.
    pub fn statuses(&self) -> Vec<u16> {
        self.answers.iter().filter_map(Message::status).collect()
    }
}

/// The engine and its clock, which moves only to let transactions end.
pub struct LoneEngine {
    engine: Engine,
    metrics: Arc<Metrics>,
    now: Now,
    connections: u64,
    accepted: u64,
}

impl Default for LoneEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl LoneEngine {
    /// An engine that has started.
    ///
    /// # Panics
    /// The fixed configuration is refused: a mistake in this file.
    pub fn new() -> Self {
        let config = Config::parse(CONFIG, "lone engine").expect("the configuration above is right");
        let environment = Environment {
            host_name: "smsc-0".to_owned(),
            interfaces: Vec::new(),
            variable: None,
            outbound: Some(std::net::Ipv4Addr::new(192, 0, 2, 200).into()),
            listening: Vec::new(),
            core: Vec::new(),
        };
        let settings = engine_settings(&config, &environment).expect("nothing in it needs the machine");
        let transactions =
            transaction_config(&config, &environment, [1, 2]).expect("nothing in it needs the machine");
        let metrics = Arc::new(Metrics::default());
        let now = Now { mono: Instant::now(), wall: 1_750_000_000 };
        let engine = Engine::new(settings, metrics.clone(), transactions, 7, now);
        let mut lone = Self { engine, metrics, now, connections: 0, accepted: 0 };
        lone.pump();
        lone
    }

    /// Takes one datagram, or all that one connection brings, and waits for what comes back. What was begun before is
    /// over by then: no answer is one to an earlier request.
    pub fn hear(&mut self, transport: Transport, octets: &[u8]) -> Heard {
        self.now.mono += Duration::from_secs(40);
        self.now.wall += 40;
        self.engine.handle_timeout(self.now);
        self.pump();
        let mut heard = Heard::default();
        match transport {
            Transport::Tcp => {
                self.connections += 1;
                let mut framer = StreamFramer::new();
                framer.push(octets);
                while let Some(framed) = framer.next() {
                    match framed {
                        Ok(Framed::Message(message)) => {
                            self.engine.handle_message(self.now, self.flow(transport), message)
                        }
                        Ok(Framed::Ping | Framed::Pong) => {}
                        Err(error) => {
                            self.engine.drop_input(error.reason());
                            heard.closed = Some(error);
                        }
                    }
                }
            }
            _ => self.engine.handle_message(self.now, self.flow(transport), Bytes::copy_from_slice(octets)),
        }
        for message in self.pump() {
            if message.is_request() { heard.requests.push(message) } else { heard.answers.push(message) }
        }
        heard
    }

    /// How much input was thrown away for this reason.
    pub fn dropped(&self, reason: &'static str) -> u64 {
        self.metrics.dropped.get_or_create(&ReasonLabel { reason }).get()
    }

    /// How many requests were refused for this reason with this status.
    pub fn refused(&self, reason: &'static str, status: u16) -> u64 {
        self.metrics.refused.get_or_create(&AnswerLabel { reason, status }).get()
    }

    fn flow(&self, transport: Transport) -> Flow {
        let connection = if transport == Transport::Tcp { self.connections } else { 0 };
        Flow { transport, remote: PEER, connection, local: 0 }
    }

    /// Carries out everything the engine wants; returns what it sent.
    fn pump(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(transmit) => sent.extend(Message::parse(transmit.bytes)),
                Output::Call { id, call } => {
                    let answer = self.reply(&call);
                    self.engine.handle_answer(self.now, id, Ok(answer));
                }
                _ => {}
            }
        }
        sent
    }

    fn reply(&mut self, call: &Call) -> Reply {
        match call {
            Call::FrontendRegister(_) | Call::InsertLocation(_) | Call::DeleteLocation(_) => Reply::Done,
            Call::InsertMessage(_) => {
                self.accepted += 1;
                let id = MessageId(self.accepted.to_string());
                Reply::Accepted(Accepted { id, scts: None, duplicate: false })
            }
            Call::GetQueue { .. } => Reply::Rows(Vec::new()),
            Call::ProcessMessage { .. } => Reply::Processed(Processed::Recorded),
        }
    }
}
