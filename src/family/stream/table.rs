//! What is true of the streams of one server, and what is shown of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::{Codec, Direction, Event, Media, Purpose, Stream, TYPES, Traffic};
use crate::exposition::{Histogram, Kind, Metric, Samples, bounded};
use crate::family::closed::Closed;
use crate::family::{self, Change, Key, OVERFLOW, Settings};
use crate::moment::Moment;

/// Types of which the server tells the creation but never the close.
const NEVER_CLOSED: [&str; 6] = ["IFP", "INEXT", "INRAW", "ONEXT", "OMETA", "OVMF"];
/// Most streams that are tracked as open at once; further ones are only counted.
const OPEN: usize = 200_000;
/// How long a stream of such a type is believed to be open after its last event.
const NEVER_CLOSED_BELIEF: Duration = Duration::from_secs(3600);
/// The server repeats a stopped feed every 10 s; after a longer silence it is a new stop.
const FEED_REPEAT: Duration = Duration::from_secs(30);
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
    created: u64,
    heard: Moment,
    codecs: [Codec; 2],
    traffic: [Traffic; 2],
}

impl Row {
    const fn ingest(&self) -> bool {
        matches!(self.direction, Direction::In)
    }
}

/// What is told of one stream name, over all streams that carried it.
#[derive(Debug, Default)]
struct Named {
    /// Open inbound streams of this name, and the first and the newest of them.
    ingests: u32,
    since: Moment,
    info: Info,
    /// Open streams of this name in either direction.
    open: u32,
    idle_since: Moment,
    /// Inbound and outbound; a direction is shown from its first stream on.
    traffic: [[Traffic; 2]; 2],
    shown: [bool; 2],
    feeds: [Feed; 2],
    pull_failures: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Info {
    kind: &'static str,
    codecs: [Codec; 2],
    width: u32,
    height: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Feed {
    stops: u64,
    last: Option<Moment>,
}

/// The streams of one server.
#[derive(Debug)]
pub struct Table {
    rows: HashMap<Key, Row>,
    closed: Closed,
    names: family::Table<Arc<str>, Named>,
    limit: usize,
    retention: Duration,
    expected: Vec<Arc<str>>,
    overflow: Arc<str>,
    folded: u64,
    /// Every combination that was ever open, so that a gauge falls to 0 and does not vanish.
    seen: BTreeMap<(Direction, &'static str, Purpose), usize>,
    opened: BTreeMap<(Direction, &'static str), u64>,
    ended: BTreeMap<(Direction, &'static str), u64>,
    durations: [Histogram; 2],
    playlist_items: u64,
}

impl Table {
    /// An empty table.
    pub fn new(settings: &Settings) -> Self {
        let zero = || {
            let direction = |kind: &str| match kind.as_bytes()[0] {
                b'I' => Direction::In,
                b'O' => Direction::Out,
                _ => Direction::Neutral,
            };
            let known = TYPES.iter().map(|kind| ((direction(kind), *kind), 0));
            known.chain(Direction::ALL.map(|direction| ((direction, "other"), 0))).collect()
        };
        Self {
            rows: HashMap::new(),
            closed: Closed::default(),
            names: family::Table::default(),
            limit: settings.streams,
            retention: settings.retention,
            expected: settings.expected.iter().map(|name| Arc::from(name.as_str())).collect(),
            overflow: Arc::from(OVERFLOW),
            folded: 0,
            seen: BTreeMap::new(),
            opened: zero(),
            ended: zero(),
            durations: [Histogram::new(DURATIONS), Histogram::new(DURATIONS)],
            playlist_items: 0,
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

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, now: Moment) -> Change {
        match event {
            Event::Created(stream) => self.open(stream, now, Change::Opened),
            Event::CodecsUpdated(stream) => self.open(stream, now, Change::Adopted),
            Event::Closed(stream) => self.close(stream, now),
            Event::FeedStopped { key, name, media } => self.feed_stopped(*key, name, *media, now),
            Event::PullFailed { name } => {
                let name = self.track(name, now);
                *self.name(&name, now).pull_failures.get_or_insert(0) += 1;
                Change::Counted
            }
            Event::PlaylistItem => {
                self.playlist_items += 1;
                Change::Counted
            }
            Event::FirstFrameSent => Change::Counted,
        }
    }

    fn open(&mut self, stream: &Stream<'_>, now: Moment, when_new: Change) -> Change {
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
        self.insert(stream, now, creation);
        change
    }

    fn insert(&mut self, stream: &Stream<'_>, now: Moment, created_seen: bool) {
        let (direction, kind, purpose) = (stream.direction, stream.kind, stream.purpose);
        *self.seen.entry((direction, kind, purpose)).or_default() += 1;
        if purpose != Purpose::Internal {
            *self.opened.entry((direction, kind)).or_default() += 1;
        }
        let name = match purpose {
            // Files read for one player are named by their path and come and go with the player.
            Purpose::Internal | Purpose::Vod => None,
            // Players may ask for any name: only one that is known already has series.
            Purpose::Play => self.known(&stream.name),
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
            created: stream.created,
            heard: now,
            codecs: [Codec::default(); 2],
            traffic: [Traffic::default(); 2],
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
    fn update(&mut self, stream: &Stream<'_>, now: Moment) {
        let Some(row) = self.rows.get_mut(&stream.key) else {
            return;
        };
        row.heard = now;
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

    fn close(&mut self, stream: &Stream<'_>, now: Moment) -> Change {
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
            self.insert(stream, now, true);
        }
        if stream.purpose != Purpose::Internal && stream.direction != Direction::Neutral {
            let side = usize::from(stream.direction == Direction::Out);
            self.durations[side].observe(stream.up_time.as_secs_f64());
        }
        self.remove(stream.key, now);
        change
    }

    fn remove(&mut self, key: Key, now: Moment) {
        let Some(row) = self.rows.remove(&key) else {
            return;
        };
        self.closed.remember(key, row.created);
        if let Some(open) = self.seen.get_mut(&(row.direction, row.kind, row.purpose)) {
            *open -= 1;
        }
        if row.purpose != Purpose::Internal {
            *self.ended.entry((row.direction, row.kind)).or_default() += 1;
        }
        if let Some(named) = row.name.as_ref().and_then(|name| self.names.get_mut(name)) {
            named.open -= 1;
            named.idle_since = now;
            if row.ingest() {
                named.ingests -= 1;
            }
        }
    }

    fn feed_stopped(&mut self, key: Option<Key>, name: &str, media: Media, now: Moment) -> Change {
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
        Change::Updated
    }

    /// The name under which a stream is shown, if it is shown already.
    fn known(&self, name: &str) -> Option<Arc<str>> {
        let name = bounded(Cow::Borrowed(name));
        self.names.get_key_value(name.as_ref()).map(|(known, _)| Arc::clone(known))
    }

    /// The name under which a stream is shown: its own, or [`OVERFLOW`] beyond the limit.
    fn track(&mut self, name: &str, now: Moment) -> Arc<str> {
        if let Some(known) = self.known(name) {
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

    fn name(&mut self, name: &Arc<str>, now: Moment) -> &mut Named {
        let named = self.names.entry(Arc::clone(name)).or_default();
        named.idle_since = now;
        named
    }

    /// Closes everything: the server process that owned it is gone.
    pub fn empty(&mut self, now: Moment) {
        let keys: Vec<Key> = self.rows.keys().copied().collect();
        for key in keys {
            self.remove(key, now);
        }
    }

    /// Lets go of what time has made untrue: names whose retention is over, and streams of the
    /// types that never close.
    pub fn tick(&mut self, now: Moment) {
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
    }

    fn ingests(&self) -> impl Iterator<Item = (&str, &Named)> {
        self.names.iter().filter(|(_, named)| named.ingests > 0).map(|(name, named)| (name.as_ref(), named))
    }

    fn traffic(&self, samples: &mut Samples<'_>, read: fn(&Traffic) -> u64) {
        for (name, named) in &self.names {
            for direction in [Direction::In, Direction::Out] {
                if !named.shown[direction as usize] {
                    continue;
                }
                for media in Media::ALL {
                    let value = read(&named.traffic[direction as usize][media as usize]);
                    let labels = [
                        ("direction", direction.label()),
                        ("stream", name.as_ref()),
                        ("media", media.label()),
                    ];
                    samples.add(&labels, value);
                }
            }
        }
    }
}

/// What is shown of streams.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_streams",
        kind: Kind::Gauge,
        help: "Open streams, from inStreamCreated, outStreamCreated and their Closed events. Viewers are direction=\"out\", purpose=\"play\".",
        labels: &["direction", "type", "purpose"],
        query: r#"sum by (server) (ems_streams{direction="out", purpose="play"})"#,
        samples: |table, samples| {
            for ((direction, kind, purpose), open) in &table.seen {
                let labels =
                    [("direction", direction.label()), ("type", *kind), ("purpose", purpose.label())];
                samples.add(&labels, *open);
            }
        },
    },
    Metric {
        name: "ems_streams_opened_total",
        kind: Kind::Counter,
        help: "Streams opened, from inStreamCreated, outStreamCreated and streamCreated; each counts once, by whichever of its events came first. Internal streams are left out.",
        labels: &["direction", "type"],
        query: "sum by (server, direction) (rate(ems_streams_opened_total[5m]))",
        samples: |table, samples| {
            for ((direction, kind), count) in &table.opened {
                samples.add(&[("direction", direction.label()), ("type", kind)], *count);
            }
        },
    },
    Metric {
        name: "ems_streams_closed_total",
        kind: Kind::Counter,
        help: "Streams closed, from inStreamClosed, outStreamClosed and streamClosed, or ended with the server process. Internal streams are left out.",
        labels: &["direction", "type"],
        query: "sum by (server, direction) (rate(ems_streams_closed_total[5m]))",
        samples: |table, samples| {
            for ((direction, kind), count) in &table.ended {
                samples.add(&[("direction", direction.label()), ("type", kind)], *count);
            }
        },
    },
    Metric {
        name: "ems_stream_duration_seconds",
        kind: Kind::Histogram,
        help: "How long streams were open, from upTime of inStreamClosed and outStreamClosed.",
        labels: &["direction"],
        query: "histogram_quantile(0.5, sum by (server, direction, le) (rate(ems_stream_duration_seconds_bucket[1h])))",
        samples: |table, samples| {
            for (direction, durations) in [Direction::In, Direction::Out].iter().zip(&table.durations) {
                samples.histogram(&[("direction", direction.label())], durations);
            }
        },
    },
    Metric {
        name: "ems_stream_up",
        kind: Kind::Gauge,
        help: "1 while an inbound stream of this name is open, from inStreamCreated and inStreamClosed; 0 for an expected one that is missing. Files read for one player are left out.",
        labels: &["stream"],
        query: "ems_stream_up == 0",
        samples: |table, samples| {
            for (name, _) in table.ingests() {
                samples.add(&[("stream", name)], true);
            }
            for name in &table.expected {
                if table.names.get(name).is_none_or(|named| named.ingests == 0) {
                    samples.add(&[("stream", name)], false);
                }
            }
        },
    },
    Metric {
        name: "ems_stream_start_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the inbound stream of this name was opened, the first if several are open, from inStreamCreated.",
        labels: &["stream"],
        query: "time() - ems_stream_start_timestamp_seconds",
        samples: |table, samples| {
            for (name, named) in table.ingests().filter(|(name, _)| *name != OVERFLOW) {
                samples.add(&[("stream", name)], named.since);
            }
        },
    },
    Metric {
        name: "ems_stream_info",
        kind: Kind::Gauge,
        help: "Always 1; the labels tell the type, codecs and size in pixels of an open inbound stream, from inStreamCodecsUpdated.",
        labels: &["stream", "type", "video_codec", "audio_codec", "width", "height"],
        query: "count by (server, video_codec, width, height) (ems_stream_info)",
        samples: |table, samples| {
            for (name, named) in table.ingests().filter(|(name, _)| *name != OVERFLOW) {
                let info = &named.info;
                let (mut width, mut height) = (itoa::Buffer::new(), itoa::Buffer::new());
                let labels = [
                    ("stream", name),
                    ("type", info.kind),
                    ("video_codec", info.codecs[1].label()),
                    ("audio_codec", info.codecs[0].label()),
                    ("width", width.format(info.width)),
                    ("height", height.format(info.height)),
                ];
                samples.add(&labels, true);
            }
        },
    },
    Metric {
        name: "ems_stream_bytes_total",
        kind: Kind::Counter,
        help: "Bytes that flowed through streams of this name, from bytesCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed: it moves only when one of them comes.",
        labels: &["direction", "stream", "media"],
        query: "8 * sum by (server, stream, direction) (rate(ems_stream_bytes_total[5m]))",
        samples: |table, samples| table.traffic(samples, |traffic| traffic.bytes),
    },
    Metric {
        name: "ems_stream_packets_total",
        kind: Kind::Counter,
        help: "Packets that flowed through streams of this name, from packetsCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed.",
        labels: &["direction", "stream", "media"],
        query: "sum by (server, stream, direction, media) (rate(ems_stream_packets_total[5m]))",
        samples: |table, samples| table.traffic(samples, |traffic| traffic.packets),
    },
    Metric {
        name: "ems_stream_dropped_packets_total",
        kind: Kind::Counter,
        help: "Packets that streams of this name dropped, from droppedPacketsCount of inStreamCodecsUpdated, outStreamCodecsUpdated, inStreamClosed and outStreamClosed.",
        labels: &["direction", "stream", "media"],
        query: "rate(ems_stream_dropped_packets_total[5m]) / rate(ems_stream_packets_total[5m])",
        samples: |table, samples| table.traffic(samples, |traffic| traffic.dropped),
    },
    Metric {
        name: "ems_stream_feed_stopped_total",
        kind: Kind::Counter,
        help: "Times that a medium of an inbound stream stopped arriving, from audioFeedStopped and videoFeedStopped; the server's repetitions count once.",
        labels: &["stream", "media"],
        query: "increase(ems_stream_feed_stopped_total[1h]) > 0",
        samples: |table, samples| {
            for (name, named) in table
                .names
                .iter()
                .filter(|(_, named)| named.shown[0] || named.feeds.iter().any(|feed| feed.stops > 0))
            {
                for media in Media::ALL {
                    let stops = named.feeds[media as usize].stops;
                    samples.add(&[("stream", name), ("media", media.label())], stops);
                }
            }
        },
    },
    Metric {
        name: "ems_stream_feed_last_stopped_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When a medium of an inbound stream was last reported as stopped, from audioFeedStopped and videoFeedStopped; the server repeats the report every 10 s while it lasts.",
        labels: &["stream", "media"],
        query: "time() - ems_stream_feed_last_stopped_timestamp_seconds < 30",
        samples: |table, samples| {
            for (name, named) in table.ingests() {
                for media in Media::ALL {
                    if let Some(last) = named.feeds[media as usize].last {
                        samples.add(&[("stream", name), ("media", media.label())], last);
                    }
                }
            }
        },
    },
    Metric {
        name: "ems_pull_failures_total",
        kind: Kind::Counter,
        help: "Pulls that could not be established, from pullStreamFailed: one a second for as long as a kept-alive pull fails.",
        labels: &["stream"],
        query: "rate(ems_pull_failures_total[5m]) > 0",
        samples: |table, samples| {
            for (name, named) in &table.names {
                if let Some(failures) = named.pull_failures {
                    samples.add(&[("stream", name)], failures);
                }
            }
        },
    },
    Metric {
        name: "ems_playlist_items_total",
        kind: Kind::Counter,
        help: "Items of server-side playlists started, from playlistItemStart, firstPlaylistItemStart and lastPlaylistItemStart; every ordinary RTMP player sends one.",
        labels: &[],
        query: "rate(ems_playlist_items_total[5m])",
        samples: |table, samples| samples.add(&[], table.playlist_items),
    },
];
