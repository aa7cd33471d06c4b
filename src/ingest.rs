//! **The road**: bytes to state, in [`Ingest::accept`].

pub mod reactions;
pub mod tally;
pub mod window;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::Notify;

use crate::event;
use crate::family::Settings;
use crate::family::output::Turn;
use crate::feed::{Feed, Topic};
use crate::moment::Moment;
use crate::rules::{Occasion, Rules};
use crate::state::listing::{Listing, Reconciled};
use crate::state::recent::Told;
use crate::state::{Happening, State};
use crate::wire::{self, Format, Message, Refusal};

use reactions::{Offer, Reactions};
use tally::{Door, Outcome, Tally};
use window::{Seen, Window};

/// How many refusals are kept to be looked at.
const KEPT_REFUSALS: usize = 100;
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
    pub fn asked(&self, at: Moment, answered: bool) {
        self.lock().state.server.asked(at, answered);
    }
}

/// One refused body or event, as it is kept to be looked at. It holds nothing of the event itself.
#[derive(Debug, Clone)]
pub struct Refused {
    /// When it came.
    pub at: Moment,
    /// The server that it was meant for.
    pub server: String,
    /// The format that was found.
    pub format: Format,
    /// Why it was refused.
    pub refusal: Refusal,
}

/// What is told of a refusal.
#[derive(Debug, Serialize)]
pub struct RefusedView<'a> {
    timestamp_seconds: f64,
    /// Empty where the path named a server that may not be.
    server: &'a str,
    format: &'static str,
    reason: &'static str,
    message: String,
}

