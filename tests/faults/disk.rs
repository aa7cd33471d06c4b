//! A full disk.

use std::fs::{self, OpenOptions};
use std::io::Write;

use rustix::process::{Resource, Rlimit, prlimit};
use testkit::process::Signal;

use crate::events::{PROGRAM, timer};

#[test]
fn a_failed_checkpoint_is_counted_and_written_later() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = (directory.path().join("events.json"), directory.path().join("storage"));
    fs::write(&log, "").unwrap();
    let append = |id| {
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(&[timer(id), b"\n".to_vec()].concat()).unwrap();
    };
    let flags = ["--events.file", log.to_str().unwrap(), "--storage.path", storage.to_str().unwrap()];
    // No file may grow, as on a full disk; without the trap that would end the process.
    let mut exporter = PROGRAM.serve_after("trap '' XFSZ; ulimit -S -f 0", &flags);
    exporter.wait_for_value("ems_exporter_tail_files{server=\"ems\"}", |files| files == 1.0);
    append(1);
    let failed = "ems_exporter_tail_errors_total{server=\"ems\",reason=\"checkpoint_failed\"}";
    exporter.wait_for_value(failed, |count| count >= 1.0);
    exporter.wait_for_value("ems_timers_triggered_total{server=\"ems\"}", |count| count == 1.0);
    let checkpoint = storage.join("tail-ems.json");
    assert!(fs::metadata(&checkpoint).map_or(true, |there| there.len() == 0));
    let pid = Some(exporter.process.id());
    prlimit(pid, Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    append(2);
    exporter.wait_for_value("ems_timers_triggered_total{server=\"ems\"}", |count| count == 2.0);
    exporter.process.signal(Signal::TERM);
    assert!(exporter.process.wait().success());
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&checkpoint).unwrap()).unwrap();
    assert_eq!(written["files"][0]["offset"], fs::metadata(&log).unwrap().len());
}
