//! `docs/METRICS.md`, written from the catalogue. `UPDATE_GOLDEN=1 cargo test` rewrites it.

use std::fmt::Write as _;
use std::path::Path;

use ems_exporter::exposition::Kind;
use ems_exporter::metrics::{self, Description, ExporterMetrics};
use ems_exporter::model::event::EventKind as Event;

use crate::alert_rules::{Names, parse};
use crate::support::at;

const FILE: &str = "docs/METRICS.md";
/// Metrics that every event moves, whatever its name.
const OF_EVERY_EVENT: [&str; 3] =
    ["ems_server_mixed", "ems_events_total", "ems_last_event_timestamp_seconds"];

fn catalogue() -> Vec<Description> {
    metrics::catalogue(&ExporterMetrics::new(at(0.0)).unwrap())
}

fn unit(metric: &Description) -> &'static str {
    let name = metric.name.trim_end_matches("_total");
    if name.ends_with("_timestamp_seconds") || name == "process_start_time_seconds" {
        "seconds since 1970-01-01 UTC"
    } else if name.ends_with("_seconds") {
        "seconds"
    } else if name.ends_with("_bits_per_second") {
        "bits per second"
    } else if name.contains("_bytes") {
        "bytes"
    } else if name.ends_with("_info") {
        "always 1"
    } else if name.ends_with("_up") {
        "1 or 0"
    } else {
        "a number"
    }
}

/// Commands of the runtime API whose answers metrics show.
const COMMANDS: [&str; 2] = ["listStreams", "version"];

/// The events that a metric's HELP names, and the commands.
fn sources(metric: &Description) -> Vec<&'static str> {
    let named = |event: &str| {
        metric.help.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == event)
    };
    let events = Event::all().map(|kind| kind.label()).filter(|event| *event != "other" && named(event));
    let commands = COMMANDS.into_iter().filter(|command| metric.help.contains(&format!("of {command}")));
    events.chain(commands).collect()
}

fn about_ourselves(metric: &Description) -> bool {
    metric.name.starts_with("ems_exporter_") || metric.name.starts_with("process_")
}

fn entry(metric: &Description) -> String {
    let mut entry = format!("### `{}`\n\n", metric.name);
    let code = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let labels: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
    let labels = if labels.is_empty() { "none".to_owned() } else { code(&labels) };
    let source = match sources(metric).as_slice() {
        _ if about_ourselves(metric) => "the exporter itself".to_owned(),
        [] => "every event".to_owned(),
        sources => code(sources),
    };
    // The only sign in a HELP text that Markdown would take for its own.
    let help = metric.help.replace("__", "\\_\\_");
    writeln!(entry, "{help}\n").unwrap();
    writeln!(entry, "- {}, {}", metric.kind.word(), unit(metric)).unwrap();
    writeln!(entry, "- labels: {labels}").unwrap();
    writeln!(entry, "- source: {source}\n").unwrap();
    writeln!(entry, "```promql\n{}\n```\n", metric.query).unwrap();
    entry
}

fn document() -> String {
    let catalogue = catalogue();
    let mut document = String::from(
        "# Metrics\n\n\
         Every metric of the exporter, in the order of its page, with an example query for Prometheus. This file is\n\
         written from the catalogue in the code: `UPDATE_GOLDEN=1 cargo test --test it docs` rewrites it.\n\n\
         Gauges of a thing that has closed vanish at once; its counters stay for `series.retention`. Events can be late,\n\
         repeated or lost; each text says how repeats are counted. Prometheus adds the labels `job` and `instance`.\n\n",
    );
    type Belongs = fn(&Description) -> bool;
    let parts: [(&str, Belongs); 3] = [
        ("Media servers", |metric| !about_ourselves(metric)),
        ("The exporter", |metric| metric.name.starts_with("ems_exporter_")),
        ("Its process", |metric| metric.name.starts_with("process_")),
    ];
    for (title, belongs) in parts {
        writeln!(document, "## {title}\n").unwrap();
        for metric in catalogue.iter().filter(|metric| belongs(metric)) {
            document.push_str(&entry(metric));
        }
    }
    document.truncate(document.trim_end().len());
    document.push('\n');
    document
}

#[test]
fn the_page_of_metrics_is_current() {
    let document = document();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    for (line, (ours, written)) in document.lines().zip(written.lines()).enumerate() {
        assert_eq!(ours, written, "{FILE}:{}: UPDATE_GOLDEN=1 rewrites it", line + 1);
    }
    assert_eq!(document.len(), written.len(), "{FILE}: UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_metric_of_a_media_server_names_its_events() {
    for metric in catalogue().iter().filter(|metric| !about_ourselves(metric)) {
        let of_every = OF_EVERY_EVENT.contains(&metric.name.as_str());
        assert_eq!(sources(metric).is_empty(), of_every, "{}: {}", metric.name, metric.help);
    }
}

#[test]
fn every_example_query_shows_its_metric_and_parses() {
    let names = Names::of_catalogue();
    let catalogue = catalogue();
    for metric in &catalogue {
        assert!(metric.query.contains(&metric.name), "{}: {}", metric.name, metric.query);
        names.check(metric.query);
        parse(metric.query);
        let counter = metric.kind == Kind::Counter;
        let compared = metric.query.contains(&format!("{} - ", metric.name));
        assert!(
            !counter || compared || metric.query.contains("rate(") || metric.query.contains("increase("),
            "a counter needs rate() or increase(): {}",
            metric.query
        );
    }
}
