//! What a MESSAGE carries: an RPDU, or text of a handset that does not do SMS over IP.

use bytes::Bytes;
use data_encoding::BASE64;
use smsc_proto::sip::{ContentType, Header, Message, multipart};

/// A body we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// `application/vnd.3gpp.sms` (TS 24.341 §5.3.1.2).
    Rpdu(Bytes),
    /// text/plain, or text inside message/cpim (RFC 3862).
    Text(Text),
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
    if content.is("multipart", "mixed") {
        let parts = multipart(&content, &message.body()).map_err(|_| BAD_BODY)?;
        return parts
            .iter()
            .find_map(|part| {
                let content = part.content_type()?;
                content.is("application", "vnd.3gpp.sms").then(|| {
                    plain(part.header(Header::ContentTransferEncoding), part.body.clone()).map(Content::Rpdu)
                })
            })
            .unwrap_or(Err(UNSUPPORTED));
    }
    let body = plain(transfer, message.body())?;
    if content.is("application", "vnd.3gpp.sms") {
        Ok(Content::Rpdu(body))
    } else if content.is("text", "plain") {
        Ok(Content::Text(Text { body: text(&content, &body)?, to: None }))
    } else if content.is("message", "cpim") {
        cpim(&body).map(Content::Text)
    } else {
        Err(UNSUPPORTED)
    }
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

/// CPIM: message headers, an empty line, MIME headers, an empty line, the text (RFC 3862 §2).
fn cpim(body: &[u8]) -> Result<Text, Unusable> {
    let whole = std::str::from_utf8(body).map_err(|_| BAD_BODY)?.replace("\r\n", "\n");
    let mut sections = whole.splitn(3, "\n\n");
    let (Some(headers), Some(mime), Some(text)) = (sections.next(), sections.next(), sections.next()) else {
        return Err(BAD_BODY);
    };
    let field = |section: &str, name: &str| {
        section.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let media = field(mime, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    if !media.to_ascii_lowercase().starts_with("text/plain") {
        return Err(UNSUPPORTED);
    }
    let to = field(headers, "To").map(|to| match to.split_once('<') {
        Some((_, uri)) => uri.split('>').next().unwrap_or_default().to_owned(),
        None => to,
    });
    Ok(Text { body: text.to_owned(), to })
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
        let rpdu = Ok(Content::Rpdu(Bytes::from_static(&[0, 7, 0, 0xFF])));
        let parts = b"--b\r\nContent-Type: application/xml\r\n\r\n<x/>\r\n--b\r\n\
            Content-Type: application/vnd.3gpp.sms\r\n\r\n\x00\x07\x00\xFF\r\n--b--\r\n";
        let read = [
            read(&message("Content-Type: Application/VND.3GPP.sms;x=y\r\n", &[0, 7, 0, 0xFF])),
            read(&message(
                "Content-Type: application/vnd.3gpp.sms\r\nContent-Transfer-Encoding: Base64\r\n",
                b"AAcA\r\n/w==",
            )),
            read(&message("Content-Type: multipart/mixed;boundary=b\r\n", parts)),
        ];
        assert_eq!(read, [rpdu.clone(), rpdu.clone(), rpdu]);
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
        ]
        .map(|(headers, body)| read(&message(headers, body)).unwrap_err().status);
        assert_eq!(refused, [415, 415, 415, 415, 400, 400]);
    }
}
