//! **The pipeline**, from bytes to state, in [`Pipeline::accept`].

mod log;
pub mod measuring;
pub mod proof;
pub mod reactions;
mod rejections;
pub mod tally;
pub mod window;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::feed::{Feed, Topic};
use crate::model::Settings;
use crate::model::event::{self, Facts};
use crate::model::output::ClosedChunk;
use crate::model::state::listing::{Listing, Reconciled, Subject};
use crate::model::state::recent::EventRecord;
use crate::model::state::{DerivedEvent, State};
use crate::rules::{Rules, Trigger};
use ems_protocol::{Format, Message, Rejection, decode};
use ems_protocol::{Timestamp, Wall};

use measuring::{Measure, Measuring};
use proof::Proof;
use reactions::{Enqueue, Reactions};
use rejections::Rejections;
use tally::{EventOutcome, Tally, Transport};
use window::{Seen, Window};

pub use rejections::{RejectionRecord, RejectionView};

/// How many events of one body may be rejected until the rest of it is. A file has no such limit.
const PATIENCE: usize = 100;
/// The name of the server that posts to `/events` when none is configured.
pub const DEFAULT_SERVER: &str = "ems";
/// The longest name of a server, in bytes.
const SERVER_NAME_BYTES: usize = 64;

/// One media server.
#[derive(Debug)]
pub struct Server {
    /// The value of the label `server`.
    pub name: String,
    /// A plain mutex: it is held for one event or one metric, and never across an await.
    inner: Mutex<Inner>,
    /// Whether its events are read from files in a format without sequence numbers: then a posted event could not be
    /// recognised as a duplicate.
    files_only: AtomicBool,
    /// Whether an event file is being read that has entries left, so that they may be old.
    replaying: AtomicBool,
    /// Notified when reconciliation should poll the server soon: events may be incomplete.
    pub poll_soon: Notify,
}

#[derive(Debug)]
struct Inner {
    state: State,
    window: Window,
    proof: Proof,
}

impl Server {
    fn new(name: &str, settings: &Settings) -> Arc<Self> {
        let inner = Inner { state: State::new(settings), window: Window::default(), proof: Proof::default() };
        Arc::new(Self {
            name: name.to_owned(),
            inner: Mutex::new(inner),
            files_only: AtomicBool::new(false),
            replaying: AtomicBool::new(false),
            poll_soon: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on accepts events of this server from files only.
    pub fn accept_files_only(&self) {
        self.files_only.store(true, Ordering::Relaxed);
    }

    /// Says whether entries of its event files are left to read: those that follow may be old.
    pub fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Relaxed);
    }

    /// The derived events whose rules wait for proof.
    pub fn proof(&self) -> proof::Summary {
        self.lock().proof.summary()
    }

    /// Reads the state.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock().state)
    }

    /// Lets no output stall until [`Server::judge_from`].
    pub fn suspend_judgement(&self) {
        self.lock().state.outputs.suspend_judgement();
    }

    /// The events of this server may come a second time from files.
    pub fn expect_files(&self) {
        self.lock().window.expect_files();
    }

    /// Counts no silence before `at`; see [`State::judge_from`].
    pub fn judge_from(&self, at: Timestamp) {
        self.lock().state.judge_from(at);
    }

    /// Records that its runtime API was called at `at`, and whether it answered.
    pub fn record_poll(&self, at: Timestamp, answered: bool) {
        let mut inner = self.lock();
        inner.state.server.record_poll(at, answered);
        inner.proof.arrived |= answered;
    }
}

/// The result for a body.
#[derive(Debug, Default)]
pub struct Accepted {
    /// How many events it held, rejected ones included.
    pub events: usize,
    /// How many of them were rejected.
    pub rejected: usize,
    /// Why the first of them was.
    pub first: Option<Rejection>,
}

/// A configured server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConfiguredServer {
    /// Its name.
    pub name: String,
    /// Names of inbound streams that are expected to be open.
    pub expected: Vec<String>,
}

