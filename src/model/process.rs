//! Programs that the server launched.

use super::{Change, Key};
use crate::exposition::{Kind, Metric};
use ems_protocol::message::{Message, Rejection};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[("processStarted", Name::Started), ("processStopped", Name::Stopped)];

/// Most programs that are tracked at once.
const LIMIT: usize = 10_000;

/// What an event of this family tells.
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

/// The programs of one server. One configuration runs one program at a time, again and again if
/// it is kept alive, so a stop is not remembered: it may be followed by a new start at once.
#[derive(Debug, Default)]
pub struct Table {
    rows: hashbrown::HashSet<Key>,
    folded: u64,
}

impl Table {
    /// How many programs run.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no program runs.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many programs were not tracked.
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event) -> Change {
        match event.name {
            Name::Started if self.rows.len() >= LIMIT => {
                self.folded += 1;
                Change::Counted
            }
            Name::Started if self.rows.insert(event.key) => Change::Opened,
            Name::Started => Change::Repeated,
            Name::Stopped if self.rows.remove(&event.key) => Change::Closed,
            Name::Stopped => Change::ClosedUnseen,
        }
    }

    /// Forgets everything: the server process that launched it is gone.
    pub fn empty(&mut self) {
        self.rows.clear();
    }
}

/// What is shown of programs.
pub const METRICS: &[Metric<Table>] = &[Metric {
    name: "ems_processes",
    kind: Kind::Gauge,
    help: "Programs that the server launched and that run now, from processStarted and processStopped.",
    labels: &[],
    query: "sum by (server) (ems_processes)",
    samples: |table, samples| samples.add(&[], table.rows.len()),
}];
