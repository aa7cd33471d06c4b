//! Streams, timers, sessions and connections: identity, order, loss, limits.

use ems_exporter::model::Settings;
use serde_json::json;

use crate::support::{Harness, at, output, stream, with};

const UP: &str = "ems_stream_up{stream=\"cam\"}";

#[test]
fn gauges_are_what_is_open_whatever_the_order() {
    let mut harness = Harness::new();
    let created = harness.event("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    let codecs = harness.event("inStreamCodecsUpdated", 0.0, stream(1, "INR", "cam"));
    let closed = harness.event("inStreamClosed", 0.0, stream(1, "INR", "cam"));
    harness.send(&codecs, at(0.0));
    assert_eq!(harness.read(0.0).get(UP), Some(1.0), "an event with its codecs opens it");
    harness.send(&created, at(0.0));
    let samples = harness.read(0.0);
    assert_eq!(samples.sum("ems_streams"), 1.0);
    assert_eq!(samples.sum("ems_streams_opened_total"), 1.0);
    harness.send(&closed, at(0.0));
    let samples = harness.read(0.0);
    assert_eq!((samples.sum("ems_streams"), samples.get(UP)), (0.0, None));
    assert_eq!(samples.sum("ems_streams_closed_total"), 1.0);
}

#[test]
fn a_creation_after_its_close_opens_nothing() {
    let mut harness = Harness::new();
    let created = harness.event("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    let closed = harness.event("inStreamClosed", 0.0, stream(1, "INR", "cam"));
    harness.send(&closed, at(0.0));
    harness.send(&created, at(0.0));
    let samples = harness.read(0.0);
    assert_eq!(samples.sum("ems_streams"), 0.0);
    assert_eq!(samples.sum("ems_streams_opened_total"), 1.0, "it was open once");
    assert_eq!((samples.correction("closed_unseen"), samples.correction("created_late")), (1.0, 1.0));
}

#[test]
fn streams_are_known_by_process_and_id_and_names_are_labels() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "cam"), json!({"PID": 7})));
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "cam"), json!({"PID": 8})));
    harness.post("inStreamCreated", 0.0, stream(2, "INR", "cam"));
    assert_eq!(harness.read(0.0).sum("ems_streams"), 3.0);
    assert_eq!(harness.read(0.0).get(UP), Some(1.0));
    harness.post("inStreamClosed", 1.0, with(stream(1, "INR", "cam"), json!({"PID": 8})));
    let samples = harness.read(1.0);
    assert_eq!((samples.sum("ems_streams"), samples.get(UP)), (2.0, Some(1.0)));
}

#[test]
fn a_reused_key_is_a_new_stream() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    let again = with(stream(1, "INR", "other"), json!({"creationTimestamp": 1_795_364_500_000.0}));
    harness.post("inStreamCreated", 1.0, again);
    let samples = harness.read(1.0);
    assert_eq!((samples.sum("ems_streams"), samples.correction("replaced")), (1.0, 1.0));
    assert_eq!(samples.get(UP), None);
    assert_eq!(samples.get("ems_stream_up{stream=\"other\"}"), Some(1.0));
}

#[test]
fn bodies_of_ems_1_6_have_only_a_type_and_a_payload() {
    let harness = Harness::new();
    let body = br#"{"payload":{"creationTimestamp":1349335053486.4370,"name":"cam","queryTimestamp":1349335053487.4370,"type":"INR","uniqueId":1,"upTime":1.0000},"type":"inStreamCreated"}"#;
    assert_eq!(harness.send(body, at(0.0)).first, None);
    assert_eq!(harness.send(body, at(1.0)).first, None);
    let samples = harness.read(1.0);
    assert_eq!((samples.sum("ems_streams"), samples.get(UP)), (1.0, Some(1.0)));
    assert_eq!(samples.correction("repeated"), 1.0);
}

