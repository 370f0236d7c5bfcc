//! Replays inputs of a target and compares what an octet of the worst costs with what one of an ordinary input costs.
//!
//!     worst TARGET SECONDS ORDINARY_FOLDER [FOLDER...]
//!
//! Ordinary is the median of the first folder. The worst is looked for in all folders, and among inputs pumped up from
//! them: a slice of one repeated until it is as long as an input may be, which is where quadratic work shows. What looks
//! worst is measured again, longer, and the quickest round counts, so that a busy machine changes nothing.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use smsc_fuzz::{Meter, Target, target};

/// How much dearer an octet may be.
const LIMIT: f64 = 8.0;
/// In config.yaml, which no stranger writes: a file that is refused is walked up to three times by the YAML reader, whose
/// cost is that of words, not octets, and its tree is fitted once more for each of up to 16 mistakes.
const LIMIT_OF_CONFIG: f64 = 16.0;
/// What looks worst at first sight, and then, is measured again in so many rounds.
const SECOND_LOOK: (usize, u32) = (24, 8);
const THIRD_LOOK: (usize, u32) = (4, 40);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, folders @ ..] = arguments.as_slice() else { return usage() };
    let (Some(target), Ok(seconds), [ordinary, ..]) = (target(name), seconds.parse(), folders) else {
        return usage();
    };
    let report = compare(target, Duration::from_secs(seconds), ordinary, folders);
    println!("{report}");
    let limit = if target.name == "config" { LIMIT_OF_CONFIG } else { LIMIT };
    if report.ratio <= limit { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: worst TARGET SECONDS ORDINARY_FOLDER [FOLDER...]");
    ExitCode::from(2)
}

/// An input and what it costs.
#[derive(Clone)]
struct Measured {
    name: String,
    input: Vec<u8>,
    /// Nanoseconds an octet.
    cost: f64,
    allocation: f64,
}

struct Report {
    ordinary: f64,
    worst: Measured,
    ratio: f64,
    allocation: f64,
    inputs: usize,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { ordinary, worst, ratio, allocation, inputs } = self;
        writeln!(
            f,
            "inputs={inputs} allocation={allocation:.2} ordinary={ordinary:.2} worst={:.2} ratio={ratio:.2}",
            worst.cost
        )?;
        write!(f, "worst: {} ({} octets): {:?}", worst.name, worst.input.len(), shown(&worst.input))
    }
}

fn shown(input: &[u8]) -> String {
    String::from_utf8_lossy(&input[..input.len().min(300)]).into_owned()
}

fn compare(target: &Target, patience: Duration, ordinary: &str, folders: &[String]) -> Report {
    let mut ordinary: Vec<Measured> = inputs(Path::new(ordinary))
        .into_iter()
        .map(|(name, input)| measured(target, name, input, SECOND_LOOK.1))
        .collect();
    assert!(!ordinary.is_empty(), "no ordinary input");
    ordinary.sort_by(dearer);
    let median = ordinary[ordinary.len() / 2].cost;

    let mut found: Vec<Measured> = ordinary;
    for folder in &folders[1..] {
        let looked =
            inputs(Path::new(folder)).into_iter().map(|(name, input)| measured(target, name, input, 1));
        found.extend(looked);
    }
    let seeds: Vec<Measured> = found.clone();
    let until = Instant::now() + patience;
    let mut random = Random(1);
    while Instant::now() < until {
        let seed = &seeds[random.below(seeds.len())];
        let input = pumped(&seed.input, target.max_len, &mut random);
        found.push(measured(target, format!("pumped from {}", seed.name), input, 1));
        keep_dearest(&mut found);
    }
    let allocation = found.iter().map(|one| one.allocation).fold(0.0, f64::max);
    let inputs = found.len();
    for (count, rounds) in [SECOND_LOOK, THIRD_LOOK] {
        found.sort_by(dearer);
        found.truncate(count);
        found = found.into_iter().map(|one| measured(target, one.name, one.input, rounds)).collect();
    }
    found.sort_by(dearer);
    let worst = found.swap_remove(0);
    Report { ordinary: median, ratio: worst.cost / median, worst, allocation, inputs }
}

/// A search may measure more inputs than memory should hold.
fn keep_dearest(found: &mut Vec<Measured>) {
    if found.len() > 20_000 {
        found.sort_by(dearer);
        found.truncate(5000);
    }
}

fn dearer(one: &Measured, other: &Measured) -> Ordering {
    other.cost.total_cmp(&one.cost)
}

fn measured(target: &Target, name: String, input: Vec<u8>, rounds: u32) -> Measured {
    let mut cost = f64::INFINITY;
    let mut allocation = 0.0;
    // Work that is done once an input is repeated with its input.
    for round in 0..rounds.div_ceil(8) {
        let mut meter = Meter::timing(rounds.min(8));
        target.run(&input, &mut meter);
        let octets = if meter.octets() > 0 { meter.octets() } else { input.len().max(target.floor) };
        cost = cost.min(meter.nanos() / octets as f64);
        if round == 0 {
            allocation = target.allocation_ratio(&input, &meter);
        }
    }
    Measured { name, input, cost, allocation }
}

/// A copy in which a slice stands as often as there is room.
fn pumped(input: &[u8], room: usize, random: &mut Random) -> Vec<u8> {
    if input.is_empty() || input.len() >= room {
        return input[..input.len().min(room)].to_vec();
    }
    let from = random.below(input.len());
    let most = 1 << random.below(9);
    let length = 1 + random.below((input.len() - from).min(most));
    let slice = &input[from..from + length];
    let mut out = input[..from].to_vec();
    while out.len() + slice.len() + input.len() - from <= room {
        out.extend_from_slice(slice);
    }
    out.extend_from_slice(&input[from..]);
    out
}

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let read = |file: PathBuf| Some((file.display().to_string(), std::fs::read(&file).ok()?));
    files.into_iter().filter_map(read).collect()
}

/// xorshift: the same search on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}
