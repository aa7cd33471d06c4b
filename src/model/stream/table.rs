//! The streams of one server.

mod listed;
mod view;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::event::{Direction, Event, Media, Purpose, Stream, Traffic};
use super::names::Names;
use super::row::{Label, OpenStream, Properties, Row};
use super::verdict::{FROZEN, InputState};
use crate::exposition::Histogram;
use crate::model::discrepancies::Discrepancies;
use crate::model::lifecycle::Lifecycle;
use crate::model::{Change, Key, OVERFLOW, Settings};
use ems_protocol::Timestamp;

pub use listed::{ListingResult, Removed};
pub use view::{Aged, View};

/// Types of which the server sends the creation but never the close.
const NEVER_CLOSED: [&str; 6] = ["IFP", "INEXT", "INRAW", "ONEXT", "OMETA", "OVMF"];
/// Most streams that are tracked as open at once; further ones are only counted.
const LIMIT: usize = 200_000;
/// How long a stream of such a type counts as open after its last event.
const NEVER_CLOSED_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long the close of an output may come after that of its input. A sink may leave it out.
const CLOSE_FOLLOWS: Duration = Duration::from_secs(5);
/// Upper bounds of stream durations, in seconds: a failed player to a week of a camera.
const DURATIONS: &[f64] = &[1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// A difference between a list and the table, with the stamps of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Discrepancy {
    /// The list has this stream, the table has never had it.
    Unseen(Key, u64),
    /// The list has it, the table has closed it.
    Closed(Key, u64),
    /// The list has it, the table has another one with the same key.
    Replaced(Key, u64, u64),
    /// The table has it, the list does not.
    Unlisted(Key, u64),
}

/// The changes that the passing of time makes.
#[derive(Debug)]
pub struct Derived {
    /// The expected streams that are missing from now on.
    pub missing: Vec<Arc<str>>,
    /// The inputs that are frozen, expired or live again from now on.
    pub inputs: Vec<(Arc<str>, InputState)>,
    /// The streams that wrote outputs and ended with their input, although no event has reported that.
    pub orphans: Vec<Key>,
}

/// The streams of one server.
#[derive(Debug)]
pub struct Table {
    pub(super) streams: Lifecycle<Key, Label, Row>,
    discrepancies: Discrepancies<Discrepancy>,
    pub(super) names: Names,
    /// How many open outbound streams each inbound one feeds, by their purpose.
    fed: HashMap<(Key, Purpose), u32>,
    pub(super) durations: [Histogram; 2],
    pub(super) playlist_items: u64,
    last_name: Option<Arc<str>>,
}

impl Table {
    /// An empty table.
    pub fn new(settings: &Settings) -> Self {
        Self {
            streams: Lifecycle::new(LIMIT),
            discrepancies: Discrepancies::default(),
            names: Names::new(settings),
            fed: HashMap::new(),
            durations: [Histogram::new(DURATIONS), Histogram::new(DURATIONS)],
            playlist_items: 0,
            last_name: None,
        }
    }

    /// How many streams and names came beyond a limit.
    pub const fn overflows(&self) -> u64 {
        self.names.overflows() + self.streams.overflows()
    }

    /// How many names have series of their own.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Whether this stream is open.
    pub fn is_open(&self, key: Key) -> bool {
        self.streams.get(&key).is_some()
    }

