//! Limits on what comes over HTTP. Those that take time to hit are tried by `tests/faults`.

use ems_exporter::pipeline::tally::Transport;
use ems_protocol::Rejection;

use crate::http::{Exporter, TIMER};
use crate::support::{Harness, at};

#[tokio::test]
async fn a_large_header_section_gets_431_and_is_counted() {
    let exporter = Exporter::start().await;
    let large = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "x".repeat(300_000));
    let answer = exporter.raw(large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
    let many = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(200));
    assert!(exporter.raw(many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let fits = format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "x".repeat(15_000));
    assert!(exporter.raw(fits.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let cut = "ems_exporter_http_connections_closed_total{reason=\"large_header\"}";
    assert_eq!(exporter.read().await.get(cut), Some(2.0));
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_before_the_body_comes() {
    let exporter = Exporter::start().await;
    let answer =
        exporter.raw(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_body_in_pieces_is_whole_and_one_that_grows_beyond_the_limit_is_refused() {
    let exporter = Exporter::start().await;
    let head = "POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let piece = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let (first, second) = TIMER.split_at(20);
    let good = format!("{head}{}{}0\r\n\r\n", piece(first), piece(second));
    assert!(exporter.raw(good.as_bytes()).await.starts_with("HTTP/1.1 200"));
    let padded = format!("{}{TIMER}", " ".repeat(300_000)).replace("\"id\":5", "\"id\":6");
    assert!(exporter.post("/events", &padded).await.starts_with("HTTP/1.1 200"));
    let small = Exporter::with(&ems_exporter::config::Config {
        max_body: 1024,
        ..ems_exporter::config::Config::default()
    })
    .await;
    let endless = format!("{head}{}", piece(&" ".repeat(1000)).repeat(3));
    assert!(small.raw(endless.as_bytes()).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_is_given_up_after_a_hundred_rejections_and_its_rest_counts_as_one() {
    let exporter = Exporter::start().await;
    let good = |id: u32| TIMER.replace("\"id\":5", &format!("\"id\":{id}"));
    let counted = |reason: &str| {
        format!(
            "ems_exporter_events_rejected_total{{transport=\"http\",format=\"json\",reason=\"{reason}\"}}"
        )
    };
    for (start, separator, end, bad, reason) in [
        ("", "\n", "", "{x", "syntax"),
        ("", "\n", "", "{}", "not_an_event"),
        ("[", ",", "]", "{}", "not_an_event"),
    ] {
        let before = exporter.read().await;
        let body = |bad_ones: usize, id: u32| {
            let bad = format!("{bad}{separator}").repeat(bad_ones);
            format!("{start}{}{separator}{bad}{}{end}", good(id), good(id + 1))
        };
        let first = 10 * (1 + before.sum("ems_events_total") as u32);
        let answer = exporter.post("/events", &body(99, first)).await;
        assert!(answer.contains("99 of 101 events were rejected"), "{answer}");
        let answer = exporter.post("/events", &body(5000, first + 2)).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("101 of 102 events were rejected"), "{answer}");
        let after = exporter.read().await;
        let grown = |name: &str| after.get(name).unwrap() - before.get(name).unwrap();
        assert_eq!(after.sum("ems_events_total") - before.sum("ems_events_total"), 3.0);
        assert_eq!((grown(&counted(reason)), grown(&counted("given_up"))), (199.0, 1.0));
    }
}

#[tokio::test]
async fn a_path_beyond_its_limit_is_rejected_and_not_kept() {
    let exporter = Exporter::start().await;
    let chunk = |bytes: usize| {
        let file = format!("/srv/{}", "x".repeat(bytes - 5));
        format!("{{\"type\":\"hlsChunkClosed\",\"payload\":{{\"PID\":1,\"file\":\"{file}\"}}}}")
    };
    assert!(exporter.post("/events", &chunk(4096)).await.starts_with("HTTP/1.1 200"));
    let answer = exporter.post("/events", &chunk(4097)).await;
    assert!(answer.ends_with("the path file is longer than 4096 bytes\n"), "{answer}");
    let counted =
        "ems_exporter_events_rejected_total{transport=\"http\",format=\"json\",reason=\"too_large\"}";
    assert_eq!(exporter.read().await.get(counted), Some(1.0));
}

#[tokio::test]
async fn nesting_is_limited_and_entities_are_never_expanded() {
    let exporter = Exporter::start().await;
    let deep = format!("{{\"type\":\"x\",\"payload\":{}", "{\"a\":".repeat(10_000));
    let answer = exporter.post("/events", &deep).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("nested deeper than 64 levels"),
        "{answer}"
    );
    let entities: String =
        (1..30).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10))).collect();
    let bomb = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e0 \"laugh\">{entities}]><MAP name=\"\"><STR name=\"type\">&e29;</STR></MAP>"
    );
    let answer = exporter.post("/events", &bomb).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "an event of an unknown name: {answer}");
    let page = exporter.metrics().await;
    assert!(page.contains("ems_events_total{server=\"ems\",event=\"other\"} 1\n") && !page.contains("laugh"));
}

#[test]
fn an_event_that_was_dropped_at_a_limit_is_recorded_with_that_limit() {
    let harness = Harness::new();
    for (rejection, reason) in [(Rejection::Overload, "overload"), (Rejection::Servers(64), "server_limit")] {
        harness.pipeline.reject(Transport::Http, None, &rejection, at(0.0));
        let last = harness.pipeline.rejections().pop().unwrap();
        assert_eq!(serde_json::to_value(last.view(ems_protocol::Wall::default())).unwrap()["reason"], reason);
    }
}
