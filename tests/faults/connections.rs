//! Many connections, and idle ones.

use testkit::{DEADLINE, sum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::events::{answer_to, connect, post, serve, stream, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_concurrent_posts_are_all_answered() {
    testkit::process::raise_file_limit();
    let exporter = serve(&[]);
    let mut open = Vec::new();
    for _ in 0..2000 {
        open.push(connect(&exporter).await);
    }
    exporter.wait_for_value("ems_exporter_http_connections", |count| count >= 2000.0);
    let mut answers = JoinSet::new();
    for (id, mut stream) in open.into_iter().enumerate() {
        answers.spawn(async move {
            stream.write_all(&post(&timer(id + 1))).await.unwrap();
            let mut answer = String::new();
            timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
            answer
        });
    }
    while let Some(answer) = answers.join_next().await {
        assert!(answer.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let page = exporter.metrics();
    assert_eq!(sum(&page, "ems_exporter_events_applied_total{"), 2000.0);
    assert_eq!(exporter.assert_accounted(), 2000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_send_are_disconnected() {
    let exporter = serve(&[]);
    let mut silent = connect(&exporter).await;
    let mut halfway = connect(&exporter).await;
    halfway.write_all(b"GET /metrics HTTP/1.1\r\nHost:").await.unwrap();
    let mut slow = connect(&exporter).await;
    slow.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
    // The connection of a scraper that idles between two scrapes is closed as well, but not counted.
    let mut idle = connect(&exporter).await;
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    for client in [&mut silent, &mut halfway, &mut idle] {
        timeout(DEADLINE, client.read_to_end(&mut Vec::new())).await.expect("it was not disconnected").ok();
    }
    exporter.wait_for_value("ems_exporter_http_connections_closed_total{reason=\"slow_header\"}", |closed| {
        closed >= 2.0
    });
    let mut answer = String::new();
    timeout(DEADLINE, slow.read_to_string(&mut answer)).await.expect("it was not disconnected").unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let aborted =
        "ems_exporter_events_rejected_total{transport=\"http\",format=\"unknown\",reason=\"aborted\"}";
    assert_eq!(exporter.value(aborted), 1.0);
    exporter.wait_for_value("ems_exporter_http_connections", |open| open == 1.0);
    assert_eq!(exporter.value("ems_exporter_http_connections_closed_total{reason=\"slow_header\"}"), 2.0);
}

/// The page is larger than the socket buffers of both sides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_disconnected() {
    let exporter = serve(&[]);
    let events: Vec<String> = (1..8000)
        .map(|id| String::from_utf8(stream(id, &format!("cam{id}-{}", "x".repeat(80)))).unwrap())
        .collect();
    assert!(answer_to(&exporter, events.join("\n").as_bytes()).starts_with("HTTP/1.1 200"));
    let mut reader = connect(&exporter).await;
    for _ in 0..4 {
        reader.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    // Others are answered meanwhile.
    let closed = "ems_exporter_http_connections_closed_total{reason=\"slow_reader\"}";
    assert_eq!(exporter.value(closed), 0.0);
    exporter.wait_for_value(closed, |count| count == 1.0);
    drop(reader);
}
