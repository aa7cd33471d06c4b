//! Outputs: which chunk belongs where, targets, stalls.

use ems_exporter::model::Settings;
use serde_json::{Value, json};

use crate::support::{Harness, Samples, at, output, stream, with};

fn labels(format: &str, stream: &str, track: &str) -> String {
    format!("{{format=\"{format}\",group=\"g\",stream=\"{stream}\",track=\"{track}\"}}")
}

fn closed(samples: &Samples, format: &str, stream: &str, track: &str) -> Option<f64> {
    samples.get(&format!("ems_chunks_closed_total{}", labels(format, stream, track)))
}

fn last(samples: &Samples, format: &str, stream: &str, track: &str) -> Option<f64> {
    samples.get(&format!("ems_chunk_last_closed_timestamp_seconds{}", labels(format, stream, track)))
}

fn threshold(samples: &Samples, format: &str, stream: &str, track: &str) -> Option<f64> {
    samples.get(&format!("ems_chunk_stall_threshold_seconds{}", labels(format, stream, track)))
}

fn stalls(samples: &Samples, format: &str, stream: &str, track: &str) -> Option<f64> {
    samples.get(&format!("ems_chunk_stalls_total{}", labels(format, stream, track)))
}

fn chunk(file: &str) -> Value {
    json!({ "file": file })
}

#[test]
fn chunks_find_their_output_by_its_folder() {
    let mut harness = Harness::new();
    let settings = json!({
        "chunkLength": 4, "groupName": "g", "localStreamName": "live/cam?x=1", "targetFolder": "..\\web//g\\cam_x_1\\",
    });
    harness.post(
        "outStreamCreated",
        0.0,
        with(stream(1, "OFHLS", "live/cam?x=1"), json!({"hlsSettings": settings})),
    );
    harness.post("hlsChunkCreated", 0.0, chunk("../web/g/cam_x_1/segment_1_1.ts"));
    harness.post(
        "hlsChunkClosed",
        4.0,
        with(chunk("../web\\g/cam_x_1/segment_1_1.ts"), json!({"segmentDuration": 3960.0})),
    );
    let samples = harness.read(4.0);
    assert_eq!(closed(&samples, "hls", "live/cam?x=1", ""), Some(1.0));
    assert_eq!(last(&samples, "hls", "live/cam?x=1", ""), Some(at(4.0).seconds()));
    assert_eq!(samples.get("ems_chunk_duration_seconds_sum{format=\"hls\"}"), Some(3.96));
    assert_eq!(
        samples.get(&format!("ems_chunk_target_seconds{}", labels("hls", "live/cam?x=1", ""))),
        Some(4.0)
    );
}

#[test]
fn chunks_of_unknown_outputs_are_placed_by_the_shape_of_their_path() {
    let mut harness = Harness::new();
    harness.post("dashChunkClosed", 0.0, chunk("/srv/g/cam//video/264000/segment_0.m4s"));
    harness.post("dashChunkClosed", 0.1, chunk("/srv/g/cam//audio/264000/segment_0.m4s"));
    let samples = harness.read(0.1);
    assert_eq!(closed(&samples, "dash", "cam", "video"), Some(1.0));
    assert_eq!(closed(&samples, "dash", "cam", "audio"), Some(1.0));
    assert_eq!(samples.get("ems_outputs{format=\"dash\"}"), Some(1.0));
    let settings =
        json!({"chunkLength": 4, "groupName": "g", "localStreamName": "cam", "targetFolder": "/srv/g/cam"});
    harness.post("outStreamClosed", 1.0, with(stream(1, "OFDASH", "cam"), json!({"dashSettings": settings})));
    let samples = harness.read(1.0);
    assert_eq!(samples.get("ems_outputs{format=\"dash\"}"), Some(0.0), "its close names the folder");
    assert_eq!(last(&samples, "dash", "cam", "video"), None);
}

