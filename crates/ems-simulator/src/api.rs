//! The runtime API over HTTP: the same requests and answers as the real server's, with faults on request.

mod calls;
mod faults;
mod listener;
mod request;
#[cfg(test)]
mod tests;

pub use calls::{Call, CallAnswer};

pub(crate) use listener::ApiListener;
