//! The part of the configuration that the tables need.

use std::time::Duration;

/// The stream name that stands for all names beyond the limit.
pub const OVERFLOW: &str = "__overflow__";

/// The part of the configuration that the tables need.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Most stream names that have series of their own; further ones share those of [`OVERFLOW`].
    pub streams: usize,
    /// How long the counters of a name stay after every stream of that name has closed.
    pub retention: Duration,
    /// An output stalls when its last chunk is older than this many chunk lengths.
    pub stall_factor: f64,
    /// The shortest age of a last chunk that is a stall.
    pub stall_minimum: Duration,
    /// Names of inbound streams that are expected to be open, and exposed as down while they are not.
    pub expected: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streams: 10_000,
            retention: Duration::from_secs(300),
            stall_factor: 3.0,
            stall_minimum: Duration::from_secs(10),
            expected: Vec::new(),
        }
    }
}
