//! The real exporter on real sockets, among clients and machines that do the worst: nothing that they do may stop it,
//! make it grow without end, or keep scrapes from it.
//!
//! `FAULTS_NAMES_SECONDS=600 cargo test --test faults names` lets the longest of them run longer.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod clocks;
mod connections;
mod descriptors;
mod disk;
mod exporter;
mod flood;
mod hostile;
mod names;
mod random;
mod reload;
mod stop;
