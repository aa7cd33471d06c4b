//! The viewers over HTTP of one server in the API: how many and for how long, never who.

use serde::Serialize;

use super::Table;
use ems_protocol::Timestamp;

/// The sessions of one server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Open sessions.
    pub sessions: usize,
    started_total: u64,
    ended_total: u64,
    downloads_total: u64,
    /// When each open session was first seen.
    #[serde(skip)]
    starts: Vec<Timestamp>,
}

/// The sessions with their ages.
#[derive(Debug, Serialize)]
pub struct Aged {
    #[serde(flatten)]
    view: View,
    median_age_seconds: Option<f64>,
    oldest_age_seconds: Option<f64>,
}

impl View {
    /// With the ages at `now`.
    pub fn at(mut self, now: Timestamp) -> Aged {
        self.starts.sort_unstable();
        let age = |start: &Timestamp| now.since(*start).as_secs_f64();
        let median_age_seconds = self.starts.get(self.starts.len() / 2).map(age);
        let oldest_age_seconds = self.starts.first().map(age);
        Aged { view: self, median_age_seconds, oldest_age_seconds }
    }
}

impl Table {
    /// All sessions.
    pub fn view(&self) -> View {
        View {
            sessions: self.sessions.len(),
            started_total: self.started(),
            ended_total: self.ended(),
            downloads_total: self.downloads,
            starts: self.sessions.iter().map(|(_, session)| session.row).collect(),
        }
    }
}
