//! The runtime API over HTTP: the same requests and answers as the real server's, with faults on request.

mod asked;
mod calls;
mod door;
mod faults;
#[cfg(test)]
mod tests;

pub use calls::{Call, CallAnswer};
pub use faults::ApiFaults;

pub(crate) use door::Door;
