//! Third-party REGISTER from the S-CSCF (TS 24.229 §5.4.1.7, TS 24.341 §5.3.3.2), and our own `frontend_register`.
//!
//! A trusted peer gets its 200 at once, whatever the backend does: another answer could deregister the subscriber.
//! The write is repeated until the backend took it or a newer REGISTER of that identity replaces it.

use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use smsc_backend::{FrontendRegistration, Location, LocationEvent, LocationRemoval};
use smsc_proto::sip::{Header, Message, Method, Uri, multipart, unescaped};

use super::identity::{Identity, Subscriber};
use super::uas::Request;
use super::{Answered, Call, Engine, Now, Pending, Timer};

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Assumed where a REGISTER names no lifetime (RFC 3261 §10.2).
const DEFAULT_EXPIRES: u32 = 3600;
/// Identities of an implicit registration set that are remembered.
const MAX_ASSOCIATED: usize = 16;

/// Writes the backend has not taken yet: the newest per identity, so at most one for every registration.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    writes: FxHashMap<Box<str>, Write>,
    frontend_failures: u32,
    /// The longest lifetime that a REGISTER has named, seconds; 0: none was seen.
    longest: u32,
    /// When the last of what was written runs out, Unix seconds.
    last_runs_out: i64,
}

impl Registrar {
    /// Writes the backend has not taken.
    pub(super) fn open(&self) -> usize {
        self.writes.len()
    }

    /// Remembers that a location may stand at the backend for so many seconds from now.
    pub(super) fn writes_for(&mut self, now: Now, expires: u32) {
        self.last_runs_out = self.last_runs_out.max(now.wall.saturating_add(expires.into()));
    }

    /// When everything written with this pod's location has run out, Unix seconds, as far as this pod can tell. What a
    /// predecessor wrote has too, if no lifetime of its was longer than the longest seen here: it began earlier.
    pub(super) fn runs_out(&self, now: Now) -> Option<i64> {
        // What the backend has not taken yet counts from when it does.
        let waiting = (!self.writes.is_empty()).then(|| now.wall.saturating_add(self.longest.into()));
        (self.longest > 0).then(|| waiting.map_or(self.last_runs_out, |until| until.max(self.last_runs_out)))
    }
}

#[derive(Debug)]
struct Write {
    version: u64,
    call: Call,
    failures: u32,
    /// A call is on its way: the next waits for its answer, or it could arrive first.
    in_flight: bool,
}

/// What a third-party REGISTER tells, its bodies included.
#[derive(Debug, Default)]
struct Told {
    msisdn: Option<String>,
    imsi: Option<String>,
    imei: Option<String>,
    contact: Option<String>,
    user_agent: Option<String>,
    capable: Option<bool>,
    associated: Vec<String>,
}

