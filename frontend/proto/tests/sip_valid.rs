//! Messages that look odd and are valid: the cases of RFC 4475 §3.1.1 and RFC 5118, in words of our own.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use bytes::Bytes;
use smsc_proto::sip::{Header, Message, Method, Scheme, Uri};

fn parse(octets: impl AsRef<[u8]>) -> Message {
    Message::parse(Bytes::copy_from_slice(octets.as_ref())).unwrap()
}

/// A MESSAGE with the headers every request has and these besides.
fn with(headers: &str) -> Message {
    parse(format!(
        "MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n\
         To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n{headers}\r\n"
    ))
}

#[test]
fn blanks_folds_and_compact_names_everywhere() {
    let text = "INVITE sip:vivek@chair.example.com;unknownparam SIP/2.0\r\n\
        TO :\r\n sip:vivek@chair.example.com ;   tag    = 1918n\r\n\
        from   : \"J Rosenberg \\\\\\\"\"       <sip:jdr@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
        MaX-fOrWaRdS: 0068\r\n\
        Call-ID: wsinv.nd@192.0.2.1\r\n\
        Content-Length   : 3\r\n\
        cseq: 0009\r\n  INVITE\r\n\
        Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skd\r\n\
        s :\r\n\
        NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
        UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\
        Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
        v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n \
        SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
        m:\"Quoted string \\\"\\\"\" <sip:jdr@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\
        \r\nabc";
    let message = parse(text);
    assert_eq!(message.request_fault(), None);
    assert_eq!(message.method(), Some(Method::Invite));
    assert_eq!(message.to().unwrap().tag(), Some("1918n"));
    assert_eq!(message.from().unwrap().display, Some("J Rosenberg \\\\\\\""));
    assert_eq!(message.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.cseq().unwrap().number, 9);
    let vias: Vec<_> = message.vias().map(|via| via.unwrap()).map(|via| (via.host, via.branch())).collect();
    assert_eq!(
        vias,
        [
            ("192.0.2.2", Some("390skd")),
            ("spindle.example.com", Some("z9hG4bK9ikj8")),
            ("192.168.255.111", Some("z9hG4bK30239"))
        ]
    );
    assert_eq!(message.header(Header::Subject), Some(""));
    assert_eq!(
        message.header_named("newfangledheader"),
        Some("newfangled value   continued newfangled value")
    );
    assert_eq!(message.routes().next().unwrap().unwrap().parsed_uri().unwrap().params.get("lr"), Some(None));
    let contact = message.contacts().next().unwrap().unwrap();
    assert_eq!(
        (contact.param("newparam"), contact.params.get("secondparam")),
        (Some("newvalue"), Some(None))
    );
    assert_eq!(message.body(), "abc");
    assert_eq!(message.raw(), text, "what was received stays as it was");
}

