//! `why`: what happened to a message, one sentence per attempt.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use smsc_backend::{
    AttemptReport, Backend, BackendError, ErrorClass, HistoryQuery, MessageHistory, Permanent, Reason,
    RecordedAttempt, Status,
};
use smsc_config::Purpose;
use smsc_proto::sip::reason_phrase;
use smsc_proto::sms::names;

use super::times::{ahead, moment, moment_beside};
use super::{Exit, Failure, block_on, load};
use crate::backend::{OpenError, open_existing_backend};

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// A message's id, or a number whose newest messages are told
    #[arg(value_name = "ID|MSISDN")]
    about: String,
    /// The configuration file; it names the backend
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Asks the backend and tells.
///
/// # Errors
/// The backend cannot be opened or asked, or knows nothing about it.
pub fn run(args: &WhyArgs) -> Result<Exit, Failure> {
    let config = load(&args.config, Purpose::Store)?;
    block_on(async {
        let opened = open_existing_backend(&config).map_err(unopened)?;
        let histories = find(opened.backend.as_ref(), &args.about).await?;
        let now = Timestamp::now();
        let mut out = io::stdout().lock();
        if args.json {
            let told: Vec<Told<'_>> = histories.iter().map(|history| Told::of(history, now)).collect();
            let json = serde_json::to_string_pretty(&told)
                .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
            writeln!(out, "{json}")?;
        } else {
            for (at, history) in histories.iter().enumerate() {
                let gap = if at == 0 { "" } else { "\n" };
                write!(out, "{gap}{}", tell(history, now))?;
            }
        }
        out.flush()?;
        Ok(Exit::Done)
    })
}

/// A backend that cannot be opened, as a failure.
pub(super) fn unopened(error: OpenError) -> Failure {
    let exit = if error.is_configuration() { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, error.to_string())
}

