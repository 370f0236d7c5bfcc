//! Log lines: for people or as JSON, on standard error, with a level that can be changed while running.

use std::io::IsTerminal;

use smsc_config::{Log, LogFormat};
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// Changes the level while running; an error says what is wrong with the filter, and the old one stays.
pub type SetLevel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Begins to log as the section `log` says. Once per process.
///
/// # Errors
/// The level cannot be read, or logging has begun before.
pub fn install(log: &Log) -> Result<SetLevel, String> {
    let Log { level, format } = log;
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => Box::new(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)),
        LogFormat::Text => Box::new(
            fmt::layer()
                .with_target(false)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr),
        ),
    };
    let subscriber = Registry::default().with(filter).with(lines);
    set_global_default(subscriber).map_err(|error| error.to_string())?;
    Ok(Box::new(move |level| handle.reload(self::filter(level)?).map_err(|error| error.to_string())))
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| format!("log.level: {error}"))
}
