//! Triggers of rules: an applied event, a stream that reconciliation found open or gone, or a derived event.

use std::sync::Arc;

use serde_json::{Map as Object, Value as Json, json};

use super::target::Target;
use crate::model::event::{Event, Facts};
use crate::model::output::{self, Format, Stall, Track};
use crate::model::state::{DerivedEvent, State};
use crate::model::stream::{self, Direction, Properties, Purpose, Stream};
use crate::model::{Change, Key, is_ours};
use ems_protocol::Message;
use ems_protocol::{Timestamp, Wall};

/// The ids of edges in the runtime API: the edge's process above, the stream's id below.
const EDGE_SHIFT: u32 = 32;
/// The part of such an id that the edge itself gave.
const ID: u64 = 0xffff_ffff;

/// One trigger.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The names of the events that it stands for: an event that makes a stream known stands for its creation too,
    /// and an output that has never written is a stall.
    names: [Option<&'static str>; 2],
    pub(super) change: Option<Change>,
    pub(super) server: Arc<str>,
    pub(super) at: Timestamp,
    /// By which `at` is shown.
    pub(super) wall: Wall,
    pub(super) stream: Option<String>,
    key: Option<Key>,
    input: Option<Key>,
    /// Whether the stream is one of an edge, whose ids have another form in the API.
    edge: bool,
    config: Option<u64>,
    direction: Option<Direction>,
    pub(super) kind: Option<&'static str>,
    pub(super) purpose: Option<Purpose>,
    pub(super) format: Option<Format>,
    pub(super) group: Option<String>,
    track: Option<Track>,
    /// Whether the event is about an object created by one of the exporter's own calls.
    pub(super) own_call: bool,
    fields: Object<String, Json>,
}

/// The names that events of a label may trigger.
pub(super) fn triggered(label: &'static str) -> [Option<&'static str>; 2] {
    [Some(label), creation(label)]
}

/// The event by which a stream would have become known.
fn creation(label: &str) -> Option<&'static str> {
    match label {
        "inStreamCodecsUpdated" => Some("inStreamCreated"),
        "outStreamCodecsUpdated" => Some("outStreamCreated"),
        _ => None,
    }
}

/// The names that an event with this change triggers: a stream appears once, by whichever event, and closes once.
fn names(label: &'static str, change: Change) -> [Option<&'static str>; 2] {
    let appears = matches!(change, Change::Opened | Change::Adopted | Change::Replaced);
    let applied = !matches!(change, Change::Stale | Change::Repeated | Change::CreatedLate);
    match label {
        "inStreamCreated" | "outStreamCreated" => [appears.then_some(label), None],
        "inStreamClosed" | "outStreamClosed" => {
            let closed = matches!(change, Change::Closed | Change::ClosedUnseen | Change::Replaced);
            [closed.then_some(label), None]
        }
        _ => [applied.then_some(label), creation(label).filter(|_| appears)],
    }
}

