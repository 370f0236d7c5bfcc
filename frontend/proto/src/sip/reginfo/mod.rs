//! Registration information: `application/reginfo+xml` (RFC 3680 §5), the body of a NOTIFY of the `reg` event.
//!
//! The document comes from the network, so it is read with suspicion: no document type, hence no entities but those of
//! XML itself, and caps on octets, depth, attributes and elements. What is not understood is passed over.

mod error;
mod reader;

pub use error::{RegInfoError, RegInfoProblem};
pub(super) use reader::resolve;

/// Documents longer than this are not read, in octets.
pub const MAX_REGINFO: usize = 64 * 1024;
/// Elements may lie so deep in each other; RFC 3680 needs 4.
pub const MAX_REGINFO_DEPTH: usize = 16;
/// Registrations in one document; an implicit registration set seldom has more than five.
pub const MAX_REGISTRATIONS: usize = 64;
/// Contacts in one document, of all registrations.
pub const MAX_CONTACTS: usize = 256;

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegInfo {
    /// Counts up by one with every document of a subscription.
    pub version: u32,
    /// Whether this is everything, or only what has changed.
    pub extent: Extent,
    /// One for each address of record, in the order written.
    pub registrations: Vec<Registration>,
}

/// The `state` of a document (RFC 3680 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extent {
    /// Everything: what is not in it is not there.
    Full,
    /// Only what has changed.
    Partial,
}

/// What is bound to one address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The address of record.
    pub aor: String,
    /// Names this registration within the subscription.
    pub id: String,
    /// Where it stands.
    pub state: RegistrationState,
    /// Its contacts, in the order written.
    pub contacts: Vec<RegisteredContact>,
}

/// The `state` of a registration (RFC 3680 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistrationState {
    /// No contact, and none before.
    Init,
    /// At least one contact.
    Active,
    /// The last contact is gone.
    Terminated,
}

/// One contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredContact {
    /// Names this contact within the registration.
    pub id: String,
    /// True for `active`, false for `terminated`.
    pub active: bool,
    /// What brought it there.
    pub event: ContactEvent,
    /// The contact's URI.
    pub uri: String,
    /// Seconds it has left, where the document says so.
    pub expires: Option<u32>,
    /// Whether it does SMS over IP: the parameter `+g.3gpp.smsip` (TS 24.341 §5.3.3.2).
    pub smsip: bool,
    /// The parameter `+sip.instance` without quotes and angle brackets (RFC 5626 §4.1).
    pub instance: Option<String>,
}

/// The `event` of a contact (RFC 3680 §5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContactEvent {
    /// Bound by a REGISTER.
    Registered,
    /// Bound administratively.
    Created,
    /// Refreshed by a REGISTER.
    Refreshed,
    /// Its time was cut short.
    Shortened,
    /// Its time ran out.
    Expired,
    /// Removed by the network; the handset may register again at once.
    Deactivated,
    /// Removed by the network; the handset may register again later.
    Probation,
    /// Removed by the handset.
    Unregistered,
    /// Removed by the network for good.
    Rejected,
    /// Another word.
    Other,
}

impl RegInfo {
    /// Reads a document.
    ///
    /// # Errors
    /// [`RegInfoError`] says where and why it is refused.
    pub fn parse(octets: &[u8]) -> Result<Self, RegInfoError> {
        reader::read(octets)
    }
}

#[cfg(test)]
mod tests;
