//! A stall pages while it lasts, and no other alert fires, with the shipped rules and configurations.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ems_simulator::{Options, OutputFormat, Truth};
use serde_json::{Value, json};
use testkit::alertmanager::Alertmanager;
use testkit::fake_server::{Call, FakeServer, Reply};
use testkit::prometheus::{Labels, Prometheus};
use testkit::{now, repository, wait_for};

use crate::program;
use testkit::simulated::{Quiet, Simulated};

/// Seconds from one scrape to the next, and from one evaluation of the rules to the next.
const INTERVAL: f64 = 1.0;
/// The address of no Alertmanager.
pub(crate) const NO_ALERTMANAGER: &str = "127.0.0.1:9";
/// Seconds after which an output has stalled.
const THRESHOLD: f64 = 5.0;

/// The output that stalls, by its labels.
const STALLED: [(&str, &str); 4] =
    [("server", "ems"), ("format", "hls"), ("group", "hls"), ("stream", "cam2")];

/// Alerts that may be pending but must not fire: name and reason.
const PENDING: [(&str, &str); 2] = [
    ("EmsExporterDown", "up does not exist before the first scrape"),
    ("EmsPlaylistStalled", "the stalled output's playlist may be a scrape away from its chunks"),
];

fn shipped(name: &str) -> PathBuf {
    repository().join("dashboards/prometheus").join(name)
}

/// A shipped file with some texts replaced; each must occur exactly once.
fn adapted(name: &str, changes: &[(&str, String)]) -> String {
    let mut text = fs::read_to_string(shipped(name)).unwrap();
    for (from, to) in changes {
        let times = text.matches(from).count();
        assert_eq!(times, 1, "{from:?} is not in {name} exactly once: adapt this test to the file");
        text = text.replace(from, to);
    }
    text
}

/// A Prometheus with the shipped configuration and rules, which scrapes these exporters and evaluates every
/// [`INTERVAL`].
pub(crate) fn with_shipped_rules(exporters: &[SocketAddr], alertmanager: &str) -> Prometheus {
    let targets: Vec<String> = exporters.iter().map(SocketAddr::to_string).collect();
    Prometheus::configured(
        &adapted(
            "prometheus.yml",
            &[
                ("scrape_interval: 15s", format!("scrape_interval: {INTERVAL}s")),
                ("evaluation_interval: 15s", format!("evaluation_interval: {INTERVAL}s")),
                ("alertmanager:9093", alertmanager.to_owned()),
                ("ems-exporter:10777", targets.join("', '")),
            ],
        ),
        &[&shipped("alerts.yml")],
    )
}

/// A time of an alert in a notification, in Unix seconds.
fn seconds(moment: &Value) -> f64 {
    let moment: jiff::Timestamp = moment.as_str().unwrap().parse().unwrap();
    moment.as_millisecond() as f64 / 1000.0
}

/// The first notification with this status.
fn first(webhook: &FakeServer, status: &str) -> Result<Call, Vec<Call>> {
    let messages = webhook.all();
    messages.iter().find(|message| message.body()["status"] == status).cloned().ok_or(messages)
}

/// The longest time from one sample to the next.
fn longest_gap(samples: &[(f64, f64)]) -> f64 {
    samples.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(INTERVAL, f64::max)
}

/// Complete chunks of the output that stalls.
fn chunks(truth: &Truth) -> u64 {
    let closed = truth.chunks_closed.iter();
    closed
        .filter(|part| part.format == OutputFormat::Hls && part.stream == "cam2")
        .map(|part| part.closed)
        .sum()
}

/// Between which moments the simulated server closed the last chunk before its stall, in Unix seconds.
fn last_closed_in_truth(quiet: &[Quiet]) -> (f64, f64) {
    let stalls = |span: &&Quiet| span.truth.outputs.iter().any(|output| output.stalled);
    let during = &quiet.iter().find(stalls).expect("the stall was seen").truth;
    let (stalled, others): (Vec<_>, Vec<_>) = during.outputs.iter().partition(|output| output.stalled);
    assert!(stalled.len() == 1 && others.len() == 9, "one of ten outputs stalls: {:?}", during.outputs);
    let last = chunks(during);
    let before = quiet.iter().rev().find(|span| chunks(&span.truth) < last).unwrap();
    let after = quiet.iter().find(|span| chunks(&span.truth) == last).unwrap();
    (before.to, after.from)
}

