//! Fewer file descriptors than clients.

use std::time::Duration;

use tokio::time::timeout;

use crate::exporter::{DEFAULT_TIMEOUT, Exporter, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_few_file_descriptors_it_goes_on() {
    let exporter = Exporter::after("ulimit -n 64", &[]);
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(exporter.connect().await);
    }
    // Those who only hold a connection are cut one after the other, while they hold on.
    let scraped = timeout(DEFAULT_TIMEOUT, exporter.page()).await.expect("no scrape gets through");
    assert!(scraped["ems_exporter_http_connection_limit_hits_total"] >= 1.0);
    assert!(exporter.descriptors() <= 64);
    drop(idle);
    let posted = timeout(DEFAULT_TIMEOUT, exporter.post(&timer(1))).await.unwrap();
    assert!(posted.starts_with("HTTP/1.1 200"), "{posted}");
    exporter.until("ems_exporter_http_connections", |open| open == 1.0).await;
    assert!(timeout(Duration::from_secs(5), exporter.get("/-/healthy")).await.is_ok());
}
