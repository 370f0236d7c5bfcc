//! RP-SMMA: a handset has memory again (TS 24.341 §5.3.2.5).

use smsc_backend::{Location, LocationEvent};
use smsc_proto::sip::Header;

use super::mo::Sender;
use super::submission::CAUSE_TEMPORARY;
use super::submit_report::{Addressee, Refusal};
use super::uas::Request;
use super::{Answered, Call, Engine, Now, Pending};

/// Assumed of a registration this pod did not see.
const DEFAULT_EXPIRES: u32 = 3600;

/// An RP-SMMA the backend is being told about.
#[derive(Debug)]
pub(super) struct MemoryAvailable {
    addressee: Addressee,
    expires: u32,
}

impl Engine {
    /// Tells the backend, then answers RP-ACK.
    pub(super) fn rp_smma(&mut self, now: Now, request: &Request, sender: &Sender, mr: u8) {
        self.answer(now, request, 202, |r| r);
        let addressee = self.addressee(now, request, sender, mr);
        let known = self.subscribers.find(now.mono, &sender.identity);
        let left = known.as_ref().map(|k| k.until.saturating_duration_since(now.mono).as_secs());
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
            expires: left.and_then(|left| u32::try_from(left).ok()).unwrap_or(DEFAULT_EXPIRES),
            event: LocationEvent::MemoryAvailable,
        };
        self.tell(None, "mo", || format!("{} has memory again", sender.identity.uri));
        let expires = location.expires;
        self.registrar.writes_for(now, expires);
        self.call(Call::InsertLocation(location), Pending::Memory(MemoryAvailable { addressee, expires }));
    }

    pub(super) fn memory_answered(&mut self, now: Now, memory: MemoryAvailable, answer: Answered) {
        match answer {
            Ok(_) => {
                self.registrar.writes_for(now, memory.expires);
                self.send_smma_ack(now, memory.addressee);
                self.poll_all_soon(now);
            }
            Err(error) => {
                let refusal = Refusal { cause: CAUSE_TEMPORARY, fcs: None };
                self.refuse_submission(now, memory.addressee, refusal, &error.to_string());
            }
        }
    }
}
