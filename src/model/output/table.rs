//! What is true of the outputs of one server.

mod listed;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use slab::Slab;

use super::row::{GRACE, Identity, Row, StallPolicy, StallTransition, Updates};
use super::{Event, Format, Output, Playlist, Step, Track, paths};
use crate::exposition::{Histogram, bounded};
use crate::model::discrepancies::Discrepancies;
use crate::model::lifecycle::Closed;
use crate::model::{self, Change, Key, OVERFLOW, Settings};
use ems_protocol::Timestamp;

/// Most outputs of one stream name that have series of their own: groups may be named at random.
const OUTPUTS_PER_STREAM: usize = 64;
/// Most outputs that are tracked as open at once; further ones are only counted.
const OPEN: usize = 200_000;
/// Most folders that lead to one output.
const FOLDERS: usize = 8;
/// Most files of recordings that may wait for the creation of their output.
const UNPLACED: usize = 256;
/// Upper bounds of chunk durations and intervals, in seconds.
const SECONDS: &[f64] = &[0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0];

/// A track that began or ceased to stall.
#[derive(Debug, Clone, PartialEq)]
pub struct Stall {
    /// Which of the two.
    pub turn: StallTransition,
    /// What the output writes.
    pub format: Format,
    /// See [`Output::group`].
    pub group: Arc<str>,
    /// See [`Output::stream`].
    pub stream: Arc<str>,
    /// Which of its tracks.
    pub track: Track,
    /// Who writes it, if its creation has come.
    pub writer: Option<(Key, Writer)>,
}

/// The stream that writes an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    row: usize,
    /// See [`Output::created`].
    created: u64,
    /// See [`Output::config`].
    pub config: Option<u64>,
    /// See [`Output::ours`].
    pub ours: bool,
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
    pub(super) rows: Slab<Row>,
    by_identity: HashMap<Identity, usize>,
    by_folder: HashMap<(Format, Arc<str>), usize>,
    writers: HashMap<Key, Writer>,
    closed: Closed,
    /// Rows without a writer that the server does not list either.
    doubts: Discrepancies<usize>,
    /// How many rows each stream name has.
    streams: HashMap<Arc<str>, usize>,
    unplaced: VecDeque<Unplaced>,
    limit: usize,
    folded: u64,
    retention: Duration,
    pub(super) patience: StallPolicy,
    /// Playlists of groups.
    pub(super) groups: model::Table<(Format, Arc<str>), Updates>,
    pub(super) errors: [u64; Format::ALL.len()],
    pub(super) deleted: [u64; Format::ALL.len()],
    pub(super) durations: Vec<Histogram>,
    pub(super) intervals: Vec<Histogram>,
    /// Until when chunks of unknown outputs are taken for stragglers of an ended process.
    settling: Timestamp,
    /// How many rows there have ever been.
    made: NonZeroU32,
    /// What the last event was about.
    touched: Option<Touched>,
}

/// The output of a chunk or playlist, as long as that is known. A name would cost each chunk more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    row: u32,
    serial: NonZeroU32,
}

impl Table {
    /// An empty table.
    pub fn new(settings: &Settings) -> Self {
        let histograms = || vec![Histogram::new(SECONDS); Format::ALL.len()];
        Self {
            rows: Slab::new(),
            by_identity: HashMap::new(),
            by_folder: HashMap::new(),
            writers: HashMap::new(),
            closed: Closed::default(),
            doubts: Discrepancies::default(),
            streams: HashMap::new(),
            unplaced: VecDeque::new(),
            limit: settings.streams,
            folded: 0,
            retention: settings.retention,
            patience: StallPolicy { factor: settings.stall_factor, minimum: settings.stall_minimum },
            groups: model::Table::default(),
            errors: [0; Format::ALL.len()],
            deleted: [0; Format::ALL.len()],
            durations: histograms(),
            intervals: histograms(),
            settling: Timestamp::default(),
            made: NonZeroU32::MIN,
            touched: None,
        }
    }

    /// How many outputs are open.
    pub fn len(&self) -> usize {
        self.writers.len() + self.rows.iter().filter(|(_, row)| row.adopted).count()
    }

    /// Whether no output is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many times an output was folded into [`OVERFLOW`], or only counted.
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// The output of the chunk or playlist that the last event was about.
    pub const fn take_touched(&mut self) -> Option<Touched> {
        self.touched.take()
    }