#[test]
fn a_guessed_output_is_merged_into_the_one_that_the_server_names() {
    let mut harness = Harness::new();
    harness.post("hlsChunkCreated", 0.0, chunk("/srv/hls/x/1.ts"));
    let settings =
        json!({"chunkLength": 4, "groupName": "g", "localStreamName": "a/x", "targetFolder": "/srv/hls/x"});
    harness.post("outStreamCreated", 0.0, with(stream(1, "OFHLS", "a/x"), json!({"hlsSettings": settings})));
    harness.post("hlsChunkClosed", 4.0, chunk("/srv/hls/x/1.ts"));
    let samples = harness.read(4.0);
    assert_eq!(samples.of_metric("ems_chunks_closed_total").count(), 1);
    assert_eq!(closed(&samples, "hls", "a/x", ""), Some(1.0));
    assert_eq!(samples.sum("ems_chunks_opened_total"), 1.0, "what the guess had counted is kept");
    assert_eq!(samples.get("ems_outputs{format=\"hls\"}"), Some(1.0));
}

#[test]
fn tracks_of_dash_are_expected_once_their_codecs_are_known() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "dash", "cam", 4));
    assert_eq!(last(&harness.read(0.0), "dash", "cam", ""), Some(at(0.0).seconds()));
    let known = with(output(1, "dash", "cam", 4), json!({"video": {"codec": "VH264"}}));
    harness.post("outStreamCodecsUpdated", 0.0, known);
    let samples = harness.read(0.0);
    assert_eq!(last(&samples, "dash", "cam", ""), None);
    assert_eq!(last(&samples, "dash", "cam", "video"), Some(at(0.0).seconds()));
    assert_eq!(last(&samples, "dash", "cam", "audio"), None, "it may have no audio at all");
    harness.post("dashChunkClosed", 4.0, chunk("/srv/dash/cam//audio/1/s.m4s"));
    assert_eq!(closed(&harness.read(4.0), "dash", "cam", "audio"), Some(1.0));
}

#[test]
fn a_stall_is_age_against_a_threshold_and_is_counted_once() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    for second in [4, 8, 12] {
        harness.post("hlsChunkClosed", f64::from(second), chunk("/srv/hls/cam/1.ts"));
    }
    let samples = harness.read(24.0);
    assert_eq!(threshold(&samples, "hls", "cam", ""), Some(12.0));
    assert_eq!(stalls(&samples, "hls", "cam", ""), Some(0.0), "twelve seconds are not more than twelve");
    assert_eq!(stalls(&harness.read(24.001), "hls", "cam", ""), Some(1.0));
    assert_eq!(stalls(&harness.read(60.0), "hls", "cam", ""), Some(1.0));
    harness.post("hlsChunkClosed", 60.0, chunk("/srv/hls/cam/1.ts"));
    let samples = harness.read(71.0);
    assert_eq!(stalls(&samples, "hls", "cam", ""), Some(1.0));
    assert_eq!(threshold(&samples, "hls", "cam", ""), Some(12.0), "one long gap teaches nothing");
}

#[test]
fn a_stall_between_two_scrapes_is_seen_when_it_ends() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("hlsChunkClosed", 4.0, chunk("/srv/hls/cam/1.ts"));
    harness.post("hlsChunkClosed", 44.0, chunk("/srv/hls/cam/1.ts"));
    assert_eq!(stalls(&harness.read(44.0), "hls", "cam", ""), Some(1.0));
}

#[test]
fn a_chunk_that_is_opened_completes_the_one_before() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    for second in [0, 4, 8, 12] {
        harness.post("hlsChunkCreated", f64::from(second), chunk("/srv/hls/cam/1.ts"));
    }
    let samples = harness.read(24.0);
    assert_eq!(last(&samples, "hls", "cam", ""), Some(at(12.0).seconds()), "no close arrived");
    assert_eq!(
        (closed(&samples, "hls", "cam", ""), stalls(&samples, "hls", "cam", "")),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(samples.get("ems_chunk_interval_seconds_count{format=\"hls\"}"), Some(0.0));
    assert_eq!(stalls(&harness.read(24.001), "hls", "cam", ""), Some(1.0), "the open one is not complete");
    harness.post("hlsChunkCreated", 30.0, chunk("/srv/hls/cam/1.ts"));
    assert_eq!(last(&harness.read(30.0), "hls", "cam", ""), Some(at(30.0).seconds()));
}

