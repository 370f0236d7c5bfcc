//! URIs and what stands around them in headers.

use std::fmt::Write as _;
use std::hint::black_box;

use smsc_proto::sip::{ContentType, NameAddr, Scheme, Uri, Via};

use crate::Meter;

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // Values of headers that hold URIs; their time is judged in whole messages.
    let values = meter.watch_untimed(|| {
        let kind = ContentType::parse(text).map(|kind| (kind.is_multipart(), kind.params.iter().count()));
        (
            NameAddr::parse(text).is_ok(),
            NameAddr::parse_identity(text).is_ok(),
            Via::parse(text).is_ok(),
            kind,
        )
    });
    black_box(values);
    let uri = match meter.watch(|| Uri::parse(text)) {
        Ok(uri) => uri,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let key = meter.watch(|| {
        black_box((uri.number(), uri.param("transport")));
        uri.aor_key()
    });

    let written = written(&uri);
    let again = Uri::parse(&written).expect("a URI written from its parts can be read");
    assert_eq!(again, uri, "{written}");
    assert_eq!(again.aor_key(), key);

    // Case of scheme and host never tells two identities apart; nor do port, password and headers of a sip URI.
    let scheme = uri.scheme.as_str().to_ascii_uppercase();
    let host = uri.host.to_ascii_uppercase();
    let shouted = match uri.scheme {
        Scheme::Sip => Uri { host: &host, port: Some(5070), password: None, headers: None, ..uri },
        Scheme::Sips | Scheme::Tel => uri,
        Scheme::Other(_) => return,
    };
    let text = written_as(&scheme, &shouted);
    assert_eq!(Uri::parse(&text).expect("another case is as readable").aor_key(), key, "{text}");
}

fn written(uri: &Uri<'_>) -> String {
    written_as(uri.scheme.as_str(), uri)
}

fn written_as(scheme: &str, uri: &Uri<'_>) -> String {
    let mut out = format!("{scheme}:{}", uri.user.unwrap_or_default());
    if let Some(password) = uri.password {
        let _ = write!(out, ":{password}");
    }
    match uri.scheme {
        Scheme::Tel => {}
        Scheme::Other(_) => out.push_str(uri.host),
        Scheme::Sip | Scheme::Sips => {
            if uri.user.is_some() {
                out.push('@');
            }
            if uri.host.contains(':') {
                let _ = write!(out, "[{}]", uri.host);
            } else {
                out.push_str(uri.host);
            }
        }
    }
    if let Some(port) = uri.port {
        let _ = write!(out, ":{port}");
    }
    if !uri.params.as_str().is_empty() {
        let _ = write!(out, ";{}", uri.params.as_str());
    }
    if let Some(headers) = uri.headers {
        let _ = write!(out, "?{headers}");
    }
    out
}
