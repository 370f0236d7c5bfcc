//! Why a command ended early.

use std::io::{self, Write};

use super::Exit;

/// What is told on standard error, and the exit code.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    text: String,
    plain: bool,
}

impl Failure {
    /// A failure told in one sentence.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), plain: false }
    }

    /// A failure whose lines each say where they come from (`config.yaml:3:1: ...`).
    pub fn plain(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), plain: true }
    }

    /// Tells it on standard error.
    pub fn tell(self) -> Exit {
        let Self { exit, text, plain } = self;
        if !text.is_empty() {
            let name = if plain { "" } else { "smsc-frontend: " };
            // Nobody is left to be told if standard error is closed.
            let _ = writeln!(io::stderr(), "{name}{text}");
        }
        exit
    }
}

/// Writing the result failed. A reader that went away (`| head`) has all it wanted.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::plain(Exit::Done, ""),
            _ => Self::new(Exit::Failed, format!("cannot write the result: {error}")),
        }
    }
}
