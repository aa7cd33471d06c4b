//! Snapshots for the live page: a whole one for each new client, then the changes, once a second and only while there
//! are clients.
//!
//! Rows hold timestamps, not ages, so that an unchanged row is not sent again; the page computes ages itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::servers;
use crate::feed::{Client, Feed, Frame, Topic};
use crate::metrics::Sources;
use crate::model::Key;
use crate::model::state::recent::EventRecord;
use crate::model::stream::{Direction, Purpose};
use crate::pipeline::Server;
use ems_protocol::{Timestamp, Wall};

/// Most streams in a snapshot.
const STREAMS: usize = 2000;
/// Most tracks of outputs in a snapshot; stalled and late ones of each server go first.
const OUTPUTS: usize = 4000;
/// Most timers in a snapshot.
const TIMERS: usize = 500;
/// Most events, most rejections and most actions in a message.
const MAX_ITEMS: usize = 50;

/// The serialized rows of a table by their ids.
type RenderedRows = BTreeMap<String, String>;

/// The rows of one moment, and how many recent things had been sent by then.
#[derive(Debug, Default)]
struct Snapshot {
    /// By which its times are shown.
    wall: Wall,
    streams: RenderedRows,
    outputs: RenderedRows,
    timers: RenderedRows,
    /// How many events of each server have been sent.
    events: BTreeMap<String, u64>,
    /// How many rejections have been sent.
    rejections: u64,
    /// How many actions have been sent.
    actions: u64,
}

/// The snapshots behind the live page.
#[derive(Debug)]
pub struct Live {
    feed: Arc<Feed>,
    /// The last snapshot that clients received; `None` while there are no clients.
    last: Mutex<Option<Snapshot>>,
    /// Cancelled when the exporter stops, so that open feeds end.
    pub ended: CancellationToken,
}

