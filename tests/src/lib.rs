//! Fakes, peers, scenarios and benches; nothing here ships.

pub mod accept_all;
pub mod capture;
pub mod codec_cases;
pub mod load;
pub mod lone_engine;
pub mod mutate;
pub mod process;
pub mod torture;
pub mod wire;
