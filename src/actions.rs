//! Makes the calls that rules decide on: a bounded queue, in order for each stream, with retries. Each call gets one
//! [`Outcome`], so that decided = outcomes + queued, at every instant.

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
use crate::rules::{Action, Call, Rule};
use ems_protocol::Timestamp;
use ems_protocol::runtime_api::{Api, Error};

use circuit::Permission;
use queue::{ActionQueue, PendingCall};

pub use metrics::METRICS;
pub use outcome::Outcome;
pub use queue::{Done, Options, Summary};

/// The first pause before a call is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before a call is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long calls may still be made after the stop has begun.
const DRAIN: Duration = Duration::from_secs(4);

/// Calls that are waiting or in progress, and the outcomes of earlier ones.
#[derive(Debug)]
pub struct Actions {
    options: Options,
    apis: BTreeMap<String, Arc<Api>>,
    queue: Mutex<ActionQueue>,
    changed: Notify,
}

impl Actions {
    /// An empty queue. Every rule is counted from the start for each of the named servers that it matches.
    pub fn new(
        options: Options,
        apis: BTreeMap<String, Arc<Api>>,
        rules: &[Rule],
        servers: &[&str],
    ) -> Arc<Self> {
        let queue = Mutex::new(ActionQueue::new(options));
        let actions = Self { options, apis, queue, changed: Notify::new() };
        actions.register_rules(rules, servers);
        Arc::new(actions)
    }

