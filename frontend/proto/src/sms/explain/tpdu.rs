//! TPDUs.

use super::walk::{Walk, hex, owned};
use crate::sms::address::Address;
use crate::sms::fields::{
    TP_CD, TP_CDL, TP_CT, TP_DA, TP_DT, TP_FCS, TP_MN, TP_MR, TP_MTI, TP_OA, TP_PI, TP_PID, TP_RA, TP_SCTS,
    TP_ST, TP_VP,
};
use crate::sms::names::{self, StatusClass};
use crate::sms::pid;
use crate::sms::rp::Direction;
use crate::sms::tpdu::{
    Carrier, Command, HEADER, LOOP_PREVENTION, NO_MORE_MESSAGES, REJECT_DUPLICATES, REPLY_PATH,
    STATUS_REPORT, TpduType,
};
use crate::sms::user_data::{MAX_OCTETS, MAX_REPORT_OCTETS};
use crate::sms::validity::{Enhanced, Period, Validity};

impl<'a> Walk<'a> {
    pub(super) fn tpdu(&mut self, direction: Direction, carrier: Carrier) -> Option<()> {
        // An empty TPDU fails below with the error that the decoder gives.
        let tpdu_type = match self.reader.peek() {
            Some(first) => TpduType::of(direction, carrier, first),
            None => return self.hex_octet(TP_MTI, |_| None).map(drop),
        };
        let tpdu_type = self.check(tpdu_type)?;
        self.group(tpdu_type.name(), "", |walk| {
            let first = walk.first_octet(tpdu_type)?;
            match tpdu_type {
                TpduType::Submit => walk.submit(first)?,
                TpduType::Deliver => walk.deliver(first)?,
                TpduType::SubmitReport | TpduType::DeliverReport => walk.report(tpdu_type, carrier, first)?,
                TpduType::StatusReport => walk.status_report(first)?,
                TpduType::Command => walk.command()?,
            }
            walk.trailing();
            Some(())
        })
    }

    /// The first octet, and each of its bits that the type uses.
    fn first_octet(&mut self, tpdu_type: TpduType) -> Option<u8> {
        use TpduType::{Deliver, StatusReport, Submit};
        let first = self.reader.octet(TP_MTI);
        let first = self.check(first)?;
        self.field(0, TP_MTI.name, (first & 0x03).to_string(), owned(tpdu_type.name()));
        if tpdu_type == Submit {
            let format =
                ["no validity period", "enhanced", "relative", "absolute"][usize::from(first >> 3 & 0x03)];
            self.field(0, "TP-VPF", (first >> 3 & 0x03).to_string(), owned(format));
        }
        let mut bit = |name, mask: u8, set: &str, clear: &str| {
            let is_set = first & mask != 0;
            self.field(0, name, u8::from(is_set).to_string(), owned(if is_set { set } else { clear }));
        };
        if matches!(tpdu_type, Deliver | StatusReport) {
            bit("TP-MMS", NO_MORE_MESSAGES, "no more messages wait", "more messages wait");
            bit("TP-LP", LOOP_PREVENTION, "must not be forwarded", "may be forwarded");
        }
        match tpdu_type {
            Submit => {
                bit("TP-RD", REJECT_DUPLICATES, "reject duplicates", "accept duplicates");
                bit("TP-SRR", STATUS_REPORT, "status report requested", "no status report requested");
            }
            Deliver => {
                bit("TP-SRI", STATUS_REPORT, "sender wants a status report", "sender wants no status report")
            }
            StatusReport => {
                bit("TP-SRQ", STATUS_REPORT, "result of an SMS-COMMAND", "result of an SMS-SUBMIT")
            }
            TpduType::Command => {
                bit("TP-SRR", STATUS_REPORT, "status report requested", "no status report requested")
            }
            _ => {}
        }
        bit("TP-UDHI", HEADER, "a header in front of the user data", "no header");
        if matches!(tpdu_type, Submit | Deliver) {
            bit("TP-RP", REPLY_PATH, "reply path", "no reply path");
        }
        Some(first)
    }

    fn submit(&mut self, first: u8) -> Option<()> {
        self.octet(TP_MR, |_| None)?;
        self.address(TP_DA, Address::decode_tp)?;
        self.pid()?;
        let dcs = self.dcs()?;
        self.validity(first)?;
        self.user_data_field(dcs, first & HEADER != 0, MAX_OCTETS)
    }

    fn deliver(&mut self, first: u8) -> Option<()> {
        self.address(TP_OA, Address::decode_tp)?;
        self.pid()?;
        let dcs = self.dcs()?;
        self.timestamp(TP_SCTS)?;
        self.user_data_field(dcs, first & HEADER != 0, MAX_OCTETS)
    }

    fn report(&mut self, tpdu_type: TpduType, carrier: Carrier, first: u8) -> Option<()> {
        if carrier == Carrier::Error {
            self.hex_octet(TP_FCS, |fcs| owned(names::fcs(fcs).unwrap_or("reserved")))?;
        }
        let indicator = self.indicator()?;
        if tpdu_type == TpduType::SubmitReport {
            self.timestamp(TP_SCTS)?;
        }
        self.announced(indicator, first)
    }

