//! Pods of a resource: what the cluster shows of them, and what they say themselves at `GET /status` (design §9).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::Value;
use smsc_backend::FrontendRegistration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::names::{ADMIN_PORT, GENERATION, MOST_PODS};
use crate::pokes::Pokes;
use crate::registrar::Key;

/// A pod that does not answer within this is asked again in a later pass.
const LIMIT: Duration = Duration::from_secs(2);
/// How long a pod that has answered is left alone; less than the time after which passes come again while a queue moves.
const REST: Duration = Duration::from_millis(900);
/// More than any status has.
const LARGEST: usize = 1 << 20;
/// Pods asked at once; more wait for their turn.
const AT_ONCE: usize = 64;
/// Answers kept for those who asked.
const MOST: usize = 4096;

/// One pod, as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The number that ends its name.
    pub ordinal: u8,
    /// Its name.
    pub name: String,
    /// Which pod of that name it is.
    pub uid: String,
    /// Whether it is Ready and not on its way out.
    pub ready: bool,
    /// The revision of the template it was made of.
    pub revision: Option<String>,
    /// The generation of its file, as far as the kubelet was told.
    pub generation: Option<String>,
    /// Where it is reached.
    pub address: Option<IpAddr>,
    /// Its node's address.
    pub host: Option<IpAddr>,
}

impl Seen {
    /// Reads a pod of the StatefulSet `workload`; none if it is another's.
    #[must_use]
    pub fn of(pod: &Pod, workload: &str) -> Option<Self> {
        let name = pod.metadata.name.clone()?;
        let digits = name.strip_prefix(workload)?.strip_prefix('-')?;
        let ordinal = digits.parse().ok().filter(|ordinal| *ordinal < MOST_PODS)?;
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let told_ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
        let labels = pod.metadata.labels.as_ref();
        let annotations = pod.metadata.annotations.as_ref();
        let address = |text: Option<&String>| text.and_then(|text| text.parse().ok());
        Some(Self {
            ordinal,
            name,
            uid: pod.metadata.uid.clone()?,
            ready: told_ready && pod.metadata.deletion_timestamp.is_none(),
            revision: labels.and_then(|labels| labels.get("controller-revision-hash")).cloned(),
            generation: annotations.and_then(|annotations| annotations.get(GENERATION)).cloned(),
            address: address(status.and_then(|status| status.pod_ip.as_ref())),
            host: address(status.and_then(|status| status.host_ip.as_ref())),
        })
    }
}

/// Whether no container of a pod has been started yet.
#[must_use]
pub fn starting(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.is_none_or(|phase| phase == "Pending")
}

/// What a pod says of itself; other fields are none of the operator's business.
#[derive(Debug, Clone, Deserialize)]
pub struct Told {
    /// The generation of the file it has read.
    pub generation: Option<String>,
    /// The locations it polls; absent: it cannot tell.
    pub polling: Option<Vec<String>>,
    /// The locations of which it has something in hand; absent: it cannot tell.
    pub in_hand: Option<Vec<String>>,
    /// What it tells the backend of itself, without its age.
    registration: Option<Value>,
    /// When the last handset that is registered at its location has run out.
    pub registrations_run_out: Option<Timestamp>,
    /// Its age in seconds.
    #[serde(default)]
    uptime_seconds: u64,
}

impl Told {
    /// Whether it has read `generation` and has nothing more to do with `location`.
    #[must_use]
    pub fn has_let_go(&self, generation: Option<&str>, location: &str) -> bool {
        let lacks = |names: &Option<Vec<String>>| {
            names.as_ref().is_some_and(|names| !names.iter().any(|name| name.eq_ignore_ascii_case(location)))
        };
        generation.is_some()
            && self.generation.as_deref() == generation
            && lacks(&self.polling)
            && lacks(&self.in_hand)
    }

    /// The body of `frontend_register` as the pod sends it, so that operator and pod never say different things.
    #[must_use]
    pub fn registration(&self) -> Option<FrontendRegistration> {
        let mut body = self.registration.clone()?;
        body.as_object_mut()?.insert("uptime_seconds".to_owned(), self.uptime_seconds.into());
        serde_json::from_value(body).ok()
    }
}

/// Asks pods beside the passes, so that one that is silent holds up nobody.
#[derive(Clone)]
pub struct Pods {
    client: reqwest::Client,
    /// By uid.
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    /// Resources whose pod has answered.
    answered: Arc<Pokes>,
    turns: Arc<Semaphore>,
}

enum Answer {
    Awaited,
    /// To a question at this version of the files. None: it did not answer, or not as a frontend does.
    Came(String, Option<Told>),
    /// Handed out: not asked again at this version before then, or pods that answer in turn would be asked without end.
    Rests(String, Instant),
}

impl Pods {
    /// A client for pods of this cluster; proxies in the environment are not used.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().timeout(LIMIT).build()?,
            answers: Arc::default(),
            answered: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// What a pod of the resource `key` has answered since this was called before: handed out once. If there is none, it is
    /// asked, and [`Self::answered`] tells when it is worth coming back. The inner none is a pod that does not answer.
    ///
    /// `version` is that of the files: an answer to a question that was put at another one is worth nothing, for a file that
    /// is as it was before has its old generation again.
    pub fn ask(&self, key: &Key, pod: &Seen, version: &str) -> Option<Option<Told>> {
        let mut answers = locked(&self.answers);
        match answers.remove(&pod.uid) {
            Some(Answer::Came(at, told)) if at == version => {
                answers.insert(pod.uid.clone(), Answer::Rests(at, Instant::now() + REST));
                return Some(told);
            }
            Some(Answer::Rests(at, until)) if at == version && Instant::now() < until => {
                answers.insert(pod.uid.clone(), Answer::Rests(at, until));
                return None;
            }
            Some(Answer::Awaited) => {
                answers.insert(pod.uid.clone(), Answer::Awaited);
                return None;
            }
            Some(Answer::Came(..) | Answer::Rests(..)) | None => {}
        }
        if answers.len() >= MOST {
            // Answers that nobody came for: their pods are gone.
            answers.retain(|_, answer| matches!(answer, Answer::Awaited));
        }
        answers.insert(pod.uid.clone(), Answer::Awaited);
        let (pods, key, pod, at) = (self.clone(), key.clone(), pod.clone(), version.to_owned());
        tokio::spawn(async move {
            let turn = pods.turns.acquire().await;
            let told = pods.status(&pod).await;
            drop(turn);
            locked(&pods.answers).insert(pod.uid, Answer::Came(at, told));
            pods.answered.push(key);
        });
        None
    }

