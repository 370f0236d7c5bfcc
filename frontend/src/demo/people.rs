//! Who takes part: two subscribers, their network with its service centre, and the names all of them use.

use std::borrow::Cow;

/// The IMS domain; the name can never be somebody's (RFC 2606 §2).
pub(super) const DOMAIN: &str = "ims.demo.invalid";
/// The frontend's identity.
pub(super) const LOCATION: &str = "smsc01.demo.invalid";
/// The service centre's number, digits.
pub(super) const SERVICE_CENTRE: &str = "15550000";

/// The network a subscriber is at home in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// The IMS domain.
    pub(crate) domain: Cow<'static, str>,
    /// The host of the service centre: what requests for it name.
    pub(crate) smsc: Cow<'static, str>,
    /// The service centre's number, digits: what a SIM card has for RP-DA.
    pub(crate) sc_address: Cow<'static, str>,
}

/// A subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscriber {
    /// What people call it.
    pub(crate) name: &'static str,
    /// MSISDN, digits.
    pub(crate) msisdn: Cow<'static, str>,
    /// Where it is at home.
    pub(crate) home: Home,
}

const HOME: Home = Home {
    domain: Cow::Borrowed(DOMAIN),
    smsc: Cow::Borrowed(LOCATION),
    sc_address: Cow::Borrowed(SERVICE_CENTRE),
};

/// Everybody, by index.
pub(super) const SUBSCRIBERS: [Subscriber; 2] = [
    Subscriber { name: "alice", msisdn: Cow::Borrowed("15550001"), home: HOME },
    Subscriber { name: "bob", msisdn: Cow::Borrowed("15550002"), home: HOME },
];
/// Index of alice.
pub(super) const ALICE: usize = 0;
/// Index of bob.
pub(super) const BOB: usize = 1;

impl Home {
    /// The service centre's public service identity, to which handsets send.
    pub(crate) fn service_centre(&self) -> String {
        format!("sip:smsc@{}", self.smsc)
    }
}

impl Subscriber {
    /// The number as one dials it.
    pub(crate) fn number(&self) -> String {
        format!("+{}", self.msisdn)
    }

    /// The public user identity.
    pub(crate) fn impu(&self) -> String {
        format!("sip:+{}@{}", self.msisdn, self.home.domain)
    }
}

/// The subscriber somebody means: by name, or by number with or without `+`.
pub(super) fn find(who: &str) -> Option<usize> {
    let digits = who.trim_start_matches('+');
    SUBSCRIBERS.iter().position(|s| s.name.eq_ignore_ascii_case(who) || s.msisdn == digits)
}

/// What to call a number: its subscriber's name, else the number itself.
pub(super) fn called(number: &str) -> String {
    find(number).map_or_else(|| number.to_owned(), |index| SUBSCRIBERS[index].name.to_owned())
}
