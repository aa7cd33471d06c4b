//! Doing what rules decide: a bounded queue, in order for each stream, tried again while that may
//! help, and everything counted. Whatever becomes of a call is one of the [`Outcome`]s, so that
//! decisions = outcomes + what is queued, at every instant.

mod attempt;
mod circuit;
mod metrics;
mod outcome;
mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::pipeline::Pipeline;
use crate::rules::{Action, Call, Rule, Skipped};
use ems_protocol::Timestamp;
use ems_protocol::runtime_api::{Api, Error};

use circuit::Permission;
use queue::{ActionQueue, PendingCall};

pub use metrics::METRICS;
pub use outcome::Outcome;
pub use queue::{Done, Summary};

/// The first pause before a call is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before a call is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// For how long calls may still be made once the exporter is to stop.
const DRAIN: Duration = Duration::from_secs(4);

/// How actions are done, for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether it is only told what would be done.
    pub dry_run: bool,
    /// From which age on an event has nothing done for it any more.
    pub max_age: Duration,
    /// Most calls that may wait or be under way.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { dry_run: false, max_age: Duration::from_secs(60), queue: 1000 }
    }
}

/// Calls that wait or are under way, and what became of those before.
#[derive(Debug)]
pub struct Actions {
    options: Options,
    apis: BTreeMap<String, Arc<Api>>,
    book: Mutex<ActionQueue>,
    changed: Notify,
}

impl Actions {
    /// Nothing to do yet. Every rule is counted from the start for each of the named servers that
    /// it matches.
    pub fn new(
        options: Options,
        apis: BTreeMap<String, Arc<Api>>,
        rules: &[Rule],
        servers: &[&str],
    ) -> Arc<Self> {
        let book = Mutex::new(ActionQueue::new(options));
        let actions = Self { options, apis, book, changed: Notify::new() };
        actions.know(rules, servers);
        Arc::new(actions)
    }