#[test]
fn plumbing_is_neither_viewer_nor_output() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, with(stream(1, "ONR", "cam"), json!({"_isInternal": true})));
    let settings = json!({"chunkLength": 4, "computedPathToFile": "/srv/dash/cam//audio/1/seg_init.mp4"});
    let init =
        with(stream(2, "OFMP4", "segInitwriter"), json!({"recordSettings": settings, "connectionType": 7}));
    harness.post("outStreamCreated", 0.0, init.clone());
    harness.post("outStreamCreated", 0.0, stream(3, "ONR", "cam"));
    let samples = harness.read(0.0);
    assert_eq!(samples.get("ems_streams{direction=\"out\",type=\"ONR\",purpose=\"play\"}"), Some(1.0));
    assert_eq!(samples.get("ems_streams{direction=\"out\",type=\"ONR\",purpose=\"internal\"}"), Some(1.0));
    assert_eq!(samples.get("ems_streams{direction=\"out\",type=\"OFMP4\",purpose=\"internal\"}"), Some(1.0));
    assert_eq!(samples.sum("ems_outputs"), 0.0);
    assert_eq!(samples.sum("ems_streams_opened_total"), 1.0);
    harness.post("outStreamClosed", 0.1, init);
    assert_eq!(harness.read(0.1).sum("ems_streams_closed_total"), 0.0);
}

#[test]
fn traffic_grows_over_all_streams_of_a_name_and_stays_for_its_retention() {
    let mut harness = Harness::new();
    let closing = |id| {
        with(
            stream(id, "INR", "cam"),
            json!({"video": {"bytesCount": 1000, "packetsCount": 10, "codec": "VH264"}}),
        )
    };
    harness.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    let video = "ems_stream_bytes_total{direction=\"in\",stream=\"cam\",media=\"video\"}";
    assert_eq!(harness.read(0.0).get(video), None, "nothing shows yet that it has video");
    harness.post("inStreamClosed", 1.0, closing(1));
    assert_eq!(harness.read(200.0).get(video), Some(1000.0));
    harness.post("inStreamCreated", 200.0, stream(2, "INR", "cam"));
    harness.post("inStreamClosed", 201.0, closing(2));
    assert_eq!(harness.read(501.0).get(video), Some(2000.0));
    assert_eq!(harness.read(501.5).get(video), None, "five minutes after the last close");
}

#[test]
fn names_beyond_the_limit_share_one_series() {
    let mut harness = Harness::with(Settings { streams: 2, ..Settings::default() });
    for id in 1..=5 {
        harness.post("inStreamCreated", 0.0, stream(id, "INR", &format!("cam{id}")));
    }
    let samples = harness.read(0.0);
    assert_eq!(samples.sum("ems_streams"), 5.0);
    let up: Vec<&str> = samples.of_metric("ems_stream_up").map(|(labels, _)| labels).collect();
    assert_eq!(up, ["{stream=\"__overflow__\"}", "{stream=\"cam1\"}", "{stream=\"cam2\"}"]);
    assert_eq!(samples.get("ems_exporter_series_folded_total"), Some(3.0));
    assert_eq!(samples.get("ems_exporter_series{kind=\"stream\"}"), Some(2.0));
    for id in 1..=5 {
        harness.post("inStreamClosed", 1.0, stream(id, "INR", &format!("cam{id}")));
    }
    assert_eq!(harness.read(1.0).sum("ems_streams"), 0.0);
    assert_eq!(harness.read(400.0).get("ems_exporter_series{kind=\"stream\"}"), Some(0.0));
}

