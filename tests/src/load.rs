//! A load of MO messages over UDP, in a closed loop: so many under way, the next one sent when a report came.
//!
//! A message is done when the RP-ACK for it arrives, in a MESSAGE of the other side's own, which is answered 200.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use memchr::memmem;

/// When a MESSAGE without an answer is sent again (RFC 3261 §17.1.2.2, timer E, once and not doubled).
const RESEND_AFTER: Duration = Duration::from_millis(500);
/// When the run is given up because nothing comes any more.
const SILENCE: Duration = Duration::from_secs(10);
/// Different senders; message `n` is from sender `n % SENDERS`.
const SENDERS: usize = 10_000;

/// What to send, and how much of it at once.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The server.
    pub target: SocketAddr,
    /// The number of the first message: numbers name messages, so two loads on one server must not overlap.
    pub first: usize,
    /// Messages in all.
    pub messages: usize,
    /// Messages under way at once.
    pub window: usize,
    /// What an answer is.
    pub kind: Kind,
}

/// What the other side does with a MESSAGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers 202, then reports RP-ACK in a MESSAGE that names ours in In-Reply-To.
    Report,
    /// Sends the datagram back: the floor under every server.
    Echo,
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// From the first message sent to the last one done.
    pub elapsed: Duration,
    /// From MESSAGE to RP-ACK (or echo), sorted, in microseconds.
    pub latencies: Vec<u32>,
    /// Messages sent again because no answer came in time.
    pub resent: u64,
    /// Reports other than RP-ACK.
    pub refused: u64,
    /// Reports that came again for a message that was done.
    pub repeated: u64,
    /// Final answers other than 202.
    pub failed: u64,
}

impl Outcome {
    /// The latency that this share of messages did not exceed, in microseconds.
    pub fn percentile(&self, share: f64) -> u32 {
        let index = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(0)
    }
}

impl Load {
    /// Sends the load from this socket, which is also where reports must come to.
    ///
    /// # Errors
    /// The socket failed, or nothing came for ten seconds though messages were under way.
    pub fn run(&self, socket: &UdpSocket) -> io::Result<Outcome> {
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let began = Instant::now();
        let mut run = Run {
            load: self,
            socket,
            local: socket.local_addr()?,
            sent: Vec::with_capacity(self.messages),
            unanswered: VecDeque::new(),
            done: 0,
            out: Vec::with_capacity(2048),
            outcome: Outcome {
                elapsed: Duration::ZERO,
                latencies: Vec::with_capacity(self.messages),
                resent: 0,
                refused: 0,
                repeated: 0,
                failed: 0,
            },
        };
        let mut datagram = [0; 65_535];
        let mut heard = began;
        while run.done < self.messages {
            run.fill_window()?;
            match socket.recv_from(&mut datagram) {
                Ok((length, from)) => {
                    heard = Instant::now();
                    run.handle(heard, &datagram[..length], from)?;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // The other side is not there yet or no more: its silence decides.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
            run.resend(Instant::now())?;
            if heard.elapsed() > SILENCE {
                let open = run.sent.len() - run.done;
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("silence with {open} messages under way"),
                ));
            }
        }
        let mut outcome = run.outcome;
        outcome.elapsed = began.elapsed();
        outcome.latencies.sort_unstable();
        Ok(outcome)
    }
}

/// One message under way.
#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    answered: bool,
    done: bool,
}

struct Run<'a> {
    load: &'a Load,
    socket: &'a UdpSocket,
    local: SocketAddr,
    sent: Vec<Sent>,
    /// Numbers of messages and when to send them again, in that order.
    unanswered: VecDeque<(usize, Instant)>,
    done: usize,
    /// Reused for every datagram sent.
    out: Vec<u8>,
    outcome: Outcome,
}

