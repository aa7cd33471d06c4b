//! Many connections, and some that nothing is done with.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::exporter::{DEFAULT_TIMEOUT, Exporter, post, stream, sum, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_at_once_are_all_answered() {
    let exporter = Exporter::start(&[]);
    let mut open = Vec::new();
    for _ in 0..2000 {
        open.push(exporter.connect().await);
    }
    exporter.until("ems_exporter_http_connections", |count| count >= 2000.0).await;
    let mut answers = JoinSet::new();
    for (id, mut stream) in open.into_iter().enumerate() {
        answers.spawn(async move {
            stream.write_all(&post(&timer(id + 1))).await.unwrap();
            let mut answer = String::new();
            timeout(DEFAULT_TIMEOUT, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
            answer
        });
    }
    while let Some(answer) = answers.join_next().await {
        assert!(answer.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let page = exporter.page().await;
    assert_eq!(sum(&page, "ems_exporter_events_applied_total{"), 2000.0);
    assert_eq!(exporter.account().await, 2000.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_send_are_cut() {
    let exporter = Exporter::start(&[]);
    let mut silent = exporter.connect().await;
    let mut halfway = exporter.connect().await;
    halfway.write_all(b"GET /metrics HTTP/1.1\r\nHost:").await.unwrap();
    let mut slow = exporter.connect().await;
    slow.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
    // A scraper whose connection rests between two scrapes is closed as well, but that is no fault.
    let mut resting = exporter.connect().await;
    resting.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    for client in [&mut silent, &mut halfway, &mut resting] {
        timeout(DEFAULT_TIMEOUT, client.read_to_end(&mut Vec::new())).await.expect("it was not cut").ok();
    }
    exporter
        .until("ems_exporter_http_connections_closed_total{reason=\"slow_header\"}", |cut| cut >= 2.0)
        .await;
    let mut answer = String::new();
    timeout(DEFAULT_TIMEOUT, slow.read_to_string(&mut answer)).await.expect("it was not cut").unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let aborted =
        "ems_exporter_events_rejected_total{transport=\"http\",format=\"unknown\",reason=\"aborted\"}";
    assert_eq!(exporter.value(aborted).await, 1.0);
    exporter.until("ems_exporter_http_connections", |open| open == 1.0).await;
    assert_eq!(
        exporter.value("ems_exporter_http_connections_closed_total{reason=\"slow_header\"}").await,
        2.0
    );
}

/// A page that is larger than what the kernel takes on both sides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_cut() {
    let exporter = Exporter::start(&[]);
    let events: Vec<String> = (1..8000)
        .map(|id| String::from_utf8(stream(id, &format!("cam{id}-{}", "x".repeat(80)))).unwrap())
        .collect();
    assert!(exporter.post(events.join("\n").as_bytes()).await.starts_with("HTTP/1.1 200"));
    let mut deaf = exporter.connect().await;
    for _ in 0..4 {
        deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    // Others are answered meanwhile.
    let cut = "ems_exporter_http_connections_closed_total{reason=\"slow_reader\"}";
    assert_eq!(exporter.value(cut).await, 0.0);
    exporter.until(cut, |cut| cut == 1.0).await;
    drop(deaf);
}
