//! The live page in a real browser: the real program, a simulated media server, and Debian's
//! chromium, driven by playwright-core.
//!
//! | file | purpose |
//! | --- | --- |
//! | `watching.rs` | streams appear, a stall turns red and recovers, a page says when it is stale |
//! | `using.rs` | filtering and sorting by keyboard, hundreds of streams, names that are markup |
//! | `looking.rs` | both themes have enough contrast, a phone needs no sideways scrolling, no script |
//! | `browser.rs` | a browser that does what a test says |
//! | `driver.mjs` | the other end of it, in Node |
//! | `package.json` | the one package that it needs, of one version |
//!
//! A program that is missing fails the tests; `tests/all` installs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is what a test is there for"
)]

mod browser;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/exporter.rs"]
mod exporter;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/http.rs"]
mod http;
mod looking;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/process.rs"]
mod process;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/simulated.rs"]
mod simulated;
mod using;
#[allow(dead_code, reason = "it is shared with the end-to-end tests")]
#[path = "../e2e/waiting.rs"]
mod waiting;
mod watching;