    fn status_report(&mut self, first: u8) -> Option<()> {
        self.octet(TP_MR, |_| owned("TP-MR of the message reported on"))?;
        self.address(TP_RA, Address::decode_tp)?;
        self.timestamp(TP_SCTS)?;
        self.timestamp(TP_DT)?;
        self.hex_octet(TP_ST, |status| {
            Some(format!("{}: {}", StatusClass::of(status).as_str(), names::status(status)))
        })?;
        if self.reader.rest().iter().all(|&octet| octet == 0xff) {
            self.filling();
            return Some(());
        }
        let indicator = self.indicator()?;
        self.announced(indicator, first)
    }

    /// The octets that fill the record of a SIM behind a status report.
    fn filling(&mut self) {
        let (start, count) = (self.reader.at(), self.reader.left());
        if self.reader.take(count, TP_PI).is_ok_and(|octets| !octets.is_empty()) {
            self.field(start, "filling", format!("{count} octets"), owned("ff, of a SIM record"));
        }
    }

    fn command(&mut self) -> Option<()> {
        self.octet(TP_MR, |_| None)?;
        self.pid()?;
        self.octet(TP_CT, |command| owned(names::command_type(command).unwrap_or("reserved")))?;
        self.octet(TP_MN, |_| owned("TP-MR of the message it is about"))?;
        self.address(TP_DA, Address::decode_tp)?;
        let start = self.reader.at();
        let data = Command::read_data(&mut self.reader);
        let data = self.check(data)?;
        self.field(start, TP_CDL.name, data.len().to_string(), owned("octets"));
        self.end_field_at(start + 1);
        if !data.is_empty() {
            self.field(start + 1, TP_CD.name, hex(data), None);
        }
        Some(())
    }

    fn pid(&mut self) -> Option<()> {
        self.hex_octet(TP_PID, |octet| match pid::replace_type(octet) {
            Some(number) => Some(format!("replace short message type {number}")),
            None => names::pid(octet).and_then(owned),
        })?;
        Some(())
    }

    fn indicator(&mut self) -> Option<u8> {
        let indicator = self.hex_octet(TP_PI, |indicator| {
            let announced = [(0x01, "TP-PID"), (0x02, "TP-DCS"), (0x04, "TP-UDL")];
            let names: Vec<&str> =
                announced.into_iter().filter(|(bit, _)| indicator & bit != 0).map(|(_, name)| name).collect();
            if names.is_empty() {
                owned("nothing follows")
            } else {
                Some(format!("{} follow", names.join(", ")))
            }
        })?;
        let mut last = indicator;
        while last & 0x80 != 0 {
            last = self.hex_octet(TP_PI, |_| owned("extension, ignored"))?;
        }
        Some(indicator)
    }

    fn announced(&mut self, indicator: u8, first: u8) -> Option<()> {
        if indicator & 0x01 != 0 {
            self.pid()?;
        }
        let dcs = if indicator & 0x02 != 0 { self.dcs()? } else { Default::default() };
        if indicator & 0x04 != 0 {
            self.user_data_field(dcs, first & HEADER != 0, MAX_REPORT_OCTETS)?;
        }
        Some(())
    }

    fn validity(&mut self, first: u8) -> Option<()> {
        let start = self.reader.at();
        let validity = Validity::decode(first, &mut self.reader);
        let Some(validity) = self.check(validity)? else { return Some(()) };
        let period = |seconds: Option<u64>| seconds.map_or_else(|| "no period".to_owned(), duration);
        let (value, note) = match validity {
            Validity::Relative(octet) => (period(validity.seconds(0)), format!("relative, {octet}")),
            Validity::Absolute(time) => (time.to_string(), "absolute".to_owned()),
            Validity::Enhanced(octets) => (
                period(validity.seconds(0)),
                format!("enhanced{}, {}", functionality(validity), hex(&octets)),
            ),
        };
        self.field(start, TP_VP.name, value, Some(note));
        Some(())
    }
}

/// What the functionality indicator of the enhanced format says.
fn functionality(validity: Validity) -> String {
    let Some(Enhanced { single_shot, extensions, period }) = validity.enhanced() else {
        return String::new();
    };
    let mut words = match period {
        Period::None => ", no period given".to_owned(),
        Period::Relative(octet) => format!(", relative {octet}"),
        Period::Seconds(_) => ", in seconds".to_owned(),
        Period::Time { .. } => ", in hours, minutes and seconds".to_owned(),
        Period::Reserved(format) => format!(", format {format} reserved or not as it says"),
    };
    if single_shot {
        words += ", one attempt only";
    }
    if extensions > 0 {
        words += &format!(", extended by {extensions}");
    }
    words
}

/// A period in the largest unit that tells it exactly.
fn duration(seconds: u64) -> String {
    let units = [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, name) = units
        .into_iter()
        .find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size))
        .unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}
