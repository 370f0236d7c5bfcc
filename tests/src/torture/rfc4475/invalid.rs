//! RFC 4475 §3.1.2 and §3.2: what may be refused is refused. A guess at what was meant is another's message read wrong.

use super::super::Outcome::{Answered, Closed, Dropped, Ignored};
use super::super::{Case, SDP, case, sip};
use super::{options, register, request_line, response};

pub(super) fn cases() -> Vec<Case> {
    let asked = "RFC 4475 §3.1.2: may be read with a guess; refused";
    vec![
        case(
            "badinv01",
            "RFC 4475 §3.1.2.1: separators without values",
            Answered(400),
            sip(
                &[
                    "INVITE sip:anna@example.org SIP/2.0",
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.net;tag=1341",
                    "Max-Forwards: 7",
                    "Call-ID: badinv01.4711",
                    "CSeq: 8 INVITE",
                    "Via: SIP/2.0/UDP 192.0.2.15;;,;,,",
                    "Contact: \"Bert\" <sip:bert@example.org>;;;;",
                    "Content-Type: application/sdp",
                    "Content-Length: @",
                ],
                SDP,
            ),
        ),
        case(
            "clerr",
            "RFC 4475 §3.1.2.2, RFC 3261 §18.3: a datagram that is too short",
            Answered(400),
            clerr("9999"),
        )
        .on_a_stream(Ignored),
        case("ncl", "RFC 4475 §3.1.2.3: a negative length", Answered(400), clerr("-999"))
            .on_a_stream(Closed("content_length")),
        case(
            "scalar02",
            "RFC 4475 §3.1.2.4, RFC 3261 §8.1.1.5: CSeq below 2**31",
            Answered(400),
            sip(
                &[
                    "REGISTER sip:example.org SIP/2.0",
                    "Via: SIP/2.0/TCP host129.example.org;branch=z9hG4bKscalar02",
                    "To: <sip:anna@example.org>",
                    "From: <sip:anna@example.org>;tag=2392",
                    "CSeq: 36893488147419103232 REGISTER",
                    "Call-ID: scalar02.4711",
                    "Max-Forwards: 300",
                    "Expires: 10000000000000000000000000000000000000000",
                    "Contact: <sip:anna@host129.example.org>",
                    "  ;expires=280297596632815",
                    "Content-Length: 0",
                ],
                b"",
            ),
        ),
        response(
            "scalarlg",
            "RFC 4475 §3.1.2.5",
            Ignored,
            "SIP/2.0 503 Service Unavailable",
            "9292394834772304023312 OPTIONS",
        ),
        case(
            "quotbal",
            asked,
            Answered(400),
            options(
                "quotbal",
                &["To: \"Mr. A. Annasson <sip:anna@example.org>", "From: sip:bert@example.org;tag=93334"],
            ),
        ),
        case(
            "ltgtruri",
            asked,
            Answered(400),
            request_line("ltgtruri", "OPTIONS <sip:anna@example.org> SIP/2.0"),
        ),
        case(
            "lwsruri",
            asked,
            Answered(400),
            request_line("lwsruri", "OPTIONS sip:anna@example.org; lr SIP/2.0"),
        ),
        case(
            "lwsstart",
            asked,
            Answered(400),
            request_line("lwsstart", "OPTIONS  sip:anna@example.org  SIP/2.0"),
        ),
        case("trws", asked, Answered(400), request_line("trws", "OPTIONS sip:anna@example.org SIP/2.0  ")),
    ]
}

