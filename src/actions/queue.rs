//! The book of all calls: which wait, which are under way, and what became of the others. It asks
//! no clock and makes no call.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::circuit::Circuit;
use super::outcome::Severity;
use super::{Options, Outcome, withheld};
use crate::exposition::Histogram;
use crate::rules::{Action, Call};
use ems_protocol::Timestamp;

/// Most calls that one server gets at once.
const AT_ONCE: usize = 8;
/// How many calls are kept to be looked at.
const KEPT: usize = 100;
/// From how many cooldowns on those that are over are looked for.
const COOLDOWNS: usize = 4096;
/// Upper bounds of durations, in seconds.
const SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Calls about one stream of one server are made one after the other.
type QueueKey = (Arc<str>, Arc<str>);
/// What cools down: a rule, for one stream of one server.
type Cooling = (String, Arc<str>, Arc<str>);

/// A call that is to be made now.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) number: u64,
    pub(super) call: Call,
    pub(super) action: Action,
    /// When it is too old.
    pub(super) deadline: Instant,
    pub(super) permits: Arc<Semaphore>,
}

/// A call that has no outcome yet, as far as it must be told.
#[derive(Debug)]
struct Open {
    lane: QueueKey,
    rule: String,
    command: &'static str,
    at: Timestamp,
    offered: Instant,
    /// How old the event was by then.
    age: Duration,
    /// Whether it is under way, and its lane busy with it.
    under_way: bool,
    attempts: u32,
}

/// What became of a call.
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
    /// What became of it.
    pub outcome: Outcome,
    /// How often it was tried.
    pub attempts: u32,
    /// Why nothing better came of it; no parameter's value is part of it.
    pub why: Option<String>,
}

/// What is told of a call.
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
    /// As it is told.
    pub fn view(&self) -> View<'_> {
        View {
            timestamp_seconds: self.at.seconds(),
            server: &self.server,
            rule: &self.rule,
            stream: Some(&*self.stream).filter(|stream| !stream.is_empty()),
            command: self.command,
            outcome: self.outcome.label(),
            attempts: self.attempts,
            duration_seconds: self.duration.as_secs_f64(),
            reason: self.why.as_deref(),
        }
    }
}

/// What is counted of one server.
#[derive(Debug, Clone)]
pub struct Summary {
    /// By rule.
    pub rules: BTreeMap<String, Tally>,
    /// Calls that wait or are under way.
    pub queued: usize,
    /// The age of the oldest event among them.
    pub oldest: Duration,
    /// From event to outcome.
    pub durations: Histogram,
    /// Whether the API is left alone for a while.
    pub circuit_open: bool,
}

/// What is counted of one rule and one server.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How often the rule wanted something done.
    pub decided: u64,
    outcomes: [u64; Outcome::ALL.len()],
}

impl Tally {
    /// How often that had this outcome.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }
}

#[derive(Debug)]
struct Server {
    rules: BTreeMap<String, Tally>,
    durations: Histogram,
    circuit: Circuit,
    permits: Arc<Semaphore>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            rules: BTreeMap::new(),
            durations: Histogram::new(SECONDS),
            circuit: Circuit::default(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[derive(Debug)]
pub(super) struct ActionQueue {
    options: Options,
    /// In the order in which they are due.
    waiting: BTreeMap<(Instant, u64), PendingCall>,
    /// Lanes in which a call is under way.
    busy: HashSet<QueueKey>,
    open: BTreeMap<u64, Open>,
    servers: BTreeMap<Arc<str>, Server>,
    /// When each last acted.
    cooling: HashMap<Cooling, (Instant, Duration)>,
    recent: VecDeque<Done>,
    /// How many calls have come to an outcome.
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
            cooling: HashMap::new(),
            recent: VecDeque::new(),
            done: 0,
            next: 0,
            closed: false,
        }
    }

    /// Counts a rule from now on.
    pub(super) fn know(&mut self, server: &str, rule: &str) {
        self.server(&Arc::from(server)).rules.entry(rule.to_owned()).or_default();
    }

    fn server(&mut self, name: &Arc<str>) -> &mut Server {
        self.servers.entry(Arc::clone(name)).or_default()
    }

    pub(super) fn circuit(&mut self, server: &Arc<str>) -> &mut Circuit {
        &mut self.server(server).circuit
    }

    /// Takes a call, or tells at once what becomes of it. `remote` is whether its server has an
    /// API.
    pub(super) fn offer(&mut self, call: Call, remote: bool, now: Timestamp, instant: Instant) {
        let (number, age) = (self.next, now.since(call.at));
        self.next += 1;
        self.server(&call.server).rules.entry(call.rule.name.clone()).or_default().decided += 1;
        let lane = (Arc::clone(&call.server), Arc::clone(&call.subject.stream));
        let open = Open {
            lane: lane.clone(),
            rule: call.rule.name.clone(),
            command: call.action.as_ref().map_or("", Action::name),
            at: call.at,
            offered: instant,
            age,
            under_way: false,
            attempts: 0,
        };
        let verdict = self.verdict(&call, remote, age, instant);
        self.open.insert(number, open);
        match (verdict, &call.action) {
            (Some((outcome, why)), _) => self.finish(number, outcome, why, instant),
            (None, Ok(action)) => {
                let due = instant + call.rule.delay;
                let deadline = due + self.options.max_age.saturating_sub(age);
                let permits = Arc::clone(&self.server(&call.server).permits);
                let action = action.clone();
                self.waiting.insert((due, number), PendingCall { number, call, action, deadline, permits });
            }
            (None, Err(why)) => self.finish(number, withheld(why), Some(why.to_string()), instant),
        }
    }

