//! The command line: what can be asked, and how it is answered.
//!
//! Every command writes its result to standard output and what went wrong to standard error, and ends with an
//! [`Exit`] code. With `--json` the result is for machines.

pub mod check;
pub mod decode;
pub mod logging;
pub mod probe;
pub mod run;
pub mod send;
pub mod store;
pub mod why;

mod failure;
mod times;

use std::future::Future;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use smsc_config::{Config, Purpose};

pub use failure::Failure;

use crate::demo;

/// SMS for IMS networks: the frontend between an IMS core and a store-and-forward backend.
#[derive(Debug, Parser)]
#[command(name = "smsc-frontend", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve an IMS core
    Run(run::RunArgs),
    /// Show a message's way on this machine: embedded store, two simulated handsets, nothing to set up
    Demo(DemoArgs),
    /// Say what a config.yaml means and what is wrong with it
    Check(check::CheckArgs),
    /// Explain an RPDU or TPDU field by field
    Decode(decode::DecodeArgs),
    /// Serve the store-and-forward backend alone, over HTTP
    Store(store::StoreArgs),
    /// Hand a message to the backend
    Send(send::SendArgs),
    /// Tell what happened to a message, attempt by attempt
    Why(why::WhyArgs),
    /// Send one SMS through a running frontend, as two handsets and their S-CSCF, and check its delivery
    Probe(probe::ProbeArgs),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Run a scripted exchange, print each hop, and end; so it is without a terminal
    #[arg(long)]
    pub script: bool,
    /// Print a JSON object for each event
    #[arg(long)]
    pub json: bool,
    /// The UDP and TCP port of SIP on 127.0.0.1; a free one if it is taken, or 0
    #[arg(long, value_name = "PORT", default_value_t = 5060)]
    pub sip_port: u16,
    /// The port of the console page on 127.0.0.1; a free one if it is taken, or 0
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub console_port: u16,
}

/// Runs the demo.
///
/// # Errors
/// It cannot start, or its result cannot be written.
pub fn demo(args: &DemoArgs) -> Result<Exit, Failure> {
    let DemoArgs { script, json, sip_port, console_port } = *args;
    block_on(async {
        match demo::run(demo::Options { sip_port, console_port, script, json }).await {
            Ok(true) => Ok(Exit::Done),
            Ok(false) => Ok(Exit::Failed),
            Err(error) => Err(Failure::new(Exit::Failed, error.to_string())),
        }
    })
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// It did not work.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}

/// Reads a configuration file.
///
/// # Errors
/// Everything wrong with it, one line each, for [`Exit::Usage`].
pub fn load(path: &Path, purpose: Purpose) -> Result<Config, Failure> {
    Config::load_for(path, purpose).map_err(|problems| Failure::plain(Exit::Usage, problems.to_string()))
}

/// Runs a future on this thread, with timers and sockets.
///
/// # Errors
/// No runtime could be made, or what the future says.
pub fn block_on<F: Future<Output = Result<Exit, Failure>>>(future: F) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("no runtime could be started: {error}")))?;
    let result = runtime.block_on(future);
    // A resolver thread that still waits must not hold the process.
    runtime.shutdown_background();
    result
}

/// True if standard output is a terminal that wants colours (`NO_COLOR` is respected).
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
