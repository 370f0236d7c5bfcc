//! The transfer layer: the six TPDUs of TS 23.040 §9.2.2.

mod command;
mod deliver;
mod report;
mod status;
mod submit;

pub use command::Command;
pub use deliver::Deliver;
pub use report::{DeliverReport, SubmitReport};
pub use status::StatusReport;
pub(crate) use submit::REJECT_DUPLICATES;
pub use submit::Submit;

use serde::Serialize;

use super::error::{DecodeError, ErrorKind};
use super::fields::TP_MTI;
use super::reader::Reader;
use super::rp::Direction;

/// Bit 3 of SMS-DELIVER and SMS-STATUS-REPORT: set if *no* more messages wait (§9.2.3.2).
pub(crate) const NO_MORE_MESSAGES: u8 = 0x04;
/// Bit 4 of SMS-DELIVER and SMS-STATUS-REPORT (§9.2.3.28).
pub(crate) const LOOP_PREVENTION: u8 = 0x08;
/// Bit 6: TP-SRR, TP-SRI or TP-SRQ (§9.2.3.4, .5, .26).
pub(crate) const STATUS_REPORT: u8 = 0x20;
/// Bit 7: TP-UDHI (§9.2.3.23).
pub(crate) const HEADER: u8 = 0x40;
/// Bit 8: TP-RP (§9.2.3.17).
pub(crate) const REPLY_PATH: u8 = 0x80;

/// The RPDU that a TPDU rides in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// RP-DATA: messages, status reports and commands.
    Data,
    /// RP-ACK: reports of success.
    Ack,
    /// RP-ERROR: reports of failure, which have a TP-FCS.
    Error,
}

impl Carrier {
    fn name(self) -> &'static str {
        match self {
            Carrier::Data => "RP-DATA",
            Carrier::Ack => "RP-ACK",
            Carrier::Error => "RP-ERROR",
        }
    }
}

/// One message of the transfer layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tpdu<'a> {
    /// From a handset to somebody.
    Submit(Submit<'a>),
    /// From somebody to a handset.
    Deliver(Deliver<'a>),
    /// The service centre's answer to SMS-SUBMIT or SMS-COMMAND.
    SubmitReport(SubmitReport<'a>),
    /// The handset's answer to SMS-DELIVER or SMS-STATUS-REPORT.
    DeliverReport(DeliverReport<'a>),
    /// What became of an SMS-SUBMIT or SMS-COMMAND.
    StatusReport(StatusReport<'a>),
    /// A handset's wish about a message it submitted.
    Command(Command<'a>),
}

/// The six types, before anything but TP-MTI has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TpduType {
    Submit,
    Deliver,
    SubmitReport,
    DeliverReport,
    StatusReport,
    Command,
}

impl TpduType {
    /// The type by direction, carrier and TP-MTI (§9.2.3.1). From the network the reserved value is an SMS-DELIVER.
    pub(crate) fn of(direction: Direction, carrier: Carrier, first: u8) -> Result<TpduType, DecodeError> {
        use Direction::{MsToNetwork, NetworkToMs};
        let mti = first & 0x03;
        let wrong = |kind| Err(DecodeError { octet: 0, clause: TP_MTI.clause, kind });
        let (tpdu_type, report) = match (direction, mti) {
            (MsToNetwork, 0) => (TpduType::DeliverReport, true),
            (MsToNetwork, 1) => (TpduType::Submit, false),
            (MsToNetwork, 2) => (TpduType::Command, false),
            (NetworkToMs, 1) => (TpduType::SubmitReport, true),
            (NetworkToMs, 2) => (TpduType::StatusReport, false),
            (NetworkToMs, _) => (TpduType::Deliver, false),
            (MsToNetwork, _) => return wrong(ErrorKind::UnknownTpdu { mti }),
        };
        if report == (carrier == Carrier::Data) {
            return wrong(ErrorKind::WrongCarrier { tpdu: tpdu_type.name(), carrier: carrier.name() });
        }
        Ok(tpdu_type)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            TpduType::Submit => "SMS-SUBMIT",
            TpduType::Deliver => "SMS-DELIVER",
            TpduType::SubmitReport => "SMS-SUBMIT-REPORT",
            TpduType::DeliverReport => "SMS-DELIVER-REPORT",
            TpduType::StatusReport => "SMS-STATUS-REPORT",
            TpduType::Command => "SMS-COMMAND",
        }
    }
}

impl<'a> Tpdu<'a> {
    /// Reads a TPDU. Octets behind its last element are ignored.
    ///
    /// # Errors
    /// What is missing or not allowed; [`DecodeError::rp_cause`] is the answer to give, `octet` counts from the
    /// start of the TPDU.
    pub fn decode(direction: Direction, carrier: Carrier, octets: &'a [u8]) -> Result<Tpdu<'a>, DecodeError> {
        let mut reader = Reader::new(octets);
        let first = reader.octet(TP_MTI)?;
        let reader = &mut reader;
        Ok(match TpduType::of(direction, carrier, first)? {
            TpduType::Submit => Tpdu::Submit(Submit::read(first, reader)?),
            TpduType::Deliver => Tpdu::Deliver(Deliver::read(first, reader)?),
            TpduType::SubmitReport => Tpdu::SubmitReport(SubmitReport::read(first, carrier, reader)?),
            TpduType::DeliverReport => Tpdu::DeliverReport(DeliverReport::read(first, carrier, reader)?),
            TpduType::StatusReport => Tpdu::StatusReport(StatusReport::read(first, reader)?),
            TpduType::Command => Tpdu::Command(Command::read(first, reader)?),
        })
    }

    /// Appends the TPDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Tpdu::Submit(tpdu) => tpdu.encode(out),
            Tpdu::Deliver(tpdu) => tpdu.encode(out),
            Tpdu::SubmitReport(tpdu) => tpdu.encode(out),
            Tpdu::DeliverReport(tpdu) => tpdu.encode(out),
            Tpdu::StatusReport(tpdu) => tpdu.encode(out),
            Tpdu::Command(tpdu) => tpdu.encode(out),
        }
    }

    /// Returns the name that TS 23.040 gives to the message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Tpdu::Submit(_) => TpduType::Submit.name(),
            Tpdu::Deliver(_) => TpduType::Deliver.name(),
            Tpdu::SubmitReport(_) => TpduType::SubmitReport.name(),
            Tpdu::DeliverReport(_) => TpduType::DeliverReport.name(),
            Tpdu::StatusReport(_) => TpduType::StatusReport.name(),
            Tpdu::Command(_) => TpduType::Command.name(),
        }
    }
}