    fn touch(&self, index: usize) -> Option<Touched> {
        Some(Touched { row: u32::try_from(index).ok()?, serial: self.rows[index].serial })
    }

    /// The stream of an output that was touched.
    pub fn stream_of(&self, touched: Touched) -> Option<&Arc<str>> {
        let row = self.rows.get(touched.row as usize).filter(|row| row.serial == touched.serial);
        row.map(|row| &row.identity.stream)
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, now: Timestamp) -> Change {
        match event {
            Event::Opened(output) => self.open(output, now, Change::Opened),
            Event::CodecsUpdated(output) => self.open(output, now, Change::Adopted),
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

    fn open(&mut self, output: &Output<'_>, now: Timestamp, when_new: Change) -> Change {
        if self.closed.holds(output.key, output.created) {
            return Change::CreatedLate;
        }
        match self.writers.get(&output.key).copied() {
            Some(writer) if writer.created == output.created => {
                self.rows[writer.row].expect(&output.tracks, now);
                return Change::Updated;
            }
            Some(_) => self.drop_writer(output.key, now),
            None => {}
        }
        self.begin(output, now, when_new)
    }

    /// A writer that is not known begins to write.
    fn begin(&mut self, output: &Output<'_>, now: Timestamp, when_new: Change) -> Change {
        if self.writers.len() >= OPEN {
            self.folded += 1;
            return Change::Counted;
        }
        let index = self.row(output.format, &output.group, &output.stream, &output.folder, now);
        let start = self.rows[index].begin(output.chunk_length, now);
        self.rows[index].expect(&output.tracks, start);
        let (config, ours) = (output.config, output.ours);
        self.writers.insert(output.key, Writer { row: index, created: output.created, config, ours });
        if output.format == Format::Record {
            self.place(index, &output.folder);
        }
        when_new
    }

    fn close(&mut self, output: &Output<'_>, now: Timestamp) -> Change {
        if self.closed.holds(output.key, output.created) {
            return Change::Repeated;
        }
        self.closed.remember(output.key, output.created);
        if self.writers.contains_key(&output.key) {
            self.drop_writer(output.key, now);
            return Change::Closed;
        }
        let guess = self.by_folder.get(&Folder(output.format, &output.folder)).copied();
        if let Some(row) = guess.and_then(|index| self.rows.get_mut(index)).filter(|row| row.adopted) {
            row.end(now);
        }
        Change::ClosedUnseen
    }

    fn drop_writer(&mut self, key: Key, now: Timestamp) {
        if let Some(writer) = self.writers.remove(&key) {
            self.rows[writer.row].end(now);
        }
    }

    fn chunk(&mut self, format: Format, file: &str, step: Step, now: Timestamp) -> Change {
        if let Step::Closed(Some(duration)) = step {
            self.durations[format as usize].observe(duration.as_secs_f64());
        }
        let path = paths::normalise(file);
        let index = if let Some(index) = self.by_path(format, &path) {
            index
        } else if let Some(shape) = paths::shape(format, &path) {
            self.row(format, shape.group, shape.stream, shape.folder, now)
        } else {
            self.keep_unplaced(format, &path, step, now);
            return Change::Counted;
        };
        self.touched = self.touch(index);
        let adopted = self.rows[index].adopt(now, now >= self.settling);
        self.write(index, paths::track(format, &path), step, now);
        if adopted { Change::Adopted } else { Change::Updated }
    }

    fn write(&mut self, index: usize, track: Track, step: Step, now: Timestamp) {
        let row = &mut self.rows[index];
        if let Some(interval) = row.write(track, step, self.patience, now) {
            self.intervals[row.identity.format as usize].observe(interval.as_secs_f64());
        }
    }

    /// The output whose folder holds a normalised path.
    fn by_path(&self, format: Format, path: &str) -> Option<usize> {
        let lookup = |folder: &str| self.by_folder.get(&Folder(format, folder)).copied();
        if format == Format::Record {
            return lookup(paths::recording(path));
        }
        paths::folders(path).find_map(lookup)
    }

    /// The path of a recording tells nothing: its file may wait a while for the creation of its
    /// output, and then counts for all of which it cannot be told whose they are.
    fn keep_unplaced(&mut self, format: Format, path: &str, step: Step, now: Timestamp) {
        if format == Format::Record && self.unplaced.len() < UNPLACED {
            self.unplaced.push_back(Unplaced { at: now, path: paths::recording(path).to_owned(), step });
            return;
        }
        let index = self.row(format, OVERFLOW, OVERFLOW, "", now);
        self.write(index, Track::Whole, step, now);
    }

    /// Lets the files that waited for this recording count for it.
    fn place(&mut self, index: usize, folder: &str) {
        let (ours, others): (VecDeque<_>, VecDeque<_>) =
            self.unplaced.drain(..).partition(|file| file.path == folder);
        self.unplaced = others;
        for file in ours {
            self.write(index, Track::Whole, file.step, file.at);
        }
    }

    /// The row of an output, made if it is not there; beyond the limits one that stands for all.
    fn row(&mut self, format: Format, group: &str, stream: &str, folder: &str, now: Timestamp) -> usize {
        let (group, stream) = (bounded(Cow::Borrowed(group)), bounded(Cow::Borrowed(stream)));
        let identity = Identity { format, group: Arc::from(&*group), stream: Arc::from(&*stream) };
        if let Some(index) = self.by_identity.get(&identity).copied() {
            self.settle_folder(index, format, folder);
            return index;
        }
        let of_stream = self.streams.get(&identity.stream).copied().unwrap_or(0);
        let full = of_stream >= OUTPUTS_PER_STREAM || (of_stream == 0 && self.names() >= self.limit);
        if full && &*identity.stream != OVERFLOW {
            self.folded += 1;
            return self.row(format, OVERFLOW, OVERFLOW, "", now);
        }
        *self.streams.entry(Arc::clone(&identity.stream)).or_default() += 1;
        // Comes round after four thousand million outputs, of which the last hundred events know few.
        self.made = self.made.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.rows.insert(Row::new(identity.clone(), self.made, now));
        self.by_identity.insert(identity, index);
        self.settle_folder(index, format, folder);
        index
    }

    /// How many stream names have series of their own.
    fn names(&self) -> usize {
        self.streams.len() - usize::from(self.streams.contains_key(OVERFLOW))
    }

    /// Lets the folder lead to this row. A row that was only guessed from the folder's name gives
    /// way to the one that the server named.
    fn settle_folder(&mut self, index: usize, format: Format, folder: &str) {
        if folder.is_empty() || self.by_folder.get(&Folder(format, folder)) == Some(&index) {
            return;
        }
        let folder: Arc<str> = Arc::from(folder);
        let before = self.by_folder.insert((format, Arc::clone(&folder)), index);
        if let Some(guess) = before
            && self.rows.get(guess).is_some_and(|row| row.adopted)
            && let Some(guess) = self.forget(guess)
        {
            self.rows[index].absorb(guess);
        }
        let folders = &mut self.rows[index].folders;
        folders.push(folder);
        if folders.len() > FOLDERS {
            let oldest = folders.remove(0);
            self.release_folder(index, format, oldest);
        }
    }

    /// Lets a folder lead nowhere, unless it leads to another row by now.
    fn release_folder(&mut self, index: usize, format: Format, folder: Arc<str>) {
        let key = (format, folder);
        if self.by_folder.get(&key) == Some(&index) {
            self.by_folder.remove(&key);
        }
    }

    /// Drops a row that has no writer.
    fn forget(&mut self, index: usize) -> Option<Row> {
        let mut row = self.rows.try_remove(index)?;
        self.by_identity.remove(&row.identity);
        for folder in row.folders.drain(..) {
            self.release_folder(index, row.identity.format, folder);
        }
        if let Some(rows) = self.streams.get_mut(&row.identity.stream) {
            *rows -= 1;
            if *rows == 0 {
                self.streams.remove(&row.identity.stream);
            }
        }
        Some(row)
    }

    fn playlist(&mut self, format: Format, kind: Playlist, file: &str, now: Timestamp) -> Change {
        let path = paths::normalise(file);
        let folder = paths::folders(&path).next().unwrap_or_default();
        // The manifest of an automatic DASH output lies in its stream's own folder.
        let own = kind == Playlist::Child || format.splits_tracks();
        let row = self.by_folder.get(&Folder(format, folder)).copied().filter(|_| own);
        self.touched = row.and_then(|row| self.touch(row));
        let updates = match (row, kind, paths::shape(format, &path)) {
            (Some(index), _, _) => &mut self.rows[index].playlist,
            (None, Playlist::Child, None) => return Change::Counted,
            (None, Playlist::Child, Some(shape)) => {
                let index = self.row(format, shape.group, shape.stream, shape.folder, now);
                &mut self.rows[index].playlist
            }
            (None, Playlist::Master, _) => {
                let group = bounded(Cow::Borrowed(folder.rsplit('/').next().unwrap_or_default()));
                let mut key = (format, Arc::from(&*group));
                if !self.groups.contains_key(&key) && self.groups.len() >= self.limit {
                    self.folded += 1;
                    key.1 = Arc::from(OVERFLOW);
                }
                self.groups.entry(key).or_default()
            }
        };
        updates.count += 1;
        updates.last = Some(now);
        Change::Updated
    }

    /// Closes everything: the server process that owned it is gone.
    pub fn empty(&mut self, now: Timestamp) {
        for (key, writer) in self.writers.drain() {
            self.closed.remember(key, writer.created);
            self.rows[writer.row].end(now);
        }
        for (_, row) in self.rows.iter_mut().filter(|(_, row)| row.adopted) {
            row.end(now);
        }
        self.settling = now.plus(GRACE);
    }

    /// The group, the stream and the track that a file of an output belongs to.
    pub fn of_file(&self, format: Format, file: &str) -> Option<(Arc<str>, Arc<str>, Track)> {
        let path = paths::normalise(file);
        let row = self.rows.get(self.by_path(format, &path)?)?;
        let Identity { group, stream, .. } = &row.identity;
        Some((Arc::clone(group), Arc::clone(stream), paths::track(format, &path)))
    }

    /// Who writes an output, if its creation has come.
    pub fn writer(&self, format: Format, group: &str, stream: &str) -> Option<(Key, Writer)> {
        let identity = Identity { format, group: Arc::from(group), stream: Arc::from(stream) };
        let row = *self.by_identity.get(&identity)?;
        let writers = self.writers.iter().filter(|(_, writer)| writer.row == row);
        writers.max_by_key(|(_, writer)| writer.created).map(|(key, writer)| (*key, *writer))
    }

    /// Whether this track of an open output stalls, as far as the last tick found.
    pub fn stalls(&self, format: Format, group: &str, stream: &str, track: Track) -> bool {
        let identity = Identity { format, group: Arc::from(group), stream: Arc::from(stream) };
        let row = self.by_identity.get(&identity).and_then(|index| self.rows.get(*index));
        row.is_some_and(|row| row.open() && row.stalls(track))
    }

    /// Lets go of outputs whose retention is over, and finds those that have begun or ceased to
    /// stall.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Stall> {
        let mut stalls = Vec::new();
        let mut over = Vec::new();
        for (index, row) in &mut self.rows {
            if !row.open() && now.since(row.left()) > self.retention {
                over.push(index);
            }
            let (format, group, stream) =
                (row.identity.format, Arc::clone(&row.identity.group), Arc::clone(&row.identity.stream));
            let turns = row.turn(self.patience, now).map(|(turn, track)| {
                let (group, stream) = (Arc::clone(&group), Arc::clone(&stream));
                (index, Stall { turn, format, group, stream, track, writer: None })
            });
            stalls.extend(turns);
        }
        let stalls = self.name_writers(stalls);
        for index in over {
            self.forget(index);
        }
        while let Some(file) = self.unplaced.pop_front_if(|file| now.since(file.at) > GRACE) {
            let index = self.row(Format::Record, OVERFLOW, OVERFLOW, "", now);
            self.write(index, Track::Whole, file.step, file.at);
        }
        self.tick_groups(now);
        stalls
    }

    /// Says of each stall who writes the output: the youngest, while one takes over from another.
    fn name_writers(&self, stalls: Vec<(usize, Stall)>) -> Vec<Stall> {
        let mut youngest: HashMap<usize, (Key, Writer)> = HashMap::new();
        if !stalls.is_empty() {
            for (key, writer) in &self.writers {
                let known = youngest.entry(writer.row).or_insert((*key, *writer));
                if known.1.created < writer.created {
                    *known = (*key, *writer);
                }
            }
        }
        let named = |(row, stall)| Stall { writer: youngest.get(&row).copied(), ..stall };
        stalls.into_iter().map(named).collect()
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

/// A borrowed key of the map by folder.
#[derive(Hash)]
struct Folder<'f>(Format, &'f str);

impl hashbrown::Equivalent<(Format, Arc<str>)> for Folder<'_> {
    fn equivalent(&self, key: &(Format, Arc<str>)) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}
