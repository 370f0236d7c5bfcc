//! A frontend in a process of its own, and the core that speaks with it over real sockets.
//!
//! Each pair has addresses of its own in 127.0.0.0/8, so that both have port 5060, where answers go that name no port.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use smsc_proto::sip::{Message, Response};

use crate::torture::ordinary;

const PORT: u16 = 5060;
const TLS_PORT: u16 = 5061;
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running frontend. Dropping it kills it.
pub struct Running {
    child: Child,
    sip: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    /// Starts `bench-frontend` with this section `limits`, and waits until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or is not ready in time.
    pub fn start(program: &Path, core: &Core, limits: &str) -> io::Result<Self> {
        Self::start_with(program, core, limits, "")
    }

    /// The same with further lines of configuration; where `sip.tls` is among them, it takes TLS too.
    ///
    /// # Errors
    /// It cannot be started, or is not ready in time.
    pub fn start_with(program: &Path, core: &Core, limits: &str, more: &str) -> io::Result<Self> {
        let address = |port| SocketAddr::new(core.beside(), port);
        let (sip, admin) = (address(PORT), address(9090));
        let child = Command::new(program)
            .args(["--listen", &sip.to_string(), "--next-hop", &core.local.to_string(), "--tcp"])
            .args(["--admin", &admin.to_string(), "--limits", limits, "--more", more])
            .args(if more.contains("tls:") {
                vec!["--tls".to_owned(), address(TLS_PORT).to_string()]
            } else {
                vec![]
            })
            .stdin(Stdio::null())
            .spawn()?;
        let running = Self { child, sip, admin };
        let deadline = Instant::now() + PATIENCE;
        while running.fetch("/readyz").is_err() {
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "the frontend does not become ready"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    /// Where it takes SIP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Where it takes TLS, if it does.
    pub fn tls(&self) -> SocketAddr {
        SocketAddr::new(self.sip.ip(), TLS_PORT)
    }

    /// The resident memory of the process, in KiB.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_kib(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the frontend has ended"))
    }

    /// The sum of a counter over all its labels that contain `labels`.
    ///
    /// # Errors
    /// The admin listener does not answer.
    pub fn counter(&self, name: &str, labels: &str) -> io::Result<u64> {
        let metrics = self.fetch("/metrics")?;
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        Ok(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
    }

    fn fetch(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(answer) } else { Err(io::Error::other(answer)) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The core: where messages come from, and where answers and submit reports go.
pub struct Core {
    socket: UdpSocket,
    local: SocketAddr,
    numbers: usize,
}

impl Core {
    /// Takes an address nobody else has.
    ///
    /// # Errors
    /// No address is free.
    pub fn bind() -> io::Result<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let [low, high, ..] = std::process::id().to_le_bytes();
        loop {
            let next = NEXT.fetch_add(2, Ordering::Relaxed);
            let local = SocketAddr::new(Ipv4Addr::new(127, 64 + (high & 63), low, 1 + next).into(), PORT);
            match UdpSocket::bind(local) {
                Ok(socket) => return Ok(Self { socket, local, numbers: 0 }),
                Err(error) if next >= 250 => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Its address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The address of its frontend.
    fn beside(&self) -> IpAddr {
        match self.local.ip() {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() + 1).into(),
            other => other,
        }
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// The socket fails; a frontend that is gone is not noticed.
    pub fn send(&self, to: &Running, octets: &[u8]) -> io::Result<()> {
        match self.socket.send_to(octets, to.sip) {
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends an ordinary MESSAGE, and waits for its 202 and its RP-ACK. It is repeated as timer E would, because the
    /// kernel may lose it where the frontend is flooded. Returns the responses to others that came meanwhile.
    ///
    /// # Errors
    /// It does not pass.
    pub fn ordinary(&mut self, to: &Running) -> io::Result<Vec<Message>> {
        self.numbers += 1;
        let message = ordinary(self.numbers, "UDP", self.local);
        let call_id = format!("ordinary-{}@handset", self.numbers);
        let (mut accepted, mut acknowledged, mut others) = (false, false, Vec::new());
        let deadline = Instant::now() + PATIENCE;
        let mut due = Instant::now();
        while !(accepted && acknowledged) {
            let now = Instant::now();
            if now > deadline {
                let what = format!("{call_id}: accepted: {accepted}, acknowledged: {acknowledged}");
                return Err(io::Error::new(ErrorKind::TimedOut, what));
            }
            if now >= due {
                self.send(to, &message)?;
                due = now + Duration::from_millis(500);
            }
            let Some((heard, from)) = self.receive(Duration::from_millis(50))? else { continue };
            if heard.is_request() {
                self.socket.send_to(&Response::to(&heard, from, 200, "core").to_bytes(), from)?;
                acknowledged |=
                    heard.in_reply_to().any(|id| id == call_id) && heard.body().first() == Some(&3);
            } else if heard.call_id().is_ok_and(|id| id == call_id) {
                accepted |= heard.status() == Some(202);
            } else {
                others.push(heard);
            }
        }
        Ok(others)
    }

    /// The next message that comes within this time.
    ///
    /// # Errors
    /// The socket fails.
    pub fn receive(&self, within: Duration) -> io::Result<Option<(Message, SocketAddr)>> {
        self.socket.set_read_timeout(Some(within))?;
        let mut datagram = [0; 65_535];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                let message = Message::parse(Bytes::copy_from_slice(&datagram[..length]));
                Ok(message.ok().map(|message| (message, from)))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
