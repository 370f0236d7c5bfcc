//! What the store knows of messages, told at the prompt and on the console page.

use std::sync::Arc;

use jiff::Timestamp;
use smsc_backend::{Backend, HistoryQuery, Kind, MessageHistory};
use smsc_store::{MessageSummary, Selection, Store};

use super::people::called;
use super::screen::short;
use crate::cli::why;

/// Messages looked through.
const NEWEST: u32 = 200;
/// Messages listed at the prompt.
const LISTED: usize = 20;

/// Whom to ask.
#[derive(Clone)]
pub(super) struct Records {
    /// The embedded store, for lists.
    pub(super) store: Store,
    /// The same as any frontend sees it.
    pub(super) backend: Arc<dyn Backend>,
}

impl Records {
    /// The newest messages a line each, the newest last.
    ///
    /// # Errors
    /// What the store said.
    pub(super) async fn list(&self) -> Result<String, String> {
        let messages = self.newest().await?;
        if messages.is_empty() {
            return Ok("No message yet.".to_owned());
        }
        let lines: Vec<String> = messages.iter().take(LISTED).rev().map(line).collect();
        Ok(lines.join("\n"))
    }

    /// The life of the message whose id ends so, or of the newest.
    ///
    /// # Errors
    /// There is none, or what the store said.
    pub(super) async fn why(&self, id: Option<&str>) -> Result<String, String> {
        Ok(why::tell(&self.history(id).await?, Timestamp::now()))
    }

    /// The history of the message whose id ends so, or of the newest that is no status report.
    ///
    /// # Errors
    /// There is none, or what the store said.
    pub(super) async fn history(&self, id: Option<&str>) -> Result<MessageHistory, String> {
        let found = self.newest().await?.into_iter().find(|message| match id {
            Some(end) => message.id.0.ends_with(end),
            None => message.kind != Kind::StatusReport,
        });
        let Some(found) = found else {
            return Err(match id {
                Some(end) => format!("no message has an id that ends in {end}; /list shows them"),
                None => "no message yet".to_owned(),
            });
        };
        let histories = self.backend.history(HistoryQuery::Message(found.id)).await;
        histories.map_err(|error| error.to_string())?.pop().ok_or_else(|| "the message is gone".to_owned())
    }

    /// The newest messages, newest first.
    ///
    /// # Errors
    /// What the store said.
    pub(super) async fn newest(&self) -> Result<Vec<MessageSummary>, String> {
        let page = self.store.list(Selection::All, None, NEWEST).await;
        page.map(|page| page.messages).map_err(|error| error.to_string())
    }
}

fn line(message: &MessageSummary) -> String {
    let kind = if message.kind == Kind::StatusReport { "report" } else { "message" };
    let (from, to) = (called(&message.source_msisdn), called(&message.destination_msisdn));
    let reason = message.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (id, state, attempts) = (short(&message.id.0), &message.state, message.attempts);
    let times = if attempts == 1 { "attempt" } else { "attempts" };
    format!("  {id}  {kind:<7}  {from} → {to}  {state}, {attempts} {times}{reason}")
}
