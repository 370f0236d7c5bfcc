//! The contract's operations, each as work inside a transaction.

pub(crate) mod accept;
pub(crate) mod frontends;
pub(crate) mod locations;
pub(crate) mod queue;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod sweep;
