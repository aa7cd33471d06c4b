//! The tables of one server, and the one rule that concerns all families: a new server process
//! empties every table.

mod derived;
pub mod listing;
pub mod recent;

use strum::{EnumCount, VariantArray};

use crate::exposition::{Kind, Metric};
use crate::model::event::{Event, EventKind, Facts};
use crate::model::server::{self, Generation, Sender};
use crate::model::{Change, Settings, api_call, connection, output, process, session, stream, timer};
use ems_protocol::Timestamp;

use recent::{EventRecord, Recent};

pub use derived::DerivedEvent;

/// The state of one server. [`State::apply`] never fails: events come late, twice, out of order or
/// never, and each has a [`Change`].
#[derive(Debug)]
pub struct State {
    /// Streams.
    pub streams: stream::Table,
    /// Outputs, chunks and playlists.
    pub outputs: output::Table,
    /// Timers.
    pub timers: timer::Table,
    /// Viewers over HTTP.
    pub sessions: session::Table,
    /// Connections.
    pub connections: connection::Table,
    /// API calls.
    pub api: api_call::Table,
    /// Launched programs.
    pub processes: process::Table,
    /// The server itself.
    pub server: server::Table,
    /// The last events and derived events.
    pub recent: Recent,
    events: Vec<u64>,
    /// By [`Change`].
    changes: [u64; Change::COUNT],
    limit: usize,
}

/// The effect of an event on the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Its effect on the table of its family.
    pub change: Change,
    /// Whether it is the first of a new server process, and every table was emptied before it.
    pub restarted: bool,
    /// Whether events may have been lost: the server's own lists should be polled.
    pub poll: bool,
}

impl State {
    /// Nothing is known yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            streams: stream::Table::new(settings),
            outputs: output::Table::new(settings),
            timers: timer::Table::default(),
            sessions: session::Table::default(),
            connections: connection::Table::default(),
            api: api_call::Table::default(),
            processes: process::Table::default(),
            server: server::Table::default(),
            recent: Recent::default(),
            events: vec![0; EventKind::all().count()],
            changes: [0; Change::COUNT],
            limit: settings.streams,
        }
    }

    /// Applies an event that happened at `now`, and counts it.
    pub fn apply(&mut self, event: &Event<'_>, now: Timestamp) -> Applied {
        self.events[event.kind.place()] += 1;
        // Drops what a poll since the last event left.
        self.streams.take_last_name();
        self.outputs.take_last_output();
        let applied = self.follow(event, now);
        if applied.restarted {
            self.record(Change::Restarted);
        }
        self.record(applied.change);
        let (stream, output) = (self.streams.take_last_name(), self.outputs.take_last_output());
        self.recent.record(event, applied.change, stream, output, now);
        applied
    }

    /// The last events that were applied, the oldest first.
    pub fn events(&self) -> Vec<EventRecord> {
        self.recent.all(&self.outputs)
    }

    /// The last event that was applied.
    pub fn last_event(&self) -> Option<EventRecord> {
        self.recent.last(&self.outputs)
    }

    const fn record(&mut self, change: Change) {
        self.changes[change as usize] += 1;
    }

    /// Finds which server process an event comes from, and applies it if that one is followed.
    fn follow(&mut self, event: &Event<'_>, now: Timestamp) -> Applied {
        let apart = |change| Applied { change, restarted: false, poll: false };
        if matches!(event.facts, Facts::Other) {
            // It may come from another program that posts to the same address.
            return apart(Change::Counted);
        }
        let server_event = if let Facts::Server(event) = &event.facts { Some(event) } else { None };
        let restarted = match self.server.generation(event.sender, server_event, now) {
            Generation::Past => return apart(Change::Stale),
            Generation::New => {
                self.restart(event.sender, now);
                true
            }
            Generation::Current => false,
        };
        let started = matches!(server_event, Some(server::Event::Started(_)));
        let poll = restarted || started || self.server.silent(now);
        let mixed = self.server.is_mixed();
        self.server.record_event(event.sender, server_event.is_none(), now);
        if self.server.is_mixed() && !mixed {
            self.streams.forget_closes();
            self.outputs.forget_closes();
        }
        let late = self.server.stopping() && event.facts.opens();
        let change = if late { Change::Stale } else { self.change(event, now) };
        Applied { change, restarted, poll }
    }

    /// Applies an event to the tables of its family.
    fn change(&mut self, event: &Event<'_>, now: Timestamp) -> Change {
        match &event.facts {
            Facts::Stream(stream, output) => {
                if let stream::Event::Closed(closed) = stream
                    && closed.direction == stream::Direction::In
                    && self.outputs.starved(&closed.name, now)
                {
                    self.streams.delivers_nothing(closed.key);
                }
                if let Some(output) = output {
                    self.outputs.apply(output, now);
                }
                self.streams.apply(stream, now)
            }
            Facts::Output(event) => self.outputs.apply(event, now),
            Facts::Timer(event) => self.timers.apply(event, now),
            Facts::Session(event) => self.sessions.apply(event, now),
            Facts::Connection(event) => self.connections.apply(event),
            Facts::Api(event) => self.api.apply(event),
            Facts::Process(event) => self.processes.apply(event),
            Facts::Server(server) => {
                let change = self.server.apply(server, event.sender, now);
                if self.server.stopping() {
                    self.empty(now);
                }
                change
            }
            Facts::Other => Change::Counted,
        }
    }

    /// The server goes on as the process of `sender`.
    fn restart(&mut self, sender: Sender, now: Timestamp) {
        self.empty(now);
        self.streams.begin();
        self.outputs.begin();
        self.timers.begin();
        self.sessions.begin();
        self.connections.begin();
        self.server.begin(sender, now);
    }

    fn empty(&mut self, now: Timestamp) {
        self.streams.empty(now);
        self.outputs.empty(now);
        self.timers.empty();
        self.sessions.empty();
        self.connections.empty();
        self.processes.empty();
    }

    /// Updates what depends on the passing of time. Returns the derived events.
    pub fn tick(&mut self, now: Timestamp) -> Vec<DerivedEvent> {
        let stream::Derived { missing, inputs, orphans } = self.streams.tick(now);
        for key in orphans {
            self.outputs.unlisted(key, now);
        }
        self.sessions.tick(now);
        let (stalls, together) = self.outputs.tick(now);
        let inputs = inputs.into_iter().map(|(stream, state)| DerivedEvent::Input(stream, state));
        let derived_events: Vec<_> = stalls
            .into_iter()
            .map(DerivedEvent::Output)
            .chain(together.into_iter().map(DerivedEvent::Together))
            .chain(inputs)
            .chain(missing.into_iter().map(DerivedEvent::StreamMissing))
            .collect();
        for derived in &derived_events {
            self.recent.record_derived(derived, now);
        }
        derived_events
    }

    /// Counts no silence before `at`: what is open was last active then or later. The times of the events so far are too
    /// uncertain for more.
    pub fn judge_from(&mut self, at: Timestamp) {
        self.outputs.judge_from(at);
        self.timers.judge_from(at);
        self.server.judge_from(at);
    }

    /// Most stream names that may have series of their own.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    fn overflows(&self) -> u64 {
        self.streams.overflows()
            + self.outputs.overflows()
            + self.timers.overflows()
            + self.sessions.overflows()
            + self.connections.overflows()
            + self.processes.overflows()
    }
}

