//! What other processes cost: CPU time and memory, from /proc.

use std::fs;
use std::io;
use std::time::Duration;

/// Clock ticks a second in /proc/PID/stat: the kernel's interface has it fixed on every architecture we run on.
const TICKS_PER_SECOND: u64 = 100;

/// Processes measured as one, such as a server and its workers.
#[derive(Debug, Clone)]
pub struct Processes(pub Vec<u32>);

impl Processes {
    /// CPU time so far, user and system, of all threads, ended ones included.
    ///
    /// # Errors
    /// A process is gone or not ours to read.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.0.iter().map(|pid| cpu(*pid)).sum()
    }

    /// Memory in KiB. Pages that the processes share are counted once between them (PSS).
    ///
    /// # Errors
    /// A process is gone or not ours to read.
    pub fn memory_kib(&self) -> io::Result<u64> {
        self.0.iter().map(|pid| memory_kib(*pid)).sum()
    }
}

fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command name may hold blanks and parentheses: fields are counted behind its last one.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

fn memory_kib(pid: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    pss.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/smaps_rollup has no Pss"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_time_and_memory() {
        let this = Processes(vec![std::process::id()]);
        let before = this.cpu().unwrap();
        let mut sum = 0u64;
        while this.cpu().unwrap() < before + Duration::from_millis(20) {
            sum = (0..100_000).fold(sum, |sum: u64, n| sum.rotate_left(7) ^ n);
        }
        assert!(this.memory_kib().unwrap() > 100, "{sum}");
    }
}