/// The histories of one message, or of a number's newest; never empty.
async fn find(backend: &dyn Backend, about: &str) -> Result<Vec<MessageHistory>, Failure> {
    let number: String = about.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let is_number = {
        let digits = number.strip_prefix('+').unwrap_or(&number);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    // A backend's ids may be digits too, so the id is asked for first.
    if !number.starts_with('+') {
        let found = absent_is_empty(backend.history(HistoryQuery::Message(about.into())).await)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if is_number {
        let found = absent_is_empty(backend.history(HistoryQuery::Msisdn(number)).await)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let what = match is_number {
        true if about.starts_with('+') => "no message from or to",
        true => "no message with this id, and none from or to",
        false => "no message",
    };
    Err(Failure::new(Exit::Failed, format!("the backend knows {what} {about}")))
}

fn absent_is_empty(
    answer: Result<Vec<MessageHistory>, BackendError>,
) -> Result<Vec<MessageHistory>, Failure> {
    match answer {
        Ok(found) => Ok(found),
        Err(error) if error.class == ErrorClass::Refused && matches!(error.status, None | Some(404)) => {
            Ok(Vec::new())
        }
        Err(error) if error.class == ErrorClass::Refused => Err(Failure::new(
            Exit::Failed,
            format!(
                "{error}\nthis backend may keep no history; endpoints.message_history says where it is asked"
            ),
        )),
        Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
    }
}

/// A history with its sentences, for machines that show them.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    history: &'a MessageHistory,
    sentences: Vec<String>,
    summary: String,
}

impl<'a> Told<'a> {
    fn of(history: &'a MessageHistory, now: Timestamp) -> Self {
        let sentences = history.attempts.iter().map(|attempt| sentence(&attempt.report)).collect();
        Self { history, sentences, summary: summary(history, now) }
    }
}

/// A message's life in lines.
pub(crate) fn tell(history: &MessageHistory, now: Timestamp) -> String {
    let MessageHistory { id, source_msisdn, destination_msisdn, scts, attempts, state: _, due: _ } = history;
    let mut text =
        format!("Message {id} from {source_msisdn} to {destination_msisdn}, accepted {}\n", moment(*scts));
    for RecordedAttempt { at, report } in attempts {
        // What the attempt is found by in the core's own records (RFC 7315 §4.6).
        let icid = report.icid.as_ref().map(|icid| format!(" [icid {icid}]")).unwrap_or_default();
        text.push_str(&format!("  {}  {}{icid}\n", moment_beside(*at, *scts), sentence(report)));
    }
    text.push_str(&format!("  {}\n", summary(history, now)));
    text
}

/// What one attempt came to: what happened, who decided, which clause.
pub(super) fn sentence(report: &AttemptReport) -> String {
    let AttemptReport { dest_smsc, attempt, status, reason, permanent, detail, .. } = report;
    if *status == Status::Released {
        return format!(
            "Attempt {attempt} was not made by {dest_smsc}: {}.",
            without_stop(&why(detail, report))
        );
    }
    let came_to = match (status, reason) {
        (Status::Delivered, _) => "delivered it",
        (Status::Failed, _) => "failed",
        (Status::Absent, Some(Reason::NotRegistered)) => "found the handset not registered",
        (Status::Absent, Some(Reason::NoSmsip)) => "found a handset without SMS over IP",
        (Status::Absent, Some(Reason::NoAnswer)) => "got no answer from the handset",
        (Status::Absent, None) => "found the handset absent",
        (Status::MemoryFull, _) => "found the handset's memory full",
        (Status::Rejected, _) => "was rejected",
        (Status::Unknown, _) => "ended unknown, the handset may have it",
        (Status::Released, _) => "was not made",
    };
    let lasting = match permanent {
        Permanent::No => "",
        Permanent::Link => "; only another link may do it",
        Permanent::Message => "; no other attempt can do better",
    };
    format!("Attempt {attempt} by {dest_smsc} {came_to}: {}{lasting}.", without_stop(&why(detail, report)))
}

/// Who decided and by which clause: the reporter's own words, else what its numbers mean.
fn why(detail: &str, report: &AttemptReport) -> String {
    match (detail.trim(), report.rp_cause, report.sip_status) {
        ("", Some(cause), _) => {
            let name = names::rp_cause(cause).unwrap_or("reserved");
            format!("the handset answered RP-ERROR {cause} ({name}) (TS 24.011 §8.2.5.4)")
        }
        ("", None, Some(status)) => {
            format!("the core answered SIP {status} {} (RFC 3261 §21)", reason_phrase(status))
        }
        ("", None, None) => "the frontend gave no reason".to_owned(),
        (detail, _, _) => detail.to_owned(),
    }
}

fn without_stop(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// Where the message stands, and when it goes on.
pub(super) fn summary(history: &MessageHistory, now: Timestamp) -> String {
    let due = history.due.map(|due| format!("{} ({})", moment(due), ahead(due, now)));
    match (history.state.as_str(), due) {
        ("delivered", _) => {
            let delivered =
                history.attempts.iter().rfind(|attempt| attempt.report.status == Status::Delivered);
            match delivered {
                Some(attempt) => format!("Delivered {}.", moment(attempt.at)),
                None => "Delivered.".to_owned(),
            }
        }
        ("failed", _) => "Failed for good: there will be no other attempt.".to_owned(),
        ("expired", _) => {
            "Expired: its validity ended before it was delivered (TS 23.040 §9.2.3.12).".to_owned()
        }
        ("in_flight", _) => "Under way: a frontend has it, and its report is awaited.".to_owned(),
        ("held", _) => {
            "Held: the recipient is not registered and no route leads to it; a registration makes it due \
                        at once."
                .to_owned()
        }
        ("queued", Some(_)) if history.due.is_some_and(|due| due <= now) => {
            "Due now: the next poll of its frontend takes it.".to_owned()
        }
        ("queued", Some(due)) => {
            format!(
                "Waiting: the next attempt is due {due}, or when the handset registers or has room again."
            )
        }
        ("queued", None) => "Waiting for its turn behind another message to this recipient.".to_owned(),
        (state, Some(due)) => format!("The backend calls it {state}; the next attempt is due {due}."),
        (state, None) => format!("The backend calls it {state}."),
    }
}

/// True if nothing more will happen to a message in this state.
pub(super) fn is_final(state: &str) -> bool {
    matches!(state, "delivered" | "failed" | "expired")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn attempt(n: u32, time: &str, status: Status, detail: &str) -> RecordedAttempt {
        let report = AttemptReport {
            dest_smsc: "smsc01.example.org".to_owned(),
            attempt: n,
            status,
            reason: None,
            permanent: Permanent::No,
            rp_cause: None,
            tp_fcs: None,
            report_tpdu: None,
            sip_status: None,
            icid: None,
            detail: detail.to_owned(),
        };
        RecordedAttempt { at: at(time), report }
    }

    fn history(state: &str, due: Option<&str>, attempts: Vec<RecordedAttempt>) -> MessageHistory {
        MessageHistory {
            id: "42".into(),
            source_msisdn: "+447700900123".to_owned(),
            destination_msisdn: "+447700900456".to_owned(),
            state: state.to_owned(),
            scts: at("2026-11-21T13:29:19Z"),
            due: due.map(at),
            attempts,
        }
    }

    #[test]
    fn a_life_is_told_one_sentence_per_attempt_and_how_it_stands() {
        let mut attempts = vec![
            attempt(1, "2026-11-21T13:29:20Z", Status::MemoryFull, "the handset answered RP-ERROR 22"),
            attempt(2, "2026-11-21T13:40:00Z", Status::Unknown, "SIP 202, and no report within 45 s"),
            attempt(
                3,
                "2026-11-22T00:00:01Z",
                Status::Delivered,
                "the handset answered RP-ACK (TS 24.011 §7.3.3)",
            ),
        ];
        attempts[2].report.icid = Some("gqzq4".to_owned());
        assert_eq!(
            tell(&history("delivered", None, attempts), at("2026-11-22T10:00:00Z")),
            "\
Message 42 from +447700900123 to +447700900456, accepted 2026-11-21 13:29:19 UTC
  13:29:20  Attempt 1 by smsc01.example.org found the handset's memory full: the handset answered RP-ERROR 22.
  13:40:00  Attempt 2 by smsc01.example.org ended unknown, the handset may have it: SIP 202, and no report within 45 s.
  2026-11-22 00:00:01  Attempt 3 by smsc01.example.org delivered it: the handset answered RP-ACK (TS 24.011 §7.3.3). [icid gqzq4]
  Delivered 2026-11-22 00:00:01 UTC.
"
        );
    }

    #[test]
    fn where_a_reporter_gave_no_words_its_numbers_speak() {
        let mut report = attempt(1, "2026-11-21T13:29:20Z", Status::Rejected, "").report;
        assert_eq!(
            sentence(&report),
            "Attempt 1 by smsc01.example.org was rejected: the frontend gave no reason."
        );
        report.sip_status = Some(603);
        report.permanent = Permanent::Message;
        assert_eq!(
            sentence(&report),
            "Attempt 1 by smsc01.example.org was rejected: the core answered SIP 603 Decline (RFC 3261 §21); no other \
             attempt can do better."
        );
        report.rp_cause = Some(111);
        report.permanent = Permanent::Link;
        assert_eq!(
            sentence(&report),
            "Attempt 1 by smsc01.example.org was rejected: the handset answered RP-ERROR 111 (protocol error, \
             unspecified) (TS 24.011 §8.2.5.4); only another link may do it."
        );
    }

    #[test]
    fn a_message_that_waits_says_for_what() {
        let now = at("2026-11-21T13:30:00Z");
        let told = |state: &str, due: Option<&str>| summary(&history(state, due, Vec::new()), now);
        assert_eq!(
            told("queued", Some("2026-11-21T13:35:00Z")),
            "Waiting: the next attempt is due 2026-11-21 13:35:00 UTC (in 5m), or when the handset registers or has \
             room again."
        );
        assert_eq!(
            told("queued", Some("2026-11-21T13:30:00Z")),
            "Due now: the next poll of its frontend takes it."
        );
        assert_eq!(told("queued", None), "Waiting for its turn behind another message to this recipient.");
        assert_eq!(told("parked", None), "The backend calls it parked.");
    }
}
