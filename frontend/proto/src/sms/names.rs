//! What people call the numbers: RP-Cause, TP-FCS, TP-ST, TP-PID, TP-CT.

/// Returns the name of an RP-Cause (TS 24.011 §8.2.5.4, table 8.4); nothing for a reserved value.
#[must_use]
pub fn rp_cause(cause: u8) -> Option<&'static str> {
    Some(match cause {
        1 => "unassigned (unallocated) number",
        8 => "operator determined barring",
        10 => "call barred",
        11 => "reserved",
        21 => "short message transfer rejected",
        22 => "memory capacity exceeded",
        27 => "destination out of order",
        28 => "unidentified subscriber",
        29 => "facility rejected",
        30 => "unknown subscriber",
        38 => "network out of order",
        41 => "temporary failure",
        42 => "congestion",
        47 => "resources unavailable, unspecified",
        50 => "requested facility not subscribed",
        69 => "requested facility not implemented",
        81 => "invalid short message transfer reference value",
        95 => "semantically incorrect message",
        96 => "invalid mandatory information",
        97 => "message type non-existent or not implemented",
        98 => "message not compatible with short message protocol state",
        99 => "information element non-existent or not implemented",
        111 => "protocol error, unspecified",
        127 => "interworking, unspecified",
        _ => return None,
    })
}

/// Returns the name of a TP-FCS (TS 23.040 §9.2.3.22); nothing for a reserved value.
#[must_use]
pub fn fcs(fcs: u8) -> Option<&'static str> {
    Some(match fcs {
        0x80 => "telematic interworking not supported",
        0x81 => "short message type 0 not supported",
        0x82 => "cannot replace short message",
        0x8f => "unspecified TP-PID error",
        0x90 => "data coding scheme (alphabet) not supported",
        0x91 => "message class not supported",
        0x9f => "unspecified TP-DCS error",
        0xa0 => "command cannot be actioned",
        0xa1 => "command unsupported",
        0xaf => "unspecified TP-Command error",
        0xb0 => "TPDU not supported",
        0xc0 => "SC busy",
        0xc1 => "no SC subscription",
        0xc2 => "SC system failure",
        0xc3 => "invalid SME address",
        0xc4 => "destination SME barred",
        0xc5 => "SM rejected, duplicate SM",
        0xc6 => "TP-VPF not supported",
        0xc7 => "TP-VP not supported",
        0xd0 => "(U)SIM SMS storage full",
        0xd1 => "no SMS storage capability in (U)SIM",
        0xd2 => "error in MS",
        0xd3 => "memory capacity exceeded",
        0xd4 => "(U)SIM application toolkit busy",
        0xd5 => "(U)SIM data download error",
        0xe0..=0xfe => "application specific",
        0xff => "unspecified error cause",
        _ => return None,
    })
}

/// What a TP-ST says about the future of the message (TS 23.040 §9.2.3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusClass {
    /// The transaction is completed: delivered, or forwarded to somebody else.
    Completed,
    /// A temporary error; the service centre is still trying.
    StillTrying,
    /// A permanent error; the service centre has given up.
    Permanent,
    /// A temporary error; the service centre has given up.
    GaveUp,
}

impl StatusClass {
    /// Returns the class of a TP-ST. Reserved values count as "service rejected".
    #[must_use]
    pub fn of(status: u8) -> StatusClass {
        match status {
            0x00..=0x1f => StatusClass::Completed,
            0x20..=0x3f => StatusClass::StillTrying,
            0x40..=0x5f => StatusClass::Permanent,
            0x60..=0xff => StatusClass::GaveUp,
        }
    }

    /// Returns the class in a few words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StatusClass::Completed => "completed",
            StatusClass::StillTrying => "temporary error, still trying",
            StatusClass::Permanent => "permanent error",
            StatusClass::GaveUp => "temporary error, gave up",
        }
    }
}

