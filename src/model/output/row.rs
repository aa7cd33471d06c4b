//! One output: its tracks, what they have written, what is usual for them, and when they stall.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Format, Step, Track};
use crate::model::OVERFLOW;
use ems_protocol::Timestamp;

/// An output that never wrote and is made again within this time has been silent all along.
const REMADE: Duration = Duration::from_secs(30);
/// For how long chunks may follow the close of their output: bodies overtake each other.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How many intervals the learned one is the median of. One long stall does not move it; a true
/// change of the chunk length does after three chunks.
const LEARNED: usize = 5;

/// What has become of a track's stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallTransition {
    /// It began, after chunks had been written.
    Stalled,
    /// It began, and the present run of the output has not closed a chunk at all.
    NeverStarted,
    /// A chunk was closed again, or for the first time.
    Recovered,
}

/// From which age on a last chunk is a stall.
#[derive(Debug, Clone, Copy)]
pub(super) struct StallPolicy {
    /// In chunk lengths.
    pub(super) factor: f64,
    /// At least.
    pub(super) minimum: Duration,
}

/// What an output is known by: the labels of its series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) format: Format,
    pub(super) group: Arc<str>,
    pub(super) stream: Arc<str>,
}

/// An output that is open, or was so lately.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) identity: Identity,
    /// Tells a row from the one whose place it took.
    pub(super) serial: NonZeroU32,
    /// How many streams write it now.
    pub(super) writers: usize,
    /// Whether it is open without a writer that we know: its creation is late or lost.
    pub(super) adopted: bool,
    /// The folders that lead here, the latest last: a recording may get a new one each day.
    pub(super) folders: Vec<Arc<str>>,
    pub(super) chunk_length: Option<Duration>,
    /// When it was opened, or made known.
    since: Timestamp,
    /// When it was closed, once it was.
    ended: Option<Timestamp>,
    /// One for each track that was ever written or expected, by its number: in the row itself,
    /// since each chunk looks it up.
    parts: [Option<Part>; 3],
    pub(super) playlist: Updates,
}

impl Row {
    pub(super) const fn new(identity: Identity, serial: NonZeroU32, now: Timestamp) -> Self {
        Self {
            identity,
            serial,
            writers: 0,
            adopted: false,
            folders: Vec::new(),
            chunk_length: None,
            since: now,
            ended: None,
            parts: [const { None }; 3],
            playlist: Updates { count: 0, last: None },
        }
    }

    pub(super) const fn open(&self) -> bool {
        self.adopted || self.writers > 0
    }

    /// Whether it stands for all outputs beyond a limit, and so cannot be judged.
    pub(super) fn folded(&self) -> bool {
        &*self.identity.stream == OVERFLOW
    }

    /// When something was last true of it, once it is not open.
    pub(super) fn left(&self) -> Timestamp {
        self.ended.max(self.playlist.last).unwrap_or(self.since)
    }

    /// When it last wrote a chunk, or was opened.
    pub(super) fn heard(&self) -> Timestamp {
        self.parts().map(|part| part.last).max().unwrap_or(self.since).max(self.since)
    }

