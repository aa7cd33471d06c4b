//! Programs that the server launched.

use super::lifecycle::Lifecycle;
use super::{Change, Key};
use crate::exposition::{Kind, Metric};
use ems_protocol::{Message, Rejection};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[("processStarted", Name::Started), ("processStopped", Name::Stopped)];

/// Most programs that are tracked at once.
const LIMIT: usize = 10_000;

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A program was started.
    Started,
    /// A program has ended; noticed up to some seconds late.
    Stopped,
}

/// An event of this family. Arguments and environment are never read: they may hold secrets.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    name: Name,
    /// `PID` and `configId`.
    pub key: Key,
}

impl Event {
    /// Whether the event can make a row appear.
    pub const fn opens(&self) -> bool {
        matches!(self.name, Name::Started)
    }
}

/// Reads an event of this family.
pub fn interpret(name: Name, message: &Message<'_>) -> Result<Event, Rejection> {
    Ok(Event { name, key: Key::of(message, "configId")? })
}

/// The programs of one server. A configuration runs one program at a time, again and again if it is
/// kept alive, so a stop is not remembered: a new start may follow at once.
#[derive(Debug)]
pub struct Table(Lifecycle<Key, (), ()>);

impl Default for Table {
    fn default() -> Self {
        Self(Lifecycle::new(LIMIT))
    }
}

impl Table {
    /// How many programs came beyond the limit.
    pub const fn overflows(&self) -> u64 {
        self.0.overflows()
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) -> Change {
        self.0.forget_close(event.key, 0);
        match event.name {
            Name::Started => self.0.open((event.key, 0), (), true, || ()).0,
            Name::Stopped => self.0.close((event.key, 0), ()).0,
        }
    }

    /// Closes everything: programs do not outlive the server process that launched them.
    pub fn empty(&mut self) {
        self.0.end_all();
    }
}

/// The metrics of programs.
pub const METRICS: &[Metric<Table>] = &[Metric {
    name: "ems_processes",
    kind: Kind::Gauge,
    help: "Running programs that the server launched, from processStarted and processStopped.",
    labels: &[],
    query: "sum by (server) (ems_processes)",
    samples: |table, samples| samples.add(&[], table.0.len()),
}];
