//! One event with its envelope, before it is written in a format.

use super::value::{Map, Value, i32, map, text, u64};

/// An event that the simulated server has logged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its place in the server's own sequence, from 1 at each start.
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) process_id: i32,
    /// Whole seconds since the Unix epoch.
    pub(crate) timestamp: u64,
    /// Its members, with `PID` and `customData`.
    pub(crate) payload: Map,
    /// The file that the server has completed before it, and its bytes.
    pub(crate) written: Option<(Vec<u8>, u64)>,
}

impl Event {
    /// The five members of the envelope.
    pub(crate) fn members(&self) -> Map {
        map([
            ("id", u64(self.id)),
            ("payload", Value::Map(self.payload.clone())),
            ("processId", i32(self.process_id)),
            ("timestamp", u64(self.timestamp)),
            ("type", text(self.name)),
        ])
    }
}
