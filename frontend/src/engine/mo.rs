//! From the handset (design §4, MO): 202 at once, RP-ACK only after the backend has durably taken the message.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use smsc_backend::{Encoding, NewMessage, SourceType};
use smsc_proto::sip::short_message_info::recipient;
use smsc_proto::sip::{Header, Message};
use smsc_proto::sms::{Address, Alphabet, Carrier, Direction, RpData, Rpdu, Submit, Tpdu, rp_header};

use super::compose::encoding;
use super::content::Carried;
use super::identity::{Identity, Number};
use super::submission::{AnswerBy, CAUSE_REJECTED, Key, Verdict};
use super::submit_report::Refusal;
use super::uas::{ACCEPT, Request};
use super::{Engine, Now};

/// TP-RD in the first octet of an SMS-SUBMIT (TS 23.040 §9.2.2.2).
const TP_RD: u8 = 0x04;

/// RP-Cause 69, for SMS-COMMAND.
const CAUSE_NOT_IMPLEMENTED: u8 = 69;
/// TP-FCS: command unsupported (TS 23.040 §9.2.3.22).
const FCS_COMMAND_UNSUPPORTED: u8 = 0xA1;
/// TP-FCS: data coding scheme (alphabet) not supported.
const FCS_ALPHABET_UNSUPPORTED: u8 = 0x90;
/// RP-Cause 1, unassigned number, with its TP-FCS: invalid SME address.
const CAUSE_UNASSIGNED: u8 = 1;
const FCS_INVALID_ADDRESS: u8 = 0xC3;

/// Who sent a MESSAGE: the identities the core asserts.
pub(super) struct Sender {
    /// Where answers go, and what reports are matched by.
    pub(super) identity: Identity,
    /// Its number, from an asserted identity or from its registration.
    pub(super) number: Option<Number>,
}

impl Engine {
    /// A MESSAGE from a trusted peer.
    pub(super) fn message(&mut self, now: Now, request: Request) {
        let sender = self.sender(now, &request.message);
        if self.is_ours(now, &request.message, sender.as_ref()) {
            self.metrics.loops.inc();
            tracing::warn!(
                peer = %request.flow.remote, call_id = request.message.call_id().unwrap_or_default(),
                "loop: the core sent our own MESSAGE back; a terminating iFC for this PSI matches it"
            );
            return self.refuse(now, &request, 482, "loop", |r| r);
        }
        let Some(sender) = sender else {
            return self.refuse(now, &request, 403, "no_asserted_identity", |r| r);
        };
        match super::content::read(&request.message) {
            Ok(super::content::Content::Rpdu(carried)) => self.rpdu(now, &request, &sender, &carried),
            Ok(super::content::Content::Text(text)) => self.text(now, request, &sender, text),
            Err(refusal) => self.refuse(now, &request, refusal.status, refusal.reason, |r| {
                if refusal.status == 415 { r.header(Header::Accept, ACCEPT) } else { r }
            }),
        }
    }

    fn sender(&mut self, now: Now, message: &Message) -> Option<Sender> {
        let settings = self.settings.clone();
        let mut asserted = message
            .p_asserted_identities()
            .take(4)
            .filter_map(|identity| Identity::of(identity.ok()?.uri, &settings));
        let identity = asserted.next()?;
        let mut number = self.subscribers.number(now.mono, &identity);
        while number.is_none() {
            let Some(other) = asserted.next() else { break };
            number = self.subscribers.number(now.mono, &other);
        }
        Some(Sender { identity, number })
    }

    fn rpdu(&mut self, now: Now, request: &Request, sender: &Sender, carried: &Carried) {
        let octets = &carried.rpdu[..];
        let Some(header) = rp_header(octets) else {
            return self.refuse(now, request, 400, "short_rpdu", |r| r);
        };
        match Rpdu::decode(Direction::MsToNetwork, octets) {
            Ok(Rpdu::Data(data)) => self.rp_data(now, request, sender, &data, carried.info.as_deref()),
            Ok(Rpdu::Smma { mr }) => self.rp_smma(now, request, sender, mr),
            Ok(report @ (Rpdu::Ack(_) | Rpdu::Error(_))) => {
                self.report(now, request.clone(), sender, &report, octets)
            }
            // Never an RP-ERROR for a broken report, or for one that flows the other way (TS 24.011 §9).
            Err(error) if matches!(header.mti, 2..=5) => {
                tracing::info!(%error, sender = %sender.identity.uri, "a report could not be read");
                self.refuse(now, request, 400, "bad_report", |r| r);
            }
            Err(error) => {
                self.answer(now, request, 202, |r| r);
                let addressee = self.addressee(now, request, sender, header.mr);
                self.refuse_submission(
                    now,
                    addressee,
                    Refusal { cause: error.rp_cause(), fcs: None },
                    &error.to_string(),
                );
            }
        }
    }

