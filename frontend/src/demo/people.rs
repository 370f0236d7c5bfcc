//! Who is in the demo: two subscribers, their service centre, and the names all of them use.

/// The IMS domain; the name can never be somebody's (RFC 2606 §2).
pub(super) const DOMAIN: &str = "ims.demo.invalid";
/// The frontend's identity.
pub(super) const LOCATION: &str = "smsc01.demo.invalid";
/// The service centre's number, digits.
pub(super) const SERVICE_CENTRE: &str = "15550000";

/// A subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    /// What people call it.
    pub(super) name: &'static str,
    /// MSISDN, digits.
    pub(super) msisdn: &'static str,
}

/// Everybody, by index.
pub(super) const SUBSCRIBERS: [Subscriber; 2] =
    [Subscriber { name: "alice", msisdn: "15550001" }, Subscriber { name: "bob", msisdn: "15550002" }];
/// Index of alice.
pub(super) const ALICE: usize = 0;
/// Index of bob.
pub(super) const BOB: usize = 1;

impl Subscriber {
    /// The number as one dials it.
    pub(super) fn number(&self) -> String {
        format!("+{}", self.msisdn)
    }

    /// The public user identity.
    pub(super) fn impu(&self) -> String {
        format!("sip:+{}@{DOMAIN}", self.msisdn)
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
