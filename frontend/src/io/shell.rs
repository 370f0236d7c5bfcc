//! The loop that owns the engine.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::FutureExt;
use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::{Destination, Flow, Target, Transmit, TransportFailure};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::calls::Calls;
use super::clock::now;
use super::relay::Peers;
use super::streams::Streams;
use super::udp::Udp;
use crate::dns::Dns;
use crate::engine::{
    CallId, Engine, Output, Overview, Question, RelayVerdict, RelayedReport, Resolved, Settings, Step,
};
use crate::tls::{Peer, Tls};

/// Other tasks' inputs taken before datagrams get their turn again.
const BATCH: usize = 64;

/// What other tasks tell the loop.
#[derive(Debug)]
pub(crate) enum Input {
    /// A connection came in, for TCP or TLS.
    Accepted { stream: TcpStream, peer: SocketAddr, transport: Transport, index: u16 },
    /// A TLS handshake is done; the peer is there if it has shown a certificate.
    Secured { connection: u64, peer: Option<Box<Peer>> },
    /// A verified peer offers its connection for requests to its listener at this port.
    Offered { connection: u64, port: u16 },
    /// A message came over a connection.
    Message { flow: Flow, octets: Bytes },
    /// Stream data was thrown away, and the connection with it.
    Dropped { reason: &'static str },
    /// Something could not be sent.
    Failed(TransportFailure),
    /// A connection is gone.
    Closed { connection: u64 },
    /// A name was looked up.
    Resolved { question: Question, answer: Resolved },
    /// Another pod passes a report on.
    Relayed { report: RelayedReport, answer: oneshot::Sender<RelayVerdict> },
    /// A peer has answered a report we passed on.
    RelayAnswered { id: CallId, verdict: RelayVerdict },
    /// The embedded store has rows due for a location.
    Wake { location: String },
    /// New settings, peers and certificates; answered when they are in force.
    Apply { settings: Box<Settings>, peers: Peers, tls: Arc<Tls>, applied: oneshot::Sender<()> },
    /// Someone wants to know what is polled and in hand here.
    Overview(oneshot::Sender<Overview>),
    /// Stop taking new work; leave when nothing is open.
    Drain { settle: Duration, limit: Duration },
}

/// The engine and everything it moves octets through.
pub(super) struct Shell {
    pub(super) engine: Engine,
    pub(super) udp: Udp,
    pub(super) streams: Streams,
    pub(super) dns: Dns,
    pub(super) calls: Calls,
    pub(super) peers: Peers,
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) sender: mpsc::Sender<Input>,
    pub(super) steps: Option<broadcast::Sender<Arc<Step>>>,
    pub(super) relayed: HashMap<u64, oneshot::Sender<RelayVerdict>>,
    pub(super) sequence: u64,
    pub(super) drain: Option<Drain>,
}

/// When a draining frontend may leave, and when it must.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    settled: Instant,
    limit: Instant,
}

impl Shell {
    /// Runs until drained.
    pub(super) async fn run(mut self) {
        loop {
            self.perform();
            if self.may_leave() {
                return;
            }
            let wake_at = self.wake_at();
            tokio::select! {
                index = poll_fn(|context| self.udp.poll_ready(context)) => self.receive(index),
                Some(input) = self.inputs.recv() => {
                    self.take(input);
                    for _ in 0..BATCH {
                        let Ok(input) = self.inputs.try_recv() else { break };
                        self.take(input);
                    }
                }
                (id, answer) = self.calls.next() => {
                    self.engine.handle_answer(now(), id, answer);
                    for _ in 0..BATCH {
                        let Some((id, answer)) = self.calls.next().now_or_never() else { break };
                        self.engine.handle_answer(now(), id, answer);
                    }
                }
                () = until(wake_at) => self.engine.handle_timeout(now()),
            }
        }
    }

    fn receive(&mut self, index: usize) {
        let (engine, local) = (&mut self.engine, u16::try_from(index).unwrap_or(u16::MAX));
        let now = now();
        self.udp.receive(index, |remote, octets| {
            let flow = Flow { transport: Transport::Udp, remote, connection: 0, local };
            engine.handle_message(now, flow, octets);
        });
    }

