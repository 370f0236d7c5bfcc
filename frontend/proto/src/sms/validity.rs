//! TP-VP, the validity period (TS 23.040 §9.2.3.12).

use super::error::DecodeError;
use super::fields::TP_VP;
use super::reader::Reader;
use super::timestamp::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// Bit 6 of the functionality indicator, whose bits are counted from 0.
const SINGLE_SHOT: u8 = 0x40;

/// How long the service centre may keep trying, in one of three formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Counted from the submission, in steps of 5 minutes to weeks (§9.2.3.12.1).
    Relative(u8),
    /// The moment of expiry (§9.2.3.12.2).
    Absolute(Timestamp),
    /// The enhanced format, as it is on the wire (§9.2.3.12.3).
    Enhanced([u8; 7]),
}

/// The period of the enhanced format (§9.2.3.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// None is given (000).
    None,
    /// As in the relative format (001).
    Relative(u8),
    /// Seconds, 1 to 255 (010).
    Seconds(u8),
    /// Hours, minutes and seconds, each up to 99 (011).
    Time {
        /// Hours.
        hours: u8,
        /// Minutes.
        minutes: u8,
        /// Seconds.
        seconds: u8,
    },
    /// A reserved format, 4 to 7, or a value that its format does not allow.
    Reserved(u8),
}

/// What the enhanced format says: its functionality indicator and its period (§9.2.3.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enhanced {
    /// One attempt is asked for and no more (bit 6 of the indicator).
    pub single_shot: bool,
    /// Octets by which the functionality indicator is extended (bit 7); what they say is reserved.
    pub extensions: u8,
    /// The period.
    pub period: Period,
}

impl Enhanced {
    /// Returns the field, extended by nothing. A period that cannot be told is none.
    #[must_use]
    pub fn to_validity(self) -> Validity {
        let bcd = |number: u8| (number / 10 % 10) | ((number % 10) << 4);
        let once = if self.single_shot { SINGLE_SHOT } else { 0 };
        Validity::Enhanced(match self.period {
            Period::None | Period::Reserved(_) => [once, 0, 0, 0, 0, 0, 0],
            Period::Relative(octet) => [once | 1, octet, 0, 0, 0, 0, 0],
            Period::Seconds(seconds) => [once | 2, seconds, 0, 0, 0, 0, 0],
            Period::Time { hours, minutes, seconds } => {
                [once | 3, bcd(hours), bcd(minutes), bcd(seconds), 0, 0, 0]
            }
        })
    }

    fn of(octets: &[u8; 7]) -> Enhanced {
        // Bit 7 says that another functionality octet follows; the period stands behind the last one.
        let extensions = octets.iter().position(|octet| octet & 0x80 == 0);
        let format = octets[0] & 0x07;
        let at = |index: usize| octets.get(1 + extensions? + index).copied();
        let digits = |octet: u8| {
            let (tens, units) = (octet & 0x0f, octet >> 4);
            (tens < 10 && units < 10).then_some(tens * 10 + units)
        };
        let period = || {
            Some(match format {
                0 => Period::None,
                1 => Period::Relative(at(0)?),
                2 => Period::Seconds(at(0).filter(|&seconds| seconds > 0)?),
                3 => Period::Time {
                    hours: digits(at(0)?)?,
                    minutes: digits(at(1)?)?,
                    seconds: digits(at(2)?)?,
                },
                _ => return None,
            })
        };
        Enhanced {
            single_shot: octets[0] & SINGLE_SHOT != 0,
            extensions: extensions.unwrap_or(octets.len()) as u8,
            period: period().unwrap_or(Period::Reserved(format)),
        }
    }

    fn seconds(self) -> Option<u64> {
        match self.period {
            Period::None | Period::Reserved(_) => None,
            Period::Relative(octet) => Some(relative_seconds(octet)),
            Period::Seconds(seconds) => Some(seconds.into()),
            Period::Time { hours, minutes, seconds } => {
                Some(u64::from(hours) * HOUR + u64::from(minutes) * MINUTE + u64::from(seconds))
            }
        }
    }
}

impl Validity {
    /// Returns the shortest relative period that is not shorter than `seconds`; 63 weeks is the longest.
    #[must_use]
    pub fn relative_from_seconds(seconds: u64) -> Validity {
        let octet = if seconds <= 12 * HOUR {
            seconds.div_ceil(5 * MINUTE).max(1) - 1
        } else if seconds <= 24 * HOUR {
            143 + (seconds - 12 * HOUR).div_ceil(30 * MINUTE)
        } else if seconds <= 30 * DAY {
            166 + seconds.div_ceil(DAY)
        } else {
            192 + seconds.div_ceil(WEEK).min(63)
        };
        Validity::Relative(octet as u8)
    }

    /// Returns the seconds from `now` (seconds since 1970, UTC) to the expiry; 0 if it has passed.
    ///
    /// Nothing comes back if the field says no time: no date, no period, or a reserved format.
    #[must_use]
    pub fn seconds(&self, now: i64) -> Option<u64> {
        match self {
            Validity::Relative(octet) => Some(relative_seconds(*octet)),
            Validity::Absolute(time) => Some(u64::try_from(time.to_unix()?.saturating_sub(now)).unwrap_or(0)),
            Validity::Enhanced(octets) => Enhanced::of(octets).seconds(),
        }
    }

