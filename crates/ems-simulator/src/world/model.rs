//! The types of the world: the server's tables, their rows, and the tasks that change them.

use super::address::Address;
use super::plan::{self, Slot};
use super::process::{Brand, Process};
use crate::clock::Clock;
use crate::event::Event;
use crate::incident::Incident;
use crate::options::Options;
use crate::output_format::OutputFormat;
use crate::value::{Map, Value, i32, map, text, u8, u64};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Something that happens at a moment. Ids of things that are gone by then make a task void.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Boot,
    Crash,
    OpenStream { slot: usize },
    IdentifyCodec { input: u64, last: bool },
    CreateOutput { input: u64, format: OutputFormat },
    CreatePush { input: u64 },
    CheckFeeds { input: u64 },
    CloseStream { input: u64 },
    WriteChunk { output: u64, track: usize },
    CloseOutput { output: u64 },
    PlayerArrives { input: u64 },
    PlayerLeaves { output: u64 },
    SessionStarts,
    SessionEnds { session: u64 },
    Download,
    WantTimer { wanted: Wanted },
    ReplaceTimer { timer: u32, wanted: Wanted },
    Trigger { timer: u32 },
    CloseTimer { timer: u32 },
    StartConfig { config: u32 },
    FirstPlaylists { output: u64 },
    Shut { stream: u64 },
    Incident { index: usize },
    StopWriting { fault: usize },
    Burst,
}

/// One track of one output, for counting.
pub(crate) type TrackKey = (OutputFormat, String, String, &'static str);

/// The simulated server.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) brand: Brand,
    pub(crate) random: Rng,
    pub(crate) slots: Vec<Slot>,
    pub(crate) now: Duration,
    pub(crate) agenda: BTreeMap<(Duration, u64), Task>,
    pub(crate) scheduled: u64,
    pub(crate) process: Process,
    pub(crate) running: bool,
    pub(crate) starts: u64,
    pub(crate) inputs: BTreeMap<u64, Input>,
    pub(crate) outputs: BTreeMap<u64, Output>,
    pub(crate) timers: BTreeMap<u32, Timer>,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) configs: BTreeMap<u32, Config>,
    /// Configurations made so far, over every restart: the newest one's id.
    pub(crate) configs_made: u32,
    /// The requested incidents that have not begun.
    pub(crate) incidents: Vec<Option<(IncidentKind, Incident)>>,
    pub(crate) events: Vec<Event>,
    pub(crate) chunks_closed: BTreeMap<TrackKey, u64>,
    pub(crate) timers_triggered: u64,
    pub(crate) emitted: BTreeMap<&'static str, u64>,
}

impl World {
    /// A world whose first moment is the given time since the Unix epoch.
    pub(crate) fn new(options: &Options, epoch: Duration) -> Self {
        let mut random = Rng::with_seed(options.seed);
        let process = Process::new(random.i32(1000..30_000));
        let freezes = options.freeze.iter().map(|one| (IncidentKind::Freeze, one.clone()));
        let losses = options.lose_push.iter().map(|one| (IncidentKind::LosePush, one.clone()));
        let mut world = Self {
            clock: Clock { epoch, speed: options.speed },
            brand: Brand::of(options.nul_header),
            random,
            slots: plan::slots(options),
            now: Duration::ZERO,
            agenda: BTreeMap::new(),
            scheduled: 0,
            process,
            running: false,
            starts: 0,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            timers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            configs: BTreeMap::new(),
            configs_made: 0,
            incidents: freezes.chain(losses).map(Some).collect(),
            events: Vec::new(),
            chunks_closed: BTreeMap::new(),
            timers_triggered: 0,
            emitted: BTreeMap::new(),
            options: options.clone(),
        };
        world.schedule(Duration::ZERO, Task::Boot);
        if let Some(after) = options.crash_after {
            world.schedule(after, Task::Crash);
        }
        world
    }

    /// The moment of the next task; none when nothing will ever happen again.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether some output of this stream has the format, or any at all when none is given.
    pub(crate) fn writes(&self, stream: &str, format: Option<OutputFormat>) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.label == stream && format.is_none_or(|format| slot.formats.contains(&format)))
    }

    pub(crate) fn schedule(&mut self, at: Duration, task: Task) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), task);
    }

    /// A random duration in a range of milliseconds.
    pub(crate) fn random_millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.random.u64(range.start * 1000..range.end * 1000))
    }

    /// Logs an event; every payload gets the two members that all have.
    pub(crate) fn log(&mut self, at: Duration, name: &'static str, mut payload: Map) {
        payload.extend(map([("PID", i32(self.process.id)), ("customData", Value::Null)]));
        self.process.events += 1;
        *self.emitted.entry(name).or_default() += 1;
        self.events.push(Event {
            id: self.process.events,
            name,
            process_id: self.process.id,
            timestamp: self.clock.seconds(at),
            payload,
            written: None,
        });
    }
}

/// An open inbound stream.
#[derive(Debug)]
pub(crate) struct Input {
    /// Its place in the plan.
    pub(crate) slot: usize,
    pub(crate) created: Duration,
    pub(crate) codecs: Codecs,
    /// Since when no packets arrive although the connection stays up.
    pub(crate) frozen: Option<Duration>,
    pub(crate) peer: Peer,
    /// The configuration of a pull.
    pub(crate) config: Option<u32>,
    /// Its settings.
    pub(crate) pull: Option<Map>,
    /// Unique ids of the outputs it feeds, ascending.
    pub(crate) outputs: Vec<u64>,
}

/// The known codecs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codecs {
    Neither,
    Video,
    Audio,
    Both,
}

/// The two ends of a stream's connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) far_ip: String,
    pub(crate) far_port: u16,
    pub(crate) near_port: u16,
}

