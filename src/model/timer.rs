//! Timers that an API client set with `setTimer`.

mod view;

use super::discrepancies::ById;
use super::lifecycle::Closed;
use super::{Change, Corrections, Key, Table as Rows};
use crate::exposition::{Kind, Metric};
use ems_protocol::Timestamp;
use ems_protocol::message::{Message, Rejection};

pub use view::View;

/// The events of this family.
pub const EVENTS: &[(&str, Name)] =
    &[("timerCreated", Name::Created), ("timerTriggered", Name::Triggered), ("timerClosed", Name::Closed)];

/// Most timers that are tracked at once; further ones are only counted.
const LIMIT: usize = 10_000;

/// What an event of this family tells.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A timer was accepted.
    Created,
    /// It expired; a periodic one goes on.
    Triggered,
    /// It was removed, or has expired for good.
    Closed,
}

/// A timer as an event shows it.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    name: Name,
    /// `PID` and `timerId`.
    pub key: Key,
    /// `value`, where it is a period in seconds and not a point in time.
    pub period: Option<u64>,
    /// `value`, where it is a point in time.
    pub due: Option<Timestamp>,
}

impl Event {
    /// Whether the event can make a row appear.
    pub const fn opens(&self) -> bool {
        matches!(self.name, Name::Created | Name::Triggered)
    }
}

/// Reads an event of this family.
pub fn interpret(name: Name, message: &Message<'_>) -> Result<Event, Rejection> {
    let value = message.payload().text("value")?;
    let period = value.as_ref().and_then(|value| value.parse().ok());
    let due = value.and_then(|value| Timestamp::parse(&value));
    Ok(Event { name, key: Key::of(message, "timerId")?, period, due })
}

/// Reads a timer out of the server's own list, which does not tell the process.
pub fn listed(message: &Message<'_>) -> Result<Event, Rejection> {
    interpret(Name::Triggered, message)
}

#[derive(Debug)]
struct Row {
    period: Option<u64>,
    due: Option<Timestamp>,
    /// When it last expired; for a periodic one that has not yet, when it was created.
    last: Option<Timestamp>,
    created_seen: bool,
    heard: Timestamp,
}

/// The timers of one server.
#[derive(Debug, Default)]
pub struct Table {
    rows: Rows<Key, Row>,
    closed_lately: Closed,
    doubts: ById,
    created: u64,
    triggered: u64,
    closed: u64,
    folded: u64,
}

