//! The catalogue of all metrics, our own registry, and the page.
//!
//! What is told of media servers comes from the tables, metric by metric: each takes a server's
//! lock for its own samples only, so that a scrape of any size holds up no event. Our own few
//! metrics live in a registry of the `prometheus` crate, which also watches this process.

mod selection;

use std::borrow::Borrow;
use std::sync::{Arc, LazyLock};

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::actions::{self, Actions};
use crate::exposition::{Kind, Metric, Page, Samples, Style};
use crate::file_input::{self, FileInput};
use crate::model::state::{self, State};
use crate::model::{api_call, connection, output, process, server, session, stream, timer};
use crate::pipeline::{Pipeline, tally};
use crate::reconcile::{self, Reconciler};
use ems_protocol::Timestamp;

pub use selection::{Part, Selection, Unknown};

/// What is said of a metric where its samples do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The whole name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it counts or tells.
    pub help: String,
    /// All its labels.
    pub labels: Vec<String>,
    /// A PromQL query that shows what it is good for.
    pub query: &'static str,
}

/// Example queries of the metrics in our own registry.
const OWN_QUERIES: &[(&str, &str)] = &[
    ("ems_exporter_build_info", "count by (version) (ems_exporter_build_info)"),
    (
        "ems_exporter_config_last_load_success_timestamp_seconds",
        "time() - ems_exporter_config_last_load_success_timestamp_seconds",
    ),
    ("ems_exporter_feed_lagged_total", "rate(ems_exporter_feed_lagged_total[5m])"),
    ("ems_exporter_feed_clients", "ems_exporter_feed_clients"),
    (
        "ems_exporter_feed_clients_rejected_total",
        "increase(ems_exporter_feed_clients_rejected_total[1h]) > 0",
    ),
    ("ems_exporter_config_last_reload_successful", "ems_exporter_config_last_reload_successful == 0"),
    ("ems_exporter_http_accept_failures_total", "increase(ems_exporter_http_accept_failures_total[1h]) > 0"),
    (
        "ems_exporter_http_connection_limit_hits_total",
        "increase(ems_exporter_http_connection_limit_hits_total[1h]) > 0",
    ),
    (
        "ems_exporter_http_connections_closed_total",
        "sum by (instance, reason) (rate(ems_exporter_http_connections_closed_total[5m]))",
    ),
    ("ems_exporter_http_connections", "ems_exporter_http_connections"),
    ("ems_exporter_http_handshake_failures_total", "rate(ems_exporter_http_handshake_failures_total[5m])"),
    (
        "ems_exporter_web_config_last_load_success_timestamp_seconds",
        "time() - ems_exporter_web_config_last_load_success_timestamp_seconds",
    ),
    ("ems_exporter_web_config_last_reload_successful", "ems_exporter_web_config_last_reload_successful == 0"),
    (
        "ems_exporter_http_connections_accepted_total",
        "rate(ems_exporter_http_connections_accepted_total[5m])",
    ),
    (
        "ems_exporter_http_responses_total",
        r#"sum by (instance, code) (rate(ems_exporter_http_responses_total{code!="200"}[5m]))"#,
    ),
    ("ems_exporter_scrape_duration_seconds", "ems_exporter_scrape_duration_seconds > 1"),
    ("ems_exporter_scrape_samples", "topk(5, ems_exporter_scrape_samples)"),
    ("process_cpu_seconds_total", r#"rate(process_cpu_seconds_total{job="ems"}[5m])"#),
    ("process_max_fds", r#"process_open_fds{job="ems"} / process_max_fds{job="ems"}"#),
    ("process_open_fds", r#"process_open_fds{job="ems"}"#),
    ("process_resident_memory_bytes", r#"process_resident_memory_bytes{job="ems"}"#),
    ("process_start_time_seconds", r#"time() - process_start_time_seconds{job="ems"}"#),
    ("process_threads", r#"process_threads{job="ems"}"#),
    ("process_virtual_memory_bytes", r#"process_virtual_memory_bytes{job="ems"}"#),
];

/// Why we cut a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The header section was not whole in time.
    SlowHeader,
    /// The header section was too large.
    LargeHeader,
    /// Nothing of the answer was taken in time.
    SlowReader,
}

impl DisconnectReason {
    const ALL: [Self; 3] = [Self::SlowHeader, Self::LargeHeader, Self::SlowReader];

    const fn label(self) -> &'static str {
        match self {
            Self::SlowHeader => "slow_header",
            Self::LargeHeader => "large_header",
            Self::SlowReader => "slow_reader",
        }
    }
}

/// Metrics about ourselves.
#[derive(Debug)]
pub struct ExporterMetrics {
    registry: Registry,
    /// Open HTTP connections.
    pub connections: IntGauge,
    /// HTTP connections accepted since the start.
    pub connections_accepted: IntCounter,
    /// Times that no connection could be accepted.
    pub accept_failures: IntCounter,
    /// Times that as many connections were open as may be.
    pub connection_limit_hits: IntCounter,
    /// Connections that we cut, by reason.
    cut: IntCounterVec,
    /// Connections on which TLS could not be agreed on.
    pub handshake_failures: IntCounter,
    /// When the configuration in force was read.
    loaded_at: Gauge,
    /// Whether the last reading of the configuration found no fault.
    loaded: IntGauge,
    /// When the web configuration in force was read.
    web_loaded_at: Gauge,
    /// Whether the last reading of the web configuration found no fault.
    web_loaded: IntGauge,
    /// Answers by status code.
    pub responses: IntCounterVec,
    /// Clients of the live feed.
    pub feed_listeners: IntGauge,
    /// Clients of the live feed that were turned away.
    pub feed_refused: IntCounter,
    /// Times that a client of the live feed was too slow and missed something.
    pub feed_lagged: IntCounter,
    /// Samples on the last page of metrics.
    pub page_samples: IntGauge,
    /// Seconds that the last page of metrics took.
    pub page_seconds: Gauge,
}

impl ExporterMetrics {
    /// A registry of its own, with `config_loaded` as the moment when the configuration was read.
    pub fn new(config_loaded: Timestamp) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build =
            Opts::new("ems_exporter_build_info", "Always 1; the label tells the version of the exporter.")
                .const_label("version", env!("CARGO_PKG_VERSION"));
        IntGauge::with_opts(build).and_then(|info| {
            info.set(1);
            registry.register(Box::new(info))
        })?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let own = Self {
            connections: IntGauge::new("ems_exporter_http_connections", "HTTP connections that are open.")?,
            connections_accepted: IntCounter::new(
                "ems_exporter_http_connections_accepted_total",
                "HTTP connections accepted.",
            )?,
            accept_failures: IntCounter::new(
                "ems_exporter_http_accept_failures_total",
                "Times that no HTTP connection could be accepted, such as for want of file descriptors.",
            )?,
            connection_limit_hits: IntCounter::new(
                "ems_exporter_http_connection_limit_hits_total",
                "Times that a connection had to wait since as many were open as may be.",
            )?,
            cut: IntCounterVec::new(
                Opts::new(
                    "ems_exporter_http_connections_closed_total",
                    "HTTP connections that were cut: slow_header, no whole header section of a first request in time; large_header, one that is too large; slow_reader, an answer of which nothing was taken in time.",
                ),
                &["reason"],
            )?,
            handshake_failures: IntCounter::new(
                "ems_exporter_http_handshake_failures_total",
                "Connections on which TLS could not be agreed on.",
            )?,
            loaded_at: Gauge::new(
                "ems_exporter_config_last_load_success_timestamp_seconds",
                "When the configuration in force was read.",
            )?,
            loaded: IntGauge::new(
                "ems_exporter_config_last_reload_successful",
                "Whether the last reading of the configuration found no fault: 1 or 0.",
            )?,
            web_loaded_at: Gauge::new(
                "ems_exporter_web_config_last_load_success_timestamp_seconds",
                "When the web configuration in force was read.",
            )?,
            web_loaded: IntGauge::new(
                "ems_exporter_web_config_last_reload_successful",
                "Whether the last reading of the web configuration found no fault: 1 or 0.",
            )?,
            responses: IntCounterVec::new(
                Opts::new("ems_exporter_http_responses_total", "HTTP answers by status code."),
                &["code"],
            )?,
            feed_listeners: IntGauge::new(
                "ems_exporter_feed_clients",
                "Clients that listen to the live feed, each open status page among them.",
            )?,
            feed_refused: IntCounter::new(
                "ems_exporter_feed_clients_rejected_total",
                "Clients of the live feed that were turned away: as many listened as may at once.",
            )?,
            feed_lagged: IntCounter::new(
                "ems_exporter_feed_lagged_total",
                "Times that a client of the live feed was too slow and missed something, or was dropped.",
            )?,
            page_samples: IntGauge::new(
                "ems_exporter_scrape_samples",
                "Samples on the last page of metrics.",
            )?,
            page_seconds: Gauge::new(
                "ems_exporter_scrape_duration_seconds",
                "How long the last page of metrics took to write, compression included.",
            )?,
            registry,
        };
        for cut in DisconnectReason::ALL {
            own.cut.with_label_values(&[cut.label()]).inc_by(0);
        }
        own.config_loaded(true, config_loaded);
        own.web_loaded(true, config_loaded);
        for code in ["200", "400", "401", "403", "404", "413", "503"] {
            own.responses.with_label_values(&[code]).inc_by(0);
        }
        own.register(&own.connections)?;
        own.register(&own.connections_accepted)?;
        own.register(&own.accept_failures)?;
        own.register(&own.connection_limit_hits)?;
        own.register(&own.cut)?;
        own.register(&own.handshake_failures)?;
        own.register(&own.loaded_at)?;
        own.register(&own.loaded)?;
        own.register(&own.web_loaded_at)?;
        own.register(&own.web_loaded)?;
        own.register(&own.responses)?;
        own.register(&own.feed_listeners)?;
        own.register(&own.feed_refused)?;
        own.register(&own.feed_lagged)?;
        own.register(&own.page_samples)?;
        own.register(&own.page_seconds)?;
        Ok(own)
    }

    /// Counts a connection that was cut.
    pub fn count_disconnect(&self, why: DisconnectReason) {
        self.cut.with_label_values(&[why.label()]).inc();
    }

    /// Counts an answer.
    pub fn count_response(&self, status: axum::http::StatusCode) {
        self.responses.with_label_values(&[status.as_str()]).inc();
    }

    /// The configuration was read at `at`, and put in force if it had no fault.
    pub fn config_loaded(&self, good: bool, at: Timestamp) {
        self.loaded.set(i64::from(good));
        if good {
            self.loaded_at.set(at.seconds());
        }
    }

    /// The web configuration was read at `at`, and put in force if it had no fault.
    pub fn web_loaded(&self, good: bool, at: Timestamp) {
        self.web_loaded.set(i64::from(good));
        if good {
            self.web_loaded_at.set(at.seconds());
        }
    }

    fn register(&self, metric: &(impl Collector + Clone + 'static)) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))
    }
}

/// A metric of a media server, whichever family's it is.
struct Shown {
    part: Part,
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: &'static [&'static str],
    query: &'static str,
    samples: Box<Write>,
}

type Write = dyn Fn(&State, &mut Samples<'_>) + Send + Sync;

/// All metrics of media servers, in the order of the page.
static SHOWN: LazyLock<Vec<Shown>> = LazyLock::new(|| {
    let mut all = Vec::new();
    show(&mut all, Part::Server, state::METRICS, |state| state);
    show(&mut all, Part::Server, server::METRICS, |state| &state.server);
    show(&mut all, Part::Streams, stream::METRICS, |state| &state.streams);
    show(&mut all, Part::Outputs, output::METRICS, |state| &state.outputs);
    show(&mut all, Part::Timers, timer::METRICS, |state| &state.timers);
    show(&mut all, Part::Sessions, session::METRICS, |state| &state.sessions);
    show(&mut all, Part::Connections, connection::METRICS, |state| &state.connections);
    show(&mut all, Part::Api, api_call::METRICS, |state| &state.api);
    show(&mut all, Part::Processes, process::METRICS, |state| &state.processes);
    all
});

fn show<T>(all: &mut Vec<Shown>, part: Part, metrics: &'static [Metric<T>], table: fn(&State) -> &T) {
    all.extend(metrics.iter().map(|metric| Shown {
        part,
        name: metric.name,
        kind: metric.kind,
        help: metric.help,
        labels: metric.labels,
        query: metric.query,
        samples: Box::new(move |state, samples| (metric.samples)(table(state), samples)),
    }));
}

/// All that a page tells of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The media servers.
    pub ingest: &'s Pipeline,
    /// Their event files.
    pub files: &'s [Arc<FileInput>],
    /// Their reconciliations.
    pub reconcilers: &'s [Arc<Reconciler>],
    /// What rules have done, where there are any.
    pub actions: Option<&'s Actions>,
    /// Ourselves.
    pub own: &'s ExporterMetrics,
}

impl<'s> Sources<'s> {
    /// Media servers of which nothing is known but their events.
    pub const fn of_events(ingest: &'s Pipeline, own: &'s ExporterMetrics) -> Self {
        Self { ingest, files: &[], reconcilers: &[], actions: None, own }
    }
}

/// Writes the whole page; see [`render_selected`].
pub fn render(sources: Sources<'_>, style: Style, now: Timestamp, into: &mut impl FnMut(&[u8])) -> u64 {
    render_selected(sources, &Selection::default(), style, now, into)
}

/// Writes what is selected of the page and hands it over piece by piece; returns the number of
/// samples. What depends on the passing of time is brought up to `now` first.
pub fn render_selected(
    sources: Sources<'_>,
    selection: &Selection,
    style: Style,
    now: Timestamp,
    into: &mut impl FnMut(&[u8]),
) -> u64 {
    let Sources { ingest, files, reconcilers, actions, own } = sources;
    ingest.tick(now);
    let mut servers = ingest.servers();
    servers.retain(|server| selection.has_server(&server.name));
    let tally = ingest.tally();
    let mut page = Page::new(style);
    for metric in SHOWN.iter().filter(|metric| selection.has(metric.part, metric.name)) {
        page.describe(metric.name, metric.kind, metric.help);
        for server in &servers {
            server.read(|state| {
                (metric.samples)(state, &mut page.samples(metric.name, Some(&server.name), now));
            });
        }
        page.take(into);
    }
    let readings: Vec<_> = files.iter().map(|files| (files.server.name.as_str(), files.reading())).collect();
    beside(&mut page, Part::Files, file_input::METRICS, &readings, selection, now);
    let statuses: Vec<_> =
        reconcilers.iter().map(|looks| (looks.server.name.as_str(), looks.status())).collect();
    beside(&mut page, Part::Reconcile, reconcile::METRICS, &statuses, selection, now);
    if let Some(actions) = actions {
        let summaries = actions.summaries();
        let summaries: Vec<_> = summaries.iter().map(|(name, summary)| (&**name, summary)).collect();
        beside(&mut page, Part::Actions, actions::METRICS, &summaries, selection, now);
    }
    for metric in tally::METRICS.iter().filter(|metric| selection.has(Part::Exporter, metric.name)) {
        page.describe(metric.name, metric.kind, metric.help);
        (metric.samples)(&tally, &mut page.samples(metric.name, None, now));
    }
    for family in own.registry.gather().iter().filter(|family| selection.has(Part::Exporter, family.name())) {
        registered(&mut page, family, now);
    }
    page.finish();
    page.take(into);
    page.series()
}

/// What is selected of metrics that stand beside the state of servers, each with the name of its server.
fn beside<T>(
    page: &mut Page,
    part: Part,
    metrics: &[Metric<T>],
    readings: &[(&str, impl Borrow<T>)],
    selection: &Selection,
    now: Timestamp,
) {
    for metric in metrics.iter().filter(|metric| selection.has(part, metric.name)) {
        page.describe(metric.name, metric.kind, metric.help);
        for (server, reading) in readings.iter().filter(|(server, _)| selection.has_server(server)) {
            (metric.samples)(reading.borrow(), &mut page.samples(metric.name, Some(server), now));
        }
    }
}

/// A metric of our own registry, which holds counters and gauges only.
fn registered(page: &mut Page, family: &MetricFamily, now: Timestamp) {
    page.describe(family.name(), kind_of(family), family.help());
    for metric in family.get_metric() {
        let labels: Vec<(String, String)> = metric
            .get_label()
            .iter()
            .map(|label| (label.name().to_owned(), label.value().to_owned()))
            .collect();
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let value = match kind_of(family) {
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Gauge | Kind::Histogram => metric.get_gauge().get_value(),
        };
        page.samples(family.name(), None, now).add(&labels, value);
    }
}

fn kind_of(family: &MetricFamily) -> Kind {
    if family.get_field_type() == MetricType::COUNTER { Kind::Counter } else { Kind::Gauge }
}

/// The catalogue: every metric that a page can hold, in the order of the page.
pub fn catalogue(own: &ExporterMetrics) -> Vec<Description> {
    let described = |name: &str, kind, help: &str, query, labels: &[&[&str]]| Description {
        name: name.to_owned(),
        kind,
        help: help.to_owned(),
        labels: labels.concat().iter().map(|label| (*label).to_owned()).collect(),
        query,
    };
    let server: &[&str] = &["server"];
    let servers = SHOWN.iter().map(|metric| {
        described(metric.name, metric.kind, metric.help, metric.query, &[server, metric.labels])
    });
    let files = file_input::METRICS.iter().map(|metric| {
        described(metric.name, metric.kind, metric.help, metric.query, &[server, metric.labels])
    });
    let reconciles = reconcile::METRICS.iter().map(|metric| {
        described(metric.name, metric.kind, metric.help, metric.query, &[server, metric.labels])
    });
    let actions = actions::METRICS.iter().map(|metric| {
        described(metric.name, metric.kind, metric.help, metric.query, &[server, metric.labels])
    });
    let tallies = tally::METRICS
        .iter()
        .map(|metric| described(metric.name, metric.kind, metric.help, metric.query, &[metric.labels]));
    let gathered = own.registry.gather();
    let registered = gathered.iter().map(|family| {
        let labels = family.get_metric().first().map(|metric| metric.get_label()).unwrap_or_default();
        let labels: Vec<&str> = labels.iter().map(|label| label.name()).collect();
        let query =
            OWN_QUERIES.iter().find(|(name, _)| *name == family.name()).map_or("", |(_, query)| *query);
        described(family.name(), kind_of(family), family.help(), query, &[&labels])
    });
    servers.chain(files).chain(reconciles).chain(actions).chain(tallies).chain(registered).collect()
}
