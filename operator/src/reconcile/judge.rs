//! What a refusal of the API server means: who must act, and whether trying again helps.

use std::time::Duration;

use crate::apply::Refused;
use crate::settings::Settings;
use crate::status::{Because, Reason};

/// The first wait after a pass that failed.
const FIRST: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// What to make of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody must change something: the specification, or what else forbids it.
    Stalled(Because),
    /// It may work later.
    Held(Because),
    /// Somebody else wrote at the same time, or the cache was old: try again soon, and tell nobody.
    Again,
}

/// Judges a refusal.
pub(super) fn verdict(refused: &Refused, settings: &Settings, namespace: &str) -> Verdict {
    let Refused { what, source } = refused;
    let kube::Error::Api(status) = source else {
        // Its text may differ from one try to the next, and a status must not: it is in the log.
        return Verdict::Held(Because::new(
            Reason::ApplyFailed,
            format!("{what}: the API server did not answer"),
        ));
    };
    let said = format!("{what}: {}", status.message);
    match status.code {
        409 => Verdict::Again,
        422 if status.message.contains("immutable") || status.message.contains("Forbidden") => {
            Verdict::Stalled(Because::new(Reason::ImmutableField, said))
        }
        400 | 422 => Verdict::Stalled(Because::new(Reason::InvalidSpec, said)),
        403 if what.starts_with("Secret ") && !status.message.contains("being terminated") => {
            let binding = settings.operator.binding(&settings.secrets_role, namespace);
            Verdict::Held(Because::new(Reason::RelayKeyDenied, format!("{said}; allow it by: {binding}")))
        }
        _ => Verdict::Held(Because::new(Reason::ApplyFailed, said)),
    }
}

/// How long to wait after so many failures: twice as long each time, spread so that many resources do not come at once.
pub(super) fn backoff(failures: u32, random: u64) -> Duration {
    let full = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let half = full / 2;
    half + Duration::from_nanos(random % u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ServiceAccount;

    fn judged(what: &str, code: u16, message: &str) -> Verdict {
        let settings = Settings {
            namespaces: Vec::new(),
            frontend_image: "smsc-frontend:1".to_owned(),
            secrets_role: "smsc-secrets".to_owned(),
            operator: ServiceAccount { namespace: "ops".to_owned(), name: "smsc".to_owned() },
            instance: "smsc-0".to_owned(),
        };
        let status = kube::core::Status {
            status: None,
            code,
            message: message.to_owned(),
            metadata: None,
            reason: String::new(),
            details: None,
        };
        let refused = Refused { what: what.to_owned(), source: kube::Error::Api(status.boxed()) };
        verdict(&refused, &settings, "ims")
    }

    #[test]
    fn a_refusal_says_who_must_act() {
        let because = |reason, message: &str| Because::new(reason, message);
        let cases = [
            (
                judged("StatefulSet home", 422, "spec: Forbidden: updates to statefulset spec"),
                Verdict::Stalled(because(
                    Reason::ImmutableField,
                    "StatefulSet home: spec: Forbidden: updates to statefulset spec",
                )),
            ),
            (
                judged("StatefulSet home", 422, "spec.template: Invalid value"),
                Verdict::Stalled(because(
                    Reason::InvalidSpec,
                    "StatefulSet home: spec.template: Invalid value",
                )),
            ),
            (judged("ConfigMap home-config", 409, "the object has been modified"), Verdict::Again),
            (
                judged("Service home-sip", 403, "services is forbidden"),
                Verdict::Held(because(Reason::ApplyFailed, "Service home-sip: services is forbidden")),
            ),
            (
                judged("Secret home-relay-key", 403, "secrets is forbidden"),
                Verdict::Held(because(
                    Reason::RelayKeyDenied,
                    "Secret home-relay-key: secrets is forbidden; allow it by: kubectl -n ims create rolebinding \
                     smsc-secrets --clusterrole=smsc-secrets --serviceaccount=ops:smsc",
                )),
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn waits_grow_to_a_minute_and_are_spread() {
        let bounds = |failures| [0, u64::MAX].map(|random| backoff(failures, random).as_millis());
        assert_eq!(backoff(1, 0).as_millis(), 250);
        for (failures, least, most) in [(1, 250, 500), (2, 500, 1000), (5, 4000, 8000), (50, 30_000, 60_000)]
        {
            assert!(bounds(failures).iter().all(|wait| (least..most + 1).contains(wait)), "{failures}");
        }
    }
}
