//! Connections over TCP and TLS: listeners, caps, and which connection that stands carries what (RFC 3261 §18).
//!
//! A connection leads to the address of its peer, the ephemeral port of an accepted one included: what is sent back to
//! where a request came from goes by it. Over TLS it must besides be held by whom the target names (RFC 5923 §9), and a
//! verified peer that offers its connection (`alias` in its Via) is reached by it at the address of its listener too. Over
//! TCP nobody is reached so: anybody could offer to stand for an address there.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::{Flow, Target, Transmit, TransportFailure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::connection::{Opening, Task};
use super::crypto::Crypto;
use super::shell::Input;
use crate::tls::{Peer, Tls};

/// Messages that wait for one connection; beyond, they are given back as unsent.
const BACKLOG: usize = 1024;
/// Connections the kernel completes before they are accepted; beyond, a peer waits a second and tries again.
const ACCEPT_BACKLOG: i32 = 1024;

/// What the configuration says of connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) handshakes: usize,
    pub(crate) connect: Duration,
    pub(crate) handshake: Duration,
    pub(crate) idle: Duration,
}

/// All connections, ours and theirs.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: Limits,
    tls: Arc<Tls>,
    /// How often the authorities have changed.
    authorities: u64,
    inputs: mpsc::Sender<Input>,
    by_id: HashMap<u64, Connection>,
    /// Whom connections lead to; the newest last.
    by_address: HashMap<(Transport, SocketAddr), Vec<u64>>,
    /// Where TLS connections run; started with the first of them.
    crypto: Option<Crypto>,
    /// Accepted, and their TLS handshake not done: the oldest has the lowest number.
    half_open: BTreeSet<u64>,
    sequence: u64,
}

#[derive(Debug)]
struct Connection {
    transport: Transport,
    /// Where it leads: the peer, and where the peer listens if it has offered that.
    addresses: Vec<SocketAddr>,
    holder: Holder,
    outbox: mpsc::Sender<Transmit>,
    /// Requests of ours go over it: when it breaks, they end.
    carries: bool,
    /// Which authorities its handshake goes by.
    authorities: u64,
}

/// Who is at the other end.
#[derive(Debug)]
enum Holder {
    /// Anybody: TCP, or TLS before its handshake or without a certificate.
    Unknown,
    /// The one of this name, or the handshake will fail.
    Asked(Arc<str>),
    /// The holder of a verified certificate.
    Verified(Box<Peer>),
}

