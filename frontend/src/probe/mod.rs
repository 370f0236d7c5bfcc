//! `probe`: one SMS through a *running* frontend and its backend, from a handset to another, over the network.
//!
//! The probe is both handsets and the S-CSCF between them and the frontend. The handsets are those of the
//! [demo](crate::demo).
//!
//! ```text
//! sender ────┐            SIP            ┌─ backend
//!            ├─ probe ◄────────► frontend ┤
//! recipient ─┘                           └─ other pods
//! ```
//! It registers both with itself as their S-CSCF, submits, and waits for all that makes a delivery: RP-ACK, the message
//! at the recipient, the answer to the recipient's RP-ACK, and the SMS-STATUS-REPORT. Then both are gone again.

mod missing;
mod network;
mod play;
mod wire;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde::Serialize;
use smsc_proto::sip::Transport;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

pub use missing::Missing;

use crate::demo::people::{Home, Subscriber};
use network::{Happening, Network};
use play::Play;
use wire::Wire;

/// How long one REGISTER has before the name is looked up again and the next is sent.
const TRY: Duration = Duration::from_secs(2);
/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(10);
/// Between two tries that fail at once.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the frontend has to take both registrations back.
const GOODBYE: Duration = Duration::from_secs(5);
/// A registration outlives the probe by so much at most, should that be killed.
const LEFT_OVER: Duration = Duration::from_secs(60);
const SENDER: usize = 0;
const RECIPIENT: usize = 1;

/// What to probe, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The frontend: a name or an address.
    pub host: String,
    /// Its SIP port.
    pub port: u16,
    /// The IMS domain of both handsets.
    pub ims_domain: String,
    /// Where the probe takes requests.
    pub listen: SocketAddr,
    /// The address or name under which the frontend reaches it; `None`: that of the route to the frontend.
    pub advertise: Option<String>,
    /// What is spoken, both ways.
    pub transport: Transport,
    /// The sender's MSISDN, digits.
    pub from: String,
    /// The recipient's MSISDN, digits.
    pub to: String,
    /// The service centre's number that the sender has, digits.
    pub sc_address: String,
    /// The text.
    pub text: String,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What has been reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A third-party REGISTER was answered 200.
    Registered,
    /// The MESSAGE with the SMS-SUBMIT was answered 202.
    Submitted,
    /// Its RP-ACK came.
    RpAck,
    /// The recipient has the text.
    Received,
    /// The recipient's RP-ACK was answered 202.
    Reported,
    /// The SMS-STATUS-REPORT says that the recipient has it.
    StatusReport,
    /// A registration was taken back.
    Deregistered,
}

/// A stage reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// Since the probe began.
    pub at: Duration,
    /// Since what it is the answer to: the REGISTER, the submission, the RP-ACK.
    pub took: Duration,
    /// The subscriber's number.
    pub number: String,
    /// One sentence.
    pub text: String,
}

/// Sends one SMS and waits for its delivery; `tell` is told each step as it is reached.
///
/// # Errors
/// What was missing, and what to look at; or what `tell` says.
pub async fn run<E: From<Missing>>(
    options: &Options,
    tell: impl FnMut(Step) -> Result<(), E>,
) -> Result<(), E> {
    let (wire, bound) = Wire::bind(options.transport, options.listen)
        .map_err(|source| Missing::Listen { address: options.listen, source })?;
    let mut play = Play::new(options, Network::new(wire, bound, subscribers(options)), tell);
    let done = match find(options, &mut play).await {
        Ok(()) => play.message().await,
        Err(error) => Err(error),
    };
    let gone = play.deregister().await;
    done.and(gone)
}

