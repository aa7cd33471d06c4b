//! The state that is exposed by stream name, over all streams that carried the name.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::event::{Codec, Media, Purpose, Stream, Traffic};
use super::row::{Label, Row};
use super::verdict::InputState;
use crate::exposition::bounded;
use crate::model::{OVERFLOW, Settings};
use ems_protocol::Timestamp;

/// The server repeats a stopped feed every 10 s; after a longer silence it is a new stop.
const FEED_REPEAT: Duration = Duration::from_secs(30);
/// How long an expected stream may be missing before that is reported.
const EXPECTED_WITHIN: Duration = Duration::from_secs(10);

/// The exposed state of one stream name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Open inbound streams of this name.
    pub(super) inbound: u32,
    /// When the first of them was opened.
    pub(super) since: Timestamp,
    /// The newest of them.
    pub(super) info: Info,
    /// Open streams of this name in either direction.
    open: u32,
    idle_since: Timestamp,
    /// By [`Label::side`] and medium; a medium is exposed from the first stream on that has it.
    pub(super) traffic: [[Traffic; 2]; 2],
    pub(super) exposed: [[bool; 2]; 2],
    /// Bits per second between the last two lists of the server, by direction and medium.
    pub(super) rates: [[Option<f64>; 2]; 2],
    pub(super) feeds: [FeedStops; 2],
    pub(super) pull_failures: Option<u64>,
    /// Whether one of its open inbound streams delivers nothing.
    pub(super) frozen: bool,
    /// Whether the last of them was closed after it had delivered nothing.
    expired: bool,
    /// When the last inbound stream of this name closed.
    pub(super) closed: Option<Timestamp>,
    /// How many configurations waited for it at the last poll.
    pub(super) waiting: u32,
    /// The state that was last reported.
    reported: Option<InputState>,
}

impl Named {
    /// The state of the input of this name.
    pub(super) const fn state(&self) -> Option<InputState> {
        InputState::of(self.inbound, self.frozen, self.expired, self.waiting)
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Info {
    pub(super) kind: &'static str,
    pub(super) codecs: [Codec; 2],
    pub(super) width: u32,
    pub(super) height: u32,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FeedStops {
    pub(super) stops: u64,
    pub(super) last: Option<Timestamp>,
}

/// A stream that is expected.
#[derive(Debug)]
struct Expected {
    name: Arc<str>,
    missing_since: Option<Timestamp>,
    reported: bool,
}

/// The stream names of one server, in the order in which they were first seen.
#[derive(Debug)]
pub(super) struct Names {
    names: IndexMap<Arc<str>, Named, hashbrown::DefaultHashBuilder>,
    limit: usize,
    retention: Duration,
    expected: Vec<Expected>,
    overflow: Arc<str>,
    overflows: u64,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        let expected =
            |name: &String| Expected { name: Arc::from(name.as_str()), missing_since: None, reported: false };
        Self {
            names: IndexMap::default(),
            limit: settings.streams,
            retention: settings.retention,
            expected: settings.expected.iter().map(expected).collect(),
            overflow: Arc::from(OVERFLOW),
            overflows: 0,
        }
    }

    /// How many names have series of their own.
    pub(super) fn len(&self) -> usize {
        self.names.len() - usize::from(self.names.contains_key(&self.overflow))
    }

    /// How many times a name shared the series of [`OVERFLOW`].
    pub(super) const fn overflows(&self) -> u64 {
        self.overflows
    }

    pub(super) fn get(&self, name: &str) -> Option<&Named> {
        self.names.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Named)> {
        self.names.iter()
    }

    /// How many open inbound streams carry this name.
    pub(super) fn inbound(&self, name: &str) -> u32 {
        self.names.get(bounded(Cow::Borrowed(name)).as_ref()).map_or(0, |named| named.inbound)
    }

    /// The state of the inbound streams of this name.
    pub(super) fn input_state(&self, name: &str) -> Option<InputState> {
        self.names.get(bounded(Cow::Borrowed(name)).as_ref()).and_then(Named::state)
    }

    /// Whether an inbound stream of this name is expected.
    pub(super) fn expects(&self, name: &str) -> bool {
        self.expected.iter().any(|expected| *expected.name == *name)
    }

    /// The expected names that no open inbound stream carries.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Arc<str>> {
        let names = self.expected.iter().map(|expected| &expected.name);
        names.filter(|name| self.names.get(*name).is_none_or(|named| named.inbound == 0))
    }

    /// A stream is open from now on: finds the name under which it is exposed, and counts it.
    pub(super) fn enter(&mut self, label: Label, row: &mut Row, name: &str, now: Timestamp) {
        row.name = match label.purpose {
            // Files read for one player are named by their path and come and go with the player.
            Purpose::Internal | Purpose::Vod => None,
            // Players may request any name: only one that is known already has series.
            Purpose::Play => self.exposed(name),
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
            | Purpose::Other => Some(self.track(name, now)),
        };
        let Some(name) = &row.name else {
            return;
        };
        let named = self.entry(name, now);
        named.open += 1;
        if label.inbound() {
            if named.inbound == 0 {
                named.since = row.since;
            }
            named.inbound += 1;
            (named.expired, named.frozen) = (false, false);
        }
    }

    /// Takes the codecs and the traffic of an event into the row and those of its name.
    pub(super) fn update(&mut self, label: Label, row: &mut Row, stream: &Stream<'_>) {
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
        for (medium, exposed) in named.exposed[label.side()].iter_mut().enumerate() {
            *exposed |= row.has(medium);
        }
        let totals = named.traffic[label.side()].iter_mut();
        for (total, (before, after)) in totals.zip(before.iter().zip(&row.traffic)) {
            total.add_growth(*before, *after);
        }
        if label.inbound() {
            named.info.kind = label.kind;
            named.info.codecs = row.codecs;
            if stream.width > 0 {
                (named.info.width, named.info.height) = (stream.width, stream.height);
            }
        }
    }

    /// Forgets the rates of all names before a poll.
    pub(super) fn clear_rates(&mut self) {
        for named in self.names.values_mut() {
            named.rates = [[None; 2]; 2];
        }
    }

    /// Adds the rates of a stream, in bits per second, to those of its name.
    pub(super) fn add_rates(&mut self, label: Label, name: &str, rates: [f64; 2]) {
        if let Some(named) = self.names.get_mut(name) {
            for (total, rate) in named.rates[label.side()].iter_mut().zip(rates) {
                *total = Some(total.unwrap_or(0.0) + rate);
            }
        }
    }

    /// A stream is not open any more.
    pub(super) fn leave(&mut self, label: Label, row: &Row, now: Timestamp) {
        if let Some(named) = row.name.as_ref().and_then(|name| self.names.get_mut(name)) {
            named.open -= 1;
            named.idle_since = now;
            named.rates[label.side()] = [None; 2];
            if label.inbound() {
                named.inbound -= 1;
                named.closed = Some(now);
                (named.expired, named.frozen) = (named.inbound == 0 && row.frozen, false);
            }
        }
    }

    /// The server process that owned all inputs is gone, and its restart explains why they are.
    pub(super) fn forget_inputs(&mut self) {
        for named in self.names.values_mut() {
            (named.expired, named.frozen, named.waiting) = (false, false, 0);
        }
    }

    /// Marks the names whose open inbound streams deliver nothing.
    pub(super) fn mark_frozen<'n>(&mut self, frozen: impl Iterator<Item = &'n Arc<str>>) {
        self.names.values_mut().for_each(|named| named.frozen = false);
        for name in frozen {
            if let Some(named) = self.names.get_mut(name) {
                named.frozen = true;
            }
        }
    }

