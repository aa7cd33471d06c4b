//! Compares what events have told with the server's own lists, corrects it, and counts the corrections.
//!
//! A look asks for all lists. What they tell differently from events counts at once where no event
//! on its way can explain it, else when a second look says the same; see [`crate::model::discrepancies`].
//! A server that does not answer changes nothing but what is shown of the try.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::exposition::{Kind, Metric};
use crate::model::discrepancies::SETTLE;
use crate::model::state::listing::{Listed, Listing, Reconciled, Subject};
use crate::model::{Corrections, output, server, session, stream, timer};
use crate::pipeline::{Pipeline, Server};
use ems_protocol::Timestamp;
use ems_protocol::message::json::Part;
use ems_protocol::message::{Message, Rejection};
use ems_protocol::runtime_api::{Answer, Api, Error};

/// After the sign of a restart the server gets this long to be able to answer.
const GRACE: Duration = Duration::from_secs(1);
/// From a look that left something in doubt to the next; a little more than what may settle.
const AGAIN: Duration = SETTLE.saturating_add(Duration::from_millis(100));
/// How much a pause is stretched or shortened by chance, so that servers are not asked in step.
const JITTER: f64 = 0.1;
/// The first pause after a failure; it doubles up to the interval.
const RETRY: Duration = Duration::from_secs(1);

/// The reconciliation of one server.
#[derive(Debug)]
pub struct Reconciler {
    /// Whose lists are looked at.
    pub server: Arc<Server>,
    api: Arc<Api>,
    interval: Duration,
    status: Mutex<Status>,
}

/// What the looks so far have told.
#[derive(Debug, Clone, Default)]
pub struct Status {
    succeeded: u64,
    failed: u64,
    /// How many looks have failed since the last that did not.
    failing: u32,
    last_success: Option<Timestamp>,
    duration: Option<Duration>,
    corrections: [Corrections; Subject::ALL.len()],
}

/// What is told of the looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Whether the last look succeeded; none before the first one.
    pub answers: Option<bool>,
    succeeded_total: u64,
    failed_total: u64,
    corrections_total: u64,
    last_success_timestamp_seconds: Option<f64>,
}

impl Status {
    /// As it is told.
    pub fn view(&self) -> View {
        let corrections =
            self.corrections.iter().map(|corrected| corrected.opened + corrected.closed + corrected.changed);
        View {
            answers: (self.succeeded + self.failed > 0).then_some(self.failing == 0),
            succeeded_total: self.succeeded,
            failed_total: self.failed,
            corrections_total: corrections.sum(),
            last_success_timestamp_seconds: self.last_success.map(Timestamp::seconds),
        }
    }
}

/// All answers of one look.
struct Answers {
    version: Option<Answer>,
    streams: Answer,
    config: Option<Answer>,
    timers: Option<Answer>,
    sessions: Option<Answer>,
}

impl Reconciler {
    /// A reconciliation that has not begun.
    pub fn new(server: Arc<Server>, api: Arc<Api>, interval: Duration) -> Arc<Self> {
        Arc::new(Self { server, api, interval, status: Mutex::default() })
    }

    /// What the looks so far have told.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at once, then at every interval and when events give a sign, until `stop`.
    pub async fn run(&self, ingest: &Pipeline, stop: CancellationToken) {
        let looking = async {
            loop {
                if self.look(ingest).await {
                    tokio::time::sleep(AGAIN).await;
                    self.look(ingest).await;
                }
                tokio::select! {
                    () = tokio::time::sleep(self.pause()) => {}
                    () = self.server.look.notified() => tokio::time::sleep(GRACE).await,
                }
            }
        };
        tokio::select! {
            () = looking => {}
            () = stop.cancelled() => {}
        }
    }

