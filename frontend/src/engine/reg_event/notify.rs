//! NOTIFY: what the S-CSCF tells (RFC 6665 §4.1.3).

use std::sync::Arc;
use std::time::Duration;

use smsc_proto::sip::reginfo::{Extent, RegInfo};
use smsc_proto::sip::{Header, Message};

use super::super::register::backoff;
use super::super::uas::Request;
use super::super::{Engine, Now};
use super::contacts::{Aor, Applied, Standing, Touched};
use super::subscribe::{ACCEPT, record_route};

/// The wait after `probation` or `giveup` where no retry-after is given, in seconds.
const PROBATION: u32 = 30;
const LONGEST_WAIT: u32 = 3600;

/// Subscription-State (RFC 6665 §8.2.3).
struct State {
    ended: bool,
    reason: String,
    expires: Option<u32>,
    retry_after: Option<u32>,
}

impl Engine {
    pub(in crate::engine) fn notify(&mut self, now: Now, request: &Request) {
        let message = &request.message;
        let Some(aor) = self.subscriptions.find(message) else {
            return self.refuse(now, request, 481, "no_subscription", |r| r);
        };
        if !message.event().is_ok_and(|event| event.is("reg")) {
            return self.refuse(now, request, 489, "event", |r| r.header(Header::AllowEvents, "reg"));
        }
        let (Some(state), Ok(cseq)) = (State::of(message), message.cseq()) else {
            return self.refuse(now, request, 400, "malformed", |r| r);
        };
        if self.registrar.open() >= self.settings.caps.registrations {
            return self.refuse_overload(now, request);
        }
        let known = self.subscriptions.by_aor.get_mut(&aor);
        let Some(dialog) = known.and_then(|known| known.dialog.as_mut()) else { return };
        match dialog.remote_cseq {
            // Overtaken by a later one (RFC 3261 §12.2.2).
            Some(last) if cseq.number < last => {
                return self.refuse(now, request, 500, "out_of_order", |r| r);
            }
            // A copy that came another way.
            Some(last) if cseq.number == last => return self.answer(now, request, 200, |r| r),
            _ => dialog.remote_cseq = Some(cseq.number),
        }
        // It may come before the 2xx and makes the dialog then (RFC 6665 §4.4.1).
        if dialog.remote_tag.is_none() {
            dialog.remote_tag = message.from().ok().and_then(|from| from.tag().map(str::to_owned));
            dialog.routes = record_route(message);
        }
        dialog.learn_target(message);
        self.metrics.notifies.inc();
        let applied = match document(message) {
            Ok(None) => {
                self.answer(now, request, 200, |r| r);
                None
            }
            Ok(Some(info)) => {
                self.answer(now, request, 200, |r| r);
                Some(self.document(now, &aor, info))
            }
            Err((status, reason)) => {
                self.refuse(now, request, status, reason, |r| r.header(Header::Accept, ACCEPT));
                Some(Applied::Gap)
            }
        };
        if state.ended {
            self.notifier_ended(now, &aor, &state);
        } else if applied == Some(Applied::Gap) {
            self.resynchronise(now, &aor);
        } else if let Some(expires) = state.expires {
            let at = now.mono + self.refresh_delay(expires);
            let sooner = self.subscriptions.by_aor.get(&aor).is_some_and(|known| at < known.timer.1);
            if sooner {
                self.set_subscription_timer(&aor, at);
            }
        }
    }

    fn document(&mut self, now: Now, aor: &Arc<str>, info: RegInfo) -> Applied {
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return Applied::Old };
        let full = info.extent == Extent::Full;
        let mut applied = known.contacts.apply(now.mono, info);
        let Applied::Taken(touched) = &mut applied else { return applied };
        if full && known.doubt.is_some() && touched.iter().all(|touched| *touched.aor.key != **aor) {
            // What is not in it is not there.
            let presentity = Aor { uri: known.impu.clone(), key: aor.to_string() };
            touched.push(Touched { aor: presentity, terminated: true });
        }
        let standing = known.contacts.standing(aor);
        let contradicts = known.is_unconfirmed(now) && !matches!(standing, Standing::Smsip(_));
        if !(contradicts && standing == Standing::Gone) {
            self.judge(now, aor, touched);
        }
        if contradicts {
            self.contradicted(now, aor);
            return applied;
        }
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return applied };
        known.unconfirmed = None;
        // One that tells of others only does not clear a doubt.
        if known.awaiting && (full || known.doubt.is_none()) {
            (known.awaiting, known.failures) = (false, 0);
            if let Some(refresh) = known.refresh {
                self.set_subscription_timer(aor, refresh);
            }
        }
        applied
    }

    /// The S-CSCF has ended the subscription (RFC 6665 §4.1.3).
    fn notifier_ended(&mut self, now: Now, aor: &Arc<str>, state: &State) {
        self.subscriptions.drop_dialog(aor);
        let Some(known) = self.subscriptions.by_aor.get_mut(aor) else { return };
        (known.request, known.refresh) = (None, None);
        known.awaiting = true;
        let gone = known.contacts.complete() && known.contacts.standing(aor) == Standing::Gone;
        let for_good = matches!(state.reason.as_str(), "rejected" | "noresource" | "invariant");
        if gone || for_good || !known.wanted {
            return self.forget_subscription(aor);
        }
        known.remade += 1;
        let wait = match state.reason.as_str() {
            "deactivated" | "timeout" => 0,
            "probation" | "giveup" => state.retry_after.unwrap_or(PROBATION).min(LONGEST_WAIT),
            // Kamailio gives none.
            _ => state.retry_after.unwrap_or(0).min(LONGEST_WAIT),
        };
        // At once, but not in a circle with an S-CSCF that keeps ending it.
        let pause = backoff(known.remade).max(Duration::from_secs(wait.into()));
        let jitter = Duration::from_millis(self.random.below(1000));
        self.set_subscription_timer(aor, now.mono + pause + jitter);
    }
}

/// The document in a NOTIFY, or the status and reason it is refused with.
fn document(message: &Message) -> Result<Option<RegInfo>, (u16, &'static str)> {
    let body = message.body();
    if body.is_empty() {
        return Ok(None);
    }
    let typed = message.content_type().is_some_and(|content| content.is("application", "reginfo+xml"));
    let plain =
        message.header(Header::ContentEncoding).is_none_or(|c| c.trim().eq_ignore_ascii_case("identity"));
    if !typed || !plain {
        return Err((415, "content_type"));
    }
    RegInfo::parse(&body).map(Some).map_err(|error| {
        tracing::warn!(%error, "reg event: a document could not be read");
        (400, "reginfo")
    })
}

impl State {
    fn of(message: &Message) -> Option<Self> {
        let state = message.subscription_state().ok()?;
        Some(Self {
            ended: state.is("terminated"),
            reason: state.param("reason").unwrap_or_default().to_ascii_lowercase(),
            expires: state.number("expires"),
            retry_after: state.number("retry-after"),
        })
    }
}
