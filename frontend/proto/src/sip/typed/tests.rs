use proptest::prelude::*;

use super::super::uri::Uri;
use super::warning::unescaped;
use super::*;

fn message(headers: &str) -> Message {
    let head = "MESSAGE sip:a@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n\
                To: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n";
    Message::parse(format!("{head}{headers}Content-Length: 0\r\n\r\n").into()).unwrap()
}

fn uris<'a>(parties: impl Iterator<Item = Result<NameAddr<'a>, HeaderError>>) -> Vec<&'a str> {
    parties.map(|party| party.unwrap().uri).collect()
}

#[test]
fn events_and_subscription_states_have_a_word_and_parameters() {
    let message =
        message("o: reg;id=7\r\nSubscription-State: Terminated;reason=probation;retry-after=99999999999\r\n");
    let (event, state) = (message.event().unwrap(), message.subscription_state().unwrap());
    assert_eq!((event.value, event.param("id"), event.is("REG")), ("reg", Some("7"), true));
    assert_eq!((state.is("terminated"), state.param("reason")), (true, Some("probation")));
    assert_eq!((state.number("retry-after"), state.number("expires")), (Some(u32::MAX), None));
    assert_eq!(super::tests::message("").event().map_err(|error| error.problem), Err(Problem::Missing));
    assert_eq!(
        super::tests::message("Event: re g\r\n").event().map_err(|error| error.problem),
        Err(Problem::NotAToken)
    );
}

#[test]
fn reasons_and_warnings_say_why() {
    let message = message(
        "Reason: Q.850;cause=16;text=\"Terminated, \\\"really\\\"\", SIP ;cause=600\r\n\
         Warning: 307 isi.edu \"Session parameter 'foo' not understood\", 399 [2001:db8::1]:5060 \"a \\\\ b, c\"\r\n\
         Warning: 39 x \"y\", 399 x, 399 x y, 399 x \"y\" z\r\n",
    );
    let reasons: Vec<_> = message.reasons().map(Result::unwrap).collect();
    assert_eq!((reasons[0].value, reasons[0].number("cause")), ("Q.850", Some(16)));
    assert_eq!(
        reasons[0].param("text").map(|text| unescaped(text)).as_deref(),
        Some("Terminated, \"really\"")
    );
    assert_eq!(
        (reasons[1].value, reasons[1].number("cause"), reasons[1].param("text")),
        ("SIP", Some(600), None)
    );
    let warnings: Vec<_> = message.warnings().map(|warning| warning.map_err(|error| error.problem)).collect();
    assert_eq!(
        warnings,
        [
            Ok(Warning { code: 307, agent: "isi.edu", text: "Session parameter 'foo' not understood" }),
            Ok(Warning { code: 399, agent: "[2001:db8::1]:5060", text: "a \\\\ b, c" }),
            Err(Problem::NotANumber),
            Err(Problem::Missing),
            Err(Problem::OpenQuote),
            Err(Problem::Trailing),
        ]
    );
    assert_eq!(unescaped("a \\\\ b\\\""), "a \\ b\"");
}

#[test]
fn preferences_and_capabilities_are_features_behind_a_star() {
    let message = message(
        "a: *;+g.3gpp.smsip;require;explicit, *;audio;methods=\"INVITE,BYE\"\r\n\
         Feature-Caps: *;+g.3gpp.smsip-msisdn-less;+g.3gpp.iari-ref=\"urn%3Aurn-7%3A3gpp\"\r\n\
         d: no-fork, queue\r\nAccept: application/vnd.3gpp.sms, text/*;q=0.5, */*;q=0.1\r\n",
    );
    let contacts: Vec<_> = message.accept_contacts().map(Result::unwrap).collect();
    assert!(contacts[0].params.contains("+g.3gpp.smsip") && contacts[0].params.contains("require"));
    assert_eq!((contacts[1].value, contacts[1].param("methods")), ("*", Some("INVITE,BYE")));
    let caps = message.feature_caps().next().unwrap().unwrap();
    assert_eq!(caps.params.get("+g.3gpp.smsip-msisdn-less"), Some(None));
    assert_eq!(caps.param("+g.3gpp.iari-ref"), Some("urn%3Aurn-7%3A3gpp"));
    assert_eq!(message.request_dispositions().collect::<Result<Vec<_>, _>>().unwrap(), ["no-fork", "queue"]);
    let accepts: Vec<_> = message
        .accepts()
        .map(|range| range.map(|range| (range.media_type, range.param("q"))).unwrap())
        .collect();
    assert_eq!(accepts, [("application/vnd.3gpp.sms", None), ("text/*", Some("0.5")), ("*/*", Some("0.1"))]);
}

#[test]
fn what_a_body_is_is_told_beside_its_type() {
    let message = message(
        "Content-Disposition: render;handling=optional\r\ne: gzip, identity\r\nContent-Language: en-GB, fr\r\n",
    );
    let disposition = message.content_disposition().unwrap();
    assert_eq!((disposition.value, disposition.param("handling")), ("render", Some("optional")));
    assert_eq!(message.content_encodings().collect::<Result<Vec<_>, _>>().unwrap(), ["gzip", "identity"]);
    assert_eq!(message.content_languages().collect::<Result<Vec<_>, _>>().unwrap(), ["en-GB", "fr"]);
}

