//! A server that stops, crashes and comes back, and what still arrives of its past.

use serde_json::{Value, json};

use crate::support::{Road, at, output, stream, with};

fn build() -> Value {
    json!({"releaseNumber": "2.0.1", "buildNumber": "5555", "banner": "EvoStream Media Server"})
}

/// The first stream of a server that counts anew.
fn first_again() -> Value {
    with(stream(1, "INR", "cam"), json!({"creationTimestamp": 1_795_364_041_000.5}))
}

/// A server with a stream, an output, a timer, a session and a connection.
fn busy() -> Road {
    let mut road = Road::new();
    road.tell("serverStarted", 0.0, build());
    road.tell("inStreamCreated", 1.0, stream(1, "INR", "cam"));
    road.tell("outStreamCreated", 1.0, output(2, "hls", "cam", 4));
    road.tell("timerCreated", 1.0, json!({"timerId": 9, "triggerCount": 0, "value": 60}));
    road.tell("streamingSessionStarted", 1.0, json!({"sessionId": 1, "startTime": "2026-11-22T16-15-06"}));
    road.tell("protocolRegisteredToApp", 1.0, json!({"id": 4, "protocolType": "IR"}));
    road.tell("processStarted", 1.0, json!({"configId": 3}));
    assert_open(&road, 1.0, 1.0);
    road
}

fn assert_open(road: &Road, seconds: f64, each: f64) {
    let samples = road.read(seconds);
    for gauge in
        ["ems_outputs", "ems_timers", "ems_sessions", "ems_connections", "ems_processes", "ems_stream_up"]
    {
        assert_eq!(samples.sum(gauge), each, "{gauge}");
    }
    let opened = samples.sum("ems_streams_opened_total") - samples.sum("ems_streams_closed_total");
    assert_eq!(samples.sum("ems_streams"), opened);
}

#[test]
fn a_server_says_what_it_is() {
    let road = busy();
    let samples = road.read(1.0);
    assert_eq!(samples.get("ems_up"), Some(1.0));
    assert_eq!(samples.get("ems_server_info{version=\"2.0.1\",build=\"5555\"}"), Some(1.0));
    assert_eq!(samples.get("ems_server_start_timestamp_seconds"), Some(at(0.0).seconds()));
    assert_eq!(samples.get("ems_server_restarts_total"), Some(0.0));
    assert_eq!(Road::new().read(0.0).get("ems_up"), Some(0.0), "nothing was heard of it");
}

#[test]
fn a_stop_empties_every_table_and_what_follows_opens_nothing() {
    let mut road = busy();
    let late = road.event("inStreamCreated", 2.0, stream(3, "INR", "late"));
    road.tell("serverStopping", 2.0, build());
    assert_open(&road, 2.0, 0.0);
    assert_eq!(road.read(2.0).get("ems_up"), Some(0.0));
    road.send(&late, at(2.1));
    road.tell("hlsChunkClosed", 2.2, json!({"file": "/srv/hls/cam/9.ts"}));
    road.tell("hlsChunkClosed", 2.2, json!({"file": "/srv/unknown/cam/9.ts"}));
    road.tell("inStreamClosed", 7.0, stream(1, "INR", "cam"));
    assert_open(&road, 7.0, 0.0);
    let samples = road.read(7.0);
    assert_eq!(samples.sum("ems_streams_closed_total"), 2.0, "closed once, with the server");
    assert_eq!(samples.sum("ems_chunks_closed_total"), 2.0);
}

#[test]
fn a_new_process_empties_every_table() {
    let mut road = busy();
    road.restart(200);
    road.tell("serverStarted", 30.0, build());
    assert_open(&road, 30.0, 0.0);
    let samples = road.read(30.0);
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0));
    assert_eq!(samples.correction("restarted"), 1.0);
}

#[test]
fn the_first_events_of_a_new_process_may_come_before_its_start() {
    let mut road = busy();
    road.restart(200);
    let started = road.event("serverStarted", 30.0, build());
    road.tell("inStreamCreated", 30.0, stream(1, "INR", "cam"));
    road.send(&started, at(30.1));
    let samples = road.read(30.1);
    assert_eq!((samples.sum("ems_streams"), samples.get("ems_server_restarts_total")), (1.0, Some(1.0)));
}

#[test]
fn events_of_the_process_before_are_stale() {
    let mut road = busy();
    let late = road.event("inStreamCreated", 2.0, stream(7, "INR", "late"));
    road.restart(200);
    road.tell("serverStarted", 3.0, build());
    road.send(&late, at(3.1));
    let samples = road.read(3.1);
    assert_eq!((samples.sum("ems_streams"), samples.correction("stale")), (0.0, 1.0));
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0), "it does not come back");
}

#[test]
fn in_a_container_the_process_id_stays_the_same() {
    let mut road = busy();
    road.restart(100);
    road.tell("serverStarted", 40.0, build());
    assert_open(&road, 40.0, 0.0);
    road.tell("inStreamCreated", 41.0, first_again());
    let samples = road.read(41.0);
    assert_eq!(samples.get("ems_server_restarts_total"), Some(1.0));
    assert_eq!(samples.sum("ems_stream_up"), 1.0, "its ids are used again, and are no duplicates");
    assert_eq!(samples.sum("ems_exporter_events_duplicate_total"), 0.0);
}

#[test]
fn a_crash_in_a_container_is_seen_even_if_the_start_is_lost() {
    let mut road = busy();
    road.restart(100);
    let lost = road.event("serverStarted", 40.0, build());
    road.tell("inStreamCreated", 41.0, first_again());
    assert_eq!(road.read(41.0).get("ems_server_restarts_total"), Some(1.0));
    road.send(&lost, at(41.1));
    let samples = road.read(41.1);
    assert_eq!((samples.get("ems_server_restarts_total"), samples.sum("ems_streams")), (Some(1.0), 1.0));
}

#[test]
fn edges_start_without_the_server_starting() {
    let mut road = busy();
    let edge = json!({"PID": 555, "releaseNumber": "2.0.1", "buildNumber": "5555"});
    road.tell("serverStarted", 20.0, edge.clone());
    assert_open(&road, 20.0, 1.0);
    road.tell("serverStopped", 21.0, edge);
    assert_open(&road, 21.0, 1.0);
    assert_eq!(road.read(21.0).get("ems_server_restarts_total"), Some(0.0));
}

#[test]
fn what_is_not_the_server_does_not_restart_it() {
    let road = busy();
    let other = br#"{"id":0,"localIp":"10.0.0.1","processId":999,"timestamp":1795364010,"payload":{"PID":999},"type":"vmCreated"}"#;
    assert_eq!(road.send(other, at(10.0)).first, None);
    assert_open(&road, 10.0, 1.0);
    assert_eq!(road.read(10.0).get("ems_events_total{event=\"other\"}"), Some(1.0));
}

#[test]
fn a_start_heard_by_an_exporter_that_came_later_is_no_restart() {
    let mut road = Road::new();
    let started = road.event("serverStarted", 0.0, build());
    road.tell("inStreamCreated", 0.2, stream(1, "INR", "cam"));
    road.send(&started, at(0.3));
    let samples = road.read(0.3);
    assert_eq!((samples.get("ems_server_restarts_total"), samples.sum("ems_streams")), (Some(0.0), 1.0));
}
