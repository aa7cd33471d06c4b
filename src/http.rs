//! The HTTP server: listeners, the gate, the transport for events, the endpoints and the live page.

pub mod answers;
mod api;
mod browser;
mod buffer;
mod encoding;
mod events;
mod feed;
pub mod gate;
pub mod intake;
mod page;
mod peer;
mod response;
pub mod router;
pub mod server;
pub mod state;
pub mod telemetry;
mod write_timeout;
