//! The submit report: RP-ACK or RP-ERROR to the sender, in a MESSAGE of its own (TS 24.341 §5.3.3.4.2).

use jiff::Timestamp as Time;
use smsc_backend::MessageId;
use smsc_proto::sip::Header;
use smsc_proto::sip::transaction::Target;
use smsc_proto::sms::{Direction, RpAck, RpError, Rpdu, SubmitReport, Timestamp};

use super::hops::Hop;
use super::mo::Sender;
use super::remarks::remarks;
use super::submission::Confirmation;
use super::uas::Request;
use super::{Client, Engine, Final, Now, Purpose};

/// Where a submit report goes.
#[derive(Debug, Clone)]
pub(super) struct Addressee {
    /// The sender's public identity.
    pub(super) uri: String,
    /// Call-ID of its MESSAGE.
    pub(super) in_reply_to: String,
    /// RP-MR of its RPDU.
    rp_mr: u8,
    /// Its serving S-CSCF, where a registration told.
    s_cscf: Option<String>,
    /// Where its MESSAGE came from.
    back: Target,
}

/// Why a submission is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// RP-Cause (TS 24.011 §8.2.5.4).
    pub(super) cause: u8,
    /// TP-FCS (TS 23.040 §9.2.3.22).
    pub(super) fcs: Option<u8>,
}

/// A submit report on its way.
#[derive(Debug)]
pub(super) struct Sent {
    to: Addressee,
    body: Vec<u8>,
    confirms: Option<([u8; 16], MessageId)>,
    target: Target,
    icid: String,
    /// Targets to which it could definitely not be sent.
    tried: Vec<Target>,
}

impl Engine {
    pub(super) fn addressee(&mut self, now: Now, request: &Request, sender: &Sender, rp_mr: u8) -> Addressee {
        Addressee {
            uri: sender.identity.uri.clone(),
            in_reply_to: request.message.call_id().unwrap_or_default().to_owned(),
            rp_mr,
            s_cscf: self.subscribers.find(now.mono, &sender.identity).and_then(|s| s.s_cscf),
            back: Target::new(Some(request.flow.transport), request.flow.remote),
        }
    }

    /// RP-ACK; with an SMS-SUBMIT-REPORT where a message was stored (TS 23.040 §9.2.2.2a).
    pub(super) fn send_rp_ack(
        &mut self,
        now: Now,
        to: Addressee,
        scts: Option<Time>,
        confirms: Confirmation<'_>,
    ) {
        let mut tpdu = Vec::with_capacity(16);
        let scts = Timestamp::from_unix(scts.map_or(now.wall, |t| t.as_second()), 0);
        SubmitReport { fcs: None, scts, pid: None, ud: None }.encode(&mut tpdu);
        let rpdu = Rpdu::Ack(RpAck { mr: to.rp_mr, user_data: Some(&tpdu) });
        self.send_submit_report(now, to, &rpdu, confirms.map(|(key, id)| (key, id.clone())));
    }

    /// RP-ACK to an RP-SMMA: nothing was submitted, so it carries no TPDU (TS 24.011 §7.3.3).
    pub(super) fn send_smma_ack(&mut self, now: Now, to: Addressee) {
        let rpdu = Rpdu::Ack(RpAck { mr: to.rp_mr, user_data: None });
        self.send_submit_report(now, to, &rpdu, None);
    }

    /// RP-ERROR with its cause, and an SMS-SUBMIT-REPORT that carries TP-FCS where there is one.
    pub(super) fn send_rp_error(
        &mut self,
        now: Now,
        to: Addressee,
        refusal: Refusal,
        confirms: Confirmation<'_>,
    ) {
        let mut tpdu = Vec::with_capacity(16);
        if let Some(fcs) = refusal.fcs {
            let scts = Timestamp::from_unix(now.wall, 0);
            SubmitReport { fcs: Some(fcs), scts, pid: None, ud: None }.encode(&mut tpdu);
        }
        let user_data = (!tpdu.is_empty()).then_some(&tpdu[..]);
        let rpdu = Rpdu::Error(RpError { mr: to.rp_mr, cause: refusal.cause, diagnostic: None, user_data });
        self.send_submit_report(now, to, &rpdu, confirms.map(|(key, id)| (key, id.clone())));
    }

