//! The `smsc-operator` binary.

use std::process::ExitCode;

use clap::Parser;
use smsc_operator::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
