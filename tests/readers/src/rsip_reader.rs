//! What `rsip` understands of a message.

use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{SipMessage, headers};

use crate::reading::{
    Address, CSeq, Field, Hop, Line, Params, Party, Reading, Start, host, value_of, values_of, written_line,
    written_param,
};

/// Parses a datagram and asks for every typed header we use.
pub(crate) fn read(octets: &[u8]) -> Result<Reading, String> {
    let message = SipMessage::try_from(octets).map_err(text)?;
    let start = match &message {
        SipMessage::Request(request) => {
            Start::Request { method: request.method.to_string(), uri: Ok(address(&request.uri)) }
        }
        SipMessage::Response(response) => Start::Response { status: response.status_code.code() },
    };
    let lines: Vec<Line> = message.headers().iter().map(|line| written_line(&line.to_string())).collect();
    Ok(Reading {
        start,
        vias: values_of(&lines, "via").map(via).collect(),
        from: message.from_header().map_err(text).and_then(|from| {
            let from = from.typed().map_err(text)?;
            Ok(party(from.display_name, &from.uri, &from.params))
        }),
        to: message.to_header().map_err(text).and_then(|to| {
            let to = to.typed().map_err(text)?;
            Ok(party(to.display_name, &to.uri, &to.params))
        }),
        call_id: message.call_id_header().map(|id| id.value().to_owned()).map_err(text),
        cseq: message.cseq_header().map_err(text).and_then(|cseq| {
            let cseq = cseq.typed().map_err(text)?;
            Ok(CSeq { number: cseq.seq, method: cseq.method.to_string() })
        }),
        contacts: values_of(&lines, "contact").map(contact).collect(),
        routes: values_of(&lines, "route").map(route).collect::<Field<Vec<_>>>().map(|all| all.concat()),
        // It has no type for it: the value is a name-addr as that of Contact is.
        asserted: values_of(&lines, "p-asserted-identity").map(contact).collect(),
        content_type: value_of(&lines, "content-type").map(str::to_owned),
        content_length: value_of(&lines, "content-length").and_then(|value| value.parse().ok()),
        body: message.body().clone(),
        lines,
    })
}

fn text(error: rsip::Error) -> String {
    error.to_string()
}

fn via(value: &str) -> Field<Hop> {
    let via = headers::Via::new(value).typed().map_err(text)?;
    Ok(Hop {
        transport: via.transport.to_string(),
        host: host(&via.uri.host().to_string()),
        port: via.uri.port().map(|port| *port.value()),
        params: params(&via.params),
    })
}

fn contact(value: &str) -> Field<Party> {
    let contact = headers::Contact::new(value).typed().map_err(text)?;
    Ok(party(contact.display_name, &contact.uri, &contact.params))
}

fn route(value: &str) -> Field<Vec<Party>> {
    let route = headers::Route::new(value).typed().map_err(text)?;
    Ok(route.uris().iter().map(|route| party(None, &route.uri, &route.params)).collect())
}

fn party(display: Option<String>, uri: &rsip::Uri, header_params: &[rsip::Param]) -> Party {
    Party { display, uri: address(uri), params: params(header_params) }
}

fn address(uri: &rsip::Uri) -> Address {
    Address {
        scheme: uri.scheme.as_ref().map(ToString::to_string).unwrap_or_default(),
        user: uri.user().map(str::to_owned),
        host: host(&uri.host().to_string()),
        port: uri.port().map(|port| *port.value()),
        params: params(&uri.params),
    }
}

fn params(params: &[rsip::Param]) -> Params {
    params.iter().map(|param| written_param(&param.to_string())).collect()
}
