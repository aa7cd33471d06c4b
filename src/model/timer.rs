//! Timers that an API client set with `setTimer`.

mod view;

use super::discrepancies::{ById, ListedRow};
use super::lifecycle::Lifecycle;
use super::{Change, Corrections, Key};
use crate::exposition::{Kind, Metric};
use ems_protocol::Timestamp;
use ems_protocol::{Message, Rejection};

pub use view::View;

/// The events of this family.
pub const EVENTS: &[(&str, Name)] =
    &[("timerCreated", Name::Created), ("timerTriggered", Name::Triggered), ("timerClosed", Name::Closed)];

/// Most timers that are tracked at once; further ones are only counted.
const LIMIT: usize = 10_000;

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A timer was accepted.
    Created,
    /// It expired; a periodic one goes on.
    Triggered,
    /// It was removed, or has expired for good.
    Closed,
}

/// A timer as an event describes it.
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

/// Reads a timer from the server's own list, which does not name the process.
pub fn listed(message: &Message<'_>) -> Result<Event, Rejection> {
    interpret(Name::Triggered, message)
}

/// A timer that is set.
#[derive(Debug)]
struct Row {
    period: Option<u64>,
    due: Option<Timestamp>,
    /// When it last expired; for a periodic one that has not yet, when it was created.
    last: Option<Timestamp>,
    /// When its last event came.
    last_event: Timestamp,
}

impl Row {
    fn new(timer: &Event, now: Timestamp) -> Self {
        let last = timer.period.is_some().then_some(now);
        Self { period: timer.period, due: timer.due, last, last_event: now }
    }
}

/// The timers of one server. They have no stamp.
#[derive(Debug)]
pub struct Table {
    timers: Lifecycle<Key, (), Row>,
    discrepancies: ById,
    triggered: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { timers: Lifecycle::new(LIMIT), discrepancies: ById::default(), triggered: 0 }
    }
}

impl Table {
    /// How many timers are set.
    pub fn open(&self) -> usize {
        self.timers.len()
    }

    /// How many timers came beyond the limit.
    pub const fn overflows(&self) -> u64 {
        self.timers.overflows()
    }

    /// See [`super::state::State::judge_from`].
    pub fn judge_from(&mut self, at: Timestamp) {
        for (_, timer) in self.timers.iter_mut() {
            timer.row.last = timer.row.last.map(|last| last.max(at));
        }
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event, now: Timestamp) -> Change {
        match event.name {
            Name::Created => self.open_timer(event, now, true),
            Name::Triggered => {
                self.triggered += 1;
                let change = self.open_timer(event, now, false);
                if let Some(timer) = self.timers.get_mut(&event.key) {
                    timer.row.last = timer.row.last.max(Some(now));
                }
                // The last expiry of a timer may be overtaken by its close.
                if change == Change::CreatedLate { Change::Counted } else { change }
            }
            Name::Closed => {
                self.timers.assign_process(event.key);
                self.timers.close((event.key, 0), ()).0
            }
        }
    }

    fn open_timer(&mut self, event: &Event, now: Timestamp, creation: bool) -> Change {
        self.timers.assign_process(event.key);
        let (change, _) = self.timers.open((event.key, 0), (), creation, || Row::new(event, now));
        if let Some(timer) = self.timers.get_mut(&event.key) {
            timer.row.last_event = now;
        }
        change
    }

    /// Corrects the table by the server's own list, which was requested at `requested`; `process` is the
    /// server's, or 0 while that is unknown. Also returns whether discrepancies are left.
    pub fn reconcile(
        &mut self,
        listed: &[Event],
        process: u64,
        requested: Timestamp,
        now: Timestamp,
    ) -> (Corrections, bool) {
        // The list has no ages, and the event of a timer that was just set may be on its way.
        let listed = listed.iter().map(|timer| ListedRow {
            key: Key { pid: process, ..timer.key },
            stamp: 0,
            settled: false,
            row: Row::new(timer, now),
        });
        self.discrepancies.reconcile(&mut self.timers, |row| row.last_event, listed, requested, now)
    }

    /// Closes everything: timers do not outlive the server process.
    pub fn empty(&mut self) {
        self.timers.end_all();
    }

    /// A new server process counts its timers anew.
    pub fn begin(&mut self) {
        self.timers.begin();
    }

    /// The timers that are set, the oldest first.
    fn sorted(&self) -> Vec<(&Key, &Row)> {
        let mut timers: Vec<_> = self.timers.iter().map(|(key, timer)| (key, &timer.row)).collect();
        timers.sort_unstable_by_key(|(key, _)| (key.id, key.pid));
        timers
    }
}

/// The metrics of timers. The label `timer` is the server's `timerId`.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_timers",
        kind: Kind::Gauge,
        help: "Active timers, from timerCreated and timerClosed.",
        labels: &[],
        query: "sum by (server) (ems_timers)",
        samples: |table, samples| samples.add(&[], table.timers.len()),
    },
    Metric {
        name: "ems_timers_created_total",
        kind: Kind::Counter,
        help: "Timers created, from timerCreated or, if that was late or lost, the first other event of the timer; each counts once.",
        labels: &[],
        query: "increase(ems_timers_created_total[1h])",
        samples: |table, samples| samples.add(&[], table.timers.count(()).opened),
    },
    Metric {
        name: "ems_timers_triggered_total",
        kind: Kind::Counter,
        help: "Timer expiries, from timerTriggered.",
        labels: &[],
        query: "rate(ems_timers_triggered_total[5m])",
        samples: |table, samples| samples.add(&[], table.triggered),
    },
    Metric {
        name: "ems_timers_closed_total",
        kind: Kind::Counter,
        help: "Timers removed or expired for good, from timerClosed or the end of the server process.",
        labels: &[],
        query: "increase(ems_timers_closed_total[1h])",
        samples: |table, samples| samples.add(&[], table.timers.count(()).closed),
    },
    Metric {
        name: "ems_timer_period_seconds",
        kind: Kind::Gauge,
        help: "Period of a repeating timer, from value of timerCreated.",
        labels: &["timer"],
        query: "ems_exporter_time_seconds - ignoring (server, timer) group_right () ems_timer_last_triggered_timestamp_seconds > 2 * ems_timer_period_seconds",
        samples: |table, samples| {
            for (key, row) in table.sorted() {
                samples.add_known(&[("timer", itoa::Buffer::new().format(key.id))], row.period);
            }
        },
    },
    Metric {
        name: "ems_timer_last_triggered_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time of the last expiry of a timer, from timerTriggered; for a repeating timer before its first expiry, the time it was created.",
        labels: &["timer"],
        query: "time() - ems_timer_last_triggered_timestamp_seconds",
        samples: |table, samples| {
            for (key, row) in table.sorted() {
                samples.add_known(&[("timer", itoa::Buffer::new().format(key.id))], row.last);
            }
        },
    },
];
