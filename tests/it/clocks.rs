//! Clocks that are wrong, step or stand still: the server's, the exporter's, that of a suspended machine.

use std::io::Write as _;
use std::path::Path;

use ems_exporter::exposition::Style;
use ems_exporter::metrics::{ExporterMetrics, Sources};
use ems_exporter::query::{self, List, Query};
use ems_protocol::{Timestamp, Wall};
use ems_tail::Start;
use serde_json::{Value, json};
use testkit::wait::{holds, until};

use crate::file_input::following;
use crate::http::Exporter;
use crate::support::{Harness, PROGRAM, Samples, at, output, stream};

const HOUR: i64 = 3600;
/// Stamps by which a sender's clock is wrong, in seconds.
const WRONG: [i64; 5] = [3 * HOUR, -3 * HOUR, 75 * 365 * 24 * HOUR, -60 * 365 * 24 * HOUR, -5 * HOUR];

/// The first value of a field in the answer of a list.
fn field(harness: &Harness, list: List, name: &str, now: Timestamp) -> f64 {
    let own = ExporterMetrics::new(at(0.0)).unwrap();
    let query = Query::parse("", list.by_stream()).unwrap();
    let answer = query::answer(list, Sources::of_events(&harness.pipeline, &own), &query, now).unwrap();
    serde_json::from_slice::<Value>(&answer).unwrap()["data"][0][name].as_f64().unwrap()
}

/// The monotonic clock has stood still or gone on, and the wall clock has jumped.
#[test]
fn a_step_of_the_wall_clock_and_a_suspension_change_no_age_and_no_verdict() {
    let mut harness = Harness::new();
    let empty = harness.read(0.0).get("ems_last_event_timestamp_seconds");
    harness.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    harness.post("outStreamCreated", 0.0, output(2, "hls", "cam", 4));
    harness.post("hlsChunkClosed", 4.0, json!({"file": "/srv/hls/cam/1.ts"}));
    for difference in [0, 8 * HOUR, -HOUR, HOUR] {
        harness.pipeline.set_wall(Wall::ahead(difference));
        let samples = harness.read(10.0);
        let time = samples.get("ems_exporter_time_seconds").unwrap();
        assert_eq!(time, at(10.0).seconds() + difference as f64);
        for (metric, age) in [
            ("ems_chunk_last_closed_timestamp_seconds", 6.0),
            ("ems_last_event_timestamp_seconds", 6.0),
            // It had been up for 2 s.
            ("ems_stream_start_timestamp_seconds", 12.0),
            ("ems_exporter_config_last_load_success_timestamp_seconds", 10.0),
        ] {
            assert_eq!(time - samples.sum(metric), age, "{metric}");
        }
        assert_eq!(samples.sum("ems_chunk_stalled"), 0.0);
        for (list, name, age) in [
            (List::Outputs, "last_closed_timestamp_seconds", 6.0),
            (List::Servers, "last_event_timestamp_seconds", 6.0),
            (List::Streams, "opened_timestamp_seconds", 12.0),
            (List::Events, "timestamp_seconds", 6.0),
        ] {
            assert_eq!(time - field(&harness, list, name, at(10.0)), age, "{name}");
        }
        assert_eq!(field(&harness, List::Outputs, "chunk_age_seconds", at(10.0)), 6.0);
    }
    assert_eq!(empty, Some(0.0));
    let silent = Harness::new();
    silent.pipeline.set_wall(Wall::ahead(HOUR));
    assert_eq!(silent.read(0.0).get("ems_last_event_timestamp_seconds"), empty, "no event has come");
    assert_eq!(harness.read(16.1).sum("ems_chunk_stalled"), 1.0, "a true stall is seen");
}

fn entry(process: u64, id: u64, stamp: i64, name: &str, payload: &Value) -> String {
    let mut payload = payload.clone();
    payload["PID"] = json!(process);
    json!({"id": id, "processId": process, "timestamp": stamp, "type": name, "payload": payload}).to_string()
}

/// A server starts as this process and opens a stream, with these stamps.
fn start(process: u64, stamp: i64) -> [String; 2] {
    [
        entry(process, 1, stamp, "serverStarted", &json!({"releaseNumber": "1.7.1", "buildNumber": "1"})),
        entry(process, 2, stamp, "inStreamCreated", &stream(1, "INR", &format!("cam{process}"))),
    ]
}

/// The processes are followed one after the other.
fn assert_followed(samples: &Samples, process: u64, restarts: f64, wrong: i64) {
    let up = format!("ems_stream_up{{stream=\"cam{process}\"}}");
    assert_eq!((samples.get(&up), samples.sum("ems_stream_up")), (Some(1.0), 1.0), "{process}, {wrong}");
    assert_eq!(samples.get("ems_server_restarts_total"), Some(restarts), "{process}, {wrong}");
    assert_eq!(samples.correction("stale"), 0.0, "{process}, {wrong}");
}

#[test]
fn a_process_with_wrong_stamps_is_followed_over_http_and_so_are_those_after_it() {
    let right = at(0.0).millis() as i64 / 1000;
    for wrong in WRONG {
        let harness = Harness::new();
        for (number, (process, stamp)) in
            [(100, right), (200, right + wrong), (300, right)].into_iter().enumerate()
        {
            for body in start(process, stamp) {
                assert_eq!(harness.send(body.as_bytes(), at(number as f64)).first, None);
            }
            assert_followed(&harness.read(number as f64), process, number as f64, wrong);
        }
    }
}