#[test]
fn a_chunk_that_is_opened_alone_completes_nothing() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("hlsChunkCreated", 0.0, chunk("/srv/hls/cam/1.ts"));
    harness.post("hlsChunkClosed", 4.0, chunk("/srv/hls/cam/1.ts"));
    harness.post("hlsChunkCreated", 10.0, chunk("/srv/hls/cam/2.ts"));
    let samples = harness.read(16.001);
    assert_eq!(last(&samples, "hls", "cam", ""), Some(at(4.0).seconds()));
    assert_eq!(stalls(&samples, "hls", "cam", ""), Some(1.0));
    // Nor does the first of the next run, although this one was never closed.
    harness.post("outStreamClosed", 20.0, output(1, "hls", "cam", 4));
    harness.post("outStreamCreated", 21.0, output(2, "hls", "cam", 4));
    harness.post("hlsChunkCreated", 22.0, chunk("/srv/hls/cam/1.ts"));
    assert_eq!(last(&harness.read(22.0), "hls", "cam", ""), Some(at(21.0).seconds()));
}

#[test]
fn an_output_whose_stream_closed_is_gone_and_its_counters_stay_for_their_retention() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("hlsChunkClosed", 4.0, chunk("/srv/hls/cam/1.ts"));
    harness.post("outStreamClosed", 5.0, output(1, "hls", "cam", 4));
    harness.post("hlsChunkClosed", 5.1, chunk("/srv/hls/cam/2.ts"));
    let samples = harness.read(100.0);
    assert_eq!(closed(&samples, "hls", "cam", ""), Some(2.0), "the last chunk may come late");
    assert_eq!((last(&samples, "hls", "cam", ""), stalls(&samples, "hls", "cam", "")), (None, Some(0.0)));
    harness.post("outStreamCreated", 100.0, output(2, "hls", "cam", 4));
    let samples = harness.read(100.0);
    assert_eq!(closed(&samples, "hls", "cam", ""), Some(2.0), "counters go on");
    assert_eq!(last(&samples, "hls", "cam", ""), Some(at(100.0).seconds()));
    harness.post("outStreamClosed", 101.0, output(2, "hls", "cam", 4));
    assert_eq!(closed(&harness.read(401.0), "hls", "cam", ""), Some(2.0));
    assert_eq!(closed(&harness.read(402.0), "hls", "cam", ""), None);
}

#[test]
fn chunks_that_keep_coming_bring_their_output_back() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("outStreamClosed", 1.0, output(1, "hls", "cam", 4));
    harness.post("hlsChunkClosed", 20.0, chunk("/srv/hls/cam/2.ts"));
    let samples = harness.read(20.0);
    assert_eq!(samples.get("ems_outputs{format=\"hls\"}"), Some(1.0), "its creation was lost");
    assert_eq!(last(&samples, "hls", "cam", ""), Some(at(20.0).seconds()));
}

#[test]
fn a_target_is_learned_where_none_is_configured() {
    let mut harness = Harness::new();
    let long = with(chunk("/srv/g/cam/1.ts"), json!({"segmentDuration": 75_000.0}));
    harness.post("hlsChunkClosed", 0.0, long.clone());
    let samples = harness.read(0.0);
    assert_eq!(threshold(&samples, "hls", "cam", ""), Some(225.0), "from the chunk itself");
    harness.post("hlsChunkClosed", 75.0, long.clone());
    harness.post("hlsChunkClosed", 150.0, long);
    let samples = harness.read(370.0);
    assert_eq!(stalls(&samples, "hls", "cam", ""), Some(0.0));
}

