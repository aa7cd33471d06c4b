//! End-to-end tests: the real program, a real Prometheus and Alertmanager and a simulated media server, all on loopback.
//!
//! | file | purpose |
//! | --- | --- |
//! | `agreement.rs` | Prometheus answers what the simulated servers know themselves, with faults too |
//! | `stalls.rs` | a stalled output is found, that one alone, and counted once |
//! | `reconcile.rs` | what was open before us or was lost on the way is put right by the runtime API |
//! | `reactions.rs` | the shipped rules do what they say, whatever goes wrong |
//! | `alerts.rs` | a stalled output pages, that one alone, by the shipped rules and configurations |
//! | `pages.rs` | `promtool` and the reference OpenMetrics parser find nothing wrong with the pages |
//! | `commands.rs` | `demo`, `simulate`, `check-config`, `healthcheck`, a taken port |
//! | `exporter.rs` | our program, running |
//! | `prometheus.rs` | a Prometheus that scrapes it |
//! | `alertmanager.rs` | an Alertmanager that is told of its alerts |
//! | `webhook.rs` | a receiver of what Alertmanager sends |
//! | `simulated.rs` | a simulated media server whose truth is written down all the time |
//! | `facts.rs` | what is compared: the same facts out of a truth and out of a scrape |
//! | `ports.rs` | ports for programs that must be told of each other |
//! | `process.rs` | a process that ends with its test |
//! | `http.rs` | a small HTTP client |
//! | `waiting.rs` | waiting for a condition, with a deadline |
//!
//! A program that is missing fails the tests that need it; `tests/all` installs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is what a test is there for"
)]

mod agreement;
mod alertmanager;
mod alerts;
mod commands;
mod exporter;
mod facts;
mod http;
mod pages;
mod ports;
mod process;
mod prometheus;
mod reactions;
mod reconcile;
mod simulated;
mod stalls;
mod waiting;
mod webhook;
