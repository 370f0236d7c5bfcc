//! The S-CSCF and the handsets behind it, as one SIP peer on the real transaction layer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use smsc_proto::sip::transaction::{ClientId, Config, Event, Flow, ServerId, Target, Transactions, Transmit};
use smsc_proto::sip::{Header, Message, Method, Request, Response, Transport};
use smsc_proto::sms::rp_header;

use super::handset::{Answer, Handset, InReplyTo, Incoming, Reaction, Report};
use super::presence::Presence;
use super::profile::Profile;
use super::rpdus::{Mo, incoming, report_rpdu, submit_verdict, text};
use super::{World, address_of, ms, secs};

/// Where the core listens.
pub(crate) const CORE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10)), 5060);
/// The S-CSCF's URI.
pub(crate) const S_CSCF: &str = "sip:192.0.2.10:5060";
/// The service centre handsets address.
pub(crate) const PSI: &str = "sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org";
const SMS: &str = "application/vnd.3gpp.sms";

/// The core.
pub(crate) struct Core {
    sip: Transactions,
    /// What it sends requests over.
    pub(crate) transport: Transport,
    /// What is odd about it and its handsets.
    pub(crate) profile: Profile,
    /// The handsets it serves.
    pub(crate) handsets: Vec<Handset>,
    /// The pod the PSI leads to.
    pub(crate) psi_pod: usize,
    /// Final answers to what the core sent, by Call-ID, in order.
    pub(crate) answers: Vec<(String, Message)>,
    /// Requests of the core that nobody answered (timer F), by Call-ID.
    pub(crate) unanswered: Vec<String>,
    /// How it deals with subscriptions to the `reg` event.
    pub(crate) presence: Presence,
    pub(super) agenda: Vec<(Duration, Action)>,
    sent: BTreeMap<String, Request>,
    purposes: BTreeMap<ClientId, Purpose>,
    looping: BTreeMap<String, (ServerId, Flow, Box<Message>)>,
    sequence: u32,
}

/// Something the core does later.
pub(super) enum Action {
    Answer { id: ServerId, flow: Flow, message: Box<Message>, status: u16 },
    Reply { id: ServerId, response: Bytes },
    Send { pod: usize, call_id: String, request: Request, retries: u32 },
}

struct Purpose {
    call_id: String,
    pod: usize,
    retries: u32,
}

impl World {
    /// Sends a handset's short message; returns its Call-ID.
    pub(crate) fn submit(&mut self, handset: usize, mo: &Mo) -> String {
        let (call_id, request) = self.core.message(handset, PSI);
        self.core.handsets[handset].submitted.push((mo.rp_mr, mo.text.clone()));
        self.send(mo.pod, &call_id, request.body(SMS, &mo.rpdu()))
    }

    /// Sends an RPDU of a handset; returns its Call-ID.
    pub(crate) fn send_rpdu(&mut self, handset: usize, pod: usize, rpdu: &[u8]) -> String {
        let (call_id, request) = self.core.message(handset, PSI);
        self.send(pod, &call_id, request.body(SMS, rpdu))
    }

    /// Sends a MESSAGE of a handset with this body; returns its Call-ID.
    pub(crate) fn send_body(&mut self, handset: usize, content_type: &str, octets: &[u8]) -> String {
        let (call_id, request) = self.core.message(handset, PSI);
        self.send(0, &call_id, request.body(content_type, octets))
    }

    /// Sends a text/plain MESSAGE of a handset; returns its Call-ID.
    pub(crate) fn send_text(&mut self, handset: usize, to: &str, text: &str) -> String {
        let (call_id, request) = self.core.message(handset, to);
        self.send(0, &call_id, request.body("text/plain", text.as_bytes()))
    }

    /// Sends a third-party REGISTER for a handset (TS 24.341 B.3); returns its Call-ID.
    pub(crate) fn register(&mut self, handset: usize, expires: u32, body: Option<(&str, &[u8])>) -> String {
        let (call_id, request) = self.core.third_party_register(handset, expires);
        let request = match body {
            Some((content_type, octets)) => request.body(content_type, octets),
            None => request,
        };
        self.send(0, &call_id, request)
    }

