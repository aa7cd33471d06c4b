//! The API representation of one media server: itself, counts of everything it has, and where its events come from.

use serde::Serialize;

use crate::metrics::Sources;
use crate::model::output::OutputCounts;
use crate::model::server;
use crate::model::state::State;
use crate::model::stream::{Direction, Purpose};
use crate::pipeline::Server;
use crate::{file_input, reconcile};
use ems_protocol::{Timestamp, Wall};

/// A media server.
#[derive(Debug, Serialize)]
pub(super) struct View {
    name: String,
    #[serde(flatten)]
    server: server::View,
    streams_in: usize,
    streams_out: usize,
    streams_missing: usize,
    viewers: usize,
    sessions: usize,
    timers: usize,
    #[serde(flatten)]
    outputs: OutputCounts,
    stream_names: usize,
    stream_names_limit: usize,
    event_files: Option<file_input::View>,
    reconcile: Option<reconcile::View>,
}

impl View {
    pub(super) fn of(server: &Server, sources: Sources<'_>, now: Timestamp, wall: Wall) -> Self {
        let files = sources.files.iter().find(|files| files.server.name == server.name);
        let reconciler = sources.reconcilers.iter().find(|reconciler| reconciler.server.name == server.name);
        let event_files = files.map(|files| files.reading().view(wall));
        let reconcile = reconciler.map(|reconciler| reconciler.status().view(wall));
        let streams = |state: &State, wanted| {
            state.streams.count(|direction, purpose| direction == wanted && purpose != Purpose::Internal)
        };
        server.read(|state| Self {
            name: server.name.clone(),
            server: state.server.view(wall),
            streams_in: streams(state, Direction::In),
            streams_out: streams(state, Direction::Out),
            streams_missing: state.streams.missing(),
            // Players with a connection of their own.
            viewers: state
                .streams
                .count(|direction, purpose| direction == Direction::Out && purpose == Purpose::Play),
            sessions: state.sessions.open(),
            timers: state.timers.open(),
            outputs: state.outputs.counts(now),
            stream_names: state.streams.names(),
            stream_names_limit: state.limit(),
            event_files,
            reconcile,
        })
    }
}
