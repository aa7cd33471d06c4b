//! One output: its tracks, their chunks, usual intervals and stalls.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use strum::EnumCount;

use super::event::{Closed, Step};
use super::format::{Format, Track};
use super::signs::{Sign, Signs};
use super::verdict::Verdict;
use crate::model::{Key, OVERFLOW};
use ems_protocol::Timestamp;

/// An output that never wrote and is re-created within this time counts as silent since its first
/// creation.
const REMADE: Duration = Duration::from_secs(30);
/// How long an output that is re-created without writing stays open after a close: the server makes an output that
/// cannot write anew every second, and has it open for a twentieth of that.
const RETRIED: Duration = Duration::from_secs(5);
/// How long a chunk after an empty one waits for its size, before it counts without.
const SIZE_WAIT: Duration = Duration::from_secs(5);
/// For how long chunks may follow the close of their output: bodies overtake each other.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How often an output without a chunk length is re-created in one silence until that is judged like a chunk that never
/// comes. One that can write to its only file stays open.
const REMAKES: u32 = 3;
/// How many intervals the learned one is the median of. One long stall does not move it; a true
/// change of the chunk length does after three chunks.
const LEARNED: usize = 5;

/// A change of a track's stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StallTransition {
    /// It began, after chunks had been written.
    Stalled,
    /// It began, and the present run of the output has not closed a chunk at all.
    NeverStarted,
    /// A chunk was closed again, or for the first time.
    Recovered,
}

/// The age of the last chunk beyond which a track is stalled.
#[derive(Debug, Clone, Copy)]
pub(super) struct StallPolicy {
    /// In chunk lengths.
    pub(super) factor: f64,
    /// At least.
    pub(super) minimum: Duration,
    /// From when on a silence counts.
    pub(super) from: Timestamp,
}

/// The stream that writes an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    pub(super) row: usize,
    /// See [`super::Output::config`].
    pub config: Option<u64>,
    /// See [`super::Output::ours`].
    pub ours: bool,
}

/// The identity of an output: the labels of its series.
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
    /// Distinguishes a row from the one that it replaced.
    pub(super) serial: NonZeroU32,
    /// How many streams write it now.
    pub(super) writers: usize,
    /// Whether it is open without a known writer: its creation is late or lost.
    pub(super) adopted: bool,
    /// How many openings in a row came soon after a close, without a chunk before them.
    remakes: u32,
    /// Whether it is open although it was closed: it wrote nothing and is likely to be made anew.
    retried: bool,
    /// The last stream that wrote it, and the stream that fed that one.
    pub(super) last_writer: Option<(Key, Writer)>,
    pub(super) input: Option<Key>,
    /// The folders that lead here, the latest last: a recording may get a new one each day.
    pub(super) folders: Vec<Arc<str>>,
    /// The configured length of its chunks. Zero while it has none and is re-created all the time: then any silence
    /// counts.
    pub(super) chunk_length: Option<Duration>,
    /// When it was last opened.
    opened: Timestamp,
    /// From when its silence counts: its opening, or the first one of several without a chunk.
    since: Timestamp,
    /// When it was closed, once it was.
    ended: Option<Timestamp>,
    /// One for each track that was ever written or expected, by its number: in the row itself,
    /// since each chunk looks it up.
    tracks: [Option<TrackState>; Track::COUNT],
    pub(super) playlist: Updates,
}

impl Row {
    pub(super) const fn new(identity: Identity, serial: NonZeroU32, now: Timestamp) -> Self {
        Self {
            identity,
            serial,
            writers: 0,
            adopted: false,
            remakes: 0,
            retried: false,
            last_writer: None,
            input: None,
            folders: Vec::new(),
            chunk_length: None,
            opened: now,
            since: now,
            ended: None,
            tracks: [const { None }; Track::COUNT],
            playlist: Updates { count: 0, last: None },
        }
    }

    pub(super) const fn open(&self) -> bool {
        self.adopted || self.writers > 0 || self.retried
    }

    /// Whether it stands for all outputs beyond a limit, and so cannot be judged.
    pub(super) fn is_overflow(&self) -> bool {
        &*self.identity.stream == OVERFLOW
    }

    /// When it was last active, once it is not open.
    pub(super) fn idle_since(&self) -> Timestamp {
        self.ended.max(self.playlist.last).unwrap_or(self.since)
    }

    /// See [`crate::model::state::State::judge_from`].
    pub(super) fn judge_from(&mut self, at: Timestamp) {
        // A stall goes on.
        for track in self.tracks.iter_mut().flatten().filter(|track| track.live && !track.stalled) {
            track.last = track.last.max(at);
            track.signs.judge_from(at);
        }
        self.playlist.last = self.playlist.last.map(|last| last.max(at));
    }

