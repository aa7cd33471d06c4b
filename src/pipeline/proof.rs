//! Proof that a server is alive, and the derived events whose destructive rules wait for it.
//!
//! The passing of time alone makes a verdict. Whether time passed for the server too shows only in what arrives from
//! it: while it stands still, while this machine is suspended or its clock steps, and while old entries of a file are
//! read, a healthy output looks stalled. So does it while events do not get through although the runtime API answers:
//! then only the output's own bytes in the server's lists show that it stands still.

use std::time::Duration;

use crate::exposition::{Kind, Metric};
use crate::model::output::{Stall, StallTransition};
use crate::model::state::{DerivedEvent, State};
use ems_protocol::Timestamp;

/// After this long without an event or an answer the server may stand still, as one does for 10 to 21 s before it
/// announces that it stops.
const QUIET: Duration = Duration::from_secs(10);
/// The longest time between two ticks. After a longer one the clock stepped, or this machine was suspended.
pub(super) const LONGEST_TICK: Duration = Duration::from_secs(5);
/// How long nothing is proven after the exporter started to watch a server.
const FIRST: Duration = Duration::from_secs(60);
/// How often a silent server is polled while a derived event waits for its answer.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// Most derived events that wait for one server.
const HELD: usize = 10_000;

/// The signs of life of one server, and the derived events that wait for them. All times are those of ticks: no stamp
/// takes part.
#[derive(Debug, Default)]
pub struct Proof {
    /// Whether an event or an answer arrived since the last tick.
    pub(super) arrived: bool,
    /// Whether an event did.
    pub(super) event: bool,
    first_tick: Option<Timestamp>,
    last_tick: Option<Timestamp>,
    last_sign: Option<Timestamp>,
    last_event: Option<Timestamp>,
    /// Since when signs have come without a pause of [`QUIET`] or a step of the clock.
    alive_since: Option<Timestamp>,
    polled: Option<Timestamp>,
    held: Vec<Held>,
    discarded: u64,
}

#[derive(Debug)]
struct Held {
    derived: DerivedEvent,
    /// The tick that derived it.
    at: Timestamp,
    /// Since when events have come after that, without a pause of [`QUIET`].
    events_since: Option<Timestamp>,
}

/// The counts of one server.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    held: usize,
    discarded: u64,
}

impl Proof {
    /// Takes notice of what arrived until the tick at `now`. `replaying` is whether entries of an event file may be
    /// old.
    pub(super) fn observe(&mut self, state: &State, replaying: bool, now: Timestamp) {
        self.first_tick.get_or_insert(now);
        let stepped = self
            .last_tick
            .is_some_and(|last| now.since(last) > LONGEST_TICK || last.since(now) > LONGEST_TICK);
        self.last_tick = Some(now);
        let (arrived, event) = (std::mem::take(&mut self.arrived), std::mem::take(&mut self.event));
        let doubtful = stepped || replaying || state.server.stopping() || state.server.is_mixed();
        self.observe_events(event && state.server.shows_life(now.minus(QUIET)), doubtful, now);
        if doubtful {
            (self.last_sign, self.alive_since) = (None, None);
        } else if arrived && state.server.shows_life(now.minus(QUIET)) {
            self.last_sign = Some(now);
            self.alive_since.get_or_insert(now);
        } else if self.last_sign.is_none_or(|last| now.since(last) > QUIET) {
            self.alive_since = None;
        }
    }

    /// Takes notice of whether events get through.
    fn observe_events(&mut self, arrived: bool, doubtful: bool, now: Timestamp) {
        if doubtful || self.last_event.is_some_and(|last| now.since(last) > QUIET) {
            self.last_event = None;
            self.held.iter_mut().for_each(|held| held.events_since = None);
        }
        if arrived && !doubtful {
            self.last_event = Some(now);
            for held in &mut self.held {
                held.events_since.get_or_insert(now);
            }
        }
    }

    /// Lets a derived event wait.
    pub(super) fn hold(&mut self, derived: DerivedEvent, at: Timestamp) {
        if self.held.len() < HELD {
            self.held.push(Held { derived, at, events_since: None });
        } else {
            self.discarded += 1;
        }
    }

    /// The derived events that are proven at `now`. Those that ended before are discarded.
    pub(super) fn release(&mut self, state: &State, now: Timestamp) -> Vec<DerivedEvent> {
        let mut proven = Vec::new();
        let before = std::mem::take(&mut self.held);
        for held in before {
            match lasts(&held.derived, state) {
                None => self.discarded += 1,
                Some(needed) if self.is_proven(&held, needed, state, now) => {
                    proven.push(renewed(held.derived, state))
                }
                Some(_) => self.held.push(held),
            }
        }
        proven
    }

