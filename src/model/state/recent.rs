//! The last events that were applied to a server, and the last derived events.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use strum::VariantArray;

use super::derived::DerivedEvent;
use crate::model::Change;
use crate::model::event::{Event, EventKind, Facts};
use crate::model::output::{self, OutputRef};
use ems_protocol::{Timestamp, Wall};

/// How many events are kept.
pub const KEPT: usize = 100;

/// An event that was applied, or a derived event, in the API and on the live page.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// Its place among the records of the same kind.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The name of the event.
    pub name: &'static str,
    /// Its effect: [`Change::label`], or the derived event in one word.
    pub change: &'static str,
    /// The stream that it is about, where that is known and has a name of its own.
    pub stream: Option<Arc<str>>,
    /// The format of the output that it is about.
    pub format: Option<&'static str>,
}

/// An event record in the API.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    timestamp_seconds: f64,
    server: &'a str,
    event: &'static str,
    change: &'static str,
    stream: Option<Arc<str>>,
    format: Option<&'static str>,
}

impl EventRecord {
    /// The record as one of `server`.
    pub fn view<'a>(&self, server: &'a str, wall: Wall) -> View<'a> {
        View {
            timestamp_seconds: wall.seconds(self.at),
            server,
            event: self.name,
            change: self.change,
            stream: self.stream.clone(),
            format: self.format,
        }
    }
}

/// An event that was applied, in as few bytes as it takes: one is written for each event.
#[derive(Debug)]
struct CompactRecord {
    at: Timestamp,
    kind: EventKind,
    change: Change,
    format: Option<output::Format>,
    stream: Option<Arc<str>>,
    /// The output whose stream it is about, until that is resolved.
    output: Option<OutputRef>,
}

/// The last events of all kinds, and the last of those kinds that are rare enough to be read one by one.
#[derive(Debug, Default)]
pub struct Recent {
    all: VecDeque<CompactRecord>,
    number: u64,
    notable: VecDeque<EventRecord>,
}

impl Recent {
    /// Records an event that was applied.
    pub(super) fn record(
        &mut self,
        event: &Event<'_>,
        change: Change,
        stream: Option<Arc<str>>,
        output: Option<OutputRef>,
        at: Timestamp,
    ) {
        let format = event.facts.output().map(output::Event::format);
        let record = CompactRecord { at, kind: event.kind, change, format, stream, output };
        if !is_routine(&event.facts) {
            keep(&mut self.notable, record.expand(self.number, None));
            self.number += 1;
        }
        keep(&mut self.all, record);
    }

    /// Records a derived event.
    pub(super) fn record_derived(&mut self, derived: &DerivedEvent, at: Timestamp) {
        let (change, stream, format) = match derived {
            DerivedEvent::StreamMissing(stream) => ("missing", Some(stream), None),
            DerivedEvent::Input(stream, state) => (state.label(), Some(stream), None),
            DerivedEvent::Together(together) => {
                let named = |scope| (together.scope == scope).then_some(&together.name);
                let format = named(output::Scope::Format).and_then(|name| {
                    let mut labels = output::Format::VARIANTS.iter().map(|format| format.label());
                    labels.find(|label| **label == **name)
                });
                (together.scope.label(), named(output::Scope::Input), format)
            }
            DerivedEvent::Output(stall) => {
                let change = match stall.transition {
                    output::StallTransition::Stalled | output::StallTransition::NeverStarted => "stalled",
                    output::StallTransition::Recovered => "recovered",
                };
                (change, Some(&stall.stream), Some(stall.format.label()))
            }
        };
        let (number, name) = (self.number, derived.name());
        let record = EventRecord { number, at, name, change, stream: stream.cloned(), format };
        self.number += 1;
        keep(&mut self.notable, record);
    }

    /// The last events that were applied, the oldest first.
    pub(super) fn all(&self, outputs: &output::Table) -> Vec<EventRecord> {
        (0..).zip(&self.all).map(|(number, record)| record.expand(number, Some(outputs))).collect()
    }

    /// The last event that was applied.
    pub(super) fn last(&self, outputs: &output::Table) -> Option<EventRecord> {
        self.all.back().map(|record| record.expand(0, Some(outputs)))
    }

    /// The last derived events and events but chunks, playlists, connections and API calls from this
    /// number on, the oldest first.
    pub fn notable(&self, from: u64) -> impl DoubleEndedIterator<Item = &EventRecord> {
        self.notable.iter().filter(move |record| record.number >= from)
    }

    /// How many notable ones there have been.
    pub const fn number(&self) -> u64 {
        self.number
    }
}

impl CompactRecord {
    fn expand(&self, number: u64, outputs: Option<&output::Table>) -> EventRecord {
        let resolve = || outputs.zip(self.output).and_then(|(outputs, output)| outputs.stream_of(output));
        EventRecord {
            number,
            at: self.at,
            name: self.kind.label(),
            change: self.change.label(),
            stream: self.stream.as_ref().or_else(resolve).cloned(),
            format: self.format.map(output::Format::label),
        }
    }
}

fn keep<T>(kept: &mut VecDeque<T>, record: T) {
    if kept.len() >= KEPT {
        kept.pop_front();
    }
    kept.push_back(record);
}

/// Whether such events are too frequent to be read one by one.
const fn is_routine(facts: &Facts<'_>) -> bool {
    matches!(facts, Facts::Connection(_) | Facts::Api(_))
        || matches!(facts, Facts::Output(event) if !matches!(event, output::Event::ChunkError(_)))
}
