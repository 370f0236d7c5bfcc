//! Who is who: public identities, the numbers behind them, and what registrations have taught.

use std::time::{Duration, Instant};

use smsc_proto::sip::Uri;

use super::recent::Recent;
use super::settings::Settings;

/// The longest a registration is remembered without a refresh.
const MEMORY: Duration = Duration::from_secs(8 * 86_400);

/// A public user identity and what its form tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The URI as it came.
    pub(crate) uri: String,
    /// The comparable form.
    pub(crate) aor: String,
    /// The number it holds: digits, no `+`.
    pub(crate) number: Option<Number>,
    /// The IMSI it holds.
    pub(crate) imsi: Option<String>,
}

/// A number in an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    /// The digits.
    pub(crate) digits: String,
    /// True with a leading `+`.
    pub(crate) international: bool,
}

impl Number {
    /// Digits with `+` where the number is international.
    pub(crate) fn dialled(&self) -> String {
        if self.international { ["+", &self.digits].concat() } else { self.digits.clone() }
    }
}

impl Identity {
    /// Reads a URI. A digits-only user part is a number unless it is an IMSI of the home network (design §11).
    pub(crate) fn of(uri: &str, settings: &Settings) -> Option<Self> {
        let parsed = Uri::parse(uri).ok()?;
        let (number, imsi) = match parsed.number().filter(|number| number.len() <= 21) {
            Some(digits) if is_imsi(&digits, settings) && !parsed.is_phone() => (None, Some(digits)),
            Some(mut digits) => {
                let international = digits.starts_with('+');
                if international {
                    digits.remove(0);
                }
                (Some(Number { digits, international }), None)
            }
            None => (None, None),
        };
        Some(Self { uri: uri.to_owned(), aor: parsed.aor_key(), number, imsi })
    }
}

fn is_imsi(digits: &str, settings: &Settings) -> bool {
    digits.len() == 15 && settings.home_network.iter().any(|network| digits.starts_with(network.as_str()))
}

/// Digits of a number as dialled, or of whatever else names a recipient.
pub(crate) fn digits(number: &str) -> &str {
    number.trim_start_matches('+')
}

/// What a registration told about one public identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscriber {
    /// Digits of the MSISDN.
    pub(crate) msisdn: Option<String>,
    /// International mobile subscriber identity.
    pub(crate) imsi: Option<String>,
    /// The serving S-CSCF.
    pub(crate) s_cscf: Option<String>,
    /// When the registration runs out.
    pub(crate) until: Instant,
}

/// What this pod remembers of registrations: an aid to matching, never the truth (the backend has that).
#[derive(Debug)]
pub(crate) struct Subscribers {
    by_aor: Recent<String, Subscriber>,
    /// Any identity of an implicit registration set → the handset's number, or what else names it.
    handsets: Recent<String, String>,
    /// Identity or number → the key its messages are filed under, where the backend writes the number another way.
    filed: Recent<String, String>,
}

impl Subscribers {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            by_aor: Recent::new(MEMORY, cap),
            handsets: Recent::new(MEMORY, cap.saturating_mul(2)),
            filed: Recent::new(MEMORY, cap),
        }
    }

    /// Remembers a registration and every identity registered with it.
    pub(crate) fn learn<'a>(
        &mut self,
        now: Instant,
        identity: &'a Identity,
        subscriber: Subscriber,
        set: impl Iterator<Item = &'a Identity>,
    ) {
        let key = subscriber.msisdn.clone().unwrap_or_else(|| identity.aor.clone());
        for member in set.chain([identity]) {
            if self.handsets.get(now, &member.aor).is_none_or(|known| *known != key) {
                self.handsets.insert(now, member.aor.clone(), key.clone());
            }
            if let Some(filed) = self.filed.get(now, &member.aor).cloned().filter(|filed| *filed != key) {
                self.filed.insert(now, key.clone(), filed);
            }
        }
        if let Some(imsi) = &subscriber.imsi {
            self.handsets.insert(now, imsi.clone(), key);
        }
        self.by_aor.insert(now, identity.aor.clone(), subscriber);
    }

    /// Remembers that messages for `identity` are filed under `key`.
    pub(crate) fn file(&mut self, now: Instant, identity: &Identity, key: &str) {
        let registered = self.handsets.get(now, &identity.aor).cloned();
        for name in [Some(identity.aor.clone()), registered].into_iter().flatten() {
            if name != key && self.filed.get(now, &name).is_none_or(|known| known != key) {
                self.filed.insert(now, name, key.to_owned());
            }
        }
    }

    /// Forgets a registration.
    pub(crate) fn forget(&mut self, identity: &Identity) {
        self.by_aor.remove(&identity.aor);
    }

    /// What is known of an identity.
    pub(crate) fn find(&mut self, now: Instant, identity: &Identity) -> Option<Subscriber> {
        self.by_aor.get(now, &identity.aor).cloned()
    }

    /// The sender's number: what its identity says, else what its registration said.
    pub(crate) fn number(&mut self, now: Instant, identity: &Identity) -> Option<Number> {
        identity.number.clone().or_else(|| {
            let key = self.handsets.get(now, &identity.aor)?;
            let numeric = key.bytes().all(|b| b.is_ascii_digit());
            numeric.then(|| Number { digits: key.clone(), international: true })
        })
    }

    /// The keys a report from `identity` may be filed under, likeliest first.
    pub(crate) fn handset_keys(&mut self, now: Instant, identity: &Identity) -> Vec<String> {
        let mut names = Vec::with_capacity(4);
        names.extend(self.handsets.get(now, &identity.aor).cloned());
        if let Some(imsi) = &identity.imsi {
            names.extend(self.handsets.get(now, imsi).cloned());
        }
        names.extend(identity.number.as_ref().map(|number| number.digits.clone()));
        names.push(identity.aor.clone());
        let filed: Vec<String> = names.iter().filter_map(|name| self.filed.get(now, name).cloned()).collect();
        names.extend(filed);
        names
    }
}
