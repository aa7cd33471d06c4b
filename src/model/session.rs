//! Viewers over HTTP, as the server's embedded web server sees them, and its file downloads.

mod view;

use std::time::Duration;

use super::discrepancies::{ById, ListedRow, SETTLE};
use super::lifecycle::Lifecycle;
use super::{Change, Corrections, Key};
use crate::exposition::{Histogram, Kind, Metric};
use ems_protocol::Timestamp;
use ems_protocol::{Message, Rejection};

pub use view::{Aged, View};

/// The events of this family.
pub const EVENTS: &[(&str, Name)] = &[
    ("streamingSessionStarted", Name::Started),
    ("streamingSessionEnded", Name::Ended),
    ("mediaFileDownloaded", Name::Downloaded),
];

/// Other spellings of the same events.
pub const ALIASES: &[(&str, &str)] = &[("fileDownloaded", "mediaFileDownloaded")];

/// Most sessions that are tracked at once; further ones are only counted.
const LIMIT: usize = 100_000;
/// How long a session counts as open without a sign of it: the server's web server may have died, and then nothing ends its
/// sessions. Lists of the runtime API correct that sooner.
const ABANDONED: Duration = Duration::from_secs(12 * 3600);
/// Upper bounds of session durations, in seconds.
const DURATIONS: &[f64] = &[10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0];

/// The meaning of an event name of this family.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A client began to fetch an HLS, HDS, DASH or Smooth Streaming playlist.
    Started,
    /// No request came from it for about three chunk lengths.
    Ended,
    /// A file was transferred.
    Downloaded,
}

/// An event of this family. The client's address is not kept: no label needs it.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// See [`Name::Started`].
    Started(Session),
    /// See [`Name::Ended`].
    Ended(Session),
    /// See [`Name::Downloaded`].
    Downloaded,
}

/// A session as an event or the server's own list describes it.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// `PID` and `sessionId`; rows of W3C files have none, and then it is only counted.
    pub key: Option<Key>,
    /// Distinguishes sessions with a reused key: `startTime`, in local time without a zone.
    pub started: u64,
    /// `stopTime` less `startTime`; of a listed session `elapsedTime`.
    pub duration: Option<Duration>,
}

impl Event {
    /// Whether the event can make a row appear.
    pub const fn opens(&self) -> bool {
        matches!(self, Self::Started(_))
    }
}

/// Reads an event of this family.
pub fn interpret(name: Name, message: &Message<'_>) -> Result<Event, Rejection> {
    Ok(match name {
        Name::Started => Event::Started(session(message)?),
        Name::Ended => Event::Ended(session(message)?),
        Name::Downloaded => Event::Downloaded,
    })
}

fn session(message: &Message<'_>) -> Result<Session, Rejection> {
    let payload = message.payload();
    // The documents have sessionID, the server sends sessionId.
    let field = if payload.has("sessionID") { "sessionID" } else { "sessionId" };
    let (start, stop) = (payload.time("startTime")?, payload.time("stopTime")?);
    Ok(Session {
        key: payload.has(field).then(|| Key::of(message, field)).transpose()?,
        started: start.map_or(0, Timestamp::millis),
        duration: start.zip(stop).map(|(start, stop)| stop.since(start)),
    })
}

/// Reads a session from the server's own list, which does not name the process.
pub fn listed(message: &Message<'_>) -> Result<Session, Rejection> {
    let payload = message.payload();
    let elapsed = payload.f64("elapsedTime")?.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Session {
        key: Some(Key::of(message, "sessionId")?),
        started: payload.time("startTime")?.map_or(0, Timestamp::millis),
        duration: elapsed,
    })
}

/// The sessions of one server. Each row is the moment when the session was first seen; the stamp is
/// [`Session::started`].
#[derive(Debug)]
pub struct Table {
    sessions: Lifecycle<Key, (), Timestamp>,
    discrepancies: ById,
    /// When the server last listed its sessions.
    listed: Timestamp,
    /// Starts and ends of sessions without an id.
    unidentified: [u64; 2],
    downloads: u64,
    durations: Histogram,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            sessions: Lifecycle::new(LIMIT),
            discrepancies: ById::default(),
            listed: Timestamp::default(),
            unidentified: [0; 2],
            downloads: 0,
            durations: Histogram::new(DURATIONS),
        }
    }
}

impl Table {
    /// How many sessions are open.
    pub fn open(&self) -> usize {
        self.sessions.len()
    }

    /// How many sessions came beyond the limit.
    pub const fn overflows(&self) -> u64 {
        self.sessions.overflows()
    }

