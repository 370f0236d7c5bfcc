//! What a handset has received: parts put together, copies it has already shown.

use std::collections::{BTreeMap, VecDeque};

use smsc_proto::sms::{Address, Deliver, Part, join_text};

/// Long messages whose parts are awaited; beyond, the oldest is given up.
const ASSEMBLIES: usize = 16;
/// TPDUs whose report did not get through; beyond, the oldest is forgotten.
const UNREPORTED: usize = 32;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) from: String,
    pub(super) text: String,
    pub(super) parts: usize,
}

/// What an SMS-DELIVER came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// A message is complete.
    Whole(Whole),
    /// Others of its parts are missing.
    Part { sequence: u8, total: u8 },
    /// The service centre repeats what was not acknowledged; it is here already.
    Repeat,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    assemblies: VecDeque<Assembly>,
    unreported: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
struct Assembly {
    oa: Address,
    reference: u16,
    total: u8,
    parts: BTreeMap<u8, Part>,
}

/// What makes two SMS-DELIVERs the same: all but the first octet, where TP-MMS may differ from attempt to attempt.
pub(super) fn fingerprint(tpdu: &[u8]) -> Vec<u8> {
    tpdu.get(1..).unwrap_or_default().to_vec()
}

impl Inbox {
    /// Takes an SMS-DELIVER.
    pub(super) fn take(&mut self, deliver: &Deliver<'_>, fingerprint: &[u8]) -> Came {
        if self.unreported.iter().any(|known| known == fingerprint) {
            return Came::Repeat;
        }
        let ud = &deliver.ud;
        let Some(place) = ud.concatenation() else {
            let text = ud.text().unwrap_or_else(|error| format!("({error})"));
            return Came::Whole(Whole { from: deliver.oa.as_dialled(), text, parts: 1 });
        };
        let part = Part { dcs: ud.dcs, header: ud.header, length: ud.length, octets: ud.octets.to_vec() };
        let (reference, total) = (place.reference, place.total);
        let at = self
            .assemblies
            .iter()
            .position(|a| a.oa == deliver.oa && a.reference == reference && a.total == total)
            .unwrap_or_else(|| {
                if self.assemblies.len() == ASSEMBLIES {
                    self.assemblies.pop_front();
                }
                let parts = BTreeMap::new();
                self.assemblies.push_back(Assembly { oa: deliver.oa, reference, total, parts });
                self.assemblies.len() - 1
            });
        let complete = self.assemblies.get_mut(at).is_some_and(|assembly| {
            assembly.parts.insert(place.sequence, part);
            assembly.parts.len() == usize::from(total)
        });
        match if complete { self.assemblies.remove(at) } else { None } {
            Some(assembly) => Came::Whole(assembly.join()),
            None => Came::Part { sequence: place.sequence, total },
        }
    }

    /// The report on this SMS-DELIVER did not get through, so the next copy of it is not news.
    pub(super) fn not_reported(&mut self, fingerprint: Vec<u8>) {
        if !self.unreported.contains(&fingerprint) {
            self.unreported.push_back(fingerprint);
        }
        if self.unreported.len() > UNREPORTED {
            self.unreported.pop_front();
        }
    }

    /// The report on this SMS-DELIVER is out: an equal one from now on is another message.
    pub(super) fn reported(&mut self, fingerprint: &[u8]) {
        self.unreported.retain(|known| known != fingerprint);
    }
}

impl Assembly {
    fn join(&self) -> Whole {
        let parts: Vec<_> = self.parts.values().map(Part::as_user_data).collect();
        let text = join_text(&parts).unwrap_or_else(|error| format!("({error})"));
        Whole { from: self.oa.as_dialled(), text, parts: parts.len() }
    }
}
