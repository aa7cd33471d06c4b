//! Correction of the table by the server's own lists of streams and configurations.

use std::borrow::Cow;
use std::sync::Arc;

use super::Table;
use crate::exposition::bounded;
use crate::model::Key;
use crate::model::output::event::{Configured, Output};
use crate::model::output::row::Identity;
use ems_protocol::Timestamp;

impl Table {
    /// A listed stream that is open writes this output. Returns whether that was not known.
    pub fn listed(&mut self, output: &Output<'_>, now: Timestamp) -> bool {
        if let Some(writer) = self.writers.get(&output.key)
            && (writer.stamp == output.created || writer.stamp == 0)
        {
            self.rows[writer.row.row].expect(&output.tracks, now);
            return false;
        }
        self.writers.forget_close(output.key, output.created);
        self.open(output, false, now);
        true
    }

    /// A stream was removed since it is not in the list. Returns whether it wrote an output.
    pub fn unlisted(&mut self, key: Key, now: Timestamp) -> bool {
        let writer = self.writers.end(key);
        if let Some(writer) = &writer {
            self.rows[writer.row.row].end(now);
        }
        writer.is_some()
    }

    /// An output is configured this way. Returns whether its open row learned its chunk
    /// length by that.
    pub fn configured(&mut self, configured: &Configured<'_>) -> bool {
        let Configured { format, group, stream, folder, chunk_length, .. } = configured;
        let text = |text: &Cow<'_, str>| Arc::from(&*bounded(Cow::Borrowed(text)));
        let identity = Identity { format: *format, group: text(group), stream: text(stream) };
        let Some(index) = self.rows.by_identity(&identity) else {
            return false;
        };
        self.rows.announce(index, *format, folder);
        let row = &mut self.rows[index];
        let learns = row.open() && chunk_length.is_some() && row.chunk_length.is_none();
        if learns {
            row.chunk_length = *chunk_length;
        }
        learns
    }

    /// Ends a poll that was requested at `requested`: closes rows that are open only because chunks came, and
    /// that no listed stream writes. Returns how many, and whether discrepancies are left.
    pub fn end_poll(&mut self, requested: Timestamp, now: Timestamp) -> (u64, bool) {
        let mut ended = 0;
        for (index, row) in self.rows.iter_mut() {
            let unlisted = row.adopted && !row.is_overflow() && row.last_written() < requested;
            if unlisted && self.discrepancies.is_confirmed(index, requested, now) {
                row.end(now);
                ended += 1;
            }
        }
        (ended, self.discrepancies.end_poll())
    }
}
