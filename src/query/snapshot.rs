//! The picture that the live page is drawn from: whole for whoever begins to listen, then what has
//! changed of it, once a second and only while somebody listens.
//!
//! Rows hold moments, not ages, so that what does not change is not sent again; the page lets ages
//! count on by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::servers;
use crate::feed::{Feed, Frame, Listener, Topic};
use crate::metrics::Sources;
use crate::model::Key;
use crate::model::output::LATE;
use crate::model::stream::{Direction, Purpose};
use crate::pipeline::Server;
use ems_protocol::Timestamp;

/// Most streams of a server in the picture.
const STREAMS: usize = 2000;
/// Most tracks of outputs of a server in the picture; those in trouble go first.
const OUTPUTS: usize = 4000;
/// Most timers of a server in the picture.
const TIMERS: usize = 500;
/// Most events, most rejections and most actions that a message tells.
const MAX_ITEMS: usize = 50;

/// The rows of a table by their ids, each as it is sent.
type Rows = BTreeMap<String, String>;

/// What is shown of things that come and go.
#[derive(Debug, Default)]
struct Snapshot {
    streams: Rows,
    outputs: Rows,
    timers: Rows,
    /// How many events of each server have been told.
    events: BTreeMap<String, u64>,
    /// How many rejections have been told.
    rejections: u64,
    /// How many actions have been told.
    actions: u64,
}

/// The picture, and who looks at it.
#[derive(Debug)]
pub struct Live {
    feed: Arc<Feed>,
    /// What the listeners have seen; `None` while there are none.
    picture: Mutex<Option<Snapshot>>,
    /// Cancelled when the exporter stops, so that open feeds end.
    pub ended: CancellationToken,
}

impl Live {
    /// A picture that nobody looks at yet.
    pub fn new(feed: Arc<Feed>) -> Self {
        Self { feed, picture: Mutex::default(), ended: CancellationToken::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody looks: the next one begins anew.
    pub fn rest(&self) {
        let mut picture = self.lock();
        // One that has just come has a picture to go on from.
        if !self.feed.wants_snapshots() {
            *picture = None;
        }
    }

    /// Sends what has changed since the last time.
    pub fn tick(&self, sources: Sources<'_>, reasons: &[String], now: Timestamp) {
        let mut picture = self.lock();
        let before = picture.take().unwrap_or_default();
        let after = picture.insert(Snapshot::of(sources, now));
        let json = message(Some(&before), after, sources, reasons, now);
        self.feed.publish_snapshot(Frame::new(Topic::Snapshot, &json));
    }

    /// Begins to listen. The first message is whole, and all that follow go on from it.
    pub fn join(
        &self,
        topics: &[Topic],
        sources: Sources<'_>,
        reasons: &[String],
        now: Timestamp,
    ) -> Option<(Listener, Option<Frame>)> {
        let mut listener = self.feed.join(topics)?;
        let whole = listener.wants_snapshots().then(|| self.whole(&mut listener, sources, reasons, now));
        Some((listener, whole))
    }

    /// The picture as a whole, for a listener that goes on from it.
    pub fn whole(
        &self,
        listener: &mut Listener,
        sources: Sources<'_>,
        reasons: &[String],
        now: Timestamp,
    ) -> Frame {
        let mut picture = self.lock();
        // Under the lock no change of the picture is sent.
        listener.skip_snapshots();
        let picture = picture.get_or_insert_with(|| Snapshot::of(sources, now));
        Frame::new(Topic::Snapshot, &message(None, picture, sources, reasons, now))
    }
}

impl Snapshot {
    fn of(sources: Sources<'_>, now: Timestamp) -> Self {
        let mut picture = Self {
            rejections: sources.ingest.rejections_since(u64::MAX).0,
            actions: sources.actions.map_or(0, |actions| actions.recent_since(u64::MAX).0),
            ..Self::default()
        };
        for server in sources.ingest.servers() {
            picture.add(&server, now);
        }
        picture
    }

    fn add(&mut self, server: &Server, now: Timestamp) {
        let name = &*server.name;
        let (missing, mut keys): (Vec<_>, Vec<Key>) =
            server.read(|state| (state.streams.missing().collect(), state.streams.keys(is_shown)));
        keys.sort_unstable();
        keys.truncate(STREAMS);
        let open = server.read(|state| -> Vec<_> {
            keys.iter().filter_map(|key| Some((*key, state.streams.view(*key)?))).collect()
        });
        for view in missing.into_iter().take(STREAMS) {
            let id = format!("{name}/missing/{}", view.name.as_deref().unwrap_or_default());
            put(&mut self.streams, id, name, &view);
        }
        for (key, view) in open {
            put(&mut self.streams, format!("{name}/{}/{}", key.pid, key.id), name, &view);
        }
        let (_, outputs) = server.read(|state| state.outputs.troubled_first(now, OUTPUTS));
        for view in outputs {
            put(&mut self.outputs, format!("{name}/{}/{}", view.place, view.track), name, &view);
        }
        let (_, timers) = server.read(|state| state.timers.views(0, TIMERS));
        for view in timers {
            put(&mut self.timers, format!("{name}/{}/{}", view.process_id, view.id), name, &view);
        }
        self.events.insert(name.to_owned(), server.read(|state| state.recent.number()));
    }
}

/// Whether a stream has a row of its own on the page: what writes outputs is shown as outputs, and
/// players are counted.
const fn is_shown(_: Option<&str>, direction: Direction, purpose: Purpose) -> bool {
    match direction {
        Direction::In => !matches!(purpose, Purpose::Internal | Purpose::Vod),
        Direction::Out => matches!(purpose, Purpose::Push),
        Direction::Neutral => false,
    }
}

fn put(rows: &mut Rows, id: String, server: &str, view: &impl Serialize) {
    #[derive(Serialize)]
    struct Row<'r, T> {
        server: &'r str,
        #[serde(flatten)]
        view: &'r T,
    }
    // What we tell is made of texts and numbers, which can always be written.
    if let Ok(json) = serde_json::to_string(&Row { server, view }) {
        rows.insert(id, json);
    }
}

/// Writes what has changed since `before`, or all.
fn message(
    before: Option<&Snapshot>,
    after: &Snapshot,
    sources: Sources<'_>,
    reasons: &[String],
    now: Timestamp,
) -> String {
    let servers = sources.ingest.servers();
    let views: Vec<_> = servers.iter().map(|server| servers::View::of(server, sources, now)).collect();
    let head = json!({
        "whole": before.is_none(),
        "now_timestamp_seconds": now.seconds(),
        "late_ratio": LATE,
        "servers": views,
        "exporter": exporter(sources, reasons),
        "events": events(before, &servers),
        "rejections": rejections(before, sources),
        "actions": actions(before, sources),
    });
    let mut json = head.to_string();
    json.pop();
    let nothing = Snapshot::default();
    let before = before.unwrap_or(&nothing);
    changes(&mut json, "streams", &before.streams, &after.streams);
    changes(&mut json, "outputs", &before.outputs, &after.outputs);
    changes(&mut json, "timers", &before.timers, &after.timers);
    json.push('}');
    json
}

fn exporter(sources: Sources<'_>, reasons: &[String]) -> serde_json::Value {
    let (received, [applied, duplicate, rejected, dropped]) = sources.ingest.tally().sums();
    let own = sources.own;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "events_received_total": received,
        "events_applied_total": applied,
        "events_duplicate_total": duplicate,
        "events_rejected_total": rejected,
        "events_dropped_total": dropped,
        "http_connections": own.connections.get(),
        "feed_listeners": sources.ingest.feed.listeners(),
        "scrape_samples": own.page_samples.get(),
        "scrape_duration_seconds": own.page_seconds.get(),
    })
}