#[test]
fn outputs_and_playlists_beyond_their_limits_share_one_series_too() {
    let mut harness = Harness::with(Settings { streams: 2, ..Settings::default() });
    for id in 1..=10 {
        let file = |of: &str| json!({"PID": 1, "file": format!("/srv/g{id}/{of}")});
        harness.post("hlsChunkClosed", 0.0, file("cam1/x.ts"));
        harness.post("hlsChunkClosed", 0.0, file("cam2/x.ts"));
        harness.post("hlsMasterPlaylistUpdated", 0.0, file("playlist.m3u8"));
    }
    let samples = harness.read(0.0);
    for (kind, series, limit) in [("stream", 0.0, 2.0), ("output", 8.0, 8.0), ("playlist", 2.0, 2.0)] {
        let of = |metric: &str| samples.get(&format!("{metric}{{kind=\"{kind}\"}}"));
        assert_eq!((of("ems_exporter_series"), of("ems_exporter_series_limit")), (Some(series), Some(limit)));
    }
    assert_eq!(samples.of_metric("ems_chunks_closed_total").count(), 9);
    assert_eq!(samples.sum("ems_chunks_closed_total"), 20.0);
    assert_eq!(samples.get("ems_exporter_series_folded_total"), Some(12.0 + 8.0));
}

#[test]
fn players_cannot_use_up_the_names() {
    let mut harness = Harness::with(Settings { streams: 2, ..Settings::default() });
    for id in 1..=50 {
        harness.post("outStreamCreated", 0.0, stream(id, "ONR", &format!("guess{id}")));
    }
    harness.post("inStreamCreated", 0.0, stream(99, "INR", "cam"));
    let samples = harness.read(0.0);
    assert_eq!(samples.get(UP), Some(1.0));
    assert_eq!(samples.get("ems_exporter_series_folded_total"), Some(0.0));
    assert_eq!(samples.get("ems_streams{direction=\"out\",type=\"ONR\",purpose=\"play\"}"), Some(50.0));
}

#[test]
fn expected_streams_are_down_while_they_are_missing() {
    let mut harness = Harness::with(Settings { expected: vec!["cam".to_owned()], ..Settings::default() });
    assert_eq!(harness.read(0.0).get(UP), Some(0.0));
    harness.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    assert_eq!(harness.read(0.0).get(UP), Some(1.0));
    harness.post("inStreamClosed", 1.0, stream(1, "INR", "cam"));
    assert_eq!(harness.read(1.0).get(UP), Some(0.0));
}

#[test]
fn a_feed_that_stops_counts_once_however_often_it_is_reported() {
    let mut harness = Harness::new();
    let known = json!({"audio": {"codec": "AAAC"}, "video": {"codec": "VH264", "width": 640, "height": 360}});
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "cam"), known));
    let stops = "ems_stream_feed_stopped_total{stream=\"cam\",media=\"audio\"}";
    let last = "ems_stream_feed_last_stopped_timestamp_seconds{stream=\"cam\",media=\"audio\"}";
    assert_eq!(harness.read(0.0).get(stops), Some(0.0));
    for second in [10, 20, 30, 40] {
        harness.post("audioFeedStopped", f64::from(second), json!({"id": 1, "localStreamName": "cam"}));
    }
    let samples = harness.read(40.0);
    assert_eq!((samples.get(stops), samples.get(last)), (Some(1.0), Some(at(40.0).seconds())));
    harness.post("audioFeedStopped", 100.0, json!({"streamId": 1, "localStreamName": "cam"}));
    assert_eq!(harness.read(100.0).get(stops), Some(2.0), "it came back in between");
}

#[test]
fn a_stream_that_never_had_audio_does_not_lose_it() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "cam"), json!({"video": {"codec": "VH264"}})));
    harness.post("audioFeedStopped", 10.0, json!({"id": 1, "localStreamName": "cam"}));
    let samples = harness.read(10.0);
    assert_eq!(samples.sum("ems_stream_feed_stopped_total"), 0.0);
}

#[test]
fn streams_of_types_that_never_close_are_open_for_an_hour() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream(1, "INEXT", "cam"));
    assert_eq!(harness.read(3600.0).sum("ems_streams"), 1.0);
    assert_eq!(harness.read(3601.0).sum("ems_streams"), 0.0);
}

