//! From contacts to locations: each address of record is judged by itself (TS 24.341 §5.3.3.2, annex B.4).

use std::sync::Arc;
use std::time::{Duration, Instant};

use smsc_backend::{Location, LocationEvent, LocationRemoval};

use super::super::identity::{Identity, Subscriber};
use super::super::{Call, Engine, Now};
use super::contacts::{Aor, Contact, Standing, Touched};

/// Assumed where nothing says how long a contact lasts.
const DEFAULT_EXPIRES: u32 = 3600;
/// A lifetime that grew by less than this is no news.
const NEWS: Duration = Duration::from_secs(60);

/// What the backend was told of an address of record.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    contact: Option<String>,
    capable: bool,
    until: Option<Instant>,
    /// A contact that does SMS over IP was seen in a document.
    smsip: bool,
    /// Its location was removed.
    pub(super) gone: bool,
}

impl Told {
    /// What a REGISTER wrote.
    pub(super) fn by_register(now: Instant, base: &Location) -> Self {
        Self {
            contact: base.contact.clone(),
            capable: base.ims_capable,
            until: Some(now + Duration::from_secs(base.expires.into())),
            smsip: false,
            gone: false,
        }
    }

    /// A REGISTER wrote anew.
    pub(super) fn registered_again(&mut self, by_register: Self) {
        *self = Self { smsip: self.smsip && !self.gone, ..by_register };
    }
}

/// What a document means for a location.
enum Verdict {
    Insert(Contact, bool),
    Delete,
    Nothing,
}

impl Engine {
    /// Tells the backend what a document has changed.
    pub(super) fn judge(&mut self, now: Now, aor: &Arc<str>, touched: &[Touched]) {
        // Who takes a registration back had one, and another pod may have told the backend of it.
        let doubted = self.subscriptions.by_aor.get(aor).is_some_and(|known| known.doubt.is_some());
        for Touched { aor: member, terminated } in touched {
            let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
            let told = known.told.get(&member.key);
            let written = told.map_or(doubted, |told| !told.gone);
            let verdict = match known.contacts.standing(&member.key) {
                Standing::Smsip(contact) => Verdict::Insert(contact.clone(), true),
                // The last that did SMS over IP is gone; that others are left does not matter.
                Standing::Other(_) if told.map_or(doubted, |told| told.smsip || told.gone) => {
                    if written {
                        Verdict::Delete
                    } else {
                        Verdict::Nothing
                    }
                }
                Standing::Other(contact) => Verdict::Insert(contact.clone(), false),
                Standing::Gone if written || (*terminated && told.is_none()) => Verdict::Delete,
                Standing::Gone => Verdict::Nothing,
            };
            match verdict {
                Verdict::Insert(contact, smsip) => self.contact_is_there(now, aor, member, &contact, smsip),
                Verdict::Delete => self.contact_is_gone(aor, member),
                Verdict::Nothing => {}
            }
            if *member.key == **aor
                && let Some(known) = self.subscriptions.by_aor.get_mut(aor)
            {
                // Whatever it said has decided.
                known.doubt = None;
            }
        }
        if let Some(known) = self.subscriptions.by_aor.get_mut(aor) {
            let contacts = &known.contacts;
            // What is gone for good is forgotten: this grows no further than the contacts do.
            known
                .told
                .retain(|key, told| !told.gone || **key == **aor || contacts.standing(key) != Standing::Gone);
        }
        self.learn_members(now, aor);
    }

