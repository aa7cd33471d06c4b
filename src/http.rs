//! The HTTP side: listeners, the transport for events, routes, the live page, requests of our own, and tolerance for the
//! server's broken header.

mod api;
mod events;
mod feed;
pub mod gate;
pub mod intake;
mod page;
mod response;
pub mod router;
pub mod server;
pub mod state;
pub mod telemetry;
mod write_timeout;