#[test]
fn every_character_a_token_may_have() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let message = parse(format!(
        "{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n\
         To: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\" <sip:1_unusual.URI~@example.com>\r\n\
         From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\r\n\
         Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}}{{\r\n\
         CSeq: 139122385 {method}\r\nMax-Forwards: 255\r\nextensionHeader-!.%*+_`'~:\u{feff}大停電\r\nContent-Length: 0\r\n\r\n"
    ));
    assert_eq!(message.request_fault(), None);
    assert_eq!(message.method(), Some(Method::Other(method)));
    assert_eq!(message.call_id(), Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    assert_eq!(message.from().unwrap().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.to().unwrap().uri, "sip:1_unusual.URI~@example.com");
    assert_eq!(message.via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(message.header_named("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!(uri.user, Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password, Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
}

#[test]
fn escapes_are_escapes_in_user_parts_and_nowhere_else() {
    let message = parse(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0\r\nTo: \"%Z%45\" <sip:resource@example.com>\r\n\
         From: \"%Z%45\" <sip:sips%3Auser%40example.com@example.net>;tag=f\r\nC%6Fntact: <sip:alias@host>\r\n\r\n",
    );
    assert_eq!(message.method(), Some(Method::Other("RE%47IST%45R")));
    assert_eq!(message.count(Header::Contact), 0);
    assert_eq!(message.from().unwrap().display, Some("%Z%45"));
    let from = message.from().unwrap().parsed_uri().unwrap();
    assert_eq!(from.user_unescaped().as_deref(), Some("sips:user@example.com"));
    assert_eq!(from.host, "example.net");
}

#[test]
fn a_null_may_be_escaped_in_a_user_part() {
    let contact = with("Contact: <sip:null-%00-null@host1.example.com>, <sip:%00@host3.example.com>\r\n");
    let users: Vec<_> = contact.contacts().map(|party| party.unwrap().parsed_uri().unwrap()).collect();
    assert_eq!(users[0].user_unescaped().as_deref(), Some("null-\0-null"));
    assert_eq!(users[1].user_unescaped().as_deref(), Some("\0"));
}

#[test]
fn no_blank_between_display_name_and_bracket() {
    let message = with("Contact: caller<sip:caller@host>;tag=323\r\n");
    let contact = message.contacts().next().unwrap().unwrap();
    assert_eq!((contact.display, contact.uri), (Some("caller"), "sip:caller@host"));
}

#[test]
fn long_values_and_many_vias() {
    let vias: String = (0..80).map(|n| format!("v: SIP/2.0/TCP sip{n}.example.com\r\n")).collect();
    let name = format!("Unknown-{}-Name", "Long".repeat(60));
    let value = "long-".repeat(600);
    let message = with(&format!("{vias}{name}: {value}\r\n"));
    assert_eq!(message.vias().filter(Result::is_ok).count(), 81);
    assert_eq!(message.header_named(&name.to_lowercase()), Some(value.as_str()));
}

#[test]
fn octets_behind_the_body_of_a_datagram_are_not_read() {
    let two = "OPTIONS sip:x SIP/2.0\r\nContent-Length: 2\r\n\r\nhiINVITE sip:joe@example.com SIP/2.0\r\n";
    assert_eq!(parse(two).body(), "hi");
}

#[test]
fn without_content_length_the_body_is_the_rest_of_the_datagram() {
    let message = [with("").raw().as_ref(), b"\x00\xff\r\n\r\n"].concat();
    assert_eq!(parse(message).body(), b"\x00\xff\r\n\r\n".as_slice());
}

#[test]
fn semicolons_in_the_user_part_belong_to_the_user() {
    let message = parse("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\r\n\r\n");
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!((uri.user, uri.host), (Some("user;par=u%40example.net"), "example.com"));
    assert!(uri.params.is_empty());
}

#[test]
fn a_transport_nobody_knows_in_a_via() {
    let message = with("Via: SIP/2.0/UNKNOWN t2.example.com;branch=z9hG4bK2\r\n");
    assert_eq!(message.vias().nth(1).unwrap().unwrap().transport, "UNKNOWN");
    assert_eq!(message.request_fault(), None);
}

#[test]
fn line_ends_before_the_start_line() {
    let octets = [b"\r\n\r\n\r\n".as_slice(), with("Expires: 7\r\n").raw()].concat();
    assert_eq!(parse(octets).expires(), Some(7));
}

#[test]
fn a_reason_phrase_may_be_empty_or_in_any_language() {
    assert_eq!(parse("SIP/2.0 100 \r\nl: 0\r\n\r\n").reason(), Some(""));
    assert_eq!(parse("SIP/2.0 100\r\nl: 0\r\n\r\n").reason(), Some(""));
    let unusual = "= 2**3 * 5**2 но сто девяносто девять - простое";
    let message = parse(format!("sip/2.0 200 {unusual}\r\nl: 0\r\n\r\n"));
    assert_eq!((message.status(), message.reason()), (Some(200), Some(unusual)));
}

#[test]
fn ipv6_references_wherever_a_host_may_stand() {
    let message = parse(
        "REGISTER sip:[2001:db8::10]:5070 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKa\r\n\
         Via: SIP/2.0/UDP [2001:db8::9:2]:5061;received=2001:db8::9:256;branch=z9hG4bKb\r\n\
         From: <sip:u@x>;tag=1\r\nTo: <sip:u@x>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
         Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n\r\n",
    );
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!((uri.host, uri.port), ("2001:db8::10", Some(5070)));
    let vias: Vec<_> = message.vias().map(|via| via.unwrap()).collect();
    assert_eq!(
        (vias[0].host, vias[0].port, vias[0].received()),
        ("2001:db8::9:1", None, Some("2001:db8::9:255"))
    );
    assert_eq!(
        (vias[1].host, vias[1].port, vias[1].branch()),
        ("2001:db8::9:2", Some(5061), Some("z9hG4bKb"))
    );
    assert_eq!(message.contacts().next().unwrap().unwrap().parsed_uri().unwrap().host, "2001:db8::1");
    // Without a bracket before it, 5070 is part of the address (RFC 5118 §4.3).
    assert_eq!(Uri::parse("sip:[2001:db8::10:5070]").unwrap().port, None);
    // Three colons, which the grammar of RFC 3261 lets one write by mistake (RFC 5118 §4.10).
    assert_eq!(Uri::parse("sip:user@[2001:db8:::192.0.2.1]").unwrap().host, "2001:db8:::192.0.2.1");
}

#[test]
fn tel_and_sip_uris_of_an_ims_network() {
    let message = parse(
        "MESSAGE tel:+447700900001;phone-context=x SIP/2.0\r\n\
         P-Asserted-Identity: <sip:+447700900123@ims.example.org;user=phone>, <tel:+447700900123>\r\n\
         P-Asserted-Identity: tel:7042;phone-context=ims.example.org\r\n\
         Contact: <sip:001010000000001@[2001:db8::5]:31112;alias=2001:db8::6~5060~1>;+g.3gpp.smsip;\
         +sip.instance=\"<urn:gsma:imei:35824005-944763-0>\";q=1.0\r\n\r\n",
    );
    assert_eq!(Uri::parse(message.request_uri().unwrap()).unwrap().scheme, Scheme::Tel);
    let keys: Vec<_> =
        message.p_asserted_identities().map(|id| id.unwrap().parsed_uri().unwrap().aor_key()).collect();
    // An identity has no header parameters, so brackets or not, its parameters are the URI's (RFC 3325 §9.1).
    assert_eq!(keys, ["tel:+447700900123", "tel:+447700900123", "tel:7042;phone-context=ims.example.org"]);
    let contact = message.contacts().next().unwrap().unwrap();
    assert!(contact.params.contains("+g.3gpp.smsip"));
    assert_eq!(contact.param("+sip.instance"), Some("<urn:gsma:imei:35824005-944763-0>"));
}

#[test]
fn intervals_too_large_to_count_are_read_as_the_largest() {
    let message = with(
        "Expires: 10000000000\r\nMax-Forwards: 300\r\nRetry-After: 949302838503028349304978 (In a meeting)\r\n",
    );
    assert_eq!((message.expires(), message.max_forwards()), (Some(u32::MAX), Some(255)));
    assert_eq!(message.retry_after(), Some(u32::MAX));
}

#[test]
fn a_header_line_that_is_not_utf8_spoils_only_itself() {
    let text = b"MESSAGE sip:b@x SIP/2.0\r\nSubject: caf\xe9\r\nFrom: \"Jos\xe9\" <sip:jose@x>;tag=7\r\nExpires: 5\r\n\r\nbody";
    let message = parse(text);
    assert_eq!(message.header(Header::Subject), None);
    let from = message.from().unwrap();
    assert_eq!((from.display, from.uri, from.tag()), (None, "sip:jose@x", Some("7")));
    assert_eq!((message.expires(), message.body()), (Some(5), "body".into()));
}
