//! What the simulated S-CSCF sends: third-party REGISTERs, and the handsets' MESSAGEs with their identity asserted.

use std::net::SocketAddr;

use smsc_proto::sip::{Header, Request};

use super::super::handset::{Body, Uplink};
use super::super::people::{DOMAIN, LOCATION, Subscriber};

/// Lifetime of a registration, seconds: what IMS cores commonly grant.
const EXPIRES: &str = "600000";
const BOUNDARY: &str = "demo-boundary";

/// The service centre's public service identity, to which handsets send.
pub(super) fn service_centre() -> String {
    format!("sip:smsc@{LOCATION}")
}

/// A third-party REGISTER (TS 24.229 §5.4.1.7) with the MSISDN as service-info and the handset's own REGISTER inside.
pub(super) fn register(who: Subscriber, local: SocketAddr, plain: bool, cseq: u32, tag: &str) -> Request {
    let capability = if plain { "" } else { ";+g.3gpp.smsip" };
    let impu = who.impu();
    let nested = format!(
        "REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKue{cseq}\r\n\
         From: <{impu}>;tag={tag}\r\nTo: <{impu}>\r\nCall-ID: ue-{tag}\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:{}@{local}>{capability}\r\nExpires: {EXPIRES}\r\nContent-Length: 0\r\n\r\n",
        who.msisdn
    );
    let body = format!(
        "--{BOUNDARY}\r\nContent-Type: application/3gpp-ims+xml\r\n\r\n\
         <ims-3gpp version=\"1\"><service-info>{}</service-info></ims-3gpp>\r\n\
         --{BOUNDARY}\r\nContent-Type: message/sip\r\n\r\n{nested}\r\n--{BOUNDARY}--\r\n",
        who.msisdn
    );
    Request::new("REGISTER", &format!("sip:{LOCATION}"))
        .header(Header::MaxForwards, "70")
        .header(Header::From, &format!("<sip:scscf.{DOMAIN}>;tag={tag}"))
        .header(Header::To, &format!("<{impu}>"))
        .header(Header::CallId, &format!("register-{}-{tag}", who.name))
        .header(Header::CSeq, &format!("{cseq} REGISTER"))
        .header(Header::Contact, &format!("<sip:{local}>"))
        .header(Header::Expires, EXPIRES)
        .header(Header::PVisitedNetworkId, DOMAIN)
        .body(&format!("multipart/mixed;boundary={BOUNDARY}"), body.as_bytes())
}

/// A handset's MESSAGE as it leaves the S-CSCF (TS 24.341 annex B.5).
pub(super) fn message(who: Subscriber, uplink: &Uplink, tag: &str) -> Request {
    let to = uplink.to.clone().unwrap_or_else(service_centre);
    let impu = who.impu();
    let mut request = Request::new("MESSAGE", &to)
        .header(Header::MaxForwards, "68")
        .header(Header::From, &format!("<{impu}>;tag={tag}"))
        .header(Header::To, &format!("<{to}>"))
        .header(Header::CallId, &uplink.call_id)
        .header(Header::CSeq, "1 MESSAGE")
        .header(Header::PAssertedIdentity, &format!("<{impu}>"))
        .header(Header::PAssertedIdentity, &format!("<tel:{}>", who.number()));
    if let Some(in_reply_to) = &uplink.in_reply_to {
        request = request.header(Header::InReplyTo, in_reply_to);
    }
    match &uplink.body {
        Body::Rpdu(octets) => {
            request.header(Header::RequestDisposition, "no-fork").body("application/vnd.3gpp.sms", octets)
        }
        Body::Text(text) => request.body("text/plain;charset=utf-8", text.as_bytes()),
    }
}