#[test]
fn longer_intervals_than_configured_raise_the_threshold() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    for chunks in 1..=5 {
        harness.post("hlsChunkClosed", f64::from(chunks) * 10.0, chunk("/srv/hls/cam/1.ts"));
    }
    let samples = harness.read(50.0);
    assert_eq!(threshold(&samples, "hls", "cam", ""), Some(30.0));
    assert_eq!(samples.get(&format!("ems_chunk_target_seconds{}", labels("hls", "cam", ""))), Some(4.0));
    assert_eq!(samples.get("ems_chunk_interval_seconds_sum{format=\"hls\"}"), Some(40.0));
}

#[test]
fn the_threshold_is_configurable() {
    let settings = Settings {
        stall_factor: 2.0,
        stall_minimum: std::time::Duration::from_secs(1),
        ..Settings::default()
    };
    let mut harness = Harness::with(settings);
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    assert_eq!(threshold(&harness.read(0.0), "hls", "cam", ""), Some(8.0));
}

fn recording(id: u64, chunk_length: u64) -> Value {
    let settings = json!({
        "chunkLength": chunk_length, "computedPathToFile": "/rec/cam.flv", "pathToFile": "/rec/cam",
        "localStreamName": "cam", "type": "flv",
    });
    with(stream(id, "OFRFLV", "cam"), json!({"recordSettings": settings, "connectionType": 7}))
}

#[test]
fn an_unchunked_recording_never_stalls() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, recording(1, 0));
    harness.post(
        "recordChunkCreated",
        0.0,
        with(chunk("/rec/cam.flv"), json!({"startTime": "2026-11-22T16:14:55.000"})),
    );
    let samples = harness.read(36_000.0);
    assert_eq!(samples.sum("ems_chunk_stalls_total"), 0.0);
    assert_eq!(samples.of_metric("ems_chunk_stall_threshold_seconds").count(), 0);
    let series = "ems_chunks_opened_total{format=\"record\",group=\"flv\",stream=\"cam\",track=\"\"}";
    assert_eq!(samples.get(series), Some(1.0));
}

#[test]
fn a_chunked_recordings_files_are_its_own() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, recording(1, 4));
    harness.post("recordChunkCreated", 0.0, chunk("/rec/cam_part0000.flv"));
    let end = json!({"startTime": "", "stopTime": "2026-11-22T16:14:59.000", "frameCount": 100});
    harness.post("recordChunkClosed", 4.0, with(chunk("/rec/cam_part0000.flv"), end));
    harness.post("recordChunkClosed", 4.0, chunk("/elsewhere/x.flv"));
    let samples = harness.read(15.0);
    let series = |stream: &str, group: &str| {
        samples.get(&format!(
            "ems_chunks_closed_total{{format=\"record\",group=\"{group}\",stream=\"{stream}\",track=\"\"}}"
        ))
    };
    assert_eq!(series("cam", "flv"), Some(1.0));
    assert_eq!(series("__overflow__", "__overflow__"), Some(1.0), "its output is unknown");
}

#[test]
fn a_recordings_file_may_overtake_its_creation() {
    let mut harness = Harness::new();
    harness.post("recordChunkCreated", 0.0, chunk("/rec/cam_part0000.flv"));
    harness.post("outStreamCreated", 0.1, recording(1, 4));
    let samples = harness.read(20.0);
    let series = "ems_chunks_opened_total{format=\"record\",group=\"flv\",stream=\"cam\",track=\"\"}";
    assert_eq!(samples.get(series), Some(1.0));
    assert_eq!(samples.sum("ems_chunks_opened_total"), 1.0);
}

#[test]
fn several_recordings_of_one_stream_stay_apart() {
    let mut harness = Harness::new();
    for (id, kind, length) in [(1, "flv", 4), (2, "ts", 0), (3, "mp4", 0)] {
        let mut recording = recording(id, length);
        recording["recordSettings"]["type"] = json!(kind);
        recording["recordSettings"]["computedPathToFile"] = json!(format!("/rec/{kind}.{kind}"));
        harness.post("outStreamCreated", 0.0, recording);
    }
    harness.post("recordChunkClosed", 4.0, chunk("/rec/flv_part0000.flv"));
    let samples = harness.read(4.0);
    let series = "ems_chunks_closed_total{format=\"record\",group=\"flv\",stream=\"cam\",track=\"\"}";
    assert_eq!(samples.get(series), Some(1.0));
    assert_eq!(samples.of_metric("ems_chunk_stall_threshold_seconds").count(), 1);
}

