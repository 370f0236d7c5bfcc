//! The `reg` event (RFC 6665, RFC 3680, TS 24.341 §5.3.3.2): the S-CSCF tells each subscriber's contacts.
//!
//! A third-party REGISTER starts a subscription to its public identity. What NOTIFYs tell corrects what the REGISTER
//! alone could not know: whether a contact does SMS over IP, and whether one is left. One subscription for each
//! identity, at this pod only; after a restart NOTIFYs get 481, and the next REGISTER begins anew.

mod contacts;
mod locations;
mod notify;
mod subscribe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_backend::{Location, LocationRemoval};
use smsc_proto::sip::Message;
use smsc_proto::sip::transaction::Target;

use super::identity::Identity;
use super::metrics::AnswerLabel;
use super::register::backoff;
use super::uas::Request;
use super::{Call, Engine, Now, Timer};
use contacts::{Contacts, Standing};
use locations::Told;
pub(super) use subscribe::Sent;

/// After so many failures in a row nothing is tried before the next REGISTER.
const MAX_FAILURES: u32 = 5;
/// The S-CSCF tells of a registration about when it sends the third-party REGISTER. If nothing was told by then it is
/// asked: Kamailio tells an application server of contacts that go, not of those that come.
const CONFIRM: Duration = Duration::from_secs(2);

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    by_aor: FxHashMap<Arc<str>, Subscription>,
    by_call_id: FxHashMap<String, Arc<str>>,
}

/// One subscription.
#[derive(Debug)]
struct Subscription {
    /// The identity as the REGISTER has it: what is subscribed to.
    impu: String,
    /// This application server as the S-CSCF knows it.
    own: String,
    /// Where the REGISTER came from.
    back: Target,
    /// What the last REGISTER told.
    base: Location,
    /// The registration it told of has not been taken back.
    wanted: bool,
    /// When that REGISTER came, until a document bears it out.
    unconfirmed: Option<Instant>,
    dialog: Option<Dialog>,
    /// The SUBSCRIBE under way.
    request: Option<u64>,
    /// The timer that counts, and when it fires.
    timer: (u64, Instant),
    /// The last SUBSCRIBE was accepted; when it is to be refreshed.
    refresh: Option<Instant>,
    /// Min-Expires of a 423, in seconds.
    min_expires: u32,
    /// A document is due: what is known may be incomplete or out of date.
    awaiting: bool,
    /// The SUBSCRIBE whose document is due was sent inside the dialog.
    refreshed: bool,
    /// A refresh was accepted and no document followed (Kamailio 5.6): only a new dialog brings one.
    mute: bool,
    failures: u32,
    /// How often the S-CSCF ended it since it last stood to its refresh.
    remade: u32,
    contacts: Contacts,
    /// What the backend was told of each address of record.
    told: FxHashMap<String, Told>,
    /// A REGISTER took the registration back though a contact seemed left: carried out unless a document contradicts.
    doubt: Option<LocationRemoval>,
}

/// The contact that speaks for an identity, as documents told it.
#[derive(Debug)]
pub(super) struct KnownContact {
    /// It does SMS over IP.
    pub(super) smsip: bool,
    pub(super) uri: String,
    pub(super) imei: Option<String>,
}

/// The dialog of a subscription (RFC 3261 §12, RFC 6665 §4.4.1).
#[derive(Debug)]
struct Dialog {
    call_id: String,
    local_tag: String,
    remote_tag: Option<String>,
    remote_target: String,
    routes: Vec<String>,
    cseq: u32,
    remote_cseq: Option<u32>,
}

impl Subscription {
    /// A REGISTER has just come, and no document has borne it out.
    fn is_unconfirmed(&self, now: Now) -> bool {
        self.doubt.is_none() && self.unconfirmed.is_some_and(|at| now.mono < at + CONFIRM)
    }
}

impl Subscriptions {
    /// The subscription whose dialog a NOTIFY belongs to.
    fn find(&self, message: &Message) -> Option<Arc<str>> {
        let aor = self.by_call_id.get(message.call_id().ok()?)?;
        let dialog = self.by_aor.get(aor)?.dialog.as_ref()?;
        let (to, from) = (message.to().ok()?, message.from().ok()?);
        let theirs = from.tag()?;
        let same = to.tag() == Some(&dialog.local_tag)
            && dialog.remote_tag.as_deref().is_none_or(|known| known == theirs);
        same.then(|| aor.clone())
    }

    fn withdraw_doubt(&mut self, aor: &str) {
        if let Some(subscription) = self.by_aor.get_mut(aor) {
            subscription.doubt = None;
        }
    }

