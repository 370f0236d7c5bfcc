//! The kinds of messages the engine writes. Each of them must be among what is read.

use smsc_proto::sip::{Message, Method};

/// Every kind that is written over each transport.
pub const KINDS: &[&str] = &[
    "200 to NOTIFY",
    "200 to OPTIONS",
    "200 to REGISTER",
    "202 to MESSAGE",
    "400 to MESSAGE",
    "400 to NOTIFY",
    "400 to what has no CSeq",
    "403 to MESSAGE",
    "403 to OPTIONS",
    "403 to REGISTER",
    "404 to MESSAGE",
    "405 to another method",
    "415 to MESSAGE",
    "415 to NOTIFY",
    "416 to MESSAGE",
    "420 to MESSAGE",
    "481 to CANCEL",
    "481 to NOTIFY",
    "482 to MESSAGE",
    "489 to NOTIFY",
    "500 to MESSAGE",
    "500 to NOTIFY",
    "503 to MESSAGE",
    "505 to MESSAGE",
    "MESSAGE: RP-ACK",
    "MESSAGE: RP-ACK without TPDU",
    "MESSAGE: RP-DATA with SMS-DELIVER",
    "MESSAGE: RP-DATA with SMS-STATUS-REPORT",
    "MESSAGE: RP-ERROR",
    "MESSAGE: text/plain",
    "SUBSCRIBE",
];

/// Over TCP a transaction ends with its response (RFC 3261 §17.2.2, timer J): a CANCEL finds none.
pub const UDP_ONLY: &[&str] = &["200 to CANCEL"];

/// The kind of a message, whether or not it stands in [`KINDS`].
pub fn kind(message: &Message) -> String {
    if let Some(status) = message.status() {
        let method = message.cseq().map(|cseq| cseq.method);
        return match (status, method) {
            (405, _) => "405 to another method".to_owned(),
            (_, Ok(method)) => format!("{status} to {method}"),
            (_, Err(_)) => format!("{status} to what has no CSeq"),
        };
    }
    let method = message.method().unwrap_or(Method::Other("")).to_string();
    match message.content_type() {
        Some(content) if content.is("application", "vnd.3gpp.sms") => {
            format!("{method}: {}", rpdu(message.body_octets()))
        }
        Some(content) => format!("{method}: {}", content.media_type),
        None => method,
    }
}

/// RP-MTI, and TP-MTI of what it carries (TS 24.011 §8.2.2, TS 23.040 §9.2.3.1).
fn rpdu(octets: &[u8]) -> &'static str {
    use smsc_proto::sms::{Carrier, Direction::NetworkToMs, Rpdu, Tpdu};
    let Ok(rpdu) = Rpdu::decode(NetworkToMs, octets) else { return "no RPDU" };
    match rpdu {
        Rpdu::Data(data) => match Tpdu::decode(NetworkToMs, Carrier::Data, data.user_data) {
            Ok(Tpdu::Deliver(_)) => "RP-DATA with SMS-DELIVER",
            Ok(Tpdu::StatusReport(_)) => "RP-DATA with SMS-STATUS-REPORT",
            _ => "RP-DATA with another TPDU",
        },
        Rpdu::Ack(ack) if ack.user_data.is_none() => "RP-ACK without TPDU",
        Rpdu::Ack(_) => "RP-ACK",
        Rpdu::Error(_) => "RP-ERROR",
        Rpdu::Smma { .. } => "RP-SMMA",
    }
}
