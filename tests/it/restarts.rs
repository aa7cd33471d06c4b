//! A server that stops, crashes and comes back, and the late events of its past.

use serde_json::{Value, json};

use crate::support::{Harness, at, output, stream, with};

fn build() -> Value {
    json!({"releaseNumber": "2.0.1", "buildNumber": "5555", "banner": "EvoStream Media Server"})
}

/// The first stream of a server that counts anew.
fn first_again() -> Value {
    with(stream(1, "INR", "cam"), json!({"creationTimestamp": 1_795_364_041_000.5}))
}

/// A server with a stream, an output, a timer, a session and a connection.
fn busy() -> Harness {
    let mut harness = Harness::new();
    harness.post("serverStarted", 0.0, build());
    harness.post("inStreamCreated", 1.0, stream(1, "INR", "cam"));
    harness.post("outStreamCreated", 1.0, output(2, "hls", "cam", 4));
    harness.post("timerCreated", 1.0, json!({"timerId": 9, "triggerCount": 0, "value": 60}));
    harness.post("streamingSessionStarted", 1.0, json!({"sessionId": 1, "startTime": "2026-11-22T16-15-06"}));
    harness.post("protocolRegisteredToApp", 1.0, json!({"id": 4, "protocolType": "IR"}));
    harness.post("processStarted", 1.0, json!({"configId": 3}));
    assert_open(&harness, 1.0, 1.0);
    harness
}

fn assert_open(harness: &Harness, seconds: f64, each: f64) {
    let samples = harness.read(seconds);
    for gauge in
        ["ems_outputs", "ems_timers", "ems_sessions", "ems_connections", "ems_processes", "ems_stream_up"]
    {
        assert_eq!(samples.sum(gauge), each, "{gauge}");
    }
    let opened = samples.sum("ems_streams_opened_total") - samples.sum("ems_streams_closed_total");
    assert_eq!(samples.sum("ems_streams"), opened);
}

#[test]
fn a_server_has_a_version_and_a_start_time() {
    let harness = busy();
    let samples = harness.read(1.0);
    assert_eq!(samples.get("ems_up"), Some(1.0));
    assert_eq!(samples.get("ems_server_info{version=\"2.0.1\",build=\"5555\"}"), Some(1.0));
    assert_eq!(samples.get("ems_server_start_timestamp_seconds"), Some(at(0.0).seconds()));
    assert_eq!(samples.get("ems_server_restarts_total"), Some(0.0));
    assert_eq!(Harness::new().read(0.0).get("ems_up"), Some(0.0), "no event has arrived");
}

#[test]
fn a_stop_empties_every_table_and_later_events_open_nothing() {
    let mut harness = busy();
    let late = harness.event("inStreamCreated", 2.0, stream(3, "INR", "late"));
    harness.post("serverStopping", 2.0, build());
    assert_open(&harness, 2.0, 0.0);
    assert_eq!(harness.read(2.0).get("ems_up"), Some(0.0));
    harness.send(&late, at(2.1));
    harness.post("hlsChunkClosed", 2.2, json!({"file": "/srv/hls/cam/9.ts"}));
    harness.post("hlsChunkClosed", 2.2, json!({"file": "/srv/unknown/cam/9.ts"}));
    harness.post("inStreamClosed", 7.0, stream(1, "INR", "cam"));
    assert_open(&harness, 7.0, 0.0);
    let samples = harness.read(7.0);
    assert_eq!(samples.sum("ems_streams_closed_total"), 2.0, "closed once, with the server");
    assert_eq!(samples.sum("ems_chunks_closed_total"), 2.0);
}

#[test]
fn a_new_process_empties_every_table() {
    let mut harness = busy();
    harness.restart(200);
    harness.post("serverStarted", 30.0, build());
    assert_open(&harness, 30.0, 0.0);
    let samples = harness.read(30.0);
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0));
    assert_eq!(samples.correction("restarted"), 1.0);
}

