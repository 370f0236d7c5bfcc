//! RFC 4475 §3.1.1: every one of them must be read.

use super::super::Outcome::{Answered, AnsweredTwice, Ignored};
use super::super::{Case, SDP, case, sip};
use super::{options, register, response};

pub(super) fn cases() -> Vec<Case> {
    const CLAUSE: &str = "RFC 4475 §3.1.1; INVITE is not served (RFC 3261 §8.2.1)";
    let long = |what: &str| what.repeat(18);
    let vias: Vec<String> = ["Via: ", "v: ", "V: ", "ViA: ", "VIA:  ", "via : ", "v  : ", "Via  :  "]
        .iter()
        .cycle()
        .zip((1..34).rev())
        .map(|(name, hop)| format!("{name}SIP/2.0/TCP hop{hop}.example.org"))
        .collect();
    let mut longreq = vec![
        "INVITE sip:anna@example.org SIP/2.0".to_owned(),
        format!(
            "To: \"My name is of {} size\"<sip:anna@example.org:6000;{}={};{}>",
            long("enormous"),
            long("name"),
            long("value"),
            long("Valueless")
        ),
        format!(
            "F: sip:{}@example.net;tag={};{}={};{}",
            long("caller"),
            long("98"),
            long("p"),
            long("v"),
            long("x")
        ),
        format!("Call-ID: longreq.{}", long("really")),
        "CSeq: 3882340 INVITE".to_owned(),
        format!("Unknown-{}-Name: {}; {} = {}", long("Long"), long("long"), long("name"), long("value")),
    ];
    longreq.extend(vias);
    longreq.push(format!("Via: SIP/2.0/TCP first.example.org;received=192.0.2.5;branch={}", long("branch")));
    longreq.extend(["Max-Forwards: 70", "Content-Type: application/sdp", "l: @"].map(str::to_owned));
    let longreq: Vec<&str> = longreq.iter().map(String::as_str).collect();
    vec![
        case(
            "wsinv",
            CLAUSE,
            Answered(405),
            sip(
                &[
                    "INVITE sip:anna@example.org;unknownparam SIP/2.0",
                    "TO :",
                    " sip:anna@example.org ;   tag    = 1918",
                    "from   : \"B Bertsson \\\\\\\"\"       <sip:bert@example.org>",
                    "  ;",
                    "  tag = 98asj",
                    "MaX-fOrWaRdS: 0068",
                    "Call-ID: wsinv.4711@192.0.2.1",
                    "Content-Length   : @",
                    "cseq: 0009",
                    "  INVITE",
                    "Via  : SIP  /   2.0",
                    " /UDP",
                    "    192.0.2.2;branch=390s",
                    "s :",
                    "NewHeader:   a value",
                    " that goes on",
                    "HeaderOfSeparators: ;;,,;;,;",
                    "Content-Type: application/sdp",
                    "Route:",
                    " <sip:services.example.org;lr;unknown=value;unknown-no-value>",
                    "v:  SIP  / 2.0  / TCP     next.example.org   ;",
                    "  branch  =   z9hG4bK9ik  ,",
                    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
                    " z9hG4bK302",
                    "m:\"Quoted \\\"\\\"\" <sip:bert@example.org> ; newparam =",
                    "      newvalue ;",
                    "  secondparam ; q = 0.33",
                ],
                SDP,
            ),
        ),
        case(
            "intmeth",
            "RFC 4475 §3.1.1.2: a method of any token octets; unknown (RFC 3261 §8.2.1)",
            Answered(405),
            sip(
                &[
                    "!odd-Method0123_*+`.%said'~ sip:1_odd.URI~(so-be!it)&isn't+it$/mad?,/;;*:&it+has=1,much!*pass~d_too.(or-not)@example.org SIP/2.0",
                    "Via: SIP/2.0/TCP host1.example.org;branch=z9hG4bK-.!%66*_+`'~",
                    "To: \"BEL:\\\u{7} NUL:\\\0 DEL:\\\u{7f}\" <sip:1_odd.URI~(so-be!it)&isn't+it$/mad?,/;;*@example.org>",
                    "From: one~` two'+_ three*%!.- <sip:bert@example.org>;param''~+*_!.-%=\"ра\u{431}ота\";tag=_tok~1'+`*%!-.",
                    "Call-ID: intmeth.w%ZK-!.*_+'@w`~)(><:\\/\"][?}{",
                    "CSeq: 139122385 !odd-Method0123_*+`.%said'~",
                    "Max-Forwards: 255",
                    "extension-!.%*+_`'~:\u{feff}大停電",
                    "Content-Length: 0",
                ],
                b"",
            ),
        ),
        case(
            "esc01",
            "RFC 4475 §3.1.1.3: what is escaped is no delimiter",
            Answered(405),
            sip(
                &[
                    "INVITE sip:sips%3Aanna%40example.org@example.net SIP/2.0",
                    "To: sip:%61nna@example.net",
                    "From: <sip:I%20have%20blanks@example.net>;tag=938",
                    "Max-Forwards: 87",
                    "i: esc01.4711",
                    "CSeq: 234234 INVITE",
                    "Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKesc01",
                    "C: application/sdp",
                    "Contact: <sip:b@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
                    "Content-Length: @",
                ],
                SDP,
            ),
        ),
        case("escnull", "RFC 4475 §3.1.1.4: %00 ends nothing", Answered(200), escnull()),
        case(
            "esc02",
            "RFC 4475 §3.1.1.5: % is a letter of tokens, no escape: this is not REGISTER",
            Answered(405),
            sip(
                &[
                    "RE%47IST%45R sip:registrar.example.org SIP/2.0",
                    "To: \"%Z%45\" <sip:anna@example.org>",
                    "From: \"%Z%45\" <sip:anna@example.org>;tag=f232",
                    "Call-ID: esc02.4711",
                    "CSeq: 29344 RE%47IST%45R",
                    "Max-Forwards: 70",
                    "Via: SIP/2.0/TCP host.example.org;branch=z9hG4bK209%fzsn",
                    "C%6Fntact: <sip:bert@host2.example.org>",
                    "Contact: <sip:anna@host5.example.org>",
                    "l: 0",
                ],
                b"",
            ),
        ),
        case(
            "lwsdisp",
            "RFC 4475 §3.1.1.6: no blank is needed before <",
            Answered(200),
            options("lwsdisp", &["From: anna<sip:anna@example.org>;tag=323", "To: sip:anna@example.org"]),
        ),
        case("longreq", CLAUSE, Answered(405), sip(&longreq, SDP)),
        case(
            "dblreq",
            "RFC 4475 §3.1.1.8: what follows the body is not part of a datagram",
            Answered(200),
            dblreq(),
        )
        .on_a_stream(AnsweredTwice(200, 405)),
    ]
}