    /// The resources of which a pod has answered, or did not in time; for one consumer. Never ends.
    pub fn answered(&self) -> impl Stream<Item = Key> + Send + 'static {
        self.answered.clone().stream()
    }

    async fn status(&self, pod: &Seen) -> Option<Told> {
        let host = match pod.address? {
            IpAddr::V6(address) => format!("[{address}]"),
            IpAddr::V4(address) => address.to_string(),
        };
        let answer = self.client.get(format!("http://{host}:{ADMIN_PORT}/status")).send().await;
        let mut answer = answer.and_then(reqwest::Response::error_for_status).ok()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return None;
            }
        }
        serde_json::from_slice(&body)
            .inspect_err(|error| tracing::warn!(pod.name, %error, "GET /status"))
            .ok()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(generation: &str, polling: &[&str], in_hand: &[&str]) -> Told {
        serde_json::from_value(json!({
            "version": "0.1.0", "generation": generation, "polling": polling, "in_hand": in_hand, "uptime_seconds": 7,
            "registration": {"frontend_name": "a.example.org", "frontend_type": "IMS", "hostname": "a.example.org",
                "ip_address": "10.0.0.1", "version": "0.1.0", "expires_in": 300, "configuration": {}},
        }))
        .expect("a status")
    }

    #[test]
    fn a_location_is_let_go_when_the_newest_file_is_read_and_nothing_of_it_is_left() {
        let location = "b.example.org";
        let cases = [
            (told("2", &["a.example.org"], &[]), true),
            (told("1", &["a.example.org"], &[]), false),
            (told("2", &["B.example.org"], &[]), false),
            (told("2", &[], &["b.example.org"]), false),
        ];
        for (told, expected) in cases {
            assert_eq!(told.has_let_go(Some("2"), location), expected, "{told:?}");
        }
        assert!(!told("2", &[], &[]).has_let_go(None, location));
        let silent = Told { in_hand: None, ..told("2", &[], &[]) };
        assert!(!silent.has_let_go(Some("2"), location), "what does not say has not let go");
    }

    #[test]
    fn the_registration_is_the_pods_own_with_its_age() {
        let registration = told("1", &[], &[]).registration().expect("a registration");
        assert_eq!((registration.frontend_name.as_str(), registration.uptime_seconds), ("a.example.org", 7));
    }

    #[test]
    fn a_pod_is_read_by_its_name_and_one_that_ends_is_not_ready() {
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "home-1-3", "uid": "u", "labels": {"controller-revision-hash": "r"}},
            "status": {"podIP": "10.0.0.1", "hostIP": "10.0.1.1", "conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .expect("a pod");
        let expected = Seen {
            ordinal: 3,
            name: "home-1-3".to_owned(),
            uid: "u".to_owned(),
            ready: true,
            revision: Some("r".to_owned()),
            generation: None,
            address: Some([10, 0, 0, 1].into()),
            host: Some([10, 0, 1, 1].into()),
        };
        assert_eq!(Seen::of(&pod, "home-1"), Some(expected.clone()));
        assert_eq!(Seen::of(&pod, "home"), None);
        pod.metadata.name = Some("home-1-64".to_owned());
        assert_eq!(Seen::of(&pod, "home-1"), None, "no resource has that many");
        pod.metadata.name = Some("home-1-3".to_owned());
        pod.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-11-21T12:00:00Z")).expect("a time");
        assert_eq!(Seen::of(&pod, "home-1"), Some(Seen { ready: false, ..expected }));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_handed_out_once_and_then_asked_for_anew() {
        use futures_util::StreamExt as _;
        let pods = Pods::new().expect("a client");
        let key = Key { namespace: "ims".to_owned(), name: "home".to_owned() };
        let nowhere = Seen {
            ordinal: 0,
            name: "home-0".to_owned(),
            uid: "u".to_owned(),
            ready: true,
            revision: None,
            generation: None,
            address: None,
            host: None,
        };
        let mut answered = Box::pin(pods.answered());
        for _ in 0..2 {
            assert!(pods.ask(&key, &nowhere, "1").is_none() && pods.ask(&key, &nowhere, "1").is_none());
            assert_eq!(answered.next().await, Some(key.clone()));
            assert!(matches!(pods.ask(&key, &nowhere, "1"), Some(None)), "it has no address yet");
            assert!(pods.ask(&key, &nowhere, "1").is_none());
            let asked_at_once = tokio::time::timeout(REST, answered.next()).await;
            assert_eq!(asked_at_once.ok(), None, "it rests");
        }
        assert!(pods.ask(&key, &nowhere, "1").is_none());
        assert_eq!(answered.next().await, Some(key.clone()));
        assert!(pods.ask(&key, &nowhere, "2").is_none(), "it was asked before the files changed");
        assert_eq!(answered.next().await, Some(key.clone()));
        assert!(pods.ask(&key, &nowhere, "2").is_some());
    }
}
