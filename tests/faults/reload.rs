//! SIGHUP with files that have faults.

use std::fs;

use testkit::process::Signal;

use crate::events::{answer_to, serve, timer};

#[test]
fn broken_files_change_nothing_and_valid_files_do() {
    let directory = tempfile::tempdir().unwrap();
    let (file, web) = (directory.path().join("ems.yml"), directory.path().join("web.yml"));
    fs::write(&file, "ingest: {allow: 127.0.0.1}\n").unwrap();
    fs::write(&web, "http_server_config: {headers: {X-Frame-Options: deny}}\n").unwrap();
    let flags = ["--config.file", file.to_str().unwrap(), "--web.config.file", web.to_str().unwrap()];
    let exporter = serve(&flags);
    assert_eq!(exporter.get("/-/healthy", &[]).text(), "ok\n");
    fs::write(&file, "ingest: {allow: invalid}\n").unwrap();
    fs::write(&web, "tls_server_config: {cert_file: none, key_file: none}\n").unwrap();
    exporter.process.signal(Signal::HUP);
    exporter.wait_for_value("ems_exporter_config_last_reload_successful", |good| good == 0.0);
    exporter.wait_for_value("ems_exporter_web_config_last_reload_successful", |good| good == 0.0);
    let answer = answer_to(&exporter, &timer(1));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-frame-options: deny\r\n"), "{answer}");
    fs::write(&file, "ingest: {allow: 10.0.0.1}\n").unwrap();
    fs::write(&web, "").unwrap();
    exporter.process.signal(Signal::HUP);
    exporter.wait_for_value("ems_exporter_config_last_reload_successful", |good| good == 1.0);
    exporter.wait_for_value("ems_exporter_web_config_last_reload_successful", |good| good == 1.0);
    let answer = answer_to(&exporter, &timer(2));
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("x-frame-options"), "{answer}");
}
