//! The command line: what can be asked, and how it is answered.
//!
//! Results go to standard output, what went wrong to standard error. Exit codes: 0 done, 1 failed, 2 usage or configuration.

mod logging;
mod release;
mod run;

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

pub use release::ReleaseArgs;
pub use run::RunArgs;

/// The operator of SMS for IMS networks: makes frontends out of SmscFrontend resources, and keeps them so.
#[derive(Debug, Parser)]
#[command(name = "smsc-operator", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after SmscFrontend resources until SIGTERM
    Run(RunArgs),
    /// Print the CustomResourceDefinition
    Crd,
    /// Let go of every SmscFrontend, so that it can be deleted when no operator runs
    Release(ReleaseArgs),
}

/// The namespaces a command is for.
#[derive(Debug, Args)]
pub struct Namespaces {
    /// A namespace; may be repeated. Without it, all of them
    #[arg(long = "namespace", value_name = "NS", value_parser = label)]
    pub namespaces: Vec<String>,
}

/// Does what was asked.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Crd => print(&smsc_crds::yaml()),
        Command::Release(args) => release::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// Why a command ended early.
#[derive(Debug)]
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// It did not work.
    fn failed(error: impl ToString) -> Self {
        Self { code: 1, text: error.to_string() }
    }

    /// The command line or the environment is wrong.
    fn usage(error: impl ToString) -> Self {
        Self { code: 2, text: error.to_string() }
    }

    /// Tells it as a log line instead.
    fn logged(self) -> Self {
        tracing::error!("{}", self.text);
        Self { text: String::new(), ..self }
    }

    fn tell(self) -> ExitCode {
        if !self.text.is_empty() {
            // Nobody is left to be told if standard error is closed.
            let _ = writeln!(io::stderr(), "smsc-operator: {}", self.text);
        }
        self.code.into()
    }
}

/// Prints a result. A reader that went away (`| head`) has all it wanted.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Runs a future to its end, and whatever it started no longer than that.
fn block_on<F: Future<Output = Result<(), Failure>>>(future: F) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime could be started: {error}")))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// A DNS label (RFC 1123 §2.1), as names of namespaces are.
fn label(text: &str) -> Result<String, String> {
    let inner = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    let edge = |octet: Option<&u8>| octet.is_some_and(|octet| *octet != b'-');
    let octets = text.as_bytes();
    if octets.len() <= 63 && octets.iter().copied().all(inner) && edge(octets.first()) && edge(octets.last())
    {
        Ok(text.to_owned())
    } else {
        Err("not a DNS label: at most 63 of a-z, 0-9 and '-', neither first nor last a '-'".to_owned())
    }
}

fn not_empty() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn namespaces_are_dns_labels() {
        let long = "x".repeat(63);
        for good in ["ims", "0", "a-b", &long] {
            assert_eq!(label(good).as_deref(), Ok(good));
        }
        let too_long = "x".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "é", &too_long] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }
}