impl Live {
    /// No snapshot yet.
    pub fn new(feed: Arc<Feed>) -> Self {
        Self { feed, last: Mutex::default(), ended: CancellationToken::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the last snapshot while there are no clients.
    pub fn rest(&self) {
        let mut last = self.lock();
        // A client that has just joined continues from it.
        if !self.feed.wants_snapshots() {
            *last = None;
        }
    }

    /// Sends the changes since the last snapshot.
    pub fn tick(&self, sources: Sources<'_>, reasons: &[String], now: Timestamp) {
        let mut last = self.lock();
        let before = last.take().unwrap_or_default();
        let after = last.insert(Snapshot::of(sources, now));
        let json = message(Some(&before), after, sources, reasons, now);
        self.feed.publish_snapshot(Frame::new(Topic::Snapshot, &json));
    }

    /// Adds a client. The first message is a whole snapshot, the later ones are changes to it.
    pub fn join(
        &self,
        topics: &[Topic],
        sources: Sources<'_>,
        reasons: &[String],
        now: Timestamp,
    ) -> Option<(Client, Option<Frame>)> {
        let mut client = self.feed.join(topics)?;
        let whole = client.wants_snapshots().then(|| self.whole(&mut client, sources, reasons, now));
        Some((client, whole))
    }

    /// A whole snapshot for a client that continues from it.
    pub fn whole(
        &self,
        client: &mut Client,
        sources: Sources<'_>,
        reasons: &[String],
        now: Timestamp,
    ) -> Frame {
        let mut last = self.lock();
        // Under the lock no changes are sent.
        client.skip_snapshots();
        let snapshot = last.get_or_insert_with(|| Snapshot::of(sources, now));
        Frame::new(Topic::Snapshot, &message(None, snapshot, sources, reasons, now))
    }
}

impl Snapshot {
    fn of(sources: Sources<'_>, now: Timestamp) -> Self {
        let mut snapshot = Self {
            wall: sources.pipeline.wall(),
            rejections: sources.pipeline.rejections_since(u64::MAX).0,
            actions: sources.actions.map_or(0, |actions| actions.recent_since(u64::MAX).0),
            ..Self::default()
        };
        let servers = sources.pipeline.servers();
        for (at, server) in servers.iter().enumerate() {
            snapshot.add(server, servers.len() - at, now);
        }
        snapshot
    }

    /// Adds a server, the first of `left` that share the rows that are left.
    fn add(&mut self, server: &Server, left: usize, now: Timestamp) {
        let name = &*server.name;
        let share = |most: usize, rows: &RenderedRows| most.saturating_sub(rows.len()).div_ceil(left);
        let (streams, outputs, timers) =
            (share(STREAMS, &self.streams), share(OUTPUTS, &self.outputs), share(TIMERS, &self.timers));
        let (missing, mut keys): (Vec<_>, Vec<Key>) =
            server.read(|state| (state.streams.absent().collect(), state.streams.keys(is_shown)));
        keys.sort_unstable();
        keys.truncate(streams.saturating_sub(missing.len()));
        let open = server.read(|state| -> Vec<_> {
            keys.iter().filter_map(|key| Some((*key, state.streams.view(*key, self.wall)?))).collect()
        });
        for view in missing.into_iter().take(streams) {
            let id = format!("{name}/missing/{}", view.name.as_deref().unwrap_or_default());
            put(&mut self.streams, id, name, &view);
        }
        for (key, view) in open {
            put(&mut self.streams, format!("{name}/{}/{}", key.pid, key.id), name, &view);
        }
        let (_, outputs) = server.read(|state| state.outputs.troubled_first(now, outputs, self.wall));
        for view in outputs {
            put(&mut self.outputs, format!("{name}/{}/{}", view.place, view.track), name, &view);
        }
        let (_, timers) = server.read(|state| state.timers.views(0, timers, self.wall));
        for view in timers {
            put(&mut self.timers, format!("{name}/{}/{}", view.process_id, view.id), name, &view);
        }
        self.events.insert(name.to_owned(), server.read(|state| state.recent.number()));
    }
}

/// Whether a stream has a row of its own on the page: streams that write outputs are shown as outputs, and players are
/// only counted.
const fn is_shown(_: Option<&str>, direction: Direction, purpose: Purpose) -> bool {
    match direction {
        Direction::In => !matches!(purpose, Purpose::Internal | Purpose::Vod),
        Direction::Out => matches!(purpose, Purpose::Push),
        Direction::Neutral => false,
    }
}

fn put(rows: &mut RenderedRows, id: String, server: &str, view: &impl Serialize) {
    #[derive(Serialize)]
    struct Row<'r, T> {
        server: &'r str,
        #[serde(flatten)]
        view: &'r T,
    }
    // Rows consist of texts and numbers, whose serialization cannot fail.
    if let Ok(json) = serde_json::to_string(&Row { server, view }) {
        rows.insert(id, json);
    }
}

/// The changes since `before`, or everything.
fn message(
    before: Option<&Snapshot>,
    after: &Snapshot,
    sources: Sources<'_>,
    reasons: &[String],
    now: Timestamp,
) -> String {
    let (servers, wall) = (sources.pipeline.servers(), after.wall);
    let views: Vec<_> = servers.iter().map(|server| servers::View::of(server, sources, now, wall)).collect();
    let head = json!({
        "whole": before.is_none(),
        "now_timestamp_seconds": wall.seconds(now),
        "servers": views,
        "exporter": exporter(sources, reasons),
        "events": events(before, &servers, wall),
        "rejections": rejections(before, sources, wall),
        "actions": actions(before, sources, wall),
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
    let (received, [applied, duplicate, rejected, dropped]) = sources.pipeline.tally().sums();
    let exporter = sources.exporter;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "events_received_total": received,
        "events_applied_total": applied,
        "events_duplicate_total": duplicate,
        "events_rejected_total": rejected,
        "events_dropped_total": dropped,
        "http_connections": exporter.connections.get(),
        "feed_clients": sources.pipeline.feed.clients(),
        "scrape_samples": exporter.scrape_samples.get(),
        "scrape_duration_seconds": exporter.scrape_seconds.get(),
    })
}

/// The events that have not been sent, the newest first. They are read after the snapshot was taken, so an event may
/// be sent twice; the page recognises it by its number.
fn events(before: Option<&Snapshot>, servers: &[Arc<Server>], wall: Wall) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    for server in servers {
        let from = before.and_then(|before| before.events.get(&server.name)).copied().unwrap_or(0);
        let records: Vec<_> =
            server.read(|state| state.recent.notable(from).rev().take(MAX_ITEMS).cloned().collect());
        events.extend(records.into_iter().map(|record| (Arc::clone(server), record)));
    }
    events.sort_by_key(|(_, record)| std::cmp::Reverse((record.at, record.number)));
    events.truncate(MAX_ITEMS);
    let numbered = |(server, record): &(Arc<Server>, EventRecord)| json!({ "number": record.number, "event": record.view(&server.name, wall) });
    events.iter().map(numbered).collect()
}

/// The rejections that have not been sent, the newest first, with their numbers.
fn rejections(before: Option<&Snapshot>, sources: Sources<'_>, wall: Wall) -> Vec<serde_json::Value> {
    let (number, new) = sources.pipeline.rejections_since(before.map_or(0, |before| before.rejections));
    let newest = (0..number).rev().zip(new.iter().rev()).take(MAX_ITEMS);
    newest.map(|(number, record)| json!({ "number": number, "rejection": record.view(wall) })).collect()
}

/// The calls of rules that have not been sent, the newest first, with their numbers.
fn actions(before: Option<&Snapshot>, sources: Sources<'_>, wall: Wall) -> Vec<serde_json::Value> {
    let Some(actions) = sources.actions else {
        return Vec::new();
    };
    let (number, new) = actions.recent_since(before.map_or(0, |before| before.actions));
    let newest = (0..number).rev().zip(new.iter().rev()).take(MAX_ITEMS);
    newest.map(|(number, done)| json!({ "number": number, "action": done.view(wall) })).collect()
}

/// Appends the rows that are new or different, and the ids of those that disappeared.
fn changes(json: &mut String, table: &str, before: &RenderedRows, after: &RenderedRows) {
    *json += &format!(",\"{table}\":{{\"set\":{{");
    let mut separator = "";
    for (id, row) in after.iter().filter(|(id, row)| before.get(*id) != Some(*row)) {
        *json += &format!("{separator}{}:", json!(id));
        *json += row;
        separator = ",";
    }
    let gone: Vec<&String> = before.keys().filter(|id| !after.contains_key(*id)).collect();
    *json += &format!("}},\"gone\":{}}}", json!(gone));
}
