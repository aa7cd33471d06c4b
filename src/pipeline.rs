//! **The road**: bytes to state, in [`Pipeline::accept`].

pub mod reactions;
pub mod tally;
pub mod window;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::Notify;

use crate::feed::{Feed, Topic};
use crate::model::Settings;
use crate::model::event;
use crate::model::output::StallTransition;
use crate::model::state::listing::{Listing, Reconciled};
use crate::model::state::recent::EventRecord;
use crate::model::state::{DerivedEvent, State};
use crate::rules::{Rules, Trigger};
use ems_protocol::Timestamp;
use ems_protocol::message::{self, Format, Message, Rejection};

use reactions::{Offer, Reactions};
use tally::{Outcome, Tally, Transport};
use window::{Seen, Window};

/// How many rejections are kept to be looked at.
const RECENT_REJECTIONS: usize = 100;
/// The name of the server that posts to `/events` when none is configured.
pub const DEFAULT_SERVER: &str = "ems";
/// The longest name of a server, in bytes.
const SERVER_NAME_BYTES: usize = 64;

/// One media server, as far as we know it.
#[derive(Debug)]
pub struct Server {
    /// The value of the label `server`.
    pub name: String,
    /// A plain mutex: it is held for one event or one metric, and never across an await.
    inner: Mutex<Inner>,
    /// Whether its events are read from files in a format without sequence numbers: then nothing
    /// would tell a posted event from the same one in the file.
    files_only: AtomicBool,
    /// Rung when its own lists should be looked at: more may have happened than events tell.
    pub look: Notify,
}

#[derive(Debug)]
struct Inner {
    state: State,
    window: Window,
}

impl Server {
    fn new(name: &str, settings: &Settings) -> Arc<Self> {
        let inner = Inner { state: State::new(settings), window: Window::default() };
        Arc::new(Self {
            name: name.to_owned(),
            inner: Mutex::new(inner),
            files_only: AtomicBool::new(false),
            look: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on only files tell of this server.
    pub fn owned_by_files(&self) {
        self.files_only.store(true, Ordering::Relaxed);
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// Its runtime API was asked at `at`, and answered or not.
    pub fn asked(&self, at: Timestamp, answered: bool) {
        self.lock().state.server.asked(at, answered);
    }
}

/// One refused body or event, as it is kept to be looked at. It holds nothing of the event itself.
#[derive(Debug, Clone)]
pub struct Refused {
    /// When it came.
    pub at: Timestamp,
    /// The server that it was meant for.
    pub server: String,
    /// The format that was found.
    pub format: Format,
    /// Why it was refused.
    pub rejection: Rejection,
}

/// What is told of a rejection.
#[derive(Debug, Serialize)]
pub struct RejectionView<'a> {
    timestamp_seconds: f64,
    /// Empty where the path named a server that may not be.
    server: &'a str,
    format: &'static str,
    reason: &'static str,
    message: String,
}

impl Refused {
    /// As it is told.
    pub fn view(&self) -> RejectionView<'_> {
        RejectionView {
            timestamp_seconds: self.at.seconds(),
            server: &self.server,
            format: self.format.label(),
            reason: self.rejection.reason().map_or("servers", message::Reason::label),
            message: self.rejection.to_string(),
        }
    }
}

/// What became of a body.
#[derive(Debug, Default)]
pub struct Accepted {
    /// How many events it held, refused ones included.
    pub events: usize,
    /// How many of them were refused.
    pub refused: usize,
    /// Why the first of them was.
    pub first: Option<Rejection>,
}

/// A server that is configured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Names of inbound streams that are expected to be open.
    pub expected: Vec<String>,
}

/// All servers and what has been received for them.
#[derive(Debug)]
pub struct Pipeline {
    servers: RwLock<BTreeMap<String, Arc<Server>>>,
    settings: Settings,
    /// Whether the configuration names the servers, so that no other is made.
    closed: bool,
    limit: usize,
    tally: Mutex<Tally>,
    rejections: Mutex<Rejections>,
    reactions: Option<Reactions>,
    /// Who listens to what happens.
    pub feed: Arc<Feed>,
}

/// The last rejections, and how many there have been.
#[derive(Debug, Default)]
struct Rejections {
    kept: VecDeque<Refused>,
    number: u64,
}

impl Pipeline {
    /// The configured servers; with none, a server is made for each name that events come for, up
    /// to `limit` of them.
    pub fn new(known: &[Known], settings: &Settings, limit: usize) -> Self {
        let servers = known.iter().map(|known| {
            let settings = Settings { expected: known.expected.clone(), ..settings.clone() };
            (known.name.clone(), Server::new(&known.name, &settings))
        });
        Self {
            servers: RwLock::new(servers.collect()),
            settings: settings.clone(),
            closed: !known.is_empty(),
            limit,
            tally: Mutex::default(),
            rejections: Mutex::default(),
            reactions: None,
            feed: Arc::default(),
        }
    }