impl Refused {
    /// As it is told.
    pub fn view(&self) -> RefusedView<'_> {
        RefusedView {
            timestamp_seconds: self.at.seconds(),
            server: &self.server,
            format: self.format.label(),
            reason: self.refusal.reason().map_or("servers", wire::Reason::label),
            message: self.refusal.to_string(),
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
    pub first: Option<Refusal>,
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
pub struct Ingest {
    servers: RwLock<BTreeMap<String, Arc<Server>>>,
    settings: Settings,
    /// Whether the configuration names the servers, so that no other is made.
    closed: bool,
    limit: usize,
    tally: Mutex<Tally>,
    refusals: Mutex<Refusals>,
    reactions: Option<Reactions>,
    /// Who listens to what happens.
    pub feed: Arc<Feed>,
}

/// The last refusals, and how many there have been.
#[derive(Debug, Default)]
struct Refusals {
    kept: VecDeque<Refused>,
    number: u64,
}

impl Ingest {
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
            refusals: Mutex::default(),
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

    /// The server that a path of the HTTP door names, if it may post.
    pub fn posting_server(&self, name: Option<&str>) -> Result<Arc<Server>, Refusal> {
        let server = self.server(name)?;
        if server.files_only.load(Ordering::Relaxed) {
            return Err(Refusal::Server(
                "the events of this server are read from text or w3c files, which have no ids to tell duplicates by",
            ));
        }
        Ok(server)
    }

    /// The server of a name: `None` stands for the only one.
    pub fn server(&self, name: Option<&str>) -> Result<Arc<Server>, Refusal> {
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        let found = match name {
            Some(name) => servers.get(name),
            None if self.closed && servers.len() > 1 => {
                return Err(Refusal::Server("several servers are configured: post to /events/NAME"));
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

    fn make(&self, name: &str) -> Result<Arc<Server>, Refusal> {
        if self.closed {
            return Err(Refusal::Server("no server of this name is configured"));
        }
        if !is_server_name(name) {
            return Err(Refusal::Server(
                "a server's name has 1 to 64 letters, digits, dots, dashes and underscores",
            ));
        }
        let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= self.limit && !servers.contains_key(name) {
            return Err(Refusal::Servers(self.limit));
        }
        let made = || Server::new(name, &self.settings);
        Ok(Arc::clone(servers.entry(name.to_owned()).or_insert_with(made)))
    }

    /// The road: decodes `body`, understands each event in it, and applies it to `server`, once.
    pub fn accept(&self, door: Door, server: &Server, body: &[u8], now: Moment) -> Accepted {
        let format = Format::of(body);
        let mut accepted = Accepted::default();
        wire::decode(body, format, |message| {
            accepted.events += 1;
            if let Some(refusal) = self.take(door, server, format, message, now) {
                accepted.refused += 1;
                accepted.first.get_or_insert(refusal);
            }
        });
        accepted
    }

    /// The part of the road behind the decoder: applies, counts, and keeps what is refused.
    pub fn take(
        &self,
        door: Door,
        server: &Server,
        format: Format,
        message: Result<Message<'_>, Refusal>,
        now: Moment,
    ) -> Option<Refusal> {
        let outcome = message.and_then(|message| self.apply(server, &message, now));
        self.count(door, format, &outcome);
        let refusal = outcome.err()?;
        self.keep(server.name.clone(), format, &refusal, now);
        Some(refusal)
    }

    /// Counts and keeps what was refused before its body could be looked into.
    pub fn refuse(&self, door: Door, server: Option<&str>, refusal: &Refusal, now: Moment) {
        self.count(door, Format::Unknown, &Err(refusal.clone()));
        self.keep(server.unwrap_or_default().to_owned(), Format::Unknown, refusal, now);
    }

    fn count(&self, door: Door, format: Format, outcome: &Result<Outcome, Refusal>) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(door, format, outcome);
    }

    fn keep(&self, server: String, format: Format, refusal: &Refusal, now: Moment) {
        tracing::debug!(server, format = format.label(), "refused: {refusal}");
        let refused = Refused { at: now, server, format, refusal: refusal.clone() };
        if self.feed.wants_changes() {
            self.feed.tell(Topic::Refusal, &refused.view());
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.number += 1;
        if refusals.kept.len() >= KEPT_REFUSALS {
            refusals.kept.pop_front();
        }
        refusals.kept.push_back(refused);
    }

    /// The last refusals, the oldest first.
    pub fn refusals(&self) -> Vec<Refused> {
        self.refusals_since(0).1
    }

    /// How many refusals there have been, and those of the kept ones that came after `number`.
    pub fn refusals_since(&self, number: u64) -> (u64, Vec<Refused>) {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(refusals.number.saturating_sub(number)).unwrap_or(usize::MAX);
        let old = refusals.kept.len().saturating_sub(new);
        (refusals.number, refusals.kept.iter().skip(old).cloned().collect())
    }

    /// What has been received so far, at one instant.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Corrects what is known of `server` by its own lists. Streams that they tell of, or do not
    /// have, trigger rules as events would have.
    pub fn reconcile(&self, server: &Server, listing: &Listing<'_>, now: Moment) -> Reconciled {
        let state = &mut server.lock().state;
        let done = state.reconcile(listing, now);
        let Some(reactions) = self.reactions.as_ref() else {
            return done;
        };
        let appeared = done.appeared.iter().filter_map(|place| {
            let listed = listing.streams.get(*place)?;
            Occasion::found(&server.name, &listed.item.message().ok()?, &listed.stream, now)
        });
        let origin = state.server.process();
        let gone = done
            .gone
            .iter()
            .filter_map(|gone| Occasion::gone(&server.name, gone.key, gone.known(), origin, now));
        for occasion in gone.chain(appeared) {
            reactions.react(&occasion, state);
        }
        done
    }

    /// Does what the passing of time asks for.
    pub fn tick(&self, now: Moment) {
        for server in self.servers() {
            let mut inner = server.lock();
            let before = inner.state.recent.number();
            for happening in inner.state.tick(now) {
                log(&server.name, &happening);
                if let Some(reactions) = &self.reactions {
                    let occasion = Occasion::of_happening(&server.name, &happening, &inner.state, now);
                    reactions.react(&occasion, &inner.state);
                }
            }
            let told: Vec<Told> = inner.state.recent.notable(before).cloned().collect();
            drop(inner);
            for told in told.iter().filter(|_| self.feed.wants_changes()) {
                self.feed.tell(Topic::Happening, &told.view(&server.name));
            }
        }
    }

    /// The part of the road that one event of a body takes.
    fn apply(&self, server: &Server, message: &Message<'_>, now: Moment) -> Result<Outcome, Refusal> {
        let mut event = event::interpret(message)?;
        let mut inner = server.lock();
        match inner.window.see(message) {
            Seen::Before => return Ok(Outcome::Duplicate),
            Seen::Never => {}
            Seen::AtAnotherTime => event.sender.again = true,
        }
        let reactions = self.reactions.as_ref().filter(|reactions| reactions.listens(event.kind));
        let input = reactions.and_then(|_| Occasion::input(&event, &inner.state));
        let applied = inner.state.apply(&event, now);
        if applied.restarted {
            inner.window.restart(message);
        }
        if applied.look {
            server.look.notify_one();
        }
        if let Some(reactions) = reactions {
            let (state, change) = (&inner.state, applied.change);
            let occasion = Occasion::of_event(&server.name, message, &event, change, input, state, now);
            if let Some(occasion) = occasion {
                reactions.react(&occasion, state);
            }
        }
        if self.feed.wants_changes() {
            let told = inner.state.last_event();
            drop(inner);
            if let Some(told) = told {
                self.feed.tell(Topic::Event, &told.view(&server.name));
            }
        }
        Ok(Outcome::Applied)
    }
}

fn log(server: &str, happening: &Happening) {
    let stall = match happening {
        Happening::StreamMissing(stream) => {
            return tracing::warn!(server, stream = &**stream, "an expected stream is missing");
        }
        Happening::Output(stall) => stall,
    };
    let (format, track) = (stall.format.label(), stall.track.label());
    let (group, stream) = (&*stall.group, &*stall.stream);
    match stall.turn {
        Turn::Stalled => tracing::warn!(server, format, group, stream, track, "chunks have stalled"),
        Turn::NeverStarted => {
            tracing::warn!(server, format, group, stream, track, "chunks have stalled before the first one");
        }
        Turn::Recovered => tracing::info!(server, format, group, stream, track, "chunks come again"),
    }
}

/// Whether `name` can stand in a path and a label as it is.
pub fn is_server_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= SERVER_NAME_BYTES && name.bytes().all(allowed)
}
