//! The outputs of one server.

mod listed;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use indexmap::IndexMap;
use strum::{EnumCount, VariantArray};

use super::event::{Closed, Event, Output, Step};
use super::format::{Format, Playlist, Track};
use super::paths;
use super::row::{GRACE, Identity, Row, StallPolicy, StallTransition, Updates, Writer};
use super::rows::{OutputRef, Rows};
use super::verdict::{Scope, Together};
use crate::exposition::{Histogram, bounded};
use crate::model::discrepancies::Discrepancies;
use crate::model::lifecycle::Lifecycle;
use crate::model::{Change, Key, OVERFLOW, Settings};
use ems_protocol::Timestamp;

/// Most streams that are tracked as writers at once; further ones are only counted.
const LIMIT: usize = 200_000;
/// Most files of recordings that may wait for the creation of their output.
const UNPLACED: usize = 256;
/// Upper bounds of chunk durations and intervals, in seconds.
const SECONDS: &[f64] = &[0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0];

/// A track that began or ceased to stall.
#[derive(Debug, Clone, PartialEq)]
pub struct Stall {
    /// Whether it began or ended.
    pub transition: StallTransition,
    /// The format of the output.
    pub format: Format,
    /// See [`Output::group`].
    pub group: Arc<str>,
    /// See [`Output::stream`].
    pub stream: Arc<str>,
    /// Which of its tracks.
    pub track: Track,
    /// The stream that writes it, if its creation has come.
    pub writer: Option<(Key, Writer)>,
    /// The stream that feeds the writer, if an event has named it.
    pub input: Option<Key>,
}

/// A closed chunk whose file may be measured.
#[derive(Debug)]
pub struct ClosedChunk {
    output: OutputRef,
    track: Track,
    number: u64,
    /// The format of its output.
    pub format: Format,
    /// The folder that the server named for its output, normalised; for a recording, the path without extension and
    /// part number.
    pub folder: Arc<str>,
    /// Its path, normalised.
    pub file: String,
    /// Whether an empty file is the usual end of the output.
    pub is_rest: bool,
}

/// A file of a recording whose creation has not come yet.
#[derive(Debug)]
struct Unplaced {
    at: Timestamp,
    path: String,
    step: Step,
}

/// The outputs of one server.
#[derive(Debug)]
pub struct Table {
    pub(super) rows: Rows,
    /// The streams that write outputs; their stamp is [`Output::created`].
    writers: Lifecycle<Key, (), Writer>,
    /// Rows without a writer that the server does not list either.
    discrepancies: Discrepancies<usize>,
    unplaced: VecDeque<Unplaced>,
    limit: usize,
    group_overflows: u64,
    retention: Duration,
    pub(super) policy: StallPolicy,
    /// Playlists of groups.
    pub(super) groups: IndexMap<(Format, Arc<str>), Updates, hashbrown::DefaultHashBuilder>,
    pub(super) errors: [u64; Format::COUNT],
    pub(super) deleted: [u64; Format::COUNT],
    pub(super) durations: Vec<Histogram>,
    pub(super) intervals: Vec<Histogram>,
    /// Until when chunks of unknown outputs may be late ones of an ended process.
    grace_until: Timestamp,
    last_output: Option<OutputRef>,
    /// The scopes of which all outputs stall.
    pub(super) together: HashSet<(Scope, Arc<str>)>,
    /// The chunk that the last event closed: its output, track and number.
    last_closed: Option<(OutputRef, Track, u64)>,
}

impl Table {
    /// An empty table.
    pub fn new(settings: &Settings) -> Self {
        let histograms = || vec![Histogram::new(SECONDS); Format::COUNT];
        Self {
            rows: Rows::new(settings.streams),
            writers: Lifecycle::new(LIMIT),
            discrepancies: Discrepancies::default(),
            unplaced: VecDeque::new(),
            limit: settings.streams,
            group_overflows: 0,
            retention: settings.retention,
            policy: StallPolicy {
                factor: settings.stall_factor,
                minimum: settings.stall_minimum,
                from: Timestamp::default(),
            },
            groups: IndexMap::default(),
            errors: [0; Format::COUNT],
            deleted: [0; Format::COUNT],
            durations: histograms(),
            intervals: histograms(),
            grace_until: Timestamp::default(),
            last_output: None,
            together: HashSet::new(),
            last_closed: None,
        }
    }

    /// How many outputs and groups came beyond a limit.
    pub const fn overflows(&self) -> u64 {
        self.rows.overflows() + self.writers.overflows() + self.group_overflows
    }

