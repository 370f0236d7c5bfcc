//! RFC 4475 §3.3 and §3.4: well formed, and still not to be done as asked.

use super::super::Outcome::{Answered, Closed, Ignored};
use super::super::{Case, SDP, case, sip};
use super::{options, register, request_line};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "insuf",
            "RFC 4475 §3.3.1: no Call-ID, From or To",
            Answered(400),
            sip(
                &[
                    "INVITE sip:anna@example.org SIP/2.0",
                    "CSeq: 193942 INVITE",
                    "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKinsuf",
                    "Content-Type: application/sdp",
                    "l: @",
                ],
                SDP,
            ),
        ),
        case(
            "unkscm",
            "RFC 4475 §3.3.2, RFC 3261 §8.2.2.1",
            Answered(416),
            request_line("unkscm", "OPTIONS nobodyHasThisScheme:opaque SIP/2.0"),
        ),
        case(
            "novelsc",
            "RFC 4475 §3.3.3",
            Answered(416),
            request_line("novelsc", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
        ),
        case(
            "unksm2",
            "RFC 4475 §3.3.4: a To that names no subscriber, here one without a scheme",
            Answered(400),
            register("unksm2", "anna.example.org", &["Contact: <name:anna>"]),
        ),
        case(
            "bext01",
            "RFC 4475 §3.3.5, RFC 3261 §8.2.2.3",
            Answered(420),
            options(
                "bext01",
                &[
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.org;tag=24231",
                    "Require: nothingSupportsThis, nothingSupportsThisEither",
                    "Proxy-Require: noProxiesSupportThis",
                ],
            ),
        ),
        case("invut", "RFC 4475 §3.3.6: 415, here of a MESSAGE (RFC 3428 §7)", Answered(415), invut()),
        case(
            "regaut01",
            "RFC 4475 §3.3.7: credentials of a scheme nobody asked for are nothing to us",
            Answered(200),
            register(
                "regaut01",
                "sip:anna@example.org",
                &[
                    "Authorization: NoOneKnowsThisScheme opaque-data=here",
                    "Contact: <sip:anna@host.example.org>",
                ],
            ),
        ),
        case(
            "multi01",
            "RFC 4475 §3.3.8: two of what there is one of",
            Answered(400),
            options(
                "multi01",
                &[
                    "CSeq: 59 OPTIONS",
                    "Call-ID: multi01.twice",
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.org;tag=1",
                    "From: sip:carl@example.org;tag=2",
                    "To: sip:dora@example.org",
                    "Max-Forwards: 5",
                ],
            ),
        ),
        case(
            "mcl01",
            "RFC 4475 §3.3.9: two lengths",
            Answered(400),
            options(
                "mcl01",
                &["To: sip:anna@example.org", "From: sip:bert@example.org;tag=3", "Content-Length: 13"],
            ),
        )
        .on_a_stream(Closed("content_length")),
        bcast(),
        case(
            "zeromf",
            "RFC 4475 §3.3.11: whoever answers does not forward",
            Answered(200),
            sip(
                &[
                    "OPTIONS sip:anna@example.org SIP/2.0",
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.net;tag=3ghsd41",
                    "Call-ID: zeromf.4711",
                    "CSeq: 39234321 OPTIONS",
                    "Via: SIP/2.0/UDP host1.example.org;branch=z9hG4bKzeromf",
                    "Max-Forwards: 0",
                    "Content-Length: 0",
                ],
                b"",
            ),
        ),
        case(
            "cparam01",
            "RFC 4475 §3.3.12",
            Answered(200),
            register(
                "cparam01",
                "sip:anna@example.org",
                &["Contact: sip:+19725552222@gw1.example.net;unknownparam"],
            ),
        ),
        case(
            "cparam02",
            "RFC 4475 §3.3.13",
            Answered(200),
            register(
                "cparam02",
                "sip:anna@example.org",
                &["Contact: <sip:+19725552222@gw1.example.net;unknownparam>"],
            ),
        ),
        case(
            "regescrt",
            "RFC 4475 §3.3.14",
            Answered(200),
            register(
                "regescrt",
                "sip:anna@example.org",
                &["M: <sip:anna@example.org?Route=%3Csip:sip.example.org%3E>"],
            ),
        ),
        case(
            "sdp01",
            "RFC 4475 §3.3.15; INVITE is not served, whatever it accepts",
            Answered(405),
            sip(
                &[
                    "INVITE sip:anna@example.org SIP/2.0",
                    "To: sip:anna@example.org",
                    "Contact: <sip:bert@host5.example.net>",
                    "From: sip:bert@example.net;tag=j3",
                    "Max-Forwards: 5",
                    "Call-ID: sdp01.4711",
                    "CSeq: 8 INVITE",
                    "Accept: text/nobodyKnowsThis",
                    "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKsdp01",
                    "Content-Type: application/sdp",
                    "Content-Length: @",
                ],
                SDP,
            ),
        ),
        case("inv2543", "RFC 4475 §3.4.1: no branch, no tag, no Max-Forwards", Answered(405), inv2543())
            .on_a_stream(Closed("no_content_length")),
    ]
}

fn bcast() -> Case {
    let octets = sip(
        &[
            "SIP/2.0 200 OK",
            "Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bKbcast",
            "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKsaidbefore",
            "Call-ID: bcast.4711",
            "CSeq: 35 INVITE",
            "From: <sip:anna@example.org>;tag=11141343",
            "To: <sip:bert@example.org>;tag=2229",
            "Content-Length: @",
        ],
        SDP,
    );
    case("bcast", "RFC 4475 §3.3.10, RFC 3261 §18.1.2: not our Via, so it goes nowhere", Ignored, octets)
}

fn invut() -> Vec<u8> {
    sip(
        &[
            "MESSAGE sip:smsc@example.org SIP/2.0",
            "To: sip:smsc@example.org",
            "P-Asserted-Identity: <sip:bert@example.org>",
            "From: sip:bert@example.net;tag=8392034",
            "Max-Forwards: 70",
            "Call-ID: invut.4711",
            "CSeq: 235448 MESSAGE",
            "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKinvut",
            "Content-Type: application/unknownformat",
            "Content-Length: @",
        ],
        b"<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>\r\n",
    )
}

fn inv2543() -> Vec<u8> {
    sip(
        &[
            "INVITE sip:anna@example.org SIP/2.0",
            "Via: SIP/2.0/UDP iftgw.example.org",
            "From: <sip:+13035551111@ift.client.example.net;user=phone>",
            "Record-Route: <sip:UserB@example.org;maddr=ss1.example.org>",
            "To: sip:+16505552222@ss1.example.net;user=phone",
            "Call-ID: inv2543.4711@ift.client.example.org",
            "CSeq: 56 INVITE",
            "Content-Type: application/sdp",
        ],
        SDP,
    )
}
