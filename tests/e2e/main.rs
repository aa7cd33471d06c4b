//! End-to-end tests: the real program, a real Prometheus and Alertmanager and a simulated media server, all on loopback.
//!
//! | file | purpose |
//! | --- | --- |
//! | `agreement.rs` | Prometheus answers what the simulated servers know themselves, with faults too |
//! | `stalls.rs` | a stalled output is found, that one alone, and counted once |
//! | `reconcile.rs` | what was open before us or was lost on the way is corrected by the runtime API |
//! | `rules.rs` | the shipped rules do what they say, whatever goes wrong |
//! | `alerts.rs` | a stalled output pages, that one alone, by the shipped rules and configurations |
//! | `exposition.rs` | `promtool` and the reference OpenMetrics parser find nothing wrong with the pages |
//! | `commands.rs` | `demo`, `simulate`, `check-config`, `healthcheck`, a taken port |
//! | `simulated.rs` | a simulated media server whose truth is written down all the time |
//! | `facts.rs` | what is compared: the same facts out of a truth and out of a scrape |
//!
//! They judge by what the programs say happened, not by how long it took: a busy machine makes them slower, and no more.
//! `cargo test --test e2e` runs them; a program that is missing ends them with one sentence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is what a test is there for"
)]

mod agreement;
mod alerts;
mod commands;
mod exposition;
mod facts;
mod reconcile;
mod rules;
mod simulated;
mod stalls;

/// The exporter's program.
fn program() -> testkit::Program {
    testkit::programs::require(&["prometheus", "promtool", "prometheus-alertmanager", "prometheus_client"]);
    testkit::Program(env!("CARGO_BIN_EXE_ems-exporter"))
}