    /// How many outputs and groups with a master playlist have series of their own.
    pub fn series(&self) -> [usize; 2] {
        let group = |format: &Format| self.groups.contains_key(&(*format, Arc::from(OVERFLOW)));
        let overflow = Format::VARIANTS.iter().filter(|format| group(format)).count();
        [self.rows.own(), self.groups.len() - overflow]
    }

    /// The limits of [`Table::series`].
    pub const fn series_limits(&self) -> [usize; 2] {
        [self.rows.limit(), self.limit]
    }

    /// The output of the chunk or playlist that the last event was about.
    pub const fn take_last_output(&mut self) -> Option<OutputRef> {
        self.last_output.take()
    }

    /// The chunk that the last event closed, if the server named a folder that holds its file and its event does not
    /// show that it is empty.
    pub fn take_closed_chunk(&mut self, event: &Event<'_>) -> Option<ClosedChunk> {
        let (output, track, number) = self.last_closed.take()?;
        let Event::Chunk { format, file, step: Step::Closed(closed) } = event else { return None };
        if closed.is_empty(track) {
            return None;
        }
        let file = paths::normalise(file);
        let folder = self.rows.announced(*format, &file)?;
        let (format, file, is_rest) = (*format, file.into_owned(), closed.is_rest());
        Some(ClosedChunk { output, track, number, format, folder, file, is_rest })
    }

    /// The size of a chunk's file is known, or stays unknown. Does nothing for an output that has been removed since.
    pub fn measured(&mut self, chunk: &ClosedChunk, size: Option<u64>) {
        let ClosedChunk { output, track, number, .. } = *chunk;
        let policy = self.policy;
        if let Some(row) = self.rows.resolve_mut(output) {
            row.measured(track, number, &chunk.file, size, policy);
        }
    }

    /// The folders of open outputs that the server named, as in [`ClosedChunk::folder`].
    pub fn announced_folders(&self) -> impl Iterator<Item = (Format, &Arc<str>)> {
        self.rows.announced_folders()
    }

    /// The stream of an output, unless the output has been removed.
    pub fn stream_of(&self, output: OutputRef) -> Option<&Arc<str>> {
        self.rows.resolve(output).map(|row| &row.identity.stream)
    }

    /// See [`crate::model::state::State::judge_from`].
    pub fn judge_from(&mut self, at: Timestamp) {
        self.policy.from = at;
        for (_, row) in self.rows.iter_mut() {
            row.judge_from(at);
        }
    }

    /// Lets no output stall until [`Table::judge_from`].
    pub const fn suspend_judgement(&mut self) {
        self.policy.from = Timestamp::MAX;
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, now: Timestamp) -> Change {
        match event {
            Event::Opened(output) => self.open(output, true, now),
            Event::CodecsUpdated(output) => self.open(output, false, now),
            Event::Closed(output) => self.close(output, now),
            Event::Chunk { format, file, step } => self.chunk(*format, file, *step, now),
            Event::ChunkError(format) => {
                self.errors[*format as usize] += 1;
                Change::Counted
            }
            Event::ChunkDeleted(format) => {
                self.deleted[*format as usize] += 1;
                Change::Counted
            }
            Event::Playlist { format, kind, file } => self.playlist(*format, *kind, file, now),
        }
    }

    fn open(&mut self, output: &Output<'_>, creation: bool, now: Timestamp) -> Change {
        let Output { key, created, format, config, ours, .. } = *output;
        let rows = &mut self.rows;
        let writer = || {
            let row = rows.find_or_make(format, &output.group, &output.stream, &output.folder, now);
            rows.announce(row, format, &output.folder);
            Writer { row, config, ours }
        };
        let (change, replaced) = self.writers.open((key, created), (), creation, writer);
        if let Some(replaced) = replaced {
            self.rows[replaced.row.row].end(now);
        }
        let Some(index) = self.writers.get(&key).map(|writer| writer.row.row) else {
            return change;
        };
        self.rows[index].input = output.input.or(self.rows[index].input);
        if change.opens() {
            self.rows[index].last_writer = self.writers.get(&key).map(|writer| (key, writer.row));
            let start = self.rows[index].begin(output.chunk_length, now);
            self.rows[index].expect(&output.tracks, start);
            if format == Format::Record {
                self.place(index, &output.folder);
            }
        } else if change != Change::CreatedLate {
            self.rows[index].expect(&output.tracks, now);
        }
        change
    }

    fn close(&mut self, output: &Output<'_>, now: Timestamp) -> Change {
        let (change, closed) = self.writers.close((output.key, output.created), ());
        if let Some(closed) = closed {
            self.rows[closed.row.row].end(now);
        } else if change == Change::ClosedUnseen {
            let guess = self.rows.by_folder(output.format, &output.folder);
            let guess = guess.and_then(|index| self.rows.get_mut(index)).filter(|row| row.adopted);
            if let Some(row) = guess {
                row.end(now);
            }
        }
        change
    }

