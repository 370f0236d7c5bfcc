//! What the documents of one subscription have told: who is registered with which contacts. Pure.

use std::time::{Duration, Instant};

use smsc_proto::sip::Uri;
use smsc_proto::sip::reginfo::{
    ContactEvent, Extent, MAX_CONTACTS, MAX_REGISTRATIONS, RegInfo, RegisteredContact, Registration,
    RegistrationState,
};

/// The active contacts of every address of record.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    version: Option<u32>,
    registrations: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    id: String,
    aor: Aor,
    contacts: Vec<Contact>,
}

/// An address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aor {
    /// As the document has it.
    pub(super) uri: String,
    /// The comparable form.
    pub(super) key: String,
}

/// An active contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contact {
    id: String,
    pub(super) uri: String,
    pub(super) smsip: bool,
    pub(super) imei: Option<String>,
    /// When it runs out, where that was said.
    pub(super) until: Option<Instant>,
    /// It was bound, not refreshed.
    pub(super) new: bool,
}

/// What became of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It counts; these addresses of record may stand otherwise now.
    Taken(Vec<Touched>),
    /// It is older than what is known.
    Old,
    /// Something before it is missing.
    Gap,
}

/// An address of record a document spoke of, or was silent of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) aor: Aor,
    /// The document itself says that the last contact is gone.
    pub(super) terminated: bool,
}

/// How an address of record stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// A handset does SMS over IP here.
    Smsip(&'a Contact),
    /// There are contacts, but none does SMS over IP.
    Other(&'a Contact),
    /// No active contact.
    Gone,
}

impl Contacts {
    /// Takes a document (RFC 3680 §5.1).
    pub(super) fn apply(&mut self, now: Instant, info: RegInfo) -> Applied {
        let mut touched = Vec::new();
        match (info.extent, self.version) {
            (Extent::Full, _) => {
                touched.extend(self.registrations.drain(..).map(|known| (known.aor, false)));
            }
            (Extent::Partial, Some(known)) if info.version <= known => return Applied::Old,
            (Extent::Partial, Some(known)) if info.version == known.saturating_add(1) => {}
            (Extent::Partial, _) => return Applied::Gap,
        }
        self.version = Some(info.version);
        for registration in info.registrations {
            // A wildcard stands for identities nobody can send to (TS 23.003 §13.4B).
            let Ok(uri) = Uri::parse(&registration.aor) else { continue };
            if registration.aor.contains('!') {
                continue;
            }
            let aor = Aor { key: uri.aor_key(), uri: registration.aor.clone() };
            touched.push((aor.clone(), registration.state == RegistrationState::Terminated));
            self.registration(now, aor, registration);
        }
        let mut merged: Vec<Touched> = Vec::new();
        for (aor, terminated) in touched {
            match merged.iter_mut().find(|touched| touched.aor.key == aor.key) {
                Some(touched) => touched.terminated |= terminated,
                None => merged.push(Touched { aor, terminated }),
            }
        }
        Applied::Taken(merged)
    }

    fn registration(&mut self, now: Instant, aor: Aor, registration: Registration) {
        let Registration { id, state, contacts, .. } = registration;
        let at = self.registrations.iter().position(|known| known.id == id);
        if state != RegistrationState::Active {
            if let Some(at) = at {
                self.registrations.remove(at);
            }
            return;
        }
        let mut room = MAX_CONTACTS.saturating_sub(self.registrations.iter().map(|k| k.contacts.len()).sum());
        let known = match at {
            Some(at) => &mut self.registrations[at],
            None if self.registrations.len() >= MAX_REGISTRATIONS => return,
            None => {
                self.registrations.push(Known { id, aor, contacts: Vec::new() });
                let last = self.registrations.len() - 1;
                &mut self.registrations[last]
            }
        };
        for contact in contacts {
            let before = known.contacts.len();
            known.contacts.retain(|old| old.id != contact.id);
            room += before - known.contacts.len();
            if contact.active && room > 0 {
                room -= 1;
                known.contacts.push(Contact::of(now, contact));
            }
        }
    }

    /// How an address of record stands; the newest contact speaks for it.
    pub(super) fn standing(&self, key: &str) -> Standing<'_> {
        let of_key = self.registrations.iter().filter(|known| known.aor.key == key);
        let mut contacts = of_key.flat_map(|known| &known.contacts).rev();
        let Some(newest) = contacts.clone().next() else { return Standing::Gone };
        match contacts.find(|contact| contact.smsip) {
            Some(contact) => Standing::Smsip(contact),
            None => Standing::Other(newest),
        }
    }

    /// The addresses of record that have contacts.
    pub(super) fn active(&self) -> impl Iterator<Item = &Aor> {
        self.registrations.iter().filter(|known| !known.contacts.is_empty()).map(|known| &known.aor)
    }

    /// True unless everything was told and no handset that does SMS over IP is at this address of record.
    pub(super) fn may_do_smsip(&self, key: &str) -> bool {
        !self.complete() || matches!(self.standing(key), Standing::Smsip(_))
    }

    /// True once everything was told.
    pub(super) fn complete(&self) -> bool {
        self.version.is_some()
    }
}