impl Run<'_> {
    fn fill_window(&mut self) -> io::Result<()> {
        while self.sent.len() < self.load.messages && self.sent.len() - self.done < self.load.window {
            let (number, now) = (self.sent.len(), Instant::now());
            self.sent.push(Sent { at: now, answered: false, done: false });
            self.unanswered.push_back((number, now + RESEND_AFTER));
            self.send_message(number)?;
        }
        Ok(())
    }

    fn resend(&mut self, now: Instant) -> io::Result<()> {
        while let Some((number, due)) = self.unanswered.front().copied() {
            if !self.sent[number].answered {
                if due > now {
                    return Ok(());
                }
                self.send_message(number)?;
                self.outcome.resent += 1;
                self.unanswered.push_back((number, now + RESEND_AFTER));
            }
            self.unanswered.pop_front();
        }
        Ok(())
    }

    fn send_message(&mut self, number: usize) -> io::Result<()> {
        self.out.clear();
        write_message(&mut self.out, self.load.first + number, self.local)?;
        self.socket.send_to(&self.out, self.load.target).map(drop)
    }

    fn handle(&mut self, now: Instant, datagram: &[u8], from: SocketAddr) -> io::Result<()> {
        if self.load.kind == Kind::Echo {
            let Some(number) = self.number(datagram, b"\r\nCall-ID: load-") else { return Ok(()) };
            self.answered(number);
            self.finish(now, number);
        } else if datagram.starts_with(b"SIP/2.0 ") {
            let Some(number) = self.number(datagram, b"\r\nCall-ID: load-") else { return Ok(()) };
            self.answered(number);
            if !datagram.starts_with(b"SIP/2.0 202") && !datagram.starts_with(b"SIP/2.0 1") {
                self.outcome.failed += 1;
                self.finish(now, number);
            }
        } else if datagram.starts_with(b"MESSAGE ") {
            self.out.clear();
            write_answer(&mut self.out, datagram)?;
            self.socket.send_to(&self.out, from)?;
            let Some(number) = self.number(datagram, b"\r\nIn-Reply-To: load-") else { return Ok(()) };
            if body(datagram).first() != Some(&3) {
                self.outcome.refused += 1;
            }
            // A report tells that the message arrived even if the 202 is still under way.
            self.answered(number);
            self.finish(now, number);
        }
        Ok(())
    }

    /// Which message of this load a datagram is about; a late one of an earlier load is about none.
    fn number(&self, datagram: &[u8], marker: &[u8]) -> Option<usize> {
        number(datagram, marker)?.checked_sub(self.load.first)
    }

    fn answered(&mut self, number: usize) {
        if let Some(sent) = self.sent.get_mut(number) {
            sent.answered = true;
        }
    }

    fn finish(&mut self, now: Instant, number: usize) {
        let Some(sent) = self.sent.get_mut(number) else { return };
        if sent.done {
            self.outcome.repeated += 1;
            return;
        }
        sent.done = true;
        self.done += 1;
        let micros = now.saturating_duration_since(sent.at).as_micros();
        self.outcome.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
    }
}

/// An MO MESSAGE as a P-CSCF and S-CSCF hand it on: two Vias, the charging and access headers, SMS-SUBMIT in RP-DATA.
fn write_message(out: &mut Vec<u8>, number: usize, local: SocketAddr) -> io::Result<()> {
    const DOMAIN: &str = "ims.mnc001.mcc001.3gppnetwork.org";
    let sender = 447_700_000_000 + number % SENDERS;
    // RP-DATA to +447700900999 with SMS-SUBMIT to +447700900222: "hello €" in the GSM 7-bit alphabet.
    let mut rpdu = *b"\x00\x2a\x00\x07\x91\x44\x77\x00\x09\x90\x99\x15\x31\x07\x0c\x91\x44\x77\x00\x09\x20\x22\x00\x00\xa7\x08\xe8\x32\x9b\xfd\x06\x6d\xca";
    rpdu[1] = number as u8;
    rpdu[13] = number as u8;
    write!(
        out,
        "MESSAGE sip:smsc.{DOMAIN} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bKload{number};rport\r\n\
         Via: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKpcscf{number};received=127.0.0.9\r\n\
         Max-Forwards: 66\r\n\
         From: <sip:+{sender}@{DOMAIN}>;tag=t{number}\r\n\
         To: <sip:smsc.{DOMAIN}>\r\n\
         Call-ID: load-{number}@handset\r\n\
         CSeq: 1 MESSAGE\r\n\
         P-Asserted-Identity: <sip:+{sender}@{DOMAIN}>, <tel:+{sender}>\r\n\
         P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000101\r\n\
         P-Charging-Vector: icid-value=\"load-{number}\";orig-ioi={DOMAIN}\r\n\
         Request-Disposition: no-fork\r\n\
         Content-Type: application/vnd.3gpp.sms\r\n\
         Content-Length: {}\r\n\r\n",
        rpdu.len()
    )?;
    out.extend_from_slice(&rpdu);
    Ok(())
}

