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
    file.write("stall: {factor: 3}\ningest: {allow: 127.0.0.1}\n");
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
async fn a_reload_takes_no_protection_away() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "0123456789abcdef").unwrap();
    let lines = [
        format!("ingest: {{secret_file: {}, allow: [127.0.0.1, 10.0.0.0/8]}}\n", secret.path().display()),
        "web: {protect_health: true}\n".to_owned(),
    ];
    let file = File::new(&lines.concat());
    let exporter = file.exporter().await;
    let wider = lines[0].replace("10.0.0.0/8", "10.0.0.0/0");
    let only_secret = lines[0].replace(", allow: [127.0.0.1, 10.0.0.0/8]", "");
    for (text, lost) in [
        (String::new(), "ingest.secret_file, ingest.allow, web.protect_health"),
        (lines[0].clone(), "web.protect_health"),
        (wider + &lines[1], "ingest.allow"),
        (only_secret + &lines[1], "ingest.allow"),
        (format!("ingest: {{allow: 127.0.0.1}}\n{}", lines[1]), "ingest.secret_file"),
    ] {
        let before = exporter.app.guard.load_full();
        file.write(&text);
        let answer = exporter.post("/-/reload", "").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{text}: {answer}");
        let sentence = format!("protection, and {lost} is missing now: restart to go without it\n");
        assert!(answer.ends_with(&sentence), "{text}: {answer}");
        assert_eq!(*exporter.app.guard.load_full(), *before, "{text}");
        let failed = "ems_exporter_config_last_reload_successful";
        assert_eq!(exporter.read().await.get(failed), Some(0.0), "{text}");
    }
    // The secret and the networks may change.
    fs::write(secret.path(), "fedcba9876543210").unwrap();
    file.write(&(lines[0].replace("10.0.0.0/8", "10.0.0.0/7") + &lines[1]));
    let answer = exporter.post("/-/reload", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(exporter.post("/events/fedcba9876543210", TIMER).await.starts_with("HTTP/1.1 200"));
}