    /// Whether the server has shown life since the verdict, and for as long before as that took; and whether an event
    /// that refutes the verdict would have got through, or the server's lists show the same.
    fn is_proven(&self, held: &Held, needed: Duration, state: &State, now: Timestamp) -> bool {
        let through = held.events_since.zip(self.last_event);
        self.first_tick.is_some_and(|first| now.since(first) >= FIRST)
            && self.last_sign.is_some_and(|sign| sign > held.at)
            && self.alive_since.is_some_and(|since| now.since(since) >= needed)
            && (through.is_some_and(|(since, last)| last.since(since) >= needed / 2)
                || is_listed(&held.derived, held.at, needed / 2, state))
    }

    /// Whether the server should be polled now: its answer would be the proof that derived events wait for.
    pub(super) fn wants_poll(&mut self, now: Timestamp) -> bool {
        let recent = |last: Option<Timestamp>| last.is_some_and(|last| now.since(last) < POLL_EVERY);
        let wanted = !self.held.is_empty() && !recent(self.last_sign) && !recent(self.polled);
        if wanted {
            self.polled = Some(now);
        }
        wanted
    }

    /// The counts.
    pub fn summary(&self) -> Summary {
        Summary { held: self.held.len(), discarded: self.discarded }
    }
}

/// How long the server must have been alive for what a derived event says; nothing once that is no longer so.
fn lasts(derived: &DerivedEvent, state: &State) -> Option<Duration> {
    match derived {
        DerivedEvent::StreamMissing(stream) => (state.streams.inbound(stream) == 0).then_some(QUIET),
        DerivedEvent::Together(incident) => {
            state.outputs.stalls_together(incident.scope, &incident.name).then_some(FIRST)
        }
        DerivedEvent::Input(stream, input) => {
            (state.streams.input_state(stream) == Some(*input)).then_some(FIRST)
        }
        DerivedEvent::Output(stall) => {
            let threshold =
                state.outputs.stall_threshold(stall.format, &stall.group, &stall.stream, stall.track);
            match stall.transition {
                StallTransition::Stalled | StallTransition::NeverStarted => threshold,
                StallTransition::Recovered => threshold.is_none().then_some(QUIET),
            }
        }
    }
}

/// Whether the server's own lists show what a derived event says: an answer after `at` has corrected the streams, and
/// the bytes of an output have stood still for `long`.
fn is_listed(derived: &DerivedEvent, at: Timestamp, long: Duration, state: &State) -> bool {
    match derived {
        DerivedEvent::StreamMissing(_) | DerivedEvent::Input(..) => state.server.answered_after(at),
        DerivedEvent::Output(stall) => {
            let writer = state.outputs.writer(stall.format, &stall.group, &stall.stream);
            let still = writer.and_then(|(key, _)| state.streams.stands_still(key));
            still.is_some_and(|still| still >= long) && state.server.answered_after(at)
        }
        DerivedEvent::Together(_) => false,
    }
}

/// The derived event with the present writer of its output: the server may have made the output anew.
fn renewed(derived: DerivedEvent, state: &State) -> DerivedEvent {
    match derived {
        DerivedEvent::Output(stall) => {
            let writer = state.outputs.writer(stall.format, &stall.group, &stall.stream).or(stall.writer);
            DerivedEvent::Output(Stall { writer, ..stall })
        }
        DerivedEvent::StreamMissing(_) | DerivedEvent::Together(_) | DerivedEvent::Input(..) => derived,
    }
}

/// The metrics of derived events that wait, where rules are configured.
pub const METRICS: &[Metric<Summary>] = &[
    Metric {
        name: "ems_exporter_action_triggers_held",
        kind: Kind::Gauge,
        help: "Stalls and missing streams whose rules wait for proof that the server is alive: an event or an answer of its runtime API.",
        labels: &[],
        query: "ems_exporter_action_triggers_held > 0",
        samples: |summary, samples| samples.add(&[], summary.held),
    },
    Metric {
        name: "ems_exporter_action_triggers_discarded_total",
        kind: Kind::Counter,
        help: "Stalls and missing streams that ended before there was proof that the server is alive, so that no rule acted on them.",
        labels: &[],
        query: "sum by (server) (increase(ems_exporter_action_triggers_discarded_total[1h])) > 0",
        samples: |summary, samples| samples.add(&[], summary.discarded),
    },
];
