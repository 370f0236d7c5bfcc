//! Puts a load of MO messages on a server and measures what each one costs it.
//!
//! ```text
//! sms-load load --target 127.0.0.1:5060 --local 127.0.0.1:5070 --pids 4711 [--messages N] [--warm-up N] [--window N]
//! sms-load load --echo ...      the server echoes datagrams
//! sms-load echo --local 127.0.0.1:5060
//! ```
//! `load` prints one JSON object; `echo` serves until it is ended.
#![allow(clippy::print_stdout, reason = "its results go to standard output")]

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};

use clap::{Args, Parser};
use serde_json::json;
use smsc_tests::load::{Kind, Load};
use smsc_tests::process::Processes;

#[derive(Parser)]
enum Command {
    /// Measures a server.
    Load(Measure),
    /// Is the simplest server there can be.
    Echo {
        /// Where to listen.
        #[arg(long)]
        local: SocketAddr,
    },
}

#[derive(Args)]
struct Measure {
    /// The server.
    #[arg(long)]
    target: SocketAddr,
    /// Where messages come from and reports go to.
    #[arg(long)]
    local: SocketAddr,
    /// The server's processes.
    #[arg(long, value_delimiter = ',', required = true)]
    pids: Vec<u32>,
    /// Messages that are measured.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Messages sent before, so that caches and pools are filled.
    #[arg(long, default_value_t = 10_000)]
    warm_up: usize,
    /// Messages under way at once.
    #[arg(long, default_value_t = 32)]
    window: usize,
    /// The server echoes datagrams.
    #[arg(long)]
    echo: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    match Command::parse() {
        Command::Load(measure) => measure.run(),
        Command::Echo { local } => echo(local),
    }
}

impl Measure {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let socket = UdpSocket::bind(self.local)?;
        let kind = if self.echo { Kind::Echo } else { Kind::Report };
        let load = |first, messages| Load { target: self.target, first, messages, window: self.window, kind };
        load(0, self.warm_up).run(&socket)?;

        let server = Processes(self.pids.clone());
        let before = server.cpu()?;
        let outcome = load(self.warm_up, self.messages).run(&socket)?;
        let cpu = server.cpu()?.saturating_sub(before);
        let (seconds, messages) = (outcome.elapsed.as_secs_f64(), self.messages as f64);
        let result = json!({
            "messages": self.messages,
            "seconds": seconds,
            "rate": messages / seconds,
            "cpu_us": cpu.as_secs_f64() * 1e6 / messages,
            "p50_us": outcome.percentile(0.50),
            "p99_us": outcome.percentile(0.99),
            "max_us": outcome.percentile(1.0),
            "memory_kib": server.memory_kib()?,
            "resent": outcome.resent,
            "refused": outcome.refused,
            "repeated": outcome.repeated,
            "failed": outcome.failed,
        });
        println!("{result}");
        Ok(())
    }
}

fn echo(local: SocketAddr) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind(local)?;
    let mut datagram = [0; 65_535];
    loop {
        let (length, from) = socket.recv_from(&mut datagram)?;
        socket.send_to(&datagram[..length], from)?;
    }
}
