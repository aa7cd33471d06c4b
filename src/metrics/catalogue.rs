//! The catalogue of all metrics.

use std::sync::LazyLock;

use prometheus::proto::{MetricFamily, MetricType};

use super::exporter::{ExporterMetrics, QUERIES};
use super::group::MetricGroup;
use crate::exposition::{Kind, Metric, Samples};
use crate::model::state::{self, State};
use crate::model::{api_call, connection, output, process, server, session, stream, timer};
use crate::pipeline::{proof, tally};
use crate::{actions, file_input, folders, reconcile};

/// A metric without its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The whole name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Its HELP text.
    pub help: String,
    /// All its labels.
    pub labels: Vec<String>,
    /// A PromQL query that shows its use.
    pub query: &'static str,
}

/// A metric of media servers, of any family.
pub(super) struct ServerMetric {
    pub(super) group: MetricGroup,
    pub(super) description: Description,
    pub(super) samples: Box<Write>,
}

type Write = dyn Fn(&State, &mut Samples<'_>) + Send + Sync;

/// All metrics of media servers, in the order of the page.
pub(super) static SERVER_METRICS: LazyLock<Vec<ServerMetric>> = LazyLock::new(|| {
    let mut all = Vec::new();
    add(&mut all, MetricGroup::Server, state::METRICS, |state| state);
    add(&mut all, MetricGroup::Server, server::METRICS, |state| &state.server);
    add(&mut all, MetricGroup::Streams, stream::METRICS, |state| &state.streams);
    add(&mut all, MetricGroup::Outputs, output::METRICS, |state| &state.outputs);
    add(&mut all, MetricGroup::Timers, timer::METRICS, |state| &state.timers);
    add(&mut all, MetricGroup::Sessions, session::METRICS, |state| &state.sessions);
    add(&mut all, MetricGroup::Connections, connection::METRICS, |state| &state.connections);
    add(&mut all, MetricGroup::Api, api_call::METRICS, |state| &state.api);
    add(&mut all, MetricGroup::Processes, process::METRICS, |state| &state.processes);
    all
});

fn add<T>(
    all: &mut Vec<ServerMetric>,
    group: MetricGroup,
    metrics: &'static [Metric<T>],
    table: fn(&State) -> &T,
) {
    all.extend(metrics.iter().map(|metric| ServerMetric {
        group,
        description: describe(metric, SERVER),
        samples: Box::new(move |state, samples| (metric.samples)(table(state), samples)),
    }));
}

/// The catalogue: every metric that a page can hold, in the order of the page.
pub fn catalogue(exporter: &ExporterMetrics) -> Vec<Description> {
    let mut all: Vec<_> = SERVER_METRICS.iter().map(|metric| metric.description.clone()).collect();
    all.extend(file_input::METRICS.iter().map(|metric| describe(metric, SERVER)));
    all.extend(reconcile::METRICS.iter().map(|metric| describe(metric, SERVER)));
    all.extend(actions::METRICS.iter().map(|metric| describe(metric, SERVER)));
    all.extend(proof::METRICS.iter().map(|metric| describe(metric, SERVER)));
    all.extend(folders::METRICS.iter().map(|metric| describe(metric, SERVER)));
    all.extend(tally::METRICS.iter().map(|metric| describe(metric, &[])));
    all.extend(exporter.registry.gather().iter().map(|family| {
        let labels = family.get_metric().first().map(|metric| metric.get_label()).unwrap_or_default();
        Description {
            name: family.name().to_owned(),
            kind: kind_of(family),
            help: family.help().to_owned(),
            labels: labels.iter().map(|label| label.name().to_owned()).collect(),
            query: QUERIES.iter().find(|(name, _)| *name == family.name()).map_or("", |(_, query)| *query),
        }
    }));
    all
}

/// The label of all metrics about one media server.
const SERVER: &[&str] = &["server"];

fn describe<T>(metric: &Metric<T>, labels: &[&str]) -> Description {
    Description {
        name: metric.name.to_owned(),
        kind: metric.kind,
        help: metric.help.to_owned(),
        labels: [labels, metric.labels].concat().iter().map(|label| (*label).to_owned()).collect(),
        query: metric.query,
    }
}

/// The type of a metric of the registry, which holds counters and gauges only.
pub(super) fn kind_of(family: &MetricFamily) -> Kind {
    if family.get_field_type() == MetricType::COUNTER { Kind::Counter } else { Kind::Gauge }
}
