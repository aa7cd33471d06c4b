//! SIGTERM in the middle of load, and the limits of a stop.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ems_exporter::app;
use ems_exporter::config::Config;
use ems_simulator::{Options, Simulation};
use testkit::process::Signal;
use testkit::wait::{holds, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_nobody_has_read_before_the_stop_are_answered() {
    let mut exporter = serve(&[]);
    let body = timer(1);
    let request = format!(
        "POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        String::from_utf8(body).unwrap()
    );
    let mut connections = Vec::new();
    for _ in 0..50 {
        let mut kept = connect(&exporter).await;
        kept.write_all(request.as_bytes()).await.unwrap();
        assert!(kept.read(&mut [0; 1000]).await.unwrap() > 0);
        connections.push(kept);
    }
    // Connections and requests of now wait in the kernel.
    exporter.process.signal(Signal::STOP);
    for _ in 0..300 {
        connections.push(connect(&exporter).await);
    }
    for connection in &mut connections {
        connection.write_all(request.as_bytes()).await.unwrap();
    }
    exporter.process.signal(Signal::TERM);
    exporter.process.signal(Signal::CONT);
    for mut connection in connections {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert!(exporter.process.wait().success());
}

/// How long the exporter may take to stop after SIGTERM.
const EXPORTER_LIMIT: Duration = Duration::from_secs(5);
/// How long the simulated server of the demo may take after Ctrl-C.
const SIMULATOR_LIMIT: Duration = Duration::from_secs(6);

/// On a paused clock only the exporter's own timers count, not the load of the machine.
#[tokio::test]
async fn a_request_that_never_ends_delays_the_stop_by_its_limit_only() {
    let app = app::build(&Config::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (app, stop) = (Arc::clone(&app), stop.clone());
        async move { app::run(app, &Config::default(), vec![listener], stop).await }
    });
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
    // The feed of a live page is open as well.
    let mut feed = TcpStream::connect(address).await.unwrap();
    feed.write_all(b"GET /api/v1/feed HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    feed.read_exact(&mut [0; 12]).await.unwrap();
    until("two connections", async || {
        let open = app.exporter_metrics.connections.get();
        holds(open == 2, open)
    })
    .await;
    tokio::time::pause();
    let began = Instant::now();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(began.elapsed() <= EXPORTER_LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_receiver_that_never_answers_delays_the_end_of_the_simulated_server_by_its_limit_only() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", receiver.local_addr().unwrap()).parse().unwrap();
    let simulation = Simulation::new(Options { url, ..Options::default() }).unwrap();
    let stop = CancellationToken::new();
    let running = async { simulation.run(stop.cancelled()).await.unwrap() };
    let stopping = async {
        let _connection = receiver.accept().await.unwrap();
        tokio::time::pause();
        let began = Instant::now();
        stop.cancel();
        began
    };
    let (truth, began) = tokio::join!(running, stopping);
    assert!(began.elapsed() <= SIMULATOR_LIMIT, "{:?}", began.elapsed());
    assert!(!truth.running);
}