    /// When it last wrote a chunk, or was opened.
    pub(super) fn last_written(&self) -> Timestamp {
        self.tracks().map(|track| track.last).max().unwrap_or(self.since).max(self.since)
    }

    /// Its tracks, live or not.
    pub(super) fn tracks(&self) -> impl Iterator<Item = &TrackState> {
        self.tracks.iter().flatten()
    }

    /// A writer opens it. Returns the moment from which its silence counts.
    pub(super) fn begin(&mut self, chunk_length: Option<Duration>, now: Timestamp) -> Timestamp {
        if self.writers == 0 && !self.adopted {
            self.chunk_length = None;
            let remade = self.ended.is_some_and(|ended| now.since(ended) <= REMADE);
            let known = self.tracks().next().is_some();
            if remade && known && self.silent() {
                // The same silence goes on, and with it its stall.
                self.tracks.iter_mut().flatten().for_each(|track| track.writing = false);
                self.remakes += 1;
            } else {
                self.run_from(now);
                self.remakes = u32::from(remade);
            }
            self.opened = now;
        }
        (self.adopted, self.retried) = (false, false);
        self.writers += 1;
        self.chunk_length = self.chunk_length.max(chunk_length);
        if self.remakes >= REMAKES {
            self.chunk_length.get_or_insert_default();
        }
        self.since
    }

    /// A chunk shows that it is written although no writer is known. Returns whether it is open by
    /// that; a chunk that may only be late does not open it.
    pub(super) fn adopt(&mut self, now: Timestamp, settled: bool) -> bool {
        if self.open() || self.is_overflow() {
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
        // The playlist of the previous run does not count for this one.
        self.playlist.last = self.playlist.last.filter(|last| since.since(*last) <= GRACE);
        for track in self.tracks.iter_mut().flatten() {
            track.reset();
        }
    }

    /// A writer ends, or the assumption that there is one.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.writers = self.writers.saturating_sub(1);
        self.adopted = false;
        self.ended = Some(now);
        self.retried = self.writers == 0 && self.remakes > 0 && self.silent();
    }

    /// It ends for good: its server process is gone.
    pub(super) fn abandon(&mut self, now: Timestamp) {
        if self.open() {
            self.ended = Some(now);
        }
        (self.writers, self.adopted, self.retried) = (0, false, false);
    }

    /// Whether the run that has ended completed no chunk. One that writes no chunks, only one file, and stayed open is
    /// taken to have written.
    fn silent(&self) -> bool {
        let chunked = self.chunk_length.is_some_and(|length| !length.is_zero())
            || self.tracks().any(|track| track.learned > 0);
        let stayed = self.ended.is_some_and(|ended| ended.since(self.opened) > RETRIED);
        (chunked || !stayed) && !self.tracks().any(|track| track.wrote)
    }

    /// Makes the tracks that are known live, or a whole one as long as none is known.
    pub(super) fn expect(&mut self, tracks: &[Track], start: Timestamp) {
        let none_known = tracks.is_empty() && !self.tracks().any(|track| track.live);
        for track in if none_known { &[Track::Whole] } else { tracks } {
            self.track(*track, start);
        }
    }

    /// The track for a track, made live if it is not: then its age counts from `start`, or from
    /// where that of the track began which stood for unknown tracks and now goes.
    pub(super) fn track(&mut self, track: Track, start: Timestamp) -> &mut TrackState {
        let mut start = start;
        if track != Track::Whole
            && let Some(unknown) = self.tracks[Track::Whole as usize].take_if(|track| track.closed == 0)
            && unknown.live
        {
            start = unknown.last;
        }
        let track = self.tracks[track as usize].get_or_insert_with(|| TrackState::new(track));
        if !track.live {
            (track.live, track.last) = (true, start);
            track.signs = Signs::of_run(start);
        }
        track
    }

    /// How many chunks of a track have been closed.
    pub(super) fn closed(&self, track: Track) -> Option<u64> {
        self.tracks[track as usize].as_ref().map(|track| track.closed)
    }

    /// The size of the file of chunk `number` of a track is known, or stays unknown.
    pub(super) fn measured(
        &mut self,
        track: Track,
        number: u64,
        file: &str,
        size: Option<u64>,
        policy: StallPolicy,
    ) {
        let chunk_length = self.chunk_length;
        if let Some(track) = &mut self.tracks[track as usize] {
            track.measured(number, file, size, chunk_length, policy);
        }
    }