/// An open outbound stream.
#[derive(Debug)]
pub(crate) struct Output {
    /// The plan's place of the stream it carries.
    pub(crate) slot: usize,
    /// The unique id of that stream.
    pub(crate) input: u64,
    pub(crate) kind: Kind,
    /// The configuration that keeps it up; none for players.
    pub(crate) config: Option<u32>,
    pub(crate) created: Duration,
    /// As its events carry them.
    pub(crate) settings: Map,
    pub(crate) peer: Option<Peer>,
    /// The files being written; none for players and pushes.
    pub(crate) tracks: Vec<Track>,
}

impl Output {
    pub(crate) fn files(&self) -> Option<&Files> {
        match &self.kind {
            Kind::Files(files) => Some(files),
            Kind::Push | Kind::Player => None,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Kind {
    Files(Files),
    /// Another server.
    Push,
    /// A player that watches over RTMP.
    Player,
}

/// A series of chunks: of an output, or of its audio or video where they are apart.
#[derive(Debug, Default)]
pub(crate) struct Track {
    pub(crate) name: &'static str,
    /// Chunks begun so far.
    pub(crate) begun: u64,
    /// Frames of all complete chunks, which recordings report.
    pub(crate) frames: u64,
    pub(crate) open: Option<Chunk>,
}

/// A chunk that is being written.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) file: Vec<u8>,
    pub(crate) since: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) purpose: Purpose,
    /// The name of the stream that it is about.
    pub(crate) stream: Vec<u8>,
    /// Whether it outlives its stream and the server.
    pub(crate) keep_alive: bool,
    /// As streams carry it in their events, with the caller's own variables.
    pub(crate) settings: Map,
    /// The far side is gone for good: nothing is tried any more.
    pub(crate) unreachable: bool,
    pub(crate) current: Status,
    pub(crate) previous: Status,
}

#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Pull(Address),
    Push(Address),
    Files(Files),
}

/// Where and how the files of an output are written.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) format: OutputFormat,
    /// The group; empty for a recording.
    pub(crate) group: String,
    /// The folder of the group, with its separator at the end.
    pub(crate) group_folder: Vec<u8>,
    /// The folder of the stream; of a recording the path without its extension.
    pub(crate) folder: Vec<u8>,
    /// The time from one chunk to the next; none for a recording in one piece.
    pub(crate) chunk_length: Duration,
    /// The prefix of the names of chunks.
    pub(crate) chunk_name: String,
    /// The playlist or manifest.
    pub(crate) playlist: Vec<u8>,
    /// The kind of file of a recording.
    pub(crate) container: &'static str,
}

impl Files {
    pub(crate) fn playlist_path(&self) -> Vec<u8> {
        [&self.folder, &b"/"[..], &self.playlist].concat()
    }

    /// The stream type of the output.
    pub(crate) fn stream_type(&self) -> &'static str {
        match (self.format, self.container) {
            (OutputFormat::Record, "ts") => "OFTS",
            (OutputFormat::Record, "mp4") => "OFMP4",
            (format, _) => format.profile().stream_type,
        }
    }
}

/// The state of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Streaming,
    Connecting,
    WaitingForStream,
    Connected,
    Disconnected,
    ConnectionFailed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) since: Duration,
    pub(crate) stream: u64,
}

impl Status {
    /// The status before anything has been tried.
    pub(crate) fn initial(purpose: &Purpose, at: Duration) -> Self {
        let code = match purpose {
            Purpose::Pull(_) | Purpose::Push(_) => Code::Connecting,
            Purpose::Files(_) => Code::WaitingForStream,
        };
        Self { code, since: at, stream: 0 }
    }

    pub(crate) fn value(self, seconds: u64) -> Value {
        let (code, description) = match self.code {
            Code::Streaming => (0, "Streaming"),
            Code::Connecting => (1, "Connecting"),
            Code::WaitingForStream => (2, "Waiting for stream"),
            Code::Connected => (3, "Connected"),
            Code::Disconnected => (4, "Disconnected"),
            Code::ConnectionFailed => (5, "Connection failed"),
        };
        Value::Map(map([
            ("code", u8(code)),
            ("description", text(description)),
            ("timestamp", u64(seconds)),
            ("uniqueStreamId", u64(self.stream)),
        ]))
    }
}

impl Config {
    pub(crate) fn files(&self) -> Option<&Files> {
        match &self.purpose {
            Purpose::Files(files) => Some(files),
            Purpose::Pull(_) | Purpose::Push(_) => None,
        }
    }

    /// The part of the list of configurations that it stands in.
    pub(crate) fn family(&self) -> &'static str {
        match &self.purpose {
            Purpose::Pull(_) => "pull",
            Purpose::Push(_) => "push",
            Purpose::Files(files) => files.format.name(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Every so many seconds.
    Every(u64),
    /// Once, at these seconds since the Unix epoch.
    At(u64),
}

/// An armed timer.
#[derive(Debug)]
pub(crate) struct Timer {
    pub(crate) when: When,
    pub(crate) triggered: u32,
    pub(crate) variables: Map,
}

impl Timer {
    /// The period in seconds of a periodic timer.
    pub(crate) fn period(&self) -> Option<u64> {
        match self.when {
            When::Every(seconds) => Some(seconds),
            When::At(_) => None,
        }
    }
}

/// A timer that the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every so many seconds, replaced after some expiries.
    Every(u64),
    /// Once, when so much time has passed.
    In(Duration),
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: String,
    pub(crate) playlist: Vec<u8>,
    pub(crate) since: Duration,
}

/// The kind of an incident.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IncidentKind {
    /// Its packets stop, though its connection stays up.
    Freeze,
    /// The far side of its push goes away for good.
    LosePush,
}