    /// From now on asks these rules, and hands over what they decide.
    pub fn react(&mut self, rules: Rules, offer: Offer) {
        self.reactions = Some(Reactions::new(rules, offer));
    }

    /// From now on asks these rules instead; says whether any were asked before.
    pub fn change_rules(&self, rules: Rules) -> bool {
        let Some(reactions) = &self.reactions else {
            return false;
        };
        reactions.change(rules);
        true
    }

    /// Whether the configuration names the servers, so that there will be no other.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Every server, by name.
    pub fn servers(&self) -> Vec<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The server that a path of the HTTP transport names, if it may post.
    pub fn posting_server(&self, name: Option<&str>) -> Result<Arc<Server>, Rejection> {
        let server = self.server(name)?;
        if server.files_only.load(Ordering::Relaxed) {
            return Err(Rejection::Server(
                "the events of this server are read from text or w3c files, which have no ids to tell duplicates by",
            ));
        }
        Ok(server)
    }

    /// The server of a name: `None` stands for the only one.
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
        self.make(name.unwrap_or(DEFAULT_SERVER))
    }

    fn make(&self, name: &str) -> Result<Arc<Server>, Rejection> {
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
        let made = || Server::new(name, &self.settings);
        Ok(Arc::clone(servers.entry(name.to_owned()).or_insert_with(made)))
    }

    /// The road: decodes `body`, understands each event in it, and applies it to `server`, once.
    pub fn accept(&self, transport: Transport, server: &Server, body: &[u8], now: Timestamp) -> Accepted {
        let format = Format::of(body);
        let mut accepted = Accepted::default();
        message::decode(body, format, |message| {
            accepted.events += 1;
            if let Some(rejection) = self.take(transport, server, format, message, now) {
                accepted.refused += 1;
                accepted.first.get_or_insert(rejection);
            }
        });
        accepted
    }

    /// The part of the road behind the decoder: applies, counts, and keeps what is refused.
    pub fn take(
        &self,
        transport: Transport,
        server: &Server,
        format: Format,
        message: Result<Message<'_>, Rejection>,
        now: Timestamp,
    ) -> Option<Rejection> {
        let outcome = message.and_then(|message| self.apply(server, &message, now));
        self.count(transport, format, &outcome);
        let rejection = outcome.err()?;
        self.keep(server.name.clone(), format, &rejection, now);
        Some(rejection)
    }

    /// Counts and keeps what was refused before its body could be looked into.
    pub fn refuse(&self, transport: Transport, server: Option<&str>, rejection: &Rejection, now: Timestamp) {
        self.count(transport, Format::Unknown, &Err(rejection.clone()));
        self.keep(server.unwrap_or_default().to_owned(), Format::Unknown, rejection, now);
    }