/// The events that have not been told, the newest first. They are read after the picture was taken,
/// so one may be told again; the page knows them by their numbers.
fn events(before: Option<&Snapshot>, servers: &[Arc<Server>]) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    for server in servers {
        let from = before.and_then(|before| before.events.get(&server.name)).copied().unwrap_or(0);
        let told: Vec<_> =
            server.read(|state| state.recent.notable(from).rev().take(MAX_ITEMS).cloned().collect());
        events.extend(told.into_iter().map(|told| (Arc::clone(server), told)));
    }
    events.sort_by_key(|(_, told)| std::cmp::Reverse((told.at, told.number)));
    events.truncate(MAX_ITEMS);
    let numbered = |(server, told): &(Arc<Server>, crate::model::state::recent::EventRecord)| json!({ "number": told.number, "event": told.view(&server.name) });
    events.iter().map(numbered).collect()
}

/// The rejections that have not been told, the newest first, with their numbers.
fn rejections(before: Option<&Snapshot>, sources: Sources<'_>) -> Vec<serde_json::Value> {
    let (number, new) = sources.ingest.rejections_since(before.map_or(0, |before| before.rejections));
    let newest = (0..number).rev().zip(new.iter().rev()).take(MAX_ITEMS);
    newest.map(|(number, refused)| json!({ "number": number, "rejection": refused.view() })).collect()
}

/// What rules have done that has not been told, the newest first, with numbers.
fn actions(before: Option<&Snapshot>, sources: Sources<'_>) -> Vec<serde_json::Value> {
    let Some(actions) = sources.actions else {
        return Vec::new();
    };
    let (number, new) = actions.recent_since(before.map_or(0, |before| before.actions));
    let newest = (0..number).rev().zip(new.iter().rev()).take(MAX_ITEMS);
    newest.map(|(number, done)| json!({ "number": number, "action": done.view() })).collect()
}

/// Appends the rows that are new or different, and the ids of those that are gone.
fn changes(json: &mut String, table: &str, before: &Rows, after: &Rows) {
    *json += &format!(",\"{table}\":{{\"set\":{{");
    let different = after.iter().filter(|(id, row)| before.get(*id) != Some(*row));
    let rows: Vec<String> = different.map(|(id, row)| format!("{}:{row}", json!(id))).collect();
    *json += &rows.join(",");
    let gone: Vec<&String> = before.keys().filter(|id| !after.contains_key(*id)).collect();
    *json += &format!("}},\"gone\":{}}}", json!(gone));
}
