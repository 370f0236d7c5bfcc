//! `check`: what a config.yaml means, what is wrong with it, and with `--core` whether the core and the backend are
//! there.

mod core;
mod hss;
mod meaning;
mod probe;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use smsc_backend::rest::RestBackend;
use smsc_config::{ApiBaseUrl, Config, Problem, Purpose};

use super::{Exit, Failure, block_on};
use crate::backend::rest_config;
use crate::engine::Settings;
use crate::environment::Environment;
use crate::settings::{engine_settings, warnings};
use crate::tls::{Tls, TlsError};
use meaning::Section;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file, as `run` would read it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also ask the core (DNS, OPTIONS over UDP, TCP or TLS, the report URI) and the backend
    #[arg(long)]
    core: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What became of one question to the core or the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Failed,
    /// The answer proves neither.
    Unclear,
}

/// One question and its answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: String,
    target: String,
    verdict: Verdict,
    detail: String,
}

/// Checks and tells.
///
/// # Errors
/// The file is wrong ([`Exit::Usage`]).
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let file = args.config.display().to_string();
    let config = match Config::load_for(&args.config, Purpose::Run) {
        Ok(config) => config,
        Err(problems) => return refuse(args, &problems.0),
    };
    block_on(async {
        let environment = Environment::gather_all(&config).await;
        let tls = match Tls::load(&config) {
            Ok(tls) => tls,
            Err(TlsError { key, path, detail }) => {
                let position = Config::position(&args.config, key);
                let reason = format!("{}: {detail}", path.display());
                return refuse(args, &[Problem { file, position, key: key.to_owned(), reason }]);
            }
        };
        let settings = match on_this_machine(&config, &environment) {
            Ok(settings) => settings,
            Err(reason) => {
                let problem = Problem { file, position: None, key: String::new(), reason };
                return refuse(args, &[problem]);
            }
        };
        let findings = match args.core {
            true => core::ask(&config, &environment, &settings, &tls).await,
            false => Vec::new(),
        };
        let report = Report {
            file,
            config: &config,
            environment: &environment,
            settings: &settings,
            tls: &tls,
            findings,
        };
        let mut out = io::stdout().lock();
        match args.json {
            true => writeln!(out, "{:#}", report.json())?,
            false => out.write_all(report.text(args.core).as_bytes())?,
        }
        out.flush()?;
        let failed = report.findings.iter().any(|finding| finding.verdict == Verdict::Failed);
        Ok(if failed { Exit::Failed } else { Exit::Done })
    })
}

/// What the file points to on this machine: variables, interfaces, keys, certificates, the database's directory.
fn on_this_machine(config: &Config, environment: &Environment) -> Result<Settings, String> {
    match &config.api_base_url {
        Some(ApiBaseUrl::Url(url)) => {
            RestBackend::new(rest_config(config, url)).map_err(|error| error.to_string())?;
        }
        Some(ApiBaseUrl::Embedded) => {
            let path = &config.store.path;
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
                return Err(format!("store.path: there is no directory {}", directory.display()));
            }
        }
        None => {}
    }
    engine_settings(config, environment).map_err(|error| error.to_string())
}

/// The mistakes, all of them.
fn refuse(args: &CheckArgs, problems: &[Problem]) -> Result<Exit, Failure> {
    if !args.json {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        return Err(Failure::plain(Exit::Usage, lines.join("\n")));
    }
    let problems: Vec<Value> = problems
        .iter()
        .map(|Problem { file, position, key, reason }| {
            let (line, column) = position.map(|place| (place.line, place.column)).unzip();
            json!({"file": file, "line": line, "column": column, "key": key, "reason": reason})
        })
        .collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{:#}", json!({"ok": false, "problems": problems}))?;
    out.flush()?;
    Ok(Exit::Usage)
}

struct Report<'a> {
    file: String,
    config: &'a Config,
    environment: &'a Environment,
    settings: &'a Settings,
    tls: &'a Tls,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn json(&self) -> Value {
        let Self { file, config, environment, settings, tls, findings } = self;
        let hss = hss::Provisioning::of(config, settings);
        json!({
            "file": file,
            "ok": findings.iter().all(|finding| finding.verdict != Verdict::Failed),
            "problems": [],
            "warnings": self.warnings(),
            "means": meaning::of(config, environment, settings, tls),
            "config": config,
            "hss": {
                "application_server": hss.server,
                "initial_filter_criteria": hss.initial_filter_criteria(),
                "psi": hss.psi,
            },
            "core": findings,
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut all = warnings(self.config);
        all.extend(self.tls.warning(Timestamp::now()));
        all
    }

    fn text(&self, core: bool) -> String {
        let Self { file, config, environment, settings, tls, findings } = self;
        let mut text = format!("{file} is right. It means:\n");
        for Section { title, facts } in meaning::of(config, environment, settings, tls) {
            text.push_str(&format!("\n{title}\n"));
            let width = facts.iter().map(|fact| fact.name.len()).max().unwrap_or(0);
            for fact in &facts {
                for (at, value) in fact.values.iter().enumerate() {
                    let name = if at == 0 { fact.name } else { "" };
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "  {name:<width$}  {value}");
                }
            }
        }
        let warnings = self.warnings();
        if !warnings.is_empty() {
            text.push_str("\nWarnings\n");
            text.extend(warnings.iter().map(|warning| format!("  {warning}\n")));
        }
        text.push_str("\nFor the HSS team\n");
        for line in hss::Provisioning::of(config, settings).text().lines() {
            text.push_str(if line.is_empty() { "" } else { "  " });
            text.push_str(line);
            text.push('\n');
        }
        if core {
            text.push_str("\nCore and backend\n");
            text.push_str(&table(findings));
        }
        text
    }
}

fn table(findings: &[Finding]) -> String {
    let width = |column: fn(&Finding) -> usize| findings.iter().map(column).max().unwrap_or(0);
    let check = width(|finding| finding.check.len());
    let target = width(|finding| finding.target.len());
    let mut text = String::new();
    for Finding { check: name, target: asked, verdict, detail } in findings {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Failed => "failed",
            Verdict::Unclear => "unclear",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {verdict:<7}  {name:<check$}  {asked:<target$}  {detail}");
    }
    text
}
