//! SUBSCRIBE and its answers (RFC 6665 §4.1.2, TS 24.341 §5.3.3.2).

use std::sync::Arc;
use std::time::Duration;

use smsc_proto::sip::transaction::Target;
use smsc_proto::sip::{Header, Message, Request as SipRequest, Uri};

use super::super::hops::Hop;
use super::super::register::backoff;
use super::super::{Client, Engine, Final, Now, Purpose};
use super::{CONFIRM, Dialog, MAX_FAILURES, Subscription};

/// The body we take.
pub(super) const ACCEPT: &str = "application/reginfo+xml";
/// How long to wait for the address of a next hop, or for room.
const LATER: Duration = Duration::from_secs(1);
/// Timer N, how long an accepted SUBSCRIBE waits for its NOTIFY (RFC 6665 §4.1.2.4).
const TIMER_N: Duration = Duration::from_secs(32);
/// As long waits one inside a dialog: the NOTIFY comes the way that earlier ones came.
const REFRESH_NOTIFY: Duration = Duration::from_secs(5);
/// The first pause after a failure; doubled for each that follows.
const PAUSE: u32 = 10;
/// The longest pause a Retry-After is obeyed for, in seconds.
const LONGEST_PAUSE: u32 = 3600;
/// Record-Routes remembered.
const MAX_ROUTES: usize = 16;

/// A SUBSCRIBE on its way.
#[derive(Debug)]
pub(in crate::engine) struct Sent {
    aor: Arc<str>,
    serial: u64,
    target: Target,
    /// Targets to which it could definitely not be sent.
    tried: Vec<Target>,
    /// Sent inside a dialog.
    refresh: bool,
    asked: u32,
}

impl Engine {
    /// Subscribes, or refreshes; nothing if a SUBSCRIBE is under way.
    pub(super) fn subscribe(&mut self, now: Now, aor: &Arc<str>, tried: Vec<Target>) {
        let Some(reg_event) = self.settings.reg_event.clone().filter(|_| !self.draining) else { return };
        let Some(known) = self.subscriptions.by_aor.get(aor) else { return };
        if known.request.is_some() {
            return;
        }
        let back = known.back.clone();
        let route = self.settings.s_cscf_uri.clone().or_else(|| known.base.s_cscf.clone());
        let hop_uri = match known.dialog.as_ref().filter(|dialog| dialog.remote_tag.is_some()) {
            Some(dialog) => Some(dialog.routes.first().unwrap_or(&dialog.remote_target).clone()),
            None => route.clone(),
        };
        let target = match hop_uri.as_deref().map(|uri| self.next_hop(now, uri, &tried)) {
            Some(Hop::Known(target)) => target,
            Some(Hop::Resolving) => return self.set_subscription_timer(aor, now.mono + LATER),
            _ if tried.contains(&back) => return self.subscription_failed(now, aor, "unsent", 0, None),
            _ => back,
        };
        let asked = u32::try_from(reg_event.expires.as_secs()).unwrap_or(u32::MAX);
        let (icid, branch, call_id) = (self.new_icid(), self.branch(), self.new_call_id());
        let (tag, serial) = (format!("{:x}", self.random.next()), self.next());
        let contact = format!("<{}>", self.settings.contact(hop_uri.as_deref(), target.transport));
        let charging_vector = self.charging_vector(&icid);
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        let asked = asked.max(known.min_expires);
        let dialog = known.dialog.get_or_insert_with(|| Dialog::new(call_id, tag, known.impu.clone()));
        dialog.cseq += 1;
        let refresh = dialog.remote_tag.is_some();
        self.subscriptions.by_call_id.insert(dialog.call_id.clone(), aor.clone());
        known.request = Some(serial);
        known.refresh = None;
        let identity = if reg_event.as_presentity { &known.impu } else { &known.own };
        let request = known
            .request(route.as_deref())
            .header(Header::Contact, &contact)
            .header(Header::Event, "reg")
            .header(Header::Accept, ACCEPT)
            .header(Header::Expires, &asked.to_string())
            .header(Header::PAssertedIdentity, &format!("<{identity}>"))
            .header(Header::PChargingVector, &charging_vector);
        tracing::debug!(impu = %known.impu, icid, refresh, "reg event: SUBSCRIBE");
        match self.sip.request(now.mono, target.clone(), request, &branch) {
            Ok(client) => {
                let sent = Sent { aor: aor.clone(), serial, target, tried, refresh, asked };
                self.clients.insert(client, Client::new(Purpose::Subscribe(Box::new(sent))));
            }
            Err(_) => {
                known.request = None;
                self.set_subscription_timer(aor, now.mono + LATER);
            }
        }
    }

