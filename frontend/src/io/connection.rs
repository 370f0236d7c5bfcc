//! One connection over TCP or TLS, from its opening to its end: a task of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use smsc_proto::sip::transaction::{Flow, Transmit, TransportFailure};
use smsc_proto::sip::{Framed, Message, StreamFramer, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::shell::Input;
use super::streams::Limits;
use crate::tls::Peer;

const PONG: &[u8] = b"\r\n";
/// How long a peer has to take what is left when we close.
const GOODBYE: Duration = Duration::from_secs(1);

/// How a connection comes to be.
pub(super) enum Opening {
    /// Somebody has opened it; over TLS with our side of it.
    Accept { stream: TcpStream, server: Option<Arc<ServerConfig>> },
    /// We open it; over TLS to the holder of a name.
    Connect { client: Option<(Arc<ClientConfig>, ServerName<'static>)> },
}

/// A connection's task.
pub(super) struct Task {
    pub(super) flow: Flow,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) limits: Limits,
}

impl Task {
    /// Runs until the connection is closed, or the loop has forgotten it.
    pub(super) async fn run(self, opening: Opening, mut outbox: mpsc::Receiver<Transmit>) {
        match opening {
            Opening::Accept { stream, server: None } => self.serve_plain(stream, &mut outbox).await,
            Opening::Accept { stream, server: Some(server) } => {
                // Nothing is sent before the handshake: the other branch is that we were forgotten.
                let accepted = tokio::select! {
                    accepted = self.accept(stream, server) => accepted,
                    _ = outbox.recv() => Ok(None),
                };
                match accepted {
                    Ok(Some(stream)) => {
                        let peer = verified(stream.get_ref().1.peer_certificates());
                        self.serve_secured(stream, peer, &mut outbox).await;
                    }
                    Ok(None) => {}
                    Err(reason) => self.tell(Input::Dropped { reason }).await,
                }
            }
            Opening::Connect { client } => match self.connect(client).await {
                Ok((stream, None)) => self.serve_plain(stream, &mut outbox).await,
                Ok((stream, Some((client, name)))) => {
                    let connecting = TlsConnector::from(client).connect(name.clone(), stream);
                    match timeout(self.limits.handshake, connecting).await {
                        Ok(Ok(stream)) => {
                            let peer = verified(stream.get_ref().1.peer_certificates());
                            self.serve_secured(stream, peer, &mut outbox).await;
                        }
                        Ok(Err(error)) => {
                            tracing::warn!(peer = %self.flow.remote, name = %name.to_str(), %error, "TLS connect");
                        }
                        Err(_) => {
                            tracing::warn!(peer = %self.flow.remote, name = %name.to_str(), "TLS connect: no answer");
                        }
                    }
                }
                Err(error) => tracing::info!(peer = %self.flow.remote, %error, "TCP connect"),
            },
        }
        self.close(&mut outbox).await;
    }

    /// The server's side of the handshake; an error is why it failed.
    async fn accept(
        &self,
        stream: TcpStream,
        server: Arc<ServerConfig>,
    ) -> Result<Option<tokio_rustls::server::TlsStream<TcpStream>>, &'static str> {
        _ = stream.set_nodelay(true);
        match timeout(self.limits.handshake, TlsAcceptor::from(server).accept(stream)).await {
            Ok(Ok(stream)) => Ok(Some(stream)),
            Ok(Err(error)) if is_about_certificates(&error) => {
                tracing::info!(peer = %self.flow.remote, %error, "TLS: refused");
                Err("tls_certificate")
            }
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.flow.remote, %error, "TLS: no handshake");
                Err("tls_handshake")
            }
            Err(_) => Err("tls_handshake_timeout"),
        }
    }

    async fn connect<T>(&self, client: T) -> io::Result<(TcpStream, T)> {
        let stream = timeout(self.limits.connect, TcpStream::connect(self.flow.remote)).await;
        let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        _ = stream.set_nodelay(true);
        Ok((stream, client))
    }

    async fn serve_plain(&self, stream: TcpStream, outbox: &mut mpsc::Receiver<Transmit>) {
        _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        self.serve(reader, writer, false, outbox).await;
    }

    async fn serve_secured(
        &self,
        stream: impl AsyncRead + AsyncWrite,
        peer: Option<Peer>,
        outbox: &mut mpsc::Receiver<Transmit>,
    ) {
        let offers = peer.is_some();
        self.tell(Input::Secured { connection: self.flow.connection, peer: peer.map(Box::new) }).await;
        let (reader, writer) = tokio::io::split(stream);
        self.serve(reader, writer, offers, outbox).await;
    }

    /// Carries messages both ways; `offers` if the peer may offer its connection for reuse.
    async fn serve(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
        offers: bool,
        outbox: &mut mpsc::Receiver<Transmit>,
    ) {
        let (pongs, pings) = mpsc::channel(4);
        tokio::select! {
            reason = self.read(&mut reader, pongs, offers) => {
                if let Some(reason) = reason {
                    self.tell(Input::Dropped { reason }).await;
                }
            }
            _ = write(&mut writer, outbox, pings) => {}
        }
        self.close(outbox).await;
        // Over TLS this says that nothing was cut off.
        _ = timeout(GOODBYE, writer.shutdown()).await;
    }

    /// Gives back what was not sent, then says that the connection is gone.
    async fn close(&self, outbox: &mut mpsc::Receiver<Transmit>) {
        outbox.close();
        while let Some(transmit) = outbox.recv().await {
            self.tell(Input::Failed(TransportFailure::Unsent(transmit))).await;
        }
        self.tell(Input::Closed { connection: self.flow.connection }).await;
    }

    /// Reads until the peer closes, falls silent for too long, or sends what is not SIP.
    async fn read(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        pongs: mpsc::Sender<()>,
        mut offers: bool,
    ) -> Option<&'static str> {
        let mut framer = StreamFramer::new();
        let mut buffer = BytesMut::with_capacity(16 * 1024);
        loop {
            buffer.clear();
            match timeout(self.limits.idle, reader.read_buf(&mut buffer)).await {
                Err(_) | Ok(Ok(0) | Err(_)) => return None,
                Ok(Ok(_)) => framer.push(&buffer),
            }
            while let Some(framed) = framer.next() {
                match framed {
                    Ok(Framed::Message(octets)) => {
                        if offers {
                            offers = false;
                            self.take_offer(&octets).await;
                        }
                        let message = Input::Message { flow: self.flow, octets };
                        if self.inputs.send(message).await.is_err() {
                            return None;
                        }
                    }
                    // RFC 5626 §4.4.1; at most a few unanswered.
                    Ok(Framed::Ping) => _ = pongs.try_send(()),
                    Ok(Framed::Pong) => {}
                    Err(error) => {
                        tracing::info!(peer = %self.flow.remote, %error, "closed: not SIP");
                        return Some(error.reason());
                    }
                }
            }
        }
    }

    /// `alias` in the first request's Via offers the connection for ours to where the peer listens (RFC 5923 §8). A peer
    /// offers it in each of its requests.
    async fn take_offer(&self, octets: &Bytes) {
        let Ok(message) = Message::parse(octets.clone()) else { return };
        if let Some(Ok(via)) = message.is_request().then(|| message.via())
            && via.params.get("alias").is_some()
        {
            let port = via.port.unwrap_or(Transport::Tls.default_port());
            self.tell(Input::Offered { connection: self.flow.connection, port }).await;
        }
    }

    async fn tell(&self, input: Input) {
        _ = self.inputs.send(input).await;
    }
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
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
        // TLS may hold back the end of a record.
        writer.flush().await?;
    }
}

/// The peer, by the certificate that the handshake has verified.
fn verified(chain: Option<&[CertificateDer<'_>]>) -> Option<Peer> {
    Peer::of(chain?)
}

/// Whether a handshake failed because the peer has no certificate, or not the right one.
fn is_about_certificates(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}
