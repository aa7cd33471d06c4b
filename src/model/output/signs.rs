//! The signs of life of a track: its completed chunks. That one of them is empty is known later, or never.

use std::time::Duration;

use ems_protocol::Timestamp;

/// Most completed chunks of unknown size that can still turn out to be empty; beyond that the oldest counts for good.
const UNKNOWN: usize = 4;

/// A completed chunk: its number among those of its track, from 1, and when it was complete.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sign {
    pub(super) number: u64,
    pub(super) at: Timestamp,
}

/// The signs of life of the present run of an output.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// The newest sign that counts for good; before it, the opening of the output.
    settled: Timestamp,
    /// Whether that is a completed chunk.
    wrote: bool,
    /// Chunks of unknown size, each at its number modulo their count; number 0 is none.
    unknown: [Sign; UNKNOWN],
    /// Whether the last chunk of known size was empty. Then the next counts only once its size is known.
    pub(super) empty: bool,
    /// The last chunk that came since, if its size is not known.
    withheld: Option<Sign>,
}

impl Signs {
    /// No chunk since the output was opened at `opened`.
    pub(super) fn of_run(opened: Timestamp) -> Self {
        Self { settled: opened, ..Self::default() }
    }

    /// The signs so far are at `at` or later: their times are too uncertain for more.
    pub(super) fn judge_from(&mut self, at: Timestamp) {
        self.settled = self.settled.max(at);
    }

    /// When the last chunk was complete that is not known to be empty, and whether there is one; before it, when the
    /// output was opened.
    pub(super) fn last(&self) -> (Timestamp, bool) {
        let unknown = self.unknown.iter().filter(|sign| sign.number > 0).map(|sign| sign.at).max();
        (unknown.map_or(self.settled, |at| at.max(self.settled)), self.wrote || unknown.is_some())
    }

    /// A chunk is complete.
    pub(super) fn add(&mut self, sign: Sign) {
        let place = &mut self.unknown[(sign.number % UNKNOWN as u64) as usize];
        let at = if place.number == sign.number { place.at.max(sign.at) } else { sign.at };
        let before = std::mem::replace(place, Sign { number: sign.number, at });
        if before.number > 0 && before.number != sign.number {
            (self.settled, self.wrote) = (self.settled.max(before.at), true);
        }
    }

    /// A chunk is complete, and counts once its size is known.
    pub(super) const fn withhold(&mut self, sign: Sign) {
        self.withheld = Some(sign);
    }

    /// Chunk `number` is empty: it was no sign of life. `measured` says that its size shows that, not its event.
    pub(super) fn remove(&mut self, number: u64, measured: bool) {
        let withheld = self.withheld.take_if(|sign| sign.number == number);
        let counted = self.unknown.iter_mut().find(|sign| sign.number == number).map(std::mem::take);
        self.empty |= measured && withheld.or(counted).is_some();
    }

    /// Chunk `number` holds bytes, or its size stays unknown. Returns the sign that was withheld and counts from now on.
    pub(super) fn confirm(&mut self, number: u64) -> Option<Sign> {
        let withheld = self.withheld.take_if(|sign| sign.number >= number);
        self.empty &= withheld.is_none();
        withheld
    }

    /// The sign that has been withheld for longer than `wait`, and counts from now on: its size may never be known.
    pub(super) fn overdue(&mut self, wait: Duration, now: Timestamp) -> Option<Sign> {
        let withheld = self.withheld.take_if(|sign| now.since(sign.at) > wait);
        self.empty &= withheld.is_none();
        withheld
    }
}