fn append(path: &Path, entries: &[String]) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(entries.iter().map(|entry| format!("{entry},\n")).collect::<String>().as_bytes()).unwrap();
}

async fn read_entries(exporter: &Exporter, entries: f64) -> Samples {
    until("the file is read", async || {
        let ready = exporter.get("/-/ready").await.starts_with("HTTP/1.1 200");
        let read = exporter.read().await.get("ems_exporter_tail_entries_read_total");
        holds(ready && read == Some(entries), (ready, read))
    })
    .await;
    // On one page the state is older than the follower's position.
    exporter.read().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_wrong_stamps_is_followed_in_files_and_so_are_those_after_it() {
    let right = testkit::now() as i64;
    for wrong in WRONG {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("events.json");
        append(&file, &start(100, right - HOUR));
        append(&file, &start(200, right + wrong));
        let exporter = Exporter::with(&following(&file, Start::Beginning, None)).await;
        assert_followed(&read_entries(&exporter, 4.0).await, 200, 1.0, wrong);
        append(&file, &start(300, right + wrong));
        assert_followed(&read_entries(&exporter, 6.0).await, 300, 2.0, wrong);
        append(&file, &start(400, right));
        assert_followed(&read_entries(&exporter, 8.0).await, 400, 3.0, wrong);
        for (process, restarts, stamp) in [(500, 4.0, right + wrong), (600, 5.0, right)] {
            for body in start(process, stamp) {
                assert!(exporter.post("/events", &body).await.starts_with("HTTP/1.1 200"), "{body}");
            }
            assert_followed(&exporter.read().await, process, restarts, wrong);
        }
        let oldest = exporter.read().await.sum("ems_last_event_timestamp_seconds");
        assert!((right as f64 - 1.0..testkit::now() + 1.0).contains(&oldest), "{oldest}");
        exporter.stop().await;
    }
}

/// Such as after a restart of the exporter, which reads on in files of a server in another zone.
#[tokio::test(flavor = "multi_thread")]
async fn old_stamps_alone_are_no_stall() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let old = testkit::now() as i64 - 5 * HOUR;
    append(
        &file,
        &[
            entry(100, 1, old, "outStreamCreated", &output(2, "hls", "cam", 4)),
            entry(100, 2, old, "hlsChunkClosed", &json!({"file": "/srv/hls/cam/1.ts"})),
            entry(100, 3, old + HOUR, "hlsChunkClosed", &json!({"file": "/srv/hls/cam/2.ts"})),
            entry(
                100,
                4,
                old + HOUR,
                "hlsChildPlaylistUpdated",
                &json!({"file": "/srv/hls/cam/playlist.m3u8"}),
            ),
            entry(100, 5, old + HOUR, "timerCreated", &json!({"timerId": 9, "triggerCount": 0, "value": 60})),
        ],
    );
    let exporter = Exporter::with(&following(&file, Start::Beginning, None)).await;
    let samples = read_entries(&exporter, 5.0).await;
    assert_eq!(samples.sum("ems_chunks_closed_total"), 2.0);
    assert_eq!((samples.sum("ems_chunk_stalled"), samples.sum("ems_chunk_stalls_total")), (0.0, 0.0));
    for silence in [
        "ems_chunk_last_closed_timestamp_seconds",
        "ems_playlist_last_updated_timestamp_seconds",
        "ems_timer_last_triggered_timestamp_seconds",
        "ems_last_event_timestamp_seconds",
    ] {
        let age = samples.get("ems_exporter_time_seconds").unwrap() - samples.sum(silence);
        assert!((0.0..60.0).contains(&age), "{silence}: {age} s");
    }
    exporter.stop().await;
}

#[test]
fn times_of_the_registry_are_shown_by_the_wall_clock_too() {
    let harness = Harness::new();
    harness.pipeline.set_wall(Wall::ahead(HOUR));
    let page = harness.page(Style::OpenMetrics, 0.0);
    for line in ["ems_exporter_time_seconds", "ems_exporter_web_config_last_load_success_timestamp_seconds"] {
        let expected = format!("\n{line} {}\n", at(3600.0).seconds());
        assert!(page.contains(&expected), "{expected}");
    }
    let started = testkit::now() - Samples::of(&page).get("process_start_time_seconds").unwrap();
    assert!((0.0..1800.0).contains(&started), "the kernel's own time is left alone: {started}");
}

#[test]
fn an_unknown_time_zone_is_a_warning_and_a_known_one_needs_no_files_of_this_host() {
    for (zone, warns) in [("Nowhere/Atlantis", true), ("America/New_York", false), ("", false)] {
        // A library of zones that is not there stands for an image without one.
        let before = format!("export TZ='{zone}' TZDIR=/nonexistent");
        let exporter = PROGRAM.serve_after(&before, &[]);
        assert_eq!(exporter.get("/-/healthy", &[]).status, 200);
        let log = exporter.process.output();
        assert_eq!(log.contains("unknown time zone in TZ"), warns, "{zone}: {log}");
    }
}