/// All servers and everything received for them.
#[derive(Debug)]
pub struct Pipeline {
    servers: RwLock<BTreeMap<String, Arc<Server>>>,
    settings: Settings,
    /// Whether the configuration names the servers, so that no other is added.
    closed: bool,
    limit: usize,
    tally: Mutex<Tally>,
    rejections: Rejections,
    reactions: Option<Reactions>,
    /// See [`Wall::difference`].
    wall: AtomicI64,
    /// In a replay, the last tick in milliseconds: there the times of events are the clock.
    replay_clock: Option<AtomicU64>,
    /// The last regular tick in milliseconds; 0 before the first one.
    ticked: AtomicU64,
    measuring: Option<Measuring>,
    /// The clients of the live feed.
    pub feed: Arc<Feed>,
}

impl Pipeline {
    /// A pipeline for the configured servers; with none, a server is added for each name that receives events, up to
    /// `limit` of them.
    pub fn new(configured: &[ConfiguredServer], settings: &Settings, limit: usize) -> Self {
        let servers = configured.iter().map(|server| {
            let settings = Settings { expected: server.expected.clone(), ..settings.clone() };
            (server.name.clone(), Server::new(&server.name, &settings))
        });
        Self {
            servers: RwLock::new(servers.collect()),
            settings: settings.clone(),
            closed: !configured.is_empty(),
            limit,
            tally: Mutex::default(),
            rejections: Rejections::default(),
            reactions: None,
            wall: AtomicI64::default(),
            replay_clock: None,
            ticked: AtomicU64::default(),
            measuring: None,
            feed: Arc::default(),
        }
    }

    /// Runs these rules from now on, and hands their calls to `enqueue`.
    pub fn set_rules(&mut self, rules: Rules, enqueue: Enqueue) {
        self.reactions = Some(Reactions::new(rules, enqueue));
    }

    /// From now on the times of events are the clock: each event is applied after the ticks up to its time.
    pub fn follow_event_times(&mut self) {
        self.replay_clock = Some(AtomicU64::default());
    }

    /// In a replay, lets time pass up to an event at `now`.
    fn pass_time(&self, now: Timestamp) {
        let Some(clock) = &self.replay_clock else {
            return;
        };
        let last = clock.load(Ordering::Relaxed);
        if now.millis() >= last + 1000 {
            clock.store(now.millis(), Ordering::Relaxed);
            self.tick(now);
        }
    }

    /// Hands closed chunks to `measure` from now on.
    pub fn set_measure(&mut self, measure: Measure) {
        self.measuring = Some(Measuring(measure));
    }

    /// Records the size of a chunk of a server, or that it stays unknown.
    pub fn measured(&self, server: &str, chunk: &ClosedChunk, size: Option<u64>) {
        if let Ok(server) = self.server(Some(server)) {
            server.lock().state.outputs.measured(chunk, size);
        }
    }

    /// Replaces the rules; `false` if there were none before.
    pub fn replace_rules(&self, rules: Rules) -> bool {
        self.reactions.as_ref().map(|reactions| reactions.rules.store(Arc::new(rules))).is_some()
    }

    /// The wall clock by which times are shown. Each answer asks for it once.
    pub fn wall(&self) -> Wall {
        Wall::ahead(self.wall.load(Ordering::Relaxed))
    }

    /// Shows times by this wall clock from now on.
    pub fn set_wall(&self, wall: Wall) {
        self.wall.store(wall.difference(), Ordering::Relaxed);
    }

    /// Whether the configuration names the servers, so that no other is added.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Every server, by name.
    pub fn servers(&self) -> Vec<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The server that a path of the HTTP transport names, if its events may be posted.
    pub fn posting_server(&self, name: Option<&str>) -> Result<Arc<Server>, Rejection> {
        let server = self.server(name)?;
        if server.files_only.load(Ordering::Relaxed) {
            return Err(Rejection::Server(
                "the events of this server are read from text or w3c files, which have no ids to recognise duplicates by",
            ));
        }
        Ok(server)
    }

