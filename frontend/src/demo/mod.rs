//! `demo`: the frontend at work on one machine, with nothing to set up.
//!
//! One process holds a real [`Frontend`](crate::io::Frontend) with its embedded store, and a simulated core: an S-CSCF
//! with two handsets behind it, which speak SIP with the frontend over UDP on the loopback.
//!
//! ```text
//! alice ─┐          SIP/UDP             ┌─ embedded store
//!        ├─ S-CSCF ◄────────► frontend ─┤
//! bob ───┘                              └─ /metrics, /status
//! ```
//! Nothing of the frontend is faked: a message is delivered when a handset's RP-ACK arrives, and the report its sender
//! sees is the SMS-STATUS-REPORT the store then makes.

mod commands;
mod console;
pub(crate) mod core;
pub(crate) mod handset;
pub(crate) mod journal;
pub(crate) mod people;
mod screen;
mod script;
mod stage;
mod terminal;
mod told;
mod words;

use std::io::{self, IsTerminal, Stdout};

use tokio::signal::unix::{SignalKind, signal};

pub use stage::DemoError;

use journal::{Event, Reader};
use screen::{Format, Screen};
use stage::Stage;

/// How the demo is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The UDP and TCP port of SIP on 127.0.0.1; if it is taken, or 0, a free one.
    pub sip_port: u16,
    /// The port of the console page on 127.0.0.1; if it is taken, or 0, a free one.
    pub console_port: u16,
    /// Run the scripted exchange even at a terminal.
    pub script: bool,
    /// Print a JSON object for each event instead of lines for people.
    pub json: bool,
}

/// Runs the demo: at a terminal until its user ends it, else the scripted exchange. True if all went as it must.
///
/// # Errors
/// A socket, the temporary store or the frontend could not be had, or standard output is closed.
pub async fn run(options: Options) -> Result<bool, DemoError> {
    let interactive = io::stdin().is_terminal() && !options.script;
    let ended = ended().map_err(DemoError::Signals)?;
    let stage = Stage::open(options.sip_port).await?;
    let mut screen = Screen::new(io::stdout(), format(options.json));
    let done = async {
        introduce(&stage, options, &mut screen)?;
        if interactive {
            at_a_terminal(&stage, options, &mut screen, ended).await
        } else {
            scripted(&stage, &mut screen, ended).await
        }
    }
    .await;
    stage.close().await;
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        done => done.map_err(DemoError::Output),
    }
}

async fn at_a_terminal(
    stage: &Stage,
    options: Options,
    screen: &mut Screen<Stdout>,
    ended: impl Future<Output = ()>,
) -> io::Result<bool> {
    let _console = match console::serve(stage, options.console_port).await {
        Ok((console, address)) => {
            screen.say(&format!(
                "  console  http://{address}{}",
                instead(options.console_port, address.port())
            ))?;
            Some(console)
        }
        Err(error) => {
            screen.say(&format!("  console  none: {error}"))?;
            None
        }
    };
    screen.say("\nType a text to send it; /help says what else can be done, /quit ends.\n")?;
    terminal::run(stage, screen, ended).await?;
    Ok(true)
}

async fn scripted(
    stage: &Stage,
    screen: &mut Screen<Stdout>,
    ended: impl Future<Output = ()>,
) -> io::Result<bool> {
    let mut reader: Reader = stage.journal.reader(0);
    let mut script = std::pin::pin!(script::run(stage));
    let mut ended = std::pin::pin!(ended);
    let passed = loop {
        tokio::select! {
            biased;
            () = &mut ended => return Ok(false),
            record = reader.next() => screen.event(&record)?,
            passed = &mut script => break passed,
        }
    };
    let detail = if passed { "as it must be" } else { "see above" }.to_owned();
    stage.journal.write(Event::Check { scenario: "the whole exchange", passed, detail });
    while let Some(record) = reader.ready() {
        screen.event(&record)?;
    }
    Ok(passed)
}

fn introduce(stage: &Stage, options: Options, screen: &mut Screen<Stdout>) -> io::Result<()> {
    let [alice, bob] = people::SUBSCRIBERS;
    let sip = format!("{} (UDP, TCP){}", stage.sip, instead(options.sip_port, stage.sip.port()));
    screen.say(&format!(
        "smsc-frontend demo: a frontend, its store, and two handsets behind a simulated S-CSCF.\n\
         \x20 SIP      {sip}\n  S-CSCF   {} (UDP)\n  handsets {} {}, {} {}",
        stage.s_cscf,
        alice.name,
        alice.number(),
        bob.name,
        bob.number()
    ))?;
    match stage.admin {
        Some(admin) => screen.say(&format!("  admin    http://{admin}/status, /metrics")),
        None => Ok(()),
    }
}

/// What to say of a port that is not the one asked for.
fn instead(wanted: u16, got: u16) -> String {
    if wanted == 0 || wanted == got { String::new() } else { format!(", because port {wanted} is taken") }
}

fn format(json: bool) -> Format {
    if json {
        return Format::Json;
    }
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let rewrite = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    Format::Text { colour: rewrite && !set("NO_COLOR"), rewrite }
}

/// Takes the signals that ask the demo to end; resolves when one comes. They no longer kill the process from here on, so
/// that the store's files always go.
fn ended() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