    fn drop_dialog(&mut self, aor: &str) {
        let dialog = self.by_aor.get_mut(aor).and_then(|subscription| subscription.dialog.take());
        if let Some(dialog) = dialog {
            self.by_call_id.remove(&dialog.call_id);
        }
    }
}

impl Engine {
    /// Follows a registration that a REGISTER told of.
    pub(super) fn watch(&mut self, now: Now, identity: &Identity, request: &Request, base: Location) {
        if self.settings.reg_event.is_none() {
            return;
        }
        let aor: Arc<str> = Arc::from(identity.aor.as_str());
        let back = way_back(request);
        let told = Told::by_register(now.mono, &base);
        let over = |known: &Subscription| known.base.s_cscf != base.s_cscf || !known.wanted;
        if self.subscriptions.by_aor.get(&aor).is_some_and(over) {
            // Another S-CSCF, or another registration: nothing that was told of the old one counts any more.
            self.subscriptions.withdraw_doubt(&aor);
            self.forget_subscription(&aor);
        }
        match self.subscriptions.by_aor.get_mut(&aor) {
            Some(known) => {
                known.told.entry(identity.aor.clone()).or_default().registered_again(told);
                (known.base, known.back, known.wanted, known.failures) = (base, back, true, 0);
                (known.doubt, known.unconfirmed) = (None, Some(now.mono));
                if known.dialog.is_none() {
                    self.subscribe(now, &aor, Vec::new());
                } else if known.request.is_none() {
                    (known.awaiting, known.refreshed) = (true, false);
                    self.set_subscription_timer(&aor, now.mono + CONFIRM);
                }
            }
            None => {
                let told = [(identity.aor.clone(), told)].into_iter().collect();
                let unconfirmed = Some(now.mono);
                let subscription = Subscription { told, unconfirmed, ..self.subscription(now, back, base) };
                self.begin_subscription(now, &aor, subscription);
            }
        }
    }

    /// A REGISTER took a registration back. True if a contact that does SMS over IP may be left, as when one of several
    /// went: then the S-CSCF is asked, and its answer decides. So it is where no document has come here: another pod may
    /// know, or this one before its restart.
    pub(super) fn unwatch(
        &mut self,
        now: Now,
        identity: &Identity,
        request: &Request,
        base: Location,
        removal: &LocationRemoval,
    ) -> bool {
        let aor: Arc<str> = Arc::from(identity.aor.as_str());
        // A pod that is going away cannot wait for the answer.
        let asks = self.settings.reg_event.is_some() && !self.draining;
        let doubt = Some(removal.clone());
        match self.subscriptions.by_aor.get_mut(&aor) {
            Some(known) if asks && known.contacts.may_do_smsip(&aor) => {
                (known.doubt, known.awaiting) = (doubt, true);
                self.subscribe(now, &aor, Vec::new());
                true
            }
            Some(known) => {
                known.wanted = false;
                known.told.entry(aor.to_string()).or_default().gone = true;
                false
            }
            None if asks => {
                let subscription = self.subscription(now, way_back(request), base);
                self.begin_subscription(now, &aor, Subscription { doubt, ..subscription })
            }
            None => false,
        }
    }

    fn subscription(&self, now: Now, back: Target, base: Location) -> Subscription {
        Subscription {
            impu: base.impu.clone(),
            own: self.own_uri(None),
            back,
            base,
            wanted: true,
            unconfirmed: None,
            dialog: None,
            request: None,
            timer: (0, now.mono),
            refresh: None,
            min_expires: 0,
            awaiting: true,
            refreshed: false,
            mute: false,
            failures: 0,
            remade: 0,
            contacts: Contacts::default(),
            told: FxHashMap::default(),
            doubt: None,
        }
    }

    /// False if there is no room for it.
    fn begin_subscription(&mut self, now: Now, aor: &Arc<str>, subscription: Subscription) -> bool {
        if self.subscriptions.by_aor.len() >= self.settings.caps.subscriptions {
            self.count_subscription_failure("full", 0);
            return false;
        }
        self.subscriptions.by_aor.insert(aor.clone(), subscription);
        self.count_subscriptions();
        self.subscribe(now, aor, Vec::new());
        true
    }

    /// What is known of the contacts of an identity besides its REGISTER.
    pub(super) fn known_contact(&self, aor: &str) -> Option<KnownContact> {
        let (smsip, contact) = match self.subscriptions.by_aor.get(aor)?.contacts.standing(aor) {
            Standing::Smsip(contact) => (true, contact),
            Standing::Other(contact) => (false, contact),
            Standing::Gone => return None,
        };
        Some(KnownContact { smsip, uri: contact.uri.clone(), imei: contact.imei.clone() })
    }

