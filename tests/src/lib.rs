//! Fakes, peers, scenarios and benches; nothing here ships.
