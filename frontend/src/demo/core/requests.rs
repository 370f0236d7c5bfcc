//! What the simulated S-CSCF sends: third-party REGISTERs, and the handsets' MESSAGEs with their identity asserted.

use smsc_proto::sip::{Header, Request};

use super::super::handset::{Body, Uplink};
use super::super::people::Subscriber;

const BOUNDARY: &str = "demo-boundary";

/// What a third-party REGISTER says besides whom it registers.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    /// The S-CSCF's URI, where its requests come from and go to.
    pub(crate) s_cscf: &'a str,
    /// The host and port at which the handset is said to be.
    pub(crate) at: &'a str,
    /// The handset takes text/plain only.
    pub(crate) plain: bool,
    /// Lifetime in seconds; 0 takes it back.
    pub(crate) expires: u32,
    /// Higher from one REGISTER of a subscriber to the next.
    pub(crate) cseq: u32,
    /// Unlike that of any other run.
    pub(crate) tag: &'a str,
}

/// A third-party REGISTER (TS 24.229 §5.4.1.7) with the MSISDN as service-info and the handset's own REGISTER inside.
pub(crate) fn register(who: &Subscriber, registration: &Registration<'_>) -> Request {
    let Registration { s_cscf, at, plain, expires, cseq, tag } = registration;
    let capability = if *plain { "" } else { ";+g.3gpp.smsip" };
    let (impu, domain) = (who.impu(), &who.home.domain);
    let nested = format!(
        "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKue{cseq}\r\n\
         From: <{impu}>;tag={tag}\r\nTo: <{impu}>\r\nCall-ID: ue-{tag}\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:{}@{at}>{capability}\r\nExpires: {expires}\r\nContent-Length: 0\r\n\r\n",
        who.msisdn
    );
    let body = format!(
        "--{BOUNDARY}\r\nContent-Type: application/3gpp-ims+xml\r\n\r\n\
         <ims-3gpp version=\"1\"><service-info>{}</service-info></ims-3gpp>\r\n\
         --{BOUNDARY}\r\nContent-Type: message/sip\r\n\r\n{nested}\r\n--{BOUNDARY}--\r\n",
        who.msisdn
    );
    Request::new("REGISTER", &format!("sip:{}", who.home.smsc))
        .header(Header::MaxForwards, "70")
        .header(Header::From, &format!("<sip:scscf.{domain}>;tag={tag}"))
        .header(Header::To, &format!("<{impu}>"))
        .header(Header::CallId, &format!("register-{}-{tag}", who.name))
        .header(Header::CSeq, &format!("{cseq} REGISTER"))
        .header(Header::Contact, &format!("<{s_cscf}>"))
        .header(Header::Expires, &expires.to_string())
        .header(Header::PVisitedNetworkId, domain)
        .body(&format!("multipart/mixed;boundary={BOUNDARY}"), body.as_bytes())
}

/// A handset's MESSAGE as it leaves the S-CSCF (TS 24.341 annex B.5).
pub(crate) fn message(who: &Subscriber, uplink: &Uplink, tag: &str) -> Request {
    let to = uplink.to.clone().unwrap_or_else(|| who.home.service_centre());
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
