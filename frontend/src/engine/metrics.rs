//! The engine's counters. Hot ones are plain handles; labelled ones are for what should be rare.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A label of one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// Why.
    pub reason: &'static str,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// A status of `process_message`.
    pub status: StatusLabel,
}

/// `process_message` status as a label value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusLabel(pub smsc_backend::Status);

impl EncodeLabelValue for StatusLabel {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>,
    ) -> Result<(), std::fmt::Error> {
        use smsc_backend::Status as S;
        EncodeLabelValue::encode(
            &match self.0 {
                S::Delivered => "delivered",
                S::Failed => "failed",
                S::Absent => "absent",
                S::MemoryFull => "memory_full",
                S::Rejected => "rejected",
                S::Unknown => "unknown",
                S::Released => "released",
            },
            encoder,
        )
    }
}

/// A backend operation and how it failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BackendLabel {
    /// The operation.
    pub operation: &'static str,
    /// The error class.
    pub class: &'static str,
}

/// A SIP method and the status we answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabel {
    /// Why the request was refused.
    pub reason: &'static str,
    /// The status.
    pub status: u16,
}

/// Everything `/metrics` shows of the engine.
#[derive(Debug, Default)]
pub struct Metrics {
    /// SIP messages received.
    pub received: Counter,
    /// Datagrams and stream data thrown away unread.
    pub dropped: Family<ReasonLabel, Counter>,
    /// Requests refused.
    pub refused: Family<AnswerLabel, Counter>,
    /// Submissions taken from handsets.
    pub mo_received: Counter,
    /// Submissions the backend has stored.
    pub mo_accepted: Counter,
    /// Submissions answered RP-ERROR, by RP-Cause.
    pub mo_refused: Family<CauseLabel, Counter>,
    /// Submissions recognised as repeats.
    pub mo_repeats: Counter,
    /// Delivery attempts started.
    pub mt_attempts: Counter,
    /// Delivery attempts ended.
    pub mt_outcomes: Family<OutcomeLabel, Counter>,
    /// Reports that fit no delivery.
    pub reports_unmatched: Family<ReasonLabel, Counter>,
    /// Reports passed on to the pod that owns them.
    pub reports_relayed: Counter,
    /// Names of next hops looked up.
    pub next_hop_look_ups: Counter,
    /// Targets to which nothing could be sent.
    pub next_hops_failed: Counter,
    /// NAPTR services left out because we do not speak them.
    pub next_hop_services_ignored: Counter,
    /// Responses from trusted peers that answer nothing we have under way.
    pub stray_responses: Counter,
    /// Our own messages that came back.
    pub loops: Counter,
    /// Registrations written.
    pub registrations: Counter,
    /// Subscriptions to the `reg` event.
    pub subscriptions: Gauge,
    /// SUBSCRIBEs that failed; status 0 where nothing answered.
    pub subscription_failures: Family<AnswerLabel, Counter>,
    /// NOTIFYs taken.
    pub notifies: Counter,
    /// Backend operations that failed.
    pub backend_errors: Family<BackendLabel, Counter>,
    /// `get_queue` calls.
    pub polls: Counter,
    /// Rows in hand.
    pub mt_in_hand: Gauge,
    /// Submissions waiting for the backend.
    pub mo_open: Gauge,
    /// Unix time of the last answer from the backend.
    pub backend_last_answer: Gauge<i64, std::sync::atomic::AtomicI64>,
    /// Unix time of the last SIP message from a trusted peer.
    pub peer_last_seen: Gauge<i64, std::sync::atomic::AtomicI64>,
    /// Unix time at which our TLS certificate ends; absent without one.
    pub certificate_not_after: Family<FileLabel, Gauge>,
    /// Configuration reloads refused.
    pub reloads_refused: Counter<u64, AtomicU64>,
}

/// A key that names a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FileLabel {
    /// The key.
    pub key: &'static str,
}

/// An RP-Cause.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CauseLabel {
    /// TS 24.011 §8.2.5.4.
    pub cause: u8,
}

impl Metrics {
    /// Shows when our TLS certificate ends, in Unix seconds.
    pub fn certificate(&self, not_after: Option<i64>) {
        match not_after {
            Some(not_after) => {
                let label = FileLabel { key: "sip.tls.cert_file" };
                self.certificate_not_after.get_or_create(&label).set(not_after);
            }
            None => self.certificate_not_after.clear(),
        }
    }

    /// Registers everything under the `smsc_` names users alert on; names are API.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("smsc_sip_messages_received", "SIP messages received", self.received.clone());
        r.register("smsc_sip_dropped", "Input thrown away unread, by reason", self.dropped.clone());
        r.register("smsc_sip_refused", "Requests refused, by reason and status", self.refused.clone());
        r.register("smsc_mo_received", "Submissions taken from handsets", self.mo_received.clone());
        r.register("smsc_mo_accepted", "Submissions the backend has stored", self.mo_accepted.clone());
        r.register("smsc_mo_refused", "Submissions answered RP-ERROR, by RP-Cause", self.mo_refused.clone());
        r.register("smsc_mo_repeats", "Submissions recognised as repeats", self.mo_repeats.clone());
        r.register("smsc_mo_open", "Submissions waiting for the backend", self.mo_open.clone());
        r.register("smsc_mt_attempts", "Delivery attempts started", self.mt_attempts.clone());
        r.register("smsc_mt_outcomes", "Delivery attempts ended, by status", self.mt_outcomes.clone());
        r.register("smsc_mt_in_hand", "Messages in hand", self.mt_in_hand.clone());
        r.register("smsc_reports_unmatched", "Reports that fit no delivery", self.reports_unmatched.clone());
        r.register("smsc_reports_relayed", "Reports passed to their owner", self.reports_relayed.clone());
        r.register("smsc_next_hop_look_ups", "Names of next hops looked up", self.next_hop_look_ups.clone());
        r.register(
            "smsc_next_hops_failed",
            "Next hops to which nothing could be sent",
            self.next_hops_failed.clone(),
        );
        r.register(
            "smsc_next_hop_services_ignored",
            "NAPTR services not spoken here",
            self.next_hop_services_ignored.clone(),
        );
        r.register(
            "smsc_sip_stray_responses",
            "Responses of the core that answer nothing under way",
            self.stray_responses.clone(),
        );
        r.register("smsc_loops", "Our own messages that came back", self.loops.clone());
        r.register("smsc_registrations", "Registrations written", self.registrations.clone());
        r.register(
            "smsc_reg_event_subscriptions",
            "Subscriptions to the reg event",
            self.subscriptions.clone(),
        );
        r.register(
            "smsc_reg_event_failures",
            "SUBSCRIBEs that failed, by reason and status",
            self.subscription_failures.clone(),
        );
        r.register("smsc_reg_event_notifies", "NOTIFYs taken", self.notifies.clone());
        r.register("smsc_polls", "get_queue calls", self.polls.clone());
        r.register("smsc_backend_errors", "Failed backend operations", self.backend_errors.clone());
        r.register(
            "smsc_backend_last_answer_seconds",
            "Unix time of the backend's last answer",
            self.backend_last_answer.clone(),
        );
        r.register(
            "smsc_peer_last_seen_seconds",
            "Unix time of the last message from a trusted peer",
            self.peer_last_seen.clone(),
        );
        r.register(
            "smsc_tls_certificate_not_after_seconds",
            "Unix time at which the TLS certificate ends",
            self.certificate_not_after.clone(),
        );
        r.register("smsc_config_reloads_refused", "Reloads refused", self.reloads_refused.clone());
    }
}
