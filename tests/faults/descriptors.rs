//! Fewer file descriptors than clients.

use crate::events::{PROGRAM, answer_to, connect, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_file_descriptors_do_not_stop_it() {
    let exporter = PROGRAM.serve_after("ulimit -n 64", &[]);
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(connect(&exporter).await);
    }
    // Idle connections are closed one after the other.
    let scraped = exporter.metrics();
    assert!(scraped["ems_exporter_http_connection_limit_hits_total"] >= 1.0);
    assert!(exporter.process.descriptors() <= 64);
    drop(idle);
    let posted = answer_to(&exporter, &timer(1));
    assert!(posted.starts_with("HTTP/1.1 200"), "{posted}");
    exporter.wait_for_value("ems_exporter_http_connections", |open| open == 1.0);
    assert_eq!(exporter.get("/-/healthy", &[]).status, 200);
}
