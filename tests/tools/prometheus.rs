//! The alert rules, their configurations, and every query in the documentation.

use std::fs;

use ems_exporter::metrics::{self, ExporterMetrics};
use ems_protocol::Timestamp;
use serde_json::{Value, json};
use testkit::alertmanager::Alertmanager;
use testkit::fake_server::{FakeServer, Reply};
use testkit::http;
use testkit::process::run_successfully;
use testkit::programs::require;
use testkit::wait::{holds, wait_for};
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
fn of_a_server_whose_outputs_all_stall_only_that_is_notified() {
    require(&["prometheus-alertmanager"]);
    let webhook = FakeServer::start_on_thread(|_| Reply::Data(Value::Null));
    let shipped = fs::read_to_string(repository().join("dashboards/prometheus/alertmanager.yml")).unwrap();
    let config = shipped
        .replace("group_wait: 15s", "group_wait: 1s")
        .replace("group_wait: 30s", "group_wait: 1s")
        .replace("http://127.0.0.1:9098", &format!("http://{}", webhook.address));
    let alertmanager = Alertmanager::configured(&config);
    let alert = |name: &str, server: &str, stream: &str| {
        let severity = if name == "EmsChunkSlow" { "warning" } else { "critical" };
        json!({"labels": {"alertname": name, "job": "ems", "instance": "a:10777", "server": server,
            "format": "hls", "group": "g", "stream": stream, "severity": severity}})
    };
    // The single outputs come first, as in an evaluation of the rules.
    let names = ["EmsChunkStalled", "EmsChunkNeverStarted", "EmsChunkSlow", "EmsPlaylistStalled"];
    let mut alerts: Vec<Value> = names.iter().map(|name| alert(name, "east", "cam1")).collect();
    alerts.extend([alert("EmsChunkStalled", "east", "cam2"), alert("EmsChunkStalled", "west", "cam1")]);
    alerts.push(json!({"labels": {"alertname": "EmsServerStalled", "job": "ems", "instance": "a:10777",
        "server": "east", "severity": "critical"}}));
    let post = |alerts: Value| {
        let body = alerts.to_string();
        let head = "POST /api/v2/alerts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = http::block_on(http::exchange(alertmanager.address, request.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    post(json!(alerts));
    wait_for("the alerts of single outputs to be inhibited", || {
        let listed = http::block_on(http::get(alertmanager.address, "/api/v2/alerts", &[])).unwrap().json();
        let inhibited = |alert: &&Value| alert["status"]["inhibitedBy"] != json!([]);
        let inhibited = listed.as_array().unwrap().iter().filter(inhibited).count();
        holds(inhibited == 5, listed)
    });
    let notified = || -> Vec<(String, String)> {
        let alerts =
            webhook.all().into_iter().flat_map(|message| message.body()["alerts"].as_array().cloned());
        let labels = alerts.flatten().map(|alert| alert["labels"].clone());
        let text = |label: &Value| label.as_str().unwrap().to_owned();
        let mut notified: Vec<_> =
            labels.map(|labels| (text(&labels["alertname"]), text(&labels["server"]))).collect();
        notified.sort();
        notified
    };
    let expected = [("EmsChunkStalled", "west"), ("EmsServerStalled", "east")];
    let expected = expected.map(|(name, server)| (name.to_owned(), server.to_owned()));
    wait_for("the notifications", || {
        let seen = notified();
        holds(seen.len() >= 2, seen)
    });
    // Each group has waited for a second: the inhibited ones too, once another is notified that came after them.
    post(json!([alert("EmsChunkStalled", "north", "cam1")]));
    wait_for("a notification that came after all others", || {
        let seen = notified();
        holds(seen.iter().any(|(_, server)| server == "north"), seen)
    });
    let seen: Vec<_> = notified().into_iter().filter(|(_, server)| server != "north").collect();
    assert_eq!(seen, expected);
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
