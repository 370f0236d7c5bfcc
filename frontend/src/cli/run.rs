//! `run`: serve an IMS core.

use std::path::PathBuf;

use clap::Args;
use smsc_config::Purpose;

use super::{Exit, Failure, block_on, load, logging};
use crate::io;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Serves until SIGTERM or SIGINT, and until no delivery is open.
///
/// # Errors
/// The file is wrong, the backend cannot be opened, or a listener cannot be bound.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let config = load(&args.config, Purpose::Run)?;
    let set_level = logging::install(&config.log).map_err(|error| Failure::new(Exit::Usage, error))?;
    block_on(async {
        match io::run(config, &args.config, Some(set_level)).await {
            Ok(()) => Ok(Exit::Done),
            Err(error) => {
                let exit = if error.is_configuration() { Exit::Usage } else { Exit::Failed };
                Err(Failure::new(exit, error.to_string()))
            }
        }
    })
}
