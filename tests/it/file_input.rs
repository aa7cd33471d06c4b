//! Event files: the recorded session in every format, both transports at once, and replay.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ems_exporter::commands::replay::replay;
use ems_exporter::config::{Config, Source};
use ems_tail::Start;
use serde_json::json;

use testkit::wait::{holds, until};

use crate::http::Exporter;
use crate::support::{Harness, START, Samples, at, body, fixture, output, session, stream};

fn recording(name: &str) -> PathBuf {
    fixture("files").join(name)
}

fn replayed(names: &[&str]) -> Samples {
    let paths: Vec<PathBuf> = names.iter().map(|name| recording(name)).collect();
    let page = replay(&paths, None, &mut |_, _| ()).unwrap().page().unwrap();
    Samples::of(&page.replace("server=\"replay\"", "server=\"ems\""))
}

/// The counts by event, those of 0 left out.
fn events(samples: &Samples) -> BTreeMap<String, f64> {
    let counts = samples.of_metric("ems_events_total").filter(|(_, count)| *count > 0.0);
    counts.map(|(labels, count)| (labels.to_owned(), count)).collect()
}

/// The values of a metric, series by series.
fn series(samples: &Samples, metric: &str) -> BTreeMap<String, f64> {
    samples.of_metric(metric).map(|(labels, value)| (labels.to_owned(), value)).collect()
}

/// Metrics that every format which carries all events must agree on.
const TOTALS: [&str; 16] = [
    "ems_events_total",
    "ems_streams_opened_total",
    "ems_streams_closed_total",
    "ems_stream_bytes_total",
    "ems_chunks_opened_total",
    "ems_chunks_closed_total",
    "ems_chunk_errors_total",
    "ems_playlist_updates_total",
    "ems_timers_created_total",
    "ems_timers_triggered_total",
    "ems_sessions_started_total",
    "ems_downloads_total",
    "ems_connections_opened_total",
    "ems_api_requests_total",
    "ems_pull_failures_total",
    "ems_playlist_items_total",
];

#[test]
fn json_xml_and_text_files_of_a_session_give_the_same_totals() {
    let json = replayed(&["json_noappend.json"]);
    assert_eq!(json.sum("ems_events_total"), 633.0);
    assert_eq!(json.sum("ems_exporter_events_rejected_total"), 0.0);
    let others: [(&str, &[&str]); 5] = [
        ("with local time", &["json_ts.json"]),
        (
            "in chunks",
            &["json_chunk_9797_0001.json", "json_chunk_9797_0002.json", "json_chunk_9797_0003.json"],
        ),
        ("xml", &["xml_noappend.xml"]),
        ("text", &["text_noappend.txt"]),
        ("text with local time", &["text_ts.txt"]),
    ];
    for (name, files) in others {
        let other = replayed(files);
        assert_eq!(other.sum("ems_exporter_events_rejected_total"), 0.0, "{name}");
        for metric in TOTALS {
            assert_eq!(series(&other, metric), series(&json, metric), "{metric}: {name}");
        }
    }
}

#[test]
fn w3c_files_give_the_same_totals_of_the_events_that_they_contain() {
    let json = replayed(&["json_noappend.json"]);
    for file in ["w3c_noappend.log", "w3c_ts.log"] {
        let w3c = replayed(&[file]);
        // A stream with a tab in its name: its rows have a column too many.
        assert_eq!(w3c.sum("ems_exporter_events_rejected_total"), 4.0);
        let counted = events(&w3c);
        assert_eq!(counted.len(), 10, "{counted:?}");
        for (event, count) in &counted {
            let rejected = match &**event {
                "{event=\"inStreamCreated\"}" | "{event=\"inStreamClosed\"}" => 1.0,
                "{event=\"inStreamCodecsUpdated\"}" => 2.0,
                _ => 0.0,
            };
            assert_eq!(events(&json).get(event), Some(&(count + rejected)), "{event}");
        }
        for metric in ["ems_streams_opened_total", "ems_streams_closed_total"] {
            assert_eq!(w3c.sum(metric), json.sum(metric) - 1.0, "{metric}");
        }
    }
}

