//! RPDUs in a capture file, each in a SIP MESSAGE of our own writer: what another reader of SMS over IP is shown.

use smsc_proto::sip::{Header, Request, Transport, ViaOut};
use smsc_proto::sms::Direction;

/// Link type of a packet that begins with its IPv4 header.
const LINKTYPE_IPV4: u32 = 228;
const HANDSET: [u8; 4] = [127, 0, 0, 2];
const SERVICE_CENTRE: [u8; 4] = [127, 0, 0, 1];
const SIP_PORT: u16 = 5060;

/// A capture file (libpcap format) in memory.
pub struct Capture {
    octets: Vec<u8>,
    packets: u32,
}

impl Default for Capture {
    fn default() -> Self {
        let mut octets = Vec::new();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x0001_0000, LINKTYPE_IPV4] {
            octets.extend_from_slice(&u32::to_le_bytes(word));
        }
        Self { octets, packets: 0 }
    }
}

impl Capture {
    /// Adds a MESSAGE that carries the RPDU, from the handset or to it.
    pub fn add(&mut self, direction: Direction, rpdu: &[u8]) {
        let packet = ipv4_udp(direction, &message(direction, self.packets, rpdu));
        self.packets += 1;
        for word in [self.packets, 0, packet.len() as u32, packet.len() as u32] {
            self.octets.extend_from_slice(&word.to_le_bytes());
        }
        self.octets.extend_from_slice(&packet);
    }

    /// The file's octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }
}

fn message(direction: Direction, number: u32, rpdu: &[u8]) -> Vec<u8> {
    let (handset, centre) = ("sip:+447700900111@ims.example.org", "sip:smsc@smsc01.example.org");
    let (from, to, sent_by) = match direction {
        Direction::MsToNetwork => (handset, centre, "127.0.0.2:5060"),
        Direction::NetworkToMs => (centre, handset, "127.0.0.1:5060"),
    };
    let branch = format!("z9hG4bK{number}");
    Request::new("MESSAGE", to)
        .header(Header::MaxForwards, "70")
        .header(Header::From, &format!("<{from}>;tag={number}"))
        .header(Header::To, &format!("<{to}>"))
        .header(Header::CallId, &format!("case-{number}@example.org"))
        .header(Header::CSeq, "1 MESSAGE")
        .header(Header::PAssertedIdentity, &format!("<{from}>"))
        .body("application/vnd.3gpp.sms", rpdu)
        .to_bytes(&ViaOut { transport: Transport::Udp, sent_by, branch: &branch, alias: false })
        .to_vec()
}

/// An IPv4 packet (RFC 791) with a UDP datagram (RFC 768) whose checksum is left out, as IPv4 allows.
fn ipv4_udp(direction: Direction, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = match direction {
        Direction::MsToNetwork => (HANDSET, SERVICE_CENTRE),
        Direction::NetworkToMs => (SERVICE_CENTRE, HANDSET),
    };
    let length = 20 + 8 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0]);
    packet.extend_from_slice(&source);
    packet.extend_from_slice(&destination);
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let checksum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    for half in [SIP_PORT, SIP_PORT, length - 20, 0] {
        packet.extend_from_slice(&half.to_be_bytes());
    }
    packet.extend_from_slice(payload);
    packet
}