#[test]
fn playlists_of_streams_and_of_groups() {
    let mut harness = Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("hlsMasterPlaylistUpdated", 0.0, chunk("/srv/hls/playlist.m3u8"));
    harness.post("hlsChildPlaylistUpdated", 4.0, chunk("/srv/hls/cam/playlist.m3u8"));
    harness.post("dashPlaylistUpdated", 4.0, chunk("/srv/dash/manifest.mpd"));
    let samples = harness.read(4.0);
    let updates = |labels: &str| samples.get(&format!("ems_playlist_updates_total{{{labels}}}"));
    assert_eq!(updates("format=\"hls\",kind=\"master\",group=\"hls\",stream=\"\""), Some(1.0));
    assert_eq!(updates("format=\"hls\",kind=\"child\",group=\"g\",stream=\"cam\""), Some(1.0));
    assert_eq!(updates("format=\"dash\",kind=\"master\",group=\"dash\",stream=\"\""), Some(1.0));
    harness.post("hlsMasterPlaylistUpdated", 500.0, chunk("/srv/other/playlist.m3u8"));
    let samples = harness.read(500.0);
    let updates = |labels: &str| samples.get(&format!("ems_playlist_updates_total{{{labels}}}"));
    assert_eq!(
        updates("format=\"dash\",kind=\"master\",group=\"dash\",stream=\"\""),
        None,
        "its retention is over"
    );
}

#[test]
fn a_playlist_ages_only_while_its_output_is_open() {
    let mut harness = Harness::new();
    let last = |samples: &Samples| {
        samples.get(
            "ems_playlist_last_updated_timestamp_seconds{format=\"hls\",kind=\"child\",group=\"g\",stream=\"cam\"}",
        )
    };
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    harness.post("hlsChildPlaylistUpdated", 4.0, chunk("/srv/hls/cam/playlist.m3u8"));
    assert_eq!(last(&harness.read(50.0)), Some(at(4.0).seconds()));
    harness.post("outStreamClosed", 60.0, output(1, "hls", "cam", 4));
    assert_eq!(last(&harness.read(60.0)), None);
    harness.post("outStreamCreated", 100.0, output(2, "hls", "cam", 4));
    assert_eq!(last(&harness.read(100.0)), None, "the run before does not count for this one");
    harness.post("hlsChildPlaylistUpdated", 104.0, chunk("/srv/hls/cam/playlist.m3u8"));
    assert_eq!(last(&harness.read(104.0)), Some(at(104.0).seconds()));
}

#[test]
fn outputs_beyond_the_limit_share_one_series_and_still_count() {
    let mut harness = Harness::with(Settings { streams: 2, ..Settings::default() });
    for id in 1..=4 {
        harness.post("outStreamCreated", 0.0, output(id, "hls", &format!("cam{id}"), 4));
        harness.post("hlsChunkClosed", 1.0, chunk(&format!("/srv/hls/cam{id}/1.ts")));
    }
    let samples = harness.read(1.0);
    assert_eq!(samples.get("ems_outputs{format=\"hls\"}"), Some(4.0));
    assert_eq!(samples.sum("ems_chunks_closed_total"), 4.0);
    assert_eq!(samples.of_metric("ems_chunks_closed_total").count(), 3);
    for id in 1..=4 {
        harness.post("outStreamClosed", 2.0, output(id, "hls", &format!("cam{id}"), 4));
    }
    assert_eq!(harness.read(2.0).get("ems_outputs{format=\"hls\"}"), Some(0.0));
}

