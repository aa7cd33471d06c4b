//! Pages of metrics that clients request and do not read.

use testkit::DEADLINE;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::events::{answer_to, serve, stream};

const CLIENTS: usize = 120;
/// The most memory that their pages may take, in bytes: a page of all of them would have some hundred megabytes.
const MOST: u64 = 48 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_read_no_page_take_little_memory_and_hold_up_no_scrape() {
    let exporter = serve(&[]);
    let events: Vec<String> = (1..8000)
        .map(|id| String::from_utf8(stream(id, &format!("cam{id}-{}", "x".repeat(80)))).unwrap())
        .collect();
    assert!(answer_to(&exporter, events.join("\n").as_bytes()).starts_with("HTTP/1.1 200"));
    assert_eq!(exporter.get("/metrics", &[]).status, 200);
    let before = exporter.process.bytes("VmRSS");
    let mut silent = Vec::new();
    for _ in 0..CLIENTS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = socket.connect(exporter.address).await.unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        silent.push(client);
    }
    let counters = [
        "ems_exporter_http_overloads_total{kind=\"metrics\"}",
        "ems_exporter_http_connections_closed_total{reason=\"slow_reader\"}",
    ];
    testkit::wait::until("a scrape beside them", async || {
        let page = testkit::http::get(exporter.address, "/metrics?collect[]=exporter", &[]).await.unwrap();
        let counts = testkit::exporter::samples(if page.status == 200 { page.text() } else { "" });
        let moved = counters.iter().all(|counter| counts.get(*counter).is_some_and(|count| *count >= 1.0));
        testkit::wait::holds(moved, page.status)
    })
    .await;
    drop(silent);
    let most = exporter.process.bytes("VmHWM");
    assert!(most < before + MOST, "{} MiB before, {} MiB at most", before >> 20, most >> 20);
    tokio::time::timeout(DEADLINE, testkit::http::get(exporter.address, "/metrics", &[]))
        .await
        .unwrap()
        .unwrap();
    exporter.assert_accounted();
}