    /// What becomes of a call at once, if it is not to wait.
    fn verdict(
        &self,
        call: &Call,
        remote: bool,
        age: Duration,
        instant: Instant,
    ) -> Option<(Outcome, Option<String>)> {
        match &call.action {
            Err(why) => return Some((withheld(why), Some(why.to_string()))),
            Ok(Action::Command(..)) if !remote => {
                return Some((Outcome::Refused, Some("the server has no api".to_owned())));
            }
            Ok(Action::Command(..) | Action::Post(..)) => {}
        }
        let outcome = if self.closed {
            Outcome::Shutdown
        } else if age > self.options.max_age {
            Outcome::TooOld
        } else if self.cools(call, instant) {
            Outcome::Cooldown
        } else if self.open.len() >= self.options.queue {
            Outcome::QueueFull
        } else {
            return None;
        };
        Some((outcome, None))
    }

    /// The calls that are due and have nothing before them in their lane, and when the next is due.
    pub(super) fn take_due(&mut self, now: Instant) -> (Vec<PendingCall>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None);
        for ((at, number), job) in &self.waiting {
            if *at > now {
                next = Some(*at);
                break;
            }
            let lane = lane(&job.call);
            if !self.busy.contains(&lane) {
                self.busy.insert(lane);
                due.push((*at, *number));
            }
        }
        for open in due.iter().map(|(_, number)| number) {
            if let Some(open) = self.open.get_mut(open) {
                open.under_way = true;
            }
        }
        (due.into_iter().filter_map(|key| self.waiting.remove(&key)).collect(), next)
    }

    /// Whether the same was done so lately that nothing more is done.
    pub(super) fn cools(&self, call: &Call, now: Instant) -> bool {
        let last = self.cooling.get(&cooling(call));
        last.is_some_and(|(last, pause)| now.saturating_duration_since(*last) < *pause)
    }

    pub(super) fn begin_cooldown(&mut self, call: &Call, now: Instant) {
        if call.rule.cooldown.is_zero() {
            return;
        }
        if self.cooling.len() >= COOLDOWNS {
            self.cooling.retain(|_, (last, pause)| now.saturating_duration_since(*last) < *pause);
        }
        self.cooling.insert(cooling(call), (now, call.rule.cooldown));
    }

    /// A call is made. Returns how often it has been by now.
    pub(super) fn attempt(&mut self, number: u64) -> u32 {
        self.open.get_mut(&number).map_or(0, |open| {
            open.attempts += 1;
            open.attempts
        })
    }

    /// Writes down what became of a call, once.
    pub(super) fn finish(&mut self, number: u64, outcome: Outcome, why: Option<String>, now: Instant) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        let duration = open.age + now.saturating_duration_since(open.offered);
        if open.under_way {
            self.busy.remove(&open.lane);
        }
        let (server, stream) = open.lane;
        let book = self.server(&server);
        book.durations.observe(duration.as_secs_f64());
        book.rules.entry(open.rule.clone()).or_default().outcomes[outcome as usize] += 1;
        let (rule, command, at, attempts) = (open.rule, open.command, open.at, open.attempts);
        let done = Done { rule, server, stream, command, at, duration, outcome, attempts, why };
        log(&done);
        if self.recent.len() >= KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(done);
        self.done += 1;
    }

    /// Gives up all that has no outcome yet, and takes nothing more.
    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.waiting.clear();
        let left: Vec<u64> = self.open.keys().copied().collect();
        for number in left {
            self.finish(number, Outcome::Shutdown, None, now);
        }
    }

    /// How many calls have come to an outcome, and those of the kept ones that came after `number`.
    pub(super) fn recent_since(&self, number: u64) -> (u64, Vec<Done>) {
        let new = usize::try_from(self.done.saturating_sub(number)).unwrap_or(usize::MAX);
        let old = self.recent.len().saturating_sub(new);
        (self.done, self.recent.iter().skip(old).cloned().collect())
    }

    pub(super) fn summaries(&self, now: Instant) -> Vec<(Arc<str>, Summary)> {
        let each = self.servers.iter().map(|(name, server)| {
            let open = || self.open.values().filter(|open| open.lane.0 == *name);
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

fn lane(call: &Call) -> QueueKey {
    (Arc::clone(&call.server), Arc::clone(&call.subject.stream))
}

fn cooling(call: &Call) -> Cooling {
    (call.rule.name.clone(), Arc::clone(&call.server), Arc::clone(&call.subject.stream))
}

/// One line for each call; never what was sent, which may hold a secret.
fn log(done: &Done) {
    let Done { rule, server, stream, command, outcome, attempts, duration, why, .. } = done;
    let (server, stream, why) = (&**server, &**stream, why.as_deref());
    match outcome.severity() {
        Severity::Warn => {
            let outcome = outcome.label();
            tracing::warn!(rule, server, stream, command, outcome, attempts, ?duration, why, "action");
        }
        Severity::Info => {
            let outcome = outcome.label();
            tracing::info!(rule, server, stream, command, outcome, attempts, ?duration, why, "action");
        }
        Severity::Debug => {
            let outcome = outcome.label();
            tracing::debug!(rule, server, stream, command, outcome, attempts, ?duration, why, "action");
        }
    }
}
