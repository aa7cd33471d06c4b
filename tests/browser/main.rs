//! The live page in a real browser: the real program, a simulated media server, and Debian's
//! chromium, driven by playwright-core.
//!
//! | file | purpose |
//! | --- | --- |
//! | `live_updates.rs` | streams appear, a stall turns red and recovers, a page says when it is stale |
//! | `interaction.rs` | filtering and sorting by keyboard, hundreds of streams, names that are markup |
//! | `appearance.rs` | both themes have enough contrast, a phone needs no sideways scrolling, no script |
//! | `page.rs` | what they share |
//! | `driver.mjs` | does in the browser what a test says, in Node |
//! | `package.json` | the one package that it needs, of one version |
//!
//! `cargo test --test browser` runs them; a program that is missing ends them with one sentence.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is what a test is there for"
)]

mod appearance;
mod interaction;
mod live_updates;
mod page;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/simulated.rs"]
mod simulated;

/// The exporter's program.
fn program() -> testkit::Program {
    testkit::programs::require(&["chromium", "node", "playwright-core"]);
    testkit::Program(env!("CARGO_BIN_EXE_ems-exporter"))
}
