//! Requests as they come in: who may speak, and what each method gets.

use smsc_proto::sip::transaction::{Flow, ServerId};
use smsc_proto::sip::{Header, Message, Method, Response, Uri, classify_malformed};

use super::hex::Hex;
use super::metrics::AnswerLabel;
use super::mo::Sender;
use super::{Engine, Now, Settings};

/// The methods we serve.
const ALLOW: &str = "MESSAGE, REGISTER, NOTIFY, OPTIONS";
/// The bodies we take.
pub(super) const ACCEPT: &str = "application/vnd.3gpp.sms, text/plain, message/cpim, multipart/mixed";
const RETRY_AFTER_SECONDS: u64 = 8;

/// A request waiting for its answer.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: ServerId,
    pub(super) flow: Flow,
    pub(super) message: Message,
}

impl Engine {
    pub(super) fn request(&mut self, now: Now, request: Request) {
        let Request { flow, message, .. } = &request;
        self.metrics.peer_last_seen.set(now.wall);
        if let Some(fault) = message.request_fault() {
            tracing::debug!(peer = %flow.remote, %fault, "refused");
            return self.refuse(now, &request, fault.status(), "malformed", |r| r);
        }
        let served = matches!(
            message.method(),
            Some(Method::Message | Method::Register | Method::Options | Method::Notify)
        );
        // The method is judged first, then the Request-URI's scheme (RFC 3261 §8.2.1, §8.2.2.1).
        if served && let Some(fault) = message.scheme_fault() {
            return self.refuse(now, &request, fault.status(), "scheme", |r| r);
        }
        // Require means nothing in a CANCEL (RFC 3261 §8.2.2.3).
        if served && let Some(required) = message.header(Header::Require) {
            let required = required.to_owned();
            return self
                .refuse(now, &request, 420, "extension", |r| r.header(Header::Unsupported, &required));
        }
        match message.method() {
            Some(Method::Message) => self.message(now, request),
            Some(Method::Register) => self.register(now, &request),
            Some(Method::Options) => self.answer(now, &request, 200, |r| {
                r.header(Header::Allow, ALLOW).header(Header::Accept, ACCEPT)
            }),
            Some(Method::Notify) => self.notify(now, &request),
            Some(Method::Cancel) if self.sip.cancelled(message).is_some() => {
                self.answer(now, &request, 200, |r| r)
            }
            Some(Method::Cancel) => self.refuse(now, &request, 481, "no_transaction", |r| r),
            _ => self.refuse(now, &request, 405, "method", |r| r.header(Header::Allow, ALLOW)),
        }
    }

    /// Answers 403 to a stranger and keeps nothing of it (RFC 3261 §8.2.7): strangers must not be able to fill the
    /// transaction table for those we trust.
    pub(super) fn untrusted(&mut self, flow: Flow, message: &Message) {
        if message.method() == Some(Method::Ack) {
            return;
        }
        self.count_refusal("untrusted_peer", 403);
        let octets = Response::to(message, flow.remote, 403, self.tag(message).as_str()).to_bytes();
        self.sip.respond_stateless(flow, message, octets);
    }

    /// Answers 400 to what is recognisably a request but cannot be read as one (RFC 3261 §16.3, RFC 4475 §3.1.2).
    pub(super) fn malformed(&mut self, flow: Flow, octets: &[u8]) {
        if !self.trusts(flow) {
            return;
        }
        if let Some(message) = classify_malformed(octets) {
            self.count_refusal("malformed", 400);
            let response = Response::to(&message, flow.remote, 400, self.tag(&message).as_str()).to_bytes();
            self.sip.respond_stateless(flow, &message, response);
        }
    }

    /// Answers a request for which there is no room (RFC 3261 §21.5.1), without keeping anything of it.
    /// Not a 503 by default: that makes an S-CSCF leave every pod behind this address alone.
    pub(super) fn overloaded(&mut self, flow: Flow, message: &Message) {
        let status = self.settings.overload_status;
        self.count_refusal("overload", status);
        let retry_after = self.retry_after();
        let octets = Response::to(message, flow.remote, status, self.tag(message).as_str())
            .header(Header::RetryAfter, &retry_after)
            .to_bytes();
        self.sip.respond_stateless(flow, message, octets);
    }

    /// Refuses for lack of room, inside a transaction.
    pub(super) fn refuse_overload(&mut self, now: Now, request: &Request) {
        let retry_after = self.retry_after();
        let status = self.settings.overload_status;
        self.refuse(now, request, status, "overload", |r| r.header(Header::RetryAfter, &retry_after));
    }

    /// Answers, and counts why it was not a success.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        request: &Request,
        status: u16,
        reason: &'static str,
        complete: impl FnOnce(Response) -> Response,
    ) {
        self.count_refusal(reason, status);
        tracing::debug!(peer = %request.flow.remote, status, reason, "refused");
        self.answer(now, request, status, complete);
    }

    /// Answers a request.
    pub(super) fn answer(
        &mut self,
        now: Now,
        request: &Request,
        status: u16,
        complete: impl FnOnce(Response) -> Response,
    ) {
        let tag = self.tag(&request.message);
        let response = Response::to(&request.message, request.flow.remote, status, tag.as_str());
        self.sip.respond(now.mono, request.id, complete(response).into_bytes());
    }

    fn count_refusal(&mut self, reason: &'static str, status: u16) {
        self.metrics.refused.get_or_create(&AnswerLabel { reason, status }).inc();
    }

    /// The To tag: the same for every answer to one request, also when answered without state (RFC 3261 §8.2.7).
    fn tag(&self, message: &Message) -> Hex {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = rustc_hash::FxBuildHasher.build_hasher();
        hasher.write(self.instance.as_bytes());
        hasher.write(message.header(Header::CallId).unwrap_or_default().as_bytes());
        hasher.write(message.header(Header::From).unwrap_or_default().as_bytes());
        Hex::new(hasher.finish())
    }

    fn retry_after(&mut self) -> String {
        (1 + self.random.below(RETRY_AFTER_SECONDS)).to_string()
    }

    /// True if this MESSAGE left one of our pods: our branch in a Via, our own URI as its sender, or our token on what
    /// flows to handsets.
    pub(super) fn is_ours(&self, now: Now, message: &Message, sender: Option<&Sender>) -> bool {
        // Hardly any Via has the name of our branches in it, so few need to be read.
        let our_via = message.headers(Header::Via).any(|line| line.contains(&self.instance))
            && message.vias().filter_map(Result::ok).any(|via| {
                let branch = via.branch().and_then(|branch| branch.strip_prefix("z9hG4bK"));
                branch.is_some_and(|branch| branch.starts_with(&self.instance))
            });
        let from_us = || sender.is_some_and(|sender| self.own_aor.as_ref() == Some(&sender.identity.aor));
        let to_handset = || {
            let report_to_us = message.content_type().is_some_and(|c| c.is("application", "vnd.3gpp.sms"))
                && smsc_proto::sms::rp_header(message.body_octets()).is_none_or(|rp| rp.mti & 1 == 0);
            !report_to_us
                && message
                    .call_id()
                    .is_ok_and(|id| super::Token::read(id, &self.settings.keys, now.wall).is_some())
        };
        our_via || from_us() || to_handset()
    }
}

/// What a sender is known by that claims to be us.
pub(super) fn own_aor(settings: &Settings) -> Option<String> {
    Uri::parse(&settings.report_uri.with(None)).ok().map(|own| own.aor_key())
}
