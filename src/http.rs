//! The HTTP side: listeners, the door for events, routes, the live page, requests of our own, and tolerance for the
//! server's broken header.

mod api;
mod events;
pub mod exchange;
mod feed;
pub mod gate;
pub mod intake;
mod page;
pub mod patient;
pub mod routes;
pub mod serve;
pub mod socket;
