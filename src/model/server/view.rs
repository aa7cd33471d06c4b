//! The API representation of one server.

use serde::Serialize;

use super::Table;
use ems_protocol::Timestamp;

/// The server itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// See the metric `ems_up`.
    pub up: bool,
    version: Option<String>,
    build: Option<String>,
    started_timestamp_seconds: Option<f64>,
    last_event_timestamp_seconds: Option<f64>,
    restarts_total: u64,
}

impl Table {
    /// The API representation of the server.
    pub fn view(&self) -> View {
        let (version, build) = self.build.clone().unzip();
        View {
            up: self.up(),
            version,
            build,
            started_timestamp_seconds: self.start.map(Timestamp::seconds),
            last_event_timestamp_seconds: self.last_event.map(Timestamp::seconds),
            restarts_total: self.restarts,
        }
    }
}
