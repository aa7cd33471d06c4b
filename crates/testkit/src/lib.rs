//! Shared code of the tests: one way of starting programs, one HTTP client, one way of waiting.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`wait`] | waits for a condition; a timeout reports the last observation |
//! | [`http`] | the HTTP client, and exchanges of raw bytes |
//! | [`programs`] | the programs that tests may need, and where they come from |
//! | [`process`] | a process that ends with its test and whose output is kept |
//! | [`exporter`] | the exporter itself, running |
//! | [`prometheus`], [`alertmanager`], [`browser`] | the programs around it, running |
//! | [`fake_server`] | an HTTP server that records requests and gives the answers that a test configures |
//! | [`simulated`] | a simulated media server whose truth is recorded while it runs |
//! | [`grafana`] | the dashboards as they are committed |
//! | [`recordings`] | requests of a real server |
//! | [`ports`] | ports for programs that must know of each other before they run |
//!
//! Only Cargo's integration tests know where the exporter's program is, so they pass its path: see
//! [`exporter::Program`].

#![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

pub mod alertmanager;
pub mod browser;
pub mod exporter;
pub mod fake_server;
pub mod grafana;
pub mod http;
pub mod ports;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod recordings;
pub mod simulated;
pub mod wait;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use exporter::{Exporter, Program, sum};
pub use wait::{DEADLINE, wait_for};

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Unix seconds.
pub fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs_f64()
}

/// The folder in which Cargo builds: tests run from `target/PROFILE/deps`.
pub(crate) fn target_folder() -> PathBuf {
    let program = std::env::current_exe().expect("the test has a path");
    program.ancestors().nth(3).expect("tests run from target/PROFILE/deps").to_owned()
}

/// The queries in the `promql` code blocks of a Markdown page, one a line.
pub fn promql_blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```promql\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}