/// The metrics of a server beside those of its families.
pub const METRICS: &[Metric<State>] = &[
    Metric {
        name: "ems_events_total",
        kind: Kind::Counter,
        help: "Events applied, by event name; alternative spellings count under the usual name, unknown names under other.",
        labels: &["event"],
        query: "sum by (server, event) (rate(ems_events_total[5m])) > 0",
        samples: |state, samples| {
            for (kind, count) in EventKind::all().zip(&state.events) {
                samples.add(&[("event", kind.label())], *count);
            }
        },
    },
    Metric {
        name: "ems_exporter_corrections_total",
        kind: Kind::Counter,
        help: "Events that arrived late, repeated or out of order, or that revealed a lost event, by their effect on the state.",
        labels: &["kind"],
        query: "sum by (server, kind) (increase(ems_exporter_corrections_total[1h])) > 0",
        samples: |state, samples| {
            for change in Change::VARIANTS.iter().filter(|change| change.corrects()) {
                samples.add(&[("kind", change.label())], state.changes[*change as usize]);
            }
        },
    },
    Metric {
        name: "ems_exporter_series",
        kind: Kind::Gauge,
        help: "Objects with series of their own, including closed ones whose counters are retained: stream, names of streams; output, outputs; playlist, groups with a master playlist.",
        labels: &["kind"],
        query: "ems_exporter_series / ems_exporter_series_limit",
        samples: |state, samples| {
            let [outputs, playlists] = state.outputs.series();
            let kinds = [("stream", state.streams.names()), ("output", outputs), ("playlist", playlists)];
            for (kind, count) in kinds {
                samples.add(&[("kind", kind)], count);
            }
        },
    },
    Metric {
        name: "ems_exporter_series_limit",
        kind: Kind::Gauge,
        help: "Most objects with series of their own: limits.streams names of streams, as many groups with a master playlist, and four times as many outputs.",
        labels: &["kind"],
        query: "ems_exporter_series > 0.9 * ems_exporter_series_limit",
        samples: |state, samples| {
            let [outputs, playlists] = state.outputs.series_limits();
            let kinds = [("stream", state.limit), ("output", outputs), ("playlist", playlists)];
            for (kind, limit) in kinds {
                samples.add(&[("kind", kind)], limit);
            }
        },
    },
    Metric {
        name: "ems_exporter_series_folded_total",
        kind: Kind::Counter,
        help: "Objects beyond a limit, which share the series of stream=\"__overflow__\" or have no series of their own.",
        labels: &[],
        query: "increase(ems_exporter_series_folded_total[1h]) > 0",
        samples: |state, samples| samples.add(&[], state.overflows()),
    },
];