#[test]
fn a_stream_with_one_medium_has_one_track_and_no_series_of_the_other() {
    for (format, medium, other, codec, absent) in [
        ("dash", "audio", "video", "AAAC", "VPT"),
        ("mss", "audio", "video", "AAAC", "VPT"),
        ("dash", "video", "audio", "VH264", "APT"),
        ("mss", "video", "audio", "VH264", "APT"),
    ] {
        let mut harness = Harness::new();
        let media = |bytes: u64| json!({medium: {"codec": codec, "bytesCount": bytes}, other: {"codec": absent, "bytesCount": 0}});
        harness.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
        harness.post("inStreamCodecsUpdated", 1.0, with(stream(1, "INR", "cam"), media(4338)));
        harness.post("outStreamCreated", 2.0, output(2, format, "cam", 3));
        harness.post("outStreamCodecsUpdated", 2.0, with(output(2, format, "cam", 3), media(0)));
        for chunk in 1..8 {
            let seconds = 2.0 + 3.0 * f64::from(chunk);
            let file = json!({"file": format!("/srv/{format}/cam/{medium}/32000/segment_{chunk}.m4s")});
            harness.post(&format!("{format}ChunkClosed"), seconds, file);
            harness.post(&format!("{other}FeedStopped"), seconds, json!({"id": 1, "localStreamName": "cam"}));
        }
        let page = harness.page(ems_exporter::exposition::Style::Prometheus, 24.0);
        let of_other = |line: &&str| {
            line.contains(&format!("track=\"{other}\"")) || line.contains(&format!("media=\"{other}\""))
        };
        assert_eq!(page.lines().find(of_other), None, "{format}");
        let samples = Samples::of(&page);
        assert_eq!(closed(&samples, format, "cam", medium), Some(7.0));
        assert_eq!(samples.sum("ems_chunk_stalled"), 0.0);
        assert_eq!(samples.sum("ems_stream_feed_stopped_total"), 0.0);

        // The first chunk, or byte, shows that the medium is there after all.
        let file = json!({"file": format!("/srv/{format}/cam/{other}/32000/segment_1.m4s")});
        harness.post(&format!("{format}ChunkClosed"), 24.0, file);
        let both = json!({other: {"codec": absent, "bytesCount": 9}});
        harness.post("inStreamCodecsUpdated", 24.0, with(stream(1, "INR", "cam"), both));
        let samples = harness.read(24.0);
        assert_eq!(closed(&samples, format, "cam", other), Some(1.0));
        let bytes = format!("ems_stream_bytes_total{{direction=\"in\",stream=\"cam\",media=\"{other}\"}}");
        assert_eq!(samples.get(&bytes), Some(9.0));
    }
}

/// An output that the server makes anew each second, for 0.05 s each time, after it has written a chunk at 0 s; from
/// `first` to before `end`. `read` gets what is shown in the middle between two creations.
fn remake(harness: &mut Harness, first: u32, end: u32, mut read: impl FnMut(f64, Samples)) {
    for second in first..end {
        let at = f64::from(second);
        let payload = output(100 + u64::from(second), "hls", "cam", 3);
        harness.post("outStreamCreated", at, payload.clone());
        harness.post("outStreamCodecsUpdated", at, with(payload.clone(), json!({"inStreamUniqueId": 1})));
        harness.post("outStreamClosed", at + 0.05, with(payload, json!({"inStreamUniqueId": 1})));
        read(at + 0.5, harness.read(at + 0.5));
    }
}