pub(super) fn in_fields() -> Vec<Case> {
    vec![
        case(
            "escruri",
            "RFC 4475 §3.1.2.11: headers in a Request-URI are never obeyed; nothing here looks at them",
            Answered(200),
            request_line("escruri", "OPTIONS sip:anna@example.org?Route=%3Csip:example.org%3E SIP/2.0"),
        ),
        case(
            "baddate",
            "RFC 4475 §3.1.2.12: Date is not used, so no matter which zone it is in",
            Answered(200),
            options(
                "baddate",
                &[
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.net;tag=2234",
                    "Date: Fri, 01 Jan 2010 16:00:00 EST",
                ],
            ),
        ),
        case(
            "regbadct",
            "RFC 4475 §3.1.2.13: a Contact that cannot be read tells nothing; the subscriber is registered all the same",
            Answered(200),
            register(
                "regbadct",
                "sip:anna@example.org",
                &["Contact: sip:anna@example.org?Route=%3Csip:sip.example.org%3E"],
            ),
        ),
        case(
            "badaspec",
            "RFC 4475 §3.1.2.14: blanks inside <>; refused",
            Answered(400),
            options(
                "badaspec",
                &[
                    "To: \"Watson, T\" < sip:anna@example.org >",
                    "From: \"Bell, A\" <sip:bert@example.org>;tag=43",
                ],
            ),
        ),
        case(
            "baddn",
            "RFC 4475 §3.1.2.15: a comma in an unquoted name; read, for a From has only one value",
            Answered(200),
            options(
                "baddn",
                &[
                    "From:    Bell, Alexander <sip:bert@example.org>;tag=43",
                    "To:      Watson, Thomas <sip:anna@example.org>",
                ],
            ),
        ),
        case(
            "badvers",
            "RFC 4475 §3.1.2.16, RFC 3261 §21.5.6",
            Answered(505),
            sip(
                &[
                    "OPTIONS sip:anna@example.org SIP/7.0",
                    "Via:     SIP/7.0/UDP c.example.org;branch=z9hG4bKbadvers",
                    "Max-Forwards:     70",
                    "From:    A. Bell <sip:bert@example.org>;tag=qweo",
                    "To:      T. Watson <sip:anna@example.org>",
                    "Call-ID: badvers.4711",
                    "CSeq:    1 OPTIONS",
                    "l: 0",
                ],
                b"",
            ),
        ),
        case("mismatch01", "RFC 4475 §3.1.2.17", Answered(400), mismatch("mismatch01", "OPTIONS", "INVITE")),
        case(
            "mismatch02",
            "RFC 4475 §3.1.2.18: 501 or 400",
            Answered(400),
            mismatch("mismatch02", "NEWMETHOD", "INVITE"),
        ),
        response(
            "bigcode",
            "RFC 4475 §3.1.2.19",
            Dropped("start_line"),
            "SIP/2.0 4294967301 better not",
            "353494 INVITE",
        ),
        case(
            "badbranch",
            "RFC 4475 §3.2.1: the cookie alone makes no branch; matched as RFC 2543 does (RFC 3261 §17.2.3)",
            Answered(200),
            sip(
                &[
                    "OPTIONS sip:anna@example.org SIP/2.0",
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.org;tag=33242",
                    "Max-Forwards: 3",
                    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK",
                    "Accept: application/sdp",
                    "Call-ID: badbranch.4711",
                    "CSeq: 8 OPTIONS",
                    "l: 0",
                ],
                b"",
            ),
        ),
    ]
}

fn clerr(length: &str) -> Vec<u8> {
    sip(
        &[
            "INVITE sip:anna@example.org SIP/2.0",
            "Max-Forwards: 80",
            "To: sip:anna@example.org",
            "From: sip:bert@example.net;tag=9394",
            &format!("Call-ID: clerr.{length}"),
            "CSeq: 8 INVITE",
            &format!("Via: SIP/2.0/UDP host5.example.org;branch=z9hG4bKclerr{length}"),
            "Content-Type: application/sdp",
            &format!("Content-Length: {length}"),
        ],
        SDP,
    )
}

fn mismatch(name: &str, method: &str, cseq: &str) -> Vec<u8> {
    sip(
        &[
            &format!("{method} sip:anna@example.org SIP/2.0"),
            "To: sip:anna@example.org",
            "From: sip:bert@example.net;tag=34525",
            "Max-Forwards: 6",
            &format!("Call-ID: {name}.4711"),
            &format!("CSeq: 8 {cseq}"),
            &format!("Via: SIP/2.0/UDP host.example.net;branch=z9hG4bK{name}"),
            "l: 0",
        ],
        b"",
    )
}
