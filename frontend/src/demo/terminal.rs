//! The demo at a terminal: a prompt for each handset, and everything that happens above it.

use std::io::{self, BufRead, Write};

use tokio::sync::mpsc;

use super::commands::{HELP, Typed, parse};
use super::people::{ALICE, BOB, SUBSCRIBERS};
use super::screen::Screen;
use super::stage::Stage;

/// Lines typed ahead.
const LINES: usize = 64;

/// Serves the terminal until `/quit`, the end of input, or `stop`.
///
/// # Errors
/// Nothing can be written any more.
pub(super) async fn run<W: Write>(
    stage: &Stage,
    screen: &mut Screen<W>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut lines = typed_lines();
    let mut reader = stage.journal.reader(0);
    let mut me = ALICE;
    let mut stop = std::pin::pin!(stop);
    screen.ask(SUBSCRIBERS[me].name)?;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return screen.say(""),
            record = reader.next() => screen.event(&record)?,
            line = lines.recv() => {
                screen.answered();
                let Some(line) = line else { return screen.say("") };
                match parse(&line) {
                    Ok(Typed::Quit) => return Ok(()),
                    Ok(Typed::As(handset)) => me = handset,
                    Ok(typed) => obey(stage, screen, me, typed).await?,
                    Err(wrong) => screen.say(&wrong)?,
                }
                screen.ask(SUBSCRIBERS[me].name)?;
            }
        }
    }
}

async fn obey<W: Write>(stage: &Stage, screen: &mut Screen<W>, me: usize, typed: Typed) -> io::Result<()> {
    match typed {
        Typed::Send { to, text } => {
            let other = if me == ALICE { BOB } else { ALICE };
            let to = to.unwrap_or_else(|| SUBSCRIBERS[other].number());
            match stage.core.type_message(me, &to, &text).await {
                Ok(_) => Ok(()),
                Err(wrong) => screen.say(&wrong),
            }
        }
        Typed::Switch(handset, switch) => {
            stage.core.switch(handset, switch).await;
            Ok(())
        }
        Typed::List => screen.say(&said(stage.records.list().await)),
        Typed::Why(id) => screen.say(&said(stage.records.why(id.as_deref()).await)),
        Typed::Hops => {
            screen.hops = !screen.hops;
            screen.say(if screen.hops { "Hops are shown." } else { "Hops are hidden." })
        }
        Typed::Help => screen.say(HELP),
        Typed::Nothing | Typed::As(_) | Typed::Quit => Ok(()),
    }
}

fn said(answer: Result<String, String>) -> String {
    answer.unwrap_or_else(|wrong| wrong)
}

/// Lines of standard input; the channel ends with it. Reading blocks, so a thread does it, and the process does not
/// wait for that thread at its end.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    // What is not UTF-8 is shown as such, not refused.
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            }
        }
    });
    lines
}