impl Engine {
    pub(super) fn register(&mut self, now: Now, request: &Request) {
        let message = &request.message;
        let to = message.to().map(|to| to.uri.to_owned()).unwrap_or_default();
        let Some(identity) = Identity::of(&to, &self.settings) else {
            return self.refuse(now, request, 400, "bad_identity", |r| r);
        };
        if self.registrar.writes.len() >= self.settings.caps.registrations {
            return self.refuse_overload(now, request);
        }
        let told = Told::read(message);
        let contact = message.contacts().next().and_then(Result::ok);
        let s_cscf = contact
            .as_ref()
            .map(|c| c.uri.to_owned())
            .or_else(|| message.from().ok().map(|f| f.uri.to_owned()));
        let contact_expires = contact.as_ref().and_then(|c| c.param("expires")).and_then(|e| e.parse().ok());
        let expires = contact_expires.or_else(|| message.expires()).unwrap_or(DEFAULT_EXPIRES);
        let call_id = message.call_id().ok().map(str::to_owned);
        let cseq = message.cseq().ok().map(|cseq| cseq.number);
        let answer_contact = contact.as_ref().map(|c| format!("<{}>;expires={expires}", c.uri));
        self.answer(now, request, 200, |r| match &answer_contact {
            Some(contact) => r.header(Header::Contact, contact).header(Header::Expires, &expires.to_string()),
            None => r,
        });
        let set: Vec<Identity> =
            told.associated.iter().filter_map(|uri| Identity::of(uri, &self.settings)).collect();
        let location = self.registered(now, &identity, &set, message, told);
        let location = Location { impu: to, s_cscf, call_id, cseq, expires, ..location };
        let call = if expires == 0 {
            let Location { impu, s_cscf, call_id, cseq, .. } = location.clone();
            let removal = LocationRemoval { impu, s_cscf, call_id, cseq };
            if self.unwatch(now, &identity, request, location, &removal) {
                return self.tell(None, "register", || {
                    format!("{} took a contact back; the S-CSCF is asked", removal.impu)
                });
            }
            self.subscribers.forget(&identity);
            self.tell(None, "register", || format!("{} is gone", removal.impu));
            Call::DeleteLocation(removal)
        } else {
            let subscriber = Subscriber {
                msisdn: location.msisdn.clone(),
                imsi: location.imsi.clone(),
                s_cscf: location.s_cscf.clone(),
                until: now.mono + Duration::from_secs(expires.into()),
            };
            self.subscribers.learn(now.mono, &identity, subscriber, set.iter());
            self.tell(None, "register", || {
                let number = location.msisdn.as_deref().unwrap_or("not known");
                format!("{} registered for {expires} s, number {number}", location.impu)
            });
            self.watch(now, &identity, request, location.clone());
            self.registrar.longest = self.registrar.longest.max(expires);
            self.registrar.writes_for(now, expires);
            Call::InsertLocation(location)
        };
        self.write_location(&identity.aor, call);
    }

    /// The location that a REGISTER and what is known besides it tell; what names that REGISTER is still to be added.
    fn registered(
        &mut self,
        now: Now,
        identity: &Identity,
        set: &[Identity],
        message: &Message,
        told: Told,
    ) -> Location {
        let known = self.subscribers.find(now.mono, identity);
        let number = |i: &Identity| i.number.as_ref().map(|n| n.digits.clone());
        let msisdn = told
            .msisdn
            .or_else(|| set.iter().find_map(number))
            .or_else(|| number(identity))
            .or_else(|| known.as_ref().and_then(|k| k.msisdn.clone()));
        let imsi = told
            .imsi
            .or_else(|| identity.imsi.clone())
            .or_else(|| known.as_ref().and_then(|k| k.imsi.clone()));
        let event = if known.is_some() { LocationEvent::Refreshed } else { LocationEvent::Registered };
        let text = |name| message.header(name).map(str::to_owned);
        // What a document told holds until the next one, unless this REGISTER shows a capable contact itself.
        let known = self.known_contact(&identity.aor);
        let known_capable = known.as_ref().map(|known| known.smsip);
        let (known_contact, known_imei) = known.map(|known| (known.uri, known.imei)).unzip();
        let capable = told.capable.filter(|_| told.capable == Some(true) || known_capable.is_none());
        Location {
            msisdn,
            imsi,
            impu: String::new(),
            location: self.settings.location.clone(),
            ims_capable: capable.or(known_capable).unwrap_or(self.settings.capable_by_default),
            contact: told.contact.or(known_contact),
            s_cscf: None,
            call_id: None,
            cseq: None,
            imei: told.imei.or(known_imei.flatten()),
            user_agent: told.user_agent,
            access_network_info: text(Header::PAccessNetworkInfo),
            visited_network: message
                .p_visited_network_ids()
                .find_map(Result::ok)
                .map(|network| unescaped(network.value).into_owned()),
            expires: 0,
            event,
        }
    }

    /// Tells the backend where an identity is, or that it is gone, until it has taken it or there is news.
    pub(super) fn write_location(&mut self, aor: &str, call: Call) {
        let version = self.next();
        let impu: Box<str> = aor.into();
        let in_flight = self.registrar.writes.get(&impu).is_some_and(|write| write.in_flight);
        self.registrar.writes.insert(impu.clone(), Write { version, call, failures: 0, in_flight });
        self.write_registration(&impu);
    }