#[test]
fn hostile_names_are_escaped_and_bounded() {
    let mut harness = Harness::new();
    for (id, name) in ["a\"b\\c\nd", &"x".repeat(5000), "<img src=x onerror=alert(1)>", ""].iter().enumerate()
    {
        harness.post("inStreamCreated", 0.0, stream(id as u64 + 1, "INR", name));
    }
    let raw = b"{\"id\":99,\"payload\":{\"PID\":100,\"creationTimestamp\":1.0,\"name\":\"ctl\x01bad\xff\",\"type\":\"INR\",\"uniqueId\":50},\"processId\":100,\"timestamp\":1795364000,\"type\":\"inStreamCreated\"}";
    assert_eq!(harness.send(raw, at(0.0)).first, None);
    let samples = harness.read(0.0);
    assert_eq!(samples.sum("ems_stream_up"), 5.0);
    assert_eq!(samples.get("ems_stream_up{stream=\"a\\\"b\\\\c\\nd\"}"), Some(1.0));
    assert_eq!(samples.get("ems_stream_up{stream=\"ctl\u{1}bad\u{fffd}\"}"), Some(1.0));
    assert!(samples.of_metric("ems_stream_up").all(|(labels, _)| labels.len() < 160));
}

#[test]
fn secrets_reach_no_page() {
    let mut harness = Harness::new();
    let secrets = json!({
        "tcUrl": "rtmp://u:SECRET@h/", "ingestPoint": "SECRET", "connectionType": 1,
        "pullSettings": {"uri": "rtmp://u:SECRET@h/", "localStreamName": "cam", "keepAlive": true},
    });
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "cam"), secrets));
    harness.post(
        "applicationStart",
        0.0,
        json!({"id": 1, "name": "evostreamms", "config": {"password": "SECRET"}}),
    );
    harness.post(
        "cliRequest",
        0.0,
        json!({"command": "pullStream", "parameters": {"uri": "rtmp://u:SECRET@h/"}}),
    );
    harness.post("pullStreamFailed", 0.0, json!({"localStreamName": "cam", "uri": "rtmp://u:SECRET@h/"}));
    harness.send(br#"{"type":"inStreamCreated","payload":{"uniqueId":"SECRET"}}"#, at(0.0));
    let page = harness.page(ems_exporter::exposition::Style::Prometheus, 0.0);
    assert!(!page.contains("SECRET"));
    assert!(!format!("{:?}", harness.pipeline.rejections()).contains("SECRET"));
}

#[test]
fn pulls_that_fail_are_counted_by_name() {
    let mut harness = Harness::new();
    for second in 0..3 {
        harness.post("pullStreamFailed", f64::from(second), json!({"localStreamName": "cam", "configId": 4}));
    }
    assert_eq!(harness.read(3.0).get("ems_pull_failures_total{stream=\"cam\"}"), Some(3.0));
}

#[test]
fn timers_are_set_expire_and_go() {
    let mut harness = Harness::new();
    harness.post("timerCreated", 0.0, json!({"timerId": 9, "triggerCount": 0, "value": 120, "_for": "cam"}));
    harness.post(
        "timerCreated",
        0.0,
        json!({"timerId": 10, "triggerCount": 0, "value": "2026-11-22T16:15:00.000"}),
    );
    let samples = harness.read(0.0);
    assert_eq!(samples.get("ems_timers"), Some(2.0));
    assert_eq!(samples.get("ems_timer_period_seconds{timer=\"9\"}"), Some(120.0));
    assert_eq!(samples.get("ems_timer_period_seconds{timer=\"10\"}"), None);
    let last = "ems_timer_last_triggered_timestamp_seconds{timer=\"9\"}";
    assert_eq!(samples.get(last), Some(at(0.0).seconds()), "overdue is counted from its creation");
    harness.post("timerTriggered", 120.0, json!({"timerId": 9, "triggerCount": 1, "value": 120}));
    harness.post("timerTriggered", 121.0, json!({"timerId": 77, "triggerCount": 4, "value": 3}));
    let samples = harness.read(121.0);
    assert_eq!(samples.get(last), Some(at(120.0).seconds()));
    assert_eq!(samples.get("ems_timers"), Some(3.0), "one that was set before we listened");
    harness.post("timerClosed", 130.0, json!({"timerId": 9, "triggerCount": 1, "value": 120}));
    harness.post("timerTriggered", 130.0, json!({"timerId": 9, "triggerCount": 1, "value": 120}));
    let samples = harness.read(130.0);
    assert_eq!((samples.get("ems_timers"), samples.get(last)), (Some(2.0), None));
    assert_eq!(samples.get("ems_timers_triggered_total"), Some(3.0));
    assert_eq!(samples.get("ems_timers_created_total"), Some(3.0));
}

