//! The API representation of one server.

use serde::Serialize;

use super::Table;
use ems_protocol::Wall;

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
    mixed: bool,
}

impl Table {
    /// The API representation of the server.
    pub fn view(&self, wall: Wall) -> View {
        let (version, build) = self.build.clone().unzip();
        View {
            up: self.up(),
            version,
            build,
            started_timestamp_seconds: self.start.map(|start| wall.seconds(start)),
            last_event_timestamp_seconds: self.last_event.map(|last| wall.seconds(last)),
            restarts_total: self.restarts,
            mixed: self.is_mixed(),
        }
    }
}
