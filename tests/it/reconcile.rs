//! What the server's own lists correct, and what they must leave alone.

use ems_exporter::model::state::listing::{Listed, Listing, Reconciled, Subject};
use ems_exporter::model::{Corrections, output, session, stream, timer};
use ems_exporter::pipeline::{Pipeline, Server};
use ems_protocol::decode::json::Part;
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::EnumCount;

use crate::support::{Harness, START, at, output as output_payload, stream as stream_payload, with};

/// Lists as the server writes them.
#[derive(Default)]
pub struct Lists {
    pub streams: Vec<String>,
    pub configured: Vec<(&'static str, String)>,
    pub timers: Option<Vec<String>>,
    pub sessions: Option<Vec<String>>,
}

impl Lists {
    pub fn of(streams: &[Value]) -> Self {
        Self { streams: streams.iter().map(Value::to_string).collect(), ..Self::default() }
    }

    /// Hands them over, requested for and answered at these seconds.
    fn give(&self, harness: &Harness, requested: f64, now: f64) -> Reconciled {
        self.give_to(&harness.pipeline, &harness.server, requested, now)
    }

    pub fn give_to(&self, pipeline: &Pipeline, server: &Server, requested: f64, now: f64) -> Reconciled {
        let process = self.streams.iter().find_map(|stream| {
            serde_json::from_str::<Value>(stream).unwrap()["processId"].as_u64().filter(|pid| *pid < 900)
        });
        let streams = self.streams.iter().map(|item| {
            let item = Part::of(item.as_bytes());
            let message = item.message().unwrap();
            let stream = stream::listed(&message).unwrap();
            let key = stream.key;
            let output = output::of_stream(&message).unwrap().map(|output| output::Output { key, ..output });
            Listed { item, stream, output }
        });
        let configured = self.configured.iter().map(|(family, item)| {
            let message = Part::of(item.as_bytes()).message().unwrap();
            output::listed(family.as_bytes(), &message).unwrap().unwrap()
        });
        let timers = self.timers.as_ref().map(|items| {
            let each = items.iter().map(|item| Part::of(item.as_bytes()).message().unwrap());
            each.map(|message| timer::listed(&message).unwrap()).collect()
        });
        let sessions = self.sessions.as_ref().map(|items| {
            let each = items.iter().map(|item| Part::of(item.as_bytes()).message().unwrap());
            each.map(|message| session::listed(&message).unwrap()).collect()
        });
        let listing = Listing {
            requested: at(requested),
            build: None,
            process,
            streams: streams.collect(),
            configured: configured.collect(),
            timers,
            sessions,
        };
        pipeline.reconcile(server, &listing, at(now))
    }

