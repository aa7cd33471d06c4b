//! The server itself: its current process, when that started, and when the last event arrived.

mod view;

use std::borrow::Cow;
use std::time::Duration;

use super::Change;
use super::discrepancies::Discrepancies;
use crate::exposition::{Kind, Metric, SampleValue, bounded};
use ems_protocol::Timestamp;
use ems_protocol::{Map, Message, Rejection};

pub use view::View;

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[
    ("serverStarted", Name::Started),
    ("serverStopping", Name::Stopping),
    ("applicationStart", Name::Application),
    ("applicationStop", Name::Application),
];

/// Other spellings of the same events.
pub const ALIASES: &[(&str, &str)] = &[("serverStopped", "serverStopping")];

/// How long bodies of the previous process may still arrive.
const LATE_EVENT_GRACE: Duration = Duration::from_secs(60);
/// How long other events of a new process may arrive before its `serverStarted`.
const START_EVENT_GRACE: Duration = Duration::from_secs(10);
/// How long a stopping server may still answer. One that answers later has restarted.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(15);
/// How long after the first event of a new process one of the process before shows that both run: late events come
/// within seconds.
const BOTH_RUN_AFTER: Duration = Duration::from_secs(10);
/// How long two processes count as running after an event of only one of them.
const BOTH_RUN_FOR: Duration = Duration::from_secs(300);
/// After this long without events some may have been lost.
const IDLE_AFTER: Duration = Duration::from_secs(60);
/// How long the first event may take before it is said that none comes.
const ABSENT_AFTER: Duration = Duration::from_secs(300);

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// The server, or one of its edges, is up.
    Started,
    /// The shutdown began. Over HTTP nothing follows.
    Stopping,
    /// The application started or stopped; its configuration is never read, it holds secrets.
    Application,
}

/// An event of this family.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// See [`Name::Started`].
    Started(Build<'a>),
    /// See [`Name::Stopping`].
    Stopping,
    /// An edge started or stops: the server itself goes on.
    Edge,
    /// See [`Name::Application`].
    Application,
}

/// The server's version and build.
#[derive(Debug, Clone)]
pub struct Build<'a> {
    /// `releaseNumber`.
    pub version: Cow<'a, str>,
    /// `buildNumber`.
    pub number: Cow<'a, str>,
}

impl Build<'_> {
    fn known(&self) -> (String, String) {
        let known = |text: &Cow<'_, str>| bounded(Cow::Borrowed(text)).into_owned();
        (known(&self.version), known(&self.number))
    }
}

/// Reads an event of this family.
pub fn interpret<'a>(name: Name, message: &Message<'a>) -> Result<Event<'a>, Rejection> {
    let payload = message.payload();
    let edge = payload.u64("PID")?.zip(message.process).is_some_and(|(pid, origin)| pid != origin);
    Ok(match name {
        Name::Started | Name::Stopping if edge => Event::Edge,
        Name::Started => Event::Started(build(payload)?),
        Name::Stopping => Event::Stopping,
        Name::Application => Event::Application,
    })
}

/// Reads the server's build from `serverStarted` or an answer to `version`.
pub fn build<'a>(payload: Map<'_, 'a>) -> Result<Build<'a>, Rejection> {
    Ok(Build {
        version: payload.text("releaseNumber")?.unwrap_or_default(),
        number: payload.text("buildNumber")?.unwrap_or_default(),
    })
}

/// The sender of an event, from its envelope.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender {
    /// `processId`: the origin process; absent in EMS 1.6.
    pub process: Option<u64>,
    /// `timestamp`; absent in EMS 1.6.
    pub at: Option<Timestamp>,
    /// Whether its sequence number was used before, at another time.
    pub again: bool,
}

/// The server process that an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// The current one.
    Current,
    /// A new one, which begins with this event.
    New,
    /// One that has ended.
    Past,
}

/// Another server process whose events arrive in turn with those of the current one.
#[derive(Debug, Clone, Copy)]
struct Second {
    process: u64,
    last: Timestamp,
    last_of_first: Timestamp,
}

