//! The world against the order, the rhythm and the shapes that were recorded from a real server.

mod exchanges;
mod incidents;
mod lifecycle;

use super::World;
use crate::event::Event;
use crate::options::Options;
use crate::tests::recorded;
use crate::value::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const EPOCH: Duration = Duration::from_millis(1_795_364_079_000);
const MINUTE: Duration = Duration::from_secs(60);

fn world(options: &Options) -> World {
    World::new(options, EPOCH)
}

fn events_until(options: &Options, until: Duration) -> Vec<Event> {
    world(options).advance(until)
}

fn text<'a>(payload: &'a Map, member: &str) -> &'a [u8] {
    let Value::Text(text) = &payload[member] else {
        panic!("{member} is {:?}", payload[member]);
    };
    text
}

fn number(payload: &Map, member: &str) -> i64 {
    let Value::Integer(_, number) = &payload[member] else {
        panic!("{member} is {:?}", payload[member]);
    };
    *number
}

fn double(payload: &Map, member: &str) -> f64 {
    let Value::Double(number) = &payload[member] else {
        panic!("{member} is {:?}", payload[member]);
    };
    *number
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.name).collect()
}

/// The events of one output to files: its own and those of its chunks, by the folder in their paths.
fn of_folder<'a>(events: &'a [Event], folder: &str) -> Vec<&'a Event> {
    events
        .iter()
        .filter(|event| {
            matches!(event.payload.get("file"), Some(Value::Text(file))
                if file.starts_with(folder.as_bytes()))
        })
        .collect()
}

/// Members with the kinds of their values, all the way down.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Integer(width, _) => format!("{width:?}"),
        Value::Double(_) => "double".to_owned(),
        Value::Timestamp(_) => "timestamp".to_owned(),
        Value::Text(_) => "text".to_owned(),
        Value::List(values) => format!("[{}]", values.first().map(shape).unwrap_or_default()),
        Value::Map(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}:{}", shape(value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

