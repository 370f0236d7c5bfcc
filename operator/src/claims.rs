//! Who may have a location: one resource of each backend, whatever its namespace (design §5).
//!
//! A resource claims its location and those of every ordinal it could be scaled to, so that scaling never runs into another.

use std::collections::HashMap;

use smsc_crds::SmscFrontend;

use crate::names::{FINALIZER, MOST_PODS};

/// Which resources run, as far as this process let them: what it read of them may be older.
#[derive(Debug, Default)]
pub struct Claims {
    /// By uid: the backend.
    admitted: HashMap<String, String>,
}

impl Claims {
    /// The resource among `others` that has a location of `resource`'s and goes before it.
    #[must_use]
    pub fn holder<'a>(
        &self,
        resource: &SmscFrontend,
        others: impl IntoIterator<Item = &'a SmscFrontend>,
    ) -> Option<&'a SmscFrontend> {
        let own = self.rank(resource);
        let overlapping = others.into_iter().filter(|other| overlap(resource, other));
        let before = overlapping.map(|other| (self.rank(other), other)).filter(|(rank, _)| *rank < own);
        before.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, other)| other)
    }

    /// As [`Claims::holder`]; if there is none, `resource` goes before all others from now on.
    pub fn admit<'a>(
        &mut self,
        resource: &SmscFrontend,
        others: impl IntoIterator<Item = &'a SmscFrontend>,
    ) -> Option<&'a SmscFrontend> {
        let holder = self.holder(resource, others);
        if holder.is_none()
            && let Some(uid) = &resource.metadata.uid
        {
            self.admitted.insert(uid.clone(), normal(&resource.spec.backend.api_base_url));
        }
        holder
    }

    /// A resource is gone.
    pub fn forget(&mut self, resource: &SmscFrontend) {
        self.admitted.retain(|uid, _| resource.metadata.uid.as_ref() != Some(uid));
    }

    /// What runs already goes before what does not, then the older before the younger.
    fn rank(&self, resource: &SmscFrontend) -> impl Ord + use<> {
        let metadata = &resource.metadata;
        let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
        (!self.runs(resource), created, metadata.uid.clone())
    }

    fn runs(&self, resource: &SmscFrontend) -> bool {
        let wanted = normal(&resource.spec.backend.api_base_url);
        let metadata = &resource.metadata;
        let admitted = metadata.uid.as_ref().and_then(|uid| self.admitted.get(uid)) == Some(&wanted);
        admitted
            || match resource.status.as_ref().and_then(|status| status.backend.as_deref()) {
                Some(backend) => normal(backend) == wanted,
                // It is written before anything else is, and a status only afterwards.
                None => metadata.finalizers.iter().flatten().any(|name| name == FINALIZER),
            }
    }
}

/// Whether two different resources want a location in common at the same backend.
#[must_use]
pub fn overlap(one: &SmscFrontend, other: &SmscFrontend) -> bool {
    one.metadata.uid != other.metadata.uid
        && in_common(&one.spec.location, &other.spec.location)
        && normal(&one.spec.backend.api_base_url) == normal(&other.spec.backend.api_base_url)
}

/// Names are compared without case (RFC 1035 §2.3.3). Ordinals are one `-k` at the end of the first label, so two bases
/// meet only if they are equal or one is the other's ordinal.
fn in_common(one: &str, other: &str) -> bool {
    let split = |location: &str| {
        let location = location.to_ascii_lowercase();
        location.split_once('.').map_or((location.clone(), String::new()), |(label, domain)| {
            (label.to_owned(), domain.to_owned())
        })
    };
    let ((one, domain), (other, other_domain)) = (split(one), split(other));
    domain == other_domain && (one == other || is_ordinal_of(&one, &other) || is_ordinal_of(&other, &one))
}

fn is_ordinal_of(label: &str, base: &str) -> bool {
    let ordinal = label.strip_prefix(base).and_then(|rest| rest.strip_prefix('-'));
    ordinal.is_some_and(|digits| {
        digits
            .parse::<u8>()
            .is_ok_and(|number| (1..MOST_PODS).contains(&number) && number.to_string() == digits)
    })
}

/// Scheme and host without case, no slash at the end.
fn normal(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let path = url[authority..].find('/').map_or(url.len(), |slash| authority + slash);
    format!("{}{}", url[..path].to_ascii_lowercase(), &url[path..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(uid: &str, location: &str, url: &str) -> SmscFrontend {
        serde_json::from_value(json!({
            "apiVersion": "smsc.ims.dev/v1alpha1",
            "kind": "SmscFrontend",
            "metadata": {"name": uid, "namespace": "ims", "uid": uid, "creationTimestamp": "2026-11-21T12:00:00Z"},
            "spec": {"imsDomain": "ims.example.org", "location": location, "backend": {"apiBaseURL": url}}
        }))
        .expect("the fixture is of the right shape")
    }

    #[test]
    fn locations_meet_when_they_are_equal_or_one_is_an_ordinal_of_the_other() {
        let meets = [
            ("a.example.org", "A.Example.org", true),
            ("a.example.org", "a-1.example.org", true),
            ("a-63.example.org", "a.example.org", true),
            ("a.example.org", "a-64.example.org", false),
            ("a.example.org", "a-01.example.org", false),
            ("a.example.org", "ab.example.org", false),
            ("a-1.example.org", "a-1-2.example.org", true),
            ("a.example.org", "a-1-2.example.org", false),
            ("a.example.org", "a.example.com", false),
        ];
        for (one, other, expected) in meets {
            let [one, other] = [("1", one), ("2", other)].map(|(uid, l)| resource(uid, l, "http://b"));
            assert_eq!((overlap(&one, &other), overlap(&other, &one)), (expected, expected), "{one:?}");
        }
    }

    #[test]
    fn the_same_location_at_another_backend_is_another_location() {
        let at = |uid, url| resource(uid, "a.example.org", url);
        assert!(!overlap(&at("1", "http://b/x"), &at("2", "http://b/X")));
        assert!(overlap(&at("1", "http://B:80/x/"), &at("2", "HTTP://b:80/x")));
    }

    #[test]
    fn the_older_has_it_unless_the_younger_runs_there_already() {
        let mut older = resource("2", "a.example.org", "http://b");
        let mut younger = resource("1", "a.example.org", "http://b");
        younger.metadata.creation_timestamp =
            serde_json::from_value(json!("2026-11-21T12:00:01Z")).expect("a time");
        let claims = Claims::default();
        assert_eq!(claims.holder(&younger, [&older, &younger]), Some(&older));
        assert_eq!(claims.holder(&older, [&older, &younger]), None);

        younger.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        assert_eq!(claims.holder(&older, [&older, &younger]), Some(&younger), "it began already");
        let running = json!({"backend": "http://b"});
        younger.status = serde_json::from_value(running.clone()).expect("a status");
        assert_eq!(claims.holder(&older, [&older, &younger]), Some(&younger));
        older.status = serde_json::from_value(running).expect("a status");
        assert_eq!(claims.holder(&older, [&older, &younger]), None);
    }

    #[test]
    fn what_was_admitted_goes_before_what_is_seen_later() {
        let [first, second] = ["2", "1"].map(|uid| resource(uid, "a.example.org", "http://b"));
        let mut claims = Claims::default();
        assert_eq!(claims.admit(&first, [&first]), None, "the second was not seen yet");
        assert_eq!(claims.admit(&second, [&first, &second]), Some(&first));
        assert_eq!(claims.admit(&first, [&first, &second]), None);
        claims.forget(&first);
        assert_eq!(claims.admit(&second, [&second]), None);
    }
}