/// Reads the first octet of a TPDU whose type is already known and refuses another type.
fn expect<'a>(
    tpdu_type: TpduType,
    direction: Direction,
    carrier: Carrier,
    octets: &'a [u8],
) -> Result<(u8, Reader<'a>), DecodeError> {
    let mut reader = Reader::new(octets);
    let first = reader.octet(TP_MTI)?;
    let found = TpduType::of(direction, carrier, first)?;
    if found == tpdu_type {
        return Ok((first, reader));
    }
    let kind = ErrorKind::UnexpectedTpdu { expected: tpdu_type.name(), found: found.name() };
    Err(DecodeError { octet: 0, clause: TP_MTI.clause, kind })
}

/// The bit if the flag is set.
fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Address, Alphabet, Dcs, SplitOptions, Timestamp, UserData, Validity, split_text};
    use super::*;
    use Direction::{MsToNetwork, NetworkToMs};

    fn kind(direction: Direction, carrier: Carrier, first: u8) -> Result<&'static str, ErrorKind> {
        TpduType::of(direction, carrier, first).map(TpduType::name).map_err(|error| error.kind)
    }

    #[test]
    fn one_number_means_different_messages_by_direction() {
        assert_eq!(kind(MsToNetwork, Carrier::Data, 0x31), Ok("SMS-SUBMIT"));
        assert_eq!(kind(MsToNetwork, Carrier::Ack, 0x00), Ok("SMS-DELIVER-REPORT"));
        assert_eq!(kind(MsToNetwork, Carrier::Data, 0x02), Ok("SMS-COMMAND"));
        assert_eq!(kind(NetworkToMs, Carrier::Data, 0x04), Ok("SMS-DELIVER"));
        assert_eq!(kind(NetworkToMs, Carrier::Error, 0x01), Ok("SMS-SUBMIT-REPORT"));
        assert_eq!(kind(NetworkToMs, Carrier::Data, 0x06), Ok("SMS-STATUS-REPORT"));
    }

    #[test]
    fn the_reserved_type_is_a_deliver_from_the_network_and_refused_from_a_handset() {
        assert_eq!(kind(NetworkToMs, Carrier::Data, 0x07), Ok("SMS-DELIVER"));
        assert_eq!(kind(MsToNetwork, Carrier::Data, 0x03), Err(ErrorKind::UnknownTpdu { mti: 3 }));
    }

    #[test]
    fn reports_ride_in_answers_and_messages_in_rp_data() {
        let wrong = |tpdu, carrier| Err(ErrorKind::WrongCarrier { tpdu, carrier });
        assert_eq!(kind(MsToNetwork, Carrier::Ack, 0x01), wrong("SMS-SUBMIT", "RP-ACK"));
        assert_eq!(kind(MsToNetwork, Carrier::Data, 0x00), wrong("SMS-DELIVER-REPORT", "RP-DATA"));
    }

    fn address() -> impl Strategy<Value = Address> {
        prop_oneof![
            "[0-9]{1,20}".prop_map(|digits| Address::international(&digits).unwrap()),
            "[0-9*#]{1,20}".prop_map(|digits| Address::dialled(&digits).unwrap()),
            "[A-Za-z0-9 ]{1,11}".prop_map(|name| Address::alphanumeric(&name).unwrap()),
        ]
    }

    fn timestamp() -> impl Strategy<Value = Timestamp> {
        (0i64..4_000_000_000, -79i8..=79).prop_map(|(seconds, zone)| Timestamp::from_unix(seconds, zone))
    }

    fn validity() -> impl Strategy<Value = Option<Validity>> {
        prop_oneof![
            Just(None),
            any::<u8>().prop_map(|octet| Some(Validity::Relative(octet))),
            timestamp().prop_map(|time| Some(Validity::Absolute(time))),
            any::<[u8; 7]>().prop_map(|octets| Some(Validity::Enhanced(octets))),
        ]
    }

    /// Dcs, header indicator, TP-UDL and octets of sound user data.
    fn user_data() -> impl Strategy<Value = (Dcs, bool, u8, Vec<u8>)> {
        let text = (any::<u16>(), "[a-zA-Z0-9 €{}]{0,60}", any::<bool>(), prop::option::of(0u8..4)).prop_map(
            |(reference, text, ucs2, class)| {
                let alphabet = Some(if ucs2 { Alphabet::Ucs2 } else { Alphabet::Gsm7 });
                let options =
                    SplitOptions { alphabet, class, udh: &[0x05, 0x04, 1, 2, 3, 4], ..Default::default() };
                let part = split_text(&text, reference, options).unwrap().swap_remove(0);
                (part.dcs, part.header, part.length, part.octets)
            },
        );
        let data = prop::collection::vec(any::<u8>(), 0..=140)
            .prop_map(|octets| (Dcs(0x04), false, octets.len() as u8, octets));
        prop_oneof![text, data]
    }

    proptest! {
        #[test]
        fn every_tpdu_round_trips(
            flags: [bool; 4], mr: u8, number: u8, address in address(), pid: u8, vp in validity(),
            scts in timestamp(), dt in timestamp(), parts in user_data(), fcs: Option<u8>, optional: Option<u8>,
            with_data: bool, octets in prop::collection::vec(any::<u8>(), 0..=156),
        ) {
            let (dcs, header, length, ud) = &parts;
            let ud = UserData { dcs: *dcs, header: *header, length: *length, octets: ud };
            let data = with_data.then_some(ud);
            let carrier = if fcs.is_some() { Carrier::Error } else { Carrier::Ack };
            let [one, two, three, four] = flags;
            let tpdus = [
                (MsToNetwork, Carrier::Data, Tpdu::Submit(Submit {
                    reject_duplicates: one, reply_path: two, status_report_request: three, mr, da: address, pid, vp, ud,
                })),
                (NetworkToMs, Carrier::Data, Tpdu::Deliver(Deliver {
                    more_messages: one, loop_prevention: two, reply_path: three, status_report_indication: four,
                    oa: address, pid, scts, ud,
                })),
                (NetworkToMs, carrier, Tpdu::SubmitReport(SubmitReport { fcs, scts, pid: optional, ud: data })),
                (MsToNetwork, carrier, Tpdu::DeliverReport(DeliverReport { fcs, pid: optional, ud: data })),
                (NetworkToMs, Carrier::Data, Tpdu::StatusReport(StatusReport {
                    more_messages: one, loop_prevention: two, status_report_qualifier: three, mr, ra: address, scts,
                    dt, status: number, pid: optional, ud: data,
                })),
                (MsToNetwork, Carrier::Data, Tpdu::Command(Command {
                    status_report_request: one, header: two, mr, pid, command_type: number, message_number: mr,
                    da: address, data: &octets,
                })),
            ];
            for (direction, carrier, tpdu) in tpdus {
                let mut out = Vec::new();
                tpdu.encode(&mut out);
                prop_assert_eq!(Tpdu::decode(direction, carrier, &out), Ok(tpdu));
                for end in 0..out.len() {
                    let _ = Tpdu::decode(direction, carrier, &out[..end]);
                }
            }
        }

        #[test]
        fn random_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..250)) {
            for direction in [MsToNetwork, NetworkToMs] {
                for carrier in [Carrier::Data, Carrier::Ack, Carrier::Error] {
                    if let Ok(Tpdu::Submit(Submit { ud, .. }) | Tpdu::Deliver(Deliver { ud, .. })) =
                        Tpdu::decode(direction, carrier, &octets)
                    {
                        let _ = (ud.text(), ud.concatenation(), ud.ports(), ud.payload());
                    }
                }
            }
        }
    }
}
