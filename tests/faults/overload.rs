//! More load than the exporter has capacity for.

use std::time::{Duration, Instant};

use testkit::Exporter;
use testkit::http::exchange;
use testkit::wait::holds;
use testkit::wait_for;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::events::{answer_to, connect, post, serve, timer};

const OVERLOAD: &str =
    "ems_exporter_events_dropped_total{transport=\"http\",format=\"unknown\",reason=\"overload\"}";
/// Less than a slow body may take, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(10);

/// Begins a body of `length` bytes on each of `count` connections, and sends all but the last byte of it if `almost`.
async fn begin(
    exporter: &Exporter,
    count: usize,
    length: usize,
    headers: &str,
    almost: bool,
) -> Vec<TcpStream> {
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n");
    let sent = vec![b' '; if almost { length - 1 } else { 1 }];
    let mut begun = JoinSet::new();
    for _ in 0..count {
        let mut stream = connect(exporter).await;
        let request = [head.as_bytes(), &sent].concat();
        // Those beyond the budget are answered and closed before they have sent all.
        begun.spawn(async move { stream.write_all(&request).await.map(|()| stream) });
    }
    let mut open = Vec::new();
    while let Some(stream) = begun.join_next().await {
        open.extend(stream.unwrap());
    }
    open
}

/// How long an event takes to be answered with 200.
fn time_of(exporter: &Exporter, body: &[u8]) -> Duration {
    let began = Instant::now();
    let answer = answer_to(exporter, body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    began.elapsed()
}

/// An event of some 6 KB, which needs a part of the budget.
fn padded(id: usize) -> Vec<u8> {
    [timer(id), vec![b' '; 6000]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_keep_no_event_waiting() {
    let exporter = serve(&[]);
    for (headers, name) in [("", "plain"), ("Content-Encoding: gzip\r\n", "compressed")] {
        let slow = begin(&exporter, 600, 100, headers, false).await;
        exporter.wait_for_value("ems_exporter_http_connections", |open| open > 600.0);
        for id in 0..20 {
            for body in [timer(id), padded(id)] {
                let time = time_of(&exporter, &body);
                assert!(time < PROMPT, "{time:?} beside {name} bodies");
            }
        }
        drop(slow);
        exporter.wait_for_value("ems_exporter_http_connections", |open| open < 10.0);
    }
    assert_eq!(exporter.sum(OVERLOAD), 0.0);
    exporter.assert_accounted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_share_a_budget_and_give_way_when_it_is_used_up() {
    let exporter = serve(&[]);
    assert!(time_of(&exporter, &padded(0)) < PROMPT);
    let before = exporter.process.bytes("VmRSS");
    let held = begin(&exporter, 40, 16 << 20, "", true).await;
    exporter.wait_for_value(OVERLOAD, |count| count >= 10.0);
    let grown = exporter.process.bytes("VmHWM") - before;
    assert!(grown < 100 << 20, "{} MiB", grown >> 20);
    // Small events need nothing of the budget; for larger ones the slow bodies give way.
    assert!(time_of(&exporter, &timer(1)) < PROMPT);
    assert!(time_of(&exporter, &padded(1)) < PROMPT);
    exporter.assert_accounted();
    drop(held);
    exporter.assert_accounted();
    memory_returns(&exporter, before);
}

/// Waits until the exporter uses hardly more memory than `before`.
fn memory_returns(exporter: &Exporter, before: u64) {
    wait_for("the memory to be given back", || {
        let grown = exporter.process.bytes("VmRSS").saturating_sub(before);
        holds(grown < 20 << 20, grown)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_two_thousand_connections_is_bounded_and_given_back() {
    testkit::process::raise_file_limit();
    let exporter = serve(&[]);
    assert!(time_of(&exporter, &padded(0)) < PROMPT);
    let before = exporter.process.bytes("VmRSS");
    let padding = " ".repeat(15_000);
    for begun in [
        String::new(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {padding}"),
        format!("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n{padding}"),
        "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20),
    ] {
        let mut open = Vec::new();
        for _ in 0..2000 {
            let mut stream = connect(&exporter).await;
            // Those of the first may have been closed as idle.
            drop(stream.write_all(begun.as_bytes()).await);
            open.push(stream);
        }
        assert!(time_of(&exporter, &timer(1)) < PROMPT, "beside {:?}", begun.get(..20));
        drop(open);
        memory_returns(&exporter, before);
    }
    let peak = exporter.process.bytes("VmHWM") - before;
    assert!(peak < 160 << 20, "{} MiB", peak >> 20);
    exporter.assert_accounted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_for_which_no_other_gives_way_gets_503() {
    let exporter = serve(&[]);
    // Bodies that are sent faster than any is old enough to give way: the budget serves some, and the rest is dropped.
    let event = timer(7);
    let body = [event.clone(), vec![b' '; (16 << 20) - event.len()]].concat();
    let request = post(&body);
    let mut answers = JoinSet::new();
    for _ in 0..20 {
        let (address, request) = (exporter.address, request.clone());
        answers.spawn(async move { exchange(address, &request).await });
    }
    let (mut accepted, mut refused) = (0, 0);
    while let Some(answer) = answers.join_next().await {
        match answer.unwrap() {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => accepted += 1,
            Ok(answer) if answer.starts_with("HTTP/1.1 503") => {
                assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
                refused += 1;
            }
            // It was answered before it had sent all.
            _ => refused += 1,
        }
    }
    assert!(accepted >= 1, "{accepted} accepted, {refused} refused");
    assert_eq!(exporter.sum(OVERLOAD), f64::from(refused));
    exporter.assert_accounted();
    assert!(answer_to(&exporter, &padded(2)).starts_with("HTTP/1.1 200"));
}
