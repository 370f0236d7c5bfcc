//! Times as people read them.

use jiff::{Timestamp, Unit};
use smsc_config::format_duration;

/// `2026-11-21 13:29:19 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `13:29:19` on the day of `beside`, else with its date.
pub(super) fn moment_beside(at: Timestamp, beside: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%F").to_string();
    if day(at) == day(beside) {
        at.strftime("%H:%M:%S").to_string()
    } else {
        at.strftime("%F %T").to_string()
    }
}

/// How far `at` lies ahead of `now`: `in 5m`, or `now`.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.until((Unit::Second, at)).map_or(0, |span| span.get_seconds());
    match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => format!("in {}", roughly(seconds)),
        _ => "now".to_owned(),
    }
}

/// A time of more than two minutes in whole minutes, of more than two hours in whole hours.
fn roughly(seconds: u64) -> String {
    let seconds = match seconds {
        0..=120 => seconds,
        121..=7200 => seconds / 60 * 60,
        _ => seconds / 3600 * 3600,
    };
    format_duration(std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc_and_ahead_in_round_numbers() {
        let now: Timestamp = "2026-11-21T13:29:19.5Z".parse().unwrap();
        assert_eq!(moment(now), "2026-11-21 13:29:19 UTC");
        let later = |seconds| now + jiff::SignedDuration::from_secs(seconds);
        assert_eq!(moment_beside(later(60), now), "13:30:19");
        assert_eq!(moment_beside(later(86_400), now), "2026-11-22 13:29:19");
        let told = [-5, 0, 45, 125, 7300].map(|seconds| ahead(later(seconds), now));
        assert_eq!(told, ["now", "now", "in 45s", "in 2m", "in 2h"]);
    }
}