    /// The server of a name; `None` stands for the only one.
    pub fn server(&self, name: Option<&str>) -> Result<Arc<Server>, Rejection> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        let found = match name {
            Some(name) => servers.get(name),
            None if self.closed && servers.len() > 1 => {
                return Err(Rejection::Server("several servers are configured: post to /events/NAME"));
            }
            None if self.closed => servers.values().next(),
            None => servers.get(DEFAULT_SERVER),
        };
        if let Some(server) = found {
            return Ok(Arc::clone(server));
        }
        drop(servers);
        self.add(name.unwrap_or(DEFAULT_SERVER))
    }

    fn add(&self, name: &str) -> Result<Arc<Server>, Rejection> {
        if self.closed {
            return Err(Rejection::Server("no server of this name is configured"));
        }
        if !is_server_name(name) {
            return Err(Rejection::Server(
                "a server's name has 1 to 64 letters, digits, dots, dashes and underscores",
            ));
        }
        let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= self.limit && !servers.contains_key(name) {
            return Err(Rejection::Servers(self.limit));
        }
        let new = || Server::new(name, &self.settings);
        Ok(Arc::clone(servers.entry(name.to_owned()).or_insert_with(new)))
    }

    /// The whole pipeline: decodes `body`, interprets each event in it, and applies it to `server`, once.
    pub fn accept(&self, transport: Transport, server: &Server, body: &[u8], now: Timestamp) -> Accepted {
        let format = Format::of(body);
        let mut accepted = Accepted::default();
        decode::decode(body, format, PATIENCE, |message| {
            accepted.events += 1;
            if let Some(rejection) = self.accept_message(transport, server, format, message, now) {
                accepted.rejected += 1;
                accepted.first.get_or_insert(rejection);
            }
        });
        accepted
    }

    /// The pipeline after the decoder: applies and counts one message, and records its rejection.
    pub fn accept_message(
        &self,
        transport: Transport,
        server: &Server,
        format: Format,
        message: Result<Message<'_>, Rejection>,
        now: Timestamp,
    ) -> Option<Rejection> {
        if message.is_ok() {
            self.pass_time(now);
        }
        let outcome = message.and_then(|message| self.apply(server, &message, now));
        self.count(transport, format, &outcome);
        let rejection = outcome.err()?;
        self.record_rejection(server.name.clone(), format, &rejection, now);
        Some(rejection)
    }

    /// Counts and records a body that is rejected before it is decoded.
    pub fn reject(&self, transport: Transport, server: Option<&str>, rejection: &Rejection, now: Timestamp) {
        self.count(transport, Format::Unknown, &Err(rejection.clone()));
        self.record_rejection(server.unwrap_or_default().to_owned(), Format::Unknown, rejection, now);
    }

    fn count(&self, transport: Transport, format: Format, outcome: &Result<EventOutcome, Rejection>) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(transport, format, outcome);
    }

    fn record_rejection(&self, server: String, format: Format, rejection: &Rejection, now: Timestamp) {
        let record = RejectionRecord { at: now, server, format, rejection: rejection.clone() };
        self.rejections.log(&record);
        if self.feed.wants_changes() {
            self.feed.publish(Topic::Rejection, &record.view(self.wall()));
        }
        self.rejections.push(record);
    }

    /// The recent rejections, the oldest first.
    pub fn rejections(&self) -> Vec<RejectionRecord> {
        self.rejections_since(0).1
    }

    /// How many rejections there have been, and the recent ones after number `number`.
    pub fn rejections_since(&self, number: u64) -> (u64, Vec<RejectionRecord>) {
        self.rejections.since(number)
    }

    /// The counts of everything received, at one instant.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Corrects the state of `server` by its own lists. Streams that are found open or gone trigger rules as events
    /// would have.
    pub fn reconcile(&self, server: &Server, listing: &Listing<'_>, now: Timestamp) -> Reconciled {
        let state = &mut server.lock().state;
        let done = state.reconcile(listing, now);
        if done.corrections[Subject::Server as usize].changed > 0 {
            log::restart(&server.name, state);
        }
        let Some(reactions) = self.reactions.as_ref() else {
            return done;
        };
        let appeared = done.appeared.iter().filter_map(|place| {
            let listed = listing.streams.get(*place)?;
            Trigger::found(&server.name, &listed.item.message().ok()?, &listed.stream, now)
        });
        let origin = state.server.process();
        let gone = done.removed.iter().filter_map(|removed| {
            Trigger::gone(&server.name, removed.key, removed.properties(), origin, now)
        });
        for trigger in gone.chain(appeared) {
            reactions.run(&trigger.shown_by(self.wall()), state);
        }
        done
    }

    /// The tick of each second. After a longer pause the exporter itself stood still.
    pub fn regular_tick(&self, now: Timestamp) {
        self.tick(now);
        self.ticked.store(now.millis(), Ordering::Relaxed);
    }

    /// Derives the events that only the passing of time shows, such as stalls.
    pub fn tick(&self, now: Timestamp) {
        let ticked = Timestamp::from_millis(self.ticked.load(Ordering::Relaxed));
        let paused = ticked > Timestamp::default() && now.since(ticked) > proof::LONGEST_TICK;
        for server in self.servers() {
            if paused {
                // Events may have been lost meanwhile, or wait to be received.
                server.judge_from(now);
            }
            let mut inner = server.lock();
            let before = inner.state.recent.number();
            if inner.state.server.notes_absence(now) {
                log::absent(&server.name);
            }
            let derived_events = inner.state.tick(now);
            for derived in &derived_events {
                log::derived(&server.name, derived);
            }
            if let Some(reactions) = &self.reactions {
                react(reactions, &server, &mut inner, derived_events, (now, self.wall()));
            }
            let records: Vec<EventRecord> = inner.state.recent.notable(before).cloned().collect();
            drop(inner);
            for record in records.iter().filter(|_| self.feed.wants_changes()) {
                self.feed.publish(Topic::Derived, &record.view(&server.name, self.wall()));
            }
        }
    }

    /// Interprets, de-duplicates and applies one message, and triggers rules.
    fn apply(
        &self,
        server: &Server,
        message: &Message<'_>,
        now: Timestamp,
    ) -> Result<EventOutcome, Rejection> {
        let mut event = event::interpret(message)?;
        let mut inner = server.lock();
        match inner.window.see(message) {
            Seen::Before => return Ok(EventOutcome::Duplicate),
            Seen::Never => {}
            Seen::AtAnotherTime => event.sender.again = true,
        }
        (inner.proof.arrived, inner.proof.event) = (true, true);
        let reactions =
            self.reactions.as_ref().filter(|reactions| reactions.rules.load().may_trigger(event.kind));
        let input = reactions.and_then(|_| Trigger::input(&event, &inner.state));
        let mixed = inner.state.server.is_mixed();
        let applied = inner.state.apply(&event, now);
        if inner.state.server.is_mixed() != mixed {
            log::mixed(&server.name, !mixed);
        }
        if applied.restarted {
            log::restart(&server.name, &inner.state);
            inner.window.restart(message);
        }
        if applied.poll {
            server.poll_soon.notify_one();
        }
        if let (Some(measuring), Facts::Output(event)) = (&self.measuring, &event.facts) {
            measuring.hand_over(&server.name, event, &mut inner.state.outputs);
        }
        if let Some(reactions) = reactions {
            let (state, change) = (&inner.state, applied.change);
            let trigger = Trigger::of_event(&server.name, message, &event, change, input, state, now);
            if let Some(trigger) = trigger {
                reactions.run(&trigger.shown_by(self.wall()), state);
            }
        }
        if self.feed.wants_changes() {
            let record = inner.state.last_event();
            drop(inner);
            if let Some(record) = record {
                self.feed.publish(Topic::Event, &record.view(&server.name, self.wall()));
            }
        }
        Ok(EventOutcome::Applied)
    }
}

/// Runs the rules for derived events: at once, or once there is proof that the server is alive.
fn react(
    reactions: &Reactions,
    server: &Server,
    inner: &mut Inner,
    derived_events: Vec<DerivedEvent>,
    (now, wall): (Timestamp, Wall),
) {
    let Inner { state, proof, .. } = inner;
    let trigger =
        |derived: &DerivedEvent| Trigger::of_derived_event(&server.name, derived, state, now).shown_by(wall);
    proof.observe(state, server.replaying.load(Ordering::Relaxed), now);
    let proven: Vec<Trigger> = proof.release(state, now).iter().map(trigger).collect();
    reactions.run_proven(&proven, state);
    for derived in derived_events {
        let trigger = trigger(&derived);
        reactions.run(&trigger, state);
        if reactions.needs_proof(&trigger, state) {
            proof.hold(derived, now);
        }
    }
    if proof.wants_poll(now) {
        server.poll_soon.notify_one();
    }
}

/// Whether `name` is valid in a path and a label without escaping.
pub fn is_server_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= SERVER_NAME_BYTES && name.bytes().all(allowed)
}
