//! The relay layer: RP-DATA, RP-ACK, RP-ERROR, RP-SMMA (TS 24.011 §7.3, §8.2).

use serde::Serialize;

use super::address::Address;
use super::error::{DecodeError, ErrorKind};
use super::fields::{RP_CAUSE, RP_DA, RP_ELEMENT, RP_MR, RP_MTI, RP_OA, RP_UD};
use super::reader::Reader;

/// Identifier of RP-User Data where it is optional.
pub(crate) const USER_DATA_IEI: u8 = 0x41;
/// User data that one length octet can tell.
const MAX_USER_DATA: usize = 255;

/// Who sends: TS 24.011 and TS 23.040 use one number for different messages by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the handset to the service centre.
    MsToNetwork,
    /// From the service centre to the handset.
    NetworkToMs,
}

/// One message of the relay layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rpdu<'a> {
    /// Carries a TPDU.
    Data(RpData<'a>),
    /// The RP-DATA or RP-SMMA with this reference arrived.
    Ack(RpAck<'a>),
    /// The RP-DATA or RP-SMMA with this reference was refused.
    Error(RpError<'a>),
    /// The handset has memory again (§7.3.2).
    Smma {
        /// RP-Message Reference.
        mr: u8,
    },
}

/// RP-DATA (§7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpData<'a> {
    /// RP-Message Reference.
    pub mr: u8,
    /// RP-Originator Address: the service centre, or empty from the handset.
    pub oa: Address,
    /// RP-Destination Address: the service centre, or empty to the handset.
    pub da: Address,
    /// The TPDU.
    pub user_data: &'a [u8],
}

/// RP-ACK (§7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpAck<'a> {
    /// RP-Message Reference of the acknowledged message.
    pub mr: u8,
    /// The TPDU, if there is one.
    pub user_data: Option<&'a [u8]>,
}

/// RP-ERROR (§7.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpError<'a> {
    /// RP-Message Reference of the refused message.
    pub mr: u8,
    /// The cause value, 0 to 127 (§8.2.5.4); see [`super::names::rp_cause`].
    pub cause: u8,
    /// The diagnostic field of the cause.
    pub diagnostic: Option<u8>,
    /// The TPDU, if there is one.
    pub user_data: Option<&'a [u8]>,
}

/// The two octets that every RPDU begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpHeader {
    /// RP-MTI, 0 to 7.
    pub mti: u8,
    /// RP-Message Reference.
    pub mr: u8,
}

impl RpHeader {
    /// Returns who sends messages of this type; nothing for the reserved type 7.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match self.mti {
            0 | 2 | 4 | 6 => Some(Direction::MsToNetwork),
            1 | 3 | 5 => Some(Direction::NetworkToMs),
            _ => None,
        }
    }
}

/// Reads message type and reference even where the rest is broken; nothing if there are not two octets.
#[must_use]
pub fn rp_header(octets: &[u8]) -> Option<RpHeader> {
    let [first, mr, ..] = *octets else { return None };
    Some(RpHeader { mti: first & 0x07, mr })
}

