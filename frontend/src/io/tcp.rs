//! TCP: listeners, connections kept and reused, one task per connection (RFC 3261 §18).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smsc_proto::sip::transaction::{Flow, Transmit, TransportFailure};
use smsc_proto::sip::{Framed, StreamFramer, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::shell::Input;

/// Messages that wait for one connection; beyond, they are given back as unsent.
const BACKLOG: usize = 1024;
const PONG: &[u8] = b"\r\n";
/// Connections the kernel completes before they are accepted; beyond, a peer waits a second and tries again.
const ACCEPT_BACKLOG: i32 = 1024;

/// What the configuration says of TCP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) connect: Duration,
    pub(super) idle: Duration,
}

/// All connections, ours and theirs.
#[derive(Debug)]
pub(super) struct Tcp {
    limits: Limits,
    inputs: mpsc::Sender<Input>,
    by_id: HashMap<u64, Connection>,
    by_peer: HashMap<SocketAddr, u64>,
    sequence: u64,
}

#[derive(Debug)]
struct Connection {
    peer: SocketAddr,
    outbox: mpsc::Sender<Transmit>,
    /// We opened it: when it breaks, requests sent over it end.
    ours: bool,
}

impl Tcp {
    pub(super) fn new(limits: Limits, inputs: mpsc::Sender<Input>) -> Self {
        Self { limits, inputs, by_id: HashMap::new(), by_peer: HashMap::new(), sequence: 0 }
    }

    /// Accepts connections for as long as the loop lives.
    pub(super) fn listen(&self, listener: TcpListener, index: u16) {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        if inputs.send(Input::Accepted { stream, peer, index }).await.is_err() {
                            return;
                        }
                    }
                    // Out of descriptors: what is open must close first.
                    Err(error) => {
                        tracing::warn!(%error, "accept");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }

    /// Takes a new connection, or closes it at the cap.
    pub(super) fn accepted(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        index: u16,
    ) -> Result<(), &'static str> {
        if self.by_id.len() >= self.limits.connections {
            return Err("too_many_connections");
        }
        let (id, outbox) = self.enter(peer, false);
        let task = Task { id, peer, index, inputs: self.inputs.clone(), idle: self.limits.idle };
        tokio::spawn(task.serve(stream, outbox));
        Ok(())
    }

    /// Sends over the connection a request came by.
    pub(super) fn reply(&mut self, flow: Flow, transmit: Transmit) -> Result<(), TransportFailure> {
        match self.by_id.get(&flow.connection) {
            Some(connection) => give(connection, transmit),
            None => Err(TransportFailure::Unsent(transmit)),
        }
    }

    /// Sends to an address, over a connection that stands or a new one.
    pub(super) fn send(&mut self, peer: SocketAddr, transmit: Transmit) -> Result<(), TransportFailure> {
        if let Some(connection) = self.by_peer.get(&peer).and_then(|id| self.by_id.get(id)) {
            return give(connection, transmit);
        }
        if self.by_id.len() >= self.limits.connections {
            return Err(TransportFailure::Unsent(transmit));
        }
        let (id, outbox) = self.enter(peer, true);
        let task = Task { id, peer, index: 0, inputs: self.inputs.clone(), idle: self.limits.idle };
        tokio::spawn(task.connect(self.limits.connect, outbox));
        match self.by_id.get(&id) {
            Some(connection) => give(connection, transmit),
            None => Err(TransportFailure::Unsent(transmit)),
        }
    }

    /// Forgets a connection; says whether requests of ours may have been lost with it.
    pub(super) fn closed(&mut self, id: u64) -> Option<TransportFailure> {
        let connection = self.by_id.remove(&id)?;
        if self.by_peer.get(&connection.peer) == Some(&id) {
            self.by_peer.remove(&connection.peer);
        }
        connection.ours.then_some(TransportFailure::Lost { transport: Transport::Tcp, addr: connection.peer })
    }

    fn enter(&mut self, peer: SocketAddr, ours: bool) -> (u64, mpsc::Receiver<Transmit>) {
        self.sequence += 1;
        let (outbox, receiver) = mpsc::channel(BACKLOG);
        self.by_id.insert(self.sequence, Connection { peer, outbox, ours });
        self.by_peer.insert(peer, self.sequence);
        (self.sequence, receiver)
    }
}

