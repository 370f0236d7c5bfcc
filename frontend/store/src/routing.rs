//! Which location a message goes to. A pure choice.

use crate::numbers::is_number;

/// A rule for numbers that are not registered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Digits the international number begins with; empty matches every number. Other signs (`+`) are left out.
    pub prefix: String,
    /// Who takes them: the location of a frontend or of one of its links.
    pub location: String,
}

/// The location for destination `key`: where it is registered, else the first rule that matches; never one of
/// `tried`, which refused the message for good. None: it is held until it registers or expires.
///
/// `registered`: the locations of its registrations, the best first.
pub(crate) fn choose<'a>(
    key: &str,
    registered: impl IntoIterator<Item = &'a str>,
    rules: &'a [Route],
    tried: &[String],
) -> Option<&'a str> {
    let untried = |location: &&str| !tried.iter().any(|t| t == location);
    registered.into_iter().find(untried).or_else(|| {
        let matching = rules.iter().filter(|rule| matches(rule, key));
        matching.map(|rule| rule.location.as_str()).find(untried)
    })
}

fn matches(rule: &Route, key: &str) -> bool {
    let prefix: String = rule.prefix.chars().filter(|c| is_number(c.encode_utf8(&mut [0; 4]))).collect();
    is_number(key) && key.starts_with(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<Route> {
        [("+4420", "smpp-london.smsc01"), ("44", "smpp-uk.smsc01"), ("", "gsm.smsc01")]
            .map(|(prefix, location)| Route { prefix: prefix.into(), location: location.into() })
            .into()
    }

    #[test]
    fn registered_first_then_the_first_rule_that_matches_then_held() {
        let rules = rules();
        for (key, registered, tried, expected) in [
            ("447700900123", vec!["smsc01"], vec![], Some("smsc01")),
            ("447700900123", vec![], vec![], Some("smpp-uk.smsc01")),
            ("442071838750", vec![], vec![], Some("smpp-london.smsc01")),
            ("31612345678", vec![], vec![], Some("gsm.smsc01")),
            ("447700900123", vec!["smsc01", "smsc01-1"], vec!["smsc01"], Some("smsc01-1")),
            ("447700900123", vec!["smsc01"], vec!["smsc01"], Some("smpp-uk.smsc01")),
            ("31612345678", vec!["smsc01"], vec!["smsc01", "gsm.smsc01"], None),
            ("sip:alice@ims.example", vec![], vec![], None),
            ("sip:alice@ims.example", vec!["smsc01"], vec![], Some("smsc01")),
        ] {
            let tried: Vec<String> = tried.into_iter().map(String::from).collect();
            assert_eq!(choose(key, registered, &rules, &tried), expected, "{key} {tried:?}");
        }
        assert_eq!(choose("447700900123", [], &[], &[]), None);
    }
}
