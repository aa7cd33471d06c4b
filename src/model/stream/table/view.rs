//! What is told of one stream to those who ask for streams one by one.

use std::sync::Arc;

use serde::Serialize;

use super::{Row, Table};
use crate::model::Key;
use crate::model::stream::{Codec, Direction, Purpose};
use ems_protocol::Timestamp;

/// An open stream, or one that is expected and missing. It holds no address and no setting: those
/// may hold secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// `PID`; none while it is missing, as with all that only an open stream has.
    pub process_id: Option<u64>,
    /// `uniqueId`.
    pub id: Option<u64>,
    /// The name under which it is shown; none for players of unknown names and files read for one player.
    pub name: Option<Arc<str>>,
    /// Which way the media flow.
    pub direction: &'static str,
    /// The server's tag of its type.
    pub r#type: Option<&'static str>,
    /// What it is for.
    pub purpose: Option<&'static str>,
    audio_codec: Option<Codec>,
    video_codec: Option<Codec>,
    width: Option<u32>,
    height: Option<u32>,
    /// When it was created by the server's clock, or was first heard of where the server does not say.
    pub opened_timestamp_seconds: Option<f64>,
    /// Between the last two of the server's own lists; none without a runtime API.
    pub bits_per_second: Option<f64>,
    /// How many open outbound streams to players it feeds.
    pub viewers: u32,
    /// Whether the configuration expects an inbound stream of this name.
    pub expected: bool,
    /// Whether none is open.
    pub missing: bool,
}

/// A stream with what changes by the passing of time.
#[derive(Debug, Serialize)]
pub struct Aged {
    #[serde(flatten)]
    view: View,
    age_seconds: Option<f64>,
}

impl View {
    /// As it is at `now`.
    pub fn at(self, now: Timestamp) -> Aged {
        let age = self.opened_timestamp_seconds.map(|opened| (now.seconds() - opened).max(0.0));
        Aged { view: self, age_seconds: age }
    }
}

impl Table {
    /// The open streams that are wanted, by the name under which they are shown, direction and purpose.
    pub fn keys(&self, wanted: impl Fn(Option<&str>, Direction, Purpose) -> bool) -> Vec<Key> {
        let rows = self.rows.iter();
        rows.filter(|(_, row)| wanted(row.name.as_deref(), row.direction, row.purpose))
            .map(|(key, _)| *key)
            .collect()
    }

    /// How many open streams are of a direction and purpose that is wanted.
    pub fn count(&self, wanted: impl Fn(Direction, Purpose) -> bool) -> usize {
        let kinds = self.seen.iter().filter(|((direction, _, purpose), _)| wanted(*direction, *purpose));
        kinds.map(|(_, open)| *open).sum()
    }

    /// What is told of an open stream.
    pub fn view(&self, key: Key) -> Option<View> {
        let row = self.rows.get(&key)?;
        let named = row.name.as_ref().filter(|_| row.ingest()).and_then(|name| self.names.get(name));
        let (width, height) = named.map_or((0, 0), |named| (named.info.width, named.info.height));
        let [audio, video] = row.codecs;
        Some(View {
            process_id: Some(key.pid),
            id: Some(key.id),
            name: row.name.clone(),
            direction: row.direction.label(),
            r#type: Some(row.kind),
            purpose: Some(row.purpose.label()),
            audio_codec: audio.told(),
            video_codec: video.told(),
            width: (width > 0).then_some(width),
            height: (height > 0).then_some(height),
            opened_timestamp_seconds: Some(opened(row).seconds()),
            bits_per_second: row.rate,
            viewers: self.fed(key, Purpose::Play),
            expected: row.ingest() && row.name.as_ref().is_some_and(|name| self.expected.contains(name)),
            missing: false,
        })
    }

    /// The streams that are expected and missing.
    pub fn missing(&self) -> impl Iterator<Item = View> {
        let open = |name: &Arc<str>| self.names.get(name).is_some_and(|named| named.ingests > 0);
        self.expected.iter().filter(move |name| !open(name)).map(|name| View {
            process_id: None,
            id: None,
            name: Some(Arc::clone(name)),
            direction: Direction::In.label(),
            r#type: None,
            purpose: None,
            audio_codec: None,
            video_codec: None,
            width: None,
            height: None,
            opened_timestamp_seconds: None,
            bits_per_second: None,
            viewers: 0,
            expected: true,
            missing: true,
        })
    }
}

fn opened(row: &Row) -> Timestamp {
    if row.created > 0 { Timestamp::from_millis(row.created) } else { row.since }
}