    /// A subscription's timer: it is refreshed, tried again, or let go.
    pub(super) fn subscription_due(&mut self, now: Now, aor: &Arc<str>, serial: u64) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        if known.timer.0 != serial || known.request.is_some() {
            return;
        }
        if !known.wanted && known.contacts.active().next().is_none() {
            return self.forget_subscription(aor);
        }
        if known.awaiting && known.refresh.is_some() {
            // Accepted, or a REGISTER came, but no NOTIFY (RFC 6665 §4.1.2.4).
            known.failures += 1;
            known.mute |= known.refreshed;
            let mute = known.mute;
            if known.failures > MAX_FAILURES {
                return self.subscription_off(aor, "no_notify", 0);
            }
            if mute {
                self.subscriptions.drop_dialog(aor);
            }
        } else if known.refresh.is_some() {
            known.remade = 0;
        }
        self.subscribe(now, aor, Vec::new());
    }

    /// A document that does not bear out the REGISTER that has just come may be older than it: Kamailio sends that one
    /// before it saves the contact. The S-CSCF is asked again.
    fn contradicted(&mut self, now: Now, aor: &Arc<str>) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        (known.awaiting, known.refreshed) = (true, false);
        if known.request.is_none() {
            self.set_subscription_timer(aor, now.mono + CONFIRM);
        }
    }

    /// Documents are missing or cannot be read: the next SUBSCRIBE brings everything (RFC 3680 §5.1).
    fn resynchronise(&mut self, now: Now, aor: &Arc<str>) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        known.awaiting = true;
        known.refresh = None;
        known.failures += 1;
        match known.failures {
            1 => self.subscribe(now, aor, Vec::new()),
            2..=MAX_FAILURES => {
                let delay = backoff(known.failures);
                self.set_subscription_timer(aor, now.mono + delay);
            }
            _ => self.subscription_off(aor, "no_document", 0),
        }
    }

    /// Nothing more is tried before the next REGISTER.
    fn subscription_off(&mut self, aor: &str, reason: &'static str, status: u16) {
        tracing::warn!(impu = aor, reason, status, "reg event: off until the next REGISTER");
        self.count_subscription_failure(reason, status);
        self.forget_subscription(aor);
    }

    /// Carries out every removal that waits for the S-CSCF's answer: a pod that is going away cannot wait for it.
    pub(super) fn settle_doubts(&mut self) {
        let doubted = self.subscriptions.by_aor.iter().filter(|(_, known)| known.doubt.is_some());
        let doubted: Vec<Arc<str>> = doubted.map(|(aor, _)| aor.clone()).collect();
        for aor in doubted {
            self.forget_subscription(&aor);
        }
    }

    /// Ends a subscription here; a removal that waited for it is carried out.
    fn forget_subscription(&mut self, aor: &str) {
        self.subscriptions.drop_dialog(aor);
        let Some(known) = self.subscriptions.by_aor.remove(aor) else { return };
        self.count_subscriptions();
        let Some(removal) = known.doubt else { return };
        if let Some(identity) = Identity::of(&known.impu, &self.settings) {
            self.subscribers.forget(&identity);
        }
        for member in known.contacts.active().filter(|member| *member.key != *aor) {
            let removal =
                LocationRemoval { impu: member.uri.clone(), call_id: None, cseq: None, ..removal.clone() };
            self.write_location(&member.key, Call::DeleteLocation(removal));
        }
        self.write_location(aor, Call::DeleteLocation(removal));
    }

    fn set_subscription_timer(&mut self, aor: &Arc<str>, at: Instant) {
        let serial = self.next();
        if let Some(known) = self.subscriptions.by_aor.get_mut(aor) {
            known.timer = (serial, at);
            self.schedule.set(at, Timer::Subscription(aor.clone(), serial));
        }
    }

    /// Half the lifetime before the end, at most 600 s (TS 24.229 §5.1.1.3), and up to a tenth of that earlier: what
    /// was begun together shall not be refreshed together.
    fn refresh_delay(&mut self, granted: u32) -> Duration {
        let granted = Duration::from_secs(granted.into());
        let lead = (granted / 2).min(Duration::from_secs(600));
        let jitter = u64::try_from(lead.as_millis() / 10).unwrap_or(0);
        granted - lead - Duration::from_millis(self.random.below(jitter + 1)).min(granted - lead)
    }

    fn count_subscription_failure(&self, reason: &'static str, status: u16) {
        self.metrics.subscription_failures.get_or_create(&AnswerLabel { reason, status }).inc();
    }

    fn count_subscriptions(&self) {
        self.metrics.subscriptions.set(i64::try_from(self.subscriptions.by_aor.len()).unwrap_or(i64::MAX));
    }
}

/// Where a REGISTER came from.
fn way_back(request: &Request) -> Target {
    Target::new(Some(request.flow.transport), request.flow.remote)
}
