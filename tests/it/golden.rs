//! The whole page after the recorded session, as one file. `UPDATE_GOLDEN=1 cargo test` rewrites it.

use ems_exporter::exposition::Style;
use ems_exporter::metrics::{self, ExporterMetrics};
use ems_protocol::Timestamp;

use crate::support::{Harness, START, at, body, fixture, session};

fn replayed() -> (Harness, f64) {
    let harness = Harness::new();
    let mut last = 0;
    for request in session() {
        let body = body(&request);
        let text = String::from_utf8_lossy(body);
        let (_, tail) = text.rsplit_once("\"timestamp\":").unwrap();
        let timestamp: u64 = tail.split(',').next().unwrap().parse().unwrap();
        last = last.max(timestamp);
        let accepted = harness.send(body, Timestamp::from_seconds(timestamp));
        assert_eq!(accepted.rejected, 0, "{text}");
    }
    (harness, (last - START) as f64 + 1.0)
}

/// The page with the values of our own process masked: they differ in each run.
fn masked(page: &str, style: Style) -> String {
    let own = ExporterMetrics::new(at(0.0)).unwrap();
    let ours =
        metrics::catalogue(&own).into_iter().skip_while(|metric| metric.name != "ems_exporter_build_info");
    let ours: Vec<String> = ours.map(|metric| metric.name).collect();
    let mask = |line: &str| {
        let name = line.split(['{', ' ']).next().unwrap();
        let masked = ours.iter().any(|ours| ours == name);
        if masked { format!("{} *\n", line.rsplit_once(' ').unwrap().0) } else { format!("{line}\n") }
    };
    assert_eq!(page.ends_with("# EOF\n"), style == Style::OpenMetrics);
    page.lines().map(mask).collect()
}

fn compare(style: Style, file: &str) {
    let (harness, end) = replayed();
    let page = masked(&harness.page(style, end), style);
    let path = fixture(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (line, (ours, golden)) in page.lines().zip(golden.lines()).enumerate() {
        assert_eq!(ours, golden, "{file}:{}: UPDATE_GOLDEN=1 rewrites it", line + 1);
    }
    assert_eq!(page.len(), golden.len(), "{file}: UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn the_page_after_the_recorded_session() {
    compare(Style::Prometheus, "session.metrics");
}

#[test]
fn the_page_after_the_recorded_session_as_openmetrics() {
    compare(Style::OpenMetrics, "session.openmetrics");
}

#[test]
fn every_metric_on_the_page_is_in_the_catalogue_and_the_other_way_round() {
    let (harness, end) = replayed();
    let page = harness.page(Style::Prometheus, end);
    let on_page: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let catalogue = metrics::catalogue(&ExporterMetrics::new(at(0.0)).unwrap());
    let names = catalogue.iter().map(|metric| metric.name.as_str());
    // Actions have metrics where rules are configured, folders in an exporter that runs.
    let elsewhere = ["ems_exporter_action", "ems_folder", "ems_exporter_chunk_files"];
    let names: Vec<&str> =
        names.filter(|name| !elsewhere.iter().any(|start| name.starts_with(start))).collect();
    assert_eq!(on_page, names);
    for metric in &catalogue {
        assert!(metric.help.ends_with('.'), "{}: {}", metric.name, metric.help);
        let counter = metric.kind == ems_exporter::exposition::Kind::Counter;
        assert_eq!(metric.name.ends_with("_total"), counter, "{}", metric.name);
    }
}

#[test]
fn samples_have_the_labels_of_the_catalogue() {
    let (harness, end) = replayed();
    let page = harness.page(Style::Prometheus, end);
    let catalogue = metrics::catalogue(&ExporterMetrics::new(at(0.0)).unwrap());
    for line in page.lines().filter(|line| !line.starts_with('#') && line.contains("{server=")) {
        let (name, labels) = line.split_once('{').unwrap();
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let metric = catalogue.iter().find(|metric| metric.name == name || metric.name == base).unwrap();
        for label in &metric.labels {
            assert!(labels.contains(&format!("{label}=\"")), "{line} has no {label}");
        }
    }
}
