//! `send`: a message into the backend, as an application would hand it over.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use smsc_backend::{Accepted, Backend, HistoryQuery, MessageHistory, MessageId, NewMessage, SourceType};
use smsc_config::{Config, Purpose, parse_duration};
use smsc_proto::sms::Address;
use tokio::time::{Instant, sleep};

use super::times::moment;
use super::why::{is_final, sentence, summary, unopened};
use super::{Exit, Failure, block_on, load};
use crate::backend::open_backend;
use crate::engine::encoding;
use crate::settings::languages;

/// The sender where neither the command line nor `sc_address` names one.
const NOBODY: &str = "SMSC";
/// Time between two tries to hand the message over, and between two looks at its history.
const PAUSE: Duration = Duration::from_millis(500);

/// Arguments of `send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The configuration file; it names the backend
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The recipient's number, `+` first if it is international
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The text
    #[arg(long)]
    text: String,
    /// The sender as shown to the recipient, a number or up to 11 characters; without, `sc_address`, else SMSC
    #[arg(long, value_name = "NUMBER|NAME")]
    from: Option<String>,
    /// Show what happens to the message until it is delivered or given up
    #[arg(long)]
    wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration, requires = "wait")]
    timeout: Duration,
    /// Repeats of the command with the same key send one message; without, every command sends one
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print one JSON object per step
    #[arg(long)]
    json: bool,
}

/// Hands the message over and, if asked to, waits for its end.
///
/// # Errors
/// A number or the text cannot be used, or the backend did not take the message.
pub fn run(args: &SendArgs) -> Result<Exit, Failure> {
    let config = load(&args.config, Purpose::Store)?;
    let message = message(args, &config)?;
    block_on(async {
        let opened = open_backend(&config).map_err(unopened)?;
        let mut steps = Steps { json: args.json, attempts: 0, summary: None };
        let accepted = insert(opened.backend.as_ref(), &message, config.timers.mo_insert_budget).await?;
        steps.accepted(&accepted, &message)?;
        if !args.wait {
            return Ok(Exit::Done);
        }
        wait(opened.backend.as_ref(), &accepted.id, args.timeout, &mut steps).await
    })
}

/// The message as the contract has it. It comes from an application, so its source type is `http`: that is the door
/// for those, and no handset is told anything about it.
fn message(args: &SendArgs, config: &Config) -> Result<Arc<NewMessage>, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    let to = Address::dialled(&args.to).map_err(|error| usage(format!("--to {}: {error}", args.to)))?;
    let from = args.from.clone().or_else(|| config.sc_address.clone()).unwrap_or_else(|| NOBODY.to_owned());
    if args.from.is_some() {
        Address::dialled(&from)
            .or_else(|_| Address::alphanumeric(&from))
            .map_err(|error| usage(format!("--from {from}: {error}")))?;
    }
    let encoding =
        encoding(&args.text, &languages(config)).map_err(|error| usage(format!("--text: {error}")))?;
    Ok(Arc::new(NewMessage {
        idempotency_key: args.idempotency_key.clone().unwrap_or_else(fresh_key),
        destination_ton: to.ton(),
        destination_npi: to.npi(),
        source_smsc: config.location.clone(),
        ..NewMessage::bare(SourceType::Http, from, to.as_dialled(), encoding, args.text.clone())
    }))
}

/// A key no other command has: the standard library's hash keys are the system's randomness.
fn fresh_key() -> String {
    use std::hash::{BuildHasher, RandomState};
    let at = Timestamp::now().as_nanosecond();
    let [one, other] = [0, 1].map(|n: u8| RandomState::new().hash_one((at, std::process::id(), n)));
    format!("send-{one:016x}{other:016x}")
}

