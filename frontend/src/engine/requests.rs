//! The MESSAGEs we send: their headers (TS 24.341 annex B.5, B.6) and bodies.

use std::sync::Arc;

use smsc_proto::sip::{Header, Request as SipRequest};
use smsc_proto::sms::{Address, Direction, RpData, Rpdu};

use super::compose::Composed;
use super::handsets::{part_count, part_number};
use super::hex::Hex;
use super::identity::digits;
use super::{Engine, Now, Token, TokenId};

/// A MESSAGE of ours has no more octets, so that it still fits a datagram with the Vias of others (design §7).
const LONGEST: usize = 900;
/// The Via line and that of P-Charging-Vector, without sent-by and the vector.
const VIA: usize = 100;

impl Engine {
    /// A MESSAGE of ours: the headers all of them share (TS 24.341 annex B.5, B.6).
    pub(super) fn new_request(
        &mut self,
        uri: &str,
        own: &str,
        call_id: &str,
        route: Option<&str>,
    ) -> SipRequest {
        let tag = Hex::new(self.random.next());
        let mut request = SipRequest::new("MESSAGE", uri).header(Header::MaxForwards, "70");
        if let Some(route) = route {
            let loose = if route.contains(";lr") { "" } else { ";lr" };
            request = request.header_parts(Header::Route, &["<", route, loose, ">"]);
        }
        request
            .header_parts(Header::From, &["<", own, ">;tag=", tag.as_str()])
            .header_parts(Header::To, &["<", uri, ">"])
            .header(Header::CallId, call_id)
            .header(Header::CSeq, "1 MESSAGE")
            .header_parts(Header::PAssertedIdentity, &["<", own, ">"])
    }

    /// Adds P-Charging-Vector to a request that is otherwise finished. What we originate has our network as orig-ioi
    /// (TS 24.229 §5.7.3), unless the request would become too long for it.
    pub(super) fn charged(&self, request: SipRequest, icid: &str) -> SipRequest {
        let vector = self.charging_vector(icid);
        let length = request.len() + VIA + self.settings.sent_by.len() + vector.len();
        let icid_only = vector.split(';').next().unwrap_or_default();
        request.header(Header::PChargingVector, if length > LONGEST { icid_only } else { &vector })
    }

    /// The MESSAGE for the current part, with the header set of TS 24.341 annex B.6.
    pub(super) fn mt_request(
        &mut self,
        now: Now,
        key: &Arc<str>,
        rp_mr: u8,
        hop_uri: &str,
    ) -> Option<SipRequest> {
        let handset = self.handsets.get(key)?;
        let queued = !handset.queue.is_empty();
        let delivery = handset.open.as_mut()?;
        let message = &delivery.row.message;
        let parts = delivery.composed.parts();
        let more = queued || message.more_to_send.unwrap_or(false) || delivery.part + 1 < parts;
        let token = Token {
            id: TokenId::of(&message.id),
            attempt: u8::try_from(delivery.attempt).unwrap_or(u8::MAX),
            part: part_number(delivery.part),
            parts: part_count(&delivery.composed),
            rp_mr,
            ordinal: self.settings.ordinal,
        }
        .write(&self.settings.keys, now.wall);
        delivery.icid.clone_from(&token);
        let uri = match &message.impu {
            Some(impu) => impu.clone(),
            None if is_uri(&message.destination_msisdn) => message.destination_msisdn.clone(),
            None if self.settings.tel_uri => format!("tel:+{key}"),
            None => format!("sip:+{key}@{};user=phone", self.settings.ims_domain),
        };
        let tpdu = delivery.composed.tpdu(delivery.part, more);
        let body = match (&tpdu, &delivery.composed) {
            (Some(tpdu), _) => {
                let oa = message
                    .sc_address
                    .as_deref()
                    .and_then(|sc| Address::international(sc.trim_start_matches('+')).ok())
                    .unwrap_or(self.settings.sc_address);
                let mut body = Vec::with_capacity(tpdu.len() + 16);
                Rpdu::Data(RpData { mr: rp_mr, oa, da: Address::EMPTY, user_data: tpdu })
                    .encode(Direction::NetworkToMs, &mut body);
                body
            }
            (None, Composed::Plain(text)) => text.clone().into_bytes(),
            (None, _) => return None,
        };
        let from = match &delivery.composed {
            Composed::Plain(_) => originator(&message.source_msisdn, &self.settings.ims_domain),
            _ => None,
        };
        let own = from.unwrap_or_else(|| self.own_uri(Some(&token)));
        let call_id = call_id(&token, &self.settings.advertised_host);
        let request = self
            .new_request(&uri, &own, &call_id, Some(hop_uri))
            .header(Header::RequestDisposition, "no-fork");
        let request = match tpdu {
            Some(_) => request
                .header(Header::AcceptContact, "*;+g.3gpp.smsip;require;explicit")
                .body("application/vnd.3gpp.sms", &body),
            None => request.body("text/plain;charset=utf-8", &body),
        };
        Some(self.charged(request, &token))
    }

    /// Our own URI: what handsets answer to (From and P-Asserted-Identity).
    pub(super) fn own_uri(&self, token: Option<&str>) -> String {
        self.settings.report_uri.with(token).into_owned()
    }
}

/// Whether a recipient is named by its URI, for it has no number.
pub(super) fn is_uri(recipient: &str) -> bool {
    let scheme = recipient.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["sip", "sips", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// Who a text/plain recipient sees, and answers: no report comes back for such a MESSAGE, and no TP-OA names the sender.
/// A sender without a number is not shown.
fn originator(source: &str, ims_domain: &str) -> Option<String> {
    let number = digits(source);
    let numeric = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    numeric.then(|| format!("sip:{source}@{ims_domain};user=phone"))
}

/// The token, and a host where both fit in 64 characters: the whole MESSAGE has 900 octets (design §4, §7).
fn call_id(token: &str, host: &str) -> String {
    if token.len() + 1 + host.len() <= 64 { format!("{token}@{host}") } else { token.to_owned() }
}