#[test]
fn payloads_have_the_recorded_members_and_types() {
    let events = events_until(&Options::default(), 20 * MINUTE);
    let mut shapes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for event in &events {
        shapes.entry(event.name).or_default().insert(shape(&Value::Map(event.members())));
    }
    for name in [
        "dashChunkClosed",
        "dashChunkCreated",
        "hdsChunkClosed",
        "hlsChunkClosed",
        "hlsChunkCreated",
        "hlsMasterPlaylistUpdated",
        "inStreamClosed.INR",
        "inStreamCodecsUpdated.INR",
        "inStreamCreated.INR",
        "lastPlaylistItemStart",
        "mediaFileDownloaded",
        "mssChunkClosed",
        "outStreamClosed.OFHLS",
        "outStreamClosed.ONR",
        "outStreamCodecsUpdated.OFHDS",
        "outStreamCreated.OFDASH",
        "outStreamCreated.OFHLS",
        "outStreamCreated.OFMP4",
        "outStreamCreated.OFMSS",
        "outStreamCreated.OFRFLV",
        "outStreamCreated.ONR",
        "recordChunkClosed",
        "recordChunkCreated",
        "serverStarted",
        "streamingSessionEnded",
        "streamingSessionStarted",
        "timerClosed",
        "timerCreated",
        "timerTriggered",
        "videoFeedStopped",
    ] {
        let expected = shape(&Value::Map(recorded::event(name).members()));
        // Some recordings show a stream in a state that ours reach in other events; the members are what counts there.
        let event = match name {
            "inStreamClosed.INR" => "inStreamCodecsUpdated",
            "outStreamClosed.OFHLS" => "outStreamCodecsUpdated",
            "videoFeedStopped" => "audioFeedStopped",
            other => other.split('.').next().unwrap(),
        };
        assert!(
            shapes[event].contains(&expected),
            "{name}: no event is like\n{expected}\nbut\n{:#?}",
            shapes[event]
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_events_in_steps_of_any_length() {
    let options = Options::default();
    let whole = events_until(&options, 10 * MINUTE);
    let mut other = world(&options);
    let mut steps = Vec::new();
    for second in 0..=600 {
        steps.extend(other.advance(Duration::from_secs(second)));
    }
    assert_eq!(whole, steps);
    let reseeded = events_until(&Options { seed: 2, ..options }, 10 * MINUTE);
    assert_ne!(whole, reseeded);
}

#[test]
fn ids_count_from_one_and_stamps_follow_the_clock() {
    let events = events_until(&Options::default(), 5 * MINUTE);
    for (position, event) in (1..).zip(&events) {
        assert_eq!(event.id, position);
        assert!(event.payload.contains_key("PID") && event.payload.contains_key("customData"));
    }
    assert_eq!(events[0].timestamp, EPOCH.as_secs());
    let last = events.last().unwrap().timestamp - EPOCH.as_secs();
    assert!((295..=300).contains(&last), "{last}");
    assert_eq!(&names(&events)[..2], ["applicationStart", "serverStarted"]);
}

#[test]
fn a_published_stream_gets_two_codec_updates_and_then_its_outputs() {
    let one = Options { streams: 1, ..Options::default() };
    let events = events_until(&one, Duration::from_millis(4_500));
    let streams: Vec<&str> = names(&events)
        .into_iter()
        .filter(|name| !name.contains("imer") && *name != "cliRequest" && *name != "cliResponse")
        .skip(2)
        .collect();
    assert_eq!(
        streams,
        [
            "inStreamCreated",
            "inStreamCodecsUpdated",
            "inStreamCodecsUpdated",
            "outStreamCreated",
            "outStreamCodecsUpdated",
            "hlsMasterPlaylistUpdated",
            "outStreamCreated",
            "outStreamCodecsUpdated",
            "dashPlaylistUpdated",
            "outStreamCreated",
            "outStreamClosed",
            "outStreamCreated",
            "outStreamClosed",
            "outStreamCreated",
            "outStreamCodecsUpdated",
            "hlsChunkCreated",
            "dashChunkCreated",
            "dashChunkCreated",
        ]
    );
    let creations: Vec<&Event> = events.iter().filter(|event| event.name == "outStreamCreated").collect();
    assert!(creations[4].payload.contains_key("pushSettings"));
    let hls = events.iter().position(|event| event.payload.contains_key("hlsSettings")).unwrap();
    assert_eq!(events[hls - 1].name, "cliRequest");
    assert_eq!(text(&events[hls - 1].payload, "command"), b"createHLSStream");
    assert_eq!(events[hls + 2].name, "cliResponse");
}

#[test]
fn chunks_come_in_the_rhythm_and_order_of_their_format() {
    let events = events_until(&Options::default(), MINUTE);
    let hls = of_folder(&events, "/var/evostreamms/evo-webroot/hls/cam1/");
    let order: Vec<&str> = hls.iter().map(|event| event.name).collect();
    assert_eq!(order[0], "hlsChunkCreated");
    for three in order[1..].chunks_exact(3) {
        assert_eq!(three, ["hlsChildPlaylistUpdated", "hlsChunkClosed", "hlsChunkCreated"]);
    }
    let closed = hls.iter().find(|event| event.name == "hlsChunkClosed").unwrap();
    assert!((double(&closed.payload, "segmentDuration") - 4000.0).abs() < 0.001);
    for (folder, apart) in [
        ("/var/evostreamms/evo-webroot/hls/cam1/", 4.0),
        ("/var/evostreamms/evo-webroot/hds/cam2/", 4.5),
        ("/var/evostreamms/evo-webroot/dash/cam1//audio/", 4.0),
        ("/var/evostreamms/evo-webroot/dash/cam1//video/", 4.0),
        ("/var/evostreamms/evo-webroot/mss/cam3/audio/", 6.0),
        ("/var/evostreamms/evo-webroot/mss/cam3/video/", 6.0),
        ("/var/evostreamms/media/cam4_part", 4.0),
    ] {
        let times: Vec<u64> = of_folder(&events, folder)
            .iter()
            .filter(|event| event.name.ends_with("ChunkClosed"))
            .map(|event| event.timestamp)
            .collect();
        assert!(times.len() > 5, "{folder}: {times:?}");
        let mean = (times[times.len() - 1] - times[0]) as f64 / (times.len() - 1) as f64;
        assert!((mean - apart).abs() < 0.2, "{folder}: {mean}");
    }
    let audio = of_folder(&events, "/var/evostreamms/evo-webroot/dash/cam1//audio/");
    let audio = audio.iter().find(|event| event.name == "dashChunkClosed").unwrap();
    assert_eq!(number(&audio.payload, "frameCount"), 0);
}

#[test]
fn a_stream_closes_before_its_outputs_and_comes_back_with_them() {
    let events = events_until(&Options::default(), 15 * MINUTE);
    let closed = events.iter().position(|event| event.name == "inStreamClosed").unwrap();
    let input = &events[closed].payload;
    let unique_id = number(input, "uniqueId");
    let name = text(input, "name");
    let Value::List(dependants) = &input["outStreamsUniqueIds"] else {
        panic!("nothing depended on the stream");
    };
    let after: Vec<&Event> = events[closed + 1..]
        .iter()
        .take_while(|event| event.timestamp == events[closed].timestamp)
        .filter(|event| event.name == "outStreamClosed")
        .collect();
    assert_eq!(
        after.iter().map(|event| &event.payload["uniqueId"]).collect::<Vec<_>>(),
        dependants.iter().collect::<Vec<_>>()
    );
    for event in after {
        assert_eq!(event.payload["inStreamUniqueId"], Value::Null);
        assert_eq!(number(&event.payload, "bandwidth"), 0);
        let Value::Map(video) = &event.payload["video"] else {
            panic!("no video");
        };
        assert_eq!(text(video, "codec"), b"VUNK");
        assert!(number(video, "bytesCount") > 0);
    }
    let again = events[closed..]
        .iter()
        .find(|event| event.name == "inStreamCreated" && text(&event.payload, "name") == name)
        .expect("the stream comes back");
    assert!(number(&again.payload, "uniqueId") > unique_id);
    // What is configured already needs no command.
    assert!(events[closed..].iter().any(|event| event.payload.contains_key("hlsSettings")
        && event.name == "outStreamCreated"
        && text(&event.payload, "name") == name));
    assert!(
        !events[closed..]
            .iter()
            .any(|event| event.name == "cliRequest" && text(&event.payload, "command") == b"createHLSStream")
    );
}

#[test]
fn a_player_that_leaves_is_still_linked_to_its_source() {
    let events = events_until(&Options::default(), 3 * MINUTE);
    let arrival = events.iter().position(|event| event.name == "lastPlaylistItemStart").unwrap();
    assert_eq!(events[arrival - 1].name, "outStreamCreated");
    assert_eq!(events[arrival + 1].name, "outStreamCodecsUpdated");
    let left = events
        .iter()
        .find(|event| event.name == "outStreamClosed" && text(&event.payload, "type") == b"ONR")
        .unwrap();
    assert_ne!(left.payload["inStreamUniqueId"], Value::Null);
}

#[test]
fn the_truth_agrees_with_the_events() {
    let options = Options { streams: 12, hostile_names: true, burst: 3, ..Options::default() };
    let mut world = world(&options);
    let mut open: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    let (mut files, mut players) = (BTreeSet::new(), BTreeSet::new());
    let (mut timers, mut sessions) = (BTreeSet::new(), BTreeSet::new());
    let (mut chunks, mut triggered, mut last_id) = (0, 0, 0);
    for step in 1..=90 {
        for event in world.advance(Duration::from_secs(step * 10)) {
            let payload = &event.payload;
            last_id = event.id;
            match event.name {
                "inStreamCreated" => {
                    open.insert(number(payload, "uniqueId"), text(payload, "name").to_vec());
                }
                "inStreamClosed" => {
                    open.remove(&number(payload, "uniqueId")).unwrap();
                }
                "outStreamCreated" => match text(payload, "type") {
                    b"ONR" => drop(players.insert(number(payload, "uniqueId"))),
                    _ => drop(files.insert(number(payload, "uniqueId"))),
                },
                "outStreamClosed" => {
                    let id = number(payload, "uniqueId");
                    assert!(players.remove(&id) || files.remove(&id));
                }
                "timerCreated" => drop(timers.insert(number(payload, "timerId"))),
                "timerTriggered" => triggered += 1,
                "timerClosed" => assert!(timers.remove(&number(payload, "timerId"))),
                "streamingSessionStarted" => drop(sessions.insert(number(payload, "sessionId"))),
                "streamingSessionEnded" => assert!(sessions.remove(&number(payload, "sessionId"))),
                name if name.ends_with("ChunkClosed") => chunks += 1,
                _ => {}
            }
        }
        let truth = world.truth();
        assert_eq!(truth.last_event_id, last_id);
        assert_eq!(truth.streams.len(), open.len());
        assert_eq!(truth.outputs.len(), files.len());
        let connected: u64 = truth.players.values().chain(truth.pushes.values()).sum();
        assert_eq!(connected, players.len() as u64);
        assert_eq!(truth.timers.len(), timers.len());
        assert_eq!(truth.sessions.len(), sessions.len());
        assert_eq!(truth.timers_triggered, triggered);
        let closed: u64 = truth.chunks_closed.iter().map(|track| track.closed).sum();
        assert_eq!(closed, chunks);
        assert_eq!(truth.emitted.values().sum::<u64>(), last_id);
    }
}

#[test]
fn a_feed_stops_and_is_reported_every_ten_seconds() {
    let events = events_until(&Options::default(), 3 * MINUTE);
    let times: Vec<u64> =
        events.iter().filter(|event| event.name == "audioFeedStopped").map(|event| event.timestamp).collect();
    assert!(times.len() >= 3, "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 10), "{times:?}");
}
