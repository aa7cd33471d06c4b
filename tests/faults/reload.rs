//! SIGHUP with files that have faults.

use std::fs;

use rustix::process::Signal;

use crate::exporter::{Exporter, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_files_change_nothing_and_good_ones_do() {
    let directory = tempfile::tempdir().unwrap();
    let (file, web) = (directory.path().join("ems.yml"), directory.path().join("web.yml"));
    fs::write(&file, "ingest: {allow: 127.0.0.1}\n").unwrap();
    fs::write(&web, "http_server_config: {headers: {X-Frame-Options: deny}}\n").unwrap();
    let flags = ["--config.file", file.to_str().unwrap(), "--web.config.file", web.to_str().unwrap()];
    let exporter = Exporter::start(&flags);
    assert!(exporter.get("/-/healthy").await.ends_with("ok\n"));
    fs::write(&file, "ingest: {allow: nobody}\n").unwrap();
    fs::write(&web, "tls_server_config: {cert_file: none, key_file: none}\n").unwrap();
    exporter.signal(Signal::HUP);
    exporter.until("ems_exporter_config_last_reload_successful", |good| good == 0.0).await;
    exporter.until("ems_exporter_web_config_last_reload_successful", |good| good == 0.0).await;
    let answer = exporter.post(&timer(1)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-frame-options: deny\r\n"), "{answer}");
    fs::write(&file, "ingest: {allow: 10.0.0.1}\n").unwrap();
    fs::write(&web, "").unwrap();
    exporter.signal(Signal::HUP);
    exporter.until("ems_exporter_config_last_reload_successful", |good| good == 1.0).await;
    exporter.until("ems_exporter_web_config_last_reload_successful", |good| good == 1.0).await;
    let answer = exporter.post(&timer(2)).await;
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("x-frame-options"), "{answer}");
}
