//! The `smsc-frontend` binary.
fn main() {}
