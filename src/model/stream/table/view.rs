//! A stream in the API.

use std::sync::Arc;

use serde::Serialize;

use super::Table;
use crate::model::Key;
use crate::model::stream::event::{Codec, Direction, Purpose};
use crate::model::stream::names::Named;
use crate::model::stream::row::OpenStream;
use crate::model::stream::verdict::InputState;
use ems_protocol::{Timestamp, Wall};

/// An open stream, or one that is expected and missing. It holds no address and no setting: those
/// may hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct View {
    /// `PID`; as all that only an open stream has, none while it is missing.
    pub process_id: Option<u64>,
    /// `uniqueId`.
    pub id: Option<u64>,
    /// The name under which it is exposed; none for players of unknown names and files read for one player.
    pub name: Option<Arc<str>>,
    /// Which way the media flow.
    pub direction: &'static str,
    /// The server's tag of its type.
    pub r#type: Option<&'static str>,
    /// Its purpose.
    pub purpose: Option<&'static str>,
    audio_codec: Option<Codec>,
    video_codec: Option<Codec>,
    width: Option<u32>,
    height: Option<u32>,
    /// When it was opened: its first event less the up time that this gave.
    pub opened_timestamp_seconds: Option<f64>,
    #[serde(skip)]
    opened: Option<Timestamp>,
    /// Between the last two of the server's own lists; none without a runtime API.
    pub bits_per_second: Option<f64>,
    /// How many open outbound streams to players it feeds.
    pub viewers: u32,
    /// Whether the configuration expects an inbound stream of this name.
    pub expected: bool,
    /// Whether none is open.
    pub missing: bool,
    /// The state of an inbound stream; none for the others.
    pub state: Option<InputState>,
}

/// A stream with its age.
#[derive(Debug, Serialize)]
pub struct Aged {
    #[serde(flatten)]
    view: View,
    age_seconds: Option<f64>,
}

impl View {
    /// The stream with its age at `now`.
    pub fn at(self, now: Timestamp) -> Aged {
        let age = self.opened.map(|opened| now.since(opened).as_secs_f64());
        Aged { view: self, age_seconds: age }
    }
}

impl Table {
    /// The open streams that are wanted, by the name under which they are exposed, direction and purpose.
    pub fn keys(&self, wanted: impl Fn(Option<&str>, Direction, Purpose) -> bool) -> Vec<Key> {
        let streams = self.streams.iter();
        streams
            .filter(|(_, open)| wanted(open.row.name.as_deref(), open.label.direction, open.label.purpose))
            .map(|(key, _)| *key)
            .collect()
    }

    /// How many open streams are of a direction and purpose that is wanted.
    pub fn count(&self, wanted: impl Fn(Direction, Purpose) -> bool) -> usize {
        let counts = self.streams.counts().iter();
        counts.filter(|(label, _)| wanted(label.direction, label.purpose)).map(|(_, count)| count.open).sum()
    }

    /// An open stream.
    pub fn view(&self, key: Key, wall: Wall) -> Option<View> {
        let open = self.streams.get(&key)?;
        let OpenStream { label, row, .. } = open;
        let inbound = row.name.as_ref().filter(|_| label.inbound());
        let named = inbound.and_then(|name| self.names.get(name));
        let (width, height) = named.map_or((0, 0), |named| (named.info.width, named.info.height));
        let [audio, video] = row.codecs;
        Some(View {
            process_id: Some(key.pid),
            id: Some(key.id),
            name: row.name.clone(),
            direction: label.direction.label(),
            r#type: Some(label.kind),
            purpose: Some(label.purpose.label()),
            audio_codec: Some(audio).filter(|codec| codec.known()),
            video_codec: Some(video).filter(|codec| codec.known()),
            width: (width > 0).then_some(width),
            height: (height > 0).then_some(height),
            opened_timestamp_seconds: Some(wall.seconds(row.since)),
            opened: Some(row.since),
            bits_per_second: row.rate,
            viewers: self.fed(key, Purpose::Play),
            expected: inbound.is_some_and(|name| self.names.expects(name)),
            missing: false,
            state: inbound.map(|_| if row.frozen { InputState::Frozen } else { InputState::Live }),
        })
    }

    /// How many streams are expected and missing.
    pub fn missing(&self) -> usize {
        self.names.missing().count()
    }

    /// The inbound streams that are not open and expected, expired or waited for.
    pub fn absent(&self) -> impl Iterator<Item = View> {
        let absent = |name: &Arc<str>, missing| View {
            name: Some(Arc::clone(name)),
            direction: Direction::In.label(),
            expected: missing,
            missing,
            state: self.names.get(name).and_then(Named::state),
            ..View::default()
        };
        let failed = self.names.iter().filter(|(name, named)| {
            named.inbound == 0 && named.state().is_some() && !self.names.expects(name)
        });
        let missing = self.names.missing().map(move |name| absent(name, true));
        missing.chain(failed.map(move |(name, _)| absent(name, false)))
    }
}