#[test]
fn a_stall_pages_while_it_lasts_and_no_other_alert_fires() {
    let webhook = FakeServer::start_on_thread(|_| Reply::Data(Value::Null));
    let receiver = |path: &str| format!("url: http://{}/{path}", webhook.address);
    let alertmanager = Alertmanager::configured(&adapted(
        "alertmanager.yml",
        &[
            ("group_wait: 30s", "group_wait: 1s".to_owned()),
            ("group_interval: 1m", "group_interval: 1s".to_owned()),
            ("group_wait: 15s", "group_wait: 1s".to_owned()),
            ("url: http://127.0.0.1:9098/page", receiver("page")),
            ("url: http://127.0.0.1:9098/notes", receiver("notes")),
        ],
    ));
    let exporter = program().configured(&format!("stall: {{factor: 3, minimum: {THRESHOLD}s}}"));
    let prometheus = with_shipped_rules(&[exporter.address], &alertmanager.address.to_string());
    let simulated = Simulated::start(Options {
        url: exporter.url("/").parse().unwrap(),
        streams: 4,
        chunk_length: Duration::from_secs(1),
        stall: vec!["cam2:hls:after=6s,for=30s".parse().unwrap()],
        ..Options::default()
    });
    let page = wait_for("the page", || first(&webhook, "firing"));
    let all_clear = wait_for("the all-clear", || first(&webhook, "resolved"));
    // One scrape more, and the evaluation that sees it.
    prometheus.wait_for_scrape_after(now() + INTERVAL);
    // Before the server stops, which fires another alert.
    let (rules, alerts) = (prometheus.rules(), prometheus.scraped("ALERTS"));
    let scrapes = prometheus.scraped("up");
    prometheus.assert_pages_accepted();
    let (truth, quiet) = simulated.end();
    assert_eq!(truth.lost, Default::default());

    // The rules that are shipped are those that were evaluated, and none of them failed.
    let written = fs::read_to_string(shipped("alerts.yml")).unwrap();
    assert_eq!(rules.len(), written.matches("- alert: ").count());
    for rule in &rules {
        assert_eq!((&rule["health"], &rule["lastError"]), (&"ok".into(), &Value::Null), "{rule}");
    }

    // Exactly one alert has fired in Prometheus.
    let is = |labels: &Labels, name: &str, value: &str| labels.get(name).is_some_and(|found| found == value);
    let (firing, pending): (Vec<_>, Vec<_>) =
        alerts.iter().partition(|(labels, _)| is(labels, "alertstate", "firing"));
    for (labels, _) in pending {
        let listed = PENDING.iter().any(|(name, _)| is(labels, "alertname", name));
        assert!(listed, "an unexpected alert is pending: {labels:?}");
    }
    let [(labels, firing)] = &*firing else {
        panic!("one output has stalled, but these alerts fire: {firing:?}")
    };
    let instance = exporter.address.to_string();
    let expected = [
        ("alertname", "EmsChunkStalled"),
        ("severity", "critical"),
        ("job", "ems"),
        ("instance", &*instance),
    ];
    let expected: Labels = expected
        .iter()
        .chain(&STALLED)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut without_state = labels.clone();
    without_state.remove("alertstate");
    without_state.remove("__name__");
    assert_eq!(without_state, expected);

    // It began at the threshold and ended with the next chunk.
    let chunks =
        prometheus.scraped("ems_chunk_last_closed_timestamp_seconds{stream=\"cam2\", format=\"hls\"}");
    let [(_, chunks)] = &*chunks else { panic!("{chunks:?}") };
    let (fired, fired_last) = (firing.first().unwrap().0, firing.last().unwrap().0);
    let last_closed = chunks.iter().rev().find(|(at, _)| *at <= fired).unwrap().1;
    let recovered = chunks.iter().find(|(_, closed)| *closed > last_closed).unwrap().1;
    let (not_before, not_after) = last_closed_in_truth(&quiet);
    assert!(
        // The exporter exposes whole milliseconds.
        not_before - 0.001 <= last_closed && last_closed <= not_after,
        "the last chunk was complete between {not_before} and {not_after}, the exporter says {last_closed}"
    );
    // An alert may lag by two scrapes and two evaluations, measured in this run.
    let lag = 2.0 * (longest_gap(&scrapes[0].1) + longest_gap(firing));
    let age = fired - last_closed;
    assert!(age > THRESHOLD, "it fires after {age} s, within the threshold");
    assert!(age <= THRESHOLD + lag, "it fires only after {age} s");
    let over = fired_last - recovered;
    assert!(over <= lag, "it still fires {over} s after the first chunk");

    // It was delivered during the stall, and its end was delivered as well.
    assert!(page.at < recovered, "the page came only {} s after the first chunk", page.at - recovered);
    for message in webhook.all() {
        let body = message.body();
        assert_eq!((&*message.command, &body["receiver"]), ("page", &json!("page")), "{message:?}");
        let alerts = body["alerts"].as_array().unwrap();
        let [alert] = &**alerts else {
            panic!("one output has stalled, but the notification has {alerts:#?}")
        };
        assert_eq!(alert["status"], body["status"], "{message:?}");
        assert_eq!(alert["labels"], serde_json::to_value(&expected).unwrap(), "{message:?}");
        assert_eq!(alert["annotations"]["summary"], "ems: hls chunks of cam2 have stalled.", "{message:?}");
        let began = seconds(&alert["startsAt"]) - fired;
        assert!(began.abs() < 0.01, "startsAt is {began} s after it fired");
    }
    let ended = seconds(&all_clear.body()["alerts"][0]["endsAt"]) - recovered;
    assert!((0.0..=lag).contains(&ended), "endsAt is {ended} s after the first chunk");
    eprintln!(
        "last chunk to firing {age:.1} s, firing to page {:.1} s, first chunk to all-clear {:.1} s",
        page.at - fired,
        all_clear.at - recovered
    );
}
