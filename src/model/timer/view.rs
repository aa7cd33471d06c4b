//! A timer in the API.

use std::time::Duration;

use serde::Serialize;

use super::{Row, Table};
use crate::model::Key;
use ems_protocol::{Timestamp, Wall};

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// The process that owns it; 0 while it is known only from a list.
    pub process_id: u64,
    /// `timerId`.
    pub id: u64,
    /// Of a timer that repeats.
    period_seconds: Option<u64>,
    /// When it last expired; for a timer that repeats and has not expired yet, when it was set.
    last_triggered_timestamp_seconds: Option<f64>,
    /// When it is expected to expire next.
    next_timestamp_seconds: Option<f64>,
}

impl View {
    fn of(key: Key, row: &Row, wall: Wall) -> Self {
        let periodic = row.last.zip(row.period).map(|(last, period)| last.plus(Duration::from_secs(period)));
        Self {
            process_id: key.pid,
            id: key.id,
            period_seconds: row.period,
            last_triggered_timestamp_seconds: row.last.map(|last| wall.seconds(last)),
            // The server's own clock sets when a timer is due.
            next_timestamp_seconds: periodic
                .map(|next| wall.seconds(next))
                .or(row.due.filter(|_| row.last.is_none()).map(Timestamp::seconds)),
        }
    }
}

impl Table {
    /// How many timers are set, and `take` of them after the first `skip`, the oldest first.
    pub fn views(&self, skip: usize, take: usize, wall: Wall) -> (usize, Vec<View>) {
        let timers = self.sorted().into_iter();
        let views = timers.skip(skip).take(take).map(|(key, row)| View::of(*key, row, wall));
        (self.timers.len(), views.collect())
    }
}