    /// Sends a request of the core's; it can be repeated by its Call-ID.
    pub(crate) fn send(&mut self, pod: usize, call_id: &str, request: Request) -> String {
        let mono = self.now().mono;
        self.core.send(mono, pod, call_id.to_owned(), request, 0);
        self.pump();
        call_id.to_owned()
    }

    /// Sends a request once more, as a new transaction, to any pod.
    pub(crate) fn send_again(&mut self, pod: usize, call_id: &str) {
        let request = self.core.sent[call_id].clone();
        self.send(pod, call_id, request);
    }

    /// The statuses a request of the core's got.
    pub(crate) fn statuses(&self, call_id: &str) -> Vec<u16> {
        self.core.answers_to(call_id).iter().filter_map(|message| message.status()).collect()
    }

    /// A handset.
    pub(crate) fn handset(&self, handset: usize) -> &Handset {
        &self.core.handsets[handset]
    }

    /// A handset, to tell it what to do.
    pub(crate) fn handset_mut(&mut self, handset: usize) -> &mut Handset {
        &mut self.core.handsets[handset]
    }
}

impl Core {
    pub(super) fn new() -> Self {
        Self {
            sip: Transactions::new(Config::new(CORE.to_string(), [7, 8])),
            transport: Transport::Udp,
            profile: Profile::default(),
            handsets: vec![Handset::new("447700900001"), Handset::new("447700900002")],
            psi_pod: 0,
            answers: Vec::new(),
            unanswered: Vec::new(),
            presence: Presence::default(),
            agenda: Vec::new(),
            sent: BTreeMap::new(),
            purposes: BTreeMap::new(),
            looping: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// The final answers to a request.
    pub(crate) fn answers_to(&self, call_id: &str) -> Vec<&Message> {
        self.answers.iter().filter(|(id, _)| id == call_id).map(|(_, message)| message).collect()
    }

    /// A MESSAGE from a handset as the S-CSCF passes it on, without a body (TS 24.341 B.5).
    pub(crate) fn message(&mut self, handset: usize, uri: &str) -> (String, Request) {
        let (call_id, tag) = self.dialog();
        let handset = &self.handsets[handset];
        let mut request = Request::new("MESSAGE", uri)
            .header(Header::MaxForwards, "67")
            .header(Header::From, &format!("<{}>;tag={tag}", handset.impu))
            .header(Header::To, &format!("<{uri}>"))
            .header(Header::CallId, &call_id)
            .header(Header::CSeq, "666 MESSAGE")
            .header(Header::PChargingVector, "icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\"");
        for identity in &handset.asserted {
            request = request.header(Header::PAssertedIdentity, &format!("<{identity}>"));
        }
        (call_id, request)
    }

    /// A third-party REGISTER without a body.
    pub(crate) fn third_party_register(&mut self, handset: usize, expires: u32) -> (String, Request) {
        let (call_id, _) = self.dialog();
        let request = Request::new("REGISTER", PSI)
            .header(Header::MaxForwards, "70")
            .header(Header::PAccessNetworkInfo, "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100019B01")
            .header(Header::PVisitedNetworkId, "\"visited.example\"")
            .header(Header::From, &format!("<{S_CSCF}>;tag=14142"))
            .header(Header::To, &format!("<{}>", self.handsets[handset].impu))
            .header(Header::Contact, &format!("<{S_CSCF}>"))
            .header(Header::Expires, &expires.to_string())
            .header(Header::CallId, &call_id)
            .header(Header::CSeq, &format!("{} REGISTER", 100 + self.sequence));
        (call_id, request)
    }

    /// A new Call-ID and From tag.
    fn dialog(&mut self) -> (String, String) {
        self.sequence += 1;
        self.profile.dialog(self.sequence)
    }

    fn send(&mut self, now: Instant, pod: usize, call_id: String, request: Request, retries: u32) {
        self.sequence += 1;
        let branch = format!("core{}", self.sequence);
        let target = Target::new(Some(self.transport), address_of(pod));
        self.sent.insert(call_id.clone(), request.clone());
        let id = self.sip.request(now, target, request, &branch).expect("the core has room");
        self.purposes.insert(id, Purpose { call_id, pod, retries });
    }

    pub(super) fn handle_message(&mut self, now: Instant, flow: Flow, octets: Bytes) {
        let message = Message::parse(octets).expect("a pod sends SIP");
        self.sip.handle_message(now, flow, message);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.sip.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.sip.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.sip.poll_transmit()
    }

    pub(super) fn act(&mut self, now: Instant, action: Action) {
        match action {
            Action::Answer { id, flow, message, status } => {
                let response = Response::to(&message, flow.remote, status, "core");
                self.sip.respond(now, id, response.to_bytes());
            }
            Action::Reply { id, response } => self.sip.respond(now, id, response),
            Action::Send { pod, call_id, request, retries } => self.send(now, pod, call_id, request, retries),
        }
    }

    /// Deals with what the transaction layer has to tell.
    pub(super) fn react(&mut self, now: Instant) {
        while let Some(event) = self.sip.poll_event() {
            match event {
                Event::Request { id, flow, message } => self.request(id, flow, message),
                Event::Response { id, message } => self.answered(now, id, message),
                Event::Timeout { id } | Event::TransportError { id } => {
                    let purpose = self.purposes.remove(&id).expect("a request of ours");
                    self.unanswered.push(purpose.call_id);
                }
                Event::Stray { .. } => {}
                Event::Overload { .. } => unreachable!("the core has room"),
            }
        }
    }

    fn answered(&mut self, now: Instant, id: ClientId, message: Message) {
        let Purpose { call_id, pod, retries } = self.purposes.remove(&id).expect("a request of ours");
        // A MESSAGE that was sent round in a loop: its sender gets the answer.
        if let Some((id, flow, request)) = self.looping.remove(&call_id) {
            let status = message.status().expect("a response");
            return self.act(now, Action::Answer { id, flow, message: request, status });
        }
        if retries > 0 && message.status().is_some_and(|status| status >= 500) {
            let request = self.sent[&call_id].clone();
            let action = Action::Send { pod, call_id: call_id.clone(), request, retries: retries - 1 };
            self.agenda.push((secs(3), action));
        }
        self.answers.push((call_id, message));
    }

    fn request(&mut self, id: ServerId, flow: Flow, message: Message) {
        if message.method() == Some(Method::Subscribe) {
            if let Some(response) = self.presence.answer(flow, &message) {
                self.agenda.push((ms(5), Action::Reply { id, response }));
            }
            return;
        }
        assert_eq!(message.method(), Some(Method::Message), "frontends send nothing else");
        let uri = message.request_uri().expect("a request").to_owned();
        let number = uri.split(['+', '@', ';']).nth(1).unwrap_or_default();
        let handset = self.handsets.iter().position(|h| h.impu == uri || h.msisdn == number);
        let Some(handset) = handset else {
            return self
                .agenda
                .push((ms(5), Action::Answer { id, flow, message: message.into(), status: 404 }));
        };
        let body = message.body();
        let is_sms = message.content_type().is_some_and(|content| content.is("application", "vnd.3gpp.sms"));
        if is_sms && rp_header(&body).is_some_and(|rp| matches!(rp.mti, 3 | 5)) {
            return self.submit_report(handset, id, flow, message);
        }
        let reaction = {
            let handset = &mut self.handsets[handset];
            handset.script.pop_front().unwrap_or_else(|| handset.usual.clone())
        };
        let took = !matches!(reaction.answer, Answer::Status(300..) | Answer::LoopTo(_))
            || reaction.report != Report::None;
        let (rp_mr, content) = if is_sms { incoming(&body) } else { (0, text(&body)) };
        if took {
            let acknowledged = matches!(reaction.report, Report::Ack | Report::AckWith(_));
            let incoming = Incoming { body: content, rp_mr, acknowledged, message: message.clone() };
            self.handsets[handset].inbox.push(incoming);
        }
        if is_sms {
            self.report(handset, &reaction, rp_mr, &message);
        }
        match reaction.answer {
            Answer::Status(status) if !reaction.headers.is_empty() => {
                let add = |response: Response, (name, value): &(Header, &str)| response.header(*name, value);
                let response = Response::to(&message, flow.remote, status, "core");
                let response = reaction.headers.iter().fold(response, add).to_bytes();
                self.agenda.push((reaction.answer_after, Action::Reply { id, response }));
            }
            Answer::Status(status) => self
                .agenda
                .push((reaction.answer_after, Action::Answer { id, flow, message: message.into(), status })),
            Answer::Silence => {}
            Answer::LoopTo(pod) => self.loop_back(pod, id, flow, message),
        }
    }

    /// Sends a MESSAGE on to a pod, as a terminating iFC that matches the PSI would: the same, with one Via more.
    fn loop_back(&mut self, pod: usize, id: ServerId, flow: Flow, message: Message) {
        let call_id = message.call_id().expect("a Call-ID").to_owned();
        let mut request = Request::new("MESSAGE", message.request_uri().expect("a request"))
            .header(Header::MaxForwards, "69");
        for (name, value) in message.lines() {
            if !["Max-Forwards", "Content-Type", "Content-Length"].contains(&name) {
                request = request.header_named(name, value);
            }
        }
        let content_type = message.header(Header::ContentType).expect("a body");
        let request = request.body(content_type, &message.body());
        self.looping.insert(call_id.clone(), (id, flow, message.clone().into()));
        self.agenda.push((ms(5), Action::Send { pod, call_id, request, retries: 0 }));
    }

    fn submit_report(&mut self, handset: usize, id: ServerId, flow: Flow, message: Message) {
        let in_reply_to = message.in_reply_to().next().unwrap_or_default();
        let verdict = submit_verdict(&message.body(), in_reply_to);
        let profile = self.profile;
        let handset = &mut self.handsets[handset];
        handset.settle(profile, &verdict);
        handset.verdicts.push(verdict);
        let answer = handset.verdict_answers.pop_front().unwrap_or_else(|| profile.answer_to_submit_report());
        if let Answer::Status(status) = answer {
            self.agenda.push((ms(20), Action::Answer { id, flow, message: message.into(), status }));
        }
    }

    fn report(&mut self, handset: usize, reaction: &Reaction, rp_mr: u8, message: &Message) {
        let rpdu = match reaction.report {
            Report::None => return,
            report => report_rpdu(report, rp_mr),
        };
        let to = message.p_asserted_identities().next().expect("P-Asserted-Identity").expect("a URI");
        let pod = reaction.to_pod.unwrap_or_else(|| self.pod_behind(to.uri));
        let uri = to.uri.to_owned();
        let in_reply_to = match self.profile.in_reply_to(reaction.in_reply_to) {
            InReplyTo::Token => Some(message.call_id().expect("a Call-ID").to_owned()),
            InReplyTo::Absent => None,
            InReplyTo::Rewritten => Some("made-by-a-b2bua@192.0.2.77".to_owned()),
        };
        for after in self.profile.reports(reaction) {
            let usual = reaction.asserted.clone();
            let known =
                usual.map(|asserted| std::mem::replace(&mut self.handsets[handset].asserted, asserted));
            let (call_id, mut request) = self.message(handset, &uri);
            if let Some(known) = known {
                self.handsets[handset].asserted = known;
            }
            if let Some(in_reply_to) = &in_reply_to {
                request = request.header(Header::InReplyTo, in_reply_to);
            }
            let request = request.body(SMS, &rpdu);
            self.agenda.push((after, Action::Send { pod, call_id, request, retries: reaction.retries }));
        }
    }

    /// The pod a report URI leads to: of its own with `report_uri: pod`, else the PSI's.
    fn pod_behind(&self, uri: &str) -> usize {
        let user = uri.split([':', '@']).nth(1).unwrap_or_default();
        user.strip_prefix("smsc-").and_then(|ordinal| ordinal.parse().ok()).unwrap_or(self.psi_pod)
    }
}
