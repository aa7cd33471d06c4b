//! The queue of calls: those waiting, those in progress, and the outcomes of the others. It reads no clock and makes no
//! call.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use strum::VariantArray;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Level;

use super::circuit::Circuit;
use super::outcome::Outcome;
use crate::exposition::{Histogram, bounded};
use crate::rules::{Action, Call};
use ems_protocol::{Timestamp, Wall};

/// Most concurrent calls to one server.
const CONCURRENT: usize = 8;
/// How many recent calls are kept.
const RECENT: usize = 100;
/// The time over which calls of a rule are limited.
const MINUTE: Duration = Duration::from_secs(60);
/// From how many cooldowns on expired ones are removed, at each doubling of those that are left.
const COOLDOWNS: usize = 4096;
/// Upper bounds of durations, in seconds.
const SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Calls about one stream of one server are made one after the other.
type QueueKey = (Arc<str>, Arc<str>);
/// A cooldown belongs to a rule and one stream of one server.
type CooldownKey = (String, Arc<str>, Arc<str>);

/// How calls are made, for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether calls are only logged, not made.
    pub dry_run: bool,
    /// The age from which on an event causes no call.
    pub max_age: Duration,
    /// Most calls that may be waiting or in progress.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { dry_run: false, max_age: Duration::from_secs(60), queue: 1000 }
    }
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) number: u64,
    pub(super) call: Call,
    pub(super) action: Action,
    /// When it becomes too old.
    pub(super) deadline: Instant,
    pub(super) permits: Arc<Semaphore>,
}

/// The record of a call without an outcome.
#[derive(Debug)]
struct Open {
    key: QueueKey,
    rule: String,
    command: &'static str,
    at: Timestamp,
    offered: Instant,
    /// How old the event was by then.
    age: Duration,
    /// Whether it is in progress, so that others of its key wait.
    in_progress: bool,
    attempts: u32,
}

/// A call that has an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The rule.
    pub rule: String,
    /// The server.
    pub server: Arc<str>,
    /// The stream; empty where there is none.
    pub stream: Arc<str>,
    /// The command, or `post`.
    pub command: &'static str,
    /// When the event happened.
    pub at: Timestamp,
    /// From the event to the outcome.
    pub duration: Duration,
    /// Its outcome.
    pub outcome: Outcome,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why it has this outcome; no parameter's value is part of it.
    pub reason: Option<String>,
}

/// The API representation of a call.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    timestamp_seconds: f64,
    server: &'a str,
    rule: &'a str,
    stream: Option<&'a str>,
    command: &'static str,
    outcome: &'static str,
    attempts: u32,
    duration_seconds: f64,
    reason: Option<&'a str>,
}

impl Done {
    /// Its API representation.
    pub fn view(&self, wall: Wall) -> View<'_> {
        View {
            timestamp_seconds: wall.seconds(self.at),
            server: &self.server,
            rule: &self.rule,
            stream: Some(&*self.stream).filter(|stream| !stream.is_empty()),
            command: self.command,
            outcome: self.outcome.label(),
            attempts: self.attempts,
            duration_seconds: self.duration.as_secs_f64(),
            reason: self.reason.as_deref(),
        }
    }
}

/// The counts of one server.
#[derive(Debug, Clone)]
pub struct Summary {
    /// By rule.
    pub rules: BTreeMap<String, RuleCounts>,
    /// Calls that are waiting or in progress.
    pub queued: usize,
    /// The age of the oldest event among them.
    pub oldest: Duration,
    /// From event to outcome.
    pub durations: Histogram,
    /// Whether calls to the API are paused.
    pub circuit_open: bool,
}

/// The calls of one rule to one server within the last minute.
#[derive(Debug, Default)]
struct Rate {
    calls: VecDeque<Instant>,
    /// Whether the limit has been reported since the last call.
    reported: bool,
}

impl Rate {
    /// Counts a call at `now`, if there are fewer than `limit`.
    fn admit(&mut self, limit: usize, now: Instant) -> bool {
        while self.calls.pop_front_if(|call| now.saturating_duration_since(*call) >= MINUTE).is_some() {}
        let admitted = self.calls.len() < limit;
        if admitted {
            self.calls.push_back(now);
            self.reported = false;
        }
        admitted
    }
}

/// The counts of one rule and one server.
#[derive(Debug, Clone, Default)]
pub struct RuleCounts {
    /// Calls that the rule decided on.
    pub decided: u64,
    outcomes: [u64; Outcome::VARIANTS.len()],
}

impl RuleCounts {
    /// How many of them had this outcome.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }
}

#[derive(Debug)]
struct ServerCalls {
    rules: BTreeMap<String, RuleCounts>,
    rates: HashMap<String, Rate>,
    durations: Histogram,
    circuit: Circuit,
    permits: Arc<Semaphore>,
}

