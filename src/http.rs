//! The HTTP side: listeners, routes, requests of our own, and tolerance for the server's broken header.

pub mod exchange;
pub mod gate;
pub mod intake;
pub mod patient;
pub mod routes;
pub mod serve;
pub mod socket;
