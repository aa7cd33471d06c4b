//! The real exporter on real sockets, among clients and machines that do the worst: nothing that they do may stop it,
//! make it grow without end, or keep scrapes from it.
//!
//! `FAULTS_NAMES=3000000 cargo test --test faults cardinality` lets the longest of them run longer.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod cardinality;
mod clocks;
mod connections;
mod descriptors;
mod disk;
mod events;
mod hostile_bodies;
mod overload;
mod reload;
mod shutdown;
