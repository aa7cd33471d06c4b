//! Reading the configuration again while the exporter runs.

use std::fs;
use std::path::PathBuf;

use ems_exporter::config::Config;
use tempfile::TempDir;

use crate::config::flags;
use crate::http::{Exporter, TIMER};

struct File {
    _directory: TempDir,
    path: PathBuf,
}

impl File {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ems.yml");
        let file = Self { _directory: directory, path };
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    async fn exporter(&self) -> Exporter {
        let overrides = flags(&[("web.enable-lifecycle", "true")]);
        Exporter::with(&Config::load(Some(&self.path), &overrides).unwrap()).await
    }
}

fn rule(name: &str, on: &str) -> String {
    format!("rules:\n  - name: {name}\n    on: {on}\n    post: http://127.0.0.1:9/\n")
}

#[tokio::test]
async fn values_that_can_change_do_and_the_others_are_named() {
    let file = File::new("stall: {factor: 3}\n");
    let exporter = file.exporter().await;
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
    file.write("stall: {factor: 4}\nseries: {retention: 1h}\ningest: {allow: 10.0.0.1}\n");
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let sentence = "but these keys take effect after a restart only: series.retention, stall.factor\n";
    assert!(answer.contains(sentence), "{answer}");
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 403"));
    // They still do: nothing has restarted.
    assert!(exporter.post("/-/reload", "").await.contains(sentence));
    file.write("stall: {factor: 3}\n");
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.ends_with("\r\n\r\nthe configuration was read again\n"), "{answer}");
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_file_with_faults_changes_nothing() {
    let file = File::new("ingest: {allow: 10.0.0.1}\n");
    let exporter = file.exporter().await;
    file.write("ingest: {allow: 127.0.0.1}\nstall: {factor: x}\n");
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(answer.contains("ems.yml:2:17: stall.factor: x is not a number from 1 to 1000"), "{answer}");
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 403"));
    let samples = exporter.read().await;
    assert_eq!(samples.get("ems_exporter_config_last_reload_successful"), Some(0.0));
    assert_eq!(samples.get("ems_exporter_web_config_last_reload_successful"), Some(1.0));
    file.write("ingest: {allow: 127.0.0.1}\n");
    assert!(exporter.post("/-/reload", "").await.starts_with("HTTP/1.1 200"));
    assert!(exporter.post("/events", TIMER).await.starts_with("HTTP/1.1 200"));
    assert_eq!(exporter.read().await.get("ems_exporter_config_last_reload_successful"), Some(1.0));
}

#[tokio::test]
async fn rules_change_while_there_are_any() {
    let file = File::new(&rule("first", "timerClosed"));
    let exporter = file.exporter().await;
    exporter.post("/events", TIMER).await;
    file.write(&rule("second", "timerTriggered"));
    assert!(exporter.post("/-/reload", "").await.starts_with("HTTP/1.1 200"));
    exporter.post("/events", &TIMER.replace("\"id\":5", "\"id\":6")).await;
    let page = exporter.metrics().await;
    assert!(
        page.contains("ems_exporter_actions_decided_total{server=\"ems\",rule=\"second\"} 1\n"),
        "{page}"
    );
    assert!(!page.contains("rule=\"first\"} 1"), "{page}");

    let without = File::new("");
    let exporter = without.exporter().await;
    without.write(&rule("first", "timerClosed"));
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.contains("after a restart only: rules\n"), "{answer}");
}

#[tokio::test]
async fn a_reload_exposes_nothing_that_a_start_would_refuse() {
    let open = "web: {listen_address: '0.0.0.0:1'}\n";
    let file = File::new(&format!("{open}ingest: {{allow: 127.0.0.1}}\n"));
    let web = file.path.with_file_name("web.yml");
    let users = format!("basic_auth_users: {{me: {}}}\n", bcrypt::hash("pass", 4).unwrap());
    fs::write(&web, &users).unwrap();
    let overrides = flags(&[("web.enable-lifecycle", "true"), ("web.config.file", web.to_str().unwrap())]);
    let exporter = Exporter::with(&Config::load(Some(&file.path), &overrides).unwrap()).await;
    file.write(open);
    let wrong = exporter.app.reloader.reload().await.unwrap_err();
    assert!(wrong.contains("anybody who reaches 0.0.0.0:1 can post events"), "{wrong}");
    assert!(!exporter.app.guard.load().is_open());
    file.write(&format!("{open}ingest: {{allow: 127.0.0.1}}\n"));
    fs::write(&web, "").unwrap();
    let wrong = exporter.app.reloader.reload().await.unwrap_err();
    assert!(wrong.contains("anybody who reaches 0.0.0.0:1 can reload the configuration"), "{wrong}");
    assert!(exporter.app.web.load().requires_authentication());
    fs::write(&web, &users).unwrap();
    exporter.app.reloader.reload().await.unwrap();
}
