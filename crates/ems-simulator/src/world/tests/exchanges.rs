//! The recorded session with the API, given again: every answer has the recorded members and types.

use super::{World, world};
use crate::command::Command;
use crate::options::Options;
use crate::serialize;
use crate::tests::recorded;
use std::time::Duration;

/// Members with the kinds of their values, all the way down.
fn shape(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "null".to_owned(),
        serde_json::Value::Bool(_) => "bool".to_owned(),
        serde_json::Value::Number(number) if number.is_f64() => "double".to_owned(),
        serde_json::Value::Number(_) => "integer".to_owned(),
        serde_json::Value::String(_) => "text".to_owned(),
        serde_json::Value::Array(values) => {
            let mut kinds: Vec<String> = values.iter().map(shape).collect();
            kinds.dedup();
            format!("[{}]", kinds.join(","))
        }
        serde_json::Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}:{}", shape(value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// Gives the recorded command at a moment and compares the answer with the recorded one; `replaced` are words of the
/// session that are others here.
fn compare(world: &mut World, at: u64, name: &str, replaced: &[(&str, &str)]) -> serde_json::Value {
    let exchange = recorded::exchange(name);
    let ours = |text: &str| {
        replaced.iter().fold(text.replace("stream1", "cam1"), |text, (old, new)| text.replace(old, new))
    };
    let command = name.split_once('_').unwrap().1;
    let line = format!("{command} {}", ours(&exchange.parameters));
    let answer = world.command(Duration::from_millis(at), &Command::all(line.as_bytes())[0]).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&serialize::answer(&answer)).unwrap();
    let expected: serde_json::Value =
        serde_json::from_slice(recorded::split(&exchange.response).1.trim_ascii_end()).unwrap();
    assert_eq!(shape(&answer), shape(&expected), "{name}");
    assert_eq!(answer["status"], expected["status"], "{name}");
    assert_eq!(
        answer["description"].as_str().unwrap(),
        ours(expected["description"].as_str().unwrap()),
        "{name}"
    );
    answer["data"].clone()
}

#[test]
fn every_answer_has_the_recorded_members_and_types() {
    let mut world = world(&Options { streams: 1, unattended: true, nul_header: true, ..Options::default() });
    let world = &mut world;
    compare(world, 100, "001_version", &[]);
    compare(world, 100, "002_listStreams", &[]);
    compare(world, 1200, "003_listStreams", &[]);
    compare(world, 1200, "004_getStreamInfo", &[]);
    assert_eq!(compare(world, 1200, "005_listStreamsIds", &[]), serde_json::json!([1]));
    let hls = compare(world, 1300, "006_createHLSStream", &[]);
    let recorded = recorded::exchange("006_createHLSStream").response;
    let recorded: serde_json::Value =
        serde_json::from_slice(recorded::split(&recorded).1.trim_ascii_end()).unwrap();
    for (member, value) in recorded["data"].as_object().unwrap() {
        if member != "localStreamNames" {
            assert_eq!(hls[member], *value, "{member}");
        }
    }
    compare(world, 1300, "007_createHDSStream", &[]);
    compare(world, 1300, "008_createDASHStream", &[]);
    compare(world, 1300, "009_createMSSStream", &[]);
    compare(world, 1300, "010_record", &[]);
    compare(world, 1300, "011_record", &[]);
    compare(world, 1300, "012_record", &[]);
    let timer = compare(world, 1400, "013_setTimer", &[])["timerId"].to_string();
    let once = compare(world, 1400, "014_setTimer", &[]);
    assert_eq!(once["value"], "2026-11-22T16:15:00.000");
    let past = compare(world, 1400, "015_setTimer", &[]);
    assert_eq!((&past["triggerCount"], &past["value"]), (&1.into(), &"2020-01-01T00:00:00.000".into()));
    let armed = compare(world, 25_000, "016_listTimers", &[]);
    assert_eq!(armed.as_array().unwrap().len(), 1, "the others have fired: {armed}");
    compare(world, 25_000, "017_removeTimer", &[("899", &timer)]);
    compare(world, 26_000, "018_pullStream", &[]);
    compare(world, 26_000, "019_pullStream", &[]);
    compare(world, 26_000, "020_pushStream", &[]);
    let shut = compare(world, 27_000, "022_shutdownStream", &[]);
    assert_eq!(shut["streamInfo"]["name"], "pulled1");
    assert_eq!(world.truth().configs.iter().filter(|config| config.purpose == "pull").count(), 0);
}
