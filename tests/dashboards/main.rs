//! Every query of every dashboard, run on a real Prometheus that scrapes the demo.
//!
//! The demo runs faster than the wall clock, so that the test does not take minutes. Beside it a second
//! simulated server stalls and crashes, which the annotations need. Panels are checked with the demo alone, and once more
//! with all variables at All. `cargo test --test dashboards` runs this; it needs Prometheus.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod stage;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testkit::grafana::{Dashboard, Query, dashboards, substituted};
use testkit::{now, wait_for};

use stage::Stage;

/// Queries that give nothing in the demo: dashboard, panel, query, and the reason.
const EMPTY: [(&str, &str, &str, &str); 6] = [
    ("ems-overview", "Failed pulls", "A", "every pull of the demo succeeds"),
    ("ems-stream", "Failed pulls", "A", "every pull of the demo succeeds"),
    ("ems-viewers-timers", "Connections", "A", "the demo, like RMS, sends no connection events"),
    ("ems-viewers-timers", "Connections by protocol", "A", "the demo sends no connection events"),
    ("ems-viewers-timers", "Connections opened and closed", "A", "the demo sends no connection events"),
    ("ems-viewers-timers", "Connections opened and closed", "B", "the demo sends no connection events"),
];

/// The name under which the demo appears.
const DEMO: &str = "ems";
/// The server that stalls and crashes.
const SECOND: &str = "second";
/// The interval between two rounds of queries.
const ROUND: Duration = Duration::from_secs(1);

type Values = Vec<(String, String)>;

/// What Grafana itself puts in for its own variables; one scrape a second.
fn intervals() -> Values {
    [("__rate_interval", "15s"), ("__interval", "1s"), ("__range", "60s")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// All variables at All.
fn all_chosen(dashboard: &Dashboard) -> Values {
    let all = dashboard.variables().into_iter().map(|variable| (variable.name, ".+".to_owned()));
    all.chain(intervals()).collect()
}

/// Each variable with all values that it offers, of the demo's server alone: `None` as long as one offers nothing.
fn demo_chosen(stage: &Stage, dashboard: &Dashboard) -> Option<Values> {
    let mut values = intervals();
    for variable in dashboard.variables() {
        let selector = substituted(&variable.selector, &values);
        let path = format!("label/{}/values", variable.label);
        let offered = stage.query(&path, &[("match[]", &selector)]);
        let offered = offered.unwrap_or_else(|error| panic!("{}: {selector}: {error}", dashboard.uid()));
        let mut offered: BTreeSet<&str> =
            offered.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        if variable.name == "server" {
            offered.retain(|server| *server == DEMO);
        }
        if offered.is_empty() {
            return None;
        }
        // Grafana joins the values like this; a backslash stands doubled in a string of PromQL.
        let escaped = offered.iter().map(|value| value.replace('.', "\\\\."));
        let joined = format!("({})", escaped.collect::<Vec<_>>().join("|"));
        values.push((variable.name, joined));
    }
    Some(values)
}

/// Whether a query gives any number.
fn gives_data(stage: &Stage, query: &Query, values: &Values) -> bool {
    let expression = substituted(&query.expression, values);
    let (start, end) = ((now() - 30.0).to_string(), now().to_string());
    let answer = if query.instant {
        stage.query("query", &[("query", &expression), ("time", &end)])
    } else {
        let range = [("query", &*expression), ("start", &start), ("end", &end), ("step", "5")];
        stage.query("query_range", &range)
    };
    let answer =
        answer.unwrap_or_else(|error| panic!("{}: {}: {expression}: {error}", query.uid, query.title));
    let number = |pair: &Value| pair[1].as_str() != Some("NaN");
    answer["result"].as_array().unwrap().iter().any(|series| match series["values"].as_array() {
        Some(samples) => samples.iter().any(number),
        None => number(&series["value"]),
    })
}

fn names(queries: &[(usize, Query)]) -> Vec<String> {
    queries.iter().map(|(_, one)| format!("{}: {}: {}", one.uid, one.title, one.reference)).collect()
}

#[test]
fn every_query_gives_data_in_the_demo_or_has_a_reason_not_to() {
    let dashboards = dashboards();
    let known_empty = |query: &Query| {
        EMPTY.iter().any(|(uid, title, reference, _)| {
            (query.uid.as_str(), query.title.as_str(), query.reference.as_str()) == (*uid, *title, *reference)
        })
    };
    let of_panels =
        |number: usize| dashboards[number].queries().into_iter().map(move |query| (number, query));
    let (empty, mut waiting): (Vec<_>, Vec<_>) =
        (0..dashboards.len()).flat_map(of_panels).partition(|(_, query)| known_empty(query));
    assert_eq!(empty.len(), EMPTY.len(), "the list of empty panels names one that is not there");
    assert!(waiting.len() > 100, "too few queries");
    // Annotations are checked with All; panels also, since All must not lose data.
    let marks = dashboards.iter().enumerate().flat_map(|(number, dashboard)| {
        dashboard.annotations().into_iter().map(move |query| (number, query))
    });
    let mut waiting_with_all: Vec<(usize, Query)> = waiting.iter().cloned().chain(marks).collect();

    // In the server's own time, ten times as fast: it stalls after 14 s of wall time and crashes after 18 s.
    let faults = ["--speed=10", "--streams=6", "--stall=cam1:hls:after=20s,for=1h", "--crash-after=3m"];
    let stage = Stage::start("20", SECOND, &faults);
    wait_for("data from every query", || {
        let chosen: Vec<Option<Values>> =
            dashboards.iter().map(|dashboard| demo_chosen(&stage, dashboard)).collect();
        waiting.retain(|(number, query)| {
            !chosen[*number].as_ref().is_some_and(|values| gives_data(&stage, query, values))
        });
        waiting_with_all
            .retain(|(number, query)| !gives_data(&stage, query, &all_chosen(&dashboards[*number])));
        if waiting.is_empty() && waiting_with_all.is_empty() {
            for (number, query) in &empty {
                let values = chosen[*number].as_ref().unwrap();
                let gives = gives_data(&stage, query, values);
                assert!(
                    !gives,
                    "{:?}: it is listed as empty but gives data",
                    names(&[(*number, query.clone())])
                );
            }
            return Ok(());
        }
        thread::sleep(ROUND);
        Err([names(&waiting), names(&waiting_with_all)].concat())
    });

    let servers = stage.query("label/server/values", &[("match[]", "ems_up")]).unwrap();
    assert_eq!(servers, serde_json::json!([DEMO, SECOND]));
}
