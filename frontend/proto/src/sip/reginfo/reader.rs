//! From octets to [`RegInfo`], one XML event at a time.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::error::{RegInfoError, RegInfoProblem as Problem};
use super::{
    ContactEvent, Extent, MAX_CONTACTS, MAX_REGINFO, MAX_REGINFO_DEPTH, MAX_REGISTRATIONS, RegInfo,
    RegisteredContact, Registration, RegistrationState,
};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:reginfo";
const MAX_ATTRIBUTES: usize = 32;
/// The longest URI, id or parameter value.
const MAX_VALUE: usize = 1024;
/// As much of what the XML reader says.
const MAX_DETAIL: usize = 120;

pub(super) fn read(octets: &[u8]) -> Result<RegInfo, RegInfoError> {
    let at = |octet, problem| RegInfoError { octet, problem };
    if octets.len() > MAX_REGINFO {
        return Err(at(MAX_REGINFO, Problem::TooLong(MAX_REGINFO)));
    }
    let text = std::str::from_utf8(octets).map_err(|error| at(error.valid_up_to(), Problem::NotUtf8))?;
    let mut reader = NsReader::from_str(text);
    let mut builder = Builder::default();
    loop {
        let octet = position(reader.buffer_position());
        let (namespace, event) = match reader.read_resolved_event() {
            Ok((namespace, event)) => (is_ours(&namespace), event),
            Err(error) => {
                let detail = error.to_string().chars().take(MAX_DETAIL).collect();
                return Err(at(position(reader.error_position()), Problem::Xml(detail)));
            }
        };
        if matches!(event, Event::Eof) {
            return builder.finish().map_err(|problem| at(octet, problem));
        }
        builder.event(namespace, &event).map_err(|problem| at(octet, problem))?;
    }
}

fn position(octet: u64) -> usize {
    usize::try_from(octet).unwrap_or(usize::MAX)
}

/// An element without a namespace counts as ours: peers leave the declaration out.
fn is_ours(namespace: &ResolveResult<'_>) -> bool {
    match namespace {
        ResolveResult::Bound(Namespace(name)) => *name == NAMESPACE,
        ResolveResult::Unbound => true,
        ResolveResult::Unknown(_) => false,
    }
}

/// What was read so far, and where in it we are.
#[derive(Default)]
struct Builder {
    depth: usize,
    /// The depth of an element that is passed over with all that is in it.
    passed_over: Option<usize>,
    info: Option<RegInfo>,
    contacts: usize,
    registration: Option<Registration>,
    contact: Option<RegisteredContact>,
    has_uri: bool,
    leaf: Option<Leaf>,
    text: String,
}

/// An element whose text counts.
enum Leaf {
    Uri,
    Parameter(String),
}

