//! The simulated server without any socket: which streams, outputs, timers and viewers there are, and what happens next.
//!
//! The world only moves when [`World::advance`] tells it up to which moment, and is the same for the same options. What
//! happens at a moment is a task on its agenda; carrying out a task logs events and puts further tasks on the agenda.

mod address;
mod arguments;
mod chunks;
mod commands;
mod configs;
mod inputs;
mod operator;
mod outputs;
mod plan;
mod playlists;
mod server;
mod stream_object;
#[cfg(test)]
mod tests;
mod timers;
mod trouble;
mod truths;
mod viewers;

use super::clock::Clock;
use super::event::Event;
use super::options::Options;
use super::output_format::OutputFormat;
use super::random::Random;
use super::value::{Map, Value, i32, map};
use configs::Config;
use inputs::Input;
use operator::Wanted;
use outputs::Output;
use plan::Slot;
use server::{Brand, Process};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use timers::Timer;
use trouble::Trouble;
use viewers::Session;

/// Something that happens at a moment. Ids of things that are gone by then make a task void.
#[derive(Clone, Copy, Debug)]
enum Task {
    Boot,
    Crash,
    OpenStream { slot: usize },
    IdentifyCodec { input: u64, last: bool },
    CreateOutput { input: u64, format: OutputFormat },
    CreatePush { input: u64 },
    CheckFeeds { input: u64 },
    CloseStream { input: u64 },
    WriteChunk { output: u64, track: usize },
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
    Trouble { trouble: Trouble, index: usize },
    Burst,
}

/// One track of one output, for counting.
type TrackKey = (OutputFormat, String, String, &'static str);

/// The simulated server.
#[derive(Debug)]
pub(crate) struct World {
    options: Options,
    clock: Clock,
    brand: Brand,
    random: Random,
    slots: Vec<Slot>,
    now: Duration,
    agenda: BTreeMap<(Duration, u64), Task>,
    scheduled: u64,
    process: Process,
    running: bool,
    starts: u64,
    inputs: BTreeMap<u64, Input>,
    outputs: BTreeMap<u64, Output>,
    timers: BTreeMap<u32, Timer>,
    sessions: BTreeMap<u64, Session>,
    configs: BTreeMap<u32, Config>,
    /// Configurations made so far, over every restart: the newest one's id.
    configs_made: u32,
    /// The requested troubles that have begun.
    troubles: BTreeSet<(Trouble, usize)>,
    events: Vec<Event>,
    chunks_closed: BTreeMap<TrackKey, u64>,
    timers_triggered: u64,
    emitted: BTreeMap<&'static str, u64>,
}

impl World {
    /// A world whose first moment is the given time since the Unix epoch.
    pub(crate) fn new(options: &Options, epoch: Duration) -> Self {
        let mut random = Random::new(options.seed);
        let process = Process::new(i32::try_from(random.between(1000, 30_000)).unwrap_or(1000));
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
            troubles: BTreeSet::new(),
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

    /// Everything that happens up to and including a moment, in the order of the events' ids.
    pub(crate) fn advance(&mut self, until: Duration) -> Vec<Event> {
        self.live(until);
        std::mem::take(&mut self.events)
    }

    fn live(&mut self, until: Duration) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), task) = entry.remove_entry();
            self.now = at;
            self.carry_out(at, task);
        }
        self.now = self.now.max(until);
    }

    /// How the server names itself.
    pub(crate) fn agent(&self) -> &'static str {
        self.brand.agent
    }

    /// Whether there is a server at this moment.
    pub(crate) fn running(&self) -> bool {
        self.running
    }

    /// How often it has started.
    pub(crate) fn starts(&self) -> u64 {
        self.starts
    }

    /// The moment of the next task; none when nothing will ever happen again.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// The graceful stop: one event, then silence, since the server never posts what it closes while stopping.
    pub(crate) fn stop(&mut self) -> Vec<Event> {
        self.stop_server(self.now);
        std::mem::take(&mut self.events)
    }

    /// Whether some output of this stream has the format, or any at all when none is given.
    pub(crate) fn writes(&self, stream: &str, format: Option<OutputFormat>) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.label == stream && format.is_none_or(|format| slot.formats.contains(&format)))
    }

    fn schedule(&mut self, at: Duration, task: Task) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), task);
    }

    fn carry_out(&mut self, at: Duration, task: Task) {
        match task {
            Task::Boot => self.boot(at),
            Task::Crash => self.crash(at),
            Task::OpenStream { slot } => self.open_stream(at, slot),
            Task::IdentifyCodec { input, last } => self.identify_codec(at, input, last),
            Task::CreateOutput { input, format } => self.create_output(at, input, format),
            Task::CreatePush { input } => self.create_push(at, input),
            Task::CheckFeeds { input } => self.check_feeds(at, input),
            Task::CloseStream { input } => self.close_stream(at, input),
            Task::WriteChunk { output, track } => self.write_chunk(at, output, track),
            Task::PlayerArrives { input } => self.player_arrives(at, input),
            Task::PlayerLeaves { output } => self.player_leaves(at, output),
            Task::SessionStarts => self.session_starts(at),
            Task::SessionEnds { session } => self.session_ends(at, session),
            Task::Download => self.download(at),
            Task::WantTimer { wanted } => self.want_timer(at, wanted),
            Task::ReplaceTimer { timer, wanted } => self.replace_timer(at, timer, wanted),
            Task::Trigger { timer } => self.trigger(at, timer),
            Task::CloseTimer { timer } => self.close_timer(at, timer),
            Task::StartConfig { config } => self.start_config(at, config),
            Task::FirstPlaylists { output } => self.log_first_playlists(at, output),
            Task::Shut { stream } => self.shut(at, stream),
            Task::Trouble { trouble, index } => self.trouble(at, trouble, index),
            Task::Burst => self.burst(at),
        }
    }

    /// Logs an event; every payload gets the two members that all have.
    fn log(&mut self, at: Duration, name: &'static str, mut payload: Map) {
        payload.extend(map([("PID", i32(self.process.id)), ("customData", Value::Null)]));
        self.process.events += 1;
        *self.emitted.entry(name).or_default() += 1;
        self.events.push(Event {
            id: self.process.events,
            name,
            process_id: self.process.id,
            timestamp: self.clock.seconds(at),
            payload,
        });
    }
}

/// The members of settings that are the caller's own.
fn variables(settings: &Map) -> Map {
    let own = settings.iter().filter(|(name, _)| name.starts_with('_') || name.starts_with('$'));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Joins byte strings.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
