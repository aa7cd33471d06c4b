//! A disk that takes nothing more.

use std::fs::{self, OpenOptions};
use std::io::Write;

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::exporter::{DEFAULT_TIMEOUT, Exporter, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_cannot_be_written_is_told_and_written_when_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = (directory.path().join("events.json"), directory.path().join("storage"));
    fs::write(&log, "").unwrap();
    let append = |id| {
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(&[timer(id), b"\n".to_vec()].concat()).unwrap();
    };
    let flags = ["--events.file", log.to_str().unwrap(), "--storage.path", storage.to_str().unwrap()];
    // No file may grow, as on a full disk; without the trap that would end the process.
    let mut exporter = Exporter::after("trap '' XFSZ; ulimit -S -f 0", &flags);
    exporter.until("ems_exporter_tail_files{server=\"ems\"}", |files| files == 1.0).await;
    append(1);
    let failed = "ems_exporter_tail_errors_total{server=\"ems\",reason=\"checkpoint_failed\"}";
    exporter.until(failed, |count| count >= 1.0).await;
    exporter.until("ems_timers_triggered_total{server=\"ems\"}", |count| count == 1.0).await;
    let checkpoint = storage.join("tail-ems.json");
    assert!(fs::metadata(&checkpoint).map_or(true, |there| there.len() == 0));
    let pid = Some(exporter.pid());
    prlimit(pid, Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    append(2);
    exporter.until("ems_timers_triggered_total{server=\"ems\"}", |count| count == 2.0).await;
    exporter.signal(Signal::TERM);
    assert!(exporter.ended(DEFAULT_TIMEOUT).await.success());
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&checkpoint).unwrap()).unwrap();
    assert_eq!(written["files"][0]["offset"], fs::metadata(&log).unwrap().len());
}
