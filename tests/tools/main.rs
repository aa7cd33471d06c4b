//! The shipped files, checked by the programs that they are for.
//!
//! | file | purpose |
//! | --- | --- |
//! | `compose.rs` | `docker-compose` reads the compose file |
//! | `prometheus.rs` | `promtool` and `amtool` accept rules, configurations and queries, and the tests of the rules pass |
//! | `dashboards.rs` | Python's generator writes the dashboards that are committed |
//!
//! `cargo test --test tools` runs them; a program that is missing ends them with one sentence.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod compose;
mod dashboards;
mod prometheus;