impl Builder {
    fn event(&mut self, ours: bool, event: &Event<'_>) -> Result<(), Problem> {
        match event {
            Event::Text(text) if self.depth == 0 => {
                // A byte order mark may stand in front of all.
                let blank = text.chars().all(|letter| letter.is_ascii_whitespace() || letter == '\u{feff}');
                if blank { Ok(()) } else { Err(Problem::Outside) }
            }
            Event::CData(_) | Event::GeneralRef(_) if self.depth == 0 => Err(Problem::Outside),
            Event::Start(element) => self.start(ours, element),
            Event::Empty(element) => {
                self.start(ours, element)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.text(resolve(reference)?.encode_utf8(&mut [0; 4])),
            Event::DocType(_) => Err(Problem::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, ours: bool, element: &BytesStart<'_>) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_REGINFO_DEPTH {
            return Err(Problem::TooDeep(MAX_REGINFO_DEPTH));
        }
        if self.passed_over.is_some() {
            return Ok(());
        }
        let name = element.local_name();
        match (self.depth, name.into_inner()) {
            (1, "reginfo") if ours && self.info.is_none() => self.reginfo(element),
            (1, _) => Err(Problem::Root),
            (2, "registration") if ours => self.registration(element),
            (3, "contact") if ours => self.contact(element),
            (4, "uri") if ours => {
                self.leaf = Some(Leaf::Uri);
                Ok(())
            }
            (4, "unknown-param") if ours => {
                let [name] = attributes(element, ["name"])?;
                self.leaf = Some(Leaf::Parameter(name.unwrap_or_default()));
                Ok(())
            }
            (depth, _) => {
                self.passed_over = Some(depth);
                Ok(())
            }
        }
    }

    fn reginfo(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        let [version, state] = attributes(element, ["version", "state"])?;
        let version = version.ok_or(Problem::Missing("version"))?;
        let version = version.trim().parse().map_err(|_| Problem::Value("version"))?;
        let extent = match state.ok_or(Problem::Missing("state of reginfo"))?.trim() {
            "full" => Extent::Full,
            "partial" => Extent::Partial,
            _ => return Err(Problem::Value("state of reginfo")),
        };
        self.info = Some(RegInfo { version, extent, registrations: Vec::new() });
        Ok(())
    }

    fn registration(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        if self.info.as_ref().is_some_and(|info| info.registrations.len() >= MAX_REGISTRATIONS) {
            return Err(Problem::TooMany { what: "registrations", limit: MAX_REGISTRATIONS });
        }
        let [aor, id, state] = attributes(element, ["aor", "id", "state"])?;
        let state = match state.ok_or(Problem::Missing("state of registration"))?.trim() {
            "init" => RegistrationState::Init,
            "active" => RegistrationState::Active,
            "terminated" => RegistrationState::Terminated,
            _ => return Err(Problem::Value("state of registration")),
        };
        let aor = aor.ok_or(Problem::Missing("aor"))?.trim().to_owned();
        let id = id.ok_or(Problem::Missing("id of registration"))?;
        self.registration = Some(Registration { aor, id, state, contacts: Vec::new() });
        Ok(())
    }

    fn contact(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        self.contacts += 1;
        if self.contacts > MAX_CONTACTS {
            return Err(Problem::TooMany { what: "contacts", limit: MAX_CONTACTS });
        }
        let [id, state, event, expires] = attributes(element, ["id", "state", "event", "expires"])?;
        let active = match state.ok_or(Problem::Missing("state of contact"))?.trim() {
            "active" => true,
            "terminated" => false,
            _ => return Err(Problem::Value("state of contact")),
        };
        self.contact = Some(RegisteredContact {
            id: id.ok_or(Problem::Missing("id of contact"))?,
            active,
            event: event.as_deref().map_or(ContactEvent::Other, contact_event),
            uri: String::new(),
            expires: expires.as_deref().and_then(seconds),
            smsip: false,
            instance: None,
        });
        self.has_uri = false;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Problem> {
        if self.leaf.is_none() || self.passed_over.is_some() {
            return Ok(());
        }
        if self.text.len() + text.len() > MAX_VALUE {
            return Err(Problem::ValueTooLong { what: "the text of an element", limit: MAX_VALUE });
        }
        self.text.push_str(text);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        if let Some(passed_over) = self.passed_over {
            if passed_over == depth {
                self.passed_over = None;
            }
            return Ok(());
        }
        match depth {
            4 => self.leaf_ends(),
            3 => {
                if !self.has_uri {
                    return Err(Problem::Missing("uri of contact"));
                }
                if let (Some(registration), Some(contact)) = (&mut self.registration, self.contact.take()) {
                    registration.contacts.push(contact);
                }
            }
            2 => {
                if let (Some(info), Some(registration)) = (&mut self.info, self.registration.take()) {
                    info.registrations.push(registration);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn leaf_ends(&mut self) {
        let text = std::mem::take(&mut self.text);
        let (Some(leaf), Some(contact)) = (self.leaf.take(), &mut self.contact) else { return };
        match leaf {
            Leaf::Uri => {
                text.trim().trim_start_matches('<').trim_end_matches('>').clone_into(&mut contact.uri);
                self.has_uri = !contact.uri.is_empty();
            }
            Leaf::Parameter(name) => {
                // Kamailio writes the quotes of the parameter into the text.
                let value = text.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "+g.3gpp.smsip" => contact.smsip = !value.eq_ignore_ascii_case("false"),
                    "+sip.instance" => {
                        let value = value.trim_start_matches('<').trim_end_matches('>');
                        contact.instance = Some(value.to_owned()).filter(|value| !value.is_empty());
                    }
                    _ => {}
                }
            }
        }
    }

    fn finish(self) -> Result<RegInfo, Problem> {
        if self.depth > 0 {
            return Err(Problem::Unfinished);
        }
        self.info.ok_or(Problem::Root)
    }
}

/// The values of these attributes.
fn attributes<const N: usize>(
    element: &BytesStart<'_>,
    wanted: [&'static str; N],
) -> Result<[Option<String>; N], Problem> {
    let mut found = [const { None }; N];
    for (count, attribute) in element.attributes().enumerate() {
        if count >= MAX_ATTRIBUTES {
            return Err(Problem::TooMany { what: "attributes", limit: MAX_ATTRIBUTES });
        }
        let attribute = attribute.map_err(|error| Problem::Xml(error.to_string()))?;
        let Some(index) = wanted.iter().position(|name| *name == attribute.key.into_inner()) else {
            continue;
        };
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| Problem::Entity)?;
        if value.len() > MAX_VALUE {
            return Err(Problem::ValueTooLong { what: wanted[index], limit: MAX_VALUE });
        }
        found[index] = Some(value.into_owned());
    }
    Ok(found)
}

/// A character reference, or one of the five entities of XML itself (XML 1.0 §4.6).
pub(in crate::sip) fn resolve(reference: &BytesRef<'_>) -> Result<char, Problem> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| Problem::Entity)? {
        return Ok(character);
    }
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(Problem::Entity),
    }
}

/// Peers write what is left of a contact that has run out as a negative number.
fn seconds(text: &str) -> Option<u32> {
    let seconds: i64 = text.trim().parse().ok()?;
    Some(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX))
}

fn contact_event(word: &str) -> ContactEvent {
    match word.trim() {
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
    }
}
