//! One open stream.

use std::sync::Arc;

use super::event::{Codec, Direction, Purpose, Stream, Traffic};
use super::verdict::Delivery;
use crate::exposition::LABEL_BYTES;
use crate::model::lifecycle::Entry;
use crate::model::{Key, OVERFLOW};
use ems_protocol::Timestamp;

/// The label under which streams are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    pub(super) direction: Direction,
    pub(super) kind: &'static str,
    pub(super) purpose: Purpose,
}

impl Label {
    pub(super) const fn of(stream: &Stream<'_>) -> Self {
        Self { direction: stream.direction, kind: stream.kind, purpose: stream.purpose }
    }

    pub(super) const fn inbound(self) -> bool {
        matches!(self.direction, Direction::In)
    }

    /// The place of its direction in arrays that have one for inbound and one for the others.
    pub(super) const fn side(self) -> usize {
        !self.inbound() as usize
    }
}

/// An open stream. Its stamp is [`Stream::created`].
pub(super) type OpenStream = Entry<Label, Row>;

/// The state of an open stream beside its label.
#[derive(Debug)]
pub(super) struct Row {
    /// The name under which it is exposed, if it has series of its own.
    pub(super) name: Option<Arc<str>>,
    /// The stream that feeds it; its close may not name it any more.
    pub(super) input: Option<Key>,
    pub(super) ours: bool,
    /// When it was opened: its first event less the up time that this gave.
    pub(super) since: Timestamp,
    /// When its last event came.
    pub(super) last_event: Timestamp,
    pub(super) codecs: [Codec; 2],
    pub(super) traffic: [Traffic; 2],
    /// When the server last listed it, by the server's clock, and the bytes of each medium by then.
    pub(super) metered: Option<(Timestamp, [u64; 2])>,
    /// When that list came, by the exporter's clock, and since which list the bytes have stood still.
    pub(super) listed: Option<Timestamp>,
    pub(super) still_since: Option<Timestamp>,
    /// When the server last reported that the feed of a medium had stopped.
    pub(super) feeds: [Option<Timestamp>; 2],
    /// Whether it delivers nothing.
    pub(super) frozen: bool,
    /// Bits per second between the last two lists of the server.
    pub(super) rate: Option<f64>,
}

impl Row {
    /// Whether the stream has a medium: its codec or its bytes show it.
    pub(super) fn has(&self, medium: usize) -> bool {
        self.codecs[medium].shows_medium() || self.traffic[medium].bytes > 0
    }

    /// The facts about what it delivers.
    pub(super) fn delivery(&self, now: Timestamp) -> Delivery {
        let still = self.listed.zip(self.still_since).map(|(last, first)| last.since(first));
        let stopped = |medium: usize| self.has(medium).then(|| self.feeds[medium].map(|at| now.since(at)));
        Delivery { still: still.unwrap_or_default(), stopped: [stopped(0), stopped(1)] }
    }

    /// A stream whose traffic up to `uncounted` flowed before it was first seen.
    pub(super) fn new(stream: &Stream<'_>, uncounted: [Traffic; 2], now: Timestamp) -> Self {
        Self {
            name: None,
            input: None,
            ours: stream.ours,
            since: now.minus(stream.up_time),
            last_event: now,
            codecs: [Codec::default(); 2],
            traffic: uncounted,
            metered: None,
            listed: None,
            still_since: None,
            feeds: [None; 2],
            frozen: false,
            rate: None,
        }
    }
}

/// The properties of an open stream beside its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Properties<'t> {
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

impl<'t> Properties<'t> {
    pub(super) fn of(stream: &'t OpenStream) -> Self {
        let OpenStream { label: Label { direction, kind, purpose }, row, .. } = stream;
        // A long name may have been shortened, and many names share that of the overflow.
        let name = row.name.as_deref().filter(|name| name.len() < LABEL_BYTES - 3 && *name != OVERFLOW);
        Self { name, direction: *direction, kind, purpose: *purpose, input: row.input, ours: row.ours }
    }
}
