//! UDP listeners: batches in, direct sends out, a bounded queue where the socket is full.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::UdpSocket;

/// Datagrams that wait for a full socket; beyond, the oldest is dropped: SIP repeats it.
const BACKLOG: usize = 4096;
/// Datagrams taken before other inputs get their turn.
const BATCH: usize = 64;
/// Kernel buffers: a burst must not be lost while the loop is busy.
const SOCKET_BUFFER: usize = 4 << 20;

/// All UDP listeners, by index.
#[derive(Debug)]
pub(super) struct Udp {
    sockets: Vec<Listener>,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Listener {
    socket: UdpSocket,
    local: SocketAddr,
    backlog: VecDeque<(SocketAddr, Bytes)>,
}

impl Udp {
    /// Binds every address, or says which one cannot be had; must run inside the runtime.
    pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let bind = |address: &SocketAddr| Listener::bind(*address).map_err(|error| (*address, error));
        let sockets = addresses.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { sockets, buffer: vec![0; 65_536].into_boxed_slice() })
    }

    /// The bound addresses.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|listener| listener.local).collect()
    }

    /// Ready when some socket has input; also sends what waited.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        for (index, listener) in self.sockets.iter_mut().enumerate() {
            while !listener.backlog.is_empty() && listener.socket.poll_send_ready(context).is_ready() {
                if !listener.flush_one() {
                    break;
                }
            }
            if listener.socket.poll_recv_ready(context).is_ready() {
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }

    /// Takes what a socket has, up to a batch.
    pub(super) fn receive(&mut self, index: usize, mut each: impl FnMut(SocketAddr, Bytes)) {
        let Some(listener) = self.sockets.get(index) else { return };
        for _ in 0..BATCH {
            match listener.socket.try_recv_from(&mut self.buffer) {
                Ok((length, peer)) => each(peer, Bytes::copy_from_slice(&self.buffer[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error for some earlier datagram; which one is not known, its timers take care of it.
                Err(error) => tracing::debug!(%error, "UDP receive"),
            }
        }
    }

    /// Sends by the socket a request came in by, or by the first of the peer's address family.
    pub(super) fn send(&mut self, index: Option<u16>, peer: SocketAddr, octets: Bytes) -> io::Result<()> {
        let chosen = match index {
            Some(index) => usize::from(index),
            None => self
                .sockets
                .iter()
                .position(|listener| listener.local.is_ipv4() == peer.is_ipv4())
                .unwrap_or(usize::MAX),
        };
        let listener = self.sockets.get_mut(chosen).ok_or_else(|| {
            io::Error::new(io::ErrorKind::AddrNotAvailable, "no UDP listener of that address family")
        })?;
        if listener.backlog.is_empty() {
            match listener.socket.try_send_to(&octets, peer) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if listener.backlog.len() >= BACKLOG {
            listener.backlog.pop_front();
        }
        listener.backlog.push_back((peer, octets));
        Ok(())
    }
}

impl Listener {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Best effort: the kernel caps them at net.core.*mem_max.
        _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, backlog: VecDeque::new() })
    }

    fn flush_one(&mut self) -> bool {
        let Some((peer, octets)) = self.backlog.front() else { return false };
        match self.socket.try_send_to(octets, *peer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            _ => {
                self.backlog.pop_front();
                true
            }
        }
    }
}