    /// The properties of a stream that is open.
    pub fn properties(&self, key: Key) -> Option<Properties<'_>> {
        self.streams.get(&key).map(Properties::of)
    }

    /// The name of the stream that the last event was about, where it has series of its own.
    pub const fn take_last_name(&mut self) -> Option<Arc<str>> {
        self.last_name.take()
    }

    /// How many open outbound streams of this purpose an inbound one feeds.
    pub fn fed(&self, input: Key, purpose: Purpose) -> u32 {
        self.fed.get(&(input, purpose)).copied().unwrap_or(0)
    }

    /// How many open inbound streams carry this name.
    pub fn inbound(&self, name: &str) -> u32 {
        self.names.inbound(name)
    }

    /// The state of the inbound streams of a name.
    pub fn input_state(&self, name: &str) -> Option<InputState> {
        self.names.input_state(name)
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, now: Timestamp) -> Change {
        match event {
            Event::Created(stream) => self.open(stream, true, Traffic::NONE, now),
            Event::CodecsUpdated(stream) => self.open(stream, false, Traffic::NONE, now),
            Event::Closed(stream) => self.close(stream, now),
            Event::FeedStopped { key, name, media } => self.feed_stopped(*key, name, *media, now),
            Event::PullFailed { name } => {
                self.last_name = Some(self.names.pull_failed(name, now));
                Change::Counted
            }
            Event::PlaylistItem => {
                self.playlist_items += 1;
                Change::Counted
            }
            Event::FirstFrameSent => Change::Counted,
        }
    }

    /// A stream is open; its traffic up to `uncounted` flowed before it was first seen.
    fn open(
        &mut self,
        stream: &Stream<'_>,
        creation: bool,
        uncounted: [Traffic; 2],
        now: Timestamp,
    ) -> Change {
        let row = || Row::new(stream, uncounted, now);
        let (key, label) = ((stream.key, stream.created), Label::of(stream));
        let (change, replaced) = self.streams.open(key, label, creation, row);
        if let Some(replaced) = replaced {
            self.leave(&replaced, now);
        }
        if change.opens()
            && let Some(open) = self.streams.get_mut(&stream.key)
        {
            self.names.enter(open.label, &mut open.row, &stream.name, now);
        }
        if change != Change::CreatedLate {
            self.update(stream, now);
        }
        change
    }

    /// Takes over the properties of a stream from an event, if the stream is open.
    fn update(&mut self, stream: &Stream<'_>, now: Timestamp) {
        let Some(OpenStream { label, row, .. }) = self.streams.get_mut(&stream.key) else {
            return;
        };
        row.last_event = now;
        self.last_name.clone_from(&row.name);
        if row.input.is_none()
            && let Some(input) = stream.input
        {
            row.input = Some(input);
            *self.fed.entry((input, label.purpose)).or_default() += 1;
        }
        self.names.update(*label, row, stream);
    }

    /// An open input has delivered nothing, as the outputs show that it feeds. Its close may follow.
    pub fn delivers_nothing(&mut self, key: Key) {
        if let Some(open) = self.streams.get_mut(&key) {
            open.row.frozen = true;
        }
    }

    fn close(&mut self, stream: &Stream<'_>, now: Timestamp) -> Change {
        let known = self.streams.get(&stream.key).is_some_and(|open| open.stamp == stream.created);
        if let Some(OpenStream { row, .. }) = self.streams.get_mut(&stream.key)
            && let Some(((_, bytes), polled)) = row.metered.zip(row.listed)
            && bytes == stream.tracks.map(|track| track.traffic.bytes)
        {
            // Not a byte since a poll long ago.
            row.frozen |= now.since(polled) >= FROZEN;
        }
        if known {
            self.update(stream, now);
        }
        let label = Label::of(stream);
        let (change, closed) = self.streams.close((stream.key, stream.created), label);
        if change == Change::Repeated {
            return change;
        }
        if let Some(closed) = closed {
            self.leave(&closed, now);
        }
        if !known {
            // The traffic of a stream without a row counts for its name all the same.
            let mut row = Row::new(stream, Traffic::NONE, now);
            self.names.enter(label, &mut row, &stream.name, now);
            self.names.update(label, &mut row, stream);
            self.names.leave(label, &row, now);
            self.last_name = row.name;
        }
        if stream.purpose != Purpose::Internal && stream.direction != Direction::Neutral {
            self.durations[label.side()].observe(stream.up_time.as_secs_f64());
        }
        change
    }

    /// Ends the stream with this key.
    fn end(&mut self, key: Key, now: Timestamp) -> Option<OpenStream> {
        let open = self.streams.end(key)?;
        self.leave(&open, now);
        Some(open)
    }

    /// A stream is not open any more.
    fn leave(&mut self, OpenStream { label, row, .. }: &OpenStream, now: Timestamp) {
        if let Some(of_purpose) = row.input.map(|input| (input, label.purpose))
            && let Some(fed) = self.fed.get_mut(&of_purpose)
        {
            *fed -= 1;
            if *fed == 0 {
                self.fed.remove(&of_purpose);
            }
        }
        self.names.leave(*label, row, now);
    }

    fn feed_stopped(&mut self, key: Option<Key>, name: &str, media: Media, now: Timestamp) -> Change {
        if let Some(open) = key.and_then(|key| self.streams.get_mut(&key)) {
            open.row.feeds[media as usize] = Some(now);
        }
        let row = key.and_then(|key| self.streams.get(&key)).map(|open| &open.row);
        let name = match row {
            // The server also reports the audio of a stream that never had any.
            Some(row) if row.has(1 - media as usize) && !row.has(media as usize) => {
                return Change::Counted;
            }
            Some(Row { name: Some(name), .. }) => Arc::clone(name),
            Some(Row { name: None, .. }) => return Change::Counted,
            // Rows of W3C files do not name the stream of the feed.
            None if name.is_empty() => return Change::Counted,
            None => self.names.track(name, now),
        };
        self.names.feed_stopped(&name, media, now);
        self.last_name = Some(name);
        Change::Updated
    }

    /// Closes everything: the server process that owned the streams is gone.
    pub fn empty(&mut self, now: Timestamp) {
        for open in self.streams.end_all() {
            self.leave(&open, now);
        }
        self.names.forget_inputs();
    }

    /// What closed with a server process may be open: that process goes on beside another.
    pub fn forget_closes(&mut self) {
        self.streams.forget_closes();
    }

    /// A new server process counts its streams anew.
    pub fn begin(&mut self) {
        self.streams.begin();
    }

    /// Takes the names of the streams that configurations wait for.
    pub fn set_waiting<'n>(&mut self, names: impl Iterator<Item = &'n str>, now: Timestamp) {
        self.names.set_waiting(names, now);
    }

    /// Judges the open inputs.
    fn judge(&mut self, now: Timestamp) {
        let mut frozen = Vec::new();
        for (_, OpenStream { label, row, .. }) in self.streams.iter_mut() {
            if label.inbound() && row.name.is_some() && !NEVER_CLOSED.contains(&label.kind) {
                row.frozen = row.delivery(now).is_frozen();
                frozen.extend(row.name.clone().filter(|_| row.frozen));
            }
        }
        self.names.mark_frozen(frozen.iter());
    }

    /// The streams that write outputs, and whose input closed so long ago that their own close should have come.
    fn orphans(&self, now: Timestamp) -> Vec<Key> {
        let ended = |row: &Row| {
            let named = row.name.as_ref().filter(|name| ***name != *OVERFLOW);
            let named = named.and_then(|name| self.names.get(name)).filter(|named| named.inbound == 0);
            let closed = named.and_then(|named| named.closed);
            closed.is_some_and(|closed| closed >= row.since && now.since(closed) > CLOSE_FOLLOWS)
        };
        let writers = self.streams.iter().filter(|(_, open)| open.label.purpose.writes_files());
        writers.filter(|(_, open)| ended(&open.row)).map(|(key, _)| *key).collect()
    }

    /// Judges inputs, and drops names whose retention has ended, streams of the types that never close, and those that
    /// ended with their input.
    pub fn tick(&mut self, now: Timestamp) -> Derived {
        self.judge(now);
        let orphans = self.orphans(now);
        for key in &orphans {
            self.end(*key, now);
        }
        let over = |open: &OpenStream| {
            NEVER_CLOSED.contains(&open.label.kind) && now.since(open.row.last_event) > NEVER_CLOSED_TIMEOUT
        };
        let over: Vec<Key> =
            self.streams.iter().filter(|(_, open)| over(open)).map(|(key, _)| *key).collect();
        for key in over {
            self.end(key, now);
        }
        let inputs = self.names.transitions();
        Derived { missing: self.names.tick(now), inputs, orphans }
    }
}