    fn count(&self, transport: Transport, format: Format, outcome: &Result<Outcome, Rejection>) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(transport, format, outcome);
    }

    fn keep(&self, server: String, format: Format, rejection: &Rejection, now: Timestamp) {
        tracing::debug!(server, format = format.label(), "refused: {rejection}");
        let refused = Refused { at: now, server, format, rejection: rejection.clone() };
        if self.feed.wants_changes() {
            self.feed.publish(Topic::Rejection, &refused.view());
        }
        let mut rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        rejections.number += 1;
        if rejections.kept.len() >= RECENT_REJECTIONS {
            rejections.kept.pop_front();
        }
        rejections.kept.push_back(refused);
    }

    /// The last rejections, the oldest first.
    pub fn rejections(&self) -> Vec<Refused> {
        self.rejections_since(0).1
    }

    /// How many rejections there have been, and those of the kept ones that came after `number`.
    pub fn rejections_since(&self, number: u64) -> (u64, Vec<Refused>) {
        let rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(rejections.number.saturating_sub(number)).unwrap_or(usize::MAX);
        let old = rejections.kept.len().saturating_sub(new);
        (rejections.number, rejections.kept.iter().skip(old).cloned().collect())
    }

    /// What has been received so far, at one instant.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Corrects what is known of `server` by its own lists. Streams that they tell of, or do not
    /// have, trigger rules as events would have.
    pub fn reconcile(&self, server: &Server, listing: &Listing<'_>, now: Timestamp) -> Reconciled {
        let state = &mut server.lock().state;
        let done = state.reconcile(listing, now);
        let Some(reactions) = self.reactions.as_ref() else {
            return done;
        };
        let appeared = done.appeared.iter().filter_map(|place| {
            let listed = listing.streams.get(*place)?;
            Trigger::found(&server.name, &listed.item.message().ok()?, &listed.stream, now)
        });
        let origin = state.server.process();
        let gone = done
            .gone
            .iter()
            .filter_map(|gone| Trigger::gone(&server.name, gone.key, gone.known(), origin, now));
        for trigger in gone.chain(appeared) {
            reactions.react(&trigger, state);
        }
        done
    }

    /// Does what the passing of time asks for.
    pub fn tick(&self, now: Timestamp) {
        for server in self.servers() {
            let mut inner = server.lock();
            let before = inner.state.recent.number();
            for derived in inner.state.tick(now) {
                log(&server.name, &derived);
                if let Some(reactions) = &self.reactions {
                    let trigger = Trigger::of_derived_event(&server.name, &derived, &inner.state, now);
                    reactions.react(&trigger, &inner.state);
                }
            }
            let told: Vec<EventRecord> = inner.state.recent.notable(before).cloned().collect();
            drop(inner);
            for told in told.iter().filter(|_| self.feed.wants_changes()) {
                self.feed.publish(Topic::Derived, &told.view(&server.name));
            }
        }
    }

    /// The part of the road that one event of a body takes.
    fn apply(&self, server: &Server, message: &Message<'_>, now: Timestamp) -> Result<Outcome, Rejection> {
        let mut event = event::interpret(message)?;
        let mut inner = server.lock();
        match inner.window.see(message) {
            Seen::Before => return Ok(Outcome::Duplicate),
            Seen::Never => {}
            Seen::AtAnotherTime => event.sender.again = true,
        }
        let reactions = self.reactions.as_ref().filter(|reactions| reactions.listens(event.kind));
        let input = reactions.and_then(|_| Trigger::input(&event, &inner.state));
        let applied = inner.state.apply(&event, now);
        if applied.restarted {
            inner.window.restart(message);
        }
        if applied.look {
            server.look.notify_one();
        }
        if let Some(reactions) = reactions {
            let (state, change) = (&inner.state, applied.change);
            let trigger = Trigger::of_event(&server.name, message, &event, change, input, state, now);
            if let Some(trigger) = trigger {
                reactions.react(&trigger, state);
            }
        }
        if self.feed.wants_changes() {
            let told = inner.state.last_event();
            drop(inner);
            if let Some(told) = told {
                self.feed.publish(Topic::Event, &told.view(&server.name));
            }
        }
        Ok(Outcome::Applied)
    }
}

fn log(server: &str, derived: &DerivedEvent) {
    let stall = match derived {
        DerivedEvent::StreamMissing(stream) => {
            return tracing::warn!(server, stream = &**stream, "an expected stream is missing");
        }
        DerivedEvent::Output(stall) => stall,
    };
    let (format, track) = (stall.format.label(), stall.track.label());
    let (group, stream) = (&*stall.group, &*stall.stream);
    match stall.turn {
        StallTransition::Stalled => {
            tracing::warn!(server, format, group, stream, track, "chunks have stalled")
        }
        StallTransition::NeverStarted => {
            tracing::warn!(server, format, group, stream, track, "chunks have stalled before the first one");
        }
        StallTransition::Recovered => {
            tracing::info!(server, format, group, stream, track, "chunks come again")
        }
    }
}

/// Whether `name` can stand in a path and a label as it is.
pub fn is_server_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= SERVER_NAME_BYTES && name.bytes().all(allowed)
}
