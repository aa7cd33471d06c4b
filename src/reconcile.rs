//! Reconciliation: compares the state with the server's own lists, corrects it, and counts the corrections.
//!
//! A poll fetches all lists. A difference is corrected at once where no event still on its way can explain it, else
//! when a second poll confirms it; see [`crate::model::discrepancies`]. A failed poll corrects nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use strum::{EnumCount, VariantArray};
use tokio_util::sync::CancellationToken;

use crate::exposition::{Kind, Metric};
use crate::model::discrepancies::SETTLE;
use crate::model::state::listing::{Listed, Listing, Reconciled, Subject};
use crate::model::{Corrections, output, server, session, stream, timer};
use crate::pipeline::{Pipeline, Server};
use ems_protocol::decode::json::Part;
use ems_protocol::runtime_api::{Answer, Api, Error, MAX_LIST};
use ems_protocol::{Message, Rejection};
use ems_protocol::{Timestamp, Wall};

/// How long to wait after the sign of a restart before the server is polled.
const GRACE: Duration = Duration::from_secs(1);
/// From a poll with unconfirmed discrepancies to the next.
const CONFIRM_AFTER: Duration = SETTLE.saturating_add(Duration::from_millis(100));
/// The random share by which a pause varies, so that servers are not polled in step.
const JITTER: f64 = 0.1;
/// The answer of a server whose web server is not there.
const NO_WEB_SERVER: &str = "Unable to get all open HTTP streaming sessions";
/// The first pause after a failure; it doubles up to the interval.
const RETRY: Duration = Duration::from_secs(1);

/// The reconciliation of one server.
#[derive(Debug)]
pub struct Reconciler {
    /// The polled server.
    pub server: Arc<Server>,
    api: Arc<Api>,
    interval: Duration,
    status: Mutex<Status>,
}

/// The results of the polls so far.
#[derive(Debug, Clone, Default)]
pub struct Status {
    succeeded: u64,
    failed: u64,
    /// How many polls have failed since the last successful one.
    failing: u32,
    last_success: Option<Timestamp>,
    duration: Option<Duration>,
    corrections: [Corrections; Subject::COUNT],
}

/// The API representation of the results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Whether the last poll succeeded; none before the first one.
    pub answers: Option<bool>,
    succeeded_total: u64,
    failed_total: u64,
    corrections_total: u64,
    last_success_timestamp_seconds: Option<f64>,
}

impl Status {
    /// Its API representation.
    pub fn view(&self, wall: Wall) -> View {
        let corrections =
            self.corrections.iter().map(|corrected| corrected.opened + corrected.closed + corrected.changed);
        View {
            answers: (self.succeeded + self.failed > 0).then_some(self.failing == 0),
            succeeded_total: self.succeeded,
            failed_total: self.failed,
            corrections_total: corrections.sum(),
            last_success_timestamp_seconds: self.last_success.map(|last| wall.seconds(last)),
        }
    }
}

/// All answers of one poll.
struct Answers {
    version: Option<Answer>,
    streams: Answer,
    config: Option<Answer>,
    timers: Option<Answer>,
    /// None where the server does not know the command; `Err` where its web server is gone, and all sessions with it.
    sessions: Option<Result<Answer, WebServerGone>>,
}

/// The server's web server has died: the media server goes on without it.
struct WebServerGone;

impl Reconciler {
    /// A reconciliation that has not begun.
    pub fn new(server: Arc<Server>, api: Arc<Api>, interval: Duration) -> Arc<Self> {
        Arc::new(Self { server, api, interval, status: Mutex::default() })
    }