/// 200 OK to a request (RFC 3261 §8.2.6).
fn write_answer(out: &mut Vec<u8>, request: &[u8]) -> io::Result<()> {
    out.extend_from_slice(b"SIP/2.0 200 OK\r\n");
    let head = memmem::find(request, b"\r\n\r\n").map_or(request, |end| &request[..end + 2]);
    let mut start = memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    while start < head.len() {
        let end = memchr::memchr(b'\n', &head[start..]).map_or(head.len(), |end| start + end + 1);
        let line = &head[start..end];
        if [&b"Via:"[..], b"From:", b"To:", b"Call-ID:", b"CSeq:"].iter().any(|name| line.starts_with(name)) {
            out.extend_from_slice(line);
        }
        start = end;
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Ok(())
}

/// The number behind a marker, the message's own.
fn number(datagram: &[u8], marker: &[u8]) -> Option<usize> {
    let at = memmem::find(datagram, marker)? + marker.len();
    let digits = datagram[at..].iter().take_while(|octet| octet.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

fn body(datagram: &[u8]) -> &[u8] {
    memmem::find(datagram, b"\r\n\r\n").map_or(&[], |end| &datagram[end + 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that loses every third MESSAGE, refuses the fifth and reports on all others.
    fn serve(socket: &UdpSocket, client: SocketAddr) {
        let mut datagram = [0; 2048];
        let (mut seen, mut answered) = (0, 0);
        while answered < 20 {
            let (length, _) = socket.recv_from(&mut datagram).unwrap();
            let message = &datagram[..length];
            if !message.starts_with(b"MESSAGE") {
                continue;
            }
            seen += 1;
            if seen % 3 == 0 {
                continue;
            }
            let mut answer = Vec::new();
            write_answer(&mut answer, message).unwrap();
            let number = number(message, b"\r\nCall-ID: load-").unwrap();
            answer[..11].copy_from_slice(if number == 5 { b"SIP/2.0 403" } else { b"SIP/2.0 202" });
            socket.send_to(&answer, client).unwrap();
            answered += 1;
            if number != 5 {
                let report =
                    format!("MESSAGE sip:a SIP/2.0\r\nIn-Reply-To: load-{number}@handset\r\n\r\n\u{3}");
                socket.send_to(report.as_bytes(), client).unwrap();
            }
        }
    }

    #[test]
    fn every_message_is_done_once_though_some_are_lost_or_refused() {
        let (server, client) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let load = Load {
            target: server.local_addr().unwrap(),
            first: 0,
            messages: 20,
            window: 4,
            kind: Kind::Report,
        };
        let address = client.local_addr().unwrap();
        let serving = std::thread::spawn(move || serve(&server, address));
        let outcome = load.run(&client).unwrap();
        serving.join().unwrap();
        assert_eq!(
            (outcome.latencies.len(), outcome.failed, outcome.refused, outcome.repeated),
            (20, 1, 0, 0)
        );
        assert!(outcome.resent > 0);
        assert!(outcome.percentile(0.5) <= outcome.percentile(0.99));
    }
}
