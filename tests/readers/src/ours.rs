//! What we understand of a message.

use smsc_proto::sip::{Header, HeaderError, Message, NameAddr, Uri};

use crate::reading::{Address, CSeq, Field, Hop, Line, Params, Party, Reading, Start, host, param};

/// Reads with our own parser.
pub fn ours(message: &Message) -> Reading {
    let start = match message.status() {
        Some(status) => Start::Response { status },
        None => Start::Request {
            method: message.method().map(|method| method.to_string()).unwrap_or_default(),
            uri: address(message.request_uri().unwrap_or_default()),
        },
    };
    let line =
        |(name, value): (&str, &str)| Line { name: name.to_ascii_lowercase(), value: value.to_owned() };
    Reading {
        start,
        lines: message.lines().map(line).collect(),
        vias: message.vias().map(|via| Ok(hop(via.map_err(text)?))).collect(),
        from: message.from().map_err(text).and_then(party),
        to: message.to().map_err(text).and_then(party),
        call_id: message.call_id().map(str::to_owned).map_err(text),
        cseq: message
            .cseq()
            .map(|cseq| CSeq { number: cseq.number, method: cseq.method.to_string() })
            .map_err(text),
        contacts: parties(message.contacts()),
        routes: parties(message.routes()),
        asserted: parties(message.p_asserted_identities()),
        content_type: message.header(Header::ContentType).map(str::to_owned),
        content_length: message.content_length(),
        body: message.body_octets().to_vec(),
    }
}

fn text(error: HeaderError) -> String {
    error.to_string()
}

fn parties<'a>(list: impl Iterator<Item = Result<NameAddr<'a>, HeaderError>>) -> Field<Vec<Party>> {
    list.map(|element| element.map_err(text).and_then(party)).collect()
}

fn party(element: NameAddr<'_>) -> Field<Party> {
    let display = element.display.map(str::to_owned);
    Ok(Party { display, uri: address(element.uri)?, params: params(element.params) })
}

fn address(uri: &str) -> Field<Address> {
    let uri = Uri::parse(uri).map_err(|error| error.to_string())?;
    Ok(Address {
        scheme: uri.scheme.as_str().to_owned(),
        user: uri.user.map(str::to_owned),
        host: host(uri.host),
        port: uri.port,
        params: params(uri.params),
    })
}

fn hop(via: smsc_proto::sip::Via<'_>) -> Hop {
    Hop {
        transport: via.transport.to_owned(),
        host: host(via.host),
        port: via.port,
        params: params(via.params),
    }
}

fn params(params: smsc_proto::sip::Params<'_>) -> Params {
    params.iter().map(|(name, value)| param(name, value)).collect()
}
