//! reg event documents: what must be read is compared with a plain reading of the same XML, element by element.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;
use smsc_proto::sip::reginfo::{
    ContactEvent, Extent, RegInfo, RegisteredContact, Registration, RegistrationState,
};

/// What is wrong with our reading of a document that is valid, not valid, or of which either may be said.
pub(crate) fn judge(valid: &Value, octets: &[u8]) -> Vec<String> {
    match (valid.as_bool(), RegInfo::parse(octets)) {
        (Some(false), Ok(info)) => vec![format!("read, where it must be refused: {info:?}")],
        (Some(true), Err(error)) => vec![format!("not read: {error}")],
        (_, Err(_)) => vec![],
        (_, Ok(info)) => {
            let plain = plainly(octets);
            if info == plain { vec![] } else { vec![format!("read as {info:?}, it is {plain:?}")] }
        }
    }
}

/// The document with nothing checked: attributes and texts where RFC 3680 §5 puts them.
fn plainly(octets: &[u8]) -> RegInfo {
    let text = std::str::from_utf8(octets).unwrap();
    let mut reader = Reader::from_str(text);
    let mut info = RegInfo { version: 0, extent: Extent::Full, registrations: vec![] };
    let (mut text, mut parameter) = (String::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => {
                text.clear();
                match element.name().as_ref() {
                    "reginfo" => {
                        info.version = attribute(&element, "version").unwrap().parse().unwrap();
                        let partial = attribute(&element, "state").unwrap() == "partial";
                        info.extent = if partial { Extent::Partial } else { Extent::Full };
                    }
                    "registration" => info.registrations.push(registration(&element)),
                    "contact" => info.registrations.last_mut().unwrap().contacts.push(contact(&element)),
                    "unknown-param" => parameter = attribute(&element, "name").unwrap(),
                    _ => {}
                }
                if parameter == "+g.3gpp.smsip" {
                    info.registrations.last_mut().unwrap().contacts.last_mut().unwrap().smsip = true;
                }
            }
            Event::Text(more) => text.push_str(&more),
            Event::GeneralRef(reference) => text.push(match &*reference {
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => '&',
            }),
            Event::End(element) => {
                let contact = info.registrations.last_mut().and_then(|found| found.contacts.last_mut());
                match (element.name().as_ref(), contact) {
                    ("uri", Some(contact)) => text.trim().clone_into(&mut contact.uri),
                    ("unknown-param", Some(contact)) if parameter == "+sip.instance" => {
                        let value = text.trim().trim_matches(['"', '<', '>']);
                        contact.instance = Some(value.to_owned());
                    }
                    _ => {}
                }
                parameter.clear();
            }
            Event::Eof => return info,
            _ => {}
        }
    }
}

fn registration(element: &BytesStart<'_>) -> Registration {
    Registration {
        aor: attribute(element, "aor").unwrap(),
        id: attribute(element, "id").unwrap(),
        state: match attribute(element, "state").unwrap().as_str() {
            "init" => RegistrationState::Init,
            "active" => RegistrationState::Active,
            _ => RegistrationState::Terminated,
        },
        contacts: vec![],
    }
}

fn contact(element: &BytesStart<'_>) -> RegisteredContact {
    RegisteredContact {
        id: attribute(element, "id").unwrap(),
        active: attribute(element, "state").unwrap() == "active",
        event: match attribute(element, "event").unwrap_or_default().as_str() {
            "registered" => ContactEvent::Registered,
            "created" => ContactEvent::Created,
            "refreshed" => ContactEvent::Refreshed,
            "shortened" => ContactEvent::Shortened,
            "expired" => ContactEvent::Expired,
            "deactivated" => ContactEvent::Deactivated,
            "probation" => ContactEvent::Probation,
            "unregistered" => ContactEvent::Unregistered,
            "rejected" => ContactEvent::Rejected,
            _ => ContactEvent::Other,
        },
        uri: String::new(),
        expires: attribute(element, "expires").map(|seconds| seconds.parse().unwrap()),
        smsip: false,
        instance: None,
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.try_get_attribute(name).unwrap()?;
    Some(found.normalized_value(XmlVersion::Explicit1_0).unwrap().into_owned())
}