    /// Sessions ever started.
    fn started(&self) -> u64 {
        self.sessions.count(()).opened + self.unidentified[0]
    }

    /// Sessions ever ended.
    fn ended(&self) -> u64 {
        self.sessions.count(()).closed + self.unidentified[1]
    }

    /// Applies an event.
    pub fn apply(&mut self, event: &Event, now: Timestamp) -> Change {
        match event {
            Event::Started(session) => self.start(session, now),
            Event::Ended(session) => self.end(session),
            Event::Downloaded => {
                self.downloads += 1;
                Change::Counted
            }
        }
    }

    fn start(&mut self, session: &Session, now: Timestamp) -> Change {
        let Some(key) = session.key else {
            self.unidentified[0] += 1;
            return Change::Counted;
        };
        self.sessions.assign_process(key);
        self.sessions.open((key, session.started), (), true, || now).0
    }

    fn end(&mut self, session: &Session) -> Change {
        let change = if let Some(key) = session.key {
            self.sessions.assign_process(key);
            self.sessions.close((key, session.started), ()).0
        } else {
            self.unidentified[1] += 1;
            Change::Counted
        };
        if let Some(duration) = session.duration.filter(|_| change != Change::Repeated) {
            self.durations.observe(duration.as_secs_f64());
        }
        change
    }

    /// Corrects the table by the server's own list, which was requested at `requested`; `process` is the
    /// server's, or 0 while that is unknown. Also returns whether discrepancies are left.
    pub fn reconcile(
        &mut self,
        listed: &[Session],
        process: u64,
        requested: Timestamp,
        now: Timestamp,
    ) -> (Corrections, bool) {
        self.listed = now;
        let listed = listed.iter().filter_map(|session| {
            let settled = session.duration.is_some_and(|age| age >= SETTLE);
            let key = Key { pid: process, ..session.key? };
            Some(ListedRow { key, stamp: session.started, settled, row: now })
        });
        self.discrepancies.reconcile(&mut self.sessions, |seen| *seen, listed, requested, now)
    }

    /// Closes the sessions that have been open for 12 hours without a list of the server that would show them.
    pub fn tick(&mut self, now: Timestamp) {
        if now.since(self.listed) <= ABANDONED {
            return;
        }
        let abandoned = self.sessions.iter().filter(|(_, open)| now.since(open.row) > ABANDONED);
        for key in abandoned.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.sessions.end(key);
        }
    }

    /// Closes everything: sessions do not outlive the server process.
    pub fn empty(&mut self) {
        self.sessions.end_all();
    }

    /// A new server process counts its sessions anew.
    pub fn begin(&mut self) {
        self.sessions.begin();
    }
}

/// The metrics of sessions.
pub const METRICS: &[Metric<Table>] = &[
    Metric {
        name: "ems_sessions",
        kind: Kind::Gauge,
        help: "Open HTTP streaming sessions of the server's own web server, from streamingSessionStarted and streamingSessionEnded; each is a viewer.",
        labels: &[],
        query: "sum by (server) (ems_sessions)",
        samples: |table, samples| samples.add(&[], table.sessions.len()),
    },
    Metric {
        name: "ems_sessions_started_total",
        kind: Kind::Counter,
        help: "HTTP streaming sessions started, from streamingSessionStarted.",
        labels: &[],
        query: "rate(ems_sessions_started_total[5m])",
        samples: |table, samples| samples.add(&[], table.started()),
    },
    Metric {
        name: "ems_sessions_ended_total",
        kind: Kind::Counter,
        help: "HTTP streaming sessions ended, from streamingSessionEnded or the end of the server process.",
        labels: &[],
        query: "rate(ems_sessions_ended_total[5m])",
        samples: |table, samples| samples.add(&[], table.ended()),
    },
    Metric {
        name: "ems_session_duration_seconds",
        kind: Kind::Histogram,
        help: "Duration of HTTP streaming sessions, from startTime and stopTime of streamingSessionEnded.",
        labels: &[],
        query: "histogram_quantile(0.5, sum by (server, le) (rate(ems_session_duration_seconds_bucket[1h])))",
        samples: |table, samples| samples.histogram(&[], &table.durations),
    },
    Metric {
        name: "ems_downloads_total",
        kind: Kind::Counter,
        help: "Files downloaded from the server's own web server, from mediaFileDownloaded.",
        labels: &[],
        query: "rate(ems_downloads_total[5m])",
        samples: |table, samples| samples.add(&[], table.downloads),
    },
];