    /// A chunk of a track was opened or closed. Returns the time since the one before was closed.
    pub(super) fn write(
        &mut self,
        track: Track,
        step: Step,
        policy: StallPolicy,
        now: Timestamp,
    ) -> Option<Duration> {
        let chunk_length = self.chunk_length;
        let track = self.track(track, now);
        match step {
            Step::Opened => {
                track.open(chunk_length, policy, now);
                None
            }
            Step::Closed(closed) => track.close(closed, chunk_length, policy, now),
        }
    }

    /// Takes over what a row has counted that was only a guess at this one.
    pub(super) fn absorb(&mut self, guess: Self) {
        for track in guess.tracks.into_iter().flatten() {
            let own = self.track(track.track, track.last);
            own.opened += track.opened;
            own.closed += track.closed;
            own.writing |= track.writing;
        }
        self.playlist.count += guess.playlist.count;
        self.playlist.last = self.playlist.last.max(guess.playlist.last);
    }

    /// Whether a track stalls.
    pub(super) fn stalls(&self, track: Track) -> bool {
        self.tracks[track as usize].as_ref().is_some_and(|track| track.live && track.stalled)
    }

    /// The tracks that begin or cease to stall now. One of an output that has closed does neither:
    /// the last chunk that is written at its end recovers nothing.
    pub(super) fn transitions(
        &mut self,
        policy: StallPolicy,
        now: Timestamp,
    ) -> impl Iterator<Item = (StallTransition, Track)> {
        self.retried &= self.ended.is_some_and(|ended| now.since(ended) <= RETRIED);
        if self.writers > 0 && now.since(self.opened) > RETRIED {
            self.chunk_length = self.chunk_length.filter(|length| !length.is_zero());
        }
        let judged = self.open() && !self.is_overflow();
        let chunk_length = self.chunk_length;
        self.tracks.iter_mut().flatten().filter_map(move |track| {
            if let Some(sign) = track.signs.overdue(SIZE_WAIT, now) {
                track.complete(sign, chunk_length, policy);
            }
            let verdict = track.verdict(chunk_length, policy, now);
            // One that was re-created all the time has stayed open.
            if track.stalled && !verdict.is_stalled() {
                (track.stalled, track.recovered) = (false, true);
            }
            let begins = judged && track.live && !track.stalled && verdict.is_stalled();
            track.stalled |= begins;
            track.stalls += u64::from(begins);
            let recovered = std::mem::take(&mut track.recovered);
            let transition = match (begins, recovered) {
                (true, _) if verdict == Verdict::NeverStarted => StallTransition::NeverStarted,
                (true, _) => StallTransition::Stalled,
                (false, true) if judged && track.live => StallTransition::Recovered,
                (false, _) => return None,
            };
            Some((transition, track.track))
        })
    }
}

/// One track of an output.
#[derive(Debug)]
pub(super) struct TrackState {
    pub(super) track: Track,
    /// Whether the present run of the output is known to write this track.
    pub(super) live: bool,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) stalls: u64,
    /// Chunks that held nothing.
    pub(super) empty: u64,
    /// Bytes of its chunks; none before the size of one is known.
    pub(super) bytes: Option<u64>,
    /// The last file of known size, by a hash of its path, and its size: in byte-range mode all chunks share a file.
    file: (u64, u64),
    /// When its last chunk that is not known to be empty was complete, as far as known; before the first one, when
    /// the output was opened.
    pub(super) last: Timestamp,
    /// Whether the present run of the output has completed such a chunk of it.
    pub(super) wrote: bool,
    signs: Signs,
    /// When the present run last reported a closed chunk; the epoch before the first one.
    last_close: Timestamp,
    /// Whether a chunk has been opened and not closed.
    writing: bool,
    stalled: bool,
    /// Whether it has ceased to stall since the last tick.
    recovered: bool,
    intervals: [f32; LEARNED],
    learned: u32,
}

impl TrackState {
    fn new(track: Track) -> Self {
        Self {
            track,
            live: false,
            opened: 0,
            closed: 0,
            stalls: 0,
            empty: 0,
            bytes: None,
            file: (0, 0),
            signs: Signs::default(),
            last: Timestamp::from_millis(0),
            wrote: false,
            last_close: Timestamp::from_millis(0),
            writing: false,
            stalled: false,
            recovered: false,
            intervals: [0.0; LEARNED],
            learned: 0,
        }
    }