    /// The results of the polls so far.
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls at once, then at every interval and after events that may be incomplete, until `stop`.
    pub async fn run(&self, pipeline: &Pipeline, stop: CancellationToken) {
        let polling = async {
            loop {
                if self.poll(pipeline).await {
                    tokio::time::sleep(CONFIRM_AFTER).await;
                    self.poll(pipeline).await;
                }
                tokio::select! {
                    () = tokio::time::sleep(self.pause()) => {}
                    () = self.server.poll_soon.notified() => tokio::time::sleep(GRACE).await,
                }
            }
        };
        tokio::select! {
            () = polling => {}
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

    /// Fetches all lists and corrects the tables by them. Returns whether any discrepancy is unconfirmed.
    async fn poll(&self, pipeline: &Pipeline) -> bool {
        let requested = Timestamp::now();
        let answers = self.fetch().await;
        let now = Timestamp::now();
        self.server.record_poll(requested, answers.is_ok());
        let reconciled = answers.and_then(|answers| {
            let listing = read(requested, &answers)?;
            Ok(pipeline.reconcile(&self.server, &listing, now))
        });
        match reconciled {
            Ok(reconciled) => {
                self.succeed(&reconciled, requested, now);
                reconciled.unconfirmed
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    async fn fetch(&self) -> Result<Answers, Error> {
        // All answers are held until the state is corrected.
        let mut left = MAX_LIST;
        let streams = self.api.list_streams(left).await?;
        left -= streams.size;
        let config = optional(self.api.list_config(left).await)?;
        left -= config.as_ref().map_or(0, |answer| answer.size);
        let timers = optional(self.api.list_timers(left).await)?;
        left -= timers.as_ref().map_or(0, |answer| answer.size);
        let sessions = sessions(self.api.list_http_streaming_sessions(left).await)?;
        left -= sessions.as_ref().map_or(0, |answer| answer.as_ref().map_or(0, |answer| answer.size));
        let version = optional(self.api.version(left).await)?;
        Ok(Answers { streams, config, timers, sessions, version })
    }

    fn succeed(&self, reconciled: &Reconciled, requested: Timestamp, now: Timestamp) {
        let mut status = self.lock();
        if status.failing > 0 {
            let (server, address) = (&self.server.name, self.api.address());
            tracing::info!(server, %address, "the runtime API answers again");
        }
        status.succeeded += 1;
        status.failing = 0;
        status.last_success = Some(now);
        status.duration = Some(now.since(requested));
        for (sum, more) in status.corrections.iter_mut().zip(&reconciled.corrections) {
            *sum += *more;
        }
        for (subject, corrections) in Subject::VARIANTS.iter().zip(&reconciled.corrections) {
            if *corrections != Corrections::default() {
                let Corrections { opened, closed, changed } = corrections;
                let (server, kind) = (&self.server.name, subject.label());
                tracing::info!(
                    server,
                    kind,
                    opened,
                    closed,
                    changed,
                    "the state was corrected by the server's own lists"
                );
            }
        }
    }

    fn fail(&self, error: &Error) {
        let mut status = self.lock();
        status.failed += 1;
        status.failing = status.failing.saturating_add(1);
        if status.failing == 1 {
            let (server, address) = (&self.server.name, self.api.address());
            tracing::warn!(server, %address, "cannot poll the runtime API: {error}");
        }
    }
}

/// The sessions, which a server whose web server has died cannot list.
fn sessions(answer: Result<Answer, Error>) -> Result<Option<Result<Answer, WebServerGone>>, Error> {
    match answer {
        Err(Error::Failed(why)) if why.contains(NO_WEB_SERVER) => Ok(Some(Err(WebServerGone))),
        answer => Ok(optional(answer)?.map(Ok)),
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

fn read(requested: Timestamp, answers: &Answers) -> Result<Listing<'_>, Error> {
    let mut listing = Listing { requested, ..Listing::default() };
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
    let listed = |answer: &'_ Result<Answer, WebServerGone>| match answer {
        Ok(answer) => each(answer, session::listed),
        Err(WebServerGone) => Ok(Vec::new()),
    };
    listing.sessions = answers.sessions.as_ref().map(listed).transpose()?;
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

/// The metrics of reconciliation.
pub const METRICS: &[Metric<Status>] = &[
    Metric {
        name: "ems_exporter_reconcile_runs_total",
        kind: Kind::Counter,
        help: "Polls of the server's runtime API (listStreams, listConfig, listTimers, listHttpStreamingSessions, version), by outcome.",
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
        help: "Time of the last successful poll of the server's runtime API; absent before the first one.",
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
        help: "Duration of the last successful poll of the server's runtime API; absent before the first one.",
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
        help: "Corrections of the state by polls of the server's runtime API: opened, an open object was unknown; closed, a closed object was tracked as open; changed, a property was wrong.",
        labels: &["kind", "direction"],
        query: "sum by (server, kind, direction) (increase(ems_exporter_reconcile_corrections_total[1h])) > 0",
        samples: |status, samples| {
            for (subject, corrections) in Subject::VARIANTS.iter().zip(&status.corrections) {
                let Corrections { opened, closed, changed } = *corrections;
                for (direction, count) in [("opened", opened), ("closed", closed), ("changed", changed)] {
                    samples.add(&[("kind", subject.label()), ("direction", direction)], count);
                }
            }
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_its_web_server_has_no_sessions_and_an_older_one_no_such_list() {
        let failed = |why: &str| sessions(Err(Error::Failed(why.to_owned())));
        assert!(matches!(failed(NO_WEB_SERVER), Ok(Some(Err(WebServerGone)))));
        assert!(matches!(failed("command not known"), Ok(None)));
    }
}
