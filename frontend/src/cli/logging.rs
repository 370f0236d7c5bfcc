//! Log lines: for people or as JSON, on standard error, with a level that can be changed while running.

use std::io::{self, IsTerminal};

use smsc_config::{Log, LogFormat};
use tracing::Subscriber;
use tracing::subscriber::set_global_default;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// Changes the level while running; an error says what is wrong with the filter, and the old one stays.
pub type SetLevel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Begins to log as the section `log` says. Once per process.
///
/// # Errors
/// The level cannot be read, or logging has begun before.
pub fn install(log: &Log) -> Result<SetLevel, String> {
    let (subscriber, set_level) = subscriber(log, io::stderr, io::stderr().is_terminal())?;
    set_global_default(subscriber).map_err(|error| error.to_string())?;
    Ok(set_level)
}

fn subscriber<W>(
    log: &Log,
    writer: W,
    colour: bool,
) -> Result<(impl Subscriber + Send + Sync, SetLevel), String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let Log { level, format } = log;
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => Box::new(fmt::layer().json().flatten_event(true).with_writer(writer)),
        LogFormat::Text => Box::new(fmt::layer().with_target(false).with_ansi(colour).with_writer(writer)),
    };
    let set_level: SetLevel =
        Box::new(move |level| handle.reload(self::filter(level)?).map_err(|error| error.to_string()));
    Ok((Registry::default().with(filter).with(lines), set_level))
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(level).map_err(|error| format!("log.level: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// What was logged, without times.
        fn taken(&self) -> String {
            let octets = std::mem::take(&mut *self.0.lock().unwrap());
            let text = String::from_utf8(octets).unwrap();
            let lines = text.lines().map(|line| match serde_json::from_str::<serde_json::Value>(line) {
                Ok(mut object) => {
                    object.as_object_mut().unwrap().remove("timestamp");
                    object.to_string()
                }
                Err(_) => line.split_once(' ').unwrap().1.trim_start().to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }

    fn logged(format: LogFormat, then: impl FnOnce(&SetLevel, &Lines)) {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = Log { level: "warn".to_owned(), format };
        let (subscriber, set_level) = subscriber(&log, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || then(&set_level, &lines));
    }

    #[test]
    fn lines_are_for_people_or_for_machines_and_carry_the_message_id() {
        let warn = || tracing::warn!(message_id = "42", "attempt ended");
        logged(LogFormat::Text, |_, lines| {
            warn();
            assert_eq!(lines.taken(), "WARN attempt ended message_id=\"42\"");
        });
        logged(LogFormat::Json, |_, lines| {
            warn();
            assert_eq!(
                lines.taken(),
                r#"{"level":"WARN","message":"attempt ended","message_id":"42","target":"smsc_frontend::cli::logging::tests"}"#
            );
        });
    }

    #[test]
    fn the_level_changes_while_running_and_a_wrong_one_is_refused() {
        logged(LogFormat::Text, |set_level, lines| {
            let info = || tracing::info!("registered");
            info();
            assert_eq!(lines.taken(), "");
            set_level("info").unwrap();
            info();
            assert_eq!(lines.taken(), "INFO registered");
            assert!(set_level("smsc_frontend=loud").unwrap_err().starts_with("log.level: "));
            info();
            assert_eq!(lines.taken(), "INFO registered");
        });
    }
}