impl Streams {
    pub(crate) fn new(limits: Limits, tls: Arc<Tls>, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            limits,
            tls,
            authorities: 0,
            inputs,
            by_id: HashMap::new(),
            by_address: HashMap::new(),
            crypto: None,
            half_open: BTreeSet::new(),
            sequence: 0,
        }
    }

    /// Accepts connections for as long as the loop lives.
    pub(crate) fn listen(&self, listener: TcpListener, transport: Transport, index: u16) {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let accepted = Input::Accepted { stream, peer, transport, index };
                        if inputs.send(accepted).await.is_err() {
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

    /// Takes a new connection, or closes it at the cap; at the cap of handshakes the oldest of those is closed, which
    /// leaves an honest peer the time it takes to open so many. An error is the reason why one was closed.
    pub(crate) fn accepted(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        transport: Transport,
        index: u16,
    ) -> Result<(), &'static str> {
        if self.by_id.len() >= self.limits.connections {
            return Err("too_many_connections");
        }
        let server = match transport {
            Transport::Tls => Some(self.tls.server().ok_or("tls_not_configured")?),
            Transport::Tcp | Transport::Udp => None,
        };
        let oldest = match server {
            Some(_) if self.half_open.len() >= self.limits.handshakes => self.half_open.pop_first(),
            _ => None,
        };
        let (id, outbox) = self.enter(transport, peer, Holder::Unknown, false);
        if server.is_some() {
            self.half_open.insert(id);
        }
        self.start(id, transport, peer, index, Opening::Accept { stream, server }, outbox);
        match oldest {
            // Its task ends when nothing can be sent over it any more.
            Some(oldest) => {
                self.forget(oldest);
                Err("too_many_handshakes")
            }
            None => Ok(()),
        }
    }

    /// A TLS handshake is done; `peer` holds a verified certificate. Says whether the peer is trusted for it.
    pub(super) fn secured(&mut self, id: u64, peer: Option<Peer>) -> bool {
        self.half_open.remove(&id);
        let (Some(connection), Some(peer)) = (self.by_id.get_mut(&id), peer) else { return false };
        let stale = connection.authorities != self.authorities;
        let believed = !stale || self.tls.vouches_for(&peer);
        let trusted = believed && self.tls.trusts(peer.identity());
        connection.holder = if believed { Holder::Verified(Box::new(peer)) } else { Holder::Unknown };
        trusted
    }

    /// The peer offers its connection for requests to where it listens (RFC 5923 §8).
    pub(super) fn offered(&mut self, id: u64, port: u16) {
        let Some(connection) = self.by_id.get_mut(&id) else { return };
        let Some(peer) = connection.addresses.first() else { return };
        let address = SocketAddr::new(peer.ip(), port);
        if matches!(connection.holder, Holder::Verified(_)) && !connection.addresses.contains(&address) {
            connection.addresses.push(address);
            self.by_address.entry((connection.transport, address)).or_default().push(id);
        }
    }

    /// Connections from now on use these certificates. Says of every verified peer whether it is trusted now; one whom no
    /// authority stands for any more is nobody from now on.
    pub(super) fn apply(&mut self, tls: Arc<Tls>) -> Vec<(u64, bool)> {
        let changed = !tls.has_authorities_of(&self.tls);
        self.authorities += u64::from(changed);
        self.tls = tls;
        let mut verified = Vec::new();
        for (id, connection) in &mut self.by_id {
            let Holder::Verified(peer) = &connection.holder else { continue };
            let believed = !changed || self.tls.vouches_for(peer);
            verified.push((*id, believed && self.tls.trusts(peer.identity())));
            if !believed {
                connection.holder = Holder::Unknown;
            }
        }
        verified
    }

    /// Sends over the connection a request came by.
    pub(crate) fn reply(&mut self, flow: Flow, transmit: Transmit) -> Result<(), TransportFailure> {
        match self.by_id.get_mut(&flow.connection) {
            Some(connection) => give(connection, transmit),
            None => Err(TransportFailure::Unsent(transmit)),
        }
    }

    /// Sends to a target, over a connection that stands or a new one.
    pub(crate) fn send(
        &mut self,
        transport: Transport,
        target: &Target,
        transmit: Transmit,
    ) -> Result<(), TransportFailure> {
        let Target { addr, name, .. } = target;
        let leads = |id: &&u64| {
            self.by_id.get(id).is_some_and(|connection| connection.leads_to(*addr, name.as_deref()))
        };
        let standing = self.by_address.get(&(transport, *addr)).and_then(|ids| ids.iter().rev().find(leads));
        let id = match standing {
            Some(id) => Some(*id),
            None => self.open(transport, *addr, name.as_ref()),
        };
        match id.and_then(|id| self.by_id.get_mut(&id)) {
            Some(connection) => give(connection, transmit),
            None => Err(TransportFailure::Unsent(transmit)),
        }
    }

    /// Forgets a connection; tells which requests of ours may have been lost with it.
    pub(crate) fn closed(&mut self, id: u64) -> Vec<TransportFailure> {
        let Some(Connection { transport, addresses, carries: true, .. }) = self.forget(id) else {
            return Vec::new();
        };
        addresses.into_iter().map(|addr| TransportFailure::Lost { transport, addr }).collect()
    }

    /// Opens a connection; `None` at the cap, and over TLS where there is nobody to be verified or nothing to verify by.
    fn open(&mut self, transport: Transport, addr: SocketAddr, name: Option<&Arc<str>>) -> Option<u64> {
        if self.by_id.len() >= self.limits.connections {
            return None;
        }
        let (client, holder) = match (transport, name) {
            (Transport::Tls, Some(name)) => {
                let server_name = ServerName::try_from(name.to_string()).ok()?;
                (Some((self.tls.client()?, server_name)), Holder::Asked(name.clone()))
            }
            (Transport::Tls, None) => return None,
            (Transport::Tcp | Transport::Udp, _) => (None, Holder::Unknown),
        };
        let (id, outbox) = self.enter(transport, addr, holder, true);
        self.start(id, transport, addr, 0, Opening::Connect { client }, outbox);
        Some(id)
    }

    /// Starts a connection's task: over TLS on the thread for that; where it cannot be had, on this one.
    fn start(
        &mut self,
        id: u64,
        transport: Transport,
        peer: SocketAddr,
        index: u16,
        opening: Opening,
        outbox: mpsc::Receiver<Transmit>,
    ) {
        let flow = Flow { transport, remote: peer, connection: id, local: index };
        let task = Task { flow, inputs: self.inputs.clone(), limits: self.limits }.run(opening, outbox);
        if transport == Transport::Tls && self.crypto.is_none() {
            self.crypto =
                Crypto::start().inspect_err(|error| tracing::warn!(%error, "no thread for TLS")).ok();
        }
        match &self.crypto {
            Some(crypto) if transport == Transport::Tls => crypto.spawn(task),
            _ => _ = tokio::spawn(task),
        }
    }

    fn enter(
        &mut self,
        transport: Transport,
        peer: SocketAddr,
        holder: Holder,
        carries: bool,
    ) -> (u64, mpsc::Receiver<Transmit>) {
        self.sequence += 1;
        let (outbox, receiver) = mpsc::channel(BACKLOG);
        let connection = Connection {
            transport,
            addresses: vec![peer],
            holder,
            outbox,
            carries,
            authorities: self.authorities,
        };
        self.by_id.insert(self.sequence, connection);
        self.by_address.entry((transport, peer)).or_default().push(self.sequence);
        (self.sequence, receiver)
    }

    fn forget(&mut self, id: u64) -> Option<Connection> {
        self.half_open.remove(&id);
        let connection = self.by_id.remove(&id)?;
        for address in &connection.addresses {
            let key = (connection.transport, *address);
            if let Some(ids) = self.by_address.get_mut(&key) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.by_address.remove(&key);
                }
            }
        }
        Some(connection)
    }
}

impl Connection {
    /// Whether it may carry what goes to the holder of this name; `None`: to whose own address it is. To stand for
    /// another takes a name that the certificate has.
    fn leads_to(&self, addr: SocketAddr, name: Option<&str>) -> bool {
        match (self.transport, name, &self.holder) {
            (Transport::Tls, None, _) => self.addresses.first() == Some(&addr),
            (Transport::Tls, Some(_), Holder::Unknown) => false,
            (Transport::Tls, Some(name), Holder::Asked(asked)) => &**asked == name,
            (Transport::Tls, Some(name), Holder::Verified(peer)) => peer.identity().is(name),
            _ => true,
        }
    }
}

/// A listener; must run inside the runtime. One for IPv6 leaves IPv4 to others, as over UDP.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
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

fn give(connection: &mut Connection, transmit: Transmit) -> Result<(), TransportFailure> {
    let request = transmit.client.is_some();
    connection.outbox.try_send(transmit).map_err(|error| TransportFailure::Unsent(error.into_inner()))?;
    connection.carries |= request;
    Ok(())
}
