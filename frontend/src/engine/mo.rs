//! From the handset (design §4, MO): 202 at once, RP-ACK only after the backend has durably taken the message.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use smsc_backend::{
    Accepted, BackendError, Encoding, Location, LocationEvent, MessageId, NewMessage, SourceType,
};
use smsc_proto::sip::{Header, Message};
use smsc_proto::sms::{Address, Alphabet, Carrier, Direction, RpData, Rpdu, Submit, Tpdu, gsm7, rp_header};

use super::identity::{Identity, Number};
use super::metrics::CauseLabel;
use super::recent::Recent;
use super::submit_report::{Addressee, Refusal};
use super::uas::{ACCEPT, Request};
use super::{Answered, Call, Engine, Now, Pending, Reply, Settings, Timer};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(4);
/// TP-RD in the first octet of an SMS-SUBMIT (TS 23.040 §9.2.2.2).
const TP_RD: u8 = 0x04;

/// RP-Cause 21, where the backend refused without naming one (TS 24.011 §8.2.5.4).
const CAUSE_REJECTED: u8 = 21;
/// RP-Cause 41: the only one after which a handset tries again over IMS.
const CAUSE_TEMPORARY: u8 = 41;
/// RP-Cause 69, for SMS-COMMAND.
const CAUSE_NOT_IMPLEMENTED: u8 = 69;
/// TP-FCS: command unsupported, duplicate rejected (TS 23.040 §9.2.3.22).
const FCS_COMMAND_UNSUPPORTED: u8 = 0xA1;
const FCS_DUPLICATE: u8 = 0xC5;

type Key = [u8; 16];

/// Submissions on their way to the backend, and what became of recent ones.
#[derive(Debug)]
pub(super) struct Submissions {
    open: FxHashMap<u64, Submission>,
    remembered: Recent<Key, Verdict>,
    by_submit_key: Recent<Key, Key>,
    /// When the second under way began, and how many it has taken.
    rate: (Option<Instant>, u32),
}

impl Submissions {
    pub(super) fn new(settings: &Settings) -> Self {
        let (window, cap) = (settings.timers.submit_window, settings.caps.remembered);
        Self {
            open: FxHashMap::default(),
            remembered: Recent::new(window, cap),
            by_submit_key: Recent::new(window, cap),
            rate: (None, 0),
        }
    }