/// A listener; must run inside the runtime. One for IPv6 leaves IPv4 to others, as over UDP.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a process before this one may still be closing.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn give(connection: &Connection, transmit: Transmit) -> Result<(), TransportFailure> {
    connection.outbox.try_send(transmit).map_err(|error| TransportFailure::Unsent(error.into_inner()))
}

struct Task {
    id: u64,
    peer: SocketAddr,
    index: u16,
    inputs: mpsc::Sender<Input>,
    idle: Duration,
}

impl Task {
    async fn connect(self, limit: Duration, mut outbox: mpsc::Receiver<Transmit>) {
        match tokio::time::timeout(limit, TcpStream::connect(self.peer)).await {
            Ok(Ok(stream)) => self.serve(stream, outbox).await,
            failed => {
                if let Ok(Err(error)) = failed {
                    tracing::info!(peer = %self.peer, %error, "TCP connect");
                }
                self.close(&mut outbox).await;
            }
        }
    }

    async fn serve(self, stream: TcpStream, mut outbox: mpsc::Receiver<Transmit>) {
        _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        let (pongs, pings) = mpsc::channel(4);
        tokio::select! {
            reason = self.read(reader, pongs) => {
                if let Some(reason) = reason {
                    _ = self.inputs.send(Input::Dropped { reason }).await;
                }
            }
            _ = write(writer, &mut outbox, pings) => {}
        }
        self.close(&mut outbox).await;
    }

    /// Gives back what was not sent, then says that the connection is gone.
    async fn close(&self, outbox: &mut mpsc::Receiver<Transmit>) {
        outbox.close();
        while let Some(transmit) = outbox.recv().await {
            _ = self.inputs.send(Input::Failed(TransportFailure::Unsent(transmit))).await;
        }
        _ = self.inputs.send(Input::Closed { connection: self.id }).await;
    }

    /// Reads until the peer closes, falls silent for too long, or sends what is not SIP.
    async fn read(&self, mut reader: OwnedReadHalf, pongs: mpsc::Sender<()>) -> Option<&'static str> {
        let flow =
            Flow { transport: Transport::Tcp, remote: self.peer, connection: self.id, local: self.index };
        let mut framer = StreamFramer::new();
        let mut buffer = BytesMut::with_capacity(16 * 1024);
        loop {
            buffer.clear();
            match tokio::time::timeout(self.idle, reader.read_buf(&mut buffer)).await {
                Err(_) | Ok(Ok(0) | Err(_)) => return None,
                Ok(Ok(_)) => framer.push(&buffer),
            }
            while let Some(framed) = framer.next() {
                match framed {
                    Ok(Framed::Message(octets)) => {
                        if self.inputs.send(Input::Message { flow, octets }).await.is_err() {
                            return None;
                        }
                    }
                    // RFC 5626 §4.4.1; at most a few unanswered.
                    Ok(Framed::Ping) => _ = pongs.try_send(()),
                    Ok(Framed::Pong) => {}
                    Err(error) => {
                        tracing::info!(peer = %self.peer, %error, "closed: not SIP");
                        return Some(error.reason());
                    }
                }
            }
        }
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    outbox: &mut mpsc::Receiver<Transmit>,
    mut pings: mpsc::Receiver<()>,
) -> io::Result<()> {
    loop {
        let octets = tokio::select! {
            transmit = outbox.recv() => match transmit {
                Some(transmit) => transmit.bytes,
                None => return Ok(()),
            },
            Some(()) = pings.recv() => Bytes::from_static(PONG),
        };
        writer.write_all(&octets).await?;
    }
}
