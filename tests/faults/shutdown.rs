//! SIGTERM in the middle of load.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testkit::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::events::{connect, post, serve, timer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_requests_are_answered_and_the_checkpoint_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (log, storage) = (directory.path().join("events.json"), directory.path().join("storage"));
    let mut file = OpenOptions::new().append(true).create(true).open(&log).unwrap();
    let flags = ["--events.file", log.to_str().unwrap(), "--storage.path", storage.to_str().unwrap()];
    let mut exporter = serve(&flags);
    // Following begins at the end of the file as it is found.
    exporter.wait_for_value("ems_exporter_tail_files{server=\"ems\"}", |files| files == 1.0);
    file.write_all(&[timer(1), b"\n".to_vec()].concat()).unwrap();
    exporter.wait_for_value("ems_timers_triggered_total{server=\"ems\"}", |count| count == 1.0);
    let (address, answered) = (exporter.address, Arc::new(AtomicUsize::new(0)));
    // One request is incomplete at the time of the signal.
    let mut half = connect(&exporter).await;
    let request = post(&timer(2));
    let (first, second) = request.split_at(request.len() - 10);
    half.write_all(first).await.unwrap();
    let mut load = JoinSet::new();
    for sender in 0..16 {
        let answered = Arc::clone(&answered);
        load.spawn(async move {
            for id in 0.. {
                // Refused once the listener is closed.
                let Ok(mut stream) = TcpStream::connect(address).await else { return };
                let sent = stream.write_all(&post(&timer(10 + sender + 16 * id))).await;
                let mut answer = String::new();
                let read = stream.read_to_string(&mut answer).await;
                if sent.is_err() || read.is_err() || answer.is_empty() {
                    // The exporter had not accepted it.
                    return;
                }
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while answered.load(Ordering::Relaxed) < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    exporter.process.signal(Signal::TERM);
    half.write_all(second).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(exporter.process.wait().success());
    while let Some(sender) = load.join_next().await {
        sender.unwrap();
    }
    let written: serde_json::Value =
        serde_json::from_slice(&fs::read(storage.join("tail-ems.json")).unwrap()).unwrap();
    assert_eq!(written["files"][0]["offset"], fs::metadata(&log).unwrap().len());
}
