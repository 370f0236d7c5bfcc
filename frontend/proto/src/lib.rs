//! Pure protocol code: SIP and SMS. No sockets, no clock, no randomness.

pub mod sip;
pub mod sms;
