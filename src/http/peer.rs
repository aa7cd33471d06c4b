//! The other end of a connection.

use std::net::IpAddr;
use std::sync::Arc;

use super::write_timeout::Backpressure;

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Its address.
    pub(super) address: IpAddr,
    /// Whether more than half of the connections were in use when it connected.
    pub(super) busy: bool,
    /// How long it has kept writes waiting.
    pub(super) backpressure: Arc<Backpressure>,
}
