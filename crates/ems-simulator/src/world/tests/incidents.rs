//! The world in trouble: stalls, crashes, the stop, bursts and hostile names.

use super::{MINUTE, events_until, names, number, of_folder, text, world};
use crate::event::Event;
use crate::options::Options;
use crate::output_format::OutputFormat;
use crate::value::Value;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn a_stalled_output_writes_nothing_while_its_stream_stays_up() {
    let options =
        Options { stall: vec!["cam2:hls:after=20s,for=60s,every=5m".parse().unwrap()], ..Options::default() };
    let mut world = world(&options);
    world.advance(Duration::from_secs(20));
    let during = world.advance(Duration::from_secs(79));
    let folder = "/var/evostreamms/evo-webroot/hls/cam2/";
    assert_eq!(of_folder(&during, folder).len(), 0);
    assert!(!of_folder(&during, "/var/evostreamms/evo-webroot/hds/cam2/").is_empty());
    assert!(!names(&during).contains(&"inStreamClosed"));
    let truth = world.truth();
    assert!(truth.streams.contains_key("cam2"));
    for output in &truth.outputs {
        let held = output.stream == "cam2" && output.format == OutputFormat::Hls;
        assert_eq!(output.stalled, held, "{output:?}");
    }
    let after = world.advance(Duration::from_secs(100));
    assert!(of_folder(&after, folder).len() > 5);
    let again = {
        world.advance(Duration::from_secs(321));
        world.advance(Duration::from_secs(379))
    };
    assert_eq!(of_folder(&again, folder).len(), 0);
}

#[test]
fn an_output_that_cannot_write_is_made_anew_each_second_until_it_can() {
    let options =
        Options { unwritable: vec!["cam1:hls:after=20s,for=60s".parse().unwrap()], ..Options::default() };
    let mut world = world(&options);
    let before = world.advance(Duration::from_millis(19_999));
    let hls = |events: &[Event], name| {
        let of_cam1 = |event: &&Event| {
            event.name == name
                && text(&event.payload, "name") == b"cam1"
                && text(&event.payload, "type") == b"OFHLS"
        };
        events.iter().filter(of_cam1).count()
    };
    assert_eq!((hls(&before, "outStreamCreated"), hls(&before, "outStreamClosed")), (1, 0));
    let during = world.advance(Duration::from_millis(79_999));
    let [created, closed] = ["outStreamCreated", "outStreamClosed"].map(|name| hls(&during, name));
    assert!((53..=60).contains(&created) && closed.abs_diff(created) <= 1, "{created}, {closed}");
    let folder = "/var/evostreamms/evo-webroot/hls/cam1/";
    assert_eq!(of_folder(&during, folder).len(), 0);
    assert_eq!(names(&during).iter().filter(|name| **name == "hlsChunkError").count(), 2, "only at first");
    let truth = world.truth();
    let cannot = truth.configs.iter().filter(|config| config.writes_nothing);
    assert_eq!(cannot.map(|config| (config.purpose, &*config.stream)).collect::<Vec<_>>(), [("hls", "cam1")]);
    let after = world.advance(Duration::from_secs(100));
    assert_eq!((hls(&after, "outStreamCreated"), hls(&after, "outStreamClosed")), (1, 0));
    assert!(of_folder(&after, folder).len() > 3);
    assert!(world.truth().configs.iter().all(|config| !config.writes_nothing));
}

#[test]
fn a_full_disk_leaves_empty_files_and_no_trace_in_the_events() {
    let full =
        Options { disk_full: vec!["cam1:hls:after=20s,for=60s".parse().unwrap()], ..Options::default() };
    let (mut full, mut plain) = (world(&full), world(&Options::default()));
    let mut advance =
        |millis| [&mut full, &mut plain].map(|world| world.advance(Duration::from_millis(millis)));
    for (until, empty) in [(19_999, false), (79_999, true), (100_000, false)] {
        let [full, plain] = advance(until);
        let of = |event: &Event| (event.name, event.payload.clone());
        assert!(full.iter().map(of).eq(plain.iter().map(of)));
        let written = full.iter().filter_map(|event| event.written.as_ref());
        let mut count = 0;
        for (file, bytes) in written {
            let of_cam1 = file.starts_with(b"/var/evostreamms/evo-webroot/hls/cam1/");
            count += usize::from(of_cam1);
            assert_eq!(*bytes == 0, empty && of_cam1, "{}", String::from_utf8_lossy(file));
        }
        assert!(count > 1);
    }
}

