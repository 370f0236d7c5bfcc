//! UDP listeners: a batch in and a batch out by one system call each, a bounded queue where the socket is full.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use bytes::Bytes;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use smsc_proto::sip::transaction::Transmit;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Datagrams that wait for a full socket; beyond, the oldest is dropped: SIP repeats it.
const BACKLOG: usize = 4096;
/// Datagrams taken before other inputs get their turn, and sent at once.
const BATCH: usize = 64;
/// The longest datagram.
const LONGEST: usize = 65_536;
/// Kernel buffers: a burst must not be lost while the loop is busy.
const SOCKET_BUFFER: usize = 4 << 20;

/// All UDP listeners, by index.
#[derive(Debug)]
pub(super) struct Udp {
    sockets: Vec<Listener>,
    /// The socket that is asked first: one that always has input leaves the others their turn.
    next: usize,
    /// Room for a batch, of which only what datagrams fill is ever touched.
    buffer: Vec<u8>,
    failed: Vec<Transmit>,
}

#[derive(Debug)]
struct Listener {
    socket: UdpSocket,
    local: SocketAddr,
    /// How many datagrams the next turn may bring: twice what the last one brought.
    expected: usize,
    outbox: VecDeque<(SocketAddr, Transmit)>,
}

impl Udp {
    /// Binds every address, or says which one cannot be had; must run inside the runtime.
    pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Self, (SocketAddr, io::Error)> {
        let bind = |address: &SocketAddr| Listener::bind(*address).map_err(|error| (*address, error));
        let sockets = addresses.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { sockets, next: 0, buffer: vec![0; BATCH * LONGEST], failed: Vec::new() })
    }

    /// The bound addresses.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|listener| listener.local).collect()
    }

    /// Ready when some socket has input; also sends what waited.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let count = self.sockets.len();
        for index in (0..count).map(|offset| (self.next + offset) % count) {
            let listener = &mut self.sockets[index];
            while !listener.outbox.is_empty() && listener.socket.poll_send_ready(context).is_ready() {
                listener.flush(&mut self.failed);
            }
            // What could not be sent after all is not left until something comes.
            if listener.socket.poll_recv_ready(context).is_ready() || !self.failed.is_empty() {
                self.next = (index + 1) % count;
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }

    /// Takes what a socket has, up to a batch.
    pub(super) fn receive(&mut self, index: usize, mut each: impl FnMut(SocketAddr, Bytes)) {
        let Some(listener) = self.sockets.get_mut(index) else { return };
        match listener.receive(&mut self.buffer) {
            Ok(datagrams) => {
                listener.expected = (2 * datagrams.len()).clamp(1, BATCH);
                for ((peer, length), octets) in datagrams.into_iter().zip(self.buffer.chunks_exact(LONGEST)) {
                    each(peer, Bytes::copy_from_slice(&octets[..length]));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // An ICMP error for some earlier datagram; which one is not known, its timers take care of it.
            Err(error) => tracing::debug!(%error, "UDP receive"),
        }
    }

    /// Queues a datagram for the socket a request came in by, or for the first of the peer's address family;
    /// [`Udp::flush`] sends it. Given back where there is no such socket.
    pub(super) fn send(
        &mut self,
        index: Option<u16>,
        peer: SocketAddr,
        transmit: Transmit,
    ) -> Result<(), Transmit> {
        let family = |listener: &&mut Listener| listener.local.is_ipv4() == peer.is_ipv4();
        let chosen = match index {
            Some(index) => self.sockets.get_mut(usize::from(index)),
            None => self.sockets.iter_mut().find(family),
        };
        let Some(listener) = chosen else {
            tracing::info!(%peer, "no UDP listener of that address family");
            return Err(transmit);
        };
        if listener.outbox.len() >= BACKLOG {
            listener.outbox.pop_front();
        }
        listener.outbox.push_back((peer, transmit));
        Ok(())
    }

    /// Sends what is queued, as far as the sockets take it; returns what cannot be sent, now or since the last time.
    pub(super) fn flush(&mut self) -> Vec<Transmit> {
        for listener in &mut self.sockets {
            listener.flush(&mut self.failed);
        }
        std::mem::take(&mut self.failed)
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
        Ok(Self { socket, local, expected: 1, outbox: VecDeque::new() })
    }

    /// Fills slots of the buffer; tells whence each datagram is and how long.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Vec<(SocketAddr, usize)>> {
        let slots = buffer.chunks_exact_mut(LONGEST).take(self.expected);
        let mut slots: Vec<_> = slots.map(|slot| [IoSliceMut::new(slot)]).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slots.len(), None);
        self.socket.try_io(Interest::READABLE, || {
            let received = recvmmsg(
                self.socket.as_raw_fd(),
                &mut headers,
                slots.iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            )?;
            // Each has a sender of a family that we listen on; the slots behind one without would move up.
            let unknown = SocketAddr::new(self.local.ip(), 0);
            Ok(received.map(|one| (one.address.and_then(peer).unwrap_or(unknown), one.bytes)).collect())
        })
    }

    fn flush(&mut self, failed: &mut Vec<Transmit>) {
        while !self.outbox.is_empty() {
            match self.send() {
                Ok(sent) => drop(self.outbox.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The first of the batch could not be sent.
                Err(error) => {
                    let Some((peer, transmit)) = self.outbox.pop_front() else { return };
                    tracing::info!(%peer, %error, "UDP send");
                    failed.push(transmit);
                }
            }
        }
    }

    /// Sends the first of what is queued; tells how many.
    fn send(&self) -> io::Result<usize> {
        if let (1, Some((peer, transmit))) = (self.outbox.len(), self.outbox.front()) {
            return self.socket.try_send_to(&transmit.bytes, *peer).map(|_| 1);
        }
        let batch = || self.outbox.iter().take(BATCH);
        let slices: Vec<_> = batch().map(|(_, transmit)| [IoSlice::new(&transmit.bytes)]).collect();
        let peers: Vec<_> = batch().map(|(peer, _)| Some(SockaddrStorage::from(*peer))).collect();
        let mut headers = MultiHeaders::preallocate(slices.len(), None);
        self.socket.try_io(Interest::WRITABLE, || {
            let socket = self.socket.as_raw_fd();
            Ok(sendmmsg(socket, &mut headers, &slices, &peers, [], MsgFlags::MSG_DONTWAIT)?.count())
        })
    }
}

fn peer(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use smsc_proto::sip::transaction::{Destination, Target};

    use super::*;

    fn to(peer: SocketAddr, text: &'static str) -> Transmit {
        Transmit {
            to: Destination::Connect(Target::new(None, peer)),
            bytes: Bytes::from_static(text.as_bytes()),
            client: None,
        }
    }

    async fn received(udp: &mut Udp, count: usize) -> Vec<(SocketAddr, Bytes)> {
        let mut datagrams = Vec::new();
        while datagrams.len() < count {
            let index = poll_fn(|context| udp.poll_ready(context)).await;
            udp.receive(index, |peer, octets| datagrams.push((peer, octets)));
        }
        datagrams
    }

    #[tokio::test]
    async fn a_batch_arrives_in_order_without_the_one_that_cannot_be_sent() {
        let bind = |text: &str| Udp::bind(&[text.parse().unwrap()]).unwrap();
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (mut here, mut there) = (bind(any), bind(any));
            let (from, peer, nobody) = (here.addresses()[0], there.addresses()[0], any.parse().unwrap());
            for (peer, text) in [(peer, "one"), (nobody, "lost"), (peer, ""), (peer, "three"), (peer, "four")]
            {
                here.send(None, peer, to(peer, text)).unwrap();
            }
            // A socket is known to be writable once the runtime has asked.
            poll_fn(|context| here.sockets[0].socket.poll_send_ready(context)).await.unwrap();
            assert_eq!(here.flush(), [to(nobody, "lost")]);
            let expected = ["one", "", "three", "four"].map(|text| (from, Bytes::from(text)));
            assert_eq!(received(&mut there, 4).await, expected);
        }
    }

    #[tokio::test]
    async fn a_socket_that_always_has_input_leaves_the_others_their_turn() {
        let any = "127.0.0.1:0".parse().unwrap();
        let (mut here, mut there) = (Udp::bind(&[any, any]).unwrap(), Udp::bind(&[any]).unwrap());
        for index in [0, 0, 0, 0, 1] {
            there.send(None, here.addresses()[index], to(any, "x")).unwrap();
        }
        poll_fn(|context| there.sockets[0].socket.poll_send_ready(context)).await.unwrap();
        assert_eq!(there.flush(), []);
        let mut turns = Vec::new();
        for _ in 0..3 {
            let index = poll_fn(|context| here.poll_ready(context)).await;
            here.receive(index, |_, _| turns.push(index));
        }
        assert!(turns[..2].contains(&1), "{turns:?}");
    }

    #[tokio::test]
    async fn without_a_socket_of_its_family_a_datagram_is_given_back() {
        let mut udp = Udp::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let peer = "[::1]:5060".parse().unwrap();
        assert_eq!(udp.send(None, peer, to(peer, "x")), Err(to(peer, "x")));
        assert_eq!(udp.send(Some(1), peer, to(peer, "x")), Err(to(peer, "x")));
    }
}