#[test]
fn an_output_that_is_made_anew_each_second_and_cannot_write_stalls_once_and_in_every_scrape() {
    let mut harness = Harness::new();
    let stalled = |samples: &Samples| samples.get(&format!("ems_chunk_stalled{}", labels("hls", "cam", "")));
    harness.post("outStreamCreated", 0.0, output(2, "hls", "cam", 3));
    harness.post("hlsChunkClosed", 3.0, chunk("/srv/hls/cam/1.ts"));
    harness.post("outStreamClosed", 4.0, output(2, "hls", "cam", 3));
    let mut seen = Vec::new();
    remake(&mut harness, 5, 40, |at, samples| {
        seen.push((at, stalled(&samples), stalls(&samples, "hls", "cam", "")));
    });
    for (at, stalled, stalls) in seen {
        let expected = Some(f64::from(u8::from(at > 15.0)));
        assert_eq!((stalled, stalls), (expected, expected), "at {at}");
    }
    // It writes again.
    let payload = output(999, "hls", "cam", 3);
    harness.post("outStreamCreated", 40.0, payload);
    harness.post("hlsChunkClosed", 43.0, chunk("/srv/hls/cam/2.ts"));
    assert_eq!(stalled(&harness.read(43.0)), Some(0.0));
    let derived: Vec<_> =
        harness.server.read(|state| state.recent.notable(0).map(|event| event.name).collect());
    let derived: Vec<&str> =
        derived.into_iter().filter(|name: &&str| !name.starts_with("outStream")).collect();
    assert_eq!(derived, ["outputNeverStarted", "chunkRecovered"]);
}

#[test]
fn a_recording_without_chunks_that_is_made_anew_each_second_stalls_until_it_stays_open() {
    let mut harness = Harness::new();
    let payload = |id: u64| with(output(id, "record", "cam", 0), json!({"inStreamUniqueId": 1}));
    let stalled = |samples: &Samples| samples.sum("ems_chunk_stalled");
    harness.post("outStreamCreated", 0.0, payload(2));
    harness.post("recordChunkCreated", 0.0, chunk("/srv/record/cam.flv"));
    assert_eq!(stalled(&harness.read(3600.0)), 0.0);
    // The disk is full: the server closes the file and opens it again each second.
    harness.post("recordChunkClosed", 3600.5, chunk("/srv/record/cam.flv"));
    harness.post("outStreamClosed", 3600.5, payload(2));
    for second in 3601..3640 {
        let at = f64::from(second);
        let payload = |id: u32| payload(u64::from(id));
        harness.post("outStreamCreated", at, payload(second));
        harness.post("recordChunkCreated", at + 0.02, chunk("/srv/record/cam.flv"));
        harness.post("outStreamClosed", at + 0.1, payload(second));
        let samples = harness.read(at + 0.5);
        assert_eq!(stalled(&samples), f64::from(u8::from(second >= 3611)), "at {at}");
    }
    // It can write again, and a camera that reconnects is no reason for doubt.
    harness.post("outStreamCreated", 3640.0, payload(4000));
    assert_eq!(stalled(&harness.read(3644.0)), 1.0);
    assert_eq!(stalled(&harness.read(3646.0)), 0.0);
    assert_eq!(harness.read(9000.0).sum("ems_chunk_stalls_total"), 1.0);
    for (number, at) in [(1, 9001.0), (2, 9003.0), (3, 9005.0)] {
        harness.post("outStreamClosed", at, payload(3999 + number));
        harness.post("outStreamCreated", at + 1.0, payload(4000 + number));
    }
    assert_eq!(harness.read(9600.0).sum("ems_chunk_stalls_total"), 1.0);
}

#[test]
fn an_output_that_is_not_made_anew_any_more_goes_within_seconds_and_at_once_with_its_server() {
    let shown = |samples: &Samples| samples.get(&format!("ems_chunk_stalled{}", labels("hls", "cam", "")));
    let mut harness = Harness::new();
    remake(&mut harness, 0, 20, |_, _| ());
    assert_eq!(shown(&harness.read(24.0)), Some(1.0));
    assert_eq!(shown(&harness.read(24.1)), None, "five seconds after its last close");
    remake(&mut harness, 25, 30, |_, _| ());
    assert_eq!(shown(&harness.read(29.6)), Some(1.0), "the same silence");
    harness.post("serverStopping", 29.7, json!({}));
    let samples = harness.read(29.7);
    assert_eq!((shown(&samples), samples.sum("ems_outputs")), (None, 0.0));
}