    fn rp_data(
        &mut self,
        now: Now,
        request: &Request,
        sender: &Sender,
        data: &RpData<'_>,
        info: Option<&[u8]>,
    ) {
        self.metrics.mo_received.inc();
        let addressee = self.addressee(now, request, sender, data.mr);
        let submit = match Tpdu::decode(Direction::MsToNetwork, Carrier::Data, data.user_data) {
            Ok(Tpdu::Submit(submit)) => submit,
            Ok(_) => {
                self.answer(now, request, 202, |r| r);
                let refusal = Refusal { cause: CAUSE_NOT_IMPLEMENTED, fcs: Some(FCS_COMMAND_UNSUPPORTED) };
                return self.refuse_submission(now, addressee, refusal, "SMS-COMMAND is not supported");
            }
            Err(error) => {
                self.answer(now, request, 202, |r| r);
                let refusal = Refusal { cause: error.rp_cause(), fcs: None };
                return self.refuse_submission(now, addressee, refusal, &error.to_string());
            }
        };
        if submit.ud.dcs.compressed() {
            self.answer(now, request, 202, |r| r);
            let refusal = Refusal { cause: CAUSE_REJECTED, fcs: Some(FCS_ALPHABET_UNSUPPORTED) };
            return self.refuse_submission(
                now,
                addressee,
                refusal,
                "compressed text (TS 23.042) is not supported",
            );
        }
        // Whom it is for is told beside the TPDU where the recipient has no number (TS 24.341 annex B.7).
        let named = match submit.da.is_dummy_msisdn().then(|| recipient(info.unwrap_or_default())) {
            None => None,
            Some(Ok(uri)) => Some(uri),
            Some(Err(error)) => {
                self.answer(now, request, 202, |r| r);
                let refusal = Refusal { cause: CAUSE_UNASSIGNED, fcs: Some(FCS_INVALID_ADDRESS) };
                let why = format!("TP-DA is the dummy MSISDN, and who is meant is not told: {error}");
                return self.refuse_submission(now, addressee, refusal, &why);
            }
        };
        let mut key = idempotency_key(&request.message, &sender.identity.uri);
        let submit_key = submit_key(sender, data.user_data, info.unwrap_or_default());
        match self.earlier(now, &key, &submit_key, submit.reject_duplicates) {
            // The sender tries again what we could not answer: the backend tells by the key whether it has it.
            Some((first, Verdict::Unanswered)) => {
                self.submissions.is_repeat_of(now.mono, key, first);
                key = first;
            }
            Some((first, verdict)) => {
                self.answer(now, request, 202, |r| r);
                return self.repeat(now, first, verdict, addressee);
            }
            None => {}
        }
        if !self.has_room(now) {
            return self.refuse_overload(now, request);
        }
        self.answer(now, request, 202, |r| r);
        let mut message = self.new_message(now, &request.message, sender, data, &submit, &key, &submit_key);
        if let Some(uri) = named {
            message.destination_msisdn = uri;
        }
        self.submissions.know_by(now.mono, submit_key, key);
        self.submit(now, key, Arc::new(message), AnswerBy::Rp(Box::new(addressee)));
    }