    fn chunk(&mut self, format: Format, file: &str, step: Step, now: Timestamp) -> Change {
        self.last_closed = None;
        if let Step::Closed(Closed { duration: Some(duration), .. }) = step {
            self.durations[format as usize].observe(duration.as_secs_f64());
        }
        let path = paths::normalise(file);
        let index = if let Some(index) = self.rows.by_path(format, &path) {
            index
        } else if let Some(shape) = paths::shape(format, &path) {
            self.rows.find_or_make(format, shape.group, shape.stream, shape.folder, now)
        } else {
            self.keep_unplaced(format, &path, step, now);
            return Change::Counted;
        };
        self.last_output = self.rows.reference(index);
        let adopted = self.rows[index].adopt(now, now >= self.grace_until);
        let track = paths::track(format, &path);
        self.write(index, track, step, now);
        if let Step::Closed(_) = step {
            self.last_closed =
                self.last_output.zip(self.rows[index].closed(track)).map(|(output, n)| (output, track, n));
        }
        if adopted { Change::Adopted } else { Change::Updated }
    }

    fn write(&mut self, index: usize, track: Track, step: Step, now: Timestamp) {
        let row = &mut self.rows[index];
        if let Some(interval) = row.write(track, step, self.policy, now) {
            self.intervals[row.identity.format as usize].observe(interval.as_secs_f64());
        }
    }

    /// The path of a recording does not show its output: its file may wait a while for the creation of
    /// its output, and then counts for the overflow.
    fn keep_unplaced(&mut self, format: Format, path: &str, step: Step, now: Timestamp) {
        if format == Format::Record && self.unplaced.len() < UNPLACED {
            self.unplaced.push_back(Unplaced { at: now, path: paths::recording(path).to_owned(), step });
            return;
        }
        let index = self.rows.overflow(format, now);
        self.write(index, Track::Whole, step, now);
    }

    /// Lets the files that waited for this recording count for it.
    fn place(&mut self, index: usize, folder: &str) {
        let (of_this, others): (VecDeque<_>, VecDeque<_>) =
            self.unplaced.drain(..).partition(|file| file.path == folder);
        self.unplaced = others;
        for file in of_this {
            self.write(index, Track::Whole, file.step, file.at);
        }
    }

    fn playlist(&mut self, format: Format, kind: Playlist, file: &str, now: Timestamp) -> Change {
        let path = paths::normalise(file);
        let folder = paths::folders(&path).next().unwrap_or_default();
        // The manifest of an automatic DASH output lies in its stream's own folder.
        let own = kind == Playlist::Child || format.splits_tracks();
        let row = self.rows.by_folder(format, folder).filter(|_| own);
        self.last_output = row.and_then(|row| self.rows.reference(row));
        let updates = match (row, kind, paths::shape(format, &path)) {
            (Some(index), _, _) => &mut self.rows[index].playlist,
            (None, Playlist::Child, None) => return Change::Counted,
            (None, Playlist::Child, Some(shape)) => {
                let index = self.rows.find_or_make(format, shape.group, shape.stream, shape.folder, now);
                &mut self.rows[index].playlist
            }
            (None, Playlist::Master, _) => {
                let group = bounded(Cow::Borrowed(folder.rsplit('/').next().unwrap_or_default()));
                let mut key = (format, Arc::from(&*group));
                if !self.groups.contains_key(&key) && self.groups.len() >= self.limit {
                    self.group_overflows += 1;
                    key.1 = Arc::from(OVERFLOW);
                }
                self.groups.entry(key).or_default()
            }
        };
        updates.count += 1;
        updates.last = Some(now);
        Change::Updated
    }

    /// Closes everything: the server process that owned the outputs is gone.
    pub fn empty(&mut self, now: Timestamp) {
        drop(self.writers.end_all());
        for (_, row) in self.rows.iter_mut() {
            row.abandon(now);
        }
        self.grace_until = now.plus(GRACE);
    }

    /// What closed with a server process may be open: that process goes on beside another.
    pub fn forget_closes(&mut self) {
        self.writers.forget_closes();
    }

    /// A new server process counts its outputs anew.
    pub fn begin(&mut self) {
        self.writers.begin();
    }

    /// The group, the stream and the track that a file of an output belongs to.
    pub fn of_file(&self, format: Format, file: &str) -> Option<(Arc<str>, Arc<str>, Track)> {
        let path = paths::normalise(file);
        let Identity { group, stream, .. } = &self.rows[self.rows.by_path(format, &path)?].identity;
        Some((Arc::clone(group), Arc::clone(stream), paths::track(format, &path)))
    }