    /// Its tracks, live or not.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().flatten()
    }

    /// A writer opens it. Returns the moment from which its silence counts.
    pub(super) fn begin(&mut self, chunk_length: Option<Duration>, now: Timestamp) -> Timestamp {
        if !self.open() {
            self.chunk_length = None;
            let remade = self.ended.is_some_and(|ended| now.since(ended) <= REMADE);
            let known = self.parts().next().is_some();
            let silent = known && !self.parts().any(|part| part.wrote);
            if remade && silent {
                // The same silence goes on, and with it its stall.
                self.parts.iter_mut().flatten().for_each(|part| part.writing = false);
            } else {
                self.run_from(now);
            }
        }
        self.adopted = false;
        self.writers += 1;
        self.chunk_length = self.chunk_length.max(chunk_length);
        self.since
    }

    /// A chunk shows that it is written although no writer is known. Returns whether it is open by
    /// that; a chunk that may only be late does not open it.
    pub(super) fn adopt(&mut self, now: Timestamp, settled: bool) -> bool {
        if self.open() || self.folded() {
            return false;
        }
        let late = self.ended.is_some_and(|ended| now.since(ended) <= GRACE);
        if settled && !late {
            self.run_from(now);
            self.adopted = true;
        } else {
            self.ended = self.ended.or(Some(now));
        }
        self.adopted
    }

    fn run_from(&mut self, since: Timestamp) {
        self.since = since;
        // The playlist of the run before says nothing of this one.
        self.playlist.last = self.playlist.last.filter(|last| since.since(*last) <= GRACE);
        for part in self.parts.iter_mut().flatten() {
            part.rest();
        }
    }

    /// A writer, or the guess that there is one, goes.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.writers = self.writers.saturating_sub(1);
        self.adopted = false;
        self.ended = Some(now);
    }

    /// Makes the tracks that are known live, or a whole one as long as none is known.
    pub(super) fn expect(&mut self, tracks: &[Track], start: Timestamp) {
        let none_known = tracks.is_empty() && !self.parts().any(|part| part.live);
        for track in if none_known { &[Track::Whole] } else { tracks } {
            self.part(*track, start);
        }
    }

    /// The part for a track, made live if it is not: then its age counts from `start`, or from
    /// where that of the part began which stood for unknown tracks and now goes.
    pub(super) fn part(&mut self, track: Track, start: Timestamp) -> &mut Part {
        let mut start = start;
        if track != Track::Whole
            && let Some(unknown) = self.parts[Track::Whole as usize].take_if(|part| part.closed == 0)
            && unknown.live
        {
            start = unknown.last;
        }
        let part = self.parts[track as usize].get_or_insert_with(|| Part::new(track));
        if !part.live {
            (part.live, part.last) = (true, start);
        }
        part
    }

    /// A chunk of a track was opened or closed. Returns the time since the one before was closed.
    pub(super) fn write(
        &mut self,
        track: Track,
        step: Step,
        patience: StallPolicy,
        now: Timestamp,
    ) -> Option<Duration> {
        let chunk_length = self.chunk_length;
        let part = self.part(track, now);
        match step {
            Step::Opened => {
                part.open(chunk_length, patience, now);
                None
            }
            Step::Closed(duration) => part.close(duration, chunk_length, patience, now),
        }
    }

    /// Takes over what a row has counted that was only a guess at this one.
    pub(super) fn absorb(&mut self, guess: Self) {
        for part in guess.parts.into_iter().flatten() {
            let ours = self.part(part.track, part.last);
            ours.opened += part.opened;
            ours.closed += part.closed;
            ours.writing |= part.writing;
        }
        self.playlist.count += guess.playlist.count;
        self.playlist.last = self.playlist.last.max(guess.playlist.last);
    }

    /// Whether a track stalls.
    pub(super) fn stalls(&self, track: Track) -> bool {
        self.parts[track as usize].as_ref().is_some_and(|part| part.live && part.stalled)
    }

    /// The tracks that begin or cease to stall now. One of an output that has closed does neither:
    /// the last chunk that is written at its end recovers nothing.
    pub(super) fn turn(
        &mut self,
        patience: StallPolicy,
        now: Timestamp,
    ) -> impl Iterator<Item = (StallTransition, Track)> {
        let judged = self.open() && !self.folded();
        let chunk_length = self.chunk_length;
        self.parts.iter_mut().flatten().filter_map(move |part| {
            let age = now.since(part.last).as_secs_f64();
            let old = part.threshold(chunk_length, patience).is_some_and(|threshold| age > threshold);
            let begins = judged && part.live && !part.stalled && old;
            part.stalled |= begins;
            part.stalls += u64::from(begins);
            let recovered = std::mem::take(&mut part.recovered);
            let turn = match (begins, recovered) {
                (true, _) if part.wrote => StallTransition::Stalled,
                (true, _) => StallTransition::NeverStarted,
                (false, true) if judged && part.live => StallTransition::Recovered,
                (false, _) => return None,
            };
            Some((turn, part.track))
        })
    }
}

