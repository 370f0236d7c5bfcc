//! Fakes, peers, scenarios and benches; nothing here ships.

pub mod capture;
pub mod codec_cases;
pub mod load;
pub mod lone_engine;
pub mod process;
