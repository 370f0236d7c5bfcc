//! One OPTIONS over a real socket (RFC 3261 §11), and how long its answer took.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use smsc_proto::sip::{Framed, Header, Message, Request, StreamFramer, Transport, ViaOut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::tls::Tls;

/// How long an answer is awaited.
const LIMIT: Duration = Duration::from_secs(4);
/// The most octets one datagram can hold.
const DATAGRAM: usize = 65_535;

/// An answer and the time it took.
pub(super) struct Answer {
    pub(super) message: Message,
    pub(super) took: Duration,
}

/// What to ask, and of whom.
pub(super) struct Question<'a> {
    /// The Request-URI.
    pub(super) uri: &'a str,
    /// Who asks.
    pub(super) from: &'a str,
    /// The next hop.
    pub(super) to: SocketAddr,
    /// Over TLS: whose certificate it must have, and what it is verified by.
    pub(super) name: Option<Arc<str>>,
    pub(super) tls: &'a Tls,
    /// T1: the first wait before a retransmission over UDP.
    pub(super) t1: Duration,
}

/// Asks and waits for the final answer.
///
/// # Errors
/// In words: no connection, no answer, or an answer that is not SIP.
pub(super) async fn options(question: &Question<'_>, transport: Transport) -> Result<Answer, String> {
    let begun = Instant::now();
    let asked = async {
        match transport {
            Transport::Udp => over_udp(question).await,
            Transport::Tcp => over_tcp(question).await,
            Transport::Tls => over_tls(question).await,
        }
    };
    match timeout(LIMIT, asked).await {
        Ok(answer) => Ok(Answer { message: answer?, took: begun.elapsed() }),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn over_udp(question: &Question<'_>) -> Result<Message, String> {
    let any: SocketAddr = match question.to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(words)?;
    socket.connect(question.to).await.map_err(words)?;
    let (request, call_id) = request(question, Transport::Udp, socket.local_addr().map_err(words)?);
    let mut buffer = vec![0; DATAGRAM];
    let mut wait = question.t1;
    loop {
        socket.send(&request).await.map_err(words)?;
        let resend = tokio::time::sleep(wait);
        tokio::pin!(resend);
        loop {
            tokio::select! {
                received = socket.recv(&mut buffer) => {
                    let length = received.map_err(words)?;
                    let message = Message::parse(Bytes::copy_from_slice(&buffer[..length]));
                    if let Some(answer) = message.ok().filter(|message| is_final(message, &call_id)) {
                        return Ok(answer);
                    }
                }
                () = &mut resend => break,
            }
        }
        wait *= 2;
    }
}

async fn over_tcp(question: &Question<'_>) -> Result<Message, String> {
    let stream = TcpStream::connect(question.to).await.map_err(words)?;
    let asked = request(question, Transport::Tcp, stream.local_addr().map_err(words)?);
    over_stream(stream, asked).await
}

async fn over_tls(question: &Question<'_>) -> Result<Message, String> {
    let client = question.tls.client().ok_or("sip.tls.ca_file is not set: no server can be verified")?;
    let name = ServerName::try_from(question.name.as_deref().unwrap_or_default().to_owned());
    let name = name.map_err(|_| "no certificate can be for this name".to_owned())?;
    let stream = TcpStream::connect(question.to).await.map_err(words)?;
    let asked = request(question, Transport::Tls, stream.local_addr().map_err(words)?);
    let stream = TlsConnector::from(client).connect(name, stream).await.map_err(words)?;
    over_stream(stream, asked).await
}

async fn over_stream(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    (request, call_id): (Bytes, String),
) -> Result<Message, String> {
    stream.write_all(&request).await.map_err(words)?;
    stream.flush().await.map_err(words)?;
    let mut framer = StreamFramer::new();
    let mut buffer = vec![0; 8192];
    loop {
        let length = stream.read(&mut buffer).await.map_err(words)?;
        if length == 0 {
            return Err("the connection was closed without an answer".to_owned());
        }
        framer.push(&buffer[..length]);
        while let Some(framed) = framer.next() {
            let framed = framed.map_err(|error| format!("what came back is not SIP: {error}"))?;
            let Framed::Message(octets) = framed else { continue };
            let message =
                Message::parse(octets).map_err(|error| format!("what came back is not SIP: {error}"))?;
            if is_final(&message, &call_id) {
                return Ok(message);
            }
        }
    }
}

fn is_final(message: &Message, call_id: &str) -> bool {
    message.status().is_some_and(|status| status >= 200) && message.call_id().is_ok_and(|id| id == call_id)
}

/// The request and its Call-ID.
fn request(question: &Question<'_>, transport: Transport, local: SocketAddr) -> (Bytes, String) {
    let Question { uri, from, .. } = question;
    let unique = RandomState::new().hash_one(local);
    let call_id = format!("check-{unique:016x}@{}", local.ip());
    let branch = format!("z9hG4bK{unique:016x}");
    let bytes = Request::new("OPTIONS", uri)
        .header(Header::MaxForwards, "70")
        .header(Header::From, &format!("<{from}>;tag={:08x}", unique & 0xffff_ffff))
        .header(Header::To, &format!("<{uri}>"))
        .header(Header::CallId, &call_id)
        .header(Header::CSeq, "1 OPTIONS")
        .header(
            Header::Contact,
            &format!("<sip:smsc@{local};transport={}>", transport.as_str().to_lowercase()),
        )
        .header(Header::Accept, "application/sdp")
        .header(Header::UserAgent, concat!("smsc-frontend/", env!("CARGO_PKG_VERSION")))
        .to_bytes(&ViaOut { transport, sent_by: &local.to_string(), branch: &branch, alias: false });
    (bytes, call_id)
}

fn words(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    }
}
