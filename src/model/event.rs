//! [`Message`] to [`Event`], and the list of all kinds of events.

use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::model::server::Sender;
use crate::model::{api_call, connection, output, process, server, session, stream, timer};
use ems_protocol::{Message, Rejection};

/// A name in the server's documents, with its meaning in its family.
#[derive(Clone, Copy)]
enum Name {
    Stream(stream::Name),
    Output(output::Name),
    Timer(timer::Name),
    Session(session::Name),
    Connection(connection::Name),
    Api(api_call::Name),
    Process(process::Name),
    Server(server::Name),
}

/// The list of kinds, in the order of the metrics, and the index of each name in it.
struct EventKinds {
    names: Vec<(&'static str, Name)>,
    places: HashMap<&'static str, usize>,
}

static EVENT_KINDS: LazyLock<EventKinds> = LazyLock::new(|| {
    let names: Vec<(&'static str, Name)> = stream::EVENTS
        .iter()
        .map(|(name, event)| (*name, Name::Stream(*event)))
        .chain(output::EVENTS.iter().map(|(name, event)| (*name, Name::Output(*event))))
        .chain(timer::EVENTS.iter().map(|(name, event)| (*name, Name::Timer(*event))))
        .chain(session::EVENTS.iter().map(|(name, event)| (*name, Name::Session(*event))))
        .chain(connection::EVENTS.iter().map(|(name, event)| (*name, Name::Connection(*event))))
        .chain(api_call::EVENTS.iter().map(|(name, event)| (*name, Name::Api(*event))))
        .chain(process::EVENTS.iter().map(|(name, event)| (*name, Name::Process(*event))))
        .chain(server::EVENTS.iter().map(|(name, event)| (*name, Name::Server(*event))))
        .collect();
    let mut places: HashMap<&str, usize> =
        names.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    for (alias, name) in stream::ALIASES.iter().chain(session::ALIASES).chain(server::ALIASES) {
        if let Some(place) = places.get(name).copied() {
            places.insert(alias, place);
        }
    }
    EventKinds { names, places }
});

/// All names of events that are known, in all their spellings.
pub fn names() -> impl Iterator<Item = &'static str> {
    let aliases = stream::ALIASES.iter().chain(session::ALIASES).chain(server::ALIASES);
    EVENT_KINDS.names.iter().map(|(name, _)| *name).chain(aliases.map(|(alias, _)| *alias))
}

/// The kind of an event: one of the known names, or `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKind(usize);

impl EventKind {
    /// The kind of events with this name, in any of its spellings.
    pub fn of(name: &str) -> Self {
        Self(EVENT_KINDS.places.get(name).copied().unwrap_or(EVENT_KINDS.names.len()))
    }

    /// Every kind, `other` last.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=EVENT_KINDS.names.len()).map(Self)
    }

    /// Where the kind stands in the list.
    pub const fn place(self) -> usize {
        self.0
    }

    /// The value of the label `event`.
    pub fn label(self) -> &'static str {
        EVENT_KINDS.names.get(self.0).map_or("other", |(name, _)| name)
    }
}

/// An interpreted event.
#[derive(Debug)]
pub struct Event<'a> {
    /// Which of the known kinds it is.
    pub kind: EventKind,
    /// Who sent it.
    pub sender: Sender,
    /// Its content.
    pub facts: Facts<'a>,
}

/// The content of an event, by family.
#[derive(Debug)]
pub enum Facts<'a> {
    /// A stream; and the output that it writes, if it does.
    Stream(stream::Event<'a>, Option<output::Event<'a>>),
    /// A chunk or a playlist.
    Output(output::Event<'a>),
    /// A timer.
    Timer(timer::Event),
    /// A viewer over HTTP, or a download.
    Session(session::Event),
    /// A connection.
    Connection(connection::Event),
    /// An API call.
    Api(api_call::Event),
    /// A launched program.
    Process(process::Event),
    /// The server.
    Server(server::Event<'a>),
    /// An undocumented name: counted, never rejected.
    Other,
}

impl Facts<'_> {
    /// The event of the output that it is about.
    pub const fn output(&self) -> Option<&output::Event<'_>> {
        if let Self::Stream(_, Some(event)) | Self::Output(event) = self { Some(event) } else { None }
    }

    /// Whether the event can make a row appear in a table.
    pub fn opens(&self) -> bool {
        match self {
            Self::Stream(event, _) => event.opens(),
            Self::Timer(event) => event.opens(),
            Self::Session(event) => event.opens(),
            Self::Connection(event) => event.opens(),
            Self::Process(event) => event.opens(),
            Self::Output(_) | Self::Api(_) | Self::Server(_) | Self::Other => false,
        }
    }
}

/// Interprets a message.
pub fn interpret<'a>(message: &Message<'a>) -> Result<Event<'a>, Rejection> {
    let kind = EventKind::of(&message.name);
    let facts = match EVENT_KINDS.names.get(kind.place()) {
        None => Facts::Other,
        Some((_, Name::Stream(name))) => {
            Facts::Stream(stream::interpret(*name, message)?, written_by(*name, message)?)
        }
        Some((_, Name::Output(name))) => Facts::Output(output::interpret(*name, message)?),
        Some((_, Name::Timer(name))) => Facts::Timer(timer::interpret(*name, message)?),
        Some((_, Name::Session(name))) => Facts::Session(session::interpret(*name, message)?),
        Some((_, Name::Connection(name))) => Facts::Connection(connection::interpret(*name, message)?),
        Some((_, Name::Api(name))) => Facts::Api(api_call::interpret(*name, message)?),
        Some((_, Name::Process(name))) => Facts::Process(process::interpret(*name, message)?),
        Some((_, Name::Server(name))) => Facts::Server(server::interpret(*name, message)?),
    };
    Ok(Event { kind, sender: Sender { process: message.process, at: message.at, again: false }, facts })
}

/// The output side of a stream event: a stream that writes files is a row in two tables.
fn written_by<'a>(name: stream::Name, message: &Message<'a>) -> Result<Option<output::Event<'a>>, Rejection> {
    let event: fn(output::Output<'a>) -> output::Event<'a> = match name {
        stream::Name::Created(stream::Direction::Out) => output::Event::Opened,
        stream::Name::CodecsUpdated(stream::Direction::Out) => output::Event::CodecsUpdated,
        stream::Name::Closed(stream::Direction::Out) => output::Event::Closed,
        stream::Name::Created(_)
        | stream::Name::CodecsUpdated(_)
        | stream::Name::Closed(_)
        | stream::Name::FeedStopped(_)
        | stream::Name::PullFailed
        | stream::Name::PlaylistItem
        | stream::Name::FirstFrameSent => return Ok(None),
    };
    Ok(output::of_stream(message)?.map(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_once() {
        let mut names: Vec<&str> = EVENT_KINDS.names.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(EventKind::all().last().map(EventKind::label), Some("other"));
    }

    #[test]
    fn both_spellings_are_one_kind() {
        for (alias, name) in stream::ALIASES.iter().chain(session::ALIASES).chain(server::ALIASES) {
            assert_eq!(EventKind::of(alias), EventKind::of(name), "{alias}");
            assert_eq!(EventKind::of(alias).label(), *name);
        }
        assert_eq!(EventKind::of("vmCreated").label(), "other");
    }
}
