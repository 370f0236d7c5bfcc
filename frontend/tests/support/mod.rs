//! The binary, run as people run it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part, and a failed test may panic"
)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

/// How a command ended and what it said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary without input.
pub(crate) fn smsc<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Ended {
    smsc_with_input(arguments, "")
}

/// Runs the binary with this on standard input.
pub(crate) fn smsc_with_input<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
    arguments: I,
    input: &str,
) -> Ended {
    let mut child = binary(arguments);
    // The command may end without reading: a usage mistake.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    Ended {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

fn binary<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Child {
    Command::new(env!("CARGO_BIN_EXE_smsc-frontend"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A command that serves until told to end. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Server {
    /// Starts the binary.
    pub(crate) fn start<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Self {
        let mut child = binary(arguments);
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Reads JSON log lines up to one with `field`, and returns the field.
    pub(crate) fn logged(&mut self, field: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "ended without logging {field}: {seen}");
            let logged: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(value) = logged[field].as_str() {
                return value.to_owned();
            }
            seen.push_str(&line);
        }
    }

    /// Asks it to end as Kubernetes does, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command whose output is read as it comes.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    /// Starts the binary.
    pub(crate) fn start<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Self {
        let mut child = binary(arguments);
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Waits for its end; returns the rest of its output.
    pub(crate) fn end(mut self) -> Ended {
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let ended = self.child.wait_with_output().unwrap();
        Ended { code: ended.status.code(), out, err: String::from_utf8(ended.stderr).unwrap() }
    }
}