#[test]
fn sessions_and_downloads() {
    let mut harness = Harness::new();
    let session = |id: &str| json!({"clientIP": "203.0.113.5", id: 1, "playlist": "/p.m3u8", "startTime": "2026-11-22T16-15-06"});
    harness.post("streamingSessionStarted", 0.0, session("sessionId"));
    assert_eq!(harness.read(0.0).get("ems_sessions"), Some(1.0));
    harness.post(
        "streamingSessionEnded",
        61.0,
        with(session("sessionID"), json!({"stopTime": "2026-11-22T16-16-07"})),
    );
    harness.post("mediaFileDownloaded", 61.0, json!({"mediaFile": "/a.mp4", "elapsed": 0}));
    harness.post("fileDownloaded", 61.0, json!({"mediaFile": "/b.mp4"}));
    let samples = harness.read(61.0);
    assert_eq!((samples.get("ems_sessions"), samples.get("ems_downloads_total")), (Some(0.0), Some(2.0)));
    assert_eq!(samples.get("ems_session_duration_seconds_sum"), Some(61.0));
}

#[test]
fn connections_programs_and_api_calls() {
    let mut harness = Harness::new();
    harness.post(
        "protocolRegisteredToApp",
        0.0,
        json!({"id": 4, "protocolType": "IR", "customParameters": null}),
    );
    harness.post("carrierCreated", 0.0, json!({"id": 4, "type": "IOHT_TCP_CARRIER", "farIP": "192.0.2.1"}));
    harness.post("protocolRegisteredToApp", 0.0, json!({"id": 5, "protocolType": "made up"}));
    harness.post(
        "processStarted",
        0.0,
        json!({"configId": 11, "arguments": "1", "fullBinaryPath": "/usr/bin/sleep"}),
    );
    harness.post("cliRequest", 0.0, json!({"command": "version"}));
    harness.post("cliResponse", 0.0, json!({"status": "FAIL", "description": "no", "data": null}));
    let samples = harness.read(0.0);
    assert_eq!(samples.get("ems_connections{protocol=\"IR\"}"), Some(1.0));
    assert_eq!(samples.get("ems_connections{protocol=\"IOHT_TCP_CARRIER\"}"), Some(1.0));
    assert_eq!(samples.get("ems_connections{protocol=\"other\"}"), Some(1.0));
    assert_eq!(samples.get("ems_processes"), Some(1.0));
    assert_eq!(
        (samples.get("ems_api_requests_total"), samples.get("ems_api_failures_total")),
        (Some(1.0), Some(1.0))
    );
    harness.post("protocolUnregisteredFromApp", 1.0, json!({"id": 4, "protocolType": "IR"}));
    harness.post("processStopped", 1.0, json!({"configId": 11}));
    let samples = harness.read(1.0);
    assert_eq!(samples.get("ems_connections{protocol=\"IR\"}"), Some(0.0));
    assert_eq!(samples.get("ems_connections_closed_total{protocol=\"IR\"}"), Some(1.0));
    assert_eq!(samples.get("ems_processes"), Some(0.0));
}