    fn contact_is_there(&mut self, now: Now, aor: &Arc<str>, member: &Aor, contact: &Contact, smsip: bool) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        let presentity = *member.key == **aor;
        let told = known.told.entry(member.key.clone()).or_default();
        let until =
            contact.until.or(told.until).or(Some(now.mono + Duration::from_secs(DEFAULT_EXPIRES.into())));
        let same = !told.gone && told.contact.as_ref() == Some(&contact.uri) && told.capable == smsip;
        let longer = until.is_some_and(|until| told.until.is_none_or(|known| until > known + NEWS));
        told.smsip |= smsip;
        if same && !longer {
            return;
        }
        let event = if contact.new && !same { LocationEvent::Registered } else { LocationEvent::Refreshed };
        let (smsip_seen, contact_uri) = (told.smsip, contact.uri.clone());
        *told = Told { contact: Some(contact_uri), capable: smsip, until, smsip: smsip_seen, gone: false };
        known.wanted |= presentity;
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now.mono));
        let base = known.base.clone();
        let location = Location {
            ims_capable: smsip,
            contact: Some(contact.uri.clone()),
            imei: contact.imei.clone().or_else(|| base.imei.clone().filter(|_| presentity)),
            expires: u32::try_from(left.as_secs()).unwrap_or(u32::MAX),
            event,
            ..base
        };
        let location = self.of_member(aor, member, location);
        let what = if smsip { "does SMS over IP" } else { "does no SMS over IP" };
        self.tell(None, "reg_event", || format!("{} is at {}, which {what}", location.impu, contact.uri));
        self.registrar.writes_for(now, location.expires);
        self.write_location(&member.key, Call::InsertLocation(location));
    }

    /// What is particular to the member of an implicit registration set. It has the set's number, if none of its own.
    fn of_member(&self, aor: &Arc<str>, member: &Aor, location: Location) -> Location {
        let number = |uri: &str| Identity::of(uri, &self.settings).and_then(|i| i.number).map(|n| n.digits);
        let set = self.subscriptions.by_aor.get(aor).into_iter().flat_map(|known| known.contacts.active());
        let of_set = || set.map(|other| number(&other.uri)).find_map(|number| number);
        if *member.key == **aor {
            return Location { msisdn: location.msisdn.clone().or_else(of_set), ..location };
        }
        let msisdn = number(&member.uri).or_else(|| location.msisdn.clone()).or_else(of_set);
        Location { msisdn, impu: member.uri.clone(), call_id: None, cseq: None, ..location }
    }

    fn contact_is_gone(&mut self, aor: &Arc<str>, member: &Aor) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        let presentity = *member.key == **aor;
        let told = known.told.entry(member.key.clone()).or_default();
        *told = Told { gone: true, ..Told::default() };
        if presentity {
            known.wanted = false;
        }
        let impu = if presentity { known.impu.clone() } else { member.uri.clone() };
        // No REGISTER speaks here, so no CSeq can be compared; a doubt has the one of its REGISTER.
        let plain = LocationRemoval { impu, s_cscf: known.base.s_cscf.clone(), call_id: None, cseq: None };
        let removal = known.doubt.take().filter(|_| presentity).unwrap_or(plain);
        if let Some(identity) = Identity::of(&removal.impu, &self.settings) {
            self.subscribers.forget(&identity);
        }
        self.tell(None, "reg_event", || format!("{} has no contact for SMS over IP left", removal.impu));
        self.write_location(&member.key, Call::DeleteLocation(removal));
    }

    /// Reports are matched by implicit registration set (design §4): its members are known now.
    fn learn_members(&mut self, now: Now, aor: &Arc<str>) {
        let Some(known) = self.subscriptions.by_aor.get(aor) else { return };
        let Some(until) = known.told.get(&**aor).filter(|told| !told.gone).and_then(|told| told.until) else {
            return;
        };
        let Some(identity) = Identity::of(&known.impu, &self.settings) else { return };
        let members: Vec<Identity> =
            known.contacts.active().filter_map(|member| Identity::of(&member.uri, &self.settings)).collect();
        let number = |identity: &Identity| identity.number.as_ref().map(|number| number.digits.clone());
        let subscriber = Subscriber {
            msisdn: known.base.msisdn.clone().or_else(|| members.iter().find_map(number)),
            imsi: known.base.imsi.clone(),
            s_cscf: known.base.s_cscf.clone(),
            until,
        };
        self.subscribers.learn(now.mono, &identity, subscriber, members.iter());
    }
}
