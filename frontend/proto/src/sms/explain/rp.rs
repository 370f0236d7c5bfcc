//! RPDUs, and the address in front of a modem's TPDU.

use super::walk::{Walk, hex, owned};
use crate::sms::address::Address;
use crate::sms::fields::{RP_CAUSE, RP_DA, RP_ELEMENT, RP_MR, RP_MTI, RP_OA, RP_UD, SC_ADDRESS};
use crate::sms::names;
use crate::sms::rp::{Direction, RpHeader, USER_DATA_IEI};
use crate::sms::tpdu::Carrier;

impl<'a> Walk<'a> {
    pub(super) fn rpdu(&mut self, direction: Direction) -> Option<()> {
        let mti = self.reader.peek().map(|first| first & 0x07);
        let name = mti.map_or("RPDU", name);
        self.group(name, sender(direction), |walk| {
            let first = walk.octet(RP_MTI, |_| Some(format!("{name}, {}", sender(direction))))?;
            let mti = first & 0x07;
            if (RpHeader { mti, mr: 0 }).direction() != Some(direction) {
                walk.problem(
                    0,
                    format!("octet 0: RP-MTI {mti} is not sent {} ({})", sender(direction), RP_MTI.clause),
                );
            }
            walk.octet(RP_MR, |_| None)?;
            match mti {
                0 | 1 => {
                    walk.address(RP_OA, Address::decode_rp)?;
                    walk.address(RP_DA, Address::decode_rp)?;
                    walk.user_data(direction, Carrier::Data)?;
                }
                2 | 3 => walk.elements(direction, Carrier::Ack)?,
                4 | 5 => {
                    walk.cause()?;
                    walk.elements(direction, Carrier::Error)?;
                }
                _ => {}
            }
            walk.trailing();
            Some(())
        })
    }

    pub(super) fn modem_pdu(&mut self, direction: Direction) -> Option<()> {
        self.address(SC_ADDRESS, Address::decode_rp)?;
        let at = self.reader.left();
        let octets = self.reader.take(at, RP_UD);
        let octets = self.check(octets)?;
        self.nested(octets, |inner| inner.tpdu(direction, Carrier::Data));
        Some(())
    }

    fn cause(&mut self) -> Option<()> {
        let start = self.reader.at();
        let length = self.reader.octet(RP_CAUSE);
        let length = usize::from(self.check(length)?);
        let octets = self.reader.take(length, RP_CAUSE);
        let octets = self.check(octets)?;
        let Some(&cause) = octets.first() else {
            let error = RP_CAUSE.length_error(start, 0, 1, 2);
            return self.check(Err(error));
        };
        let cause = cause & 0x7f;
        let name = names::rp_cause(cause).unwrap_or("reserved");
        let note = match &octets[1..] {
            [] => name.to_owned(),
            diagnostic => format!("{name}, diagnostic {}", hex(diagnostic)),
        };
        self.field(start, RP_CAUSE.name, cause.to_string(), Some(note));
        Some(())
    }

    /// The optional elements of RP-ACK and RP-ERROR.
    fn elements(&mut self, direction: Direction, carrier: Carrier) -> Option<()> {
        while let Some(iei) = self.reader.peek() {
            let start = self.reader.at();
            if iei == USER_DATA_IEI {
                self.octet(RP_ELEMENT, |_| owned("RP-User Data follows"))?;
                self.user_data(direction, carrier)?;
                continue;
            }
            if iei <= 0x0f {
                let what =
                    format!("element {iei:02x} must be understood and is not known ({})", RP_ELEMENT.clause);
                self.problem(start, what);
                return None;
            }
            let element = self.reader.octet(RP_ELEMENT);
            self.check(element)?;
            let mut value = Vec::new();
            if iei < 0x80 {
                let length = self.reader.octet(RP_ELEMENT);
                let length = self.check(length)?;
                let octets = self.reader.take(length.into(), RP_ELEMENT);
                value.extend_from_slice(self.check(octets)?);
            }
            self.field(
                start,
                RP_ELEMENT.name,
                format!("{iei:02x} {}", hex(&value)),
                owned("unknown, ignored"),
            );
        }
        Some(())
    }

    /// The length octet and the TPDU.
    fn user_data(&mut self, direction: Direction, carrier: Carrier) -> Option<()> {
        let start = self.reader.at();
        let length = self.reader.octet(RP_UD);
        let length = self.check(length)?;
        let octets = self.reader.take(length.into(), RP_UD);
        if octets.is_err() {
            // The length is wrong, but the TPDU may still tell why: it is shown as far as it goes.
            let left = self.reader.left();
            let what = format!("{} says {length} octets, {left} follow ({})", RP_UD.name, RP_UD.clause);
            self.problem(start, what);
            let rest = self.reader.take(left, RP_UD);
            let rest = self.check(rest)?;
            self.nested(rest, |inner| inner.tpdu(direction, carrier));
            return None;
        }
        let octets = self.check(octets)?;
        self.field(start, RP_UD.name, format!("{length} octets"), None);
        self.end_field_at(start + 1);
        self.nested(octets, |inner| inner.tpdu(direction, carrier));
        Some(())
    }
}

fn name(mti: u8) -> &'static str {
    match mti {
        0 | 1 => "RP-DATA",
        2 | 3 => "RP-ACK",
        4 | 5 => "RP-ERROR",
        6 => "RP-SMMA",
        _ => "reserved RPDU",
    }
}

fn sender(direction: Direction) -> &'static str {
    match direction {
        Direction::MsToNetwork => "MS to network",
        Direction::NetworkToMs => "network to MS",
    }
}
