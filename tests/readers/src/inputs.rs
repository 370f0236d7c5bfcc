//! What is measured: ordinary messages as an S-CSCF and a handset send them, and what the engine sends.

use bytes::Bytes;
use smsc_proto::sms::{
    Address, Deliver, Direction, RpAck, RpData, Rpdu, SplitOptions, Submit, SubmitReport, Timestamp,
    split_text,
};

/// The media type of an RPDU (TS 24.341).
pub const SMS: &str = "application/vnd.3gpp.sms";
/// The Request-URI of what the engine sends.
pub const HANDSET: &str = "sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org";
/// The Via of what the engine sends.
pub const VIA: (&str, &str) = ("10.0.0.1:5060", "z9hG4bKf3c606d46");
/// The other header lines of what the engine sends, but Content-Type and Content-Length, in its order.
pub const HEADERS: [(&str, &str); 10] = [
    ("Max-Forwards", "70"),
    ("Route", "<sip:scscf1.ims.mnc001.mcc001.3gppnetwork.org:5060;lr>"),
    ("From", "<sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>;tag=3a74aa7bc6beafb1"),
    ("To", "<sip:+447700900002@ims.mnc001.mcc001.3gppnetwork.org>"),
    ("Call-ID", "iftqcaichaarrtnjgaazbv5clmoh334bencw@10.0.0.1"),
    ("CSeq", "1 MESSAGE"),
    ("P-Asserted-Identity", "<sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>"),
    ("Request-Disposition", "no-fork"),
    ("P-Charging-Vector", "icid-value=iftqcaichaarrtnjgaazbv5clmoh334bencw"),
    ("Accept-Contact", "*;+g.3gpp.smsip;require;explicit"),
];

const TEXT: &str = "See you at the station at half past eight.";
const CENTRE: &str = "447785016005";

/// A handset's MESSAGE with RP-DATA as its S-CSCF passes it on (TS 24.341 annex B.5).
pub fn mo_message() -> Bytes {
    let rpdu = rp_data_submit();
    let head = [
        "MESSAGE sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKc3f1a9d0.0;rport",
        "Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKpcscf8f21;received=192.0.2.20",
        "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-524287-1;rport=5060",
        "Max-Forwards: 67",
        "From: <sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org>;tag=4fa3c1d8",
        "To: <sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org>",
        "Call-ID: 9ab1c2d3e4f5061728394a5b@198.51.100.7",
        "CSeq: 1 MESSAGE",
        "P-Asserted-Identity: <sip:+447700900001@ims.mnc001.mcc001.3gppnetwork.org>",
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019B01",
        "P-Charging-Vector: icid-value=5d7a9b22d5d64ac1;orig-ioi=ims.mnc001.mcc001.3gppnetwork.org",
        "Request-Disposition: no-fork",
        "Content-Type: application/vnd.3gpp.sms",
    ];
    let mut octets = head.join("\r\n").into_bytes();
    octets.extend_from_slice(format!("\r\nContent-Length: {}\r\n\r\n", rpdu.len()).as_bytes());
    octets.extend_from_slice(&rpdu);
    shared(octets)
}

/// The 200 to a MESSAGE that the engine sent.
pub fn ok() -> Bytes {
    let (sent_by, branch) = VIA;
    let [_, _, from, to, call_id, cseq, ..] = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
    let to = to.replace("\r\n", ";tag=core91\r\n");
    let via = format!("Via: SIP/2.0/UDP {sent_by};branch={branch};rport=5060;received=10.0.0.1\r\n");
    shared(format!("SIP/2.0 200 OK\r\n{via}{from}{to}{call_id}{cseq}Content-Length: 0\r\n\r\n").into_bytes())
}

/// A handset's RP-DATA with an SMS-SUBMIT.
pub fn rp_data_submit() -> Vec<u8> {
    let part = &split_text(TEXT, 0, SplitOptions::default()).expect("a short text")[0];
    let submit = Submit {
        reject_duplicates: false,
        reply_path: false,
        status_report_request: false,
        mr: 1,
        da: Address::international("447700900002").expect("a number"),
        pid: 0,
        vp: None,
        ud: part.as_user_data(),
    };
    let (mut tpdu, mut rpdu) = (Vec::new(), Vec::new());
    submit.encode(&mut tpdu);
    let da = Address::international(CENTRE).expect("a number");
    Rpdu::Data(RpData { mr: 1, oa: Address::EMPTY, da, user_data: &tpdu })
        .encode(Direction::MsToNetwork, &mut rpdu);
    rpdu
}

/// The engine's RP-DATA with an SMS-DELIVER.
pub fn rp_data_deliver() -> Vec<u8> {
    let (mut tpdu, mut rpdu) = (Vec::new(), Vec::new());
    WriteDeliver::new().write(&mut tpdu, &mut rpdu);
    rpdu
}

/// The engine's RP-ACK with an SMS-SUBMIT-REPORT.
pub fn rp_ack_submit_report() -> Vec<u8> {
    let (mut tpdu, mut rpdu) = (Vec::new(), Vec::new());
    write_submit_report(&mut tpdu, &mut rpdu);
    rpdu
}

/// What an SMS-DELIVER is written from.
pub struct WriteDeliver {
    part: smsc_proto::sms::Part,
    originator: Address,
    centre: Address,
}

impl WriteDeliver {
    /// A text of one part.
    #[expect(clippy::new_without_default, reason = "it is one message, not a default one")]
    pub fn new() -> Self {
        let mut parts = split_text(TEXT, 0, SplitOptions::default()).expect("a short text");
        Self {
            part: parts.remove(0),
            originator: Address::international("447700900001").expect("a number"),
            centre: Address::international(CENTRE).expect("a number"),
        }
    }

    /// Writes RP-DATA with its TPDU over what is in the two buffers.
    pub fn write(&self, tpdu: &mut Vec<u8>, rpdu: &mut Vec<u8>) {
        tpdu.clear();
        rpdu.clear();
        Deliver {
            more_messages: false,
            loop_prevention: false,
            reply_path: false,
            status_report_indication: false,
            oa: self.originator,
            pid: 0,
            scts: Timestamp::from_unix(1_795_285_953, 0),
            ud: self.part.as_user_data(),
        }
        .encode(tpdu);
        Rpdu::Data(RpData { mr: 7, oa: self.centre, da: Address::EMPTY, user_data: tpdu })
            .encode(Direction::NetworkToMs, rpdu);
    }
}

/// Writes RP-ACK with its TPDU over what is in the two buffers.
pub fn write_submit_report(tpdu: &mut Vec<u8>, rpdu: &mut Vec<u8>) {
    tpdu.clear();
    rpdu.clear();
    let scts = Timestamp::from_unix(1_795_285_953, 0);
    SubmitReport { fcs: None, scts, pid: None, ud: None }.encode(tpdu);
    Rpdu::Ack(RpAck { mr: 1, user_data: Some(tpdu) }).encode(Direction::NetworkToMs, rpdu);
}

/// Split off a receive buffer, as a datagram is: shared from the start.
fn shared(octets: Vec<u8>) -> Bytes {
    bytes::BytesMut::from(&octets[..]).split().freeze()
}
