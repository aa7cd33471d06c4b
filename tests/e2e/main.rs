//! End-to-end tests: the real program, a real Prometheus and Alertmanager and a simulated media server, all on loopback.
//!
//! | file | purpose |
//! | --- | --- |
//! | `agreement.rs` | Prometheus agrees with the simulated servers, also under faults |
//! | `stalls.rs` | exactly the stalled output is found, and counted once |
//! | `reconcile.rs` | the runtime API corrects missing and lost events |
//! | `rules.rs` | the shipped rules work under every fault |
//! | `alerts.rs` | exactly the stalled output pages, with the shipped rules and configurations |
//! | `clocks.rs` | an exporter whose clock is wrong or steps raises EmsClockSkew and its true stall, nothing else |
//! | `field.rs` | recordings of a real server raise the alerts that they should |
//! | `exposition.rs` | `promtool` and the reference OpenMetrics parser find nothing wrong with the pages |
//! | `commands.rs` | `demo`, `simulate`, `check-config`, `healthcheck`, a taken port |
//! | `facts.rs` | the facts that are compared, from a truth and from a scrape |
//!
//! They judge by what the programs report, not by elapsed time: a busy machine only makes them slower.
//! `cargo test --test e2e` runs them; a program that is missing ends them with one sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

mod agreement;
mod alerts;
mod clocks;
mod commands;
mod exposition;
mod facts;
mod field;
mod inputs;
mod outputs;
mod reconcile;
mod rules;
mod stalls;
mod verdicts;

/// The exporter's program.
fn program() -> testkit::Program {
    testkit::programs::require(&["prometheus", "promtool", "prometheus-alertmanager", "prometheus_client"]);
    testkit::Program(env!("CARGO_BIN_EXE_ems-exporter"))
}
