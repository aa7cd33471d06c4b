//! What the server's own lists say of outputs.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Identity, Table, Writer};
use crate::exposition::bounded;
use crate::model::output::{Configured, Output};
use crate::model::{Change, Key};
use ems_protocol::Timestamp;

impl Table {
    /// A listed stream that is open writes this output. Says whether that was not known.
    pub fn listed(&mut self, output: &Output<'_>, now: Timestamp) -> bool {
        match self.writers.get(&output.key).copied() {
            Some(Writer { row, created, .. }) if created == output.created || created == 0 => {
                self.rows[row].expect(&output.tracks, now);
                return false;
            }
            Some(_) => self.drop_writer(output.key, now),
            None => {}
        }
        self.begin(output, now, Change::Adopted);
        true
    }

    /// A stream is gone from the list. Says whether it wrote an output.
    pub fn unlisted(&mut self, key: Key, created: u64, now: Timestamp) -> bool {
        let wrote = self.writers.contains_key(&key);
        if wrote {
            self.closed.remember(key, created);
            self.drop_writer(key, now);
        }
        wrote
    }

    /// An output is configured this way. Says whether its open row learned something.
    pub fn configured(&mut self, configured: &Configured<'_>) -> bool {
        let Configured { format, group, stream, folder, chunk_length } = configured;
        let text = |text: &Cow<'_, str>| Arc::from(&*bounded(Cow::Borrowed(text)));
        let identity = Identity { format: *format, group: text(group), stream: text(stream) };
        let Some(index) = self.by_identity.get(&identity).copied() else {
            return false;
        };
        self.settle_folder(index, *format, folder);
        let row = &mut self.rows[index];
        let learns = row.open() && chunk_length.is_some() && row.chunk_length.is_none();
        if learns {
            row.chunk_length = *chunk_length;
        }
        learns
    }

    /// Ends a look at a list that was asked for at `asked`: rows that are open only because chunks
    /// came, and that no listed stream writes, are closed. Says how many, and whether more are in
    /// doubt.
    pub fn end_poll(&mut self, asked: Timestamp, now: Timestamp) -> (u64, bool) {
        let mut ended = 0;
        for (index, row) in &mut self.rows {
            if row.adopted && !row.folded() && row.heard() < asked && self.doubts.lasts(index, asked, now) {
                row.end(now);
                ended += 1;
            }
        }
        (ended, self.doubts.end_poll())
    }
}
