//! What following costs while nothing happens, and what it costs in memory.

use std::fs;
use std::time::Duration;

use crate::exporter::Exporter;
use crate::random::Random;
use crate::until;
use crate::writer::Writer;

/// Ticks of the processor's time that a process has used, a hundred to the second.
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let used: Vec<u64> = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse().unwrap()).collect();
    used.iter().sum()
}

/// The most memory that a process has used, in kB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

const ENTRIES_READ: &str = "ems_exporter_tail_entries_read_total{server=\"ems\"}";

#[test]
fn following_idle_files_costs_no_measurable_time() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut writer = Writer::new(&logs, Random::new(1));
    for _ in 0..20 {
        writer.append();
        writer.rotate();
    }
    let storage = directory.path().join("storage");
    let flags = ["--storage.path", storage.to_str().unwrap(), "--events.start", "beginning"];
    let exporter = Exporter::follow(&logs, &flags, &directory.path().join("log"));
    let written = writer.entries.len() as u64;
    until("everything is read", || exporter.value(ENTRIES_READ) == written);
    // The time that is measured, and before it one that is not: the checkpoint is written in it.
    std::thread::sleep(Duration::from_millis(1500));
    let before = ticks(exporter.child.id());
    std::thread::sleep(Duration::from_secs(3));
    let used = ticks(exporter.child.id()) - before;
    assert!(used <= 2, "{used} ticks in 3 seconds");
    exporter.stop();
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
        let exporter = Exporter::follow(&logs, &flags, &directory.path().join("log"));
        until("everything is read", || exporter.value(ENTRIES_READ) == lines);
        let peak = peak(exporter.child.id());
        exporter.stop();
        peak
    };
    let (small, large) = (peak_of(1_000), peak_of(40_000));
    eprintln!("{small} kB for 4 MB, {large} kB for 160 MB");
    assert!(large < 40_000, "{large} kB");
    assert!(large < small + 4_000, "{small} kB for 4 MB, {large} kB for 160 MB");
}