    /// Submissions the backend has not answered.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

#[derive(Debug)]
struct Submission {
    key: Key,
    message: Box<NewMessage>,
    answer: AnswerBy,
    deadline: Instant,
    failures: u32,
    in_flight: bool,
    given_up: bool,
}

/// How the sender learns the outcome.
#[derive(Debug)]
enum AnswerBy {
    /// An RP-ACK or RP-ERROR in a MESSAGE of its own.
    Rp(Box<Addressee>),
    /// The SIP answer itself: text/plain and CPIM senders get no later report.
    Sip(Box<Request>),
}

/// What became of a submission.
#[derive(Debug, Clone)]
enum Verdict {
    Pending(u64),
    Accepted {
        accepted: Accepted,
        confirmed: bool,
    },
    Refused(Refusal),
    /// Answered RP-ERROR 41: the backend may have it all the same.
    Unanswered,
    /// The same message as this one, in another request.
    RepeatOf(Key),
}

/// An RP-SMMA the backend is being told about.
#[derive(Debug)]
pub(super) struct MemoryAvailable {
    addressee: Addressee,
}

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
        let Some(sender) = self.sender(now, &request.message) else {
            return self.refuse(now, &request, 403, "no_asserted_identity", |r| r);
        };
        match super::content::read(&request.message) {
            Ok(super::content::Content::Rpdu(rpdu)) => self.rpdu(now, &request, &sender, &rpdu),
            Ok(super::content::Content::Text(text)) => self.text(now, request, &sender, text),
            Err(refusal) => self.refuse(now, &request, refusal.status, refusal.reason, |r| {
                if refusal.status == 415 { r.header(Header::Accept, ACCEPT) } else { r }
            }),
        }
    }

    fn sender(&mut self, now: Now, message: &Message) -> Option<Sender> {
        let mut asserted: Vec<Identity> = Vec::with_capacity(2);
        for identity in message.p_asserted_identities().take(4).filter_map(Result::ok) {
            asserted.extend(Identity::of(identity.uri, &self.settings));
        }
        let number = asserted.iter().find_map(|identity| self.subscribers.number(now.mono, identity));
        asserted.into_iter().next().map(|identity| Sender { identity, number })
    }

    fn rpdu(&mut self, now: Now, request: &Request, sender: &Sender, octets: &[u8]) {
        let Some(header) = rp_header(octets) else {
            return self.refuse(now, request, 400, "short_rpdu", |r| r);
        };
        match Rpdu::decode(Direction::MsToNetwork, octets) {
            Ok(Rpdu::Data(data)) => self.rp_data(now, request, sender, &data),
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
                    &addressee,
                    Refusal { cause: error.rp_cause(), fcs: None },
                    &error.to_string(),
                );
            }
        }
    }

    fn rp_data(&mut self, now: Now, request: &Request, sender: &Sender, data: &RpData<'_>) {
        self.metrics.mo_received.inc();
        let addressee = self.addressee(now, request, sender, data.mr);
        let submit = match Tpdu::decode(Direction::MsToNetwork, Carrier::Data, data.user_data) {
            Ok(Tpdu::Submit(submit)) => submit,
            Ok(_) => {
                self.answer(now, request, 202, |r| r);
                let refusal = Refusal { cause: CAUSE_NOT_IMPLEMENTED, fcs: Some(FCS_COMMAND_UNSUPPORTED) };
                return self.refuse_submission(now, &addressee, refusal, "SMS-COMMAND is not supported");
            }
            Err(error) => {
                self.answer(now, request, 202, |r| r);
                let refusal = Refusal { cause: error.rp_cause(), fcs: None };
                return self.refuse_submission(now, &addressee, refusal, &error.to_string());
            }
        };
        let mut key = idempotency_key(&request.message, &sender.identity.uri);
        let submit_key = submit_key(sender, data.user_data);
        match self.earlier(now, &key, &submit_key, submit.reject_duplicates) {
            // The sender tries again what we could not answer: the backend tells by the key whether it has it.
            Some((first, Verdict::Unanswered)) => {
                if key != first {
                    self.submissions.remembered.insert(now.mono, key, Verdict::RepeatOf(first));
                }
                key = first;
            }
            Some((first, verdict)) => {
                self.answer(now, request, 202, |r| r);
                return self.repeat(now, first, verdict, addressee);
            }
            None => {}
        }
        if self.submissions.open.len() >= self.settings.caps.open_mo || !self.within_rate(now) {
            return self.refuse_overload(now, request);
        }
        self.answer(now, request, 202, |r| r);
        let message = self.new_message(now, &request.message, sender, data, &submit, &key, &submit_key);
        self.submissions.by_submit_key.insert(now.mono, submit_key, key);
        self.submit(now, key, message, AnswerBy::Rp(Box::new(addressee)));
    }

    /// Spends one submission of this second's allowance; what a second did not use does not pile up.
    fn within_rate(&mut self, now: Now) -> bool {
        let Some(limit) = self.settings.caps.submissions_per_second else { return true };
        let (since, taken) = &mut self.submissions.rate;
        if since.is_none_or(|since| now.mono.saturating_duration_since(since) >= Duration::from_secs(1)) {
            (*since, *taken) = (Some(now.mono), 0);
        }
        *taken += 1;
        *taken <= limit
    }

    /// The verdict on an earlier copy: the same SIP request, or the same submission where it says so (TP-RD) or
    /// where our RP-ACK is not known to have arrived.
    fn earlier(
        &mut self,
        now: Now,
        key: &Key,
        submit_key: &Key,
        reject_duplicates: bool,
    ) -> Option<(Key, Verdict)> {
        let remembered = &mut self.submissions.remembered;
        match remembered.get(now.mono, key).cloned() {
            Some(Verdict::RepeatOf(first)) => {
                return remembered.get(now.mono, &first).map(|verdict| (first, verdict.clone()));
            }
            Some(verdict) => return Some((*key, verdict)),
            None => {}
        }
        let first = *self.submissions.by_submit_key.get(now.mono, submit_key)?;
        let verdict = remembered.get(now.mono, &first)?;
        let same = match verdict {
            Verdict::Accepted { confirmed, .. } => reject_duplicates || !*confirmed,
            Verdict::Pending(_) => reject_duplicates,
            Verdict::Refused(_) | Verdict::RepeatOf(_) => false,
            Verdict::Unanswered => true,
        };
        same.then(|| (first, verdict.clone()))
    }

    fn repeat(&mut self, now: Now, key: Key, verdict: Verdict, addressee: Addressee) {
        self.metrics.mo_repeats.inc();
        match verdict {
            Verdict::Pending(id) => {
                if let Some(submission) = self.submissions.open.get_mut(&id) {
                    submission.answer = AnswerBy::Rp(Box::new(addressee));
                }
            }
            Verdict::Accepted { accepted, .. } => {
                self.tell(Some(&accepted.id), "mo", || "a repeat of a message already accepted".to_owned());
                let confirms = Some((key, &accepted.id));
                if self.settings.reject_duplicates {
                    let refusal = Refusal { cause: CAUSE_REJECTED, fcs: Some(FCS_DUPLICATE) };
                    self.refuse_repeat(now, &addressee, refusal, "duplicate", confirms);
                } else {
                    self.send_rp_ack(now, &addressee, accepted.scts, confirms);
                }
            }
            Verdict::Refused(refusal) => self.refuse_submission(now, &addressee, refusal, "refused before"),
            Verdict::Unanswered | Verdict::RepeatOf(_) => {}
        }
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
    ) -> Box<NewMessage> {
        let (encoding, body) = match (submit.ud.dcs.alphabet(), submit.ud.text()) {
            (Alphabet::Gsm7, Ok(text)) => (Encoding::Gsm7, text),
            (Alphabet::Ucs2, Ok(text)) => (Encoding::Ucs2, text),
            _ => (Encoding::Binary, HEXLOWER.encode(submit.ud.payload())),
        };
        Box::new(NewMessage {
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
        })
    }

    /// text/plain or CPIM: the recipient is in the request, and the 2xx waits for the backend (design §11).
    fn text(&mut self, now: Now, request: Request, sender: &Sender, text: super::content::Text) {
        self.metrics.mo_received.inc();
        let to = text.to.or_else(|| request.message.request_uri().map(str::to_owned)).unwrap_or_default();
        let Some(number) = Identity::of(&to, &self.settings).and_then(|to| to.number) else {
            return self.refuse(now, &request, 404, "no_recipient", |r| r);
        };
        let key = idempotency_key(&request.message, &sender.identity.uri);
        if let Some(Verdict::Accepted { accepted, .. }) =
            self.submissions.remembered.get(now.mono, &key).cloned()
        {
            self.metrics.mo_repeats.inc();
            self.tell(Some(&accepted.id), "mo", || "a repeat of a message already accepted".to_owned());
            return self.answer(now, &request, 202, |r| r);
        }
        if self.submissions.open.len() >= self.settings.caps.open_mo || !self.within_rate(now) {
            return self.refuse_overload(now, &request);
        }
        let gsm7 = text.body.chars().all(|c| gsm7::septets(c, gsm7::Tables::DEFAULT).is_some());
        let message = Box::new(NewMessage {
            idempotency_key: HEXLOWER.encode(&key),
            source_msisdn: source(sender),
            destination_msisdn: number.dialled(),
            destination_ton: u8::from(number.international),
            destination_npi: 1,
            message_body: text.body,
            source_smsc: self.settings.location.clone(),
            source_type: SourceType::Ims,
            encoding: if gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 },
            tp_dcs: None,
            tp_pid: None,
            tp_mr: None,
            tp_rd: None,
            tp_rp: None,
            rp_mr: None,
            udh: None,
            raw_tpdu: None,
            sc_address: None,
            submit_key: None,
            validity_period: request.message.expires().map(u64::from),
            status_report_requested: false,
            call_id: request.message.call_id().ok().map(str::to_owned),
            icid: icid(&request.message),
        });
        self.submit(now, key, message, AnswerBy::Sip(Box::new(request)));
    }

    fn submit(&mut self, now: Now, key: Key, message: Box<NewMessage>, answer: AnswerBy) {
        let id = self.next();
        self.tell(None, "mo", || {
            format!(
                "{} sends {:?} to {}",
                message.source_msisdn, message.message_body, message.destination_msisdn
            )
        });
        let deadline = now.mono + self.settings.timers.mo_budget;
        let submission =
            Submission { key, message, answer, deadline, failures: 0, in_flight: false, given_up: false };
        self.submissions.open.insert(id, submission);
        self.submissions.remembered.insert(now.mono, key, Verdict::Pending(id));
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        self.insert_message(now, id);
        self.schedule.set(deadline, Timer::Submission(id));
    }

    /// Asks the backend, or gives up when the budget is spent.
    pub(super) fn insert_message(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        if now.mono >= submission.deadline {
            if !submission.given_up {
                submission.given_up = true;
                self.give_up(now, id);
            }
        } else if !submission.in_flight {
            submission.in_flight = true;
            let message = submission.message.clone();
            self.call(Call::InsertMessage(message), Pending::Submission(id));
        }
    }

    pub(super) fn submission_answered(&mut self, now: Now, id: u64, answer: Answered) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        submission.in_flight = false;
        match answer {
            Ok(Reply::Accepted(accepted)) => self.accepted(now, id, accepted),
            Ok(_) => self.retry_insert(now, id),
            Err(error) if error.is_transient() => self.retry_insert(now, id),
            Err(error) => self.refused(now, id, &error),
        }
    }

    fn retry_insert(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        if submission.given_up {
            return self.close(id);
        }
        submission.failures += 1;
        let delay = FIRST_RETRY.saturating_mul(1 << (submission.failures - 1).min(6)).min(LAST_RETRY);
        if now.mono + delay < submission.deadline {
            self.schedule.set(now.mono + delay, Timer::Submission(id));
        }
    }

    fn accepted(&mut self, now: Now, id: u64, accepted: Accepted) {
        let Some(submission) = self.submissions.open.remove(&id) else { return };
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        self.metrics.mo_accepted.inc();
        tracing::debug!(message_id = %accepted.id, from = %submission.message.source_msisdn,
            to = %submission.message.destination_msisdn, "accepted");
        self.tell(Some(&accepted.id), "mo", || "the backend has stored it".to_owned());
        let confirmed = matches!(submission.answer, AnswerBy::Sip(_));
        let verdict = Verdict::Accepted { accepted: accepted.clone(), confirmed };
        self.submissions.remembered.insert(now.mono, submission.key, verdict);
        if submission.given_up {
            return;
        }
        match submission.answer {
            AnswerBy::Rp(addressee) => {
                self.send_rp_ack(now, &addressee, accepted.scts, Some((submission.key, &accepted.id)))
            }
            AnswerBy::Sip(request) => self.answer(now, &request, 202, |r| r),
        }
        self.poll_all_soon(now);
    }

    fn refused(&mut self, now: Now, id: u64, error: &BackendError) {
        let Some(submission) = self.submissions.open.remove(&id) else { return };
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
        let refusal = Refusal { cause: error.rp_cause.unwrap_or(CAUSE_REJECTED), fcs: None };
        self.submissions.remembered.insert(now.mono, submission.key, Verdict::Refused(refusal));
        if submission.given_up {
            return;
        }
        match submission.answer {
            AnswerBy::Rp(addressee) => self.refuse_submission(now, &addressee, refusal, &error.to_string()),
            AnswerBy::Sip(request) => {
                let status = if refusal.cause == 1 { 404 } else { 403 };
                self.refuse(now, &request, status, "backend_refused", |r| r);
            }
        }
    }

    /// The outcome is not known: RP-ERROR 41 and no other, so that the handset tries again over IMS.
    fn give_up(&mut self, now: Now, id: u64) {
        let Some(submission) = self.submissions.open.get_mut(&id) else { return };
        self.submissions.remembered.insert(now.mono, submission.key, Verdict::Unanswered);
        let answer = match &mut submission.answer {
            AnswerBy::Rp(addressee) => AnswerBy::Rp(addressee.clone()),
            AnswerBy::Sip(request) => AnswerBy::Sip(request.clone()),
        };
        if !submission.in_flight {
            self.close(id);
        }
        match answer {
            AnswerBy::Rp(addressee) => {
                let refusal = Refusal { cause: CAUSE_TEMPORARY, fcs: None };
                self.refuse_submission(now, &addressee, refusal, "the backend did not answer in time");
            }
            AnswerBy::Sip(request) => self.refuse_overload(now, &request),
        }
    }

    fn close(&mut self, id: u64) {
        self.submissions.open.remove(&id);
        self.metrics.mo_open.set(self.submissions.open.len() as i64);
    }

    /// Our RP-ACK was answered 2xx: an equal submission from now on is a new message.
    pub(super) fn rp_ack_confirmed(&mut self, now: Now, key: Key) {
        if let Some(Verdict::Accepted { confirmed, .. }) = self.submissions.remembered.get(now.mono, &key) {
            *confirmed = true;
        }
    }

    fn refuse_submission(&mut self, now: Now, addressee: &Addressee, refusal: Refusal, why: &str) {
        self.refuse_repeat(now, addressee, refusal, why, None);
    }

    /// RP-ERROR; where it refuses a repeat of an accepted message, its 2xx shows that the sender knows.
    fn refuse_repeat(
        &mut self,
        now: Now,
        addressee: &Addressee,
        refusal: Refusal,
        why: &str,
        confirms: Confirmation<'_>,
    ) {
        tracing::info!(sender = %addressee.uri, call_id = %addressee.in_reply_to, cause = refusal.cause, why, "RP-ERROR");
        self.metrics.mo_refused.get_or_create(&CauseLabel { cause: refusal.cause }).inc();
        self.tell(None, "mo", || format!("RP-ERROR {}: {why}", refusal.cause));
        self.send_rp_error(now, addressee, refusal, confirms);
    }

    /// RP-SMMA: the handset has memory again (TS 24.341 §5.3.2.5).
    fn rp_smma(&mut self, now: Now, request: &Request, sender: &Sender, mr: u8) {
        self.answer(now, request, 202, |r| r);
        let addressee = self.addressee(now, request, sender, mr);
        let known = self.subscribers.find(now.mono, &sender.identity);
        let location = Location {
            msisdn: sender.number.as_ref().map(|n| n.digits.clone()),
            imsi: known.as_ref().and_then(|k| k.imsi.clone()),
            impu: sender.identity.uri.clone(),
            location: self.settings.location.clone(),
            ims_capable: true,
            contact: None,
            s_cscf: known.and_then(|k| k.s_cscf),
            call_id: None,
            cseq: None,
            imei: None,
            user_agent: None,
            access_network_info: request.message.header(Header::PAccessNetworkInfo).map(str::to_owned),
            visited_network: None,
            expires: 3600,
            event: LocationEvent::MemoryAvailable,
        };
        self.tell(None, "mo", || format!("{} has memory again", sender.identity.uri));
        self.call(Call::InsertLocation(location), Pending::Memory(MemoryAvailable { addressee }));
    }

    pub(super) fn memory_answered(&mut self, now: Now, memory: MemoryAvailable, answer: Answered) {
        match answer {
            Ok(_) => {
                self.send_smma_ack(now, &memory.addressee);
                self.poll_all_soon(now);
            }
            Err(error) => {
                let refusal = Refusal { cause: CAUSE_TEMPORARY, fcs: None };
                self.refuse_submission(now, &memory.addressee, refusal, &error.to_string());
            }
        }
    }
}

/// What names this submission to the backend: copies of it through any pod are one message.
fn idempotency_key(message: &Message, identity: &str) -> Key {
    let cseq = message.header(Header::CSeq).unwrap_or_default();
    digest(&[
        identity.as_bytes(),
        message.call_id().unwrap_or_default().as_bytes(),
        cseq.as_bytes(),
        &message.body(),
    ])
}

/// What a re-submission has in common with the first: sender, TP-MR, TP-DA and all else but TP-RD.
fn submit_key(sender: &Sender, tpdu: &[u8]) -> Key {
    let (first, rest) = tpdu.split_first().unwrap_or((&0, &[]));
    let who = sender.number.as_ref().map_or(sender.identity.aor.as_str(), |n| &n.digits);
    digest(&[who.as_bytes(), &[first & !TP_RD], rest])
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
    let vector = message.header(Header::PChargingVector)?;
    let (_, rest) = vector.split_once("icid-value=")?;
    Some(rest.split([';', ',']).next()?.trim().trim_matches('"').to_owned())
}

/// Identifies a submission whose RP-ACK is on its way.
pub(super) type Confirmation<'a> = Option<(Key, &'a MessageId)>;