#[test]
fn the_first_events_of_a_new_process_may_come_before_its_start() {
    let mut harness = busy();
    harness.restart(200);
    let started = harness.event("serverStarted", 30.0, build());
    harness.post("inStreamCreated", 30.0, stream(1, "INR", "cam"));
    harness.send(&started, at(30.1));
    let samples = harness.read(30.1);
    assert_eq!((samples.sum("ems_streams"), samples.get("ems_server_restarts_total")), (1.0, Some(1.0)));
}

#[test]
fn events_of_the_process_before_are_stale() {
    let mut harness = busy();
    let late = harness.event("inStreamCreated", 2.0, stream(7, "INR", "late"));
    harness.restart(200);
    harness.post("serverStarted", 3.0, build());
    harness.send(&late, at(3.1));
    let samples = harness.read(3.1);
    assert_eq!((samples.sum("ems_streams"), samples.correction("stale")), (0.0, 1.0));
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0), "it does not come back");
}

#[test]
fn in_a_container_the_process_id_stays_the_same() {
    let mut harness = busy();
    harness.restart(100);
    harness.post("serverStarted", 40.0, build());
    assert_open(&harness, 40.0, 0.0);
    harness.post("inStreamCreated", 41.0, first_again());
    let samples = harness.read(41.0);
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0));
    assert_eq!(samples.sum("ems_stream_up"), 1.0, "its ids are used again, and are no duplicates");
    assert_eq!(samples.sum("ems_exporter_events_duplicate_total"), 0.0);
}

#[test]
fn a_crash_in_a_container_is_seen_even_if_the_start_is_lost() {
    let mut harness = busy();
    harness.restart(100);
    let lost = harness.event("serverStarted", 40.0, build());
    harness.post("inStreamCreated", 41.0, first_again());
    assert_eq!(harness.read(41.0).get("ems_server_restarts_total"), Some(1.0));
    harness.send(&lost, at(41.1));
    let samples = harness.read(41.1);
    assert_eq!((samples.get("ems_server_restarts_total"), samples.sum("ems_streams")), (Some(1.0), 1.0));
}

#[test]
fn edges_start_without_the_server_starting() {
    let mut harness = busy();
    let edge = json!({"PID": 555, "releaseNumber": "2.0.1", "buildNumber": "5555"});
    harness.post("serverStarted", 20.0, edge.clone());
    assert_open(&harness, 20.0, 1.0);
    harness.post("serverStopped", 21.0, edge);
    assert_open(&harness, 21.0, 1.0);
    assert_eq!(harness.read(21.0).get("ems_server_restarts_total"), Some(0.0));
}

#[test]
fn events_of_other_programs_do_not_restart_the_server() {
    let harness = busy();
    let other = br#"{"id":0,"localIp":"10.0.0.1","processId":999,"timestamp":1795364010,"payload":{"PID":999},"type":"vmCreated"}"#;
    assert_eq!(harness.send(other, at(10.0)).first, None);
    assert_open(&harness, 10.0, 1.0);
    assert_eq!(harness.read(10.0).get("ems_events_total{event=\"other\"}"), Some(1.0));
}

#[test]
fn a_late_start_event_after_the_start_of_the_exporter_is_no_restart() {
    let mut harness = Harness::new();
    let started = harness.event("serverStarted", 0.0, build());
    harness.post("inStreamCreated", 0.2, stream(1, "INR", "cam"));
    harness.send(&started, at(0.3));
    let samples = harness.read(0.3);
    assert_eq!((samples.get("ems_server_restarts_total"), samples.sum("ems_streams")), (Some(0.0), 1.0));
}

#[test]
fn only_what_comes_after_a_moment_shows_life_since_it() {
    let mut harness = busy();
    let shows_life =
        |harness: &Harness, seconds| harness.server.read(|state| state.server.shows_life(at(seconds)));
    assert!(shows_life(&harness, 0.5) && !shows_life(&harness, 1.0), "the last event came at 1 s");
    harness.server.record_poll(at(20.0), false);
    assert!(!shows_life(&harness, 10.0), "a server that stands still answers no poll");
    harness.server.record_poll(at(30.0), true);
    assert!(
        shows_life(&harness, 29.0) && !shows_life(&harness, 30.0),
        "the answer may be older than the moment"
    );
    harness.post("serverStopping", 40.0, build());
    assert!(!shows_life(&harness, 0.0));
}