    fn pause(&self) -> Duration {
        let failing = self.lock().failing;
        let pause = match failing {
            0 => self.interval,
            failures => self.interval.min(RETRY * 2u32.saturating_pow(failures - 1)),
        };
        pause.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0))
    }

    /// Asks for all lists and corrects the tables by them. Says whether anything is in doubt.
    async fn look(&self, ingest: &Pipeline) -> bool {
        let asked = Timestamp::now();
        let looked = self.ask().await;
        let now = Timestamp::now();
        self.server.asked(asked, looked.is_ok());
        let reconciled = looked.and_then(|answers| {
            let listing = read(asked, &answers)?;
            Ok(ingest.reconcile(&self.server, &listing, now))
        });
        match reconciled {
            Ok(reconciled) => {
                self.succeed(&reconciled, asked, now);
                reconciled.doubts
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    async fn ask(&self) -> Result<Answers, Error> {
        Ok(Answers {
            streams: self.api.list_streams().await?,
            config: optional(self.api.list_config().await)?,
            timers: optional(self.api.list_timers().await)?,
            sessions: optional(self.api.list_http_streaming_sessions().await)?,
            version: optional(self.api.version().await)?,
        })
    }

    fn succeed(&self, reconciled: &Reconciled, asked: Timestamp, now: Timestamp) {
        let mut status = self.lock();
        if status.failing > 0 {
            let (server, address) = (&self.server.name, self.api.address());
            tracing::info!(server, %address, "the runtime API answers again");
        }
        status.succeeded += 1;
        status.failing = 0;
        status.last_success = Some(now);
        status.duration = Some(now.since(asked));
        for (sum, more) in status.corrections.iter_mut().zip(&reconciled.corrections) {
            *sum += *more;
        }
        for (subject, corrections) in Subject::ALL.iter().zip(&reconciled.corrections) {
            if *corrections != Corrections::default() {
                let Corrections { opened, closed, changed } = corrections;
                let (server, kind) = (&self.server.name, subject.label());
                tracing::info!(server, kind, opened, closed, changed, "corrected by the server's own lists");
            }
        }
    }

    fn fail(&self, error: &Error) {
        let mut status = self.lock();
        status.failed += 1;
        status.failing = status.failing.saturating_add(1);
        if status.failing == 1 {
            let (server, address) = (&self.server.name, self.api.address());
            tracing::warn!(server, %address, "the runtime API cannot be asked: {error}");
        }
    }
}

/// A list that a server may not know: older ones have fewer commands.
fn optional(answer: Result<Answer, Error>) -> Result<Option<Answer>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Failed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(asked: Timestamp, answers: &Answers) -> Result<Listing<'_>, Error> {
    let mut listing = Listing { asked, ..Listing::default() };
    for item in items(&answers.streams)? {
        let listed = item.message().and_then(|message| {
            let payload = message.payload();
            if payload.text("processType")?.as_deref() == Some("origin") {
                listing.process = payload.u64("processId")?;
            }
            let stream = stream::listed(&message)?;
            let key = stream.key;
            let output = output::of_stream(&message)?.map(|output| output::Output { key, ..output });
            Ok(Listed { item, stream, output })
        });
        listing.streams.push(listed.map_err(Error::Garbage)?);
    }
    if let Some(config) = &answers.config {
        for (family, items) in config.data()?.members().map_err(Error::Garbage)? {
            let configured = items.items().and_then(|items| {
                items
                    .into_iter()
                    .map(|item| output::listed(family, &item.message()?))
                    .collect::<Result<Vec<_>, _>>()
            });
            listing.configured.extend(configured.map_err(Error::Garbage)?.into_iter().flatten());
        }
    }
    listing.timers = answers.timers.as_ref().map(|answer| each(answer, timer::listed)).transpose()?;
    listing.sessions = answers.sessions.as_ref().map(|answer| each(answer, session::listed)).transpose()?;
    if let Some(version) = &answers.version {
        let message = version.data()?.message().map_err(Error::Garbage)?;
        listing.build = Some(server::build(message.payload()).map_err(Error::Garbage)?);
    }
    Ok(listing)
}

fn each<'a, T>(
    answer: &'a Answer,
    read: impl Fn(&Message<'a>) -> Result<T, Rejection>,
) -> Result<Vec<T>, Error> {
    let items = items(answer)?.into_iter().map(|item| read(&item.message()?));
    items.collect::<Result<_, _>>().map_err(Error::Garbage)
}

/// The items of a list, which one version nests deeper.
fn items(answer: &Answer) -> Result<Vec<Part<'_>>, Error> {
    let data = answer.data()?;
    let nested = data.member("data").ok().flatten();
    nested.unwrap_or(data).items().map_err(Error::Garbage)
}

/// What is shown of reconciliation.
pub const METRICS: &[Metric<Status>] = &[
    Metric {
        name: "ems_exporter_reconcile_runs_total",
        kind: Kind::Counter,
        help: "Looks at the server's own lists, by what came of them: listStreams, listConfig, listTimers, listHttpStreamingSessions and version of the runtime API.",
        labels: &["outcome"],
        query: r#"increase(ems_exporter_reconcile_runs_total{outcome="failed"}[5m]) > 0"#,
        samples: |status, samples| {
            samples.add(&[("outcome", "succeeded")], status.succeeded);
            samples.add(&[("outcome", "failed")], status.failed);
        },
    },
    Metric {
        name: "ems_exporter_reconcile_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the server's own lists were last looked at; absent before the first time.",
        labels: &[],
        query: "time() - ems_exporter_reconcile_last_success_timestamp_seconds",
        samples: |status, samples| {
            if let Some(last) = status.last_success {
                samples.add(&[], last);
            }
        },
    },
    Metric {
        name: "ems_exporter_reconcile_duration_seconds",
        kind: Kind::Gauge,
        help: "How long the last look at the server's own lists took that succeeded; absent before it.",
        labels: &[],
        query: "max by (server) (ems_exporter_reconcile_duration_seconds)",
        samples: |status, samples| {
            if let Some(duration) = status.duration {
                samples.add(&[], duration.as_secs_f64());
            }
        },
    },
    Metric {
        name: "ems_exporter_reconcile_corrections_total",
        kind: Kind::Counter,
        help: "Things that the server's own lists put right: opened, they were open and not known; closed, they were believed to be open; changed, they were known wrongly.",
        labels: &["kind", "direction"],
        query: "sum by (server, kind, direction) (increase(ems_exporter_reconcile_corrections_total[1h])) > 0",
        samples: |status, samples| {
            for (subject, corrections) in Subject::ALL.iter().zip(&status.corrections) {
                let Corrections { opened, closed, changed } = *corrections;
                for (direction, count) in [("opened", opened), ("closed", closed), ("changed", changed)] {
                    samples.add(&[("kind", subject.label()), ("direction", direction)], count);
                }
            }
        },
    },
];
