//! RFC 5118 §4: IPv6 addresses wherever SIP has addresses.

use super::Outcome::Answered;
use super::{Case, case, sip};

/// A session description with addresses of both families.
const BOTH: &[u8] = b"v=0\r\no=anna 4711 1 IN IP4 host.example.org\r\ns=-\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 192.0.2.50\r\n\
m=video 40002 RTP/AVP 107\r\nc=IN IP6 2001:db8::50\r\n";

/// A session description with IPv6 addresses.
const IPV6: &[u8] = b"v=0\r\no=anna 4711 1 IN IP6 2001:db8::50\r\ns=-\r\nc=IN IP6 2001:db8::50\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

/// A session description with IPv4 addresses mapped into IPv6.
const MAPPED: &[u8] = b"v=0\r\no=anna 4711 1 IN IP6 ::ffff:192.0.2.50\r\ns=-\r\nc=IN IP6 ::ffff:192.0.2.50\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("ipv6-good", "RFC 5118 §4.1", Answered(200), register("ipv6-good", "sip:[2001:db8::20]")),
        case(
            "ipv6-bad",
            "RFC 5118 §4.2: an IPv6 address without brackets is no host",
            Answered(400),
            register("ipv6-bad", "sip:2001:db8::20"),
        ),
        case(
            "port-ambiguous",
            "RFC 5118 §4.3: an address that looks as if it had a port",
            Answered(200),
            register("port-ambiguous", "sip:[2001:db8::20:5070]"),
        ),
        case(
            "port-unambiguous",
            "RFC 5118 §4.4",
            Answered(200),
            register("port-unambiguous", "sip:[2001:db8::20]:5070"),
        ),
        case(
            "via-received-param-with-delim",
            "RFC 5118 §4.5; BYE is not served (RFC 3261 §8.2.1)",
            Answered(405),
            simple(
                "BYE",
                "received-with",
                "SIP/2.0/UDP [2001:db8::9];received=[2001:db8::9:77];branch=z9hG4bKrw",
            ),
        ),
        case(
            "via-received-param-no-delim",
            "RFC 5118 §4.5: colons without brackets must not end the parameter",
            Answered(200),
            simple(
                "OPTIONS",
                "received-no",
                "SIP/2.0/UDP [2001:db8::9];received=2001:db8::9:77;branch=z9hG4bKrn",
            ),
        ),
        case("ipv6-in-sdp", "RFC 5118 §4.6", Answered(405), invite("ipv6-in-sdp", IPV6)),
        case("mult-ip-in-header", "RFC 5118 §4.7", Answered(405), several_vias()),
        case("mult-ip-in-sdp", "RFC 5118 §4.8", Answered(405), invite("mult-ip-in-sdp", BOTH)),
        case("ipv4-mapped-ipv6", "RFC 5118 §4.9", Answered(405), mapped()),
        case(
            "ipv6-bug-abnf-3-colons",
            "RFC 5118 §4.10: what the grammar of RFC 3261 derives by mistake is taken",
            Answered(200),
            options("three-colons", "sip:anna@[2001:db8:::192.0.2.7]"),
        ),
        case(
            "ipv6-correct-abnf-2-colons",
            "RFC 5118 §4.10",
            Answered(200),
            options("two-colons", "sip:anna@[2001:db8::192.0.2.7]"),
        ),
    ]
}

fn register(name: &str, uri: &str) -> Vec<u8> {
    sip(
        &[
            &format!("REGISTER {uri} SIP/2.0"),
            &format!("Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK{name}"),
            "To: sip:anna@example.org",
            &format!("From: sip:anna@example.org;tag={name}"),
            &format!("Call-ID: {name}"),
            "Max-Forwards: 70",
            "Contact: \"Anna\" <sip:anna@[2001:db8::9]>",
            "CSeq: 61001 REGISTER",
            "Content-Length: 0",
        ],
        b"",
    )
}

fn simple(method: &str, name: &str, via: &str) -> Vec<u8> {
    sip(
        &[
            &format!("{method} sip:[2001:db8::20] SIP/2.0"),
            &format!("Via: {via}"),
            "To: sip:anna@example.org;tag=peer",
            &format!("From: sip:bert@example.org;tag={name}"),
            &format!("Call-ID: {name}"),
            "Max-Forwards: 70",
            &format!("CSeq: 77 {method}"),
            "Content-Length: 0",
        ],
        b"",
    )
}

fn options(name: &str, uri: &str) -> Vec<u8> {
    sip(
        &[
            &format!("OPTIONS {uri} SIP/2.0"),
            &format!("To: {uri}"),
            &format!("From: sip:bert@example.org;tag={name}"),
            &format!("Via: SIP/2.0/UDP host.example.org;branch=z9hG4bK{name}"),
            &format!("Call-ID: {name}"),
            "CSeq: 5 OPTIONS",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ],
        b"",
    )
}

fn invite(name: &str, sdp: &[u8]) -> Vec<u8> {
    sip(
        &[
            "INVITE sip:anna@[2001:db8::20] SIP/2.0",
            "To: sip:anna@[2001:db8::20]",
            &format!("From: sip:bert@example.org;tag={name}"),
            &format!("Via: SIP/2.0/UDP [2001:db8::50];branch=z9hG4bK{name}"),
            &format!("Call-ID: {name}"),
            "Contact: \"Bert\" <sip:bert@[2001:db8::50]>",
            "CSeq: 8612 INVITE",
            "Max-Forwards: 70",
            "Content-Type: application/sdp",
            "Content-Length: @",
        ],
        sdp,
    )
}

fn several_vias() -> Vec<u8> {
    sip(
        &[
            "BYE sip:anna@host.example.org SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bKmany1",
            "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKmany2",
            "Via: SIP/2.0/TCP [2001:db8::9:77];branch=z9hG4bKmany3;received=192.0.2.200",
            "Call-ID: several-vias",
            "Max-Forwards: 70",
            "CSeq: 89 BYE",
            "To: sip:anna@example.org;tag=peer",
            "From: sip:bert@example.org;tag=several",
            "Content-Length: 0",
        ],
        b"",
    )
}

fn mapped() -> Vec<u8> {
    sip(
        &[
            "INVITE sip:anna@example.org SIP/2.0",
            "To: sip:anna@example.org",
            "From: sip:bert@east.example.org;tag=mapped",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:5060;branch=z9hG4bKmapped1",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKmapped2",
            "Call-ID: mapped",
            "Contact: \"Bert\" <sip:bert@[::ffff:192.0.2.2]>",
            "CSeq: 612 INVITE",
            "Max-Forwards: 70",
            "Content-Type: application/sdp",
            "Content-Length: @",
        ],
        MAPPED,
    )
}