    fn send_submit_report(
        &mut self,
        now: Now,
        to: Addressee,
        rpdu: &Rpdu<'_>,
        confirms: Option<([u8; 16], MessageId)>,
    ) {
        let mut body = Vec::with_capacity(32);
        rpdu.encode(Direction::NetworkToMs, &mut body);
        let target = self.report_hop(now, &to, &[]).unwrap_or_else(|| to.back.clone());
        self.submit_report_to(
            now,
            Sent { to, body, confirms, target, icid: String::new(), tried: Vec::new() },
        );
    }

    /// The configured next hop but for those tried, else back where the submission came from.
    fn report_hop(&mut self, now: Now, to: &Addressee, tried: &[Target]) -> Option<Target> {
        let settings = self.settings.clone();
        match settings.s_cscf_uri.as_deref().map(|uri| self.next_hop(now, uri, tried)) {
            Some(Hop::Known(target)) => Some(target),
            _ => Some(&to.back).filter(|back| !tried.contains(back)).cloned(),
        }
    }

    fn submit_report_to(&mut self, now: Now, sent: Sent) {
        let Sent { to, body, target, .. } = &sent;
        let (call_id, icid, settings) = (self.new_call_id(), self.new_icid(), self.settings.clone());
        let own = settings.report_uri.with(None);
        let route = settings.s_cscf_uri.as_deref().or(to.s_cscf.as_deref());
        tracing::debug!(to = %to.uri, in_reply_to = %to.in_reply_to, icid, "submit report");
        let request = self
            .new_request(&to.uri, &own, &call_id, route)
            .header(Header::InReplyTo, &to.in_reply_to)
            .header(Header::RequestDisposition, "no-fork")
            .header(Header::AcceptContact, "*;+g.3gpp.smsip;require;explicit")
            .body("application/vnd.3gpp.sms", body);
        let request = self.charged(request, &icid);
        let branch = self.branch();
        match self.sip.request(now.mono, target.clone(), request, &branch) {
            Ok(client) => {
                let sent = Sent { icid, ..sent };
                _ = self.clients.insert(client, Client::new(Purpose::SubmitReport(Box::new(sent))));
            }
            Err(_) => {
                tracing::warn!(to = %to.uri, "no room to send a submit report; the handset will repeat")
            }
        }
    }

    pub(super) fn submit_report_answered(&mut self, now: Now, sent: Sent, result: Final<'_>) {
        let uri = &sent.to.uri;
        match result {
            Final::Response(message) if message.status().is_some_and(|s| s / 100 == 2) => {
                if let Some((key, id)) = &sent.confirms {
                    self.rp_ack_confirmed(now, *key);
                    self.tell(Some(id), "mo", || format!("{uri} has its RP-ACK"));
                }
            }
            Final::Response(message) => {
                let (status, remarks) = (message.status(), remarks(message));
                tracing::info!(to = %uri, icid = %sent.icid, status, remarks, "submit report refused; a repeat gets the same verdict");
            }
            Final::Unsent => self.report_unsent(now, sent),
            Final::Timeout | Final::TransportError => {
                tracing::info!(to = %uri, icid = %sent.icid, "submit report not answered; a repeat gets the same verdict");
            }
        }
    }

    /// Not one octet of it has left us: it goes to the next address (RFC 3263 §4.3).
    fn report_unsent(&mut self, now: Now, mut sent: Sent) {
        self.hop_failed(now, sent.target.clone());
        sent.tried.push(sent.target.clone());
        match self.report_hop(now, &sent.to, &sent.tried) {
            Some(target) => self.submit_report_to(now, Sent { target, ..sent }),
            None => {
                tracing::info!(to = %sent.to.uri, "submit report could not be sent; a repeat gets the same verdict")
            }
        }
    }
}