    /// Two polls, three seconds apart, the last answered at these seconds.
    fn give_twice(&self, harness: &Harness, now: f64) -> Reconciled {
        self.give(harness, now - 3.1, now - 3.0);
        self.give(harness, now - 0.1, now)
    }
}

/// A stream as `listStreams` shows it, of the origin process.
pub fn listed(payload: Value, up_seconds: f64) -> Value {
    let members =
        json!({"processId": 100, "processType": "origin", "edgePid": 0, "upTime": up_seconds * 1000.0});
    with(payload, members)
}

fn corrected(reconciled: &Reconciled, subject: Subject) -> Corrections {
    reconciled.corrections[subject as usize]
}

const NONE: Corrections = Corrections { opened: 0, closed: 0, changed: 0 };

#[test]
fn streams_and_outputs_that_were_open_before_us_appear_at_once() {
    let harness = Harness::new();
    let lists = Lists::of(&[
        listed(stream_payload(1, "INR", "cam1"), 60.0),
        listed(output_payload(2, "hls", "cam1", 6), 50.0),
    ]);
    let reconciled = lists.give(&harness, 1.0, 1.1);
    assert_eq!(corrected(&reconciled, Subject::Stream).opened, 2);
    assert_eq!(corrected(&reconciled, Subject::Output).opened, 1);
    assert_eq!(reconciled.appeared, [0, 1]);
    let page = harness.read(2.0);
    assert_eq!(page.get(r#"ems_stream_up{stream="cam1"}"#), Some(1.0));
    assert_eq!(page.get(r#"ems_outputs{format="hls"}"#), Some(1.0));
    let target = page.get(r#"ems_chunk_target_seconds{format="hls",group="g",stream="cam1",track=""}"#);
    assert_eq!(target, Some(6.0));
    // The same list again, and the chunk and the events that follow, change nothing.
    assert_eq!(corrected(&lists.give(&harness, 31.0, 31.1), Subject::Stream), NONE);
}

#[test]
fn a_late_creation_of_a_listed_stream_opens_nothing_twice() {
    let mut harness = Harness::new();
    Lists::of(&[listed(stream_payload(1, "INR", "cam1"), 60.0)]).give(&harness, 1.0, 1.1);
    harness.post("inStreamCreated", 1.2, stream_payload(1, "INR", "cam1"));
    assert_eq!(harness.read(2.0).sum("ems_streams"), 1.0);
    harness.post("inStreamClosed", 3.0, stream_payload(1, "INR", "cam1"));
    let page = harness.read(4.0);
    assert_eq!(page.sum("ems_streams"), 0.0);
    assert_eq!((page.sum("ems_streams_opened_total"), page.sum("ems_streams_closed_total")), (1.0, 1.0));
}

#[test]
fn a_stale_stream_is_closed_once_two_lists_lack_it() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream_payload(1, "INR", "cam1"));
    harness.post("outStreamCreated", 0.0, output_payload(2, "hls", "cam1", 6));
    harness.post("timerCreated", 0.0, json!({"timerId": 33, "triggerCount": 0, "value": 10}));
    let empty = Lists { timers: Some(Vec::new()), ..Lists::default() };
    let first = empty.give(&harness, 30.0, 30.1);
    assert!(first.unconfirmed, "their closes may be on their way");
    assert_eq!(harness.read(30.2).sum("ems_streams"), 2.0);
    let second = empty.give(&harness, 32.1, 32.2);
    assert_eq!(corrected(&second, Subject::Stream).closed, 2);
    assert_eq!(corrected(&second, Subject::Output).closed, 1);
    assert_eq!(corrected(&second, Subject::Timer).closed, 1);
    assert_eq!(second.removed.len(), 2);
    let page = harness.read(33.0);
    for gauge in ["ems_streams", "ems_outputs", "ems_timers", "ems_stream_up"] {
        assert_eq!(page.sum(gauge), 0.0, "{gauge}");
    }
    // A close that is very late after all changes nothing.
    harness.post("inStreamClosed", 34.0, stream_payload(1, "INR", "cam1"));
    assert_eq!(harness.read(34.0).sum("ems_streams_closed_total"), 2.0);
}

#[test]
fn events_after_the_request_of_a_list_take_precedence() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream_payload(1, "INR", "old"));
    let before = Lists::of(&[listed(stream_payload(1, "INR", "old"), 60.0)]);
    // While the answer is on its way: one stream closes, another opens.
    harness.post("inStreamClosed", 10.05, stream_payload(1, "INR", "old"));
    harness.post("inStreamCreated", 10.06, stream_payload(2, "INR", "new"));
    let reconciled = before.give(&harness, 10.0, 10.1);
    assert_eq!(corrected(&reconciled, Subject::Stream), NONE);
    let page = harness.read(10.2);
    assert_eq!(page.get(r#"ems_stream_up{stream="new"}"#), Some(1.0));
    assert_eq!(page.get(r#"ems_stream_up{stream="old"}"#), None);
    // The next poll agrees with the events: nothing to correct, and no discrepancy left.
    let after = Lists::of(&[listed(stream_payload(2, "INR", "new"), 2.5)]);
    let reconciled = after.give(&harness, 12.2, 12.3);
    assert_eq!((corrected(&reconciled, Subject::Stream), reconciled.unconfirmed), (NONE, false));
}

#[test]
fn a_stream_that_has_just_opened_is_left_to_its_event() {
    let mut harness = Harness::new();
    let young = Lists::of(&[listed(stream_payload(1, "INR", "cam1"), 0.1)]);
    let first = young.give(&harness, 10.0, 10.1);
    assert!(first.unconfirmed && first.appeared.is_empty());
    harness.post("inStreamCreated", 10.2, stream_payload(1, "INR", "cam1"));
    let second = young.give(&harness, 12.1, 12.2);
    assert_eq!((corrected(&second, Subject::Stream), second.unconfirmed), (NONE, false));
    // Where the event was lost, the second poll brings it.
    let harness = Harness::new();
    assert_eq!(corrected(&young.give_twice(&harness, 20.0), Subject::Stream).opened, 1);
}

#[test]
fn an_old_discrepancy_does_not_count_against_a_later_close() {
    let mut harness = Harness::new();
    let list = |up| Lists::of(&[listed(stream_payload(1, "INR", "cam1"), up)]);
    assert!(list(0.0).give(&harness, 8.0, 8.1).unconfirmed, "it has just opened");
    harness.post("inStreamCreated", 9.0, stream_payload(1, "INR", "cam1"));
    harness.post("inStreamClosed", 47.3, stream_payload(1, "INR", "cam1"));
    // Made before it closed, and slow to arrive.
    let reconciled = list(38.0).give(&harness, 46.9, 47.4);
    assert_eq!((corrected(&reconciled, Subject::Stream), reconciled.unconfirmed), (NONE, true));
}

#[test]
fn a_stream_that_two_lists_have_is_open() {
    let mut harness = Harness::new();
    let open = Lists::of(&[
        listed(stream_payload(1, "INR", "cam1"), 60.0),
        listed(output_payload(2, "hls", "cam1", 6), 60.0),
    ]);
    open.give(&harness, 1.0, 1.1);
    // An edge that did not answer in time made the lists short, twice.
    Lists::default().give_twice(&harness, 40.0);
    assert_eq!(harness.read(41.0).sum("ems_streams"), 0.0);
    let reconciled = open.give_twice(&harness, 80.0);
    assert_eq!(corrected(&reconciled, Subject::Stream).opened, 2);
    assert_eq!(corrected(&reconciled, Subject::Output).opened, 1);
    harness.post("hlsChunkClosed", 81.0, json!({"file": "/srv/hls/cam1/segment_1_1.ts"}));
    let page = harness.read(82.0);
    assert_eq!((page.sum("ems_streams"), page.sum("ems_outputs")), (2.0, 1.0));
}

#[test]
fn ids_of_edges_are_those_of_events() {
    let mut harness = Harness::new();
    let edge = json!({"PID": 11_192, "processId": 11_192, "processType": "edge"});
    harness.post("inStreamCreated", 0.0, with(stream_payload(1, "INR", "cam1"), edge));
    let shifted: u64 = 11_192 << 32 | 1;
    let members = json!({"uniqueId": shifted, "edgePid": 11_192, "processId": 11_192, "processType": "edge"});
    let on_edge = with(listed(stream_payload(1, "INR", "cam1"), 60.0), members);
    let reconciled = Lists::of(&[on_edge]).give(&harness, 30.0, 30.1);
    assert_eq!((corrected(&reconciled, Subject::Stream), reconciled.unconfirmed), (NONE, false));
}

#[test]
fn byte_counters_continue_over_new_ids_and_start_at_the_first_poll() {
    let harness = Harness::new();
    let series = r#"ems_stream_bytes_total{direction="in",stream="cam1",media="video"}"#;
    let rate = r#"ems_stream_bits_per_second{direction="in",stream="cam1",media="video"}"#;
    let stream = |id, bytes, queried: f64| {
        let payload = with(
            stream_payload(id, "INR", "cam1"),
            json!({"video": {"codec": "VH264", "bytesCount": bytes, "packetsCount": 1, "droppedPacketsCount": 0},
                   "queryTimestamp": 1_795_364_000_000.0 + queried * 1000.0}),
        );
        Lists::of(&[listed(payload, 60.0)])
    };
    stream(1, 5_000_000, 1.0).give(&harness, 1.0, 1.1);
    let page = harness.read(2.0);
    assert_eq!(
        (page.get(series), page.get(rate)),
        (Some(0.0), None),
        "bytes before the first poll are not counted"
    );
    stream(1, 5_001_000, 11.0).give(&harness, 11.0, 11.1);
    let page = harness.read(12.0);
    assert_eq!((page.get(series), page.get(rate)), (Some(1000.0), Some(800.0)));
    // The pull reconnects as another stream, whose event was lost.
    stream(7, 300, 40.0).give_twice(&harness, 41.0);
    stream(7, 500, 44.0).give(&harness, 44.0, 44.1);
    assert_eq!(harness.read(45.0).get(series), Some(1200.0));
}

#[test]
fn an_output_learns_its_target_from_the_configurations() {
    let mut harness = Harness::new();
    harness.post("hlsChunkClosed", 0.0, json!({"file": "/srv/www/hls/cam1/segment_1_1.ts"}));
    let target = r#"ems_chunk_target_seconds{format="hls",group="hls",stream="cam1",track=""}"#;
    assert_eq!(harness.read(0.5).get(target), None);
    let settings = json!({"configId": 7, "groupName": "hls", "localStreamName": "cam1", "chunkLength": 4,
        "targetFolder": "/srv/www/hls/cam1", "status": {"current": {"code": 0}}});
    let lists = Lists { configured: vec![("hls", settings.to_string())], ..Lists::default() };
    let reconciled = lists.give(&harness, 1.0, 1.1);
    assert_eq!(corrected(&reconciled, Subject::Output).changed, 1);
    assert_eq!(harness.read(2.0).get(target), Some(4.0));
}

#[test]
fn an_output_known_only_by_its_chunks_is_closed_when_no_stream_writes_it() {
    let mut harness = Harness::new();
    harness.post("hlsChunkClosed", 0.0, json!({"file": "/srv/www/hls/cam1/segment_1_1.ts"}));
    assert_eq!(harness.read(0.5).sum("ems_outputs"), 1.0);
    let reconciled = Lists::default().give_twice(&harness, 20.0);
    assert_eq!(corrected(&reconciled, Subject::Output).closed, 1);
    assert_eq!(harness.read(21.0).sum("ems_outputs"), 0.0);
}

#[test]
fn timers_and_sessions_are_corrected_and_known_again_by_their_events() {
    let mut harness = Harness::new();
    let lists = Lists {
        timers: Some(vec![json!({"timerId": 899, "triggerCount": 3, "value": 3}).to_string()]),
        sessions: Some(vec![
            json!({"clientIP": "127.0.0.1", "elapsedTime": 9, "sessionId": 4,
                   "startTime": "2026-11-22T16-15-06", "targetFolder": "x"})
            .to_string(),
        ]),
        ..Lists::default()
    };
    let reconciled = lists.give_twice(&harness, 10.0);
    assert_eq!(corrected(&reconciled, Subject::Timer).opened, 1);
    let page = harness.read(10.0);
    assert_eq!((page.get("ems_timers"), page.get("ems_sessions")), (Some(1.0), Some(1.0)));
    harness.post("timerTriggered", 11.0, json!({"timerId": 899, "triggerCount": 4, "value": 3}));
    harness.post(
        "streamingSessionEnded",
        11.0,
        json!({"clientIP": "127.0.0.1", "sessionId": 4, "playlist": "x",
               "startTime": "2026-11-22T16-15-06", "stopTime": "2026-11-22T16-15-16"}),
    );
    let page = harness.read(12.0);
    assert_eq!((page.get("ems_timers"), page.get("ems_sessions")), (Some(1.0), Some(0.0)));
    assert_eq!(page.get("ems_sessions_ended_total"), Some(1.0));
    // A list that was requested for before the session ended brings nothing back.
    lists.give(&harness, 10.9, 11.2);
    assert_eq!(harness.read(12.0).get("ems_sessions"), Some(0.0));
}

#[test]
fn sessions_end_at_the_second_poll_that_lists_none() {
    let mut harness = Harness::new();
    harness.post("streamingSessionStarted", 0.0, json!({"sessionId": 1, "startTime": "2026-11-22T16-15-06"}));
    let none = Lists { sessions: Some(Vec::new()), ..Lists::default() };
    none.give(&harness, 30.0, 30.1);
    assert_eq!(harness.read(31.0).get("ems_sessions"), Some(1.0));
    none.give(&harness, 33.0, 33.1);
    assert_eq!(harness.read(34.0).get("ems_sessions"), Some(0.0));
}

#[test]
fn a_new_process_without_an_event_is_found() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream_payload(1, "INR", "cam1"));
    let other = with(listed(stream_payload(1, "INR", "cam2"), 60.0), json!({"processId": 200}));
    let lists = Lists::of(&[other]);
    assert!(lists.give(&harness, 30.0, 30.1).unconfirmed);
    assert_eq!(harness.read(30.0).get(r#"ems_stream_up{stream="cam1"}"#), Some(1.0));
    let reconciled = lists.give(&harness, 32.1, 32.2);
    assert_eq!(corrected(&reconciled, Subject::Server).changed, 1);
    let page = harness.read(33.0);
    assert_eq!(page.get("ems_server_restarts_total"), Some(1.0));
    assert_eq!(page.get(r#"ems_stream_up{stream="cam2"}"#), Some(1.0));
    assert_eq!(page.get(r#"ems_stream_up{stream="cam1"}"#), None);
    // Its own events go on where the list began.
    harness.restart(200);
    harness.post("inStreamClosed", 34.0, stream_payload(1, "INR", "cam2"));
    let page = harness.read(35.0);
    assert_eq!((page.sum("ems_streams"), page.get("ems_server_restarts_total")), (0.0, Some(1.0)));
}

#[test]
fn a_list_of_a_process_that_has_ended_meanwhile_is_not_used() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream_payload(1, "INR", "cam1"));
    harness.restart(200);
    harness.post("serverStarted", 30.05, json!({"releaseNumber": "1.7.1", "buildNumber": "0"}));
    let old = Lists::of(&[listed(stream_payload(1, "INR", "cam1"), 60.0)]);
    let reconciled = old.give(&harness, 30.0, 30.1);
    assert_eq!((corrected(&reconciled, Subject::Stream), reconciled.unconfirmed), (NONE, true));
    assert_eq!(harness.read(31.0).sum("ems_streams"), 0.0);
}

#[test]
fn a_server_that_stops_is_down_until_it_answers_long_after() {
    let mut harness = Harness::new();
    harness.post("inStreamCreated", 0.0, stream_payload(1, "INR", "cam1"));
    harness.post("serverStopping", 10.0, json!({}));
    let lists = Lists::of(&[listed(stream_payload(2, "INR", "cam2"), 60.0)]);
    lists.give(&harness, 12.0, 12.1);
    assert_eq!(harness.read(13.0).get("ems_up"), Some(0.0), "it answers for some seconds more");
    let reconciled = lists.give_twice(&harness, 60.0);
    assert_eq!(corrected(&reconciled, Subject::Server).changed, 1);
    let page = harness.read(61.0);
    assert_eq!((page.get("ems_up"), page.sum("ems_streams")), (Some(1.0), 1.0));
}

#[test]
fn a_server_whose_api_fails_is_down_only_without_events() {
    let mut harness = Harness::new();
    let up = |harness: &Harness| harness.read(100.0).get("ems_up");
    let requested = |harness: &Harness, seconds, answered| harness.server.record_poll(at(seconds), answered);
    assert_eq!(up(&harness), Some(0.0));
    requested(&harness, 1.0, true);
    assert_eq!(up(&harness), Some(1.0), "it answers, although no event has come yet");
    harness.post("timerCreated", 20.0, json!({"timerId": 1, "value": 10}));
    requested(&harness, 31.0, false);
    assert_eq!(up(&harness), Some(1.0), "events come");
    requested(&harness, 61.0, false);
    assert_eq!(up(&harness), Some(0.0), "neither an answer nor an event");
    assert_eq!(harness.read(100.0).get("ems_timers"), Some(1.0), "nothing else is touched");
}

/// A stream with this many bytes, queried at these seconds of the server's clock.
fn with_bytes(bytes: u64, queried: f64) -> Value {
    let video = json!({"codec": "VH264", "bytesCount": bytes, "packetsCount": 1, "droppedPacketsCount": 0});
    let queried = 1_795_364_000_000.0 + queried * 1000.0;
    with(stream_payload(1, "INR", "cam1"), json!({"video": video, "queryTimestamp": queried}))
}

#[test]
fn an_open_input_whose_bytes_stand_still_is_frozen_until_they_grow() {
    let harness = Harness::new();
    let frozen = |bytes, seconds: f64| {
        Lists::of(&[listed(with_bytes(bytes, seconds), 60.0)]).give(&harness, seconds - 0.1, seconds);
        harness.pipeline.tick(at(seconds));
        harness.read(seconds).get(r#"ems_stream_frozen{stream="cam1"}"#)
    };
    assert_eq!(frozen(1000, 1.0), Some(0.0));
    assert_eq!(frozen(5000, 31.0), Some(0.0));
    assert_eq!(frozen(5000, 34.0), Some(0.0), "for three seconds only");
    assert_eq!(frozen(5000, 64.0), Some(1.0));
    assert_eq!(frozen(5001, 94.0), Some(0.0));
}

#[test]
fn an_input_that_closes_with_the_bytes_of_a_poll_long_ago_has_expired_and_its_configuration_waits() {
    for (bytes, expired) in [(5000, true), (5001, false)] {
        let mut harness = Harness::new();
        harness.post("inStreamCreated", 0.0, with_bytes(0, 0.0));
        Lists::of(&[listed(with_bytes(5000, 10.0), 10.0)]).give(&harness, 9.9, 10.0);
        harness.post("inStreamClosed", 25.0, with_bytes(bytes, 25.0));
        let settings = json!({"configId": 7, "groupName": "g", "localStreamName": "cam1", "chunkLength": 10,
            "targetFolder": "/srv/www/hls/cam1", "keepAlive": true, "status": {"current": {"code": 2}}});
        let lists = Lists { configured: vec![("hls", settings.to_string())], ..Lists::default() };
        lists.give(&harness, 29.9, 30.0);
        harness.pipeline.tick(at(31.0));
        let page = harness.read(31.0);
        assert_eq!(page.get(r#"ems_stream_configs_waiting{stream="cam1"}"#), Some(1.0));
        assert_eq!(page.get(r#"ems_stream_expired{stream="cam1"}"#), expired.then_some(1.0));
        let state = if expired { "expired" } else { "waiting" };
        assert_eq!(page.get(&format!("ems_inputs{{state=\"{state}\"}}")), Some(1.0));
        harness.pipeline.tick(at(3000.0));
        let waiting = harness.read(3000.0).get(&format!("ems_inputs{{state=\"{state}\"}}"));
        assert_eq!(waiting, Some(1.0), "as long as the configuration waits");
    }
}

/// A stream's life: when it opens and closes, in milliseconds, and how late its two events come.
#[derive(Debug, Clone)]
struct Life {
    opens: u64,
    closes: u64,
    late: [u64; 2],
}

fn life() -> impl Strategy<Value = Life> {
    (0..40_000u64, 1..40_000u64, [0..1900u64, 0..1900u64]).prop_map(|(opens, lasts, late)| Life {
        opens,
        closes: opens + lasts,
        late,
    })
}

/// Something that comes to us at a moment: an event, or an answer with what it lists.
enum Arrival {
    Event(Vec<u8>),
    Answer { requested: u64, lists: Lists },
}

fn payload(id: usize, life: &Life) -> Value {
    let created = json!({"creationTimestamp": (START * 1000 + life.opens) as f64 + 0.25});
    with(stream_payload(id as u64 + 1, "INR", &format!("cam{id}")), created)
}

/// What the server answers at `answered` to a question of `requested`.
fn answer(lives: &[Life], requested: u64, answered: u64) -> Arrival {
    let open = |life: &Life| life.opens <= answered && answered < life.closes;
    let streams: Vec<Value> = lives
        .iter()
        .enumerate()
        .filter(|(_, life)| open(life))
        .map(|(id, life)| listed(payload(id, life), (answered - life.opens) as f64 / 1000.0))
        .collect();
    Arrival::Answer { requested, lists: Lists::of(&streams) }
}

proptest! {
    /// However late within two seconds events come, and whenever lists are requested for: no list undoes an event, and
    /// nothing is corrected that an event has reported or will report.
    #[test]
    fn lists_that_race_with_events_correct_nothing(
        lives in prop::collection::vec(life(), 1..8),
        polls in prop::collection::vec((0..60_000u64, 0..500u64, 0..500u64), 1..30),
    ) {
        let mut harness = Harness::new();
        let mut arrivals = Vec::new();
        for (id, life) in lives.iter().enumerate() {
            let created = harness.event("inStreamCreated", 0.0, payload(id, life));
            arrivals.push((life.opens + life.late[0], Arrival::Event(created)));
            let closed = harness.event("inStreamClosed", 0.0, payload(id, life));
            arrivals.push((life.closes + life.late[1], Arrival::Event(closed)));
        }
        let mut requested = 0;
        let mut polls = polls;
        polls.sort_unstable();
        for (start, there, back) in polls {
            // One poll at a time.
            requested = start.max(requested);
            let answered = requested + there;
            arrivals.push((answered + back, answer(&lives, requested, answered)));
            requested = answered + back + 1;
        }
        arrivals.sort_by_key(|(at, _)| *at);
        for (millis, arrival) in arrivals {
            let seconds = millis as f64 / 1000.0;
            match arrival {
                Arrival::Event(body) => prop_assert_eq!(harness.send(&body, at(seconds)).first, None),
                Arrival::Answer { requested, lists } => {
                    let reconciled = lists.give(&harness, requested as f64 / 1000.0, seconds);
                    prop_assert_eq!(reconciled.corrections, [NONE; Subject::COUNT]);
                }
            }
        }
        let page = harness.read(120.0);
        prop_assert_eq!(page.sum("ems_streams"), 0.0);
        prop_assert_eq!(page.sum("ems_streams_opened_total"), lives.len() as f64);
        prop_assert_eq!(page.sum("ems_streams_closed_total"), lives.len() as f64);
    }

    /// Whatever part of the events is lost: two polls after the last of them the gauges are true.
    #[test]
    fn two_polls_make_up_for_every_lost_event(
        lives in prop::collection::vec(life(), 1..8),
        lost in prop::collection::vec(any::<[bool; 2]>(), 8),
        end in 0..90_000u64,
    ) {
        let mut harness = Harness::new();
        let mut events = Vec::new();
        for (id, (life, lost)) in lives.iter().zip(&lost).enumerate() {
            for (name, moment, lost) in
                [("inStreamCreated", life.opens, lost[0]), ("inStreamClosed", life.closes, lost[1])]
            {
                let event = harness.event(name, 0.0, payload(id, life));
                if !lost && moment <= end {
                    events.push((moment, event));
                }
            }
        }
        events.sort();
        for (millis, event) in events {
            harness.send(&event, at(millis as f64 / 1000.0));
        }
        let open = lives.iter().filter(|life| life.opens <= end && end < life.closes).count();
        for requested in [end + 1, end + 2500] {
            let Arrival::Answer { lists, .. } = answer(&lives, requested, end) else { continue };
            lists.give(&harness, requested as f64 / 1000.0, requested as f64 / 1000.0 + 0.1);
        }
        prop_assert_eq!(harness.read(300.0).sum("ems_streams"), open as f64);
    }
}