impl<'a> Rpdu<'a> {
    /// Reads an RPDU. Octets behind its last element are ignored, and so are unknown elements that need not be
    /// understood (§9.3).
    ///
    /// # Errors
    /// What is missing or not allowed; [`DecodeError::rp_cause`] is the answer to give.
    pub fn decode(direction: Direction, octets: &'a [u8]) -> Result<Rpdu<'a>, DecodeError> {
        let mut reader = Reader::new(octets);
        let mti = reader.octet(RP_MTI)? & 0x07;
        let from_handset = direction == Direction::MsToNetwork;
        let wrong = |kind| Err(DecodeError { octet: 0, clause: RP_MTI.clause, kind });
        if mti == 7 {
            return wrong(ErrorKind::UnknownRpdu { mti });
        }
        if mti.is_multiple_of(2) != from_handset {
            return wrong(ErrorKind::WrongDirection { mti });
        }
        let mr = reader.octet(RP_MR)?;
        Ok(match mti {
            0 | 1 => {
                let oa = Address::decode_rp(&mut reader, RP_OA)?;
                let da = Address::decode_rp(&mut reader, RP_DA)?;
                let length = reader.octet(RP_UD)?;
                let user_data = reader.take(length.into(), RP_UD)?;
                Rpdu::Data(RpData { mr, oa, da, user_data })
            }
            2 | 3 => Rpdu::Ack(RpAck { mr, user_data: decode_optional(&mut reader)? }),
            4 | 5 => {
                let (cause, diagnostic) = decode_cause(&mut reader)?;
                Rpdu::Error(RpError { mr, cause, diagnostic, user_data: decode_optional(&mut reader)? })
            }
            _ => Rpdu::Smma { mr },
        })
    }

    /// Appends the RPDU. Of user data only the first 255 octets have room; no TPDU is that long.
    pub fn encode(&self, direction: Direction, out: &mut Vec<u8>) {
        let to_handset = u8::from(direction == Direction::NetworkToMs);
        match self {
            Rpdu::Data(data) => {
                out.extend_from_slice(&[to_handset, data.mr]);
                data.oa.encode_rp(out);
                data.da.encode_rp(out);
                encode_user_data(data.user_data, out);
            }
            Rpdu::Ack(ack) => {
                out.extend_from_slice(&[2 | to_handset, ack.mr]);
                encode_optional(ack.user_data, out);
            }
            Rpdu::Error(error) => {
                out.extend_from_slice(&[4 | to_handset, error.mr]);
                out.push(1 + u8::from(error.diagnostic.is_some()));
                out.push(error.cause & 0x7f);
                out.extend(error.diagnostic);
                encode_optional(error.user_data, out);
            }
            Rpdu::Smma { mr } => out.extend_from_slice(&[6, *mr]),
        }
    }

    /// Returns the RP-Message Reference.
    #[must_use]
    pub fn mr(&self) -> u8 {
        match self {
            Rpdu::Data(RpData { mr, .. })
            | Rpdu::Ack(RpAck { mr, .. })
            | Rpdu::Error(RpError { mr, .. })
            | Rpdu::Smma { mr } => *mr,
        }
    }

    /// Returns the TPDU it carries, if any.
    #[must_use]
    pub fn user_data(&self) -> Option<&'a [u8]> {
        match self {
            Rpdu::Data(data) => Some(data.user_data),
            Rpdu::Ack(ack) => ack.user_data,
            Rpdu::Error(error) => error.user_data,
            Rpdu::Smma { .. } => None,
        }
    }
}

fn decode_cause(reader: &mut Reader<'_>) -> Result<(u8, Option<u8>), DecodeError> {
    let at = reader.at();
    let length = usize::from(reader.octet(RP_CAUSE)?);
    match reader.take(length, RP_CAUSE)? {
        [] => Err(RP_CAUSE.length_error(at, 0, 1, 2)),
        [cause] => Ok((cause & 0x7f, None)),
        [cause, diagnostic, ..] => Ok((cause & 0x7f, Some(*diagnostic))),
    }
}

/// Reads the optional elements, of which only the user data is known; its first occurrence counts.
fn decode_optional<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    let mut user_data = None;
    while let Some(iei) = reader.peek() {
        let at = reader.at();
        reader.octet(RP_ELEMENT)?;
        match iei {
            USER_DATA_IEI => {
                let length = reader.octet(RP_UD)?;
                let octets = reader.take(length.into(), RP_UD)?;
                user_data.get_or_insert(octets);
            }
            // Identifiers with bits 8 to 5 all zero must be understood.
            0x00..=0x0f => {
                let kind = ErrorKind::ComprehensionRequired { iei };
                return Err(DecodeError { octet: at, clause: RP_ELEMENT.clause, kind });
            }
            0x10..=0x7f => {
                let length = reader.octet(RP_ELEMENT)?;
                reader.take(length.into(), RP_ELEMENT)?;
            }
            // With bit 8 set the element is this one octet.
            0x80..=0xff => {}
        }
    }
    Ok(user_data)
}