#[test]
fn a_crash_logs_no_event_and_ids_start_again() {
    let options = Options { crash_after: Some(MINUTE), ..Options::default() };
    let mut crashing = world(&options);
    let before = crashing.advance(MINUTE);
    assert!(!crashing.truth().running);
    assert!(crashing.truth().streams.is_empty());
    assert!(crashing.advance(MINUTE + Duration::from_millis(2_999)).is_empty());
    let after = crashing.advance(2 * MINUTE);
    assert_eq!((after[0].id, after[0].name), (1, "applicationStart"));
    assert_ne!(after[0].process_id, before[0].process_id);
    let stream = after.iter().find(|event| event.name == "inStreamCreated").unwrap();
    assert_eq!(number(&stream.payload, "uniqueId"), 1);
    assert!(names(&after).contains(&"cliRequest"));
    assert_eq!(crashing.truth().starts, 2);
    let mut kept = world(&Options { crash_keep_pid: true, ..options });
    let ids: BTreeSet<i32> = kept.advance(2 * MINUTE).iter().map(|event| event.process_id).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn after_the_graceful_stop_there_are_no_events() {
    let mut world = world(&Options::default());
    world.advance(MINUTE);
    assert_eq!(names(&world.stop()), ["serverStopping"]);
    assert!(world.advance(10 * MINUTE).is_empty());
    assert_eq!(world.next_due(), None);
    assert!(!world.truth().running);
    assert!(world.stop().is_empty());
}

#[test]
fn a_burst_opens_at_once_and_returns() {
    let options = Options { streams: 0, burst: 50, ..Options::default() };
    let mut world = world(&options);
    let opened = world.advance(Duration::from_secs(5));
    let created = names(&opened).iter().filter(|name| **name == "inStreamCreated").count();
    assert_eq!(created, 50);
    assert_eq!(world.truth().streams.len(), 50);
    world.advance(Duration::from_secs(36));
    assert_eq!(world.truth().streams.len(), 0);
    world.advance(Duration::from_secs(126));
    assert_eq!(world.truth().streams.len(), 50);
}

#[test]
fn hostile_names_reach_the_events_as_they_are() {
    let options = Options { streams: 0, hostile_names: true, ..Options::default() };
    let events = events_until(&options, MINUTE);
    let seen: BTreeSet<&[u8]> = events
        .iter()
        .filter(|event| event.name == "inStreamCreated")
        .map(|event| text(&event.payload, "name"))
        .collect();
    for name in [&b"bad\xff"[..], b"new\nline", b"ctl\x01x", b"../..", b"<img src=x onerror=alert(1)>"] {
        assert!(seen.contains(name), "{}", String::from_utf8_lossy(name));
    }
    assert!(seen.iter().any(|name| name.len() == 300));
}

#[test]
fn a_stream_with_one_medium_reports_pass_through_for_the_other_and_never_writes_it() {
    for (audio_only, member, codec, numeric, feed, track) in [
        (true, "video", "VPT", 6_219_563_444_375_388_160, "videoFeedStopped", "audio"),
        (false, "audio", "APT", 4_706_353_969_578_901_504, "audioFeedStopped", ""),
    ] {
        let only = |wanted| if audio_only == wanted { vec!["cam1".to_owned()] } else { Vec::new() };
        let options =
            Options { streams: 1, audio_only: only(true), video_only: only(false), ..Options::default() };
        let mut world = world(&options);
        let events = world.advance(MINUTE);
        let updates: Vec<_> = events.iter().filter(|event| event.name == "inStreamCodecsUpdated").collect();
        assert_eq!(updates.len(), 2);
        assert!(matches!(updates[1].payload["upTime"], Value::Double(millis) if millis >= 1000.0));
        let Value::Map(medium) = &updates[1].payload[member] else { panic!("no {member}") };
        assert_eq!(text(medium, "codec"), codec.as_bytes());
        assert_eq!(number(medium, "codecNumeric"), numeric);
        assert_eq!((number(medium, "bytesCount"), number(medium, "packetsCount")), (0, 0));
        assert!(names(&events).iter().filter(|name| **name == feed).count() >= 5, "{feed}");
        let tracks: BTreeSet<&str> = world.chunks_closed.keys().map(|(.., track)| *track).collect();
        assert_eq!(tracks, BTreeSet::from([track]));
    }
}

#[test]
fn a_frozen_stream_expires_after_some_two_periods() {
    let options = Options {
        streams: 1,
        freeze: vec!["cam1:after=25s".parse().unwrap()],
        stream_expiry: Some(Duration::from_secs(10)),
        ..Options::default()
    };
    let mut world = world(&options);
    world.advance(Duration::from_secs(25));
    assert!(!names(&world.advance(Duration::from_secs(42))).contains(&"inStreamClosed"));
    let expired = world.advance(Duration::from_secs(47));
    let closed = expired.iter().position(|event| event.name == "inStreamClosed").unwrap();
    assert!(names(&expired[closed..]).contains(&"outStreamClosed"), "what it fed closes after it");
    assert!(world.truth().streams.is_empty());
    assert!(names(&world.advance(Duration::from_secs(80))).contains(&"hlsChunkClosed"), "the source is back");
}
