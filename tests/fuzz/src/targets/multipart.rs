//! Bodies in bodies: several parts, and CPIM. The first line of the input is the Content-Type, what follows it the body.

use bytes::Bytes;
use smsc_proto::sip::cpim::{Cpim, MAX_CPIM_HEAD};
use smsc_proto::sip::{BodyPart, ContentType, Header, MAX_PARTS, Message, multipart};

use crate::Meter;

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let end = input.iter().position(|&octet| octet == b'\n').unwrap_or(input.len());
    let Ok(kind) = std::str::from_utf8(&input[..end]) else { return };
    let body = Bytes::copy_from_slice(input.get(end + 1..).unwrap_or_default());
    inside_a_message(kind, &body, meter);
    enveloped(&body, meter);

    let Some(content_type) = ContentType::parse(kind) else { return };
    let parts = match meter.watch(|| multipart(&content_type, &body)) {
        Ok(parts) => parts,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(parts.len() <= MAX_PARTS);
    assert!(parts.iter().map(|part| part.body.len()).sum::<usize>() <= body.len(), "parts overlap");

    let boundary = content_type.param("boundary").expect("without a boundary there are no parts");
    let again = multipart(&content_type, &written(&parts, boundary))
        .expect("what was taken apart can be put together");
    assert_eq!(again.iter().map(seen).collect::<Vec<_>>(), parts.iter().map(seen).collect::<Vec<_>>());
}

/// What a frontend asks of such a body.
fn inside_a_message(kind: &str, body: &Bytes, meter: &mut Meter) {
    let mut octets = Vec::with_capacity(body.len() + kind.len() + 64);
    octets.extend_from_slice(b"MESSAGE sip:smsc@x SIP/2.0\r\nContent-Type: ");
    octets.extend_from_slice(kind.as_bytes());
    octets.extend_from_slice(b"\r\n\r\n");
    octets.extend_from_slice(body);
    let Ok(message) = Message::parse(octets.into()) else { return };
    let rpdu = meter.watch(|| message.content("application", "vnd.3gpp.sms"));
    if let Some(rpdu) = rpdu {
        assert!(rpdu.len() <= body.len());
    }
}

/// An envelope written again around the same content says the same.
fn enveloped(body: &Bytes, meter: &mut Meter) {
    let cpim = match meter.watch(|| Cpim::parse(body)) {
        Ok(cpim) => cpim,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (to, kind) = meter.watch(|| {
        let known = (cpim.to().count(), cpim.from().is_some(), cpim.required().count());
        assert!(known.0 <= body.len());
        (cpim.header("To").unwrap_or_default(), cpim.content_header("Content-Type").unwrap_or_default())
    });
    if to.len() + kind.len() + 64 > MAX_CPIM_HEAD {
        return;
    }
    let mut written = format!("To: {to}\r\n\r\nContent-Type: {kind}\r\n\r\n").into_bytes();
    written.extend_from_slice(cpim.content);
    let again = Cpim::parse(&written).expect("an envelope can be written again");
    assert_eq!((again.header("To"), again.content_header("Content-Type")), (Some(to), Some(kind)));
    assert_eq!((again.content, again.content_type()), (cpim.content, cpim.content_type()));
}

fn seen(part: &BodyPart) -> (Option<String>, Bytes) {
    (part.header(Header::ContentType).map(str::to_owned), part.body.clone())
}

fn written(parts: &[BodyPart], boundary: &str) -> Bytes {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        if let Some(kind) = part.header(Header::ContentType) {
            out.extend_from_slice(format!("Content-Type: {kind}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&part.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out.into()
}
