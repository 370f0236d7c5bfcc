//! How the terminal, the console and the script command the handsets.

use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::super::handset::View;
use super::super::people::{SUBSCRIBERS, find};

/// Commands that may wait; beyond, whoever commands waits.
const COMMANDS: usize = 64;

/// What can be done to a handset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Switch {
    /// As it should be: on, with room, reporting.
    On,
    /// Out of reach.
    Off,
    /// Memory full.
    Full,
    /// Never reports.
    Mute,
    /// Takes text/plain only.
    Plain,
    /// Does SMS over IP.
    Sms,
}

/// Commands the core: clones all lead to the same one.
#[derive(Debug, Clone)]
pub(in super::super) struct Handle(mpsc::Sender<Command>);

#[derive(Debug)]
pub(super) enum Command {
    Type { from: usize, to: String, text: String, answer: oneshot::Sender<Result<u32, String>> },
    Switch { handset: usize, switch: Switch, answer: oneshot::Sender<()> },
    Views { answer: oneshot::Sender<Vec<View>> },
}

impl Handle {
    /// Types a message at a handset and sends it; `to` is a name or a number. Returns the message's number.
    ///
    /// # Errors
    /// What the handset would show.
    pub(in super::super) async fn type_message(
        &self,
        from: usize,
        to: &str,
        text: &str,
    ) -> Result<u32, String> {
        let to = find(to).map_or_else(|| to.to_owned(), |index| SUBSCRIBERS[index].number());
        let text = text.to_owned();
        self.ask(|answer| Command::Type { from, to, text, answer }).await.ok_or("the demo ends")?
    }

    /// Switches a handset.
    pub(in super::super) async fn switch(&self, handset: usize, switch: Switch) {
        self.ask(|answer| Command::Switch { handset, switch, answer }).await;
    }

    /// Both handsets as they are shown; nothing once the demo ends.
    pub(in super::super) async fn views(&self) -> Vec<View> {
        self.ask(|answer| Command::Views { answer }).await.unwrap_or_default()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.0.send(command(answer)).await.ok()?;
        asked.await.ok()
    }
}

/// A handle, and where its commands come out.
pub(super) fn handle() -> (Handle, mpsc::Receiver<Command>) {
    let (sender, commands) = mpsc::channel(COMMANDS);
    (Handle(sender), commands)
}