/// An inbound stream with both media and this many bytes of video.
fn camera(bytes: u64) -> serde_json::Value {
    let video = json!({"codec": "VH264", "bytesCount": bytes, "packetsCount": 1, "droppedPacketsCount": 0});
    with(stream(1, "INR", "cam"), json!({"audio": {"codec": "AAAC"}, "video": video}))
}

/// Opens a stream with HLS and DASH outputs of these chunk lengths, and lets them write until second 30.
fn writing(lengths: &[u64]) -> Harness {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, camera(0));
    for (id, length) in (2..).zip(lengths) {
        let settings = with(output(id, "hls", "cam", *length), json!({"inStreamUniqueId": 1}));
        let folder = json!({"chunkLength": length, "groupName": format!("g{id}"), "localStreamName": "cam",
            "targetFolder": format!("/srv/{id}/cam")});
        harness.post("outStreamCreated", 0.0, with(settings, json!({"hlsSettings": folder})));
        for chunk in 1..=(30 / length) {
            let file = json!({"file": format!("/srv/{id}/cam/{chunk}.ts")});
            harness.post("hlsChunkClosed", (chunk * length) as f64, file);
        }
    }
    harness
}

fn derived(harness: &Harness) -> Vec<&'static str> {
    let names = ["streamFrozen", "streamExpired", "streamResumed", "outputsStalled"];
    harness.server.read(|state| {
        state.recent.notable(0).map(|record| record.name).filter(|name| names.contains(name)).collect()
    })
}

#[test]
fn an_input_that_the_server_closes_after_it_delivered_nothing_has_expired_by_events_alone() {
    const EXPIRED: &str = "ems_stream_expired{stream=\"cam\"}";
    for (lengths, closes, expired) in [
        // The encoder freezes at 30 s, and the server closes the input 18 to 21 s later.
        (&[10][..], 48.2, true),
        (&[10, 10], 51.0, true),
        (&[2], 48.2, true),
        (&[2, 10], 50.0, true),
        // The publisher ends it.
        (&[10], 30.5, false),
        (&[10], 40.5, false),
        (&[2, 10], 31.0, false),
        // The outputs stopped long before: a full disk, not the input.
        (&[2], 300.0, false),
        (&[10], 300.0, false),
        // No output shows anything.
        (&[], 48.2, false),
    ] {
        let mut harness = writing(lengths);
        for second in 31..closes as u64 {
            harness.pipeline.tick(at(second as f64));
        }
        harness.post("inStreamClosed", closes, camera(1000));
        harness.pipeline.tick(at(closes + 1.0));
        let case = format!("{lengths:?} closed at {closes}");
        let samples = harness.read(closes + 1.0);
        assert_eq!(samples.get(EXPIRED), expired.then_some(1.0), "{case}");
        assert_eq!(
            samples.get("ems_inputs{state=\"expired\"}"),
            Some(f64::from(u8::from(expired))),
            "{case}"
        );
        assert_eq!(derived(&harness).contains(&"streamExpired"), expired, "{case}");
        let again = json!({"uniqueId": 9, "creationTimestamp": 1_795_365_000_000.0});
        harness.post("inStreamCreated", closes + 20.0, with(camera(0), again));
        harness.pipeline.tick(at(closes + 21.0));
        assert_eq!(harness.read(closes + 21.0).get(EXPIRED), None, "{case}");
        assert_eq!(derived(&harness).contains(&"streamResumed"), expired, "{case}");
    }
}