    /// Returns what the enhanced format says; nothing for another format.
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        match self {
            Validity::Enhanced(octets) => Some(Enhanced::of(octets)),
            Validity::Relative(_) | Validity::Absolute(_) => None,
        }
    }

    /// Returns whether one attempt is asked for and no more.
    #[must_use]
    pub fn single_shot(&self) -> bool {
        self.enhanced().is_some_and(|enhanced| enhanced.single_shot)
    }

    /// Reads the field that TP-VPF announces in bits 4 and 3 of the first octet.
    pub(crate) fn decode(format: u8, reader: &mut Reader<'_>) -> Result<Option<Validity>, DecodeError> {
        Ok(match format & 0x18 {
            0x10 => Some(Validity::Relative(reader.octet(TP_VP)?)),
            0x08 => Some(Validity::Enhanced(reader.array(TP_VP)?)),
            0x18 => Some(Validity::Absolute(Timestamp::decode(reader.array(TP_VP)?))),
            _ => None,
        })
    }

    /// Returns TP-VPF in bits 4 and 3.
    pub(crate) fn format(validity: Option<&Validity>) -> u8 {
        match validity {
            None => 0x00,
            Some(Validity::Relative(_)) => 0x10,
            Some(Validity::Enhanced(_)) => 0x08,
            Some(Validity::Absolute(_)) => 0x18,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Validity::Relative(octet) => out.push(*octet),
            Validity::Absolute(time) => out.extend_from_slice(&time.encode()),
            Validity::Enhanced(octets) => out.extend_from_slice(octets),
        }
    }
}

fn relative_seconds(octet: u8) -> u64 {
    let value = u64::from(octet);
    match octet {
        0..=143 => (value + 1) * 5 * MINUTE,
        144..=167 => 12 * HOUR + (value - 143) * 30 * MINUTE,
        168..=196 => (value - 166) * DAY,
        197..=255 => (value - 192) * WEEK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_periods_grow_by_four_scales() {
        let table = [
            (0, 300),
            (11, 3600),
            (143, 43_200),
            (144, 45_000),
            (167, 86_400),
            (168, 172_800),
            (170, 345_600),
            (196, 2_592_000),
            (197, 3_024_000),
            (255, 38_102_400),
        ];
        for (octet, seconds) in table {
            assert_eq!(Validity::Relative(octet).seconds(0), Some(seconds), "{octet}");
            assert_eq!(Validity::relative_from_seconds(seconds), Validity::Relative(octet), "{seconds}");
        }
    }

    #[test]
    fn a_period_between_two_steps_is_rounded_up() {
        for octet in 0..255 {
            let seconds = relative_seconds(octet) + 1;
            assert_eq!(Validity::relative_from_seconds(seconds), Validity::Relative(octet + 1));
        }
        assert_eq!(Validity::relative_from_seconds(0), Validity::Relative(0));
        assert_eq!(Validity::relative_from_seconds(u64::MAX), Validity::Relative(255));
    }

    #[test]
    fn an_absolute_period_is_counted_from_now() {
        let validity = Validity::Absolute(Timestamp::from_unix(1_000_000_060, 8));
        assert_eq!(validity.seconds(1_000_000_000), Some(60));
        assert_eq!(validity.seconds(1_000_000_061), Some(0));
    }

    #[test]
    fn the_enhanced_format_has_three_periods() {
        assert_eq!(Validity::Enhanced([0x01, 0x0b, 0, 0, 0, 0, 0]).seconds(0), Some(3600));
        assert_eq!(Validity::Enhanced([0x42, 0x1e, 0, 0, 0, 0, 0]).seconds(0), Some(30));
        assert_eq!(Validity::Enhanced([0x03, 0x21, 0x43, 0x65, 0, 0, 0]).seconds(0), Some(45_296));
        assert_eq!(Validity::Enhanced([0x81, 0x00, 0x0b, 0, 0, 0, 0]).seconds(0), Some(3600));
        for nothing in [[0x00; 7], [0xff; 7], [0x02, 0, 0, 0, 0, 0, 0], [0x04, 1, 0, 0, 0, 0, 0]] {
            assert_eq!(Validity::Enhanced(nothing).seconds(0), None);
        }
        assert!(Validity::Enhanced([0x40, 0, 0, 0, 0, 0, 0]).single_shot());
    }

    #[test]
    fn the_functionality_indicator_is_told_field_by_field() {
        let table = [
            ([0x42, 30, 0, 0, 0, 0, 0], true, 0, Period::Seconds(30)),
            ([0x00; 7], false, 0, Period::None),
            ([0x81, 0x7f, 0x0b, 0, 0, 0, 0], false, 1, Period::Relative(0x0b)),
            (
                [0x03, 0x21, 0x43, 0x65, 0, 0, 0],
                false,
                0,
                Period::Time { hours: 12, minutes: 34, seconds: 56 },
            ),
            ([0x03, 0x21, 0x4a, 0x65, 0, 0, 0], false, 0, Period::Reserved(3)),
            ([0x45, 1, 0, 0, 0, 0, 0], true, 0, Period::Reserved(5)),
            ([0xff; 7], true, 7, Period::Reserved(7)),
        ];
        for (octets, single_shot, extensions, period) in table {
            let enhanced = Enhanced { single_shot, extensions, period };
            assert_eq!(Validity::Enhanced(octets).enhanced(), Some(enhanced));
            if extensions == 0 && !matches!(period, Period::Reserved(_)) {
                assert_eq!(enhanced.to_validity(), Validity::Enhanced(octets));
            }
        }
        assert_eq!(Validity::Relative(1).enhanced(), None);
    }
}
