//! Pure protocol code: SIP and SMS. No sockets, no clock, no randomness.

#![forbid(unsafe_code)]

pub mod sip;
pub mod sms;
