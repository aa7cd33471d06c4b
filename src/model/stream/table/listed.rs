//! Correction of the table by the server's own list of streams.

use std::time::Duration;

use hashbrown::HashSet;

use super::{Discrepancy, Table};
use crate::model::Key;
use crate::model::discrepancies::SETTLE;
use crate::model::stream::event::Stream;
use crate::model::stream::row::{OpenStream, Properties};
use ems_protocol::Timestamp;

/// The result for one stream of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingResult {
    /// The table had it; its counters and codecs were taken over.
    Known,
    /// The table did not have it, and has it now.
    Opened,
    /// The table does not have it, and an event may still explain that.
    Unconfirmed,
}

/// A stream that the list does not have, and that was removed from the table.
#[derive(Debug)]
pub struct Removed {
    /// Its key.
    pub key: Key,
    open: OpenStream,
}

impl Removed {
    /// Its properties.
    pub fn properties(&self) -> Properties<'_> {
        Properties::of(&self.open)
    }
}

impl Table {
    /// Begins a poll of the list.
    pub fn begin_poll(&mut self) {
        self.names.clear_rates();
    }

    /// Takes one stream of a list that was requested at `requested`.
    pub fn listed(&mut self, stream: &Stream<'_>, requested: Timestamp, now: Timestamp) -> ListingResult {
        let (key, created) = (stream.key, stream.created);
        let confirmed = match self.streams.get(&key) {
            // Some formats of events do not have the time when a stream was created.
            Some(open) if open.stamp == created || open.stamp == 0 => {
                self.meter(stream, now);
                self.update(stream, now);
                return ListingResult::Known;
            }
            // A creation with the same id that came after the list was requested stands.
            Some(open) if open.row.last_event >= requested => false,
            Some(open) => {
                let replaced = Discrepancy::Replaced(key, created, open.stamp);
                self.discrepancies.is_confirmed(replaced, requested, now)
            }
            None if self.streams.has_closed(key, created) => {
                self.discrepancies.is_confirmed(Discrepancy::Closed(key, created), requested, now)
            }
            None => {
                let unseen = Discrepancy::Unseen(key, created);
                stream.up_time >= SETTLE || self.discrepancies.is_confirmed(unseen, requested, now)
            }
        };
        if !confirmed {
            return ListingResult::Unconfirmed;
        }
        self.streams.forget_close(key, created);
        self.open(stream, false, stream.tracks.map(|track| track.traffic), now);
        self.meter(stream, now);
        ListingResult::Opened
    }

    /// Ends the poll: removes and returns the streams that are not in the list. Also returns whether
    /// discrepancies are left.
    pub fn end_poll(
        &mut self,
        listed: &HashSet<Key>,
        requested: Timestamp,
        now: Timestamp,
    ) -> (Vec<Removed>, bool) {
        let mut missing = Vec::new();
        for (key, open) in self.streams.iter() {
            let unlisted = Discrepancy::Unlisted(*key, open.stamp);
            if open.row.last_event < requested
                && !listed.contains(key)
                && self.discrepancies.is_confirmed(unlisted, requested, now)
            {
                missing.push(*key);
            }
        }
        let removed = missing.into_iter().filter_map(|key| Some(Removed { key, open: self.end(key, now)? }));
        let removed = removed.collect();
        (removed, self.discrepancies.end_poll())
    }

    /// For how long the bytes of an open stream that has some have stood still, from poll to poll.
    pub fn stands_still(&self, key: Key) -> Option<Duration> {
        let row = &self.streams.get(&key)?.row;
        row.metered.filter(|(_, bytes)| bytes.iter().any(|bytes| *bytes > 0))?;
        Some(row.listed?.since(row.still_since?))
    }

    /// Works out the rates since the poll before.
    fn meter(&mut self, stream: &Stream<'_>, now: Timestamp) {
        let Some(OpenStream { label, row, .. }) = self.streams.get_mut(&stream.key) else {
            return;
        };
        let bytes = stream.tracks.map(|track| track.traffic.bytes);
        let before = row.metered.replace((stream.queried, bytes));
        let listed = row.listed.replace(now);
        let Some((queried, earlier)) = before else {
            return;
        };
        let still = bytes.iter().zip(&earlier).all(|(bytes, earlier)| bytes <= earlier);
        row.still_since = row.still_since.or(listed).filter(|_| still);
        let seconds = stream.queried.since(queried).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let rates = [0, 1].map(|medium| bytes[medium].saturating_sub(earlier[medium]) as f64 * 8.0 / seconds);
        row.rate = Some(rates.iter().sum());
        if let Some(name) = &row.name {
            self.names.add_rates(*label, name, rates);
        }
    }
}
