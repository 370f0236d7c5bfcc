//! The `smsc-frontend` binary.

use std::process::ExitCode;

use clap::Parser;
use smsc_frontend::cli::{self, Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => cli::run::run(&args),
        Command::Demo(args) => cli::demo(&args),
        Command::Check(args) => cli::check::run(&args),
        Command::Decode(args) => cli::decode::run(&args),
        Command::Store(args) => cli::store::run(&args),
        Command::Send(args) => cli::send::run(&args),
        Command::Why(args) => cli::why::run(&args),
        Command::Probe(args) => cli::probe::run(&args),
    };
    done.unwrap_or_else(cli::Failure::tell).into()
}