/// Returns the name of a TP-ST (TS 23.040 §9.2.3.15).
#[must_use]
pub fn status(status: u8) -> &'static str {
    match status {
        0x00 => "received by the SME",
        0x01 => "forwarded to the SME, delivery unconfirmed",
        0x02 => "replaced by the SC",
        0x20 | 0x60 => "congestion",
        0x21 | 0x61 => "SME busy",
        0x22 | 0x62 => "no response from SME",
        0x23 | 0x63 => "service rejected",
        0x24 | 0x44 | 0x64 => "quality of service not available",
        0x25 | 0x65 => "error in SME",
        0x40 => "remote procedure error",
        0x41 => "incompatible destination",
        0x42 => "connection rejected by SME",
        0x43 => "not obtainable",
        0x45 => "no interworking available",
        0x46 => "validity period expired",
        0x47 => "deleted by originating SME",
        0x48 => "deleted by SC administration",
        0x49 => "message does not exist",
        0x10..=0x1f | 0x30..=0x3f | 0x50..=0x5f | 0x70..=0x7f => "specific to the SC",
        _ => "reserved",
    }
}

/// Returns the name of a TP-PID that has one of interest (TS 23.040 §9.2.3.9).
#[must_use]
pub fn pid(pid: u8) -> Option<&'static str> {
    Some(match pid {
        0x00 => "short message",
        0x01..=0x1f => "SME to SME protocol",
        0x20..=0x3f => "telematic interworking",
        0x40 => "short message type 0",
        0x41..=0x47 => "replace short message",
        0x48 => "device triggering short message",
        0x5e => "enhanced message service (obsolete)",
        0x5f => "return call message",
        0x7c => "ANSI-136 R-DATA",
        0x7d => "ME data download",
        0x7e => "ME de-personalization short message",
        0x7f => "(U)SIM data download",
        0xc0..=0xff => "specific to the SC",
        _ => return None,
    })
}

/// Returns the name of a TP-CT (TS 23.040 §9.2.3.19); nothing for a reserved value.
#[must_use]
pub fn command_type(command_type: u8) -> Option<&'static str> {
    Some(match command_type {
        0x00 => "enquiry",
        0x01 => "cancel status report request",
        0x02 => "delete short message",
        0x03 => "enable status report request",
        0xe0..=0xff => "specific to the SC",
        _ => return None,
    })
}

/// Returns the name of an information element of the user data header (TS 23.040 §9.2.3.24).
#[must_use]
pub fn element(id: u8) -> Option<&'static str> {
    Some(match id {
        0x00 => "concatenated short messages, 8-bit reference",
        0x01 => "special SMS message indication",
        0x04 => "application port addressing, 8-bit",
        0x05 => "application port addressing, 16-bit",
        0x06 => "SMSC control parameters",
        0x07 => "UDH source indicator",
        0x08 => "concatenated short message, 16-bit reference",
        0x09 => "wireless control message protocol",
        0x0a => "text formatting",
        0x0b => "predefined sound",
        0x0c => "user defined sound",
        0x0d => "predefined animation",
        0x0e => "large animation",
        0x0f => "small animation",
        0x10 => "large picture",
        0x11 => "small picture",
        0x12 => "variable picture",
        0x13 => "user prompt indicator",
        0x14 => "extended object",
        0x15 => "reused extended object",
        0x16 => "compression control",
        0x17 => "object distribution indicator",
        0x18 => "standard WVG object",
        0x19 => "character size WVG object",
        0x1a => "extended object data request command",
        0x20 => "RFC 822 e-mail header",
        0x21 => "hyperlink format",
        0x22 => "reply address",
        0x23 => "enhanced voice mail information",
        0x24 => "national language single shift",
        0x25 => "national language locking shift",
        0x70..=0x7f => "(U)SIM toolkit security header",
        0x80..=0x9f => "SME to SME specific",
        0xc0..=0xdf => "SC specific",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_status_is_told_by_bits_7_and_6() {
        let classes = [0x00, 0x02, 0x20, 0x25, 0x40, 0x46, 0x60, 0x65, 0x7f, 0x80].map(StatusClass::of);
        use StatusClass::{Completed, GaveUp, Permanent, StillTrying};
        assert_eq!(
            classes,
            [
                Completed,
                Completed,
                StillTrying,
                StillTrying,
                Permanent,
                Permanent,
                GaveUp,
                GaveUp,
                GaveUp,
                GaveUp
            ]
        );
    }

    #[test]
    fn every_cause_that_a_decoder_answers_has_a_name() {
        for cause in [95, 96, 97, 99, 111] {
            assert!(rp_cause(cause).is_some());
        }
        assert_eq!((rp_cause(41), fcs(0xc5)), (Some("temporary failure"), Some("SM rejected, duplicate SM")));
        assert_eq!((rp_cause(2), fcs(0x12)), (None, None));
    }
}