    /// The stream that writes an output, if its creation has come.
    pub fn writer(&self, format: Format, group: &str, stream: &str) -> Option<(Key, Writer)> {
        let identity = Identity { format, group: Arc::from(group), stream: Arc::from(stream) };
        let row = self.rows.by_identity(&identity)?;
        let writers = self.writers.iter().filter(|(_, writer)| writer.row.row == row);
        let youngest = writers.max_by_key(|(key, _)| key.id).map(|(key, writer)| (*key, writer.row));
        youngest.or_else(|| self.rows[row].last_writer.filter(|_| self.rows[row].open()))
    }

    /// The row of an open output.
    fn open_row(&self, format: Format, group: &str, stream: &str) -> Option<&Row> {
        let identity = Identity { format, group: Arc::from(group), stream: Arc::from(stream) };
        self.rows.by_identity(&identity).map(|index| &self.rows[index]).filter(|row| row.open())
    }

    /// Whether an output is open.
    pub fn is_open(&self, format: Format, group: &str, stream: &str) -> bool {
        self.open_row(format, group, stream).is_some()
    }

    /// Whether this track of an open output was stalled at the last tick.
    pub fn stalls(&self, format: Format, group: &str, stream: &str, track: Track) -> bool {
        self.open_row(format, group, stream).is_some_and(|row| row.stalls(track))
    }

    /// Whether the outputs of a scope stalled together at the last tick.
    pub fn stalls_together(&self, scope: Scope, name: &Arc<str>) -> bool {
        self.together.contains(&(scope, Arc::clone(name)))
    }

    /// The stall threshold of this track of an open output, if it was stalled at the last tick.
    pub fn stall_threshold(
        &self,
        format: Format,
        group: &str,
        stream: &str,
        track: Track,
    ) -> Option<Duration> {
        let row = self.open_row(format, group, stream).filter(|row| row.stalls(track))?;
        let threshold =
            row.tracks().find(|state| state.track == track)?.threshold(row.chunk_length, self.policy);
        threshold.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    /// Removes outputs whose retention is over. Returns the stalls that begin or end now, and those that begin together.
    pub fn tick(&mut self, now: Timestamp) -> (Vec<Stall>, Vec<Together>) {
        let mut stalls = Vec::new();
        let mut over = Vec::new();
        for (index, row) in self.rows.iter_mut() {
            if !row.open() && now.since(row.idle_since()) > self.retention {
                over.push(index);
            }
            let (format, group, stream) =
                (row.identity.format, Arc::clone(&row.identity.group), Arc::clone(&row.identity.stream));
            let transitions = row.transitions(self.policy, now).map(|(transition, track)| {
                let (group, stream) = (Arc::clone(&group), Arc::clone(&stream));
                (index, Stall { transition, format, group, stream, track, writer: None, input: None })
            });
            stalls.extend(transitions);
        }
        let stalls = self.name_writers(stalls);
        for index in over {
            self.rows.remove(index);
        }
        while let Some(file) = self.unplaced.pop_front_if(|file| now.since(file.at) > GRACE) {
            let index = self.rows.overflow(Format::Record, now);
            self.write(index, Track::Whole, file.step, file.at);
        }
        self.tick_groups(now);
        let together = self.begin_together(now);
        (stalls, together)
    }

    /// Adds to each stall the stream that writes the output: the youngest, while one takes over from
    /// another.
    fn name_writers(&self, stalls: Vec<(usize, Stall)>) -> Vec<Stall> {
        let mut youngest: HashMap<usize, (Key, Writer)> = HashMap::new();
        if !stalls.is_empty() {
            for (key, writer) in self.writers.iter() {
                let found = (*key, writer.row);
                let known = youngest.entry(writer.row.row).or_insert(found);
                if known.0.id < found.0.id {
                    *known = found;
                }
            }
        }
        let writer = |row| youngest.get(&row).copied();
        let named = stalls.into_iter().map(|(index, stall)| {
            let row = &self.rows[index];
            // One that is made anew every second has no writer at most ticks.
            Stall { writer: writer(index).or(row.last_writer), input: row.input, ..stall }
        });
        named.collect()
    }

    fn tick_groups(&mut self, now: Timestamp) {
        let retention = self.retention;
        let aged = |updates: &Updates| updates.last.is_none_or(|last| now.since(last) > retention);
        if !self.groups.values().any(aged) {
            return;
        }
        let known: HashSet<(Format, &str)> =
            self.rows.iter().map(|(_, row)| (row.identity.format, &*row.identity.group)).collect();
        self.groups.retain(|(format, group), updates| !aged(updates) || known.contains(&(*format, &**group)));
    }
}