/// The recording over HTTP ends with the server's stop; the files go on to the very end.
#[test]
fn files_and_http_give_the_same_counts_of_each_event() {
    let harness = Harness::new();
    for request in session() {
        harness.send(body(&request), at(0.0));
    }
    let http = events(&harness.read(0.0));
    let file = events(&replayed(&["json_noappend.json"]));
    let after_the_stop = [
        ("inStreamClosed", 1.0),
        ("outStreamClosed", 4.0),
        ("applicationStop", 1.0),
        ("hlsChunkClosed", 1.0),
        ("hlsChildPlaylistUpdated", 2.0),
        ("hdsChunkClosed", 1.0),
        ("dashChunkClosed", 1.0),
        ("mssChunkClosed", 2.0),
        ("dashChunkCreated", 1.0),
    ];
    let mut difference = 0.0;
    for (event, count) in &file {
        let missing = count - http.get(event).copied().unwrap_or(0.0);
        assert!(missing >= 0.0, "{event}");
        let known = after_the_stop.iter().any(|(name, _)| event.contains(&format!("\"{name}\"")));
        assert!(missing == 0.0 || known, "{event}: {missing} more in the file");
        difference += missing;
    }
    assert_eq!(difference, 14.0, "the field report counts fourteen");
}

pub fn following(path: &Path, start: Start, storage: Option<&Path>) -> Config {
    let source = Source { server: None, patterns: vec![path.display().to_string()], format: None };
    Config { sources: vec![source], start, storage: storage.map(Path::to_owned), ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_on_both_transports_counts_once_and_each_transport_fills_the_gaps_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let lines = fs::read(recording("json_noappend.json")).unwrap();
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(&file, b"").unwrap();
    let exporter = Exporter::with(&following(&file, Start::Beginning, None)).await;
    let requests = session();
    // HTTP is ahead of the file, then dead for a while, then behind it.
    for (part, from_http) in [(0..200, true), (200..400, false), (400..633, true)] {
        if from_http && part.start == 0 {
            send(&exporter, &requests[..200.min(requests.len())]).await;
        }
        // Appended as the server does: a poll in the middle of a rewrite would see a truncated file.
        let mut writer = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
        writer.write_all(&lines[part.clone()].concat()).unwrap();
        until("the file is read", async || {
            let read = exporter.read().await.get("ems_exporter_tail_entries_read_total");
            holds(read == Some(part.end as f64), read)
        })
        .await;
        if from_http && part.start > 0 {
            send(&exporter, &requests[400..]).await;
        }
    }
    let samples = exporter.read().await;
    let alone = replayed(&["json_noappend.json"]);
    assert_eq!(events(&samples), events(&alone));
    let received = samples.sum("ems_exporter_events_received_total");
    let sum = |part: &str| samples.sum(&format!("ems_exporter_events_{part}_total"));
    assert_eq!(received, sum("applied") + sum("duplicate") + sum("rejected") + sum("dropped"));
    assert_eq!(sum("applied"), 633.0);
    assert_eq!(sum("duplicate"), (200 + requests.len() - 400) as f64);
    assert_eq!(samples.get("ems_exporter_tail_bytes_behind"), Some(0.0));
}

async fn send(exporter: &Exporter, requests: &[Vec<u8>]) {
    for request in requests {
        let text = String::from_utf8_lossy(body(request)).into_owned();
        assert!(exporter.post("/events", &text).await.starts_with("HTTP/1.1 200"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_repeats_nothing_and_a_restart_continues_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let storage = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let whole = fs::read(recording("json_noappend.json")).unwrap();
    let half = whole.len() / 2;
    fs::write(&file, &whole[..half]).unwrap();
    let config = following(&folder.path().join("*.json"), Start::SavedOrBeginning, Some(storage.path()));
    let first = Exporter::with(&config).await;
    until("the first half is read", async || {
        let ready = first.get("/-/ready").await;
        let read = first.read().await.sum("ems_exporter_tail_entries_read_total");
        holds(ready.starts_with("HTTP/1.1 200") && read > 0.0, (ready, read))
    })
    .await;
    let before = first.read().await.sum("ems_events_total");
    first.stop().await;
    fs::write(&file, &whole).unwrap();
    let second = Exporter::with(&config).await;
    until("the second half is read", async || {
        let events = before + second.read().await.sum("ems_events_total");
        holds(events >= 633.0, events)
    })
    .await;
    assert_eq!(before + second.read().await.sum("ems_events_total"), 633.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_files_have_no_ids_accepts_no_posted_events() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.txt");
    std::fs::copy(recording("text_noappend.txt"), &file).unwrap();
    let exporter = Exporter::with(&following(&file, Start::Beginning, None)).await;
    until("the file is read", async || {
        let events = exporter.read().await.sum("ems_events_total");
        holds(events == 633.0, events)
    })
    .await;
    let answer = exporter.post("/events", r#"{"type":"serverStarted","payload":{}}"#).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("are read from text or w3c files"), "{answer}");
    assert!(exporter.post("/events/other", r#"{"type":"x"}"#).await.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_replay_is_summarised_as_a_table() {
    let replayed = replay(&[recording("json_noappend.json")], None, &mut |_, _| ()).unwrap();
    let summary = replayed.summary().unwrap();
    assert!(summary.starts_with("events                            633\n"), "{summary}");
    for line in [
        "        26  format=\"hls\",group=\"hlsgrp\",stream=\"stream1\",track=\"\"\n",
        "rejected                            0\n",
        "server restarts                     0\n",
    ] {
        assert!(summary.contains(line), "{line}: {summary}");
    }
}

#[test]
fn a_replay_reports_what_could_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let good = r#"{"id":1,"payload":{"PID":1},"processId":1,"timestamp":1795364000,"type":"cliRequest"},"#;
    fs::write(&file, format!("{good}\n{{\"type\":]\n{{\"payload\":{{}}}},\n{}", &good[..20])).unwrap();
    let replayed = replay(&[file], None, &mut |_, _| ()).unwrap();
    let summary = replayed.summary().unwrap();
    assert!(summary.starts_with("events                              1\n"), "{summary}");
    assert!(summary.contains("rejected                            3\n"), "{summary}");
    assert!(summary.contains("  such as: not an event: it has no type\n"), "{summary}");
    assert_eq!(replayed.faults(), ["3 events were rejected"]);
    for (name, content, fault) in [
        ("empty.json", &b""[..], "it holds no event"),
        ("blank.json", b"\n\n", "it holds no event"),
        ("utf16.json", b"\xff\xfe{\0", "unknown_format"),
        ("other.log", b"10:00 started\n", "unknown_format"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let faults = replay(&[recording("json_noappend.json"), file], None, &mut |_, _| ()).unwrap().faults();
        assert!(faults[0].ends_with(&format!("{name}: {fault}")), "{faults:?}");
    }
    let all = replay(&[recording("json_noappend.json")], None, &mut |_, _| ()).unwrap();
    assert!(all.faults().is_empty());
}

/// Writes event files, and replays them in the order of their names.
fn replayed_contents(files: &[(&str, String)]) -> Samples {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (path, (_, content)) in paths.iter().zip(files) {
        fs::write(path, content).unwrap();
    }
    let page = replay(&paths, None, &mut |_, _| ()).unwrap().page().unwrap();
    Samples::of(&page.replace("server=\"replay\"", "server=\"ems\""))
}

/// An entry of a JSON event file, `seconds` after a start.
fn entry(id: u64, seconds: u64, name: &str, payload: serde_json::Value) -> String {
    let timestamp = START + seconds;
    let event = json!({"id": id, "payload": payload, "processId": 100, "timestamp": timestamp, "type": name});
    format!("{event},\n")
}

#[test]
fn a_replay_shows_stalls_before_the_first_chunk_and_at_the_end() {
    let timer = |id, seconds| {
        entry(id, seconds, "timerTriggered", json!({"timerId": 1, "triggerCount": id, "value": 30}))
    };
    let chunk = |id, seconds| {
        entry(id, seconds, "hlsChunkClosed", json!({"file": "/srv/hls/cam/1.ts", "segmentDuration": 4000.0}))
    };
    let opened = entry(1, 0, "outStreamCreated", output(3, "hls", "cam", 4));
    let stalls = |more: &[String]| {
        let samples = replayed_contents(&[("a.json", opened.clone() + &more.concat())]);
        (samples.sum("ems_chunk_stalls_total"), samples.sum("ems_chunk_stalled"))
    };
    assert_eq!(stalls(&[chunk(2, 4), chunk(3, 8), timer(4, 12)]), (0.0, 0.0));
    assert_eq!(stalls(&[chunk(2, 4), chunk(3, 8), timer(4, 60)]), (1.0, 1.0), "at the end");
    assert_eq!(stalls(&[timer(2, 5), timer(3, 40)]), (1.0, 1.0), "it never started");
    assert_eq!(stalls(&[timer(2, 5), chunk(3, 40), chunk(4, 44)]), (1.0, 0.0), "it started late");
    assert_eq!(stalls(&[chunk(2, 4), chunk(3, 60), chunk(4, 64)]), (1.0, 0.0), "it recovered");
}

#[test]
fn a_replay_reads_files_in_the_order_of_their_events() {
    let camera = || stream(5, "INR", "cam");
    let first = entry(1, 0, "serverStarted", json!({"releaseNumber": "1", "buildNumber": "1"}))
        + &entry(2, 1, "inStreamCreated", camera());
    let second = entry(3, 100, "inStreamCodecsUpdated", camera())
        + &entry(4, 200, "serverStopping", json!({}))
        + &entry(5, 201, "inStreamClosed", camera());
    for names in [["1.json", "2.json"], ["10.json", "9.json"]] {
        let mut files = [(names[0], first.clone()), (names[1], second.clone())];
        for _ in 0..2 {
            let samples = replayed_contents(&files);
            assert_eq!(samples.sum("ems_server_restarts_total"), 0.0, "{names:?}");
            assert_eq!((samples.sum("ems_streams"), samples.sum("ems_events_total")), (0.0, 5.0));
            files.reverse();
        }
    }
}

#[test]
fn a_replay_counts_a_last_entry_without_line_end() {
    let timer = |id| entry(id, id, "timerTriggered", json!({"timerId": 1, "triggerCount": id, "value": 30}));
    let whole: String = (1..=3).map(timer).collect();
    for cut in [1, 2] {
        let samples = replayed_contents(&[("a.json", whole[..whole.len() - cut].to_owned())]);
        assert_eq!(samples.sum("ems_events_total"), 3.0);
    }
    let half = replayed_contents(&[("a.json", whole[..whole.len() - 20].to_owned())]);
    assert_eq!(half.sum("ems_events_total"), 2.0);
    assert_eq!(half.sum("ems_exporter_events_rejected_total"), 1.0);
    let rows = "#Fields: INFO\tprocessId\tname\ttype\tuniqueId\ninStreamCreated\t5\tcam1\tINR\t1\ninStreamCreated\t5\tcam2\tINR\t2";
    assert_eq!(replayed_contents(&[("a.log", rows.to_owned())]).sum("ems_events_total"), 2.0);
}

#[test]
fn a_replay_reads_compressed_files() {
    let folder = tempfile::tempdir().unwrap();
    let content = fs::read(recording("json_noappend.json")).unwrap();
    let (first, rest) = content.split_at(content.len() / 2);
    let plain = replayed(&["json_noappend.json"]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    // Several members and frames, as `cat a.gz b.gz` makes.
    let gz = [gzip(first), gzip(rest)].concat();
    let zstd =
        |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let zst = [zstd(first), zstd(rest)].concat();
    for (name, bytes) in [("events.json.1.gz", &gz), ("events.json.1.zst", &zst)] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let replayed = replay(std::slice::from_ref(&path), None, &mut |_, _| ()).unwrap();
        assert_eq!(replayed.faults(), [""; 0], "{name}");
        let samples = Samples::of(&replayed.page().unwrap());
        assert_eq!(samples.sum("ems_events_total"), plain.sum("ems_events_total"), "{name}");
        fs::write(&path, &bytes[..bytes.len() - 50]).unwrap();
        let cut = replay(&[path], None, &mut |_, _| ()).unwrap();
        assert!(cut.faults()[0].contains("cannot be decompressed"), "{:?}", cut.faults());
        assert!(Samples::of(&cut.page().unwrap()).sum("ems_events_total") > 10.0, "{name}");
    }
}
