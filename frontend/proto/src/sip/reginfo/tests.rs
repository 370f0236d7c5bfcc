use proptest::prelude::*;

use super::*;

/// The form Kamailio's S-CSCF writes: quotes inside the text, an empty feature tag.
const KAMAILIO: &str = "<?xml version=\"1.0\"?>\n\
    <reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"full\">\n\
    \t<registration aor=\"sip:+447700900002@ims.example\" id=\"0x7f01\" state=\"active\">\n\
    \t\t<contact id=\"0x7f02\" state=\"active\" event=\"registered\" expires=\"600\" q=\"0.500\">\n\
    \t\t\t<uri>sip:ue@10.9.0.1:5060;alias=10.9.0.1~5060~1</uri>\n\
    \t\t\t<unknown-param name=\"+g.3gpp.smsip\"></unknown-param>\n\
    \t\t\t<unknown-param name=\"+sip.instance\">\"&lt;urn:gsma:imei:35824005-944763-1&gt;\"</unknown-param>\n\
    \t\t\t<unknown-param name=\"+g.3gpp.icsi-ref\">\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"</unknown-param>\n\
    \t\t</contact>\n\t</registration>\n</reginfo>\n";

fn contact(id: &str, uri: &str, smsip: bool) -> RegisteredContact {
    RegisteredContact {
        id: id.to_owned(),
        active: true,
        event: ContactEvent::Registered,
        uri: uri.to_owned(),
        expires: None,
        smsip,
        instance: None,
    }
}

fn one(aor: &str, id: &str, state: RegistrationState, contacts: Vec<RegisteredContact>) -> Registration {
    Registration { aor: aor.to_owned(), id: id.to_owned(), state, contacts }
}

fn refused(document: &str) -> String {
    RegInfo::parse(document.as_bytes()).expect_err(document).to_string()
}

/// A document with this inside.
fn around(inside: &str) -> String {
    format!("<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='1' state='full'>{inside}</reginfo>")
}

#[test]
fn kamailios_form_is_read() {
    let expected = RegInfo {
        version: 0,
        extent: Extent::Full,
        registrations: vec![one(
            "sip:+447700900002@ims.example",
            "0x7f01",
            RegistrationState::Active,
            vec![RegisteredContact {
                expires: Some(600),
                instance: Some("urn:gsma:imei:35824005-944763-1".to_owned()),
                ..contact("0x7f02", "sip:ue@10.9.0.1:5060;alias=10.9.0.1~5060~1", true)
            }],
        )],
    };
    assert_eq!(RegInfo::parse(KAMAILIO.as_bytes()), Ok(expected));
}

/// Several registrations, extensions of other namespaces, a prefix, a missing `expires`, a URI with an ampersand.
#[test]
fn the_rfcs_form_is_read_and_what_is_not_known_is_passed_over() {
    let document = "<?xml version='1.0' encoding='UTF-8'?><!-- who is there --><r:reginfo \
        xmlns:r='urn:ietf:params:xml:ns:reginfo' xmlns:x='urn:other' version='7' state='partial'>\
        <r:registration aor='tel:+447700900002' id='a7' state='terminated'>\
        <r:contact id='1' state='terminated' event='unregistered' expires='-3'><r:uri>sip:a@b</r:uri></r:contact>\
        </r:registration><x:registration/>\
        <r:registration aor='sip:u@ims.example' id='a8' state='active' x:more='1'>\
        <r:contact id='2' state='active' event='created' x:uri='no'><x:uri>sip:wrong@b<x:uri/></x:uri>\
        <r:uri>sip:u@10.0.0.1?a=b&amp;c=&#100;</r:uri><r:display-name>U</r:display-name>\
        <r:unknown-param name='+G.3GPP.SMSIP'/><r:unknown-param name='+sip.instance'><![CDATA[<urn:uuid:1>]]>\
        </r:unknown-param></r:contact></r:registration>\
        <r:registration aor='sip:v@ims.example' id='a9' state='init'/></r:reginfo>";
    let gone = RegisteredContact {
        active: false,
        event: ContactEvent::Unregistered,
        expires: Some(0),
        ..contact("1", "sip:a@b", false)
    };
    let there = RegisteredContact {
        event: ContactEvent::Created,
        instance: Some("urn:uuid:1".to_owned()),
        ..contact("2", "sip:u@10.0.0.1?a=b&c=d", true)
    };
    let expected = RegInfo {
        version: 7,
        extent: Extent::Partial,
        registrations: vec![
            one("tel:+447700900002", "a7", RegistrationState::Terminated, vec![gone]),
            one("sip:u@ims.example", "a8", RegistrationState::Active, vec![there]),
            one("sip:v@ims.example", "a9", RegistrationState::Init, vec![]),
        ],
    };
    assert_eq!(RegInfo::parse(document.as_bytes()), Ok(expected));
}

#[test]
fn the_events_of_a_contact_are_told_apart() {
    use ContactEvent::*;
    let known = [
        ("registered", Registered),
        ("created", Created),
        ("refreshed", Refreshed),
        ("shortened", Shortened),
        ("expired", Expired),
        ("deactivated", Deactivated),
        ("probation", Probation),
        ("unregistered", Unregistered),
        ("rejected", Rejected),
        ("evaporated", Other),
    ];
    for (word, event) in known {
        let document = around(&format!(
            "<registration aor='sip:a@b' id='1' state='active'>\
             <contact id='1' state='active' event='{word}'><uri>sip:c@d</uri></contact></registration>"
        ));
        let info = RegInfo::parse(document.as_bytes()).unwrap();
        assert_eq!(info.registrations[0].contacts[0].event, event, "{word}");
    }
}