    /// Takes the names of the streams that configurations wait for.
    pub(super) fn set_waiting<'n>(&mut self, names: impl Iterator<Item = &'n str>, now: Timestamp) {
        self.names.values_mut().for_each(|named| named.waiting = 0);
        for name in names {
            let name = self.track(name, now);
            if *name != *self.overflow {
                self.entry(&name, now).waiting += 1;
            }
        }
    }

    pub(super) fn feed_stopped(&mut self, name: &Arc<str>, media: Media, now: Timestamp) {
        let feed = &mut self.entry(name, now).feeds[media as usize];
        feed.stops += u64::from(feed.last.is_none_or(|last| now.since(last) > FEED_REPEAT));
        feed.last = Some(now);
    }

    pub(super) fn pull_failed(&mut self, name: &str, now: Timestamp) -> Arc<str> {
        let name = self.track(name, now);
        *self.entry(&name, now).pull_failures.get_or_insert(0) += 1;
        name
    }

    /// The name under which a stream is exposed, if it is exposed already.
    fn exposed(&self, name: &str) -> Option<Arc<str>> {
        let name = bounded(Cow::Borrowed(name));
        self.names.get_key_value(name.as_ref()).map(|(known, _)| Arc::clone(known))
    }

    /// The name under which a stream is exposed: its own, or [`OVERFLOW`] beyond the limit.
    pub(super) fn track(&mut self, name: &str, now: Timestamp) -> Arc<str> {
        if let Some(known) = self.exposed(name) {
            return known;
        }
        if self.len() >= self.limit {
            self.overflows += 1;
            return Arc::clone(&self.overflow);
        }
        let name: Arc<str> = Arc::from(bounded(Cow::Borrowed(name)).as_ref());
        self.entry(&name, now);
        name
    }

    fn entry(&mut self, name: &Arc<str>, now: Timestamp) -> &mut Named {
        let named = self.names.entry(Arc::clone(name)).or_default();
        named.idle_since = now;
        named
    }

    /// The inputs that are frozen, expired or live again from now on.
    pub(super) fn transitions(&mut self) -> Vec<(Arc<str>, InputState)> {
        let mut changed = Vec::new();
        for (name, named) in &mut self.names {
            let state = named.state();
            let before = std::mem::replace(&mut named.reported, state);
            let failed = |state| matches!(state, Some(InputState::Frozen | InputState::Expired));
            let reports = failed(state) || (state == Some(InputState::Live) && failed(before));
            if let Some(state) = state.filter(|_| state != before && reports && **name != *self.overflow) {
                changed.push((Arc::clone(name), state));
            }
        }
        changed
    }

    /// Drops names whose retention is over. Returns the expected streams that are missing from now on.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let retention = self.retention;
        self.names.retain(|_, named| {
            named.open > 0 || named.waiting > 0 || now.since(named.idle_since) <= retention
        });
        let mut missing = Vec::new();
        for expected in &mut self.expected {
            if self.names.get(&expected.name).is_some_and(|named| named.inbound > 0) {
                (expected.missing_since, expected.reported) = (None, false);
                continue;
            }
            let since = *expected.missing_since.get_or_insert(now);
            if !expected.reported && now.since(since) >= EXPECTED_WITHIN {
                expected.reported = true;
                missing.push(Arc::clone(&expected.name));
            }
        }
        missing
    }
}