impl Trigger {
    fn new(server: &str, names: [Option<&'static str>; 2], at: Timestamp) -> Self {
        Self {
            names,
            change: None,
            server: Arc::from(server),
            at,
            wall: Wall::default(),
            stream: None,
            key: None,
            input: None,
            edge: false,
            config: None,
            direction: None,
            kind: None,
            purpose: None,
            format: None,
            group: None,
            track: None,
            own_call: false,
            fields: Object::new(),
        }
    }

    /// Its time is shown by this wall clock.
    pub fn shown_by(self, wall: Wall) -> Self {
        Self { wall, ..self }
    }

    /// The stream that feeds the outbound stream of an event. It must be read before the event is applied, since a
    /// close may not name it.
    pub fn input(event: &Event<'_>, state: &State) -> Option<Key> {
        let Facts::Stream(stream::Event::Closed(stream), _) = &event.facts else {
            return None;
        };
        state.streams.properties(stream.key)?.input
    }

    /// An event that has been applied to `state` with `change`; `input` is the result of [`Trigger::input`] before
    /// that. `None` when it triggers nothing.
    pub fn of_event(
        server: &str,
        message: &Message<'_>,
        event: &Event<'_>,
        change: Change,
        input: Option<Key>,
        state: &State,
        at: Timestamp,
    ) -> Option<Self> {
        let names = names(event.kind.label(), change);
        if names == [None, None] {
            return None;
        }
        let mut trigger = Self::new(server, names, at);
        trigger.change = Some(change);
        trigger.input = input;
        trigger.take_payload(message);
        trigger.take_facts(event, state);
        Some(trigger)
    }

    /// A stream that the runtime API lists and no event announced; it has been opened.
    pub fn found(server: &str, item: &Message<'_>, stream: &Stream<'_>, at: Timestamp) -> Option<Self> {
        let mut trigger = Self::new(server, [Some(appearance(stream.direction)?), None], at);
        trigger.change = Some(Change::Adopted);
        trigger.take_payload(item);
        trigger.take_stream(stream);
        // A list holds the ids of the API.
        let listed = item.payload().u64("uniqueId").ok().flatten();
        trigger.edge = listed.is_some_and(|id| id >> EDGE_SHIFT != 0);
        trigger.input = trigger.input.map(|input| Key { id: input.id & ID, ..input });
        Some(trigger)
    }

    /// A stream that the runtime API lists no longer, as it was before it was closed. `origin` is the server's own
    /// process.
    pub fn gone(
        server: &str,
        key: Key,
        known: Properties<'_>,
        origin: Option<u64>,
        at: Timestamp,
    ) -> Option<Self> {
        let name = match known.direction {
            Direction::In => "inStreamClosed",
            Direction::Out => "outStreamClosed",
            Direction::Neutral => return None,
        };
        let mut trigger = Self::new(server, [Some(name), None], at);
        trigger.change = Some(Change::Closed);
        trigger.key = Some(key);
        trigger.edge = origin.is_some_and(|origin| origin != key.pid);
        trigger.stream = known.name.map(str::to_owned);
        (trigger.direction, trigger.kind) = (Some(known.direction), Some(known.kind));
        (trigger.purpose, trigger.input) = (Some(known.purpose), known.input);
        trigger.own_call = known.ours;
        Some(trigger)
    }

    /// A derived event. An output gets the type and the purpose of the inbound stream that feeds it.
    pub fn of_derived_event(server: &str, derived: &DerivedEvent, state: &State, at: Timestamp) -> Self {
        let mut trigger = Self::new(server, [Some(derived.name()), derived.kind_of()], at);
        match derived {
            DerivedEvent::StreamMissing(stream) => trigger.stream = Some((**stream).to_owned()),
            DerivedEvent::Input(stream, _) => {
                (trigger.stream, trigger.direction) = (Some((**stream).to_owned()), Some(Direction::In));
            }
            DerivedEvent::Together(together) => {
                let fields = [
                    ("scope", json!(together.scope.label())),
                    ("name", json!(&*together.name)),
                    ("outputs", json!(together.outputs)),
                ];
                trigger.fields.extend(fields.map(|(name, value)| (name.to_owned(), value)));
            }
            DerivedEvent::Output(stall) => trigger.take_stall(stall, state),
        }
        trigger
    }

    fn take_stall(&mut self, stall: &Stall, state: &State) {
        self.stream = Some((*stall.stream).to_owned());
        self.format = Some(stall.format);
        self.group = Some((*stall.group).to_owned());
        self.track = Some(stall.track);
        self.direction = Some(Direction::Out);
        let Some((key, writer)) = stall.writer else {
            return;
        };
        self.key = Some(key);
        self.edge = state.server.process().is_some_and(|origin| origin != key.pid);
        self.config = writer.config;
        self.input = state.streams.properties(key).and_then(|known| known.input).or(stall.input);
        let input = self.input.and_then(|input| state.streams.properties(input));
        (self.kind, self.purpose) = (input.map(|input| input.kind), input.map(|input| input.purpose));
    }

    fn take_payload(&mut self, message: &Message<'_>) {
        let payload = message.payload();
        self.fields = payload.to_json();
        self.edge = message.process.zip(message.pid().ok()).is_some_and(|(origin, pid)| origin != pid);
        let settings = payload.ending_in("Settings").map(|(_, settings)| settings);
        self.own_call = is_ours(payload) || settings.is_some_and(is_ours);
        self.config = settings.and_then(|settings| settings.u64("configId").ok().flatten());
        self.stream = payload.text("localStreamName").ok().flatten().map(|name| name.into_owned());
    }

    fn take_facts(&mut self, event: &Event<'_>, state: &State) {
        if let Facts::Stream(event, _) = &event.facts {
            self.take_stream_event(event, state);
        }
        if let Some(event) = event.facts.output() {
            self.take_output_event(event, state);
        }
    }

    fn take_output_event(&mut self, event: &output::Event<'_>, state: &State) {
        self.format = Some(event.format());
        match event {
            output::Event::Opened(output)
            | output::Event::CodecsUpdated(output)
            | output::Event::Closed(output) => {
                self.stream = Some(output.stream.as_ref().to_owned());
                self.group = Some(output.group.as_ref().to_owned());
            }
            output::Event::Chunk { format, file, .. } | output::Event::Playlist { format, file, .. } => {
                if let Some((group, stream, track)) = state.outputs.of_file(*format, file) {
                    self.stream = Some((*stream).to_owned());
                    self.group = Some((*group).to_owned());
                    self.track = Some(track);
                }
            }
            output::Event::ChunkError(_) | output::Event::ChunkDeleted(_) => {}
        }
    }

    fn take_stream_event(&mut self, event: &stream::Event<'_>, state: &State) {
        match event {
            stream::Event::Created(stream)
            | stream::Event::CodecsUpdated(stream)
            | stream::Event::Closed(stream) => self.take_stream(stream),
            stream::Event::FeedStopped { key, name, .. } => {
                (self.key, self.stream) = (*key, Some(name.as_ref().to_owned()));
                let known = key.and_then(|key| state.streams.properties(key));
                if let Some(known) = known {
                    (self.direction, self.kind) = (Some(known.direction), Some(known.kind));
                    self.purpose = Some(known.purpose);
                }
            }
            stream::Event::PullFailed { name } => {
                self.stream = Some(name.as_ref().to_owned());
                (self.direction, self.purpose) = (Some(Direction::In), Some(Purpose::Pull));
            }
            stream::Event::PlaylistItem | stream::Event::FirstFrameSent => {}
        }
    }

    fn take_stream(&mut self, stream: &Stream<'_>) {
        self.stream = Some(stream.name.as_ref().to_owned());
        self.key = Some(stream.key);
        self.input = stream.input.or(self.input);
        (self.direction, self.kind) = (Some(stream.direction), Some(stream.kind));
        self.purpose = Some(stream.purpose);
    }

    /// Whether it triggers rules for this event.
    pub fn triggers(&self, name: &str) -> bool {
        self.names.contains(&Some(name))
    }

    /// The stream or output that it is about.
    pub(super) fn target(&self, state: &State) -> Target {
        let group = || Arc::from(self.group.as_deref().unwrap_or_default());
        let output = self.format.zip(self.track).map(|(format, track)| (format, group(), track));
        let derived = self.change.is_none();
        Target {
            stream: Arc::from(self.stream.as_deref().unwrap_or_default()),
            key: self.key,
            input: self.input,
            direction: self.direction,
            purpose: self.purpose,
            output,
            // A stalled output may be re-created; without its input there is nothing to write.
            needs: if derived { self.input } else { self.key }.filter(|key| state.streams.is_open(*key)),
        }
    }

    /// The fields that templates can name: those of the event, and those derived from them. `on` is the event that the
    /// rule is for.
    pub(super) fn context(&self, on: &str) -> Object<String, Json> {
        let id = |key: Key| if self.edge { key.pid << EDGE_SHIFT | key.id & ID } else { key.id };
        let derived = [
            ("event", Some(json!(on))),
            ("server", Some(json!(&*self.server))),
            ("stream", self.stream.as_ref().map(|stream| json!(stream))),
            ("id", self.key.map(|key| json!(id(key)))),
            ("in_stream_id", self.input.map(|key| json!(id(key)))),
            ("config_id", self.config.map(|config| json!(config))),
            ("type", self.kind.map(|kind| json!(kind))),
            ("purpose", self.purpose.map(|purpose| json!(purpose.label()))),
            ("direction", self.direction.map(|direction| json!(direction.label()))),
            ("format", self.format.map(|format| json!(format.label()))),
            ("group", self.group.as_ref().map(|group| json!(group))),
            ("track", self.track.map(|track| json!(track.label()))),
        ];
        let mut context = self.fields.clone();
        for (name, value) in derived {
            if let Some(value) = value {
                context.insert(name.to_owned(), value);
            }
        }
        context
    }
}

/// The event by which a stream of this direction becomes known.
const fn appearance(direction: Direction) -> Option<&'static str> {
    match direction {
        Direction::In => Some("inStreamCreated"),
        Direction::Out => Some("outStreamCreated"),
        Direction::Neutral => None,
    }
}