#[test]
fn the_feature_tag_counts_unless_it_says_false() {
    let forms = [
        ("<unknown-param name='+g.3gpp.smsip'/>", true),
        ("<unknown-param name='+g.3gpp.smsip'>\"\"</unknown-param>", true),
        ("<unknown-param name='+g.3gpp.smsip'>TRUE</unknown-param>", true),
        ("<unknown-param name='+g.3gpp.smsip'>\"FALSE\"</unknown-param>", false),
        ("<unknown-param name='+g.3gpp.smsip-msisdn-less'/>", false),
        ("<unknown-param>+g.3gpp.smsip</unknown-param>", false),
        ("", false),
    ];
    for (parameter, smsip) in forms {
        let document = around(&format!(
            "<registration aor='sip:a@b' id='1' state='active'><contact id='1' state='active' event='registered'>\
             <uri>sip:c@d</uri>{parameter}</contact></registration>"
        ));
        let expected = one("sip:a@b", "1", RegistrationState::Active, vec![contact("1", "sip:c@d", smsip)]);
        assert_eq!(RegInfo::parse(document.as_bytes()).unwrap().registrations, [expected], "{parameter}");
    }
}

#[test]
fn what_is_refused_is_refused_with_place_and_reason() {
    let registration = "<registration aor='sip:a@b' id='1' state='active'>";
    let cases = [
        (String::new(), "octet 0: not one reginfo element"),
        ("hello".to_owned(), "octet 0: text outside the root element"),
        (format!("hello{}", around("")), "octet 0: text outside the root element"),
        (format!("{}hello", around("")), "text outside the root element"),
        (format!("{}&amp;", around("")), "text outside the root element"),
        (format!("<![CDATA[ ]]>{}", around("")), "text outside the root element"),
        ("<a/>".to_owned(), "octet 0: not one reginfo element"),
        (
            "<reginfo xmlns='urn:other' version='1' state='full'/>".to_owned(),
            "octet 0: not one reginfo element",
        ),
        ("<!DOCTYPE r [<!ENTITY a \"b\">]><r/>".to_owned(), "octet 0: a document type declaration"),
        ("<!DOCTYPE r SYSTEM 'http://a/b'>".to_owned(), "octet 0: a document type declaration"),
        ("<reginfo state='full'/>".to_owned(), "octet 0: version is missing"),
        ("<reginfo version='-1' state='full'/>".to_owned(), "octet 0: version has an unknown value"),
        ("<reginfo version='1' state='some'/>".to_owned(), "octet 0: state of reginfo has an unknown value"),
        ("<reginfo version='1' state='&x;'/>".to_owned(), "octet 0: an entity of its own"),
        (around("<registration id='1' state='active'/>"), "octet 73: aor is missing"),
        (
            around("<registration aor='sip:a@b' id='1' state='no'/>"),
            "state of registration has an unknown value",
        ),
        (around(&format!("{registration}<contact id='1' event='created'/>")), "state of contact is missing"),
        (around(&format!("{registration}<contact id='1' state='active'/>")), "uri of contact is missing"),
        (
            around(&format!("{registration}<contact id='1' state='active'><uri>sip:&x;</uri>")),
            "an entity of its own",
        ),
        (around(registration), "not XML"),
        ("<reginfo version='1' state='full'>".to_owned(), "ends inside an element"),
        (format!("{}{}", around(""), around("")), "not one reginfo element"),
        (around(&"<a>".repeat(MAX_REGINFO_DEPTH)), "elements more than 16 deep"),
        (
            around(&"<registration aor='a:b' id='1' state='init'/>".repeat(MAX_REGISTRATIONS + 1)),
            "more than 64 registrations",
        ),
        (
            around(&format!(
                "{registration}{}",
                "<contact id='1' state='active'><uri>a:b</uri></contact>".repeat(MAX_CONTACTS + 1)
            )),
            "more than 256 contacts",
        ),
        (
            around(&format!("<registration aor='{}' id='1' state='active'/>", "a".repeat(1025))),
            "aor is longer than 1024 octets",
        ),
        (
            around(&format!(
                "{registration}<contact id='1' state='active'><uri>{}</uri>",
                "&#97;".repeat(1025)
            )),
            "the text of an element is longer than 1024 octets",
        ),
        (
            format!("{}{}", around(""), " ".repeat(MAX_REGINFO)),
            "octet 65536: the document is longer than 65536",
        ),
    ];
    for (document, reason) in cases {
        let error = refused(&document);
        assert!(error.contains(reason), "{error}\n{reason}\n{document:.200}");
    }
    let many: String = (0..40).map(|n| format!(" a{n}='1'")).collect();
    assert!(refused(&format!("<reginfo{many}/>")).contains("more than 32 attributes"));
    assert_eq!(RegInfo::parse(b"<a>\xff").unwrap_err().to_string(), "octet 3: not UTF-8");
}

proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RegInfo::parse(&octets);
    }

    #[test]
    fn no_change_to_a_document_makes_the_reader_panic(
        at in 0..KAMAILIO.len(),
        length in 0..40usize,
        put in "[<>&;#x\"'=/! a-z0-9]{0,12}",
    ) {
        let mut octets = KAMAILIO.as_bytes().to_vec();
        octets.splice(at..(at + length).min(KAMAILIO.len()), put.bytes());
        let _ = RegInfo::parse(&octets);
    }

    #[test]
    fn no_heap_of_tags_makes_the_reader_panic(
        tags in proptest::collection::vec("<(/|!|\\?)?(reginfo|registration|contact|uri|x:y)( [a-z]+=\"[^<\"]{0,8}\")*/?>", 0..40),
    ) {
        let _ = RegInfo::parse(tags.concat().as_bytes());
    }
}
