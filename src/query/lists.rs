//! The lists of the API, and how each is cut into pages.

use std::sync::Arc;

use serde::Serialize;

use super::parameters::{Query, QueryError};
use super::servers;
use crate::actions::{Actions, Done};
use crate::metrics::Sources;
use crate::model::Key;
use crate::model::state::State;
use crate::pipeline::{Refused, Server};
use ems_protocol::Timestamp;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The last events that were applied.
    Events,
    /// The last rejections.
    Rejections,
    /// What rules have done lately.
    Actions,
}

impl List {
    /// Every list.
    pub const ALL: [Self; 8] = [
        Self::Servers,
        Self::Streams,
        Self::Outputs,
        Self::Timers,
        Self::Sessions,
        Self::Events,
        Self::Rejections,
        Self::Actions,
    ];

    /// Its last part of the path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Streams => "streams",
            Self::Outputs => "outputs",
            Self::Timers => "timers",
            Self::Sessions => "sessions",
            Self::Events => "events",
            Self::Rejections => "rejections",
            Self::Actions => "actions",
        }
    }

    /// Whether it can be asked for one stream.
    pub const fn by_stream(self) -> bool {
        match self {
            Self::Streams | Self::Outputs | Self::Events | Self::Actions => true,
            Self::Servers | Self::Timers | Self::Sessions | Self::Rejections => false,
        }
    }
}

/// A part of a list.
#[derive(Debug, Serialize)]
struct Page<T> {
    data: Vec<T>,
    /// How many entries the whole list has.
    total: usize,
    /// The offset of the next part, if there is one.
    next: Option<usize>,
}

/// An entry of a list that is of one server.
#[derive(Debug, Serialize)]
struct Of<T> {
    server: String,
    #[serde(flatten)]
    entry: T,
}

/// What a list answers, as JSON.
pub fn answer(
    list: List,
    sources: Sources<'_>,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<u8>, QueryError> {
    let mut servers = sources.ingest.servers();
    if let Some(name) = &query.server {
        servers.retain(|server| server.name == *name);
        // What was refused for a server that may not be is kept under no name.
        if servers.is_empty() {
            return Err(QueryError::Server(name.clone()));
        }
    }
    let stream = query.stream.as_deref();
    Ok(match list {
        List::Servers => {
            let total = servers.len();
            let some = servers.iter().skip(query.offset).take(query.limit);
            page(query, total, some.map(|server| servers::View::of(server, sources, now)).collect())
        }
        List::Streams => streams(&servers, query, now),
        List::Outputs => {
            let views =
                |server: &Server, skip, take| server.read(|state| state.outputs.views(stream, skip, take));
            each_server(&servers, query, views, |view| view.at(now))
        }
        List::Timers => {
            let views = |server: &Server, skip, take| server.read(|state| state.timers.views(skip, take));
            each_server(&servers, query, views, |view| view)
        }
        List::Sessions => {
            let views = |server: &Server, skip, take| {
                let view = server.read(|state| state.sessions.view());
                (1, std::iter::once(view).skip(skip).take(take).collect())
            };
            each_server(&servers, query, views, |view| view.at(now))
        }
        List::Events => events(&servers, query),
        List::Rejections => {
            let mut rejections = sources.ingest.rejections();
            rejections.retain(|refused| query.server.as_ref().is_none_or(|name| refused.server == *name));
            let newest = rejections.iter().rev().skip(query.offset).take(query.limit);
            page(query, rejections.len(), newest.map(Refused::view).collect())
        }
        List::Actions => {
            let mut done = sources.actions.map(Actions::recent).unwrap_or_default();
            done.retain(|done| query.server.as_ref().is_none_or(|name| *done.server == **name));
            done.retain(|done| stream.is_none_or(|stream| *done.stream == *stream));
            let newest = done.iter().rev().skip(query.offset).take(query.limit);
            page(query, done.len(), newest.map(Done::view).collect())
        }
    })
}

fn page<T: Serialize>(query: &Query, total: usize, data: Vec<T>) -> Vec<u8> {
    let end = query.offset.saturating_add(data.len());
    let page = Page { data, total, next: (end < total).then_some(end) };
    // What we tell is made of texts and numbers, which can always be written.
    serde_json::to_vec(&page).unwrap_or_default()
}

/// One list over all servers; `views` says how many entries a server has, and gives some of them.
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
        let named = some.into_iter().map(|view| Of { server: server.name.clone(), entry: at_now(view) });
        data.extend(named);
        total += count;
    }
    page(query, total, data)
}

/// The streams, the missing ones of each server first, then the oldest. Which there are and what is
/// told of some of them are two looks, so that sorting many holds up no event; one that closes
/// between them is left out.
fn streams(servers: &[Arc<Server>], query: &Query, now: Timestamp) -> Vec<u8> {
    let wanted = |name: Option<&str>| query.stream.as_deref().is_none_or(|stream| name == Some(stream));
    let views = |server: &Server, skip: usize, take: usize| {
        let (mut views, mut keys): (Vec<_>, Vec<Key>) = server.read(|state| {
            let missing = state.streams.missing().filter(|view| wanted(view.name.as_deref()));
            (missing.collect(), state.streams.keys(|name, _, _| wanted(name)))
        });
        keys.sort_unstable();
        let (count, missing) = (views.len() + keys.len(), views.len());
        views = views.into_iter().skip(skip).take(take).collect();
        let keys = keys.into_iter().skip(skip.saturating_sub(missing)).take(take - views.len());
        server.read(|state| views.extend(keys.filter_map(|key| state.streams.view(key))));
        (count, views)
    };
    each_server(servers, query, views, |view| view.at(now))
}

/// The events of all servers, the newest first.
fn events(servers: &[Arc<Server>], query: &Query) -> Vec<u8> {
    let mut events = Vec::new();
    for server in servers {
        let told = server.read(State::events);
        events.extend(told.into_iter().map(|told| (Arc::clone(server), told)));
    }
    if let Some(stream) = &query.stream {
        events.retain(|(_, told)| told.stream.as_deref() == Some(stream));
    }
    events.sort_by_key(|(_, told)| std::cmp::Reverse((told.at, told.number)));
    let some = events.iter().skip(query.offset).take(query.limit);
    page(query, events.len(), some.map(|(server, told)| told.view(&server.name)).collect())
}