    /// Repeats a write, unless a newer REGISTER has replaced it.
    pub(super) fn registration_due(&mut self, impu: &str, version: u64) {
        if self.registrar.writes.get(impu).is_some_and(|write| write.version == version) {
            self.write_registration(impu);
        }
    }

    fn write_registration(&mut self, impu: &str) {
        let Some(write) = self.registrar.writes.get_mut(impu).filter(|write| !write.in_flight) else {
            return;
        };
        write.in_flight = true;
        let (call, version) = (write.call.clone(), write.version);
        self.call(call, Pending::Registration(impu.into(), version));
    }

    pub(super) fn registration_written(&mut self, now: Now, impu: &str, version: u64, answer: Answered) {
        let Some(write) = self.registrar.writes.get_mut(impu) else { return };
        write.in_flight = false;
        if write.version != version {
            return self.write_registration(impu);
        }
        match answer {
            Ok(_) => {
                let added = match &write.call {
                    Call::InsertLocation(location) => Some(location.expires),
                    _ => None,
                };
                self.registrar.writes.remove(impu);
                self.metrics.registrations.inc();
                self.tell(None, "register", || {
                    let what = if added.is_some() { "where it is" } else { "that it is gone" };
                    format!("{impu}: the backend knows {what}")
                });
                if let Some(expires) = added {
                    self.registrar.writes_for(now, expires);
                    self.poll_all_soon(now);
                }
            }
            Err(error) if error.is_transient() => {
                write.failures += 1;
                let delay = backoff(write.failures);
                self.schedule.set(now.mono + delay, Timer::Registration(impu.into(), version));
            }
            Err(error) => {
                tracing::error!(impu, %error, "the backend refused a registration");
                self.registrar.writes.remove(impu);
            }
        }
    }

    /// Removes a location the core says is not there (404, 410, 604): that S-CSCF's only.
    pub(super) fn forget_location(&mut self, impu: &str, s_cscf: Option<String>) {
        let removal = LocationRemoval { impu: impu.to_owned(), s_cscf, call_id: None, cseq: None };
        self.call(Call::DeleteLocation(removal), Pending::ForgottenLocation);
    }

    pub(super) fn frontend_register(&mut self, now: Now) {
        let registration = self.registration(now);
        self.call(Call::FrontendRegister(registration), Pending::FrontendRegister);
    }

    /// How this frontend registers: all of it but its uptime follows from config.yaml.
    pub(super) fn registration(&self, now: Now) -> FrontendRegistration {
        let s = &self.settings;
        FrontendRegistration {
            frontend_name: s.location.clone(),
            frontend_type: "IMS".to_owned(),
            hostname: s.location.clone(),
            ip_address: s.advertised_host.clone(),
            version: s.register.version.clone(),
            uptime_seconds: now.mono.saturating_duration_since(self.started).as_secs(),
            expires_in: u32::try_from(s.timers.register_expires.as_secs()).unwrap_or(u32::MAX),
            configuration: s.register.configuration.clone(),
        }
    }

    pub(super) fn frontend_registered(&mut self, now: Now, answer: Answered) {
        let third = self.settings.timers.register_expires / 3;
        let delay = match answer {
            Ok(_) => {
                self.registrar.frontend_failures = 0;
                third
            }
            Err(_) => {
                self.registrar.frontend_failures += 1;
                backoff(self.registrar.frontend_failures).min(third)
            }
        };
        self.schedule.set(now.mono + delay, Timer::FrontendRegister);
    }
}

/// 1, 2, 4 … 30 s.
pub(super) fn backoff(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(6)).min(LAST_RETRY)
}

impl Told {
    fn read(message: &Message) -> Self {
        let mut told = Self::default();
        told.associate(message);
        if let Some(content) = message.content_type() {
            if content.is("multipart", "mixed") {
                for part in multipart(&content, &message.body()).unwrap_or_default() {
                    if let Some(content) = part.content_type() {
                        told.body(content.media_type, part.body.clone());
                    }
                }
            } else {
                told.body(content.media_type, message.body());
            }
        }
        told
    }