impl Table {
    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many timers were only counted.
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event, now: Timestamp) -> Change {
        match event.name {
            Name::Created => self.open(event, now, true),
            Name::Triggered => {
                self.triggered += 1;
                let change = self.open(event, now, false);
                if let Some(row) = self.rows.get_mut(&event.key) {
                    row.last = row.last.max(Some(now));
                }
                change
            }
            Name::Closed => self.close(event.key),
        }
    }

    fn open(&mut self, event: &Event, now: Timestamp, creation: bool) -> Change {
        if self.closed_lately.holds(event.key, 0) {
            return if creation { Change::CreatedLate } else { Change::Counted };
        }
        self.know(event.key);
        if let Some(row) = self.rows.get_mut(&event.key) {
            let repeated = creation && row.created_seen;
            row.created_seen |= creation;
            row.heard = now;
            return if repeated { Change::Repeated } else { Change::Updated };
        }
        self.created += 1;
        if self.rows.len() >= LIMIT {
            self.folded += 1;
            return Change::Counted;
        }
        let last = event.period.is_some().then_some(now);
        let row = Row { period: event.period, due: event.due, last, created_seen: creation, heard: now };
        self.rows.insert(event.key, row);
        if creation { Change::Opened } else { Change::Adopted }
    }

    fn close(&mut self, key: Key) -> Change {
        if self.closed_lately.holds(key, 0) {
            return Change::Repeated;
        }
        self.know(key);
        self.closed_lately.remember(key, 0);
        self.closed += 1;
        if self.rows.shift_remove(&key).is_some() {
            return Change::Closed;
        }
        self.created += 1;
        Change::ClosedUnseen
    }

    /// A timer that only a list has told of gets its process once an event tells it.
    fn know(&mut self, key: Key) {
        let unknown = Key { pid: 0, ..key };
        if key != unknown
            && let Some(row) = self.rows.shift_remove(&unknown)
        {
            self.rows.insert(key, row);
        }
    }

    /// Takes the server's own list, which was asked for at `asked`; `process` is the server's, or 0
    /// while that is unknown. Says whether anything is in doubt.
    pub fn reconcile(
        &mut self,
        listed: &[Event],
        process: u64,
        asked: Timestamp,
        now: Timestamp,
    ) -> (Corrections, bool) {
        // The list tells no age, and the event of one that was just set may be on its way.
        let ids = listed.iter().map(|timer| (timer.key.id, false));
        let rows = self.rows.iter().map(|(key, row)| (*key, row.heard));
        let difference = self.doubts.compare(rows, ids, asked, now);
        let mut corrections = Corrections::default();
        for timer in difference.appeared.into_iter().filter_map(|place| listed.get(place)) {
            let key = Key { pid: process, ..timer.key };
            let change = self.open(&Event { key, ..*timer }, now, false);
            corrections.opened += u64::from(change == Change::Adopted);
        }
        for key in difference.gone {
            corrections.closed += u64::from(self.close(key) == Change::Closed);
        }
        (corrections, difference.doubts)
    }

    /// Closes everything: timers do not outlive the server process.
    pub fn empty(&mut self) {
        self.closed += self.rows.len() as u64;
        for (key, _) in self.rows.drain(..) {
            self.closed_lately.remember(key, 0);
        }
    }

    /// A new server process counts its timers anew.
    pub fn begin(&mut self) {
        self.closed_lately = Closed::default();
    }
}

/// What is shown of timers. The label `timer` is the server's `timerId`.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_timers",
        kind: Kind::Gauge,
        help: "Timers that are set, from timerCreated and timerClosed.",
        labels: &[],
        query: "sum by (server) (ems_timers)",
        samples: |table, samples| samples.add(&[], table.rows.len()),
    },
    Metric {
        name: "ems_timers_created_total",
        kind: Kind::Counter,
        help: "Timers set, from timerCreated; each counts once, by whichever of its events came first.",
        labels: &[],
        query: "increase(ems_timers_created_total[1h])",
        samples: |table, samples| samples.add(&[], table.created),
    },
    Metric {
        name: "ems_timers_triggered_total",
        kind: Kind::Counter,
        help: "Expiries of timers, from timerTriggered.",
        labels: &[],
        query: "rate(ems_timers_triggered_total[5m])",
        samples: |table, samples| samples.add(&[], table.triggered),
    },
    Metric {
        name: "ems_timers_closed_total",
        kind: Kind::Counter,
        help: "Timers removed or expired for good, from timerClosed, or ended with the server process.",
        labels: &[],
        query: "increase(ems_timers_closed_total[1h])",
        samples: |table, samples| samples.add(&[], table.closed),
    },
    Metric {
        name: "ems_timer_period_seconds",
        kind: Kind::Gauge,
        help: "The period of a timer that repeats, from value of timerCreated.",
        labels: &["timer"],
        query: "time() - ems_timer_last_triggered_timestamp_seconds > 2 * ems_timer_period_seconds",
        samples: |table, samples| {
            for (key, row) in &table.rows {
                if let Some(period) = row.period {
                    samples.add(&[("timer", itoa::Buffer::new().format(key.id))], period);
                }
            }
        },
    },
    Metric {
        name: "ems_timer_last_triggered_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When a timer last expired, from timerTriggered; for one that repeats and has not yet, when it was set.",
        labels: &["timer"],
        query: "time() - ems_timer_last_triggered_timestamp_seconds",
        samples: |table, samples| {
            for (key, row) in &table.rows {
                if let Some(last) = row.last {
                    samples.add(&[("timer", itoa::Buffer::new().format(key.id))], last);
                }
            }
        },
    },
];