#[test]
fn an_input_whose_every_medium_is_reported_as_stopped_is_frozen() {
    const FROZEN: &str = "ems_stream_frozen{stream=\"cam\"}";
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, camera(0));
    let frozen = |harness: &Harness, seconds: f64| {
        harness.pipeline.tick(at(seconds));
        harness.read(seconds).get(FROZEN)
    };
    harness.post("audioFeedStopped", 10.0, json!({"id": 1, "localStreamName": "cam"}));
    assert_eq!(frozen(&harness, 11.0), Some(0.0), "video may still arrive");
    harness.post("videoFeedStopped", 20.0, json!({"id": 1, "localStreamName": "cam"}));
    assert_eq!(frozen(&harness, 21.0), Some(1.0));
    assert_eq!(harness.read(21.0).get("ems_inputs{state=\"frozen\"}"), Some(1.0));
    assert_eq!(frozen(&harness, 60.0), Some(0.0), "the server repeats the report while it lasts");
    assert_eq!(derived(&harness), ["streamFrozen", "streamResumed"]);
    harness.post("inStreamClosed", 61.0, camera(1000));
    assert_eq!(
        (frozen(&harness, 62.0), harness.read(62.0).get("ems_stream_expired{stream=\"cam\"}")),
        (None, None)
    );
}

#[test]
fn an_audio_stream_freezes_by_its_audio_and_never_by_the_video_that_it_lacks() {
    let mut harness = Harness::new();
    let media = json!({"audio": {"codec": "AAAC", "bytesCount": 9}, "video": {"codec": "VPT"}});
    harness.post("inStreamCreated", 0.0, with(stream(1, "INR", "radio"), media));
    harness.post("videoFeedStopped", 10.0, json!({"id": 1, "localStreamName": "radio"}));
    harness.pipeline.tick(at(11.0));
    assert_eq!(harness.read(11.0).sum("ems_stream_frozen"), 0.0);
    harness.post("audioFeedStopped", 20.0, json!({"id": 1, "localStreamName": "radio"}));
    harness.pipeline.tick(at(21.0));
    assert_eq!(harness.read(21.0).sum("ems_stream_frozen"), 1.0);
}

#[test]
fn outputs_in_one_folder_that_stall_beside_healthy_ones_are_no_stall_of_the_server() {
    let mut harness = writing(&[2, 2]);
    harness.post("inStreamCreated", 30.0, stream(50, "INR", "well"));
    let settings = with(output(51, "hls", "well", 2), json!({"inStreamUniqueId": 50}));
    harness.post("outStreamCreated", 30.0, settings);
    for second in 31..=45_u32 {
        harness.post(
            "hlsChunkClosed",
            f64::from(second),
            json!({"file": format!("/srv/hls/well/{second}.ts")}),
        );
        harness.pipeline.tick(at(f64::from(second)));
    }
    assert_eq!(harness.read(45.0).get("ems_server_stalled"), Some(0.0));
    assert_eq!(derived(&harness), ["outputsStalled"], "all outputs of the input cam");
}

#[test]
fn outputs_close_with_their_input_although_the_sink_leaves_out_their_closes() {
    let mut harness = writing(&[10]);
    harness.post("inStreamClosed", 31.0, camera(1000));
    harness.pipeline.tick(at(35.0));
    assert_eq!(harness.read(35.0).sum("ems_outputs"), 1.0, "their closes may be on their way");
    harness.pipeline.tick(at(37.0));
    let samples = harness.read(37.0);
    assert_eq!((samples.sum("ems_outputs"), samples.sum("ems_streams")), (0.0, 0.0));
}

#[test]
fn sessions_without_a_sign_end_after_twelve_hours() {
    let mut harness = Harness::new();
    harness.post("streamingSessionStarted", 0.0, json!({"sessionId": 1, "startTime": "2026-11-22T16-15-06"}));
    harness.pipeline.tick(at(12.0 * 3600.0));
    assert_eq!(harness.read(43_200.0).get("ems_sessions"), Some(1.0));
    harness.pipeline.tick(at(43_201.0));
    assert_eq!(harness.read(43_201.0).get("ems_sessions"), Some(0.0));
}