pub(super) fn in_content() -> Vec<Case> {
    vec![
        case(
            "semiuri",
            "RFC 4475 §3.1.1.9: that semicolon belongs to the user part",
            Answered(200),
            sip(
                &[
                    "OPTIONS sip:anna;par=u%40example.net@example.org SIP/2.0",
                    "To: sip:anna@example.org",
                    "From: sip:bert@example.org;tag=33242",
                    "Max-Forwards: 3",
                    "Call-ID: semiuri.4711",
                    "CSeq: 8 OPTIONS",
                    "Accept: application/sdp, application/pkcs7-mime, multipart/mixed",
                    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKsemiuri",
                    "l: 0",
                ],
                b"",
            ),
        ),
        case(
            "transports",
            "RFC 4475 §3.1.1.10: transports nobody here knows are other hops' business",
            Answered(200),
            options(
                "transports",
                &[
                    "To: sip:anna@example.org",
                    "From: <sip:bert@example.org>;tag=323",
                    "Via: SIP/2.0/SCTP t2.example.org;branch=z9hG4bKt2",
                    "Via: SIP/2.0/TLS t3.example.org;branch=z9hG4bKt3",
                    "Via: SIP/2.0/UNHEARDOF t4.example.org;branch=z9hG4bKt4",
                    "Via: SIP/2.0/TCP t5.example.org;branch=z9hG4bKt5",
                ],
            ),
        ),
        case(
            "mpart01",
            "RFC 4475 §3.1.1.11: read, but none of its parts is an SMS (RFC 3428 §7)",
            Answered(415),
            mpart01(),
        ),
        response(
            "unreason",
            "RFC 4475 §3.1.1.12",
            Ignored,
            "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое",
            "35 INVITE",
        ),
        response(
            "noreason",
            "RFC 4475 §3.1.1.13: the reason may be empty, the blank stays",
            Ignored,
            "SIP/2.0 100 ",
            "35 INVITE",
        ),
    ]
}

fn escnull() -> Vec<u8> {
    register(
        "escnull",
        "sip:null-%00-null@example.org",
        &["Contact: <sip:%00@host5.example.org>", "Contact: <sip:%00%00@host5.example.org>"],
    )
}

fn dblreq() -> Vec<u8> {
    let second = sip(
        &[
            "INVITE sip:bert@example.org SIP/2.0",
            "t: sip:bert@example.org",
            "From: sip:anna@example.net;tag=1411",
            "Max-Forwards: 6",
            "Call-ID: dblreq.second",
            "CSeq: 8 INVITE",
            "Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKdblreq2",
            "Content-Type: application/sdp",
            "Content-Length: @",
        ],
        SDP,
    );
    [register("dblreq", "sip:anna@example.org", &["Contact: sip:anna@host.example.org"]), second].concat()
}

fn mpart01() -> Vec<u8> {
    let mut body = b"--7a9cbec0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello\r\n--7a9cbec0\r\n\
        Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        .to_vec();
    // Every octet there is: line ends alone, NUL, and what is no UTF-8.
    body.extend(0..=255u8);
    body.extend_from_slice(b"\n\0\r\r\n--7a9cbec0--\r\n");
    sip(
        &[
            "MESSAGE sip:smsc@example.org SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport",
            "Max-Forwards: 70",
            "Route: <sip:127.0.0.1:5080>",
            "P-Asserted-Identity: <sip:bert@example.org>",
            "To: <sip:smsc@example.org>",
            "From: <sip:bert@example.org>;tag=2fb0dcc9",
            "Call-ID: mpart01@Zmx1Zg..",
            "CSeq: 1 MESSAGE",
            "Content-Transfer-Encoding: binary",
            "Content-Type: multipart/mixed;boundary=7a9cbec0",
            "Content-Length: @",
        ],
        &body,
    )
}
