//! Metrics: the catalogue, the exporter's own metrics, and the page for Prometheus.
//!
//! Metrics about media servers are rendered from the tables, one metric at a time: each takes a server's lock for its
//! own samples only, so that a scrape of any size delays no event.

mod catalogue;
mod exporter;
mod group;
mod selection;

use std::borrow::Borrow;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use prometheus::proto::MetricFamily;

use crate::actions::{self, Actions};
use crate::exposition::{Kind, Metric, Page, Style};
use crate::file_input::{self, FileInput};
use crate::folders::{self, Folders};
use crate::pipeline::{Pipeline, proof, tally};
use crate::reconcile::{self, Reconciler};
use ems_protocol::{Timestamp, Wall};

use catalogue::{SERVER_METRICS, kind_of};

pub use catalogue::{Description, catalogue};
pub use exporter::{DisconnectReason, ExporterMetrics};
pub use group::MetricGroup;
pub use selection::{Selection, SelectionError};

/// Everything that metrics, lists and snapshots are rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The media servers.
    pub pipeline: &'s Pipeline,
    /// Their event files.
    pub files: &'s [Arc<FileInput>],
    /// Their reconciliations.
    pub reconcilers: &'s [Arc<Reconciler>],
    /// The calls of rules, where there are any.
    pub actions: Option<&'s Actions>,
    /// The folders of outputs, where they are looked at.
    pub folders: Option<&'s Folders>,
    /// The exporter itself.
    pub exporter: &'s ExporterMetrics,
}

impl<'s> Sources<'s> {
    /// Media servers that only send events.
    pub const fn of_events(pipeline: &'s Pipeline, exporter: &'s ExporterMetrics) -> Self {
        Self { pipeline, files: &[], reconcilers: &[], actions: None, folders: None, exporter }
    }
}

/// Renders the whole page; see [`render_selected`].
pub fn render(sources: Sources<'_>, style: Style, now: Timestamp, into: &mut impl FnMut(&[u8])) -> u64 {
    let mut all = |bytes: &[u8]| -> ControlFlow<Infallible> {
        into(bytes);
        ControlFlow::Continue(())
    };
    let ControlFlow::Continue(series) = render_selected(sources, &Selection::default(), style, now, &mut all);
    series
}

/// Renders the selected metrics as of `now`, piece by piece, until `into` breaks off; returns the number of samples. No
/// lock is held while `into` runs, so that it may wait for a client.
pub fn render_selected<B>(
    sources: Sources<'_>,
    selection: &Selection,
    style: Style,
    now: Timestamp,
    into: &mut impl FnMut(&[u8]) -> ControlFlow<B>,
) -> ControlFlow<B, u64> {
    let Sources { pipeline, files, reconcilers, actions, folders, exporter } = sources;
    pipeline.tick(now);
    let wall = pipeline.wall();
    exporter.time.set(now.seconds());
    let mut servers = pipeline.servers();
    servers.retain(|server| selection.has_server(&server.name));
    let tally = pipeline.tally();
    let mut page = Page::new(style, wall);
    for metric in SERVER_METRICS.iter() {
        let Description { name, kind, help, .. } = &metric.description;
        if !selection.has(metric.group, name) {
            continue;
        }
        page.describe(name, *kind, help);
        for server in &servers {
            server.read(|state| (metric.samples)(state, &mut page.samples(name, Some(&server.name), now)));
            page.take_piece(into)?;
        }
    }
    let readings: Vec<_> = files.iter().map(|files| (files.server.name.as_str(), files.reading())).collect();
    render_per_server(&mut page, MetricGroup::Files, file_input::METRICS, &readings, selection, now);
    let statuses: Vec<_> =
        reconcilers.iter().map(|reconciler| (reconciler.server.name.as_str(), reconciler.status())).collect();
    render_per_server(&mut page, MetricGroup::Reconcile, reconcile::METRICS, &statuses, selection, now);
    if let Some(actions) = actions {
        let summaries = actions.summaries();
        let summaries: Vec<_> = summaries.iter().map(|(name, summary)| (&**name, summary)).collect();
        render_per_server(&mut page, MetricGroup::Actions, actions::METRICS, &summaries, selection, now);
        let held: Vec<_> = servers.iter().map(|server| (server.name.as_str(), server.proof())).collect();
        render_per_server(&mut page, MetricGroup::Actions, proof::METRICS, &held, selection, now);
    }
    if let Some(folders) = folders {
        let readings = folders.readings();
        let readings: Vec<_> = readings.iter().map(|(name, reading)| (name.as_str(), reading)).collect();
        render_per_server(&mut page, MetricGroup::Folders, folders::METRICS, &readings, selection, now);
    }
    for metric in tally::METRICS.iter().filter(|metric| selection.has(MetricGroup::Exporter, metric.name)) {
        page.describe(metric.name, metric.kind, metric.help);
        (metric.samples)(&tally, &mut page.samples(metric.name, None, now));
    }
    for family in
        exporter.registry.gather().iter().filter(|family| selection.has(MetricGroup::Exporter, family.name()))
    {
        render_registered(&mut page, family, now, wall);
    }
    page.finish();
    page.take(into)?;
    ControlFlow::Continue(page.series())
}

/// Renders metrics about servers that are not part of their state; each reading has the name of its server.
fn render_per_server<T>(
    page: &mut Page,
    group: MetricGroup,
    metrics: &[Metric<T>],
    readings: &[(&str, impl Borrow<T>)],
    selection: &Selection,
    now: Timestamp,
) {
    for metric in metrics.iter().filter(|metric| selection.has(group, metric.name)) {
        page.describe(metric.name, metric.kind, metric.help);
        for (server, reading) in readings.iter().filter(|(server, _)| selection.has_server(server)) {
            (metric.samples)(reading.borrow(), &mut page.samples(metric.name, Some(server), now));
        }
    }
}

/// Renders a metric of the registry.
fn render_registered(page: &mut Page, family: &MetricFamily, now: Timestamp, wall: Wall) {
    page.describe(family.name(), kind_of(family), family.help());
    for metric in family.get_metric() {
        let labels: Vec<_> = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        let value = match kind_of(family) {
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Gauge | Kind::Histogram => metric.get_gauge().get_value(),
        };
        // The registry holds times of the steady clock, except for the start of the process.
        let is_time = ["ems_exporter_time_seconds", "_timestamp_seconds"]
            .iter()
            .any(|end| family.name().ends_with(end));
        let value = if is_time { value + wall.difference() as f64 } else { value };
        page.samples(family.name(), None, now).add(&labels, value);
    }
}
