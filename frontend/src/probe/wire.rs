//! The probe's sockets: one for datagrams, or a listener and connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smsc_config::Config;
use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::{Destination, Flow, Transmit, TransportFailure};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::io::shell::Input;
use crate::io::streams::{self, Limits, Streams};
use crate::tls::Tls;

/// The most octets one datagram can hold.
const DATAGRAM: usize = 65_535;
/// Messages that may wait to be taken; beyond, who brings them waits.
const INPUTS: usize = 64;
const CONNECT: Duration = Duration::from_secs(4);
const IDLE: Duration = Duration::from_secs(600);
/// Connections, ours and those of the frontend's pods.
const CONNECTIONS: usize = 256;

/// Where messages come from and go to.
pub(super) enum Wire {
    /// UDP.
    Datagrams { socket: UdpSocket, buffer: Vec<u8> },
    /// TCP.
    Streams { streams: Streams, inputs: mpsc::Receiver<Input> },
}

/// What happened at the sockets.
pub(super) enum Arrived {
    /// A SIP message, or what should be one.
    Message(Flow, Bytes),
    /// What was sent did not get through.
    Failed(Vec<TransportFailure>),
}

impl Wire {
    /// Binds; also tells the address.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(super) fn bind(transport: Transport, listen: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        if !transport.is_reliable() {
            let socket = std::net::UdpSocket::bind(listen)?;
            socket.set_nonblocking(true)?;
            let socket = UdpSocket::from_std(socket)?;
            let bound = socket.local_addr()?;
            return Ok((Self::Datagrams { socket, buffer: vec![0; DATAGRAM] }, bound));
        }
        let listener = streams::bind(listen)?;
        let bound = listener.local_addr()?;
        let limits = Limits {
            connections: CONNECTIONS,
            handshakes: CONNECTIONS,
            connect: CONNECT,
            handshake: CONNECT,
            idle: IDLE,
        };
        let (sender, inputs) = mpsc::channel(INPUTS);
        // No certificates: TLS is not spoken here.
        let tls = Tls::load(&Config::default()).map_err(io::Error::other)?;
        let streams = Streams::new(limits, Arc::new(tls), sender);
        streams.listen(listener, Transport::Tcp, 0);
        Ok((Self::Streams { streams, inputs }, bound))
    }

    /// The next thing that happens. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Arrived {
        match self {
            Self::Datagrams { socket, buffer } => loop {
                // An error here is an ICMP message about something sent before; SIP repeats that.
                if let Ok((length, remote)) = socket.recv_from(buffer).await {
                    let flow = Flow { transport: Transport::Udp, remote, connection: 0, local: 0 };
                    return Arrived::Message(flow, Bytes::copy_from_slice(&buffer[..length]));
                }
            },
            Self::Streams { streams, inputs } => loop {
                match inputs.recv().await {
                    Some(Input::Accepted { stream, peer, transport, index }) => {
                        // At the cap it is closed, and the peer tries again.
                        _ = streams.accepted(stream, peer, transport, index);
                    }
                    Some(Input::Message { flow, octets }) => return Arrived::Message(flow, octets),
                    Some(Input::Failed(failure)) => return Arrived::Failed(vec![failure]),
                    Some(Input::Closed { connection }) => return Arrived::Failed(streams.closed(connection)),
                    Some(_) => {}
                    // The streams hold a sender, so this cannot be.
                    None => std::future::pending().await,
                }
            },
        }
    }

    /// Sends; what could not be is given back.
    pub(super) async fn send(&mut self, transmit: Transmit) -> Result<(), TransportFailure> {
        match (self, transmit.to.clone()) {
            (Self::Datagrams { socket, .. }, to) => {
                let to = match to {
                    Destination::Flow(flow) => flow.remote,
                    Destination::Connect(target) => target.addr,
                };
                match socket.send_to(&transmit.bytes, to).await {
                    Ok(_) => Ok(()),
                    Err(_) => Err(TransportFailure::Unsent(transmit)),
                }
            }
            (Self::Streams { streams, .. }, Destination::Flow(flow)) => streams.reply(flow, transmit),
            (Self::Streams { streams, .. }, Destination::Connect(target)) => {
                streams.send(Transport::Tcp, &target, transmit)
            }
        }
    }
}
