//! The embedded store-and-forward backend.