impl Default for ServerCalls {
    fn default() -> Self {
        Self {
            rules: BTreeMap::new(),
            rates: HashMap::new(),
            durations: Histogram::new(SECONDS),
            circuit: Circuit::default(),
            permits: Arc::new(Semaphore::new(CONCURRENT)),
        }
    }
}

#[derive(Debug)]
pub(super) struct ActionQueue {
    options: Options,
    /// In the order in which they are due.
    waiting: BTreeMap<(Instant, u64), PendingCall>,
    /// Keys of which a call is in progress.
    busy: HashSet<QueueKey>,
    open: BTreeMap<u64, Open>,
    servers: BTreeMap<Arc<str>, ServerCalls>,
    /// When each began, and how long it lasts.
    cooldowns: HashMap<CooldownKey, (Instant, Duration)>,
    /// At how many of them expired ones are removed next.
    sweep_at: usize,
    recent: VecDeque<Done>,
    /// How many calls have an outcome.
    done: u64,
    next: u64,
    closed: bool,
}

impl ActionQueue {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            waiting: BTreeMap::new(),
            busy: HashSet::new(),
            open: BTreeMap::new(),
            servers: BTreeMap::new(),
            cooldowns: HashMap::new(),
            sweep_at: COOLDOWNS,
            recent: VecDeque::new(),
            done: 0,
            next: 0,
            closed: false,
        }
    }

    /// Counts a rule from now on.
    pub(super) fn register_rule(&mut self, server: &str, rule: &str) {
        self.server(&Arc::from(server)).rules.entry(rule.to_owned()).or_default();
    }

    fn server(&mut self, name: &Arc<str>) -> &mut ServerCalls {
        self.servers.entry(Arc::clone(name)).or_default()
    }

    pub(super) fn circuit(&mut self, server: &Arc<str>) -> &mut Circuit {
        &mut self.server(server).circuit
    }

    /// Enqueues a call, or finishes it at once. `has_api` is whether its server has an API.
    pub(super) fn enqueue(&mut self, call: Call, has_api: bool, now: Timestamp, instant: Instant) {
        let (number, age) = (self.next, now.since(call.at));
        self.next += 1;
        self.server(&call.server).rules.entry(call.rule.name.clone()).or_default().decided += 1;
        let open = Open {
            key: queue_key(&call),
            rule: call.rule.name.clone(),
            command: call.action.as_ref().map_or("", Action::name),
            at: call.at,
            offered: instant,
            age,
            in_progress: false,
            attempts: 0,
        };
        let admitted = self.admit(&call, has_api, age, instant);
        self.open.insert(number, open);
        match admitted {
            Err((outcome, reason)) => self.finish(number, outcome, reason, instant),
            Ok(action) => {
                let due = instant + call.rule.delay;
                let deadline = due + self.options.max_age.saturating_sub(age);
                let permits = Arc::clone(&self.server(&call.server).permits);
                self.waiting.insert((due, number), PendingCall { number, call, action, deadline, permits });
            }
        }
    }

    /// The request of a call that may wait, or the outcome of one that must not.
    fn admit(
        &mut self,
        call: &Call,
        has_api: bool,
        age: Duration,
        instant: Instant,
    ) -> Result<Action, (Outcome, Option<String>)> {
        let action = call.action.as_ref().map_err(|why| (Outcome::of_skipped(why), Some(why.to_string())))?;
        if matches!(action, Action::Command(..)) && !has_api {
            return Err((Outcome::Rejected, Some("the server has no api".to_owned())));
        }
        let outcome = if self.closed {
            Outcome::Shutdown
        } else if age > self.options.max_age {
            Outcome::TooOld
        } else if self.is_cooling_down(call, instant) {
            Outcome::Cooldown
        } else if self.open.len() >= self.options.queue {
            Outcome::QueueFull
        } else if !self.is_within_rate(call, instant) {
            Outcome::RateLimited
        } else {
            return Ok(action.clone());
        };
        Err((outcome, None))
    }

    /// Counts a call for the rate of its rule, and warns once when the limit is reached.
    fn is_within_rate(&mut self, call: &Call, instant: Instant) -> bool {
        let (rule, limit) = (&call.rule.name, call.rule.max_per_minute);
        let rate = self.server(&call.server).rates.entry(rule.clone()).or_default();
        let admitted = rate.admit(limit, instant);
        if !admitted && !std::mem::replace(&mut rate.reported, true) {
            let server = &*call.server;
            tracing::warn!(
                rule,
                server,
                limit,
                "the rule makes no more calls for now: max_per_minute is reached"
            );
        }
        admitted
    }

    /// The calls that are due and first of their key, and when the next is due.
    pub(super) fn take_due(&mut self, now: Instant) -> (Vec<PendingCall>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None);
        for ((at, number), pending) in &self.waiting {
            if *at > now {
                next = Some(*at);
                break;
            }
            if self.busy.insert(queue_key(&pending.call)) {
                due.push((*at, *number));
            }
        }
        for (_, number) in &due {
            if let Some(open) = self.open.get_mut(number) {
                open.in_progress = true;
            }
        }
        (due.into_iter().filter_map(|key| self.waiting.remove(&key)).collect(), next)
    }

    /// Whether the rule acted for the same stream within its cooldown.
    pub(super) fn is_cooling_down(&self, call: &Call, now: Instant) -> bool {
        let last = self.cooldowns.get(&cooldown_key(call));
        last.is_some_and(|(last, pause)| now.saturating_duration_since(*last) < *pause)
    }

    pub(super) fn begin_cooldown(&mut self, call: &Call, now: Instant) {
        if call.rule.cooldown.is_zero() {
            return;
        }
        if self.cooldowns.len() >= self.sweep_at {
            self.cooldowns.retain(|_, (last, pause)| now.saturating_duration_since(*last) < *pause);
            self.sweep_at = COOLDOWNS.max(self.cooldowns.len() * 2);
        }
        self.cooldowns.insert(cooldown_key(call), (now, call.rule.cooldown));
    }

    /// Counts an attempt. Returns how many there have been.
    pub(super) fn begin_attempt(&mut self, number: u64) -> u32 {
        self.open.get_mut(&number).map_or(0, |open| {
            open.attempts += 1;
            open.attempts
        })
    }

    /// Records the outcome of a call, once.
    pub(super) fn finish(&mut self, number: u64, outcome: Outcome, reason: Option<String>, now: Instant) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        let duration = open.age + now.saturating_duration_since(open.offered);
        if open.in_progress {
            self.busy.remove(&open.key);
        }
        let (server, stream) = open.key;
        let counted = self.server(&server);
        counted.durations.observe(duration.as_secs_f64());
        counted.rules.entry(open.rule.clone()).or_default().outcomes[outcome as usize] += 1;
        let (rule, command, at, attempts) = (open.rule, open.command, open.at, open.attempts);
        let done = Done { rule, server, stream, command, at, duration, outcome, attempts, reason };
        log(&done);
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(done);
        self.done += 1;
    }

    /// Ends every call that has no outcome yet, and accepts no more.
    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.waiting.clear();
        let left: Vec<u64> = self.open.keys().copied().collect();
        for number in left {
            self.finish(number, Outcome::Shutdown, None, now);
        }
    }

    /// How many calls have an outcome, and the recent ones after number `number`.
    pub(super) fn recent_since(&self, number: u64) -> (u64, Vec<Done>) {
        let new = usize::try_from(self.done.saturating_sub(number)).unwrap_or(usize::MAX);
        let old = self.recent.len().saturating_sub(new);
        (self.done, self.recent.iter().skip(old).cloned().collect())
    }

    pub(super) fn summaries(&self, now: Instant) -> Vec<(Arc<str>, Summary)> {
        let each = self.servers.iter().map(|(name, server)| {
            let open = || self.open.values().filter(|open| open.key.0 == *name);
            let age = |open: &Open| open.age + now.saturating_duration_since(open.offered);
            let summary = Summary {
                rules: server.rules.clone(),
                queued: open().count(),
                oldest: open().map(age).max().unwrap_or_default(),
                durations: server.durations.clone(),
                circuit_open: server.circuit.is_open(),
            };
            (Arc::clone(name), summary)
        });
        each.collect()
    }
}

fn queue_key(call: &Call) -> QueueKey {
    (Arc::clone(&call.server), Arc::clone(&call.target.stream))
}

fn cooldown_key(call: &Call) -> CooldownKey {
    // A cooldown of a day outlives its call by far: it keeps no long name.
    let stream = match bounded(Cow::Borrowed(&*call.target.stream)) {
        Cow::Borrowed(_) => Arc::clone(&call.target.stream),
        Cow::Owned(short) => Arc::from(short),
    };
    (call.rule.name.clone(), Arc::clone(&call.server), stream)
}

/// One line for each call; never the request, which may hold a secret.
fn log(done: &Done) {
    let Done { rule, command, attempts, duration, .. } = done;
    let (server, stream) = (&*done.server, &*done.stream);
    let (outcome, reason) = (done.outcome.label(), done.reason.as_deref());
    match done.outcome.level() {
        Level::WARN => {
            tracing::warn!(rule, server, stream, command, outcome, attempts, ?duration, reason, "action");
        }
        Level::INFO => {
            tracing::info!(rule, server, stream, command, outcome, attempts, ?duration, reason, "action");
        }
        _ => tracing::debug!(rule, server, stream, command, outcome, attempts, ?duration, reason, "action"),
    }
}