    /// Nothing is known of the next run of the output.
    fn reset(&mut self) {
        (self.live, self.wrote, self.writing) = (false, false, false);
        self.last_close = Timestamp::default();
        (self.stalled, self.recovered) = (false, false);
        self.signs = Signs::of_run(self.last);
    }

    /// A chunk was opened. If one is open already, that is complete by now, and the event that it
    /// was closed is late or lost.
    fn open(&mut self, chunk_length: Option<Duration>, policy: StallPolicy, now: Timestamp) {
        self.opened += 1;
        // After an empty chunk this one may be empty too: its close decides.
        if std::mem::replace(&mut self.writing, true) && !self.signs.empty {
            self.complete(Sign { number: self.closed + 1, at: now }, chunk_length, policy);
        }
    }

    /// A chunk was closed. Returns the time since the one before was.
    fn close(
        &mut self,
        closed: Closed,
        chunk_length: Option<Duration>,
        policy: StallPolicy,
        now: Timestamp,
    ) -> Option<Duration> {
        self.closed += 1;
        self.writing = false;
        let sign = Sign { number: self.closed, at: now };
        if closed.is_empty(self.track) {
            self.remove(sign.number, false);
        } else if self.signs.empty {
            self.signs.withhold(sign);
        } else {
            self.complete(sign, chunk_length, policy);
        }
        let interval = (self.last_close > Timestamp::default()).then(|| now.since(self.last_close));
        self.last_close = self.last_close.max(now);
        if let Some(interval) = interval.or(closed.duration.filter(|_| self.learned == 0)) {
            self.record_interval(interval);
        }
        interval
    }

    /// A chunk is complete. A stall between two ticks is counted when it ends.
    fn complete(&mut self, sign: Sign, chunk_length: Option<Duration>, policy: StallPolicy) {
        if self.wrote && !self.stalled {
            self.stalls += u64::from(self.verdict(chunk_length, policy, sign.at).is_stalled());
        }
        self.recovered |= self.stalled;
        self.stalled = false;
        self.signs.add(sign);
        (self.last, self.wrote) = self.signs.last();
    }

    /// Chunk `number` is empty: its completion is taken back, and with it the end of a stall.
    fn remove(&mut self, number: u64, measured: bool) {
        self.empty += 1;
        self.signs.remove(number, measured);
        let last = self.last;
        (self.last, self.wrote) = self.signs.last();
        if self.last < last && self.recovered {
            (self.stalled, self.recovered) = (true, false);
        }
    }

    fn measured(
        &mut self,
        number: u64,
        file: &str,
        size: Option<u64>,
        chunk_length: Option<Duration>,
        policy: StallPolicy,
    ) {
        if let Some(size) = size {
            let mut hasher = DefaultHasher::new();
            file.hash(&mut hasher);
            let before = std::mem::replace(&mut self.file, (hasher.finish(), size));
            let grown = size.checked_sub(before.1).filter(|_| before.0 == self.file.0);
            *self.bytes.get_or_insert_default() += grown.unwrap_or(size);
        }
        if size == Some(0) {
            self.remove(number, true);
        } else if let Some(sign) = self.signs.confirm(number) {
            self.complete(sign, chunk_length, policy);
        }
    }

    fn record_interval(&mut self, interval: Duration) {
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

    /// How long its chunks should be, in seconds: the configured length, else the usual interval.
    pub(super) fn target(&self, chunk_length: Option<Duration>) -> Option<f64> {
        let configured = chunk_length.filter(|length| !length.is_zero());
        configured.map(|length| length.as_secs_f64()).or_else(|| self.usual())
    }

    /// The age of the last chunk from which it stalls, in seconds. `None` while neither a chunk
    /// length nor an interval is known: an unchunked recording writes one file for hours.
    pub(super) fn threshold(&self, chunk_length: Option<Duration>, policy: StallPolicy) -> Option<f64> {
        let target = self.target(chunk_length).or(chunk_length.map(|length| length.as_secs_f64()))?;
        let usual = self.usual().map_or(target, |usual| usual.max(target));
        Some((policy.factor * usual).max(policy.minimum.as_secs_f64()))
    }

    /// The verdict on the track, which an open output writes.
    pub(super) fn verdict(
        &self,
        chunk_length: Option<Duration>,
        policy: StallPolicy,
        now: Timestamp,
    ) -> Verdict {
        let since = if self.stalled { self.last } else { self.last.max(policy.from) };
        Verdict::of(now.since(since), self.threshold(chunk_length, policy), self.wrote)
    }
}

/// Updates of a playlist.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Updates {
    pub(super) count: u64,
    pub(super) last: Option<Timestamp>,
}
