//! Everything that a real server was seen to send is accepted, over a socket, byte for byte.

use std::collections::BTreeMap;

use ems_exporter::config::Config;
use ems_exporter::model::event::EventKind;

use crate::http::Exporter;
use crate::support::{Samples, body, examples, session};

#[tokio::test]
async fn every_recorded_example_is_accepted_byte_for_byte() {
    let exporter = Exporter::with(&Config { max_servers: 1000, ..Config::default() }).await;
    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    for (name, request) in examples() {
        // The sinks of the recording posted to other paths.
        let path_end = request.iter().position(|byte| *byte == b'\n').unwrap();
        let server = format!("s{}", expected.values().sum::<f64>());
        let mut ours = format!("POST /events/{server} HTTP/1.1\r\n").into_bytes();
        ours.extend_from_slice(&request[path_end + 1..]);
        let answer = exporter.raw(&ours).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {answer}");
        assert!(answer.contains("content-length: 0\r\n"), "{name}: {answer}");
        let text = String::from_utf8_lossy(body(&request)).into_owned();
        let event = name.split('.').next().unwrap();
        let event = if event == "nul_header" { "serverStarted" } else { event };
        assert!(text.contains(event), "{name} is not about {event}");
        *expected.entry(event.to_owned()).or_default() += 1.0;
    }
    let samples = Samples::of(&exporter.metrics().await);
    for (event, count) in expected {
        let suffix = format!("event=\"{event}\"}}");
        let counted: f64 = samples
            .of_metric("ems_events_total")
            .filter(|(labels, _)| labels.ends_with(&suffix))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(counted, count, "{event}");
        assert_ne!(EventKind::of(&event).label(), "other");
    }
    assert_eq!(samples.sum("ems_exporter_events_rejected_total"), 0.0);
}

#[tokio::test]
async fn the_recorded_session_is_accepted_in_order_of_arrival() {
    let exporter = Exporter::start().await;
    let requests = session();
    assert_eq!(requests.len(), 619);
    for request in &requests {
        let path_end = request.iter().position(|byte| *byte == b'\n').unwrap();
        let ours = [&b"POST / HTTP/1.1\r\n"[..], &request[path_end + 1..]].concat();
        let answer = exporter.raw(&ours).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    let samples = Samples::of(&exporter.metrics().await);
    assert_eq!(samples.sum("ems_events_total"), 619.0);
    assert_eq!(
        samples.get("ems_exporter_events_applied_total{transport=\"http\",format=\"json\"}"),
        Some(619.0)
    );
    assert_eq!(samples.get("ems_up"), Some(0.0), "the session ends with serverStopping");
    assert_eq!(samples.sum("ems_streams"), 0.0);
    assert_eq!(samples.sum("ems_outputs"), 0.0);
}

#[test]
fn the_three_serializers_give_the_same_state() {
    let mut by_event: BTreeMap<String, Vec<(String, Samples)>> = BTreeMap::new();
    for (name, request) in examples() {
        let parts: Vec<&str> = name.trim_end_matches(".http").split('.').collect();
        let (format, event) = parts.split_last().unwrap();
        if ["edge", "rtsp_keepalive"].iter().any(|variant| event.contains(variant)) {
            continue;
        }
        let harness = crate::support::Harness::new();
        let accepted = harness.send(body(&request), crate::support::at(0.0));
        assert_eq!(accepted.first, None, "{name}");
        let page = harness.page(ems_exporter::exposition::Style::Prometheus, 0.0);
        // XML holds one decimal less than JSON, so durations differ by parts of a millisecond.
        let facts: String = page
            .lines()
            .filter(|line| !line.contains("_sum{"))
            .filter(|line| line.starts_with("ems_") && !line.starts_with("ems_exporter"))
            .map(|line| format!("{line}\n"))
            .collect();
        by_event.entry(event.join(".")).or_default().push(((*format).to_owned(), Samples::of(&facts)));
    }
    let mut compared = 0;
    for (event, pages) in by_event {
        for (format, page) in &pages[1..] {
            assert_eq!(page, &pages[0].1, "{event} as {format}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}
