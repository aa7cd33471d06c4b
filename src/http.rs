//! The HTTP side: listeners, routes, and tolerance for the server's broken header.

pub mod routes;
pub mod serve;
pub mod socket;
