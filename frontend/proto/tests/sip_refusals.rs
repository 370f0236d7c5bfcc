//! What is refused, and that every refusal has its name.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use smsc_proto::sip::{
    Header, HeaderError, MAX_HEAD, Message, ParseError, Problem, RequestFault, Response, UriError,
    classify_malformed,
};

const HEADERS: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\n\
    CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\n";

fn refusal(octets: impl AsRef<[u8]>) -> ParseError {
    Message::parse(Bytes::copy_from_slice(octets.as_ref())).unwrap_err()
}

/// The fault of a MESSAGE in which one piece of text is replaced.
fn fault(from: &str, to: &str) -> Option<RequestFault> {
    let text = format!("MESSAGE sip:b@x SIP/2.0\r\n{HEADERS}\r\n");
    assert!(text.contains(from));
    Message::parse(text.replacen(from, to, 1).into()).unwrap().request_fault()
}

fn header(header: Header, problem: Problem) -> Option<RequestFault> {
    Some(RequestFault::Header(HeaderError { header, problem }))
}

#[test]
fn a_start_line_that_is_none() {
    for (text, problem) in [
        ("hello\r\n\r\n", "neither request nor status line"),
        ("GET / HTTP/1.1\r\n\r\n", "no SIP version"),
        ("MESSAGE sip:b@x\r\n\r\n", "no SIP version"),
        ("MESSAGE  sip:b@x SIP/2.0\r\n\r\n", "Request-URI is empty or has blanks or control characters"),
        ("MESSAGE sip:b@x; lr SIP/2.0\r\n\r\n", "Request-URI is empty or has blanks or control characters"),
        ("MESSAGE  SIP/2.0\r\n\r\n", "Request-URI is empty or has blanks or control characters"),
        ("MESSAGE sip:b@x SIP/2.0 \r\n\r\n", "no SIP version"),
        ("MES(SAGE sip:b@x SIP/2.0\r\n\r\n", "method is not a token"),
        (
            "SIP/2.0 4294967301 better not break the receiver\r\n\r\n",
            "status code is not three digits from 100 to 699",
        ),
        ("SIP/2.0 99 x\r\n\r\n", "status code is not three digits from 100 to 699"),
        ("SIP/2.0\r\n\r\n", "no status code"),
        ("SIP/x 200 OK\r\n\r\n", "no SIP version"),
    ] {
        assert_eq!(refusal(text), ParseError::StartLine { offset: 0, problem }, "{text:?}");
    }
    assert_eq!(refusal("\r\nSIP/7.0 200 OK\r\n\r\n"), ParseError::Version { offset: 2 });
}

