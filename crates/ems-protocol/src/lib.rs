//! What an EvoStream Media Server (EMS), or its open fork RMS, says and understands.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`message`] | bytes of an event notification to a [`message::Message`]: JSON, XML, XMLRPC, text, W3C |
//! | [`timestamp`] | Unix milliseconds, and the spellings of time in events |
//! | [`runtime_api`] | the server's runtime API: commands, parameters, answers |
//! | [`http_client`] | one HTTP request on a connection of its own |
//! | [`sink_config`] | the block of `config.lua` that makes the server post its events |
//! | [`nul_filter`] | a reader that replaces the NUL byte that a stock RMS sends inside a header name |
//!
//! The crate keeps no state and knows nothing of the exporter.

pub mod http_client;
pub mod message;
pub mod nul_filter;
pub mod runtime_api;
pub mod sink_config;
pub mod timestamp;

pub use timestamp::Timestamp;