    /// Counts rules from now on for each of the named servers that they match.
    pub fn register_rules(&self, rules: &[Rule], servers: &[&str]) {
        let mut queue = self.queue();
        for server in servers {
            for rule in rules.iter().filter(|rule| rule.matching.server(server)) {
                queue.register_rule(server, &rule.name);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, ActionQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enqueues calls that rules decided on by `now`. It never waits.
    pub fn enqueue(&self, calls: Vec<Call>, now: Timestamp) {
        if calls.is_empty() {
            return;
        }
        let mut queue = self.queue();
        for call in calls {
            let has_api = self.apis.contains_key(&*call.server);
            queue.enqueue(call, has_api, now, Instant::now());
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// The recent calls with their outcomes, the oldest first.
    pub fn recent(&self) -> Vec<Done> {
        self.recent_since(0).1
    }

    /// How many calls have an outcome, and the recent ones after number `number`.
    pub fn recent_since(&self, number: u64) -> (u64, Vec<Done>) {
        self.queue().recent_since(number)
    }

    /// The counts by server.
    pub fn summaries(&self) -> Vec<(Arc<str>, Summary)> {
        self.queue().summaries(Instant::now())
    }

    /// Makes the calls until `stop`, then for a few seconds those that are due.
    pub async fn run(self: Arc<Self>, pipeline: Arc<Pipeline>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut until: Option<Instant> = None;
        loop {
            let (due, next) = self.queue().take_due(Instant::now());
            for pending in due {
                let (actions, pipeline) = (Arc::clone(&self), Arc::clone(&pipeline));
                tasks.spawn(async move { actions.perform(&pipeline, pending).await });
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
                        tracing::error!("a task that makes a call has failed: {error}");
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = stop.cancelled(), if until.is_none() => until = Some(Instant::now() + DRAIN),
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
            }
        }
        tasks.shutdown().await;
        self.queue().close(Instant::now());
    }

    async fn perform(&self, pipeline: &Pipeline, pending: PendingCall) {
        let (outcome, reason) = self.run_to_outcome(pipeline, &pending).await;
        self.queue().finish(pending.number, outcome, reason, Instant::now());
        self.changed.notify_one();
    }

    /// Tries until the call has an outcome.
    async fn run_to_outcome(&self, pipeline: &Pipeline, pending: &PendingCall) -> (Outcome, Option<String>) {
        let (mut attempts, mut last_error) = (0, None);
        loop {
            let Some(permit) = permit(&pending.permits, pending.deadline).await else {
                let outcome = if attempts > 0 { Outcome::Failed } else { Outcome::TooOld };
                return (outcome, last_error);
            };
            if let Some(outcome) = self.skipped(pipeline, pending, attempts) {
                return (outcome, None);
            }
            if let Permission::Wait(until) = self.permission(pending) {
                drop(permit);
                sleep_until(until.min(pending.deadline)).await;
                continue;
            }
            if attempts == 0 {
                self.queue().begin_cooldown(&pending.call, Instant::now());
            }
            attempts = self.queue().begin_attempt(pending.number);
            let error = match self.attempt(&pending.action, &pending.call).await {
                Ok(outcome) => return (outcome, None),
                Err(error) => error,
            };
            drop(permit);
            let why = describe(&error);
            if error.is_gone() {
                return (Outcome::Gone, Some(why));
            }
            if matches!(error, Error::Unsendable(_)) {
                return (Outcome::Rejected, Some(why));
            }
            let pause = pause(attempts);
            if !is_transient(&pending.action, &error) || Instant::now() + pause >= pending.deadline {
                return (Outcome::Failed, Some(why));
            }
            last_error = Some(why);
            sleep(pause).await;
        }
    }

    /// The outcome of a call that the state or other calls make unnecessary by now.
    fn skipped(&self, pipeline: &Pipeline, pending: &PendingCall, attempts: u32) -> Option<Outcome> {
        let Call { rule, server, target, .. } = &pending.call;
        let server = pipeline.server(Some(server)).ok();
        let (gone, holds, refuted) = server.map_or((false, true, false), |server| {
            server.read(|state| {
                let gone = target.needs.is_some_and(|key| !state.streams.is_open(key));
                let holds = rule.when.is_none_or(|condition| condition.holds(target, state));
                (gone, holds, rule.is_refuted(target, state))
            })
        });
        let commands = matches!(pending.action, Action::Command(..));
        if !holds {
            Some(Outcome::Condition)
        } else if refuted {
            Some(Outcome::Unproven)
        } else if gone && commands {
            Some(Outcome::Gone)
        } else if attempts == 0 && self.queue().is_cooling_down(&pending.call, Instant::now()) {
            Some(Outcome::Cooldown)
        } else if self.options.dry_run || rule.dry_run {
            self.queue().begin_cooldown(&pending.call, Instant::now());
            Some(Outcome::DryRun)
        } else {
            None
        }
    }

    fn permission(&self, pending: &PendingCall) -> Permission {
        match pending.action {
            Action::Command(..) => self.queue().circuit(&pending.call.server).request(Instant::now()),
            Action::Post(..) => Permission::Go,
        }
    }

    async fn attempt(&self, action: &Action, call: &Call) -> Result<Outcome, Error> {
        match action {
            Action::Post(address, body) => attempt::post(address, body).await,
            Action::Command(command, parameters) => {
                let Some(api) = self.apis.get(&*call.server) else {
                    return Ok(Outcome::Rejected);
                };
                let done = attempt::command(api, command, parameters).await;
                let answered = done.as_ref().map_or_else(Error::is_answer, |_| true);
                let mut queue = self.queue();
                let circuit = queue.circuit(&call.server);
                if answered {
                    circuit.succeeded();
                } else {
                    circuit.failed(Instant::now());
                }
                done
            }
        }
    }
}

/// How long to wait before the next attempt: twice as long each time, less up to a half at random, so that retries
/// spread.
fn pause(attempts: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// A permit for one of the concurrent calls to a server; `None` if the deadline passes first.
async fn permit(permits: &Semaphore, deadline: Instant) -> Option<tokio::sync::SemaphorePermit<'_>> {
    let permit = timeout_at(deadline, permits.acquire()).await.ok()?.ok()?;
    (Instant::now() < deadline).then_some(permit)
}

/// Whether a retry may succeed, and does no harm if the call was carried out.
fn is_transient(action: &Action, error: &Error) -> bool {
    match (action, error) {
        (Action::Post(..), Error::Status(status)) => matches!(status, 429 | 500..600),
        (Action::Command(command, parameters), _) if error.may_be_done() => {
            error.is_retryable() && attempt::is_repeatable(command, parameters)
        }
        (Action::Post(..) | Action::Command(..), _) => error.is_retryable(),
    }
}

/// An error as it is logged: the server's own text may repeat a parameter, which may hold a secret.
fn describe(error: &Error) -> String {
    let failed = matches!(error, Error::Failed(_));
    if failed { "the server rejected the command".to_owned() } else { error.to_string() }
}
