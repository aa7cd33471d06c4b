//! The lines that the pipeline logs about media servers.

use crate::model::output::StallTransition;
use crate::model::state::{DerivedEvent, State};
use crate::model::stream::InputState;

/// The server has restarted, with its process and version before that and now.
pub(super) fn restart(server: &str, state: &State) {
    let (previous_process, previous_version) = state.server.before();
    let (process, version) = state.server.identity();
    tracing::info!(
        server,
        previous_process,
        process,
        previous_version,
        version,
        "the media server has restarted"
    );
}

/// The events of two servers arrive under one name, or do so no more.
pub(super) fn mixed(server: &str, mixed: bool) {
    if mixed {
        tracing::warn!(
            server,
            "two servers post their events under this name: let each post to a path of its own, /events/NAME"
        );
    } else {
        tracing::info!(server, "the events of one server arrive under this name again");
    }
}

/// No event of a server has ever come.
pub(super) fn absent(server: &str) {
    tracing::warn!(
        server,
        "no event has arrived in the 5 minutes since the start: if the media server has streams, compare its sink with the \
         block that `ems-exporter sink-config` prints; of several eventLogger blocks only the last one counts"
    );
}

/// A derived event.
pub(super) fn derived(server: &str, event: &DerivedEvent) {
    let stall = match event {
        DerivedEvent::StreamMissing(stream) => {
            return tracing::warn!(server, stream = &**stream, "an expected stream is missing");
        }
        DerivedEvent::Input(stream, InputState::Live | InputState::Waiting) => {
            return tracing::info!(server, stream = &**stream, "inbound stream delivers again");
        }
        DerivedEvent::Input(stream, state) => {
            let (stream, state) = (&**stream, state.label());
            return tracing::warn!(server, stream, state, "inbound stream delivers nothing");
        }
        DerivedEvent::Together(together) => {
            let (scope, name, outputs) = (together.scope.label(), &*together.name, together.outputs);
            return tracing::warn!(server, scope, name, outputs, "all outputs stalled");
        }
        DerivedEvent::Output(stall) => stall,
    };
    let (format, track) = (stall.format.label(), stall.track.label());
    let (group, stream) = (&*stall.group, &*stall.stream);
    match stall.transition {
        StallTransition::Stalled => {
            tracing::warn!(server, format, group, stream, track, "output stalled")
        }
        StallTransition::NeverStarted => {
            tracing::warn!(server, format, group, stream, track, "output never started");
        }
        StallTransition::Recovered => {
            tracing::info!(server, format, group, stream, track, "output recovered")
        }
    }
}
