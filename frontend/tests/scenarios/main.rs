//! The engine against a core, handsets, a backend and other pods, in virtual time: every rule of design §4.
#![allow(clippy::unwrap_used, reason = "a test's way to say what must hold")]

#[path = "../world/mod.rs"]
mod world;

mod alphabets;
mod charging;
mod delivery;
mod fields;
mod flows;
mod handset_queue;
mod ipv6;
mod moves;
mod msisdn_less;
mod owners;
mod polling;
mod profiles;
mod random;
mod refusals;
mod reg_event;
mod registration;
mod remarks;
mod repeats;
mod submission;
mod transports;