/// A call of the runtime API.
#[derive(Debug, Clone, Copy)]
struct Poll {
    at: Timestamp,
    answered: bool,
    /// Whether an event arrived since the call before it.
    event_since: bool,
}

/// The state of one server itself.
#[derive(Debug, Default)]
pub struct Table {
    process: Option<u64>,
    /// When the first event of the current process arrived.
    since: Timestamp,
    /// The stamp of that event, by the server's clock.
    since_stamp: Option<Timestamp>,
    /// The stamp of its `serverStarted`, once that has come.
    started: Option<Timestamp>,
    /// Whether the current process has sent an event that is not about the server itself.
    active: bool,
    /// The previous process.
    past: Option<u64>,
    /// A second server that posts under the same name, and when its last event and the last one of `process` came.
    second: Option<Second>,
    /// When it announced that it stops.
    stopping: Option<Timestamp>,
    /// The last call of its runtime API; none where that is not configured.
    poll: Option<Poll>,
    discrepancies: Discrepancies<Option<u64>>,
    last_event: Option<Timestamp>,
    /// Since when the first event is awaited.
    awaited_since: Option<Timestamp>,
    /// Whether it has been said that no event comes.
    absence_noted: bool,
    start: Option<Timestamp>,
    restarts: u64,
    /// Process and version before the last restart.
    before: (Option<u64>, Option<String>),
    build: Option<(String, String)>,
}

impl Table {
    /// Whether the current process has announced that it stops.
    pub const fn stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// The current origin process.
    pub const fn process(&self) -> Option<u64> {
        self.process
    }

    /// The current origin process and the server's version.
    pub fn identity(&self) -> (Option<u64>, Option<&str>) {
        (self.process, self.build.as_ref().map(|(version, _)| &**version))
    }

    /// The same of the process before it.
    pub const fn before(&self) -> &(Option<u64>, Option<String>) {
        &self.before
    }

    /// Whether the events of two servers arrive under this name.
    pub const fn is_mixed(&self) -> bool {
        self.second.is_some()
    }

    /// Whether the server is up: its runtime API answers, or else events come.
    fn up(&self) -> bool {
        let lives = match self.poll {
            None => self.last_event.is_some(),
            Some(poll) => poll.answered || poll.event_since,
        };
        lives && !self.stopping()
    }

    /// Whether anything showed after `since` that the server was alive: an event, or an answer to a poll that was
    /// requested after it. A server that shuts down stands still for 10 to 21 s before it sends `serverStopping`, and
    /// its outputs stall: an action on a stall waits for this first.
    pub fn shows_life(&self, since: Timestamp) -> bool {
        !self.stopping() && (self.answered_after(since) || self.last_event.is_some_and(|last| last > since))
    }

    /// Whether the last poll of its runtime API was requested after `since` and answered.
    pub fn answered_after(&self, since: Timestamp) -> bool {
        self.poll.is_some_and(|poll| poll.answered && poll.at > since)
    }

    /// Whether the time without events up to `now` was so long that some may have been lost.
    pub fn silent(&self, now: Timestamp) -> bool {
        self.last_event.is_some_and(|last| now.since(last) > IDLE_AFTER)
    }

    /// Whether it is to be said now that no event has ever come: once, if none has.
    pub fn notes_absence(&mut self, now: Timestamp) -> bool {
        if self.absence_noted || self.last_event.is_some() {
            return false;
        }
        let since = *self.awaited_since.get_or_insert(now);
        self.absence_noted = now.since(since) >= ABSENT_AFTER;
        self.absence_noted
    }

    /// See [`super::state::State::judge_from`].
    pub fn judge_from(&mut self, at: Timestamp) {
        self.last_event = self.last_event.map(|last| last.max(at));
    }

    /// Records a call of the runtime API at `at`, and whether it was answered.
    pub fn record_poll(&mut self, at: Timestamp, answered: bool) {
        let before = self.poll.map_or(self.since, |poll| poll.at);
        let event_since = self.last_event.is_some_and(|last| last > before);
        self.poll = Some(Poll { at, answered, event_since });
    }

