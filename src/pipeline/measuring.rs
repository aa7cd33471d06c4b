//! Hands closed chunks over to be measured.

use std::fmt;

use crate::model::output::{ClosedChunk, Event, Table};

/// Takes a closed chunk of a server to measure its file, or returns it if its queue is full. It must not wait.
pub type Measure = Box<dyn Fn(&str, ClosedChunk) -> Result<(), ClosedChunk> + Send + Sync>;

/// Where closed chunks go.
pub(super) struct Measuring(pub(super) Measure);

impl fmt::Debug for Measuring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measuring").finish_non_exhaustive()
    }
}

impl Measuring {
    /// Hands over the chunk that an event closed, if it did. It is called under the server's lock, so that chunks keep
    /// the order of their events.
    pub(super) fn hand_over(&self, server: &str, event: &Event<'_>, outputs: &mut Table) {
        if let Some(chunk) = outputs.take_closed_chunk(event)
            && let Err(chunk) = (self.0)(server, chunk)
        {
            outputs.measured(&chunk, None);
        }
    }
}
