//! config.yaml: read or refused with every mistake told, written, and compared.

use smsc_config::{Config, Purpose};

use crate::Meter;

/// Problems told at most, and octets of one: a message may repeat a value, and a value is at most the input.
const MOST_PROBLEMS: usize = 16;
const LONGEST_PROBLEM: usize = 1024;

pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let config = match meter
        .watch(|| Config::parse(text, "config.yaml").map_err(|problems| problems.to_string()))
    {
        Ok(config) => config,
        Err(told) => {
            assert!(!told.is_empty() && told.lines().all(|line| line.starts_with("config.yaml")), "{told}");
            assert!(
                told.len() <= MOST_PROBLEMS * (LONGEST_PROBLEM + 2 * text.len()),
                "mistakes told at length"
            );
            return;
        }
    };
    assert_eq!(config.check(Purpose::Frontend).map_err(|problems| problems.to_string()), Ok(()));
    let written = config.to_yaml();
    let again = Config::parse(&written, "written").unwrap_or_else(|problems| panic!("{written}\n{problems}"));
    assert_eq!(again, config, "{written}");
    assert!(Config::live_difference(&config, &again).is_empty());
    let changes = meter.watch(|| Config::live_difference(&Config::default(), &config));
    assert_eq!(changes.is_empty(), config == Config::default());
    assert_eq!(config.restart_part().restart_part(), config.restart_part());
}