    /// Finds the process that a list comes from, requested at `requested` and answered at `now`;
    /// `process` is the one that owns its streams, if it has any.
    pub fn listed(&mut self, process: Option<u64>, requested: Timestamp, now: Timestamp) -> Generation {
        let other = process.is_some() && self.process.is_some() && process != self.process;
        let back = self.stopping.is_some_and(|since| requested.since(since) > SHUTDOWN_GRACE);
        // The lists are those of one of two servers.
        let generation = if self.is_mixed() || self.restarts > 0 && requested <= self.since {
            Generation::Past
        } else if !other && !back && !self.stopping() {
            Generation::Current
        } else if (other || back) && self.discrepancies.is_confirmed(process, requested, now) {
            Generation::New
        } else {
            Generation::Past
        };
        self.discrepancies.end_poll();
        generation
    }

    /// Applies the server's build, and the process that owns its streams, from the runtime API.
    pub fn describe(&mut self, build: Option<&Build<'_>>, process: Option<u64>) {
        if let Some(build) = build {
            self.build = Some(build.known());
        }
        self.process = self.process.or(process);
    }

    /// When the last event came; the epoch before the first one.
    pub fn last_event(&self) -> Timestamp {
        self.last_event.unwrap_or_default()
    }

    /// Finds the process that an event comes from; `event` is that event if it is of this family.
    ///
    /// A process id alone is not enough: in a container it is the same after each restart. Bodies
    /// also overtake each other, so the first events of a process may come before its
    /// `serverStarted`, and the last of another after it.
    pub fn generation(&self, sender: Sender, event: Option<&Event<'_>>, now: Timestamp) -> Generation {
        let started = matches!(event, Some(Event::Started(_)));
        if self.last_event.is_none() {
            return Generation::Current;
        }
        let Some(process) = sender.process else {
            // EMS 1.6 and text files hold no process id: only `serverStarted` reveals a new process, unless nothing
            // but applicationStart came before it.
            let first = self.started.is_none() && !self.active && !self.stopping();
            return if started && !first { Generation::New } else { Generation::Current };
        };
        match self.process {
            None => Generation::Current,
            Some(current) if current == process => {
                let restarted = match self.started {
                    _ if !started => sender.again,
                    Some(before) => sender.again || sender.at.is_some_and(|at| at != before),
                    None => self.stopping() || now.since(self.since) > START_EVENT_GRACE,
                };
                if restarted { Generation::New } else { Generation::Current }
            }
            Some(_) if self.second.is_some_and(|second| second.process == process) => Generation::Current,
            Some(_) if now < self.since => Generation::Past,
            Some(_) if self.past == Some(process) && !started && self.both_run(sender, now) => {
                Generation::Current
            }
            Some(_)
                if self.past == Some(process) && now.since(self.since) <= LATE_EVENT_GRACE && !started =>
            {
                Generation::Past
            }
            Some(_) => Generation::New,
        }
    }

    /// Whether an event of the process before shows that it did not end when the current one began. After a restart
    /// its late events come within seconds; those of files may come later, with their old stamps.
    fn both_run(&self, sender: Sender, now: Timestamp) -> bool {
        let stamps = sender.at.zip(self.since_stamp);
        now.since(self.since) > BOTH_RUN_AFTER
            && stamps.is_none_or(|(at, since)| at.since(since) > BOTH_RUN_AFTER)
            && !self.stopping()
    }

    /// Makes the process of `sender` the current one.
    pub fn begin(&mut self, sender: Sender, now: Timestamp) {
        self.before = (self.process, self.build.as_ref().map(|(version, _)| version.clone()));
        if sender.process != self.process {
            self.past = self.process;
        }
        self.process = sender.process;
        (self.second, self.active) = (None, false);
        (self.since, self.since_stamp) = (now, sender.at);
        self.started = None;
        self.stopping = None;
        self.start = None;
        self.restarts += 1;
    }

    /// Records an event of the current process; `active` is whether it is not about the server itself.
    pub fn record_event(&mut self, sender: Sender, active: bool, now: Timestamp) {
        self.active |= active;
        if self.last_event.is_none() {
            self.since = now;
        }
        self.process = self.process.or(sender.process);
        self.last_event = self.last_event.max(Some(now));
        self.record_sender(sender, now);
    }

