//! The real exporter on real sockets under faults and overload: nothing may stop it, let its memory grow without limit, or
//! prevent scrapes.
//!
//! `FAULTS_NAMES=3000000 cargo test --test faults cardinality` runs the longest of them longer.

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
mod pages;
mod reload;
mod shutdown;
