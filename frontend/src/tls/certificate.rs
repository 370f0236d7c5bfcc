//! What is to be told of our own certificate: its names, its serial number, its dates (RFC 5280 §4.1).

use std::time::Duration;

use data_encoding::HEXUPPER;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use webpki::EndEntityCert;

use super::Identity;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;

/// A certificate as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The domains it names (RFC 5922 §7.1).
    pub names: Vec<String>,
    /// The serial number in hex, as `openssl x509 -serial` has it.
    pub serial: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads it; `None` if it is none.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let serial = match parsed.serial() {
            [0, rest @ ..] if !rest.is_empty() => rest,
            serial => serial,
        };
        let (not_before, not_after) = validity(certificate)?;
        let names = Identity::of(certificate).names().to_vec();
        Some(Self { names, serial: HEXUPPER.encode(serial), not_before, not_after })
    }

    /// What is wrong with its dates, or soon will be; `soon` is how long before its end.
    #[must_use]
    pub fn doubt(&self, now: Timestamp, soon: Duration) -> Option<String> {
        let Self { not_before, not_after, .. } = self;
        if now > *not_after {
            return Some(format!("has expired: it was valid until {not_after}"));
        }
        if now < *not_before {
            return Some(format!("is not valid before {not_before}"));
        }
        let left = not_after.duration_since(now).unsigned_abs();
        (left < soon).then(|| {
            format!("expires within {} days: it is valid until {not_after}", left.as_secs() / 86_400 + 1)
        })
    }
}

/// `validity` of a certificate (RFC 5280 §4.1.2.5).
fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (mut to_be_signed, _) = element(whole, SEQUENCE)?;
    if to_be_signed.first() == Some(&VERSION) {
        to_be_signed = element(to_be_signed, VERSION)?.1;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        to_be_signed = element(to_be_signed, tag)?.1;
    }
    let (dates, _) = element(to_be_signed, SEQUENCE)?;
    let (not_before, dates) = time(dates)?;
    let (not_after, _) = time(dates)?;
    Some((not_before, not_after))
}

/// The content of the DER element at the beginning, which must have this tag, and what follows it.
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = octets.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7F => (usize::from(length), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A time in UTC to the second: with two digits of its year until 2049 (RFC 5280 §4.1.2.5.1), else with four.
fn time(octets: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest) = element(octets, UTC_TIME).or_else(|| element(octets, GENERALIZED_TIME))?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match text.len() {
        12 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        _ => text.to_owned(),
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some((TimeZone::UTC.to_timestamp(time).ok()?, rest))
}
