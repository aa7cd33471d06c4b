//! What the server's own list of streams says against the table.

use hashbrown::HashSet;

use super::{Known, Row, Table, Traffic};
use crate::model::Key;
use crate::model::discrepancies::SETTLE;
use crate::model::stream::{Direction, Stream};
use ems_protocol::Timestamp;

/// Something that the list and the table tell differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    /// The list has this stream with this stamp, the table has never had it.
    Unseen(Key, u64),
    /// The list has it, the table has closed it.
    Ended(Key, u64),
    /// The list has it, the table has another with this stamp and the same key.
    Taken(Key, u64, u64),
    /// The table has it, the list does not.
    Unlisted(Key, u64),
}

/// What the list said of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The table has it; its counters and codecs were taken over.
    Known,
    /// It was not in the table, and is now.
    Appeared,
    /// It is not in the table, and an event may still say why.
    Doubted,
}

/// A stream that the list does not have, and the table no longer either.
#[derive(Debug)]
pub struct Gone {
    /// What it was known by.
    pub key: Key,
    row: Row,
}

impl Gone {
    /// Its stamp.
    pub const fn created(&self) -> u64 {
        self.row.created
    }

    /// What was known of it.
    pub fn known(&self) -> Known<'_> {
        self.row.known()
    }
}

impl Table {
    /// Begins a look at the list.
    pub fn begin_look(&mut self) {
        for named in self.names.values_mut() {
            named.rates = [[None; 2]; 2];
        }
    }

    /// Takes one stream of a list that was asked for at `asked`.
    pub fn listed(&mut self, stream: &Stream<'_>, asked: Timestamp, now: Timestamp) -> Verdict {
        let (key, created) = (stream.key, stream.created);
        let believed = match self.rows.get(&key) {
            Some(row) if row.is_of(created) => {
                self.meter(stream);
                self.update(stream, now);
                return Verdict::Known;
            }
            // A creation with the same id that came after the list was asked for stands.
            Some(row) if row.heard >= asked => false,
            Some(row) => self.doubts.lasts(Doubt::Taken(key, created, row.created), asked, now),
            None if self.closed.holds(key, created) => {
                self.doubts.lasts(Doubt::Ended(key, created), asked, now)
            }
            None => stream.up_time >= SETTLE || self.doubts.lasts(Doubt::Unseen(key, created), asked, now),
        };
        if !believed {
            return Verdict::Doubted;
        }
        self.remove(stream.key, now);
        self.insert(stream, now, false, stream.tracks.map(|track| track.traffic));
        self.meter(stream);
        Verdict::Appeared
    }

    /// Ends the look: streams that are not in the list leave, and are returned with whether
    /// anything is in doubt.
    pub fn end_poll(&mut self, listed: &HashSet<Key>, asked: Timestamp, now: Timestamp) -> (Vec<Gone>, bool) {
        let doubts = &mut self.doubts;
        let missing = self
            .rows
            .iter()
            .filter(|(key, row)| row.heard < asked && !listed.contains(*key))
            .filter(|(key, row)| doubts.lasts(Doubt::Unlisted(**key, row.created), asked, now));
        let missing: Vec<Key> = missing.map(|(key, _)| *key).collect();
        let gone = missing.into_iter().filter_map(|key| Some(Gone { key, row: self.remove(key, now)? }));
        let gone = gone.collect();
        (gone, self.doubts.end_poll())
    }

    /// Works out the rates since the look before.
    fn meter(&mut self, stream: &Stream<'_>) {
        let Some(row) = self.rows.get_mut(&stream.key) else {
            return;
        };
        let bytes = stream.tracks.map(|track| track.traffic.bytes);
        let before = row.metered.replace((stream.queried, bytes));
        let Some((queried, earlier)) = before else {
            return;
        };
        let seconds = stream.queried.since(queried).as_secs_f64();
        if seconds > 0.0 {
            let grown: u64 =
                bytes.iter().zip(&earlier).map(|(after, before)| after.saturating_sub(*before)).sum();
            row.rate = Some(grown as f64 * 8.0 / seconds);
        }
        let Some(name) = row.name.as_ref() else {
            return;
        };
        let Some(named) = self.names.get_mut(name).filter(|_| seconds > 0.0) else {
            return;
        };
        let direction = usize::from(!row.ingest());
        for (rate, (before, after)) in named.rates[direction].iter_mut().zip(earlier.iter().zip(&bytes)) {
            let bits = after.saturating_sub(*before) as f64 * 8.0;
            *rate = Some(rate.unwrap_or(0.0) + bits / seconds);
        }
    }
}

impl Row {
    /// Whether this is the stream that was created at this moment. Some formats of events do not
    /// tell when that was.
    const fn is_of(&self, created: u64) -> bool {
        self.created == created || self.created == 0
    }
}

/// The direction of a listed stream, which no event's name tells: the first letter of its type.
pub(in crate::model::stream) fn direction(kind: &str) -> Direction {
    match kind.as_bytes().first() {
        Some(b'I') => Direction::In,
        Some(b'O') => Direction::Out,
        Some(_) | None => Direction::Neutral,
    }
}

/// Nothing has flowed.
pub(super) const NOTHING: [Traffic; 2] = [Traffic { bytes: 0, packets: 0, dropped: 0 }; 2];