#[test]
fn a_head_that_cannot_be_told_apart() {
    for (text, error) in [
        ("", ParseError::Empty),
        ("\r\n\r\n", ParseError::Empty),
        ("OPTIONS sip:x SIP/2.0", ParseError::HeadUnterminated { offset: 21 }),
        ("OPTIONS sip:x SIP/2.0\r\n", ParseError::HeadUnterminated { offset: 23 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo: a", ParseError::HeadUnterminated { offset: 28 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo: a\r", ParseError::HeadUnterminated { offset: 29 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo: a\r\n", ParseError::HeadUnterminated { offset: 30 }),
        ("OPTIONS sip:x SIP/2.0\nTo: a\n\n", ParseError::StrayLineEnd { offset: 21 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo: a\nX: b\r\n\r\n", ParseError::StrayLineEnd { offset: 28 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo: a\rX: b\r\n\r\n", ParseError::StrayLineEnd { offset: 28 }),
        ("OPTIONS sip:x SIP/2.0\r\nTo; a\r\n\r\n", ParseError::HeaderLine { offset: 23 }),
        ("OPTIONS sip:x SIP/2.0\r\n: a\r\n\r\n", ParseError::HeaderLine { offset: 23 }),
        ("OPTIONS sip:x SIP/2.0\r\n To: a\r\n\r\n", ParseError::HeaderLine { offset: 23 }),
    ] {
        assert_eq!(refusal(text), error, "{text:?}");
    }
}

#[test]
fn more_than_the_limits_allow() {
    let lines = |count| format!("OPTIONS sip:x SIP/2.0\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(Message::parse(lines(128).into()).unwrap().lines().count(), 128);
    assert_eq!(refusal(lines(129)), ParseError::TooManyHeaders { offset: 23 + 128 * 6, limit: 128 });
    let head = |filler: usize| format!("OPTIONS sip:x SIP/2.0\r\na: {}\r\n\r\n", "b".repeat(filler));
    assert!(Message::parse(head(MAX_HEAD - 30).into()).is_ok());
    assert_eq!(refusal(head(MAX_HEAD - 29)), ParseError::HeadTooLong { limit: MAX_HEAD });
    let folded = head(MAX_HEAD - 29).replace("a: b", "a:\r\n b");
    assert_eq!(refusal(folded), ParseError::HeadTooLong { limit: MAX_HEAD });
    let behind_line_ends = [b"\r\n".repeat(MAX_HEAD).as_slice(), b"MESSAGE sip:a SIP/2.0\r\n\r\n"].concat();
    assert_eq!(refusal(behind_line_ends.clone()), ParseError::HeadTooLong { limit: MAX_HEAD });
    assert!(classify_malformed(&behind_line_ends).is_none());
}

#[test]
fn a_content_length_that_does_not_say_where_the_body_ends() {
    let body = |headers: &str| refusal(format!("OPTIONS sip:x SIP/2.0\r\n{headers}\r\n\r\nabcd"));
    assert_eq!(body("l: -999"), ParseError::ContentLength { offset: 26 });
    assert_eq!(body("l:"), ParseError::ContentLength { offset: 25 });
    assert_eq!(body("l: 4\r\nContent-Length: 5"), ParseError::ContentLengthConflict { offset: 45 });
    assert_eq!(body("l: 9999"), ParseError::BodyTruncated { offset: 34, declared: 9999, present: 4 });
    assert_eq!(
        body("l: 99999999999999999999"),
        ParseError::BodyTruncated { offset: 50, declared: u32::MAX as usize, present: 4 }
    );
}

#[test]
fn errors_tell_the_octet_and_have_a_label() {
    let error = refusal("OPTIONS sip:x SIP/2.0\r\nl: 9\r\n\r\nabcd");
    assert_eq!(error.to_string(), "octet 31: Content-Length says 9 octets, 4 follow");
    assert_eq!(error.reason(), "body_truncated");
    let error = Message::parse("OPTIONS sip:x SIP/2.0\r\n\r\n".into()).unwrap().request_fault().unwrap();
    assert_eq!(error.to_string(), "Via: missing");
}

#[test]
fn a_request_that_must_be_refused_says_why() {
    assert_eq!(fault("70", "70"), None);
    assert_eq!(fault("SIP/2.0\r\n", "SIP/7.0\r\n"), Some(RequestFault::Version));
    assert_eq!(fault("1 MESSAGE", "1 INVITE"), Some(RequestFault::CSeqMethod));
    assert_eq!(fault("sip:b@x SIP", "<sip:b@x> SIP"), Some(RequestFault::RequestUri(UriError::Character)));
    assert_eq!(fault("sip:b@x SIP", "sip:2001:db8::1 SIP"), Some(RequestFault::RequestUri(UriError::Port)));
    for (name, missing) in [
        ("Via:", Header::Via),
        ("From:", Header::From),
        ("To:", Header::To),
        ("Call-ID:", Header::CallId),
        ("CSeq:", Header::CSeq),
    ] {
        assert_eq!(fault(name, "X:"), header(missing, Problem::Missing));
    }
    assert_eq!(fault("Call-ID: c", "Call-ID: c\r\ni: d"), header(Header::CallId, Problem::Repeated));
    assert_eq!(fault("To: <sip:b@x>", "To: \"Mr. J. User <sip:b@x>"), header(Header::To, Problem::OpenQuote));
    assert_eq!(fault("To: <sip:b@x>", "To: <b>"), header(Header::To, Problem::Uri(UriError::Scheme)));
    assert_eq!(fault("SIP/2.0/UDP h", "SIP/2.0/UDP h;;,;,,"), header(Header::Via, Problem::Protocol));
    assert_eq!(fault("SIP/2.0/UDP h", "SIP/2.0/UDP h,,SIP/2.0/UDP i"), header(Header::Via, Problem::Empty));
    assert_eq!(
        fault("1 MESSAGE", "36893488147419103232 MESSAGE"),
        header(Header::CSeq, Problem::NumberTooLarge)
    );
    assert_eq!(fault("70", "seventy"), header(Header::MaxForwards, Problem::NotANumber));
    assert_eq!(fault("Max-Forwards: 70\r\n", ""), None);
    assert_eq!(RequestFault::Version.status(), 505);
    assert_eq!(RequestFault::CSeqMethod.status(), 400);
}

#[test]
fn a_scheme_nobody_serves_is_told_apart_from_a_broken_uri() {
    let message =
        Message::parse(format!("MESSAGE soap.beep://192.0.2.1 SIP/2.0\r\n{HEADERS}\r\n").into()).unwrap();
    assert_eq!(message.request_fault(), None);
    assert_eq!(message.scheme_fault(), Some(RequestFault::Scheme));
    assert_eq!(RequestFault::Scheme.status(), 416);
}

#[test]
fn a_response_has_no_request_fault() {
    assert_eq!(Message::parse("SIP/2.0 200 OK\r\n\r\n".into()).unwrap().request_fault(), None);
}

#[test]
fn a_broken_request_can_be_answered_if_its_headers_can_be_copied() {
    let source = "192.0.2.7:5060".parse().unwrap();
    let expected = "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.7\r\n\
        From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=t\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
    for broken in [
        format!("MESSAGE  sip:b@x SIP/2.0\r\n{HEADERS}\r\n"),
        format!("MESSAGE sip:b@x SIP/2.0\r\n{HEADERS}Content-Length: 9\r\n\r\nabc"),
        format!("MESSAGE sip:b@x SIP/2.0\r\n{HEADERS}l: -1\r\n\r\nabc"),
        format!("MESSAGE sip:b@x SIP/2.0\r\nno header at all\r\n{HEADERS}\r\n"),
        format!("MESSAGE sip:b@x SIP/2.0\r\n{HEADERS}"),
        format!("MESSAGE sip:b@x SIP/2.0\r\n{HEADERS}X: a\nb\r\n\r\n"),
    ] {
        assert!(Message::parse(broken.clone().into()).is_err());
        let salvaged = classify_malformed(broken.as_bytes()).unwrap();
        assert!(salvaged.is_request() && salvaged.body().is_empty());
        assert_eq!(Response::to(&salvaged, source, 400, "t").to_bytes(), expected, "{broken}");
    }
}

#[test]
fn what_cannot_be_answered_is_left_alone() {
    for text in [
        String::new(),
        "\u{0}\u{1}\u{2}".to_owned(),
        "INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n".to_owned(),
        format!("SIP/2.0 4000 what\r\n{HEADERS}\r\n"),
        format!("SIP/2.0 200 OK\r\n{HEADERS}l: 9\r\n\r\n"),
        format!("ACK  sip:b@x SIP/2.0\r\n{HEADERS}\r\n"),
        format!("MESSAGE  sip:b@x SIP/2.0\r\n{}\r\n", HEADERS.replace("SIP/2.0/UDP", "UDP")),
    ] {
        assert_eq!(classify_malformed(text.as_bytes()), None, "{text:?}");
    }
}