    /// Notes which of two servers an event comes from; once one is silent, the other goes on alone.
    fn record_sender(&mut self, sender: Sender, now: Timestamp) {
        let Some(process) = sender.process else {
            return;
        };
        let mut second = match self.second {
            Some(second) => second,
            None if Some(process) == self.process => return,
            None => Second { process, last: now, last_of_first: now },
        };
        if second.process == process {
            second.last = second.last.max(now);
        } else {
            second.last_of_first = second.last_of_first.max(now);
        }
        self.second = Some(second);
        if now.since(second.last) > BOTH_RUN_FOR {
            (self.second, self.past) = (None, Some(second.process));
        } else if now.since(second.last_of_first) > BOTH_RUN_FOR {
            (self.second, self.past) = (None, self.process);
            self.process = Some(second.process);
        }
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event<'_>, sender: Sender, now: Timestamp) -> Change {
        match event {
            Event::Started(build) => {
                self.build = Some(build.known());
                self.started = sender.at.or(Some(now));
                self.start = Some(now);
                Change::Opened
            }
            // The other server goes on.
            Event::Stopping if self.second.is_some() => Change::Counted,
            Event::Stopping => {
                self.stopping = Some(now);
                Change::Closed
            }
            Event::Edge | Event::Application => Change::Counted,
        }
    }
}

/// The metrics of the server.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_up",
        kind: Kind::Gauge,
        help: "1 if the server is up: with a runtime API, the last poll was answered or an event arrived since the poll before it; without one, an event has arrived. 0 otherwise, and after serverStopping. A crash sends no event: see ems_last_event_timestamp_seconds.",
        labels: &[],
        query: "ems_up == 0",
        samples: |table, samples| samples.add(&[], table.up()),
    },
    Metric {
        name: "ems_last_event_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Time of the last event with a known name; 0 before the first one.",
        labels: &[],
        query: "time() - ems_last_event_timestamp_seconds",
        samples: |table, samples| {
            samples.add(&[], table.last_event.map_or(SampleValue::Whole(0), SampleValue::Time))
        },
    },
    Metric {
        name: "ems_server_info",
        kind: Kind::Gauge,
        help: "Always 1; version and build of the server, from serverStarted or the response of version (runtime API).",
        labels: &["version", "build"],
        query: "count by (version, build) (ems_server_info)",
        samples: |table, samples| {
            if let Some((version, build)) = &table.build {
                samples.add(&[("version", version), ("build", build)], true);
            }
        },
    },
    Metric {
        name: "ems_server_start_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Start time of the server, from serverStarted; absent if that event was not received.",
        labels: &[],
        query: "time() - ems_server_start_timestamp_seconds",
        samples: |table, samples| samples.add_known(&[], table.start),
    },
    Metric {
        name: "ems_server_mixed",
        kind: Kind::Gauge,
        help: "1 while the events of two server processes (processId) arrive under one name in turn: two servers post to one path. 0 otherwise.",
        labels: &[],
        query: "ems_server_mixed == 1",
        samples: |table, samples| samples.add(&[], table.is_mixed()),
    },
    Metric {
        name: "ems_server_restarts_total",
        kind: Kind::Counter,
        help: "Restarts of the server, from serverStarted, a new processId, or sequence numbers that start again.",
        labels: &[],
        query: "increase(ems_server_restarts_total[1h]) > 0",
        samples: |table, samples| samples.add(&[], table.restarts),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_absence_of_all_events_is_noted_once() {
        let at = |seconds: u64| Timestamp::from_millis(1_795_364_000_000 + seconds * 1000);
        let mut silent = Table::default();
        let noted: Vec<u64> = (0..1000).filter(|second| silent.notes_absence(at(*second))).collect();
        assert_eq!(noted, [300]);
        let mut speaking = Table { last_event: Some(at(10)), ..Table::default() };
        assert!((0..1000).all(|second| !speaking.notes_absence(at(second))));
    }
}