impl Contact {
    fn of(now: Instant, contact: RegisteredContact) -> Self {
        let RegisteredContact { id, active: _, event, uri, expires, smsip, instance } = contact;
        let imei = instance.as_deref().and_then(|instance| instance.strip_prefix("urn:gsma:imei:"));
        Self {
            id,
            uri,
            smsip,
            imei: imei.map(str::to_owned),
            until: expires.map(|seconds| now + Duration::from_secs(seconds.into())),
            new: matches!(event, ContactEvent::Registered | ContactEvent::Created),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Said<'a> = (&'a str, RegistrationState, &'a [(&'a str, bool, bool)]);

    fn info(version: u32, extent: Extent, aors: &[Said<'_>]) -> RegInfo {
        let contact = |(id, active, smsip): &(&str, bool, bool)| RegisteredContact {
            id: (*id).to_owned(),
            active: *active,
            event: ContactEvent::Refreshed,
            uri: format!("sip:{id}@10.0.0.1"),
            expires: None,
            smsip: *smsip,
            instance: None,
        };
        let registrations = aors.iter().map(|(aor, state, contacts)| Registration {
            aor: (*aor).to_owned(),
            id: format!("id of {aor}"),
            state: *state,
            contacts: contacts.iter().map(contact).collect(),
        });
        RegInfo { version, extent, registrations: registrations.collect() }
    }

    fn standing(contacts: &Contacts, aor: &str) -> &'static str {
        match contacts.standing(&Uri::parse(aor).unwrap().aor_key()) {
            Standing::Smsip(_) => "smsip",
            Standing::Other(_) => "other",
            Standing::Gone => "gone",
        }
    }

    #[test]
    fn a_full_document_replaces_all_and_a_partial_one_follows_its_predecessor() {
        use Extent::{Full, Partial};
        use RegistrationState::{Active, Init, Terminated};
        let (a, b) = ("sip:a@x", "tel:+4477");
        let mut contacts = Contacts::default();
        let mut step = |document, expected: (&str, &str)| {
            let applied = contacts.apply(Instant::now(), document);
            assert_eq!((standing(&contacts, a), standing(&contacts, b)), expected);
            match applied {
                Applied::Taken(touched) => {
                    touched.iter().map(|t| (t.aor.uri.clone(), t.terminated)).collect()
                }
                other => vec![(format!("{other:?}"), false)],
            }
        };
        let said = |what: &[(&str, bool)]| -> Vec<(String, bool)> {
            what.iter().map(|(text, terminated)| ((*text).to_owned(), *terminated)).collect()
        };
        let both: &[_] = &[("1", true, true), ("2", true, false)];
        assert_eq!(step(info(3, Partial, &[(a, Active, both)]), ("gone", "gone")), said(&[("Gap", false)]));
        assert_eq!(step(info(3, Full, &[(a, Active, both)]), ("smsip", "gone")), said(&[(a, false)]));
        assert_eq!(
            step(info(4, Partial, &[(a, Active, &[("1", false, true)])]), ("other", "gone")),
            said(&[(a, false)])
        );
        assert_eq!(
            step(info(4, Partial, &[(a, Terminated, &[])]), ("other", "gone")),
            said(&[("Old", false)])
        );
        assert_eq!(
            step(info(6, Partial, &[(a, Terminated, &[])]), ("other", "gone")),
            said(&[("Gap", false)])
        );
        assert_eq!(
            step(info(5, Partial, &[(b, Active, &[("9", true, true)])]), ("other", "smsip")),
            said(&[(b, false)])
        );
        assert_eq!(
            step(info(1, Full, &[(b, Terminated, &[]), ("sip:!.*!@x", Active, both)]), ("gone", "gone")),
            said(&[(a, false), (b, true)])
        );
        assert_eq!(step(info(2, Partial, &[(a, Init, &[])]), ("gone", "gone")), said(&[(a, false)]));
    }
}
