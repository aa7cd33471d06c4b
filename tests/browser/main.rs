//! The live page in a real browser: the real program, a simulated media server, and Debian's
//! chromium, driven by playwright-core.
//!
//! | file | purpose |
//! | --- | --- |
//! | `live_updates.rs` | streams appear, a stall turns red and recovers, a page shows that it is stale |
//! | `interaction.rs` | filtering and sorting by keyboard, hundreds of streams, names that are markup |
//! | `appearance.rs` | both themes have enough contrast, a phone needs no sideways scrolling, no script |
//! | `page.rs` | shared events and expressions |
//! | `driver.mjs` | runs the scripts of a test in the browser, in Node |
//! | `package.json` | the version of the one package that it needs |
//!
//! `cargo test --test browser` runs them; a program that is missing ends them with one sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

mod appearance;
mod interaction;
mod live_updates;
mod page;

/// The exporter's program.
fn program() -> testkit::Program {
    testkit::programs::require(&["chromium", "node", "playwright-core"]);
    testkit::Program(env!("CARGO_BIN_EXE_ems-exporter"))
}
