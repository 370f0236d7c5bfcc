//! Events as lines: for people, coloured on a terminal, or as JSON.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};

use super::handset::Mode;
use super::journal::{Event, Record};
use super::people::called;
use super::words;

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Lines for people.
    Text {
        /// With colours.
        colour: bool,
        /// On a terminal that can rewrite its last line.
        rewrite: bool,
    },
    /// A JSON object on each line.
    Json,
}

/// Prints events, and a prompt that stays below them.
#[derive(Debug)]
pub(super) struct Screen<W> {
    out: W,
    format: Format,
    started: Timestamp,
    /// The prompt that stands on the last line.
    prompt: Option<String>,
    /// Whether SIP messages and steps are shown.
    pub(super) hops: bool,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";

impl<W: Write> Screen<W> {
    /// A screen on which nothing stands yet.
    pub(super) fn new(out: W, format: Format) -> Self {
        Self { out, format, started: Timestamp::now(), prompt: None, hops: true }
    }

    /// Prints an event.
    pub(super) fn event(&mut self, record: &Record) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let line = serde_json::to_string(record).map_err(io::Error::other)?;
                writeln!(self.out, "{line}")?;
            }
            Format::Text { colour, .. } => {
                let hop = matches!(record.event, Event::Sip { .. } | Event::Step(_));
                if hop && !self.hops {
                    return Ok(());
                }
                let since = record.at.duration_since(self.started).max(SignedDuration::ZERO);
                let (style, text) = told(&record.event);
                let (style, dim, reset) = if colour { (style, DIM, RESET) } else { ("", "", "") };
                let seconds = since.as_millis_f64() / 1000.0;
                self.line(&format!("{dim}{seconds:8.3}{reset}  {style}{text}{reset}"))?;
            }
        }
        self.out.flush()
    }

    /// Prints words for people; nothing where machines read.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        if self.format != Format::Json {
            for line in text.lines() {
                self.line(line)?;
            }
        }
        self.out.flush()
    }

    /// Shows a prompt; what comes is printed above it.
    pub(super) fn ask(&mut self, who: &str) -> io::Result<()> {
        let Format::Text { colour, .. } = self.format else { return Ok(()) };
        let prompt = if colour { format!("{BOLD}{who}>{RESET} ") } else { format!("{who}> ") };
        write!(self.out, "{prompt}")?;
        self.prompt = Some(prompt);
        self.out.flush()
    }

    /// The prompt's line was ended by what was typed.
    pub(super) fn answered(&mut self) {
        self.prompt = None;
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        match (&self.prompt, self.format) {
            (Some(prompt), Format::Text { rewrite: true, .. }) => {
                write!(self.out, "\r\x1b[K{line}\n{prompt}")
            }
            (Some(prompt), _) => write!(self.out, "\n{line}\n{prompt}"),
            (None, _) => writeln!(self.out, "{line}"),
        }
    }
}

/// A line and how it looks.
fn told(event: &Event) -> (&'static str, String) {
    match event {
        Event::Sip { from, to, line, carries, .. } => {
            let carries = carries.as_ref().map(|carries| format!("  {carries}")).unwrap_or_default();
            (CYAN, format!("{:>6} → {:<6}  {line}{carries}", from, to))
        }
        Event::Step(step) => {
            let id = step.id.as_ref().map(|id| format!(" [{}]", short(&id.0))).unwrap_or_default();
            (DIM, format!("         smsc    {}:{id} {}", step.stage, step.text))
        }
        Event::Switched { handset, mode, plain } => {
            let state = match mode {
                Mode::On => "on",
                Mode::Off => "off: the core answers 480 for it",
                Mode::Full => "full: it answers RP-ERROR 22",
                Mode::Mute => "mute: it takes messages and never reports",
            };
            let kind = if *plain { ", text/plain only" } else { "" };
            (BOLD, format!("{handset} is {state}{kind}"))
        }
        Event::Sending { handset, message, to, text, parts } => {
            let parts = if *parts == 1 { String::new() } else { format!(" in {parts} parts") };
            (BOLD, format!("#{message} {handset} writes to {to}{parts}: {}", words::text(text)))
        }
        Event::Stored { handset, message } => {
            (GREEN, format!("✓  #{message} {handset}: the service centre has it"))
        }
        Event::Delivered { handset, message, to, status } => {
            (GREEN, format!("✓✓ #{message} {handset}: delivered to {to} (status report: {status})"))
        }
        Event::Failed { handset, message, why } => (RED, format!("✗  #{message} {handset}: {why}")),
        Event::Shown { handset, from, text, parts } => {
            let parts = if *parts == 1 { String::new() } else { format!(" ({parts} parts)") };
            let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            (BOLD, format!("{handset} reads from {}{parts}: {text}", called(from)))
        }
        Event::Note { text } => ("", text.clone()),
        Event::Check { scenario, passed, detail } => {
            let (style, verdict) = if *passed { (GREEN, "ok") } else { (RED, "FAILED") };
            (style, format!("{verdict}: {scenario}: {detail}"))
        }
    }
}

/// The end of a message's id, enough to name it.
pub(super) fn short(id: &str) -> &str {
    id.char_indices().rev().nth(7).map_or(id, |(start, _)| &id[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event: Event) -> Record {
        Record { number: 0, at: Timestamp::UNIX_EPOCH, event }
    }

    fn screen(format: Format) -> Screen<Vec<u8>> {
        Screen { started: Timestamp::UNIX_EPOCH, ..Screen::new(Vec::new(), format) }
    }

    fn sip() -> Record {
        let (line, carries) = ("MESSAGE".to_owned(), Some("RP-SMMA 1".to_owned()));
        record(Event::Sip { from: "bob", to: "smsc", line, carries, call_id: "c".to_owned() })
    }

    #[test]
    fn the_prompt_stays_below_what_comes() {
        let mut screen = screen(Format::Text { colour: true, rewrite: true });
        screen.ask("alice").unwrap();
        screen.event(&sip()).unwrap();
        screen.answered();
        screen.event(&sip()).unwrap();
        let line = "\x1b[2m   0.000\x1b[0m  \x1b[36m   bob → smsc    MESSAGE  RP-SMMA 1\x1b[0m";
        let prompt = "\x1b[1malice>\x1b[0m ";
        assert_eq!(
            String::from_utf8(screen.out).unwrap(),
            format!("{prompt}\r\x1b[K{line}\n{prompt}{line}\n")
        );
    }

    #[test]
    fn machines_get_an_object_for_each_event_and_no_words() {
        let mut screen = screen(Format::Json);
        screen.say("hello").unwrap();
        screen.ask("alice").unwrap();
        screen.event(&sip()).unwrap();
        assert_eq!(
            String::from_utf8(screen.out).unwrap(),
            "{\"number\":0,\"at\":\"1970-01-01T00:00:00Z\",\"event\":\"sip\",\"from\":\"bob\",\"to\":\"smsc\",\
             \"line\":\"MESSAGE\",\"carries\":\"RP-SMMA 1\",\"call_id\":\"c\"}\n"
        );
    }

    #[test]
    fn hops_can_be_hidden_and_news_cannot() {
        let mut screen = screen(Format::Text { colour: false, rewrite: false });
        screen.hops = false;
        screen.event(&sip()).unwrap();
        screen.event(&record(Event::Stored { handset: "bob", message: 3 })).unwrap();
        assert_eq!(
            String::from_utf8(screen.out).unwrap(),
            "   0.000  ✓  #3 bob: the service centre has it\n"
        );
    }
}