fn encode_optional(user_data: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(user_data) = user_data {
        out.push(USER_DATA_IEI);
        encode_user_data(user_data, out);
    }
}

fn encode_user_data(user_data: &[u8], out: &mut Vec<u8>) {
    let user_data = &user_data[..user_data.len().min(MAX_USER_DATA)];
    out.push(user_data.len() as u8);
    out.extend_from_slice(user_data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Direction::{MsToNetwork, NetworkToMs};

    fn encoded(direction: Direction, rpdu: Rpdu<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        rpdu.encode(direction, &mut out);
        out
    }

    #[test]
    fn rp_data_has_its_user_data_without_identifier() {
        let centre = Address::international("447700900123").unwrap();
        let octets =
            [0x00, 0x2a, 0x00, 0x07, 0x91, 0x44, 0x77, 0x00, 0x09, 0x10, 0x32, 0x03, 0x01, 0x02, 0x03];
        let rpdu = Rpdu::Data(RpData { mr: 0x2a, oa: Address::EMPTY, da: centre, user_data: &[1, 2, 3] });
        assert_eq!(Rpdu::decode(MsToNetwork, &octets), Ok(rpdu));
        assert_eq!(encoded(MsToNetwork, rpdu), octets);

        let octets = [0x01, 0x2a, 0x07, 0x91, 0x44, 0x77, 0x00, 0x09, 0x10, 0x32, 0x00, 0x01, 0xff];
        let rpdu = Rpdu::Data(RpData { mr: 0x2a, oa: centre, da: Address::EMPTY, user_data: &[0xff] });
        assert_eq!(Rpdu::decode(NetworkToMs, &octets), Ok(rpdu));
        assert_eq!(encoded(NetworkToMs, rpdu), octets);
    }

    #[test]
    fn rp_ack_and_rp_error_have_it_behind_identifier_41() {
        let ack = Rpdu::Ack(RpAck { mr: 7, user_data: Some(&[0x00, 0x00]) });
        assert_eq!(encoded(MsToNetwork, ack), [0x02, 0x07, 0x41, 0x02, 0x00, 0x00]);
        assert_eq!(Rpdu::decode(MsToNetwork, &[0x02, 0x07, 0x41, 0x02, 0x00, 0x00]), Ok(ack));
        let bare = Rpdu::Ack(RpAck { mr: 7, user_data: None });
        assert_eq!(Rpdu::decode(NetworkToMs, &[0x03, 0x07]), Ok(bare));

        let error =
            Rpdu::Error(RpError { mr: 7, cause: 22, diagnostic: None, user_data: Some(&[0x00, 0xd3, 0x00]) });
        let octets = [0x04, 0x07, 0x01, 0x16, 0x41, 0x03, 0x00, 0xd3, 0x00];
        assert_eq!(Rpdu::decode(MsToNetwork, &octets), Ok(error));
        assert_eq!(encoded(MsToNetwork, error), octets);
    }

    #[test]
    fn a_cause_may_have_a_diagnostic_and_its_extension_bit_is_no_value() {
        let error = Rpdu::Error(RpError { mr: 1, cause: 41, diagnostic: Some(9), user_data: None });
        assert_eq!(Rpdu::decode(NetworkToMs, &[0x05, 0x01, 0x02, 0xa9, 0x09]), Ok(error));
        assert_eq!(encoded(NetworkToMs, error), [0x05, 0x01, 0x02, 0x29, 0x09]);
        let refused = Rpdu::decode(NetworkToMs, &[0x05, 0x01, 0x00]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "octet 2: RP-Cause has length 0, allowed is 1 to 2 (TS 24.011 §8.2.5.4)"
        );
    }

    #[test]
    fn memory_available_is_two_octets() {
        assert_eq!(Rpdu::decode(MsToNetwork, &[0x06, 0x55]), Ok(Rpdu::Smma { mr: 0x55 }));
        assert_eq!(encoded(MsToNetwork, Rpdu::Smma { mr: 0x55 }), [0x06, 0x55]);
    }

    #[test]
    fn spare_bits_of_the_message_type_are_masked() {
        assert_eq!(Rpdu::decode(MsToNetwork, &[0xfe, 0x55]), Ok(Rpdu::Smma { mr: 0x55 }));
        assert_eq!(rp_header(&[0xf9, 0x07, 0xff]), Some(RpHeader { mti: 1, mr: 7 }));
        assert_eq!(rp_header(&[0x01]), None);
    }

    #[test]
    fn the_other_direction_is_refused_with_cause_97() {
        for (direction, mti) in
            [(MsToNetwork, 1), (MsToNetwork, 3), (MsToNetwork, 5), (NetworkToMs, 0), (NetworkToMs, 6)]
        {
            let error = Rpdu::decode(direction, &[mti, 0, 0, 0, 0]).unwrap_err();
            assert_eq!((error.kind, error.rp_cause()), (ErrorKind::WrongDirection { mti }, 97));
        }
        let error = Rpdu::decode(MsToNetwork, &[7, 0]).unwrap_err();
        assert_eq!((error.kind, error.rp_cause()), (ErrorKind::UnknownRpdu { mti: 7 }, 97));
    }

    #[test]
    fn unknown_elements_are_skipped_unless_they_must_be_understood() {
        let octets = [0x02, 0x07, 0xa1, 0x42, 0x02, 0xff, 0xff, 0x41, 0x01, 0x00];
        assert_eq!(
            Rpdu::decode(MsToNetwork, &octets),
            Ok(Rpdu::Ack(RpAck { mr: 7, user_data: Some(&[0x00]) }))
        );
        let error = Rpdu::decode(MsToNetwork, &[0x02, 0x07, 0x0a, 0x00]).unwrap_err();
        assert_eq!(
            (error.octet, error.kind, error.rp_cause()),
            (2, ErrorKind::ComprehensionRequired { iei: 0x0a }, 99)
        );
    }

    #[test]
    fn every_cut_of_an_rp_data_is_an_error_with_cause_96() {
        let octets = [0x01, 0x2a, 0x07, 0x91, 0x44, 0x77, 0x00, 0x09, 0x10, 0x32, 0x00, 0x02, 0xff, 0xff];
        for end in 0..octets.len() {
            assert_eq!(Rpdu::decode(NetworkToMs, &octets[..end]).unwrap_err().rp_cause(), 96, "{end}");
        }
    }

    fn address() -> impl Strategy<Value = Address> {
        prop_oneof![
            Just(Address::EMPTY),
            "[0-9]{1,20}".prop_map(|digits| Address::international(&digits).unwrap()),
            "[0-9]{1,20}".prop_map(|digits| Address::dialled(&digits).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn every_rpdu_round_trips(
            kind in 0u8..4, to_handset: bool, mr: u8, oa in address(), da in address(), cause in 0u8..128,
            diagnostic: Option<u8>, octets in prop::collection::vec(any::<u8>(), 0..234), with_data: bool,
        ) {
            let user_data = with_data.then_some(&octets[..]);
            let rpdu = match kind {
                0 => Rpdu::Data(RpData { mr, oa, da, user_data: &octets }),
                1 => Rpdu::Ack(RpAck { mr, user_data }),
                2 => Rpdu::Error(RpError { mr, cause, diagnostic, user_data }),
                _ => Rpdu::Smma { mr },
            };
            let direction = if to_handset && kind != 3 { NetworkToMs } else { MsToNetwork };
            let out = encoded(direction, rpdu);
            prop_assert_eq!(Rpdu::decode(direction, &out), Ok(rpdu));
            prop_assert_eq!(rp_header(&out).and_then(|header| header.direction()), Some(direction));
        }

        #[test]
        fn random_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Rpdu::decode(MsToNetwork, &octets);
            let _ = Rpdu::decode(NetworkToMs, &octets);
        }
    }
}
