//! The HTTP side: listeners, routes, the live page, and tolerance for the server's broken header.

mod api;
mod feed;
mod page;
pub mod routes;
pub mod serve;
pub mod socket;
