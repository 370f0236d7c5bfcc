//! What can be wrong with the octets of a message, where, and by which clause.

use thiserror::Error;

/// Says which octet of the PDU could not be read, why, and which clause asks for it.
///
/// `octet` counts from 0 at the start of the octets given to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("octet {octet}: {kind} ({clause})")]
pub struct DecodeError {
    /// Offset of the octet that is wrong, or of the end where one is missing.
    pub octet: usize,
    /// The clause that is broken, such as `TS 23.040 §9.2.3.16`.
    pub clause: &'static str,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// The ways in which a PDU can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ErrorKind {
    /// The PDU ends inside a field.
    #[error("{field} needs {needed} octet{}, {left} left", if *.needed == 1 { "" } else { "s" })]
    Truncated {
        /// Name of the field.
        field: &'static str,
        /// Octets the field needs.
        needed: usize,
        /// Octets that are there.
        left: usize,
    },
    /// TP-UDL promises more user data than follows.
    #[error("TP-UDL says {length} {}, {left} octet{} follow{}", if *.septets { "septets" } else { "octets" }, if *.left == 1 { "" } else { "s" }, if *.left == 1 { "s" } else { "" })]
    UserDataLength {
        /// TP-UDL as received.
        length: u8,
        /// Whether TP-UDL counts septets.
        septets: bool,
        /// Octets that are there.
        left: usize,
    },
    /// The user data header is longer than the user data.
    #[error("TP-UDHL says {length} octets, {left} follow")]
    HeaderLength {
        /// TP-UDHL as received.
        length: u8,
        /// Octets of user data behind it.
        left: usize,
    },
    /// A length is outside of what the clause allows.
    #[error("{field} has length {length}, allowed is {min} to {max}")]
    Length {
        /// Name of the field.
        field: &'static str,
        /// The length as received, in the unit of the field.
        length: usize,
        /// Least length.
        min: usize,
        /// Greatest length.
        max: usize,
    },
    /// The RP message type belongs to the other direction.
    #[error("RP-MTI {mti} is not sent in this direction")]
    WrongDirection {
        /// The message type as received, 0 to 7.
        mti: u8,
    },
    /// The RP message type is reserved.
    #[error("RP-MTI {mti} is reserved")]
    UnknownRpdu {
        /// The message type as received, 0 to 7.
        mti: u8,
    },
    /// An information element that must be understood is not known.
    #[error("information element {iei:02x} must be understood and is not known")]
    ComprehensionRequired {
        /// The element's identifier.
        iei: u8,
    },
    /// The TP message type is reserved in this direction.
    #[error("TP-MTI {mti} is reserved in this direction")]
    UnknownTpdu {
        /// The message type as received, 0 to 3.
        mti: u8,
    },
    /// It is another TPDU than the one to be read.
    #[error("this is an {found}, not an {expected}")]
    UnexpectedTpdu {
        /// Name of the TPDU to be read.
        expected: &'static str,
        /// Name of the TPDU that came.
        found: &'static str,
    },
    /// The TPDU may not ride in an RPDU of this kind.
    #[error("{tpdu} does not ride in {carrier}")]
    WrongCarrier {
        /// Name of the TPDU.
        tpdu: &'static str,
        /// Name of the RPDU.
        carrier: &'static str,
    },
    /// The text is compressed (TS 23.042), which is not supported.
    #[error("the text is compressed")]
    Compressed,
    /// The user data is 8-bit data, not text.
    #[error("the user data is 8-bit data, not text")]
    NotText,
}

impl DecodeError {
    /// Returns the same error with its octet counted from an outer PDU in which this one starts at `offset`.
    #[must_use]
    pub fn shifted(self, offset: usize) -> DecodeError {
        DecodeError { octet: self.octet.saturating_add(offset), ..self }
    }

    /// Returns the RP-Cause that answers a PDU with this error (TS 24.011 §8.2.5.4, §9.3).
    ///
    /// 96, 97 and 99 speak of the RPDU itself; a broken TPDU inside a sound RPDU is 95, one of an unknown type 111.
    #[must_use]
    pub fn rp_cause(&self) -> u8 {
        let relay_layer = self.clause.starts_with("TS 24.011");
        match self.kind {
            ErrorKind::WrongDirection { .. } | ErrorKind::UnknownRpdu { .. } => 97,
            ErrorKind::ComprehensionRequired { .. } => 99,
            ErrorKind::UnknownTpdu { .. }
            | ErrorKind::UnexpectedTpdu { .. }
            | ErrorKind::WrongCarrier { .. } => 111,
            _ if relay_layer => 96,
            _ => 95,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_octet_field_and_clause() {
        let error = DecodeError {
            octet: 7,
            clause: "TS 23.040 §9.2.3.16",
            kind: ErrorKind::UserDataLength { length: 160, septets: true, left: 3 },
        };
        assert_eq!(
            error.to_string(),
            "octet 7: TP-UDL says 160 septets, 3 octets follow (TS 23.040 §9.2.3.16)"
        );
        assert_eq!(error.shifted(12).octet, 19);
    }

    #[test]
    fn the_rp_cause_tells_a_broken_rpdu_from_a_broken_tpdu() {
        let kind = ErrorKind::Truncated { field: "x", needed: 1, left: 0 };
        assert_eq!(DecodeError { octet: 0, clause: "TS 24.011 §8.2.3", kind }.rp_cause(), 96);
        assert_eq!(DecodeError { octet: 0, clause: "TS 23.040 §9.2.3.11", kind }.rp_cause(), 95);
        let kind = ErrorKind::WrongDirection { mti: 1 };
        assert_eq!(DecodeError { octet: 0, clause: "TS 24.011 §8.2.2", kind }.rp_cause(), 97);
    }
}
