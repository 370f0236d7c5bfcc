//! Bodies of several parts and messages in messages, as an S-CSCF sends them with a third-party REGISTER.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use smsc_proto::sip::{ContentType, Header, MAX_PARTS, Message, MultipartError, ParseError, multipart};

fn parts(boundary: &str, body: &'static [u8]) -> Result<Vec<(Option<String>, Bytes)>, MultipartError> {
    let content_type = format!("multipart/mixed;boundary={boundary}");
    let parts = multipart(&ContentType::parse(&content_type).unwrap(), &Bytes::from_static(body))?;
    let media_type = |kind: ContentType<'_>| kind.media_type.to_owned();
    Ok(parts.iter().map(|part| (part.content_type().map(media_type), part.body.clone())).collect())
}

#[test]
fn a_third_party_register_carries_service_info_and_the_register_of_the_handset() {
    let inner = "REGISTER sip:ims.example.org SIP/2.0\r\nTo: <sip:001010000000001@ims.example.org>\r\n\
        Contact: <sip:u@[2001:db8::5]>;+g.3gpp.smsip\r\nContent-Length: 0\r\n\r\n";
    let body = format!(
        "--b1\r\nContent-Type: application/3gpp-ims+xml\r\n\r\n<ims-3gpp version=\"1\"/>\r\n\
         --b1\r\nContent-Type: message/sip\r\n\r\n{inner}\r\n--b1--\r\n"
    );
    let message = Message::parse(
        format!(
            "REGISTER sip:smsc.example.org SIP/2.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into(),
    )
    .unwrap();
    assert_eq!(message.content("application", "3gpp-ims+xml").unwrap(), "<ims-3gpp version=\"1\"/>");
    let nested = message.content("message", "sip").unwrap();
    assert_eq!(nested, inner);
    let nested = Message::parse(nested).unwrap();
    assert!(nested.contacts().next().unwrap().unwrap().params.contains("+g.3gpp.smsip"));
    assert_eq!(message.content("text", "plain"), None);
}

#[test]
fn a_body_of_one_part_is_found_by_its_type() {
    let message =
        Message::parse("MESSAGE sip:x SIP/2.0\r\nc: Application/VND.3gpp.SMS;v=1\r\n\r\n\0\u{1}".into())
            .unwrap();
    assert_eq!(message.content("application", "vnd.3gpp.sms").unwrap(), "\0\u{1}");
}

#[test]
fn binary_parts_keep_every_octet() {
    let body = b"preamble --b\r\n--b\r\nContent-Type: application/vnd.3gpp.sms\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\x00\r\n--bb\r\n-\xff\r\n\r\n--b  \r\n\r\nplain\r\n--b--\r\nepilogue --b\r\n";
    let found = parts("b", body).unwrap();
    let sms = Some("application/vnd.3gpp.sms".to_owned());
    assert_eq!(
        found,
        [(sms, Bytes::from_static(b"\x00\r\n--bb\r\n-\xff\r\n")), (None, Bytes::from_static(b"plain"))]
    );
}

#[test]
fn a_part_may_fold_its_headers_and_have_no_content() {
    let content_type = ContentType::parse("multipart/related;boundary=x").unwrap();
    let body = Bytes::from_static(b"--x\r\nContent-Type:\r\n text/plain\r\n\r\n\r\n--x--");
    let parts = multipart(&content_type, &body).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].header(Header::ContentType), Some("text/plain"));
    assert_eq!(parts[0].body, "");
}

#[test]
fn a_multipart_in_a_multipart_is_searched() {
    let message = Message::parse(
        "MESSAGE sip:x SIP/2.0\r\nc: multipart/mixed;boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\
         \r\n--i\r\nContent-Type: text/html\r\n\r\n<p>\r\n--i\r\nContent-Type: text/plain\r\n\r\nhi\r\n--i--\r\n--o--\r\n"
            .into(),
    )
    .unwrap();
    assert_eq!(message.content("text", "plain").unwrap(), "hi");
}

#[test]
fn a_multipart_that_cannot_be_taken_apart_says_why() {
    assert_eq!(parts("", b"----"), Err(MultipartError::Boundary));
    assert_eq!(parts("b", b""), Err(MultipartError::Unterminated { offset: 0 }));
    assert_eq!(parts("b", b"--b\r\n\r\nx\r\n"), Err(MultipartError::Unterminated { offset: 5 }));
    let error = ParseError::HeaderLine { offset: 0 };
    assert_eq!(parts("b", b"--b\r\nno header\r\n\r\n--b--"), Err(MultipartError::Part { part: 1, error }));
    let text = ContentType::parse("text/plain;boundary=b").unwrap();
    assert_eq!(multipart(&text, &Bytes::new()).unwrap_err(), MultipartError::Boundary);
}

#[test]
fn more_parts_than_the_limit_are_refused() {
    let body = |count: usize| Bytes::from("--b\r\n\r\nx\r\n".repeat(count) + "--b--");
    let content_type = ContentType::parse("multipart/mixed;boundary=b").unwrap();
    assert_eq!(multipart(&content_type, &body(MAX_PARTS)).unwrap().len(), MAX_PARTS);
    assert_eq!(multipart(&content_type, &body(MAX_PARTS + 1)).unwrap_err(), MultipartError::TooManyParts);
}
