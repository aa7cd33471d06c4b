//! The alert rules, their configurations, and every query in the documentation.

use std::fs;

use ems_exporter::metrics::{self, ExporterMetrics};
use ems_protocol::Timestamp;
use serde_json::json;
use testkit::process::run_successfully;
use testkit::programs::require;
use testkit::{promql_blocks, repository};

/// Runs a program in the folder of the rules; it must succeed. Returns its output.
fn run(program: &str, arguments: &[&str]) -> String {
    require(&["promtool", "amtool"]);
    let folder = repository().join("dashboards/prometheus");
    run_successfully(testkit::programs::command(program).args(arguments).current_dir(folder), b"")
}

#[test]
fn prometheus_accepts_the_rules_and_the_configuration() {
    run("promtool", &["check", "rules", "alerts.yml"]);
    run("promtool", &["check", "config", "prometheus.yml"]);
}

#[test]
fn the_rules_pass_their_tests() {
    run("promtool", &["test", "rules", "alerts.test.yml"]);
}

#[test]
fn alertmanager_accepts_its_configuration_and_routes_by_severity() {
    run("amtool", &["check-config", "alertmanager.yml"]);
    for (severity, receiver) in [("critical", "page"), ("warning", "notes")] {
        let severity = format!("severity={severity}");
        let output =
            run("amtool", &["config", "routes", "test", "--config.file=alertmanager.yml", &severity]);
        assert_eq!(output.trim(), receiver);
    }
}

#[test]
fn prometheus_parses_every_query_of_the_documentation() {
    let own = ExporterMetrics::new(Timestamp::now()).unwrap();
    let mut queries: Vec<String> =
        metrics::catalogue(&own).iter().map(|metric| metric.query.to_owned()).collect();
    for page in ["dashboards/prometheus/RUNBOOK.md", "README.md"] {
        queries.extend(promql_blocks(&fs::read_to_string(repository().join(page)).unwrap()));
    }
    assert!(queries.len() > 100, "too few queries");
    let rules: Vec<_> = (0..)
        .zip(&queries)
        .map(|(at, query)| json!({"record": format!("query:{at}"), "expr": query}))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    fs::write(&file, json!({"groups": [{"name": "queries", "rules": rules}]}).to_string()).unwrap();
    run("promtool", &["check", "rules", file.to_str().unwrap()]);
}
