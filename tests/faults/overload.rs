//! More load than the exporter has capacity for.

use testkit::wait::holds;
use testkit::wait_for;
use tokio::io::AsyncWriteExt;

use crate::events::{answer_to, connect, serve, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_beyond_capacity_get_503_scrapes_go_on_and_it_recovers() {
    let exporter = serve(&[]);
    // Bodies that never end use the whole capacity.
    let mut slow = Vec::new();
    for _ in 0..600 {
        let mut stream = connect(&exporter).await;
        stream.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
        slow.push(stream);
    }
    exporter.wait_for_value("ems_exporter_http_connections", |open| open > 600.0);
    let answer = answer_to(&exporter, &timer(1));
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    // Scrapes do not wait for events: connections with unfinished bodies are still open after one.
    assert!(exporter.value("ems_exporter_http_connections") > 1.0);
    let overload =
        "ems_exporter_events_dropped_total{transport=\"http\",format=\"unknown\",reason=\"overload\"}";
    assert!(exporter.value(overload) >= 1.0);
    exporter.assert_accounted();
    // Half of them time out soon.
    wait_for("capacity for an event", || {
        let answer = answer_to(&exporter, &timer(2));
        holds(answer.starts_with("HTTP/1.1 200"), answer)
    });
    drop(slow);
    exporter.assert_accounted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_for_large_bodies_is_bounded() {
    let exporter = serve(&[]);
    let before = exporter.process.bytes("VmRSS");
    let most = 16 << 20;
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {most}\r\n\r\n");
    let almost = vec![b' '; most - 1];
    let mut large = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut stream = connect(&exporter).await;
        let (head, almost) = (head.clone(), almost.clone());
        large.spawn(async move {
            stream.write_all(head.as_bytes()).await?;
            // Those beyond the capacity are answered and closed before they have sent all.
            stream.write_all(&almost).await?;
            Ok::<_, std::io::Error>(stream)
        });
    }
    let mut held = Vec::new();
    while let Some(sent) = large.join_next().await {
        held.extend(sent.unwrap());
    }
    let overload =
        "ems_exporter_events_dropped_total{transport=\"http\",format=\"unknown\",reason=\"overload\"}";
    exporter.wait_for_value(overload, |count| count >= 10.0);
    let grown = exporter.process.bytes("VmRSS") - before;
    assert!(grown < 600 << 20, "{} MiB", grown >> 20);
    assert!(answer_to(&exporter, &timer(1)).starts_with("HTTP/1.1 200"), "small events are still accepted");
    drop(held);
    exporter.assert_accounted();
}
