//! The body of a NOTIFY of the `reg` event.

use std::fmt::Write as _;

use smsc_proto::sip::reginfo::{
    ContactEvent, Extent, MAX_CONTACTS, MAX_REGINFO, MAX_REGISTRATIONS, RegInfo, RegisteredContact,
    RegistrationState,
};

use crate::Meter;

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let info = match meter.watch(|| RegInfo::parse(input)) {
        Ok(info) => info,
        Err(error) => {
            assert!(error.octet <= input.len(), "the place of an error is in the document: {error}");
            assert!(error.to_string().len() < 1024, "an error that repeats its input");
            return;
        }
    };
    assert!(input.len() <= MAX_REGINFO && info.registrations.len() <= MAX_REGISTRATIONS);
    let contacts: usize = info.registrations.iter().map(|registration| registration.contacts.len()).sum();
    assert!(contacts <= MAX_CONTACTS);

    let stable = |contact: &RegisteredContact| {
        trimmed(&contact.uri) == contact.uri
            && contact.instance.iter().all(|instance| trimmed(instance) == instance)
    };
    if info.registrations.iter().flat_map(|registration| &registration.contacts).all(stable) {
        let text = written(&info);
        if text.len() <= MAX_REGINFO {
            assert_eq!(RegInfo::parse(text.as_bytes()).as_ref(), Ok(&info), "{text}");
        }
    }
}

/// A URI or an instance as it is taken out of a document.
fn trimmed(uri: &str) -> &str {
    uri.trim().trim_start_matches('<').trim_end_matches('>')
}

fn written(info: &RegInfo) -> String {
    let extent = if info.extent == Extent::Full { "full" } else { "partial" };
    let mut out = format!(
        "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{}\" state=\"{extent}\">",
        info.version
    );
    for registration in &info.registrations {
        let state = match registration.state {
            RegistrationState::Init => "init",
            RegistrationState::Active => "active",
            RegistrationState::Terminated => "terminated",
        };
        let (aor, id) = (escaped(&registration.aor), escaped(&registration.id));
        let _ = write!(out, "<registration aor=\"{aor}\" id=\"{id}\" state=\"{state}\">");
        registration.contacts.iter().for_each(|contact| write_contact(contact, &mut out));
        out.push_str("</registration>");
    }
    out.push_str("</reginfo>");
    out
}

fn write_contact(contact: &RegisteredContact, out: &mut String) {
    let state = if contact.active { "active" } else { "terminated" };
    let event = match contact.event {
        ContactEvent::Registered => "registered",
        ContactEvent::Created => "created",
        ContactEvent::Refreshed => "refreshed",
        ContactEvent::Shortened => "shortened",
        ContactEvent::Expired => "expired",
        ContactEvent::Deactivated => "deactivated",
        ContactEvent::Probation => "probation",
        ContactEvent::Unregistered => "unregistered",
        ContactEvent::Rejected => "rejected",
        ContactEvent::Other => "other",
    };
    let _ = write!(out, "<contact id=\"{}\" state=\"{state}\" event=\"{event}\"", escaped(&contact.id));
    if let Some(expires) = contact.expires {
        let _ = write!(out, " expires=\"{expires}\"");
    }
    let _ = write!(out, "><uri>{}</uri>", escaped(&contact.uri));
    if contact.smsip {
        out.push_str("<unknown-param name=\"+g.3gpp.smsip\"/>");
    }
    if let Some(instance) = &contact.instance {
        let instance = escaped(&format!("\"<{instance}>\""));
        let _ = write!(out, "<unknown-param name=\"+sip.instance\">{instance}</unknown-param>");
    }
    out.push_str("</contact>");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' | '\t' | '\r' | '\n' | '\u{85}' | '\u{2028}' => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}