    pub(in crate::engine) fn subscribe_answered(&mut self, now: Now, sent: Sent, result: Final<'_>) {
        let Sent { aor, serial, target, mut tried, refresh, asked } = sent;
        let known = self.subscriptions.by_aor.get_mut(&aor).filter(|known| known.request == Some(serial));
        let Some(known) = known else { return };
        known.request = None;
        let message = match result {
            Final::Response(message) => message,
            Final::Unsent => {
                self.hop_failed(now, target.clone());
                tried.push(target);
                return self.subscribe(now, &aor, tried);
            }
            Final::Timeout | Final::TransportError => {
                // What the other side still knows of the dialog is not known (RFC 3261 §12.2.1.2).
                self.subscriptions.drop_dialog(&aor);
                return self.subscription_failed(now, &aor, "no_answer", 0, None);
            }
        };
        let min_expires = || message.header(Header::MinExpires).and_then(|text| text.trim().parse().ok());
        match message.status().unwrap_or_default() {
            200..=299 => self.subscribed(now, &aor, message, asked, refresh),
            423 if min_expires().is_some_and(|least: u32| least > asked) => {
                known.min_expires = min_expires().unwrap_or(asked);
                self.subscribe(now, &aor, Vec::new());
            }
            481 if refresh => {
                self.count_subscription_failure("refused", 481);
                self.subscriptions.drop_dialog(&aor);
                self.subscription_lost(now, &aor);
            }
            // So answers Kamailio's own configuration for a dialog it does not know; overload says when to come again.
            500 if refresh && message.retry_after().is_none() => {
                self.count_subscription_failure("refused", 500);
                self.subscriptions.drop_dialog(&aor);
                self.subscribe_anew(now, &aor, 500);
            }
            status @ (408 | 500..=599) => {
                if status == 408 {
                    self.subscriptions.drop_dialog(&aor);
                }
                self.subscription_failed(now, &aor, "refused", status, message.retry_after());
            }
            status => self.subscription_off(&aor, "refused", status),
        }
    }

    /// The S-CSCF does not know the dialog any more: a new one at once, unless the registration is in doubt anyway.
    fn subscription_lost(&mut self, now: Now, aor: &Arc<str>) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        if known.doubt.is_some() || !known.wanted {
            self.forget_subscription(aor);
        } else {
            self.subscribe_anew(now, aor, 481);
        }
    }

    /// A new dialog in the place of one that the S-CSCF refused with `status`.
    fn subscribe_anew(&mut self, now: Now, aor: &Arc<str>, status: u16) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        known.awaiting = true;
        known.failures += 1;
        if known.failures > MAX_FAILURES {
            self.subscription_off(aor, "refused", status);
        } else {
            self.subscribe(now, aor, Vec::new());
        }
    }

    fn subscribed(&mut self, now: Now, aor: &Arc<str>, message: &Message, asked: u32, refreshed: bool) {
        let granted = message.expires().unwrap_or(asked).min(asked);
        let refresh = now.mono + self.refresh_delay(granted);
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        if granted == 0 {
            return self.subscription_off(aor, "expires_0", 200);
        }
        if let Some(dialog) = &mut known.dialog {
            let tag = message.to().ok().and_then(|to| to.tag().map(str::to_owned));
            // A route set once learnt stays (RFC 3261 §12.2.1.2); a NOTIFY may have come first.
            if dialog.remote_tag.is_none() {
                dialog.routes = record_route(message);
                dialog.routes.reverse();
                dialog.remote_tag = tag;
            }
            dialog.learn_target(message);
        }
        known.refresh = Some(refresh);
        known.refreshed = refreshed;
        let mut at = refresh;
        if known.awaiting {
            let wait = match known.is_unconfirmed(now) && known.contacts.complete() {
                true => CONFIRM,
                false if refreshed => REFRESH_NOTIFY,
                false => TIMER_N,
            };
            at = at.min(now.mono + wait);
        } else {
            known.failures = 0;
        }
        self.set_subscription_timer(aor, at);
    }

    /// Tried again after a pause; after [`MAX_FAILURES`] at the next REGISTER only.
    fn subscription_failed(
        &mut self,
        now: Now,
        aor: &Arc<str>,
        reason: &'static str,
        status: u16,
        retry_after: Option<u32>,
    ) {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        known.failures += 1;
        if known.failures > MAX_FAILURES {
            return self.subscription_off(aor, reason, status);
        }
        let pause = backoff(known.failures) * PAUSE;
        let asked = Duration::from_secs(retry_after.unwrap_or(0).min(LONGEST_PAUSE).into());
        self.count_subscription_failure(reason, status);
        let jitter = Duration::from_millis(self.random.below(LATER.as_millis() as u64));
        self.set_subscription_timer(aor, now.mono + pause.max(asked) + jitter);
    }
}

