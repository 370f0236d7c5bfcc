//! What a MESSAGE carries: an RPDU, or text of a handset that does not do SMS over IP.

use bytes::Bytes;
use data_encoding::BASE64;
use smsc_proto::sip::cpim::Cpim;
use smsc_proto::sip::{ContentType, Header, Message, multipart};

/// How deep multipart bodies may stand in one another.
const MAX_DEPTH: usize = 3;

/// A body we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// `application/vnd.3gpp.sms` (TS 24.341 §5.3.1.2).
    Rpdu(Carried),
    /// text/plain, or text inside message/cpim (RFC 3862).
    Text(Text),
}

/// An RPDU and what came beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) rpdu: Bytes,
    /// `application/vnd.3gpp.sms+xml`: names a recipient that has no MSISDN (TS 24.341 annex B.7).
    pub(super) info: Option<Bytes>,
}

/// A text and, from a CPIM wrapper, its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) body: String,
    pub(super) to: Option<String>,
}

/// Why a body is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) status: u16,
    pub(super) reason: &'static str,
}

const UNSUPPORTED: Unusable = Unusable { status: 415, reason: "content_type" };
const BAD_BODY: Unusable = Unusable { status: 400, reason: "bad_body" };

/// Reads the body of a MESSAGE.
pub(super) fn read(message: &Message) -> Result<Content, Unusable> {
    if message.header(Header::ContentEncoding).is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(Unusable { status: 415, reason: "content_encoding" });
    }
    let content = message.content_type().ok_or(UNSUPPORTED)?;
    let transfer = message.header(Header::ContentTransferEncoding);
    if content.is_multipart() {
        let mut found = (None, None);
        parts(&content, &message.body(), MAX_DEPTH, &mut found)?;
        let (rpdu, info) = found;
        return Ok(Content::Rpdu(Carried { rpdu: rpdu.ok_or(UNSUPPORTED)?, info }));
    }
    let body = plain(transfer, message.body())?;
    if content.is("application", "vnd.3gpp.sms") {
        Ok(Content::Rpdu(Carried { rpdu: body, info: None }))
    } else if content.is("text", "plain") {
        Ok(Content::Text(Text { body: text(&content, &body)?, to: None }))
    } else if content.is("message", "cpim") {
        cpim(&body).map(Content::Text)
    } else {
        Err(UNSUPPORTED)
    }
}

/// The first RPDU and the first short message information among the parts, also of a multipart body inside another.
fn parts(
    content: &ContentType<'_>,
    body: &Bytes,
    depth: usize,
    found: &mut (Option<Bytes>, Option<Bytes>),
) -> Result<(), Unusable> {
    for part in multipart(content, body).map_err(|_| BAD_BODY)? {
        let Some(content) = part.content_type() else { continue };
        let octets = || plain(part.header(Header::ContentTransferEncoding), part.body.clone());
        if content.is("application", "vnd.3gpp.sms") && found.0.is_none() {
            found.0 = Some(octets()?);
        } else if content.is("application", "vnd.3gpp.sms+xml") && found.1.is_none() {
            found.1 = Some(octets()?);
        } else if content.is_multipart() && depth > 1 {
            parts(&content, &part.body, depth - 1, found)?;
        }
    }
    Ok(())
}

/// Undoes the transfer encoding; SIP is 8-bit clean, so all but base64 means the octets as they are.
fn plain(transfer: Option<&str>, body: Bytes) -> Result<Bytes, Unusable> {
    match transfer.map(str::trim) {
        None => Ok(body),
        Some(t) if ["binary", "8bit", "7bit"].iter().any(|known| t.eq_ignore_ascii_case(known)) => Ok(body),
        Some(t) if t.eq_ignore_ascii_case("base64") => {
            let octets: Vec<u8> = body.iter().copied().filter(|o| !o.is_ascii_whitespace()).collect();
            BASE64.decode(&octets).map(Bytes::from).map_err(|_| BAD_BODY)
        }
        Some(_) => Err(Unusable { status: 415, reason: "transfer_encoding" }),
    }
}

fn text(content: &ContentType<'_>, body: &[u8]) -> Result<String, Unusable> {
    match content.param("charset") {
        Some(charset) if charset.eq_ignore_ascii_case("iso-8859-1") => {
            Ok(body.iter().map(|o| char::from(*o)).collect())
        }
        _ => String::from_utf8(body.to_vec()).map_err(|_| BAD_BODY),
    }
}

