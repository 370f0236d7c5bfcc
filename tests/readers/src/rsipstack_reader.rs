//! What `rsipstack` understands of a message.

use rsipstack::sip::headers::typed;
use rsipstack::sip::{Error, HasHeaders, HeadersExt, Param, SipMessage, Uri, parser};

use crate::reading::{
    Address, CSeq, Field, Hop, Line, Params, Party, Reading, Start, host, value_of, values_of, written_line,
    written_param,
};

/// Parses a datagram and asks for every typed header we use.
pub(crate) fn read(octets: &[u8]) -> Result<Reading, String> {
    let message = parser::parse_message(octets).map_err(text)?;
    let (start, body) = match &message {
        SipMessage::Request(request) => {
            let uri = Ok(address(&request.uri));
            (Start::Request { method: request.method.to_string(), uri }, &request.body)
        }
        SipMessage::Response(response) => {
            (Start::Response { status: response.status_code.code() }, &response.body)
        }
    };
    let lines: Vec<Line> = message.headers().iter().map(|line| written_line(&line.to_string())).collect();
    let one = |name: &str| value_of(&lines, name).ok_or_else(|| format!("no {name}"));
    let routes = message.typed_route_headers().map_err(text);
    let contacts = message.typed_contact_headers().map_err(text);
    Ok(Reading {
        start,
        vias: values_of(&lines, "via").map(via).collect(),
        from: one("from").and_then(name_addr),
        to: one("to").and_then(name_addr),
        call_id: message.call_id_header().map(|id| id.value().to_owned()).map_err(text),
        cseq: one("cseq").and_then(|cseq| {
            let cseq = typed::CSeq::parse(cseq).map_err(text)?;
            Ok(CSeq { number: cseq.seq, method: cseq.method.to_string() })
        }),
        contacts: contacts
            .map(|all| all.into_iter().map(|one| party(one.display_name, &one.uri, &one.params)).collect()),
        routes: routes
            .map(|all| all.into_iter().map(|one| party(one.display_name, &one.uri, &one.params)).collect()),
        // It has no type for it: the value is a name-addr as that of From is.
        asserted: values_of(&lines, "p-asserted-identity").map(name_addr).collect(),
        content_type: value_of(&lines, "content-type").map(str::to_owned),
        content_length: value_of(&lines, "content-length").and_then(|value| value.parse().ok()),
        body: body.clone(),
        lines,
    })
}

fn text(error: Error) -> String {
    error.to_string()
}

fn via(value: &str) -> Field<Hop> {
    let via = typed::Via::parse(value).map_err(text)?;
    Ok(Hop {
        transport: via.transport.to_string(),
        host: host(&via.uri.host_with_port.host.to_string()),
        port: via.uri.host_with_port.port.map(|port| port.value()),
        params: params(&via.params),
    })
}

fn name_addr(value: &str) -> Field<Party> {
    let from = typed::From::parse(value).map_err(text)?;
    Ok(party(from.display_name, &from.uri, &from.params))
}

fn party(display: Option<String>, uri: &Uri, header_params: &[Param]) -> Party {
    Party { display, uri: address(uri), params: params(header_params) }
}

fn address(uri: &Uri) -> Address {
    let scheme = uri.scheme.as_ref().map(ToString::to_string).unwrap_or_default();
    let host = host(&uri.host_with_port.host.to_string());
    // The number of a tel URI, which has no host, stands where the host would.
    let (user, host) = match scheme.as_str() {
        "tel" => (Some(host), String::new()),
        _ => (uri.user().map(str::to_owned), host),
    };
    let port = uri.host_with_port.port.as_ref().map(|port| port.value());
    Address { scheme, user, host, port, params: params(&uri.params) }
}

fn params(params: &[Param]) -> Params {
    params.iter().map(|param| written_param(&param.to_string())).collect()
}