impl Subscription {
    /// The SUBSCRIBE with what the dialog decides (RFC 3261 §12.2.1.1).
    fn request(&self, first_hop: Option<&str>) -> SipRequest {
        let start = |uri: &str| SipRequest::new("SUBSCRIBE", uri).header(Header::MaxForwards, "70");
        let Some(dialog) = &self.dialog else { return start(&self.impu) };
        let Some(remote_tag) = &dialog.remote_tag else {
            let mut request = start(&self.impu);
            if let Some(route) = first_hop {
                let loose = if is_loose(route) { "" } else { ";lr" };
                request = request.header(Header::Route, &format!("<{route}{loose}>"));
            }
            return self.identify(dialog, request, format!("<{}>", self.impu));
        };
        let mut routes: Vec<&str> = dialog.routes.iter().map(String::as_str).collect();
        let mut uri = dialog.remote_target.as_str();
        if routes.first().is_some_and(|first| !is_loose(first)) {
            routes.push(uri);
            uri = routes.remove(0);
        }
        let request = routes
            .iter()
            .fold(start(uri), |request, route| request.header(Header::Route, &format!("<{route}>")));
        self.identify(dialog, request, format!("<{}>;tag={remote_tag}", self.impu))
    }

    fn identify(&self, dialog: &Dialog, request: SipRequest, to: String) -> SipRequest {
        request
            .header(Header::From, &format!("<{}>;tag={}", self.own, dialog.local_tag))
            .header(Header::To, &to)
            .header(Header::CallId, &dialog.call_id)
            .header(Header::CSeq, &format!("{} SUBSCRIBE", dialog.cseq))
    }
}

impl Dialog {
    fn new(call_id: String, local_tag: String, remote_target: String) -> Self {
        Self {
            call_id,
            local_tag,
            remote_tag: None,
            remote_target,
            routes: Vec::new(),
            cseq: 0,
            remote_cseq: None,
        }
    }

    /// SUBSCRIBE and NOTIFY refresh the target (RFC 6665 §4.4.1).
    pub(super) fn learn_target(&mut self, message: &Message) {
        if let Some(Ok(contact)) = message.contacts().next() {
            contact.uri.clone_into(&mut self.remote_target);
        }
    }
}

/// The Record-Routes of a message, in its order.
pub(super) fn record_route(message: &Message) -> Vec<String> {
    let routes = message.name_addrs(Header::RecordRoute).filter_map(Result::ok);
    routes.take(MAX_ROUTES).map(|route| route.uri.to_owned()).collect()
}

fn is_loose(route: &str) -> bool {
    Uri::parse(route).is_ok_and(|uri| uri.params.contains("lr"))
}