    fn body(&mut self, media_type: &str, body: Bytes) {
        match media_type.to_ascii_lowercase().as_str() {
            "application/3gpp-ims+xml" => self.msisdn = service_info(&body).or(self.msisdn.take()),
            "message/sip" => {
                if let Ok(nested) = Message::parse(body) {
                    self.nested(&nested);
                }
            }
            _ => {}
        }
    }

    /// The handset's own REGISTER, or the S-CSCF's 200 to it (TS 24.229 §5.4.1.7A).
    fn nested(&mut self, nested: &Message) {
        self.associate(nested);
        self.imsi = nested.header(Header::Authorization).and_then(private_identity).or(self.imsi.take());
        if nested.method() != Some(Method::Register) && nested.status().is_none() {
            return;
        }
        self.user_agent = nested.header(Header::UserAgent).map(str::to_owned).or(self.user_agent.take());
        for contact in nested.contacts().filter_map(Result::ok) {
            self.capable =
                Some(self.capable.unwrap_or(false) || contact.params.get("+g.3gpp.smsip").is_some());
            self.contact.get_or_insert_with(|| contact.uri.to_owned());
            let imei = contact.param("+sip.instance").and_then(|i| i.strip_prefix("<urn:gsma:imei:"));
            self.imei = imei.map(|i| i.trim_end_matches('>').to_owned()).or(self.imei.take());
        }
    }

    fn associate(&mut self, message: &Message) {
        for value in message.values(Header::PAssociatedUri) {
            let uris = value.trim().trim_start_matches('<').split('>').next().unwrap_or_default();
            // Kamailio 5.6 writes the whole list into one pair of angle brackets.
            for uri in uris.split(", ").filter(|uri| Uri::parse(uri).is_ok()) {
                if self.associated.len() < MAX_ASSOCIATED {
                    self.associated.push(uri.to_owned());
                }
            }
        }
    }
}

/// The MSISDN in `<service-info>` (TS 24.229 §7.6): digits, perhaps with `+` or as a tel URI, perhaps in CDATA.
fn service_info(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<service-info")?;
    let (_, rest) = rest.split_once('>')?;
    let (content, _) = rest.split_once("</service-info>")?;
    let content = content.trim().trim_start_matches("<![CDATA[").trim_end_matches("]]>").trim();
    let number = content.trim_start_matches("tel:").trim_start_matches("msisdn=").trim_start_matches('+');
    let plausible = (3..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| number.to_owned())
}

/// The IMSI in the Authorization username (TS 23.003 §13.3): 15 digits before the `@`.
fn private_identity(authorization: &str) -> Option<String> {
    let (_, rest) = authorization.split_once("username=\"")?;
    let user = rest.split(['"', '@']).next()?;
    (user.len() == 15 && user.bytes().all(|b| b.is_ascii_digit())).then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_read_from_service_info_in_the_forms_seen() {
        let forms = [
            "<ims-3gpp version=\"1\"><service-info>11111111</service-info></ims-3gpp>",
            "<ims-3gpp version=\"1\"><service-info><![CDATA[+4915550001]]></service-info></ims-3gpp>",
            "<ims-3gpp><service-info xml:lang=\"en\"> tel:+4915550001 </service-info></ims-3gpp>",
            "<ims-3gpp><service-info>call me</service-info></ims-3gpp>",
            "<service-info>1",
        ];
        assert_eq!(
            forms.map(|form| service_info(form.as_bytes())),
            [Some("11111111".into()), Some("4915550001".into()), Some("4915550001".into()), None, None]
        );
    }

    #[test]
    fn retries_slow_down_to_half_a_minute() {
        assert_eq!([1, 2, 5, 6, 60].map(|n| backoff(n).as_secs()), [1, 2, 16, 30, 30]);
    }
}
