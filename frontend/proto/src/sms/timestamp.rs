//! TP-SCTS, TP-DT and the absolute TP-VP (TS 23.040 §9.2.3.11): seven octets of swapped semi-octets.

use std::fmt;

/// A local time with its distance from UTC in quarters of an hour.
///
/// The fields are what is on the wire and may be out of range; [`Timestamp::to_unix`] says whether they are a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Year without its century, 0 to 99; 90 to 99 are in the twentieth century.
    pub year: u8,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Quarters of an hour that local time is ahead of UTC, -79 to 79.
    pub zone_quarters: i8,
}

impl Timestamp {
    /// Makes the local time of `seconds` since 1970-01-01T00:00:00Z in a zone.
    ///
    /// A zone beyond 79 quarters is taken as 79, and only the two last digits of the year are kept.
    #[must_use]
    pub fn from_unix(seconds: i64, zone_quarters: i8) -> Timestamp {
        let zone_quarters = zone_quarters.clamp(-79, 79);
        let local = seconds.saturating_add(i64::from(zone_quarters) * 900);
        let (days, time) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        Timestamp {
            year: year.rem_euclid(100) as u8,
            month,
            day,
            hour: (time / 3600) as u8,
            minute: (time / 60 % 60) as u8,
            second: (time % 60) as u8,
            zone_quarters,
        }
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z, or nothing if the fields are no time.
    #[must_use]
    pub fn to_unix(&self) -> Option<i64> {
        let in_range = (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.year < 100;
        if !in_range {
            return None;
        }
        let days = days_of(self.full_year(), self.month, self.day);
        if date_of(days) != (self.full_year(), self.month, self.day) {
            return None;
        }
        let time = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some(days * 86_400 + time - i64::from(self.zone_quarters) * 900)
    }

    /// Reads seven octets. A semi-octet that is no digit counts as 0 (TS 23.040 §9.2.3.11).
    #[must_use]
    pub fn decode(octets: [u8; 7]) -> Timestamp {
        let [year, month, day, hour, minute, second, zone] = octets;
        // Bit 4 of the zone octet is the sign, the other seven bits are swapped digits.
        let quarters = number(zone & 0xf7) as i8;
        Timestamp {
            year: number(year),
            month: number(month),
            day: number(day),
            hour: number(hour),
            minute: number(minute),
            second: number(second),
            zone_quarters: if zone & 0x08 == 0 { quarters } else { -quarters },
        }
    }

    /// Writes seven octets; of a field above 99 the last two digits.
    #[must_use]
    pub fn encode(&self) -> [u8; 7] {
        let sign = if self.zone_quarters < 0 { 0x08 } else { 0 };
        [
            semi_octets(self.year),
            semi_octets(self.month),
            semi_octets(self.day),
            semi_octets(self.hour),
            semi_octets(self.minute),
            semi_octets(self.second),
            semi_octets(self.zone_quarters.unsigned_abs().min(79)) | sign,
        ]
    }

    fn full_year(&self) -> i64 {
        i64::from(self.year) + if self.year >= 90 { 1900 } else { 2000 }
    }
}

/// Shows the time as RFC 3339 does, with the zone as `±hh:mm`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamp { month, day, hour, minute, second, .. } = self;
        let quarters = self.zone_quarters.unsigned_abs();
        let sign = if self.zone_quarters < 0 { '-' } else { '+' };
        write!(
            f,
            "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
            self.full_year(),
            quarters / 4,
            quarters % 4 * 15
        )
    }
}

fn number(octet: u8) -> u8 {
    let digit = |value| if value > 9 { 0 } else { value };
    digit(octet & 0x0f) * 10 + digit(octet >> 4)
}

fn semi_octets(number: u8) -> u8 {
    (number / 10 % 10) | (number % 10) << 4
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in years that begin in March.
fn days_of(year: i64, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date that many days after 1970-01-01: year, month, day.
fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn semi_octets_are_swapped_and_the_zone_has_a_sign() {
        let time = Timestamp::decode([0x62, 0x11, 0x12, 0x31, 0x23, 0x33, 0x0a]);
        let expected =
            Timestamp { year: 26, month: 11, day: 21, hour: 13, minute: 32, second: 33, zone_quarters: -20 };
        assert_eq!(time, expected);
        assert_eq!(time.to_string(), "2026-11-21T13:32:33-05:00");
        assert_eq!(time.to_unix(), Some(1_795_285_953));
        assert_eq!(time.encode(), [0x62, 0x11, 0x12, 0x31, 0x23, 0x33, 0x0a]);
    }

    #[test]
    fn the_zone_changes_the_digits_and_not_the_instant() {
        let (utc, nepal) = (Timestamp::from_unix(1_795_285_953, 0), Timestamp::from_unix(1_795_285_953, 23));
        assert_eq!(utc.to_string(), "2026-11-21T18:32:33+00:00");
        assert_eq!(nepal.to_string(), "2026-11-22T00:17:33+05:45");
        assert_eq!(utc.to_unix(), nepal.to_unix());
    }

    #[test]
    fn a_semi_octet_that_is_no_digit_counts_as_zero() {
        assert_eq!(Timestamp::decode([0x51, 0x50, 0xf1, 0x32, 0x20, 0x05, 0x23]).day, 10);
    }

    #[test]
    fn what_is_no_date_is_no_instant() {
        let leap_day = Timestamp::decode([0x42, 0x20, 0x92, 0, 0, 0, 0]);
        assert_eq!(leap_day.to_unix(), Some(1_709_164_800));
        assert_eq!(Timestamp { year: 25, ..leap_day }.to_unix(), None);
        assert_eq!(Timestamp { month: 0, ..leap_day }.to_unix(), None);
        assert_eq!(Timestamp { hour: 24, ..leap_day }.to_unix(), None);
    }

    proptest! {
        #[test]
        fn instants_round_trip(seconds in 631_152_000i64..3_786_912_000, zone in -79i8..=79) {
            let time = Timestamp::from_unix(seconds, zone);
            // The local time may fall into the year before or after the century that two digits can tell.
            prop_assume!((631_238_400..3_786_825_600).contains(&seconds));
            prop_assert_eq!(time.to_unix(), Some(seconds));
            prop_assert_eq!(Timestamp::decode(time.encode()), time);
        }

        #[test]
        fn any_octets_are_read_and_any_second_is_written(octets: [u8; 7], seconds: i64, zone: i8) {
            let _ = Timestamp::decode(octets).to_unix();
            let _ = Timestamp::decode(octets).to_string();
            let _ = Timestamp::from_unix(seconds, zone).encode();
        }
    }
}