/// Offers the message with one key until the backend has taken or refused it, or the budget is spent.
async fn insert(
    backend: &dyn Backend,
    message: &Arc<NewMessage>,
    budget: Duration,
) -> Result<Accepted, Failure> {
    let end = Instant::now() + budget;
    loop {
        match backend.insert_message(message.clone()).await {
            Ok(accepted) => return Ok(accepted),
            Err(error) if error.is_transient() && Instant::now() + PAUSE < end => sleep(PAUSE).await,
            Err(error) if error.is_transient() => {
                let key = &message.idempotency_key;
                let text = format!(
                    "{error}; whether the backend has the message is not known, --idempotency-key {key} repeats it \
                     without a second copy"
                );
                return Err(Failure::new(Exit::Failed, text));
            }
            Err(error) => return Err(Failure::new(Exit::Failed, error.to_string())),
        }
    }
}

/// Looks at the history until the message's end; what fails on the way is tried again.
async fn wait(
    backend: &dyn Backend,
    id: &MessageId,
    timeout: Duration,
    steps: &mut Steps,
) -> Result<Exit, Failure> {
    let end = Instant::now() + timeout;
    loop {
        let answer = backend.history(HistoryQuery::Message(id.clone())).await;
        let problem = match answer {
            Ok(histories) => match histories.first() {
                Some(history) => {
                    steps.history(history)?;
                    if is_final(&history.state) {
                        let delivered = history.state == "delivered";
                        return Ok(if delivered { Exit::Done } else { Exit::Failed });
                    }
                    None
                }
                None => Some("the backend no longer knows the message".to_owned()),
            },
            Err(error) if error.is_transient() => None,
            Err(error) => {
                Some(format!("{error}; this backend may keep no history, so --wait cannot be answered"))
            }
        };
        if let Some(problem) = problem {
            return Err(Failure::new(Exit::Failed, problem));
        }
        if Instant::now() + PAUSE > end {
            let waited = smsc_config::format_duration(timeout);
            return Err(Failure::new(
                Exit::Failed,
                format!("no final outcome after {waited}; `why {id}` tells more"),
            ));
        }
        sleep(PAUSE).await;
    }
}

/// Tells each step once.
struct Steps {
    json: bool,
    attempts: usize,
    summary: Option<String>,
}

impl Steps {
    fn accepted(&mut self, accepted: &Accepted, message: &NewMessage) -> Result<(), Failure> {
        let Accepted { id, scts, duplicate } = accepted;
        let NewMessage { source_msisdn, destination_msisdn, idempotency_key, .. } = message;
        let object = json!({
            "step": "accepted", "id": id, "scts": scts, "duplicate": duplicate, "from": source_msisdn,
            "to": destination_msisdn, "idempotency_key": idempotency_key,
        });
        let when = scts.map(|at| format!(", {}", moment(at))).unwrap_or_default();
        let how = if *duplicate { "was accepted before" } else { "accepted" };
        self.tell(&object, &format!("{id}  {how}: from {source_msisdn} to {destination_msisdn}{when}"))
    }

    fn history(&mut self, history: &MessageHistory) -> Result<(), Failure> {
        let id = &history.id;
        for attempt in history.attempts.iter().skip(self.attempts) {
            let sentence = sentence(&attempt.report);
            let object = json!({"step": "attempt", "id": id, "sentence": sentence, "attempt": attempt});
            self.tell(&object, &format!("{id}  {sentence}"))?;
        }
        self.attempts = self.attempts.max(history.attempts.len());
        // The wait until the next attempt shortens all the time; only another state is news.
        let news = format!("{} {:?}", history.state, history.due);
        if self.summary.as_ref() != Some(&news) {
            self.summary = Some(news);
            let summary = summary(history, Timestamp::now());
            let object = json!({
                "step": "state", "id": id, "state": history.state, "due": history.due, "summary": summary,
            });
            self.tell(&object, &format!("{id}  {summary}"))?;
        }
        Ok(())
    }

    fn tell(&self, object: &serde_json::Value, sentence: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{object}")?
        } else {
            writeln!(out, "{sentence}")?
        }
        Ok(out.flush()?)
    }
}