/// The text in a message/cpim. Line ends are those of a short message: LF.
fn cpim(body: &[u8]) -> Result<Text, Unusable> {
    let cpim = Cpim::parse(body).map_err(|error| {
        tracing::debug!(%error, "message/cpim");
        BAD_BODY
    })?;
    // A header that must be understood and is not (RFC 3862 §4.7).
    if cpim.required().next().is_some() {
        return Err(Unusable { status: 415, reason: "cpim_require" });
    }
    let content = match cpim.content_header("Content-Type") {
        // What a content is that does not say (RFC 2045 §5.2).
        None => ContentType::parse("text/plain").ok_or(UNSUPPORTED)?,
        Some(_) => cpim.content_type().filter(|content| content.is("text", "plain")).ok_or(UNSUPPORTED)?,
    };
    let transfer = cpim.content_header("Content-Transfer-Encoding");
    let octets = plain(transfer, Bytes::copy_from_slice(cpim.content))?;
    let to = cpim.to().find_map(Result::ok).map(|to| to.uri.to_owned());
    Ok(Text { body: text(&content, &octets)?.replace("\r\n", "\n"), to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &str, body: &[u8]) -> Message {
        let mut octets = format!(
            "MESSAGE sip:smsc@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n\
             To: <sip:smsc@x>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        octets.extend_from_slice(body);
        Message::parse(octets.into()).unwrap()
    }

    #[test]
    fn an_rpdu_is_taken_plain_in_base64_and_out_of_a_multipart() {
        let carried = |info: Option<&'static [u8]>| {
            let rpdu = Bytes::from_static(&[0, 7, 0, 0xFF]);
            Ok(Content::Rpdu(Carried { rpdu, info: info.map(Bytes::from_static) }))
        };
        let inner = b"--o\r\nContent-Type: multipart/alternative;boundary=b\r\n\r\n--b\r\n\
            Content-Type: application/vnd.3gpp.sms+xml\r\n\r\n<x/>\r\n--b\r\n\
            Content-Type: application/vnd.3gpp.sms\r\nContent-Transfer-Encoding: base64\r\n\r\nAAcA/w==\r\n--b--\r\n--o--";
        let parts = b"--b\r\nContent-Type: application/xml\r\n\r\n<x/>\r\n--b\r\n\
            Content-Type: application/vnd.3gpp.sms\r\n\r\n\x00\x07\x00\xFF\r\n--b--\r\n";
        let read = [
            read(&message("Content-Type: Application/VND.3GPP.sms;x=y\r\n", &[0, 7, 0, 0xFF])),
            read(&message(
                "Content-Type: application/vnd.3gpp.sms\r\nContent-Transfer-Encoding: Base64\r\n",
                b"AAcA\r\n/w==",
            )),
            read(&message("Content-Type: multipart/mixed;boundary=b\r\n", parts)),
            read(&message("Content-Type: multipart/related;boundary=o\r\n", inner)),
        ];
        assert_eq!(read, [carried(None), carried(None), carried(None), carried(Some(b"<x/>"))]);
    }

    #[test]
    fn text_comes_plain_or_wrapped_in_cpim() {
        let cpim = "From: <im:a@x>\r\nTo: Bob <sip:+4477@x>\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi\r\n\r\nthere";
        assert_eq!(
            [
                read(&message("Content-Type: text/plain\r\n", "né".as_bytes())),
                read(&message("Content-Type: text/plain;charset=ISO-8859-1\r\n", b"n\xE9")),
                read(&message("Content-Type: message/cpim\r\n", cpim.as_bytes())),
            ],
            [
                Ok(Content::Text(Text { body: "né".into(), to: None })),
                Ok(Content::Text(Text { body: "né".into(), to: None })),
                Ok(Content::Text(Text { body: "hi\n\nthere".into(), to: Some("sip:+4477@x".into()) })),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_status_that_says_why() {
        let refused = [
            ("Content-Type: image/png\r\n", &b"x"[..]),
            ("", b"x"),
            ("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", b"x"),
            ("Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n", b"x"),
            ("Content-Type: text/plain\r\n", b"\xFF"),
            ("Content-Type: message/cpim\r\n", b"To: x"),
            ("Content-Type: message/cpim\r\n", b"To: sip:a@x\r\nRequire: X\r\n\r\n\r\nhi"),
            ("Content-Type: message/cpim\r\n", b"To: sip:a@x\r\n\r\nContent-Type: image/png\r\n\r\nhi"),
            ("Content-Type: message/cpim\r\n", b"To: sip:a@x\r\n\r\nContent-Type: text/plain\r\n\r\n\xFF"),
            ("Content-Type: multipart/mixed;boundary=b\r\n", b"--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--"),
            ("Content-Type: multipart/mixed;boundary=b\r\n", b"--b\r\n"),
        ]
        .map(|(headers, body)| read(&message(headers, body)).unwrap_err().status);
        assert_eq!(refused, [415, 415, 415, 415, 400, 400, 415, 415, 400, 415, 400]);
    }
}
