//! Processor time of following idle files, and memory.

use std::fs;
use std::time::Duration;

use crate::exporter::{follow, stop};
use crate::writer::Writer;
use fastrand::Rng;

const ENTRIES_READ: &str = "ems_exporter_tail_entries_read_total{server=\"ems\"}";

#[test]
fn following_idle_files_costs_no_measurable_time() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut writer = Writer::new(&logs, Rng::with_seed(1));
    for _ in 0..20 {
        writer.append();
        writer.rotate();
    }
    let storage = directory.path().join("storage");
    let flags = ["--storage.path", storage.to_str().unwrap(), "--events.start", "beginning"];
    let exporter = follow(&logs, &flags);
    let written = writer.entries.len() as f64;
    exporter.wait_for_value(ENTRIES_READ, |read| read == written);
    // The time that is measured, and before it one that is not: the checkpoint is written in it.
    std::thread::sleep(Duration::from_millis(1500));
    let before = exporter.process.ticks();
    std::thread::sleep(Duration::from_secs(3));
    let used = exporter.process.ticks() - before;
    assert!(used <= 2, "{used} ticks in 3 seconds");
    stop(exporter);
}

#[test]
fn memory_does_not_grow_with_the_size_of_a_file() {
    let peak_of = |lines: u64| {
        let directory = tempfile::tempdir().unwrap();
        let logs = directory.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let more = "x".repeat(4000);
        let line = |id: u64| {
            format!(
                r#"{{"id":{id},"payload":{{"PID":1,"command":"version","more":"{more}"}},"processId":1,"timestamp":1795364000,"type":"cliRequest"}}"#
            ) + ",\n"
        };
        let whole: String = (1..=lines).map(line).collect();
        fs::write(logs.join("events.json"), whole).unwrap();
        let flags = ["--events.start", "beginning"];
        let exporter = follow(&logs, &flags);
        exporter.wait_for_value(ENTRIES_READ, |read| read == lines as f64);
        let peak = exporter.process.bytes("VmHWM") / 1024;
        stop(exporter);
        peak
    };
    let (small, large) = (peak_of(1_000), peak_of(40_000));
    eprintln!("{small} kB for 4 MB, {large} kB for 160 MB");
    assert!(large < 40_000, "{large} kB");
    assert!(large < small + 4_000, "{small} kB for 4 MB, {large} kB for 160 MB");
}
