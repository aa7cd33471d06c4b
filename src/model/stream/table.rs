//! What is true of the streams of one server, and what is shown of it.

mod listed;
mod view;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::{Codec, Direction, Event, Media, Purpose, Stream, TYPES, Traffic};
use crate::exposition::{Histogram, LABEL_BYTES, bounded};
use crate::model::discrepancies::Discrepancies;
use crate::model::lifecycle::Closed;
use crate::model::{self, Change, Key, OVERFLOW, Settings};
use ems_protocol::Timestamp;

pub(super) use listed::direction;
use listed::{Doubt, NOTHING};
pub use listed::{Gone, Verdict};
pub use view::{Aged, View};

/// Types of which the server tells the creation but never the close.
const NEVER_CLOSED: [&str; 6] = ["IFP", "INEXT", "INRAW", "ONEXT", "OMETA", "OVMF"];
/// Most streams that are tracked as open at once; further ones are only counted.
const OPEN: usize = 200_000;
/// How long a stream of such a type is believed to be open after its last event.
const NEVER_CLOSED_BELIEF: Duration = Duration::from_secs(3600);
/// The server repeats a stopped feed every 10 s; after a longer silence it is a new stop.
const FEED_REPEAT: Duration = Duration::from_secs(30);
/// How long an expected stream may be missed before that is told.
const EXPECTED_WITHIN: Duration = Duration::from_secs(10);
/// Upper bounds of stream durations, in seconds: a failed player to a week of a camera.
const DURATIONS: &[f64] = &[1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

/// An open stream.
#[derive(Debug)]
struct Row {
    /// The name under which it is shown, if it has series of its own.
    name: Option<Arc<str>>,
    /// Whether its creation has come, and not only a later event.
    created_seen: bool,
    direction: Direction,
    kind: &'static str,
    purpose: Purpose,
    /// What feeds it: its close may not tell any more.
    input: Option<Key>,
    ours: bool,
    created: u64,
    /// When it was first heard of.
    since: Timestamp,
    heard: Timestamp,
    codecs: [Codec; 2],
    traffic: [Traffic; 2],
    /// When the server last listed it, by its own clock, and how many bytes it told of each medium.
    metered: Option<(Timestamp, [u64; 2])>,
    /// Bits per second between the last two lists of the server.
    rate: Option<f64>,
}

impl Row {
    fn known(&self) -> Known<'_> {
        Known {
            // A long name may have been shortened, and many names share that of the overflow.
            name: self.name.as_deref().filter(|name| name.len() < LABEL_BYTES - 3 && *name != OVERFLOW),
            direction: self.direction,
            kind: self.kind,
            purpose: self.purpose,
            input: self.input,
            ours: self.ours,
        }
    }

    const fn ingest(&self) -> bool {
        matches!(self.direction, Direction::In)
    }
}

/// What is known of an open stream beside its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'t> {
    /// Its name, where the whole of it was kept.
    pub name: Option<&'t str>,
    /// See [`Stream::direction`].
    pub direction: Direction,
    /// See [`Stream::kind`].
    pub kind: &'static str,
    /// See [`Stream::purpose`].
    pub purpose: Purpose,
    /// See [`Stream::input`].
    pub input: Option<Key>,
    /// See [`Stream::ours`].
    pub ours: bool,
}

/// Since when a stream that is expected has been missed.
#[derive(Debug, Default, Clone, Copy)]
struct Missed {
    since: Option<Timestamp>,
    told: bool,
}