#[test]
fn routes_of_a_registration_keep_their_order() {
    let message = message(
        "Path: <sip:term@pcscf1.visited.example;lr>, <sip:ibcf.visited.example;lr;ob>\r\n\
         Service-Route: <sip:orig@scscf1.home.example;lr>\r\nP-Associated-URI: <sip:a@x>, <tel:+15551234567>;q=1\r\n",
    );
    assert_eq!(
        uris(message.paths()),
        ["sip:term@pcscf1.visited.example;lr", "sip:ibcf.visited.example;lr;ob"]
    );
    assert_eq!(uris(message.service_routes()), ["sip:orig@scscf1.home.example;lr"]);
    assert_eq!(uris(message.p_associated_uris()), ["sip:a@x", "tel:+15551234567"]);
}

#[test]
fn users_and_networks_are_told_apart() {
    let message = message(
        "P-Served-User: \"Bob\" <sip:bob@x>;sescase=ORIG;regstate=unreg\r\nP-Called-Party-ID: sip:user1-business@example.com\r\n\
         P-Visited-Network-ID: \"Visited network number 1\", other.net\r\n\
         P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100019B01;network-provided\r\n",
    );
    let served = message.p_served_user().unwrap();
    assert_eq!((served.user.uri, served.session_case()), ("sip:bob@x", Some(SessionCase::Originating)));
    assert_eq!(served.registered(), Some(false));
    assert_eq!(message.p_called_party_id().unwrap().uri, "sip:user1-business@example.com");
    let networks: Vec<_> = message.p_visited_network_ids().map(|network| network.unwrap().value).collect();
    assert_eq!(networks, ["Visited network number 1", "other.net"]);
    let access = message.p_access_network_infos().next().unwrap().unwrap();
    assert_eq!(
        (access.value, access.param("utran-cell-id-3gpp")),
        ("3GPP-E-UTRAN-FDD", Some("0010100019B01"))
    );
    assert!(access.params.contains("network-provided"));
}

#[test]
fn charging_headers_are_parameters_without_a_value_in_front() {
    let message = message(
        "P-Charging-Vector: orig-ioi=home1.net;icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\" ;\
         icid-generated-at=192.0.6.8;term-ioi=\"home 2\"\r\n\
         P-Charging-Function-Addresses: ccf=192.0.8.1; ccf=[2001:db8::2] ;ecf=192.0.8.3;ecf=\"aaa://b;transport=tcp\"\r\n",
    );
    let vector = message.p_charging_vector().unwrap();
    assert_eq!(
        (vector.icid(), vector.generated_at(), vector.orig_ioi(), vector.term_ioi()),
        ("AyretyU0dm+6O2IrT5tAFrbHLso=023551024", Some("192.0.6.8"), Some("home1.net"), Some("home 2"))
    );
    let functions = message.p_charging_function_addresses().unwrap();
    assert_eq!(functions.ccf().collect::<Vec<_>>(), ["192.0.8.1", "[2001:db8::2]"]);
    assert_eq!(functions.ecf().collect::<Vec<_>>(), ["192.0.8.3", "aaa://b;transport=tcp"]);
    for (header, problem) in [
        ("orig-ioi=x", Problem::Missing),
        ("icid-value=", Problem::Missing),
        ("icid-value=\"x", Problem::OpenQuote),
    ] {
        assert_eq!(ChargingVector::parse(header), Err(problem), "{header}");
    }
}

proptest! {
    /// A value written by the grammar reads back.
    #[test]
    fn a_value_with_parameters_reads_back(
        value in "[a-zA-Z0-9.!%*_+`'~-]{1,20}",
        names in prop::collection::btree_map("[a-z][a-z0-9-]{0,9}", prop::option::of(("[a-zA-Z0-9 ;,<>=@]{0,12}", any::<bool>())), 0..5),
    ) {
        let mut written = value.clone();
        let mut expected = Vec::new();
        for (name, content) in &names {
            written.push_str(" ; ");
            written.push_str(name);
            if let Some((content, _)) = content {
                written.push_str(&format!(" = \"{content}\""));
            }
            expected.push((name.as_str(), content.as_ref().map(|(content, _)| content.as_str())));
        }
        let read = Valued::parse(&written).unwrap();
        prop_assert_eq!(read.value, &value);
        prop_assert_eq!(read.params.iter().collect::<Vec<_>>(), expected);
        let warning = format!("399 {value} \"{}\"", written.replace(['\\', '"'], ""));
        prop_assert_eq!(Warning::parse(&warning).map(|warning| warning.agent), Ok(value.as_str()));
    }

    /// Whatever stands in a header: a value or an error.
    #[test]
    fn any_text_is_read_or_refused(text in "([ -~]|[\"\\\\;,<>=é]){0,60}") {
        let _ = (Valued::parse(&text), Warning::parse(&text).map(|warning| unescaped(warning.text).len()));
        let _ = (ChargingVector::parse(&text), ChargingFunctionAddresses::parse(&text).map(|f| f.ccf().count()));
        let _ = ServedUser::parse(&text).map(|served| (served.session_case(), served.registered(), Uri::parse(served.user.uri).is_ok()));
    }
}
