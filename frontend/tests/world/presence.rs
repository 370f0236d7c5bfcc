//! The S-CSCF as a notifier of the `reg` event: how it answers a SUBSCRIBE, and what it tells in a NOTIFY.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use smsc_proto::sip::transaction::Flow;
use smsc_proto::sip::{Header, Message, Method, Request, Response, Transport};

use super::core::S_CSCF;
use super::{World, ms};

/// A status and the headers that go with it.
pub(crate) type Scripted = (u16, Vec<(Header, String)>);

/// Where subscriptions stand at the S-CSCF.
#[derive(Default)]
pub(crate) struct Presence {
    /// How the next SUBSCRIBEs are answered, `None`: not at all; then 200 with the lifetime asked for.
    pub(crate) script: VecDeque<Option<Scripted>>,
    cseq: u32,
}

/// A NOTIFY that departs from the ordinary.
#[derive(Clone, Copy)]
pub(crate) struct Notify<'a> {
    /// The SUBSCRIBE whose dialog it is sent in, counted from the first.
    pub(crate) subscribe: usize,
    /// Instead of the next one.
    pub(crate) cseq: Option<u32>,
    pub(crate) event: &'a str,
    pub(crate) state: Option<&'a str>,
    pub(crate) tag: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) document: &'a str,
}

impl Default for Notify<'_> {
    fn default() -> Self {
        Self {
            subscribe: 0,
            cseq: None,
            event: "reg",
            state: Some("active;expires=3700"),
            tag: "core",
            content_type: "application/reginfo+xml",
            document: "",
        }
    }
}

impl World {
    /// The SUBSCRIBEs pods have sent.
    pub(crate) fn subscribes(&self) -> Vec<(Duration, Message)> {
        let requests = self.requests().into_iter();
        let subscribes = requests.filter(|(.., message)| message.method() == Some(Method::Subscribe));
        subscribes.map(|(at, _, message)| (at, message)).collect()
    }

    /// Tells a document in the newest dialog; returns the status of the answer.
    pub(crate) fn notify(&mut self, document: &str) -> u16 {
        let subscribe = self.subscribes().len() - 1;
        self.notify_as(&Notify { subscribe, document, ..Notify::default() })
    }

    /// Sends a NOTIFY; returns the status of the answer.
    pub(crate) fn notify_as(&mut self, notify: &Notify<'_>) -> u16 {
        let (_, subscribe) = self.subscribes().swap_remove(notify.subscribe);
        self.core.presence.cseq += 1;
        let cseq = notify.cseq.unwrap_or(self.core.presence.cseq);
        let call_id = subscribe.call_id().expect("a Call-ID").to_owned();
        let uri = subscribe.contacts().next().expect("a Contact").expect("a URI").uri.to_owned();
        let subscriber = subscribe.from().expect("From");
        let mut request = Request::new("NOTIFY", &uri)
            .header(Header::MaxForwards, "70")
            .header(Header::From, &format!("<{}>;tag={}", subscribe.to().expect("To").uri, notify.tag))
            .header(Header::To, &format!("<{}>;tag={}", subscriber.uri, subscriber.tag().expect("a tag")))
            .header(Header::CallId, &call_id)
            .header(Header::CSeq, &format!("{cseq} NOTIFY"))
            .header(Header::Contact, &s_cscf_contact(self.core.transport))
            .header(Header::Event, notify.event);
        if let Some(state) = notify.state {
            request = request.header(Header::SubscriptionState, state);
        }
        if !notify.document.is_empty() {
            request = request.body(notify.content_type, notify.document.as_bytes());
        }
        self.send(0, &call_id, request);
        self.run(ms(100));
        *self.statuses(&call_id).last().expect("an answer")
    }
}

impl Presence {
    /// The answer to a SUBSCRIBE.
    pub(super) fn answer(&mut self, flow: Flow, message: &Message) -> Option<Bytes> {
        let usual = || {
            let expires = message.expires().expect("Expires").to_string();
            Some((200, vec![(Header::Expires, expires), (Header::Contact, s_cscf_contact(flow.transport))]))
        };
        let (status, headers) = self.script.pop_front().unwrap_or_else(usual)?;
        let response = Response::to(message, flow.remote, status, "core");
        let add = |response: Response, (name, value): (Header, String)| response.header(name, &value);
        Some(headers.into_iter().fold(response, add).to_bytes())
    }
}

/// Where the S-CSCF wants the next request of the dialog.
fn s_cscf_contact(transport: Transport) -> String {
    match transport {
        Transport::Udp => format!("<{S_CSCF}>"),
        other => format!("<{S_CSCF};transport={}>", other.as_str().to_ascii_lowercase()),
    }
}

/// A document.
pub(crate) fn document(version: u32, state: &str, registrations: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" \
         state=\"{state}\">{}</reginfo>",
        registrations.concat()
    )
}

/// A registration in it.
pub(crate) fn registration(aor: &str, state: &str, contacts: &[String]) -> String {
    format!(
        "<registration aor=\"{aor}\" id=\"of-{aor}\" state=\"{state}\">{}</registration>",
        contacts.concat()
    )
}

/// A contact in that.
pub(crate) fn contact(id: &str, state: &str, event: &str, smsip: bool) -> String {
    let smsip = if smsip { "<unknown-param name=\"+g.3gpp.smsip\"></unknown-param>" } else { "" };
    format!(
        "<contact id=\"{id}\" state=\"{state}\" event=\"{event}\" expires=\"3000\"><uri>sip:{id}@10.9.0.1:5060</uri>\
         {smsip}</contact>"
    )
}
