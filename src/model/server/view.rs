//! What is told of one server to those who ask for servers one by one.

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
    /// What is told of the server.
    pub fn view(&self) -> View {
        let (version, build) = self.build.clone().unzip();
        View {
            up: self.up(),
            version,
            build,
            started_timestamp_seconds: self.start.map(Timestamp::seconds),
            last_event_timestamp_seconds: self.heard.map(Timestamp::seconds),
            restarts_total: self.restarts,
        }
    }
}