    fn take(&mut self, input: Input) {
        let now = now();
        match input {
            Input::Accepted { stream, peer, transport, index } => {
                if let Err(reason) = self.streams.accepted(stream, peer, transport, index) {
                    self.engine.drop_input(reason);
                }
            }
            Input::Secured { connection, peer } => {
                let trusted = self.streams.secured(connection, peer.map(|peer| *peer));
                self.engine.authenticate(connection, trusted);
            }
            Input::Offered { connection, port } => self.streams.offered(connection, port),
            Input::Message { flow, octets } => self.engine.handle_message(now, flow, octets),
            Input::Dropped { reason } => self.engine.drop_input(reason),
            Input::Failed(failure) => self.engine.handle_transport_failure(now, failure),
            Input::Closed { connection } => {
                self.engine.authenticate(connection, false);
                for lost in self.streams.closed(connection) {
                    self.engine.handle_transport_failure(now, lost);
                }
            }
            Input::Resolved { question, answer } => self.engine.handle_resolved(now, question, answer),
            Input::Relayed { report, answer } => {
                self.sequence += 1;
                self.relayed.insert(self.sequence, answer);
                self.engine.handle_relayed_report(now, self.sequence, &report);
            }
            Input::RelayAnswered { id, verdict } => self.engine.handle_relay_answer(now, id, verdict),
            Input::Wake { location } => self.engine.wake(now, &location),
            Input::Apply { settings, peers, tls, applied } => {
                self.peers = peers;
                self.dns.set_tls(settings.speaks_tls);
                for (connection, trusted) in self.streams.apply(tls) {
                    self.engine.authenticate(connection, trusted);
                }
                self.engine.apply(now, *settings);
                _ = applied.send(());
            }
            Input::Overview(asker) => _ = asker.send(self.engine.overview(now)),
            Input::Drain { settle, limit } => {
                let drain = Drain { settled: now.mono + settle, limit: now.mono + limit };
                self.drain = Some(drain);
                self.engine.begin_drain(now);
            }
        }
    }

    /// Does what the engine has put out, and what that leads to.
    fn perform(&mut self) {
        loop {
            self.perform_outputs();
            let unsent = self.udp.flush();
            if unsent.is_empty() {
                return;
            }
            for transmit in unsent {
                self.engine.handle_transport_failure(now(), TransportFailure::Unsent(transmit));
            }
        }
    }

    fn perform_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit(transmit) => self.transmit(transmit),
                Output::Call { id, call } => self.calls.start(id, call),
                Output::Resolve(question) => {
                    let dns = self.dns.clone();
                    self.spawn(async move {
                        let answer = dns.locate(&question).await;
                        Input::Resolved { question, answer }
                    });
                }
                Output::Relay { id, ordinal, report } => {
                    let peers = self.peers.clone();
                    self.spawn(async move {
                        Input::RelayAnswered { id, verdict: peers.pass_on(ordinal, &report).await }
                    });
                }
                Output::RelayAnswer { id, verdict } => {
                    if let Some(answer) = self.relayed.remove(&id) {
                        _ = answer.send(verdict);
                    }
                }
                Output::Step(step) => {
                    if let Some(steps) = &self.steps {
                        _ = steps.send(Arc::new(step));
                    }
                }
            }
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let failed = match transmit.to.clone() {
            Destination::Flow(flow) if flow.transport.is_reliable() => self.streams.reply(flow, transmit),
            Destination::Flow(flow) => {
                self.udp.send(Some(flow.local), flow.remote, transmit).map_err(TransportFailure::Unsent)
            }
            Destination::Connect(target @ Target { transport: Some(transport), .. })
                if transport.is_reliable() =>
            {
                self.streams.send(transport, &target, transmit)
            }
            Destination::Connect(Target { addr, .. }) => {
                self.udp.send(None, addr, transmit).map_err(TransportFailure::Unsent)
            }
        };
        if let Err(failure) = failed {
            self.engine.handle_transport_failure(now(), failure);
        }
    }

    fn spawn(&self, work: impl Future<Output = Input> + Send + 'static) {
        let sender = self.sender.clone();
        tokio::spawn(async move {
            _ = sender.send(work.await).await;
        });
    }

    fn may_leave(&self) -> bool {
        let Some(drain) = self.drain else { return false };
        let now = Instant::now();
        now >= drain.limit || (now >= drain.settled && self.engine.is_idle())
    }

    fn wake_at(&mut self) -> Option<Instant> {
        let drain = self.drain.map(|drain| {
            let settled = Instant::now() >= drain.settled;
            if settled { drain.limit } else { drain.settled }
        });
        match (self.engine.poll_timeout(), drain) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
