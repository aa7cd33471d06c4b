//! More than there is room for.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use crate::exporter::{DEFAULT_TIMEOUT, Exporter, post, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_beyond_capacity_get_503_scrapes_go_on_and_it_recovers() {
    let exporter = Exporter::start(&[]);
    // Bodies that never come to an end take all room.
    let mut slow = Vec::new();
    for _ in 0..600 {
        let mut stream = exporter.connect().await;
        stream.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
        slow.push(stream);
    }
    exporter.until("ems_exporter_http_connections", |open| open > 600.0).await;
    let answer = exporter.post(&timer(1)).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    let start = Instant::now();
    timeout(Duration::from_secs(5), exporter.page()).await.expect("scrapes wait for events");
    assert!(start.elapsed() < Duration::from_secs(5));
    let overload =
        "ems_exporter_events_dropped_total{transport=\"http\",format=\"unknown\",reason=\"overload\"}";
    assert!(exporter.value(overload).await >= 1.0);
    exporter.account().await;
    // Without their doing anything, half of them are given up soon.
    let recovered = async { while !exporter.ask(&post(&timer(2))).await.starts_with("HTTP/1.1 200") {} };
    timeout(DEFAULT_TIMEOUT, recovered).await.expect("it has not recovered");
    drop(slow);
    exporter.account().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_for_large_bodies_is_bounded() {
    let exporter = Exporter::start(&[]);
    let before = exporter.memory();
    let most = 16 << 20;
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {most}\r\n\r\n");
    let almost = vec![b' '; most - 1];
    let mut large = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut stream = exporter.connect().await;
        let (head, almost) = (head.clone(), almost.clone());
        large.spawn(async move {
            stream.write_all(head.as_bytes()).await?;
            // Those for which there is no room are answered and closed before they have sent all.
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
    exporter.until(overload, |count| count >= 10.0).await;
    let grown = exporter.memory() - before;
    assert!(grown < 600 << 20, "{} MiB", grown >> 20);
    assert!(
        exporter.post(&timer(1)).await.starts_with("HTTP/1.1 200"),
        "small events are taken all the time"
    );
    drop(held);
    exporter.account().await;
}