    /// Counts rules from now on for each of the named servers that they match.
    pub fn know(&self, rules: &[Rule], servers: &[&str]) {
        let mut book = self.book();
        for server in servers {
            for rule in rules.iter().filter(|rule| rule.matching.server(server)) {
                book.know(server, &rule.name);
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, ActionQueue> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what rules have decided by `now`. It never waits.
    pub fn offer(&self, calls: Vec<Call>, now: Timestamp) {
        if calls.is_empty() {
            return;
        }
        let mut book = self.book();
        for call in calls {
            let remote = self.apis.contains_key(&*call.server);
            book.offer(call, remote, now, Instant::now());
        }
        drop(book);
        self.changed.notify_one();
    }

    /// The last calls and what became of them, the oldest first.
    pub fn recent(&self) -> Vec<Done> {
        self.recent_since(0).1
    }

    /// How many calls have come to an outcome, and those of the kept ones that came after `number`.
    pub fn recent_since(&self, number: u64) -> (u64, Vec<Done>) {
        self.book().recent_since(number)
    }

    /// What is counted, by server.
    pub fn summaries(&self) -> Vec<(Arc<str>, Summary)> {
        self.book().summaries(Instant::now())
    }

    /// Makes the calls until `stop`, and for a few seconds more those that are due by then.
    pub async fn run(self: Arc<Self>, ingest: Arc<Pipeline>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut until: Option<Instant> = None;
        loop {
            let (due, next) = self.book().take_due(Instant::now());
            for job in due {
                let (actions, ingest) = (Arc::clone(&self), Arc::clone(&ingest));
                tasks.spawn(async move { actions.perform(&ingest, job).await });
            }
            if let Some(until) = until
                && tasks.is_empty()
                && next.is_none_or(|next| next > until)
            {
                break;
            }
            tokio::select! {
                () = self.changed.notified() => {}
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!("an action has failed: {error}");
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = stop.cancelled(), if until.is_none() => until = Some(Instant::now() + DRAIN),
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
            }
        }
        tasks.shutdown().await;
        self.book().close(Instant::now());
    }

    async fn perform(&self, ingest: &Pipeline, job: PendingCall) {
        let (outcome, why) = self.pursue(ingest, &job).await;
        self.book().finish(job.number, outcome, why, Instant::now());
        self.changed.notify_one();
    }

    /// Tries until something comes of it.
    async fn pursue(&self, ingest: &Pipeline, job: &PendingCall) -> (Outcome, Option<String>) {
        let (mut attempts, mut trouble) = (0, None);
        loop {
            let Some(turn) = permit(&job.permits, job.deadline).await else {
                let outcome = if attempts > 0 { Outcome::Failed } else { Outcome::TooOld };
                return (outcome, trouble);
            };
            if let Some(outcome) = self.pointless(ingest, job, attempts) {
                return (outcome, None);
            }
            if let Permission::Wait(until) = self.permission(job) {
                drop(turn);
                sleep_until(until.min(job.deadline)).await;
                continue;
            }
            if attempts == 0 {
                self.book().begin_cooldown(&job.call, Instant::now());
            }
            attempts = self.book().attempt(job.number);
            let error = match self.attempt(&job.action, &job.call).await {
                Ok(outcome) => return (outcome, None),
                Err(error) => error,
            };
            drop(turn);
            let why = describe(&error);
            if error.is_gone() {
                return (Outcome::Gone, Some(why));
            }
            if matches!(error, Error::Unsendable(_)) {
                return (Outcome::Refused, Some(why));
            }
            let pause = pause(attempts);
            if !passes(&job.action, &error) || Instant::now() + pause >= job.deadline {
                return (Outcome::Failed, Some(why));
            }
            trouble = Some(why);
            sleep(pause).await;
        }
    }

    /// Why the call is not made now, as far as the state and other calls tell.
    fn pointless(&self, ingest: &Pipeline, job: &PendingCall, attempts: u32) -> Option<Outcome> {
        let Call { rule, server, subject, .. } = &job.call;
        let server = ingest.server(Some(server)).ok();
        let (gone, holds) = server.map_or((false, true), |server| {
            server.read(|state| {
                let gone = subject.needs.is_some_and(|key| !state.streams.is_open(key));
                (gone, rule.when.is_none_or(|condition| condition.holds(subject, state)))
            })
        });
        let commands = matches!(job.action, Action::Command(..));
        if !holds {
            Some(Outcome::Condition)
        } else if gone && commands {
            Some(Outcome::Gone)
        } else if attempts == 0 && self.book().cools(&job.call, Instant::now()) {
            Some(Outcome::Cooldown)
        } else if self.options.dry_run || rule.dry_run {
            self.book().begin_cooldown(&job.call, Instant::now());
            Some(Outcome::DryRun)
        } else {
            None
        }
    }

    fn permission(&self, job: &PendingCall) -> Permission {
        match job.action {
            Action::Command(..) => self.book().circuit(&job.call.server).ask(Instant::now()),
            Action::Post(..) => Permission::Go,
        }
    }

    async fn attempt(&self, action: &Action, call: &Call) -> Result<Outcome, Error> {
        match action {
            Action::Post(address, body) => attempt::post(address, body).await,
            Action::Command(command, parameters) => {
                let Some(api) = self.apis.get(&*call.server) else {
                    return Ok(Outcome::Refused);
                };
                let done = attempt::command(api, command, parameters).await;
                let good = done.as_ref().map_or_else(Error::is_answer, |_| true);
                let mut book = self.book();
                let circuit = book.circuit(&call.server);
                if good {
                    circuit.good()
                } else {
                    circuit.bad(Instant::now())
                }
                done
            }
        }
    }
}

/// How long to wait before the next attempt: twice as long each time, and between half of that and
/// all of it, so that many calls do not come at once.
fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// The right to make one of the few calls that a server gets at once; `None` when it comes too late.
async fn permit(permits: &Semaphore, deadline: Instant) -> Option<tokio::sync::SemaphorePermit<'_>> {
    let permit = timeout_at(deadline, permits.acquire()).await.ok()?.ok()?;
    (Instant::now() < deadline).then_some(permit)
}

/// Whether the same call may well succeed a little later, and does no harm if it has succeeded.
fn passes(action: &Action, error: &Error) -> bool {
    match (action, error) {
        (Action::Post(..), Error::Status(status)) => status.is_server_error() || status.as_u16() == 429,
        (Action::Command(command, parameters), _) if error.may_be_done() => {
            error.passes() && attempt::is_known_again(command, parameters)
        }
        (Action::Post(..) | Action::Command(..), _) => error.passes(),
    }
}

/// An error as it is logged: what the server says may repeat a parameter, which may hold a secret.
fn describe(error: &Error) -> String {
    match error {
        Error::Failed(_) => "the server refused the command".to_owned(),
        Error::Unsendable(_)
        | Error::Connect(_)
        | Error::Broken(_)
        | Error::Late(_)
        | Error::Login(_)
        | Error::Status(_)
        | Error::Large
        | Error::Garbage(_) => error.to_string(),
    }
}

/// What becomes of a call that a rule withheld.
const fn withheld(why: &Skipped) -> Outcome {
    match why {
        Skipped::Condition(_) => Outcome::Condition,
        Skipped::Refused(_) => Outcome::Refused,
    }
}
