//! Events and runtime API of EvoStream Media Server (EMS) and its open fork RMS.
//!
//! | module | purpose |
//! | --- | --- |
//! | [`decode`] | bytes of an event notification to a [`Message`]: JSON, XML, XML-RPC, text, W3C |
//! | [`mod@format`] | the formats, and how the format of a body is detected |
//! | `limits` | limits of what is read of one event |
//! | [`message`] | one decoded event and its fields |
//! | `text` | text values and their escapes |
//! | [`rejection`] | why an event was rejected or dropped |
//! | [`timestamp`] | Unix milliseconds, and the spellings of time in events |
//! | [`runtime_api`] | the server's runtime API: commands, parameters, answers |
//! | [`http_client`] | one HTTP request on a connection of its own |
//! | [`nul_filter`] | a reader that replaces the NUL byte that a stock RMS sends inside a header name |
//!
//! The crate keeps no state and knows nothing of the exporter.

pub mod decode;
pub mod format;
pub mod http_client;
mod limits;
pub mod message;
pub mod nul_filter;
pub mod rejection;
pub mod runtime_api;
mod text;
pub mod timestamp;

pub use format::Format;
pub use message::{Map, Message};
pub use rejection::{DropReason, Reason, Rejection};
pub use text::shortened;
pub use timestamp::{Timestamp, Wall};
