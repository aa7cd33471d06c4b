//! The lists of the API and their pagination.

use std::sync::Arc;

use serde::Serialize;

use super::parameters::{Query, QueryError};
use super::servers;
use crate::actions::Actions;
use crate::metrics::Sources;
use crate::model::Key;
use crate::model::state::State;
use crate::pipeline::Server;
use ems_protocol::{Timestamp, Wall};

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum List {
    /// Media servers.
    Servers,
    /// Open streams, and expected ones that are missing.
    Streams,
    /// Tracks of open outputs.
    Outputs,
    /// Timers that are set.
    Timers,
    /// Viewers over HTTP, one entry for each server.
    Sessions,
    /// The recent events that were applied.
    Events,
    /// The recent rejections.
    Rejections,
    /// The recent calls of rules.
    Actions,
}

impl List {
    /// The last segment of its path.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it can be filtered by stream.
    pub const fn by_stream(self) -> bool {
        match self {
            Self::Streams | Self::Outputs | Self::Events | Self::Actions => true,
            Self::Servers | Self::Timers | Self::Sessions | Self::Rejections => false,
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
struct ListPage<T> {
    data: Vec<T>,
    /// The number of entries of the whole list.
    total: usize,
    /// The offset of the next page, if there is one.
    next: Option<usize>,
}

/// An entry with the name of its server.
#[derive(Debug, Serialize)]
struct ServerEntry<T> {
    server: String,
    #[serde(flatten)]
    entry: T,
}

/// The answer of a list, as JSON.
pub fn answer(
    list: List,
    sources: Sources<'_>,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<u8>, QueryError> {
    let mut servers = sources.pipeline.servers();
    if let Some(name) = &query.server {
        servers.retain(|server| server.name == *name);
        // A rejection for a server that is not accepted is recorded without a name.
        if servers.is_empty() {
            return Err(QueryError::Server(name.clone()));
        }
    }
    let (stream, wall) = (query.stream.as_deref(), sources.pipeline.wall());
    Ok(match list {
        List::Servers => {
            let total = servers.len();
            let some = servers.iter().skip(query.offset).take(query.limit);
            page(query, total, some.map(|server| servers::View::of(server, sources, now, wall)).collect())
        }
        List::Streams => streams(&servers, query, now, wall),
        List::Outputs => {
            let views = |server: &Server, skip, take| {
                server.read(|state| state.outputs.views(stream, skip, take, now, wall))
            };
            each_server(&servers, query, views, |view| view.at(now))
        }
        List::Timers => {
            let views =
                |server: &Server, skip, take| server.read(|state| state.timers.views(skip, take, wall));
            each_server(&servers, query, views, |view| view)
        }
        List::Sessions => {
            let views = |server: &Server, skip, take| {
                let view = server.read(|state| state.sessions.view());
                (1, std::iter::once(view).skip(skip).take(take).collect())
            };
            each_server(&servers, query, views, |view| view.at(now))
        }
        List::Events => events(&servers, query, wall),
        List::Rejections => {
            let mut rejections = sources.pipeline.rejections();
            rejections.retain(|record| query.server.as_ref().is_none_or(|name| record.server == *name));
            let newest = rejections.iter().rev().skip(query.offset).take(query.limit);
            page(query, rejections.len(), newest.map(|record| record.view(wall)).collect())
        }
        List::Actions => {
            let mut done = sources.actions.map(Actions::recent).unwrap_or_default();
            done.retain(|done| query.server.as_ref().is_none_or(|name| *done.server == **name));
            done.retain(|done| stream.is_none_or(|stream| *done.stream == *stream));
            let newest = done.iter().rev().skip(query.offset).take(query.limit);
            page(query, done.len(), newest.map(|done| done.view(wall)).collect())
        }
    })
}

fn page<T: Serialize>(query: &Query, total: usize, data: Vec<T>) -> Vec<u8> {
    let end = query.offset.saturating_add(data.len());
    let page = ListPage { data, total, next: (end < total).then_some(end) };
    // Entries consist of texts and numbers, whose serialization cannot fail.
    serde_json::to_vec(&page).unwrap_or_default()
}

/// One list over all servers; `views` returns the number of a server's entries, and some of them.
fn each_server<V, T: Serialize>(
    servers: &[Arc<Server>],
    query: &Query,
    views: impl Fn(&Server, usize, usize) -> (usize, Vec<V>),
    at_now: impl Fn(V) -> T,
) -> Vec<u8> {
    let (mut total, mut data) = (0, Vec::new());
    for server in servers {
        let skip = query.offset.saturating_sub(total);
        let (count, some) = views(server, skip, query.limit - data.len());
        let entry = |view| ServerEntry { server: server.name.clone(), entry: at_now(view) };
        data.extend(some.into_iter().map(entry));
        total += count;
    }
    page(query, total, data)
}

/// The streams, the missing ones of each server first, then the oldest. The keys and the rows of a page are read under
/// separate locks, so that sorting many keys delays no event; a stream that closes between the two is left out.
fn streams(servers: &[Arc<Server>], query: &Query, now: Timestamp, wall: Wall) -> Vec<u8> {
    let wanted = |name: Option<&str>| query.stream.as_deref().is_none_or(|stream| name == Some(stream));
    let views = |server: &Server, skip: usize, take: usize| {
        let (mut views, mut keys): (Vec<_>, Vec<Key>) = server.read(|state| {
            let missing = state.streams.absent().filter(|view| wanted(view.name.as_deref()));
            (missing.collect(), state.streams.keys(|name, _, _| wanted(name)))
        });
        keys.sort_unstable();
        let (count, missing) = (views.len() + keys.len(), views.len());
        views = views.into_iter().skip(skip).take(take).collect();
        let keys = keys.into_iter().skip(skip.saturating_sub(missing)).take(take - views.len());
        server.read(|state| views.extend(keys.filter_map(|key| state.streams.view(key, wall))));
        (count, views)
    };
    each_server(servers, query, views, |view| view.at(now))
}

/// The events of all servers, the newest first.
fn events(servers: &[Arc<Server>], query: &Query, wall: Wall) -> Vec<u8> {
    let mut events = Vec::new();
    for server in servers {
        let records = server.read(State::events);
        events.extend(records.into_iter().map(|record| (Arc::clone(server), record)));
    }
    if let Some(stream) = &query.stream {
        events.retain(|(_, record)| record.stream.as_deref() == Some(stream));
    }
    events.sort_by_key(|(_, record)| std::cmp::Reverse((record.at, record.number)));
    let some = events.iter().skip(query.offset).take(query.limit);
    page(query, events.len(), some.map(|(server, record)| record.view(&server.name, wall)).collect())
}