/// Registers both handsets: the sender again and again until the frontend answers.
async fn find<E: From<Missing>, T: FnMut(Step) -> Result<(), E>>(
    options: &Options,
    play: &mut Play<'_, T>,
) -> Result<(), E> {
    let mut tries = 0usize;
    loop {
        let missing = match resolve(options, tries, play.left().min(LOOK_UP)).await {
            Ok(frontend) => {
                let at = reached_at(options, frontend, play.network.bound())
                    .map_err(|source| Missing::Route { frontend, source })?;
                play.network.aim(frontend, options.transport, at);
                match play.register(SENDER, TRY).await? {
                    None => return play.register_recipient().await,
                    Some(missing) if missing.is_final() => return Err(missing.into()),
                    Some(missing) => missing,
                }
            }
            Err(why) => Missing::Name { host: options.host.clone(), why },
        };
        tries += 1;
        if play.left() <= PAUSE {
            return Err(missing.into());
        }
        sleep(PAUSE).await;
    }
}

/// The frontend's address: of several, each try takes the next.
async fn resolve(options: &Options, tries: usize, patience: Duration) -> Result<SocketAddr, String> {
    let looked_up = timeout(patience, lookup_host((options.host.as_str(), options.port))).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("DNS did not answer within {} s", patience.as_secs())),
    };
    let family = |address: &&SocketAddr| address.is_ipv4() == options.listen.is_ipv4();
    let usable: Vec<&SocketAddr> = addresses.iter().filter(family).collect();
    match usable.get(tries % usable.len().max(1)) {
        Some(address) => Ok(**address),
        None => Err(format!("it has no address of the family of --listen {}", options.listen)),
    }
}

/// Where the frontend reaches the probe, `host:port`.
fn reached_at(options: &Options, frontend: SocketAddr, bound: SocketAddr) -> io::Result<String> {
    let host = match &options.advertise {
        Some(host) => host.clone(),
        None if bound.ip().is_unspecified() => route_to(frontend)?.to_string(),
        None => bound.ip().to_string(),
    };
    Ok(match host.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, bound.port()).to_string(),
        Err(_) => format!("{host}:{}", bound.port()),
    })
}

/// Our address on the way there. Connecting a UDP socket sends nothing.
fn route_to(frontend: SocketAddr) -> io::Result<IpAddr> {
    let any = if frontend.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(frontend)?;
    Ok(socket.local_addr()?.ip())
}

fn subscribers(options: &Options) -> [Subscriber; 2] {
    let host = match options.host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(_)) | Err(_) => options.host.clone(),
    };
    let home = Home {
        domain: Cow::Owned(options.ims_domain.clone()),
        smsc: Cow::Owned(host),
        sc_address: Cow::Owned(options.sc_address.clone()),
    };
    [("sender", &options.from), ("recipient", &options.to)].map(|(name, msisdn)| Subscriber {
        name,
        msisdn: Cow::Owned(msisdn.clone()),
        home: home.clone(),
    })
}

/// Time from one moment to another.
fn between(from: Instant, to: Instant) -> Duration {
    to.saturating_duration_since(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_reached_at_what_it_advertises_else_at_the_address_of_the_route() {
        let frontend: SocketAddr = "127.0.0.9:5060".parse().unwrap();
        let options = |advertise: Option<&str>| Options {
            host: "127.0.0.9".into(),
            port: 5060,
            ims_domain: "ims.example.org".into(),
            listen: "0.0.0.0:0".parse().unwrap(),
            advertise: advertise.map(str::to_owned),
            transport: Transport::Udp,
            from: "447700900001".into(),
            to: "447700900002".into(),
            sc_address: "447700900000".into(),
            text: "hello".into(),
            timeout: Duration::from_secs(1),
        };
        let at = |advertise, bound: &str| {
            reached_at(&options(advertise), frontend, bound.parse().unwrap()).unwrap()
        };
        assert_eq!(at(None, "0.0.0.0:5080"), "127.0.0.1:5080");
        assert_eq!(at(None, "127.0.0.7:5080"), "127.0.0.7:5080");
        assert_eq!(at(Some("198.51.100.7"), "0.0.0.0:5080"), "198.51.100.7:5080");
        assert_eq!(at(Some("2001:db8::7"), "0.0.0.0:5080"), "[2001:db8::7]:5080");
        assert_eq!(at(Some("probe.example.org"), "0.0.0.0:5080"), "probe.example.org:5080");
    }
}