/// One track of an output.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) track: Track,
    /// Whether the present run of the output is known to write this track.
    pub(super) live: bool,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) stalls: u64,
    /// When its last chunk is known to have been complete; before the first one, when the output
    /// was opened.
    pub(super) last: Timestamp,
    /// Whether the present run of the output has completed a chunk of it.
    pub(super) wrote: bool,
    /// When the present run last told of a closed chunk; the epoch before the first one.
    told: Timestamp,
    /// Whether a chunk has been opened and not closed.
    writing: bool,
    stalled: bool,
    /// Whether it has ceased to stall since the last look.
    recovered: bool,
    intervals: [f32; LEARNED],
    learned: u32,
}

impl Part {
    const fn new(track: Track) -> Self {
        Self {
            track,
            live: false,
            opened: 0,
            closed: 0,
            stalls: 0,
            last: Timestamp::from_millis(0),
            wrote: false,
            told: Timestamp::from_millis(0),
            writing: false,
            stalled: false,
            recovered: false,
            intervals: [0.0; LEARNED],
            learned: 0,
        }
    }

    /// Nothing is known of the next run of the output.
    fn rest(&mut self) {
        (self.live, self.wrote, self.writing) = (false, false, false);
        self.told = Timestamp::default();
        (self.stalled, self.recovered) = (false, false);
    }

    /// A chunk was opened. If one is open already, that is complete by now, and the event that it
    /// was closed is late or lost.
    fn open(&mut self, chunk_length: Option<Duration>, patience: StallPolicy, now: Timestamp) {
        self.opened += 1;
        if std::mem::replace(&mut self.writing, true) {
            self.complete(chunk_length, patience, now);
        }
    }

    /// A chunk was closed. Returns the time since the one before was.
    fn close(
        &mut self,
        duration: Option<Duration>,
        chunk_length: Option<Duration>,
        patience: StallPolicy,
        now: Timestamp,
    ) -> Option<Duration> {
        self.closed += 1;
        self.writing = false;
        self.complete(chunk_length, patience, now);
        let interval = (self.told > Timestamp::default()).then(|| now.since(self.told));
        self.told = self.told.max(now);
        if let Some(interval) = interval.or(duration.filter(|_| self.learned == 0)) {
            self.learn(interval);
        }
        interval
    }

    /// A chunk is complete. A stall that nobody has looked at is counted by its end.
    fn complete(&mut self, chunk_length: Option<Duration>, patience: StallPolicy, now: Timestamp) {
        if self.wrote && !self.stalled {
            let silent = now.since(self.last).as_secs_f64();
            let threshold = self.threshold(chunk_length, patience);
            self.stalls += u64::from(threshold.is_some_and(|threshold| silent > threshold));
        }
        self.recovered |= self.stalled;
        (self.wrote, self.stalled) = (true, false);
        self.last = self.last.max(now);
    }

    fn learn(&mut self, interval: Duration) {
        self.intervals[self.learned as usize % LEARNED] = interval.as_secs_f32();
        self.learned += 1;
    }

    /// The usual time between its chunks, in seconds.
    fn usual(&self) -> Option<f64> {
        let known = LEARNED.min(self.learned as usize);
        let mut intervals = self.intervals;
        intervals[..known].sort_unstable_by(f32::total_cmp);
        known.checked_sub(1).map(|last| f64::from(intervals[last / 2]))
    }

    /// How long its chunks should be, in seconds: what was configured, else what was seen.
    pub(super) fn target(&self, chunk_length: Option<Duration>) -> Option<f64> {
        chunk_length.map(|length| length.as_secs_f64()).or_else(|| self.usual())
    }

    /// The age of the last chunk from which it stalls, in seconds. `None` while neither a chunk
    /// length nor an interval is known: an unchunked recording writes one file for hours.
    pub(super) fn threshold(&self, chunk_length: Option<Duration>, patience: StallPolicy) -> Option<f64> {
        let target = self.target(chunk_length)?;
        let usual = self.usual().map_or(target, |usual| usual.max(target));
        Some((patience.factor * usual).max(patience.minimum.as_secs_f64()))
    }
}

/// Writings of a playlist.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Updates {
    pub(super) count: u64,
    pub(super) last: Option<Timestamp>,
}