    #[expect(clippy::too_many_arguments, reason = "each is one source of the record's fields")]
    fn new_message(
        &mut self,
        now: Now,
        message: &Message,
        sender: &Sender,
        data: &RpData<'_>,
        submit: &Submit<'_>,
        key: &Key,
        submit_key: &Key,
    ) -> NewMessage {
        let (encoding, body) = match (submit.ud.dcs.alphabet(), submit.ud.text()) {
            (Alphabet::Gsm7, Ok(text)) => (Encoding::Gsm7, text),
            (Alphabet::Ucs2, Ok(text)) => (Encoding::Ucs2, text),
            _ => (Encoding::Binary, HEXLOWER.encode(submit.ud.payload())),
        };
        NewMessage {
            idempotency_key: HEXLOWER.encode(key),
            source_msisdn: source(sender),
            destination_msisdn: submit.da.as_dialled(),
            destination_ton: submit.da.ton(),
            destination_npi: submit.da.npi(),
            message_body: body,
            source_smsc: self.settings.location.clone(),
            source_type: SourceType::Ims,
            encoding,
            tp_dcs: Some(submit.ud.dcs.0),
            tp_pid: Some(submit.pid),
            tp_mr: Some(submit.mr),
            tp_rd: Some(submit.reject_duplicates),
            tp_rp: Some(submit.reply_path),
            rp_mr: Some(data.mr),
            udh: submit.ud.udh().map(|udh| HEXLOWER.encode(udh)),
            raw_tpdu: Some(HEXLOWER.encode(data.user_data)),
            sc_address: (data.da != Address::EMPTY).then(|| data.da.as_dialled()),
            submit_key: Some(HEXLOWER.encode(submit_key)),
            validity_period: submit.vp.as_ref().and_then(|vp| vp.seconds(now.wall)),
            status_report_requested: submit.status_report_request,
            call_id: message.call_id().ok().map(str::to_owned),
            icid: icid(message),
        }
    }

    /// text/plain or CPIM: the recipient is in the request, and the 2xx waits for the backend (design §11).
    fn text(&mut self, now: Now, request: Request, sender: &Sender, text: super::content::Text) {
        self.metrics.mo_received.inc();
        let to = text.to.or_else(|| request.message.request_uri().map(str::to_owned)).unwrap_or_default();
        let Some(number) = Identity::of(&to, &self.settings).and_then(|to| to.number) else {
            return self.refuse(now, &request, 404, "no_recipient", |r| r);
        };
        let key = idempotency_key(&request.message, &sender.identity.uri);
        if let Some(Verdict::Accepted { accepted, .. }) = self.submissions.verdict(now.mono, &key) {
            self.metrics.mo_repeats.inc();
            self.tell(Some(&accepted.id), "mo", || "a repeat of a message already accepted".to_owned());
            return self.answer(now, &request, 202, |r| r);
        }
        if !self.has_room(now) {
            return self.refuse_overload(now, &request);
        }
        // One of too many parts is refused when it is to be sent; whoever asks why is told so then.
        let encoding = encoding(&text.body, &self.settings.languages).unwrap_or(Encoding::Ucs2);
        let message = Arc::new(NewMessage {
            idempotency_key: HEXLOWER.encode(&key),
            destination_ton: u8::from(number.international),
            destination_npi: 1,
            source_smsc: self.settings.location.clone(),
            validity_period: request.message.expires().map(u64::from),
            call_id: request.message.call_id().ok().map(str::to_owned),
            icid: icid(&request.message),
            ..NewMessage::bare(SourceType::Ims, source(sender), number.dialled(), encoding, text.body)
        });
        self.submit(now, key, message, AnswerBy::Sip(Box::new(request)));
    }
}

/// What names this submission to the backend: copies of it through any pod are one message.
fn idempotency_key(message: &Message, identity: &str) -> Key {
    let cseq = message.header(Header::CSeq).unwrap_or_default();
    digest(&[
        identity.as_bytes(),
        message.call_id().unwrap_or_default().as_bytes(),
        cseq.as_bytes(),
        message.body_octets(),
    ])
}

/// What a re-submission has in common with the first: sender, TP-MR, TP-DA and all else but TP-RD.
fn submit_key(sender: &Sender, tpdu: &[u8], info: &[u8]) -> Key {
    let (first, rest) = tpdu.split_first().unwrap_or((&0, &[]));
    let who = sender.number.as_ref().map_or(sender.identity.aor.as_str(), |n| &n.digits);
    digest(&[who.as_bytes(), &[first & !TP_RD], rest, info])
}

fn digest(fields: &[&[u8]]) -> Key {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    let full = hasher.finalize();
    std::array::from_fn(|at| full[at])
}

fn source(sender: &Sender) -> String {
    sender.number.as_ref().map_or_else(|| sender.identity.uri.clone(), Number::dialled)
}

fn icid(message: &Message) -> Option<String> {
    message.p_charging_vector().ok().map(|vector| vector.icid().to_owned())
}