/// What is told of one stream name, over all streams that carried it.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Open inbound streams of this name, and the first and the newest of them.
    pub(super) ingests: u32,
    pub(super) since: Timestamp,
    pub(super) info: Info,
    /// Open streams of this name in either direction.
    open: u32,
    idle_since: Timestamp,
    /// Inbound and outbound; a direction is shown from its first stream on.
    pub(super) traffic: [[Traffic; 2]; 2],
    pub(super) shown: [bool; 2],
    /// Bits per second between the last two lists of the server, by direction and medium.
    pub(super) rates: [[Option<f64>; 2]; 2],
    pub(super) feeds: [Feed; 2],
    pub(super) pull_failures: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Info {
    pub(super) kind: &'static str,
    pub(super) codecs: [Codec; 2],
    pub(super) width: u32,
    pub(super) height: u32,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Feed {
    pub(super) stops: u64,
    pub(super) last: Option<Timestamp>,
}

/// The streams of one server.
#[derive(Debug)]
pub struct Table {
    rows: HashMap<Key, Row>,
    closed: Closed,
    doubts: Discrepancies<Doubt>,
    pub(super) names: model::Table<Arc<str>, Named>,
    limit: usize,
    retention: Duration,
    pub(super) expected: Vec<Arc<str>>,
    /// One for each of `expected`.
    missed: Vec<Missed>,
    /// How many open outbound streams each inbound one feeds, by their purpose.
    fed: HashMap<(Key, Purpose), u32>,
    overflow: Arc<str>,
    folded: u64,
    /// Every combination that was ever open, so that a gauge falls to 0 and does not vanish.
    pub(super) seen: BTreeMap<(Direction, &'static str, Purpose), usize>,
    pub(super) opened: BTreeMap<(Direction, &'static str), u64>,
    pub(super) ended: BTreeMap<(Direction, &'static str), u64>,
    pub(super) durations: [Histogram; 2],
    pub(super) playlist_items: u64,
    touched: Option<Arc<str>>,
}

impl Table {
    /// An empty table.
    pub fn new(settings: &Settings) -> Self {
        let zero = || {
            let known = TYPES.iter().map(|kind| ((direction(kind), *kind), 0));
            known.chain(Direction::ALL.map(|direction| ((direction, "other"), 0))).collect()
        };
        Self {
            rows: HashMap::new(),
            closed: Closed::default(),
            doubts: Discrepancies::default(),
            names: model::Table::default(),
            limit: settings.streams,
            retention: settings.retention,
            expected: settings.expected.iter().map(|name| Arc::from(name.as_str())).collect(),
            missed: vec![Missed::default(); settings.expected.len()],
            fed: HashMap::new(),
            overflow: Arc::from(OVERFLOW),
            folded: 0,
            seen: BTreeMap::new(),
            opened: zero(),
            ended: zero(),
            durations: [Histogram::new(DURATIONS), Histogram::new(DURATIONS)],
            playlist_items: 0,
            touched: None,
        }
    }

    /// How many streams are open.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many times a name was folded into [`OVERFLOW`].
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// How many names have series of their own.
    pub fn names(&self) -> usize {
        self.names.len() - usize::from(self.names.contains_key(&self.overflow))
    }

    /// Whether this stream is open.
    pub fn is_open(&self, key: Key) -> bool {
        self.rows.contains_key(&key)
    }

    /// What is known of a stream that is open.
    pub fn known(&self, key: Key) -> Option<Known<'_>> {
        self.rows.get(&key).map(Row::known)
    }

    /// The name of the stream that the last event was about, where it has one of its own.
    pub fn take_touched(&mut self) -> Option<Arc<str>> {
        self.touched.take()
    }

    /// How many open outbound streams of this purpose an inbound one feeds.
    pub fn fed(&self, input: Key, purpose: Purpose) -> u32 {
        self.fed.get(&(input, purpose)).copied().unwrap_or(0)
    }

    /// How many open inbound streams carry this name.
    pub fn inbound(&self, name: &str) -> u32 {
        self.names.get(bounded(Cow::Borrowed(name)).as_ref()).map_or(0, |named| named.ingests)
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, now: Timestamp) -> Change {
        match event {
            Event::Created(stream) => self.open(stream, now, Change::Opened),
            Event::CodecsUpdated(stream) => self.open(stream, now, Change::Adopted),
            Event::Closed(stream) => self.close(stream, now),
            Event::FeedStopped { key, name, media } => self.feed_stopped(*key, name, *media, now),
            Event::PullFailed { name } => {
                let name = self.track(name, now);
                *self.name(&name, now).pull_failures.get_or_insert(0) += 1;
                self.touched = Some(name);
                Change::Counted
            }
            Event::PlaylistItem => {
                self.playlist_items += 1;
                Change::Counted
            }
            Event::FirstFrameSent => Change::Counted,
        }
    }

    fn open(&mut self, stream: &Stream<'_>, now: Timestamp, when_new: Change) -> Change {
        if self.closed.holds(stream.key, stream.created) {
            return Change::CreatedLate;
        }
        let mut change = when_new;
        let creation = when_new == Change::Opened;
        if let Some(row) = self.rows.get_mut(&stream.key) {
            if row.created == stream.created {
                let repeated = creation && row.created_seen;
                row.created_seen |= creation;
                self.update(stream, now);
                return if repeated { Change::Repeated } else { Change::Updated };
            }
            self.remove(stream.key, now);
            change = Change::Replaced;
        }
        if self.rows.len() >= OPEN {
            self.folded += 1;
            return Change::Counted;
        }
        self.insert(stream, now, creation, NOTHING);
        change
    }

    /// Makes a row; what flowed up to `counted` was not seen and is not told.
    fn insert(&mut self, stream: &Stream<'_>, now: Timestamp, created_seen: bool, counted: [Traffic; 2]) {
        let (direction, kind, purpose) = (stream.direction, stream.kind, stream.purpose);
        *self.seen.entry((direction, kind, purpose)).or_default() += 1;
        if purpose != Purpose::Internal {
            *self.opened.entry((direction, kind)).or_default() += 1;
        }
        let name = match purpose {
            // Files read for one player are named by their path and come and go with the player.
            Purpose::Internal | Purpose::Vod => None,
            // Players may ask for any name: only one that is known already has series.
            Purpose::Play => self.shown(&stream.name),
            Purpose::Publish
            | Purpose::Pull
            | Purpose::Push
            | Purpose::Hls
            | Purpose::Hds
            | Purpose::Dash
            | Purpose::Mss
            | Purpose::Record
            | Purpose::Process
            | Purpose::WebRtc
            | Purpose::Metadata
            | Purpose::Other => Some(self.track(&stream.name, now)),
        };
        let row = Row {
            name,
            created_seen,
            direction,
            kind,
            purpose,
            input: None,
            ours: stream.ours,
            created: stream.created,
            since: now,
            heard: now,
            codecs: [Codec::default(); 2],
            traffic: counted,
            metered: None,
            rate: None,
        };
        if let Some(name) = &row.name {
            let ingest = row.ingest();
            let named = self.name(&Arc::clone(name), now);
            named.open += 1;
            named.shown[usize::from(!ingest)] = true;
            if ingest {
                if named.ingests == 0 {
                    named.since = now;
                }
                named.ingests += 1;
            }
        }
        self.rows.insert(stream.key, row);
        self.update(stream, now);
    }

    /// Takes over what an event shows of a stream that is open.
    fn update(&mut self, stream: &Stream<'_>, now: Timestamp) {
        let Some(row) = self.rows.get_mut(&stream.key) else {
            return;
        };
        row.heard = now;
        self.touched.clone_from(&row.name);
        if row.input.is_none()
            && let Some(input) = stream.input
        {
            row.input = Some(input);
            *self.fed.entry((input, row.purpose)).or_default() += 1;
        }
        let before = row.traffic;
        for medium in 0..2 {
            let track = stream.tracks[medium];
            row.traffic[medium] = row.traffic[medium].max(track.traffic);
            // A creation that is overtaken by its codecs must not undo them.
            if track.codec.known() || !row.codecs[medium].known() {
                row.codecs[medium] = track.codec;
            }
        }
        let Some(named) = row.name.as_ref().and_then(|name| self.names.get_mut(name)) else {
            return;
        };
        let direction = usize::from(!row.ingest());
        for (total, (before, after)) in
            named.traffic[direction].iter_mut().zip(before.iter().zip(&row.traffic))
        {
            total.add_growth(*before, *after);
        }
        if row.ingest() {
            named.info.kind = row.kind;
            named.info.codecs = row.codecs;
            if stream.width > 0 {
                (named.info.width, named.info.height) = (stream.width, stream.height);
            }
        }
    }

    fn close(&mut self, stream: &Stream<'_>, now: Timestamp) -> Change {
        if self.closed.holds(stream.key, stream.created) {
            return Change::Repeated;
        }
        let change = match self.rows.get(&stream.key) {
            Some(row) if row.created == stream.created => Change::Closed,
            Some(_) => {
                self.remove(stream.key, now);
                Change::Replaced
            }
            None => Change::ClosedUnseen,
        };
        if change == Change::Closed {
            self.update(stream, now);
        } else {
            self.insert(stream, now, true, NOTHING);
        }
        if stream.purpose != Purpose::Internal && stream.direction != Direction::Neutral {
            let side = usize::from(stream.direction == Direction::Out);
            self.durations[side].observe(stream.up_time.as_secs_f64());
        }
        self.remove(stream.key, now);
        change
    }

    fn remove(&mut self, key: Key, now: Timestamp) -> Option<Row> {
        let row = self.rows.remove(&key)?;
        self.closed.remember(key, row.created);
        if let Some(of_purpose) = row.input.map(|input| (input, row.purpose))
            && let Some(fed) = self.fed.get_mut(&of_purpose)
        {
            *fed -= 1;
            if *fed == 0 {
                self.fed.remove(&of_purpose);
            }
        }
        if let Some(open) = self.seen.get_mut(&(row.direction, row.kind, row.purpose)) {
            *open -= 1;
        }
        if row.purpose != Purpose::Internal {
            *self.ended.entry((row.direction, row.kind)).or_default() += 1;
        }
        if let Some(named) = row.name.as_ref().and_then(|name| self.names.get_mut(name)) {
            named.open -= 1;
            named.idle_since = now;
            named.rates[usize::from(!row.ingest())] = [None; 2];
            if row.ingest() {
                named.ingests -= 1;
            }
        }
        Some(row)
    }

    fn feed_stopped(&mut self, key: Option<Key>, name: &str, media: Media, now: Timestamp) -> Change {
        let row = key.and_then(|key| self.rows.get_mut(&key));
        let name = match row {
            // The server also reports the audio of a stream that never had any.
            Some(row) if row.codecs[1 - media as usize].known() && !row.codecs[media as usize].known() => {
                return Change::Counted;
            }
            Some(Row { name: Some(name), .. }) => Arc::clone(name),
            Some(Row { name: None, .. }) => return Change::Counted,
            // Rows of W3C files do not say whose feed it was.
            None if name.is_empty() => return Change::Counted,
            None => self.track(name, now),
        };
        let feed = &mut self.name(&name, now).feeds[media as usize];
        if feed.last.is_none_or(|last| now.since(last) > FEED_REPEAT) {
            feed.stops += 1;
        }
        feed.last = Some(now);
        self.touched = Some(name);
        Change::Updated
    }

    /// The name under which a stream is shown, if it is shown already.
    fn shown(&self, name: &str) -> Option<Arc<str>> {
        let name = bounded(Cow::Borrowed(name));
        self.names.get_key_value(name.as_ref()).map(|(known, _)| Arc::clone(known))
    }

    /// The name under which a stream is shown: its own, or [`OVERFLOW`] beyond the limit.
    fn track(&mut self, name: &str, now: Timestamp) -> Arc<str> {
        if let Some(known) = self.shown(name) {
            return known;
        }
        if self.names() >= self.limit {
            self.folded += 1;
            return Arc::clone(&self.overflow);
        }
        let name: Arc<str> = Arc::from(bounded(Cow::Borrowed(name)).as_ref());
        self.name(&name, now);
        name
    }

    fn name(&mut self, name: &Arc<str>, now: Timestamp) -> &mut Named {
        let named = self.names.entry(Arc::clone(name)).or_default();
        named.idle_since = now;
        named
    }

    /// Closes everything: the server process that owned it is gone.
    pub fn empty(&mut self, now: Timestamp) {
        let keys: Vec<Key> = self.rows.keys().copied().collect();
        for key in keys {
            self.remove(key, now);
        }
    }

    /// Lets go of what time has made untrue: names whose retention is over, and streams of the
    /// types that never close. Tells which expected streams have begun to be missed.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let retention = self.retention;
        self.names.retain(|_, named| named.open > 0 || now.since(named.idle_since) <= retention);
        let gone: Vec<Key> = self
            .rows
            .iter()
            .filter(|(_, row)| NEVER_CLOSED.contains(&row.kind) && now.since(row.heard) > NEVER_CLOSED_BELIEF)
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.remove(key, now);
        }
        self.miss(now)
    }

    fn miss(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let mut missing = Vec::new();
        for (name, missed) in self.expected.iter().zip(&mut self.missed) {
            if self.names.get(&**name).is_some_and(|named| named.ingests > 0) {
                *missed = Missed::default();
                continue;
            }
            let since = *missed.since.get_or_insert(now);
            if !missed.told && now.since(since) >= EXPECTED_WITHIN {
                missed.told = true;
                missing.push(Arc::clone(name));
            }
        }
        missing
    }
}
