//! Derived events, and the properties of streams and outputs that rules need.

use std::time::Duration;

use ems_exporter::model::event;
use ems_exporter::model::output::{Format, StallTransition, Track};
use ems_exporter::model::state::{DerivedEvent, State};
use ems_exporter::model::stream::Purpose;
use ems_exporter::model::{Key, Settings};
use ems_protocol::decode;
use serde_json::{Value, json};

use crate::support::{at, output, stream, with};

fn apply(state: &mut State, name: &str, seconds: f64, payload: Value) {
    let event = json!({"type": name, "processId": 100, "payload": payload}).to_string();
    decode::decode(event.as_bytes(), ems_protocol::Format::Json, usize::MAX, |message| {
        state.apply(&event::interpret(&message.unwrap()).unwrap(), at(seconds));
    });
}

fn tick(state: &mut State, seconds: f64) -> Vec<&'static str> {
    state.tick(at(seconds)).iter().map(DerivedEvent::name).collect()
}

fn chunk(state: &mut State, seconds: f64) {
    let file = json!({"file": "/srv/hls/cam/segment_1.ts", "segmentDuration": 2000.0});
    apply(state, "hlsChunkClosed", seconds, file);
}

fn ours(id: u64) -> Value {
    let mut payload = output(id, "hls", "cam", 2);
    payload["hlsSettings"] =
        with(payload["hlsSettings"].clone(), json!({"configId": 70 + id, "_createdBy": "ems-exporter"}));
    payload
}

#[test]
fn a_stall_is_reported_once_and_so_is_its_end() {
    let mut state = State::new(&Settings::default());
    apply(&mut state, "outStreamCreated", 0.0, ours(7));
    assert_eq!(tick(&mut state, 9.0), [""; 0]);
    let derived = state.tick(at(11.0));
    let [DerivedEvent::Output(stall)] = derived.as_slice() else { panic!("{derived:?}") };
    assert_eq!(stall.transition, StallTransition::NeverStarted);
    let (key, writer) = stall.writer.unwrap();
    assert_eq!((key, writer.config, writer.ours), (Key { pid: 100, id: 7 }, Some(77), true));
    assert!(state.outputs.stalls(Format::Hls, "g", "cam", Track::Whole));
    assert_eq!(tick(&mut state, 12.0), [""; 0]);
    chunk(&mut state, 13.0);
    assert_eq!(tick(&mut state, 14.0), ["chunkRecovered"]);
    assert!(!state.outputs.stalls(Format::Hls, "g", "cam", Track::Whole));
    assert_eq!(tick(&mut state, 20.0), [""; 0]);
    assert_eq!(tick(&mut state, 24.0), ["chunkStalled"]);
    chunk(&mut state, 24.5);
    apply(&mut state, "outStreamClosed", 24.6, ours(7));
    assert_eq!(tick(&mut state, 25.0), [""; 0], "a closed output does not recover");
}

#[test]
fn the_youngest_writer_of_an_output_is_named() {
    let mut state = State::new(&Settings::default());
    apply(&mut state, "outStreamCreated", 0.0, ours(7));
    apply(&mut state, "outStreamCreated", 1.0, ours(9));
    let derived = state.tick(at(20.0));
    let [DerivedEvent::Output(stall)] = derived.as_slice() else { panic!("{derived:?}") };
    assert_eq!(stall.writer.map(|(key, _)| key.id), Some(9));
}

#[test]
fn an_expected_stream_is_missed_once_until_it_is_back() {
    let settings = Settings { expected: vec!["cam".to_owned()], ..Settings::default() };
    let mut state = State::new(&settings);
    assert_eq!(tick(&mut state, 0.0), [""; 0]);
    assert_eq!(tick(&mut state, 9.9), [""; 0]);
    assert_eq!(tick(&mut state, 10.0), ["streamMissing"]);
    assert_eq!(tick(&mut state, 100.0), [""; 0]);
    apply(&mut state, "inStreamCreated", 101.0, stream(1, "INR", "cam"));
    assert_eq!(tick(&mut state, 102.0), [""; 0]);
    apply(&mut state, "inStreamClosed", 103.0, stream(1, "INR", "cam"));
    assert_eq!(tick(&mut state, 104.0), [""; 0]);
    assert_eq!(tick(&mut state, 113.0), [""; 0]);
    assert_eq!(tick(&mut state, 114.0), ["streamMissing"]);
}

#[test]
fn the_outputs_of_an_input_are_counted_by_purpose_although_a_close_forgets_their_input() {
    let mut state = State::new(&Settings { retention: Duration::ZERO, ..Settings::default() });
    let input = Key { pid: 100, id: 1 };
    apply(&mut state, "inStreamCreated", 0.0, stream(1, "INR", "cam"));
    for id in [2, 3] {
        let push = json!({"inStreamUniqueId": 1, "pushSettings": {"configId": id}});
        apply(&mut state, "outStreamCreated", 1.0, with(stream(id, "ONR", "cam"), push));
    }
    assert_eq!(state.streams.fed(input, Purpose::Push), 2);
    assert_eq!(state.streams.fed(input, Purpose::Play), 0);
    let known = state.streams.properties(Key { pid: 100, id: 2 }).unwrap();
    assert_eq!((known.name, known.purpose, known.input), (Some("cam"), Purpose::Push, Some(input)));
    assert_eq!((state.streams.inbound("cam"), state.streams.is_open(input)), (1, true));
    for id in [2, 3] {
        let push = json!({"inStreamUniqueId": null, "pushSettings": {"configId": id}});
        apply(&mut state, "outStreamClosed", 2.0, with(stream(id, "ONR", "cam"), push));
        assert_eq!(state.streams.fed(input, Purpose::Push), u32::from(id == 2));
    }
    apply(&mut state, "inStreamClosed", 3.0, stream(1, "INR", "cam"));
    assert_eq!((state.streams.inbound("cam"), state.streams.is_open(input)), (0, false));
    assert_eq!(state.streams.properties(input), None);
}
