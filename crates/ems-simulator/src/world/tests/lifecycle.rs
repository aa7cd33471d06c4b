//! The lifecycle of streams, outputs and configurations that commands create.

use super::{World, names, number, text, world};
use crate::command::{Answer, Command};
use crate::event::Event;
use crate::options::Options;
use crate::output_format::OutputFormat;
use crate::serialize;
use std::time::Duration;

/// A world without an operator: cam1 and cam2 are published, cam3 is pulled.
fn unattended() -> World {
    world(&Options { streams: 3, unattended: true, ..Options::default() })
}

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Gives a command now; its events stay queued.
fn call(world: &mut World, line: &str) -> Answer {
    let now = world.now;
    world.command(now, &Command::all(line.as_bytes())[0]).unwrap()
}

fn data(answer: &Answer) -> serde_json::Value {
    let answer: serde_json::Value = serde_json::from_slice(&serialize::answer(answer)).unwrap();
    assert_eq!(answer["status"], "SUCCESS", "{answer}");
    answer["data"].clone()
}

fn rejection(answer: &Answer) -> String {
    assert!(!answer.accepted, "{answer:?}");
    String::from_utf8(answer.description.clone()).unwrap()
}

fn unique_id(world: &World, stream: &str) -> u64 {
    world.truth().streams[stream]
}

/// The streams whose outputs are open, with the group and the unique id.
fn outputs(world: &World) -> Vec<(String, String, u64)> {
    let outputs = world.truth().outputs.into_iter();
    outputs.map(|output| (output.stream, output.group, output.unique_id)).collect()
}

fn of_stream<'e>(events: &'e [Event], name: &str, stream: &str) -> Vec<&'e Event> {
    events
        .iter()
        .filter(|event| event.name == name && text(&event.payload, "name") == stream.as_bytes())
        .collect()
}

const HLS: &str = "createHLSStream targetFolder=/w groupName=g chunkLength=4";

#[test]
fn an_unattended_server_creates_no_outputs_pushes_or_timers() {
    let mut world = unattended();
    let events = world.advance(at(60.0));
    let names = names(&events);
    for absent in ["cliRequest", "timerCreated", "hlsChunkCreated"] {
        assert!(!names.contains(&absent), "{absent}");
    }
    let truth = world.truth();
    assert_eq!(truth.streams.len(), 3);
    assert!(truth.outputs.is_empty() && truth.timers.is_empty() && truth.pushed.is_empty());
    assert!(truth.inputs.iter().all(|input| input.config_id.is_some() == (input.stream == "cam3")));
}

#[test]
fn an_output_begins_between_the_request_and_the_answer_or_waits_for_its_stream() {
    let mut world = unattended();
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1,later _createdBy=me")));
    let events = world.advance(at(5.1));
    let expected = [
        "cliRequest",
        "outStreamCreated",
        "outStreamCodecsUpdated",
        "cliResponse",
        "hlsMasterPlaylistUpdated",
    ];
    assert_eq!(names(&events), expected);
    let super::Value::Map(settings) = &events[1].payload["hlsSettings"] else { panic!("no settings") };
    assert_eq!(text(settings, "_createdBy"), b"me");
    assert_eq!(text(settings, "targetFolder"), b"/w/g/cam1");
    assert_eq!(outputs(&world).len(), 1);
    let again = rejection(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    assert_eq!(again, "Unable to create HLS stream");
    data(&call(&mut world, "createHLSStream targetFolder=/w groupName=other localStreamNames=cam1"));
    data(&call(&mut world, "pullStream uri=rtmp://192.0.2.9/live/x localStreamName=later"));
    world.advance(at(7.0));
    let open = outputs(&world);
    assert!(open.iter().any(|(stream, group, _)| stream == "later" && group == "g"), "{open:?}");
    assert_eq!(world.truth().outputs[0].variables["_createdBy"], "me");
    let config = data(&call(&mut world, "listConfig"));
    assert_eq!(config["hls"][0]["status"]["current"]["code"], 0);
    assert_eq!(config["hls"][0]["_createdBy"], "me");
    assert_eq!(config["hls"].as_array().unwrap().len(), 3);
    let listed = data(&call(&mut world, "listStreams"));
    let listed = listed.as_array().unwrap().iter().find(|stream| stream["hlsSettings"].is_object()).unwrap();
    assert_eq!(listed["hlsSettings"]["_createdBy"], "me");
}

#[test]
fn configurations_with_keep_alive_wait_for_their_stream_and_others_end_with_it() {
    let mut world = unattended();
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam3")));
    data(&call(&mut world, "createDASHStream localStreamNames=cam3 targetFolder=/w groupName=d keepAlive=0"));
    data(&call(&mut world, "pushStream uri=rtmp://192.0.2.7/live localStreamName=cam3 keepAlive=1"));
    world.advance(at(10.0));
    let before = (unique_id(&world, "cam3"), outputs(&world));
    assert_eq!(before.1.len(), 2);
    data(&call(&mut world, "shutdownStream localStreamName=cam3 permanently=0"));
    let events = world.advance(at(10.5));
    let closed: Vec<&str> = names(&events).into_iter().filter(|name| name.ends_with("Closed")).collect();
    assert_eq!(closed[0], "inStreamClosed");
    // A player may have been watching, too.
    assert!(closed.iter().filter(|name| **name == "outStreamClosed").count() >= 3);
    assert!(
        events.iter().position(|event| event.name == "cliResponse")
            < events.iter().position(|event| event.name == "inStreamClosed")
    );
    assert!(!world.truth().streams.contains_key("cam3"));
    let waiting = data(&call(&mut world, "listConfig"));
    assert_eq!(waiting["hls"][0]["status"]["current"]["code"], 2);
    assert_eq!(waiting["dash"], serde_json::json!([]));
    world.advance(at(11.1));
    assert!(unique_id(&world, "cam3") > before.0);
    assert!(outputs(&world).is_empty());
    world.advance(at(12.5));
    let after = outputs(&world);
    assert_eq!(after.len(), 1);
    assert!(after[0].1 == "g" && after[0].2 > unique_id(&world, "cam3"));
    assert_eq!(world.truth().pushed.len(), 1);
}

#[test]
fn a_stream_that_is_shut_down_permanently_loses_its_configuration() {
    let mut world = unattended();
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1,cam3")));
    let output = outputs(&world)[0].2;
    data(&call(&mut world, &format!("shutdownStream id={output}")));
    data(&call(&mut world, "shutdownStream localStreamName=cam3"));
    world.advance(at(60.0));
    let truth = world.truth();
    assert!(!truth.streams.contains_key("cam3") && truth.outputs.is_empty());
    let left: Vec<(&str, &str)> =
        truth.configs.iter().map(|config| (config.purpose, config.stream.as_str())).collect();
    assert_eq!(left, [("hls", "cam3")]);
    let gone = call(&mut world, &format!("shutdownStream id={output}"));
    assert_eq!(rejection(&gone), "Stream no longer available");
    data(&call(&mut world, "pullStream uri=rtmp://192.0.2.9/live/x localStreamName=cam3"));
    world.advance(at(63.0));
    assert_eq!(outputs(&world).len(), 1);
}

#[test]
fn an_output_that_is_only_cut_comes_back_after_a_second() {
    let mut world = unattended();
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    let output = outputs(&world)[0].2;
    data(&call(&mut world, &format!("shutdownStream id={output} permanently=0")));
    world.advance(at(5.9));
    assert!(outputs(&world).is_empty());
    world.advance(at(6.1));
    assert!(outputs(&world)[0].2 > output);
}

#[test]
fn configurations_are_removed_by_id_or_by_group_with_what_they_keep_open() {
    let mut world = unattended();
    world.advance(at(5.0));
    let made = data(&call(&mut world, &format!("{HLS} localStreamNames=cam1,cam2")));
    let push = data(&call(&mut world, "pushStream uri=rtmp://192.0.2.7/live localStreamName=cam1"));
    world.advance(at(6.0));
    assert_eq!(world.truth().pushed.len(), 1);
    data(&call(&mut world, &format!("removeConfig id={}", push["configId"])));
    assert!(world.truth().pushed.is_empty());
    assert_eq!(made["configIds"].as_array().unwrap().len(), 2);
    let removed = data(&call(&mut world, "removeConfig groupName=g"));
    assert_eq!(removed["groupName"], "g");
    world.advance(at(20.0));
    assert!(outputs(&world).is_empty());
    assert_eq!(data(&call(&mut world, "removeConfig id=999")), serde_json::Value::Null);
    assert_eq!(rejection(&call(&mut world, "removeConfig")), "No id nor group name provided");
}

#[test]
fn a_restart_keeps_configurations_with_keep_alive_and_drops_timers() {
    let options = Options { streams: 3, unattended: true, crash_after: Some(at(20.0)), ..Options::default() };
    let mut world = world(&options);
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    data(&call(&mut world, "createDASHStream localStreamNames=cam1 targetFolder=/w keepAlive=0"));
    data(&call(&mut world, "pullStream uri=rtmp://192.0.2.9/live/x localStreamName=extra _a=b"));
    data(&call(&mut world, "setTimer value=60"));
    world.advance(at(19.0));
    let before = world.truth();
    world.advance(at(21.0));
    assert!(world.command(at(21.0), &Command::all(b"version")[0]).is_none());
    world.advance(at(40.0));
    let after = world.truth();
    assert_eq!((before.outputs.len(), after.outputs.len(), after.timers.len()), (2, 1, 0));
    assert_eq!(after.outputs[0].config_id, before.outputs[0].config_id);
    assert!(after.streams.contains_key("extra") && after.streams.contains_key("cam3"));
    assert!(after.streams["cam1"] <= 4, "unique ids start again: {:?}", after.streams);
    let kept: Vec<u32> =
        before.configs.iter().filter(|config| config.keep_alive).map(|config| config.id).collect();
    assert_eq!(after.configs.iter().map(|config| config.id).collect::<Vec<_>>(), kept);
    let newest = data(&call(&mut world, &format!("{HLS} localStreamNames=cam2")))["configIds"][0].as_u64();
    assert!(newest > before.configs.iter().map(|config| u64::from(config.id)).max());
}

#[test]
fn a_pull_that_cannot_connect_is_retried_every_second_until_it_is_removed() {
    let mut world = unattended();
    world.advance(at(5.0));
    let pull = data(&call(&mut world, "pullStream uri=rtmp://192.0.2.9:1/live/x localStreamName=bad"));
    let taken = call(&mut world, "pullStream uri=rtmp://192.0.2.9/live/x localStreamName=bad");
    assert_eq!(rejection(&taken), "Stream name bad already taken");
    let failed = |events: &[Event]| events.iter().filter(|event| event.name == "pullStreamFailed").count();
    assert_eq!(failed(&world.advance(at(10.0))), 5);
    let item = data(&call(&mut world, &format!("getConfigInfo id={}", pull["configId"])));
    assert_eq!(item["status"]["current"]["code"], 5);
    data(&call(&mut world, &format!("removeConfig id={}", pull["configId"])));
    assert_eq!(failed(&world.advance(at(20.0))), 0);
}

#[test]
fn a_frozen_stream_writes_nothing_until_it_is_reconnected() {
    let mut world = world(&Options {
        streams: 3,
        unattended: true,
        freeze: vec!["cam3:after=20s".parse().unwrap()],
        ..Options::default()
    });
    world.advance(at(5.0));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam3")));
    let chunks = |events: &[Event]| events.iter().filter(|event| event.name.contains("Chunk")).count();
    assert!(chunks(&world.advance(at(20.0))) > 4);
    let bytes = |world: &mut World| {
        data(&call(world, "getStreamInfo localStreamName=cam3"))["video"]["bytesCount"].as_u64().unwrap()
    };
    let before = bytes(&mut world);
    let events = world.advance(at(60.0));
    assert_eq!((chunks(&events), of_stream(&events, "inStreamClosed", "cam3").len()), (0, 0));
    assert_eq!(bytes(&mut world), before);
    assert!(world.truth().outputs[0].stalled && world.truth().inputs.iter().any(|input| input.frozen));
    data(&call(&mut world, "shutdownStream localStreamName=cam3 permanently=0"));
    world.advance(at(64.0));
    assert!(chunks(&world.advance(at(80.0))) > 4);
    assert!(!world.truth().outputs[0].stalled);
}

#[test]
fn a_stall_can_last_until_the_output_is_recreated() {
    let mut world = world(&Options {
        streams: 1,
        unattended: true,
        stall: vec!["cam1:hls:after=20s,for=recreated".parse().unwrap()],
        ..Options::default()
    });
    world.advance(at(5.0));
    let made = data(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    world.advance(at(20.0));
    let stalled = world.advance(at(300.0));
    assert!(!names(&stalled).contains(&"hlsChunkClosed"));
    assert!(world.truth().outputs[0].stalled);
    data(&call(&mut world, &format!("removeConfig id={}", made["configIds"][0])));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    assert!(names(&world.advance(at(320.0))).contains(&"hlsChunkClosed"));
    assert!(!world.truth().outputs[0].stalled);
}

#[test]
fn a_push_whose_far_side_is_gone_stays_closed_until_another_is_set_up() {
    let mut world = world(&Options {
        streams: 1,
        unattended: true,
        lose_push: vec!["cam1:after=20s".parse().unwrap()],
        ..Options::default()
    });
    world.advance(at(5.0));
    data(&call(&mut world, "pushStream uri=rtmp://192.0.2.7/live localStreamName=cam1 _createdBy=me"));
    world.advance(at(19.0));
    assert_eq!(world.truth().pushed[0].target, "rtmp://192.0.2.7/live");
    let events = world.advance(at(120.0));
    let closed = events.iter().find(|event| event.payload.contains_key("pushSettings")).unwrap();
    assert_eq!(closed.name, "outStreamClosed");
    assert!(number(&closed.payload, "inStreamUniqueId") > 0);
    assert!(world.truth().pushed.is_empty());
    data(&call(&mut world, "pushStream uri=rtmp://192.0.2.8/live localStreamName=cam1"));
    world.advance(at(122.0));
    assert_eq!(world.truth().pushed.len(), 1);
}

#[test]
fn recordings_carry_their_variables_in_every_event() {
    let mut world = unattended();
    world.advance(at(5.0));
    let record = "record localStreamName=cam1 pathToFile=/m/a type=ts _tag=t";
    data(&call(&mut world, record));
    assert_eq!(rejection(&call(&mut world, record)), "Unable to record stream");
    let events = world.advance(at(60.0));
    let created = events.iter().find(|event| event.name == "recordChunkCreated").unwrap();
    assert_eq!(text(&created.payload, "_tag"), b"t");
    assert_eq!(text(&created.payload, "file"), b"/m/a.ts");
    assert!(!names(&events).contains(&"recordChunkClosed"), "it is one piece");
    assert_eq!(world.truth().outputs[0].format, OutputFormat::Record);
    let streams = data(&call(&mut world, "listStreams"));
    assert!(streams.as_array().unwrap().iter().any(|stream| stream["type"] == "OFTS"));
}

#[test]
fn commands_accept_escaped_hostile_names() {
    let mut world =
        world(&Options { streams: 0, unattended: true, hostile_names: true, ..Options::default() });
    world.advance(at(15.0));
    for name in ["with space", "key=value", "comma,and;semicolon", "back\\slash", "../..", "emoji\u{1f4f9}"] {
        let escaped: String =
            name.chars().flat_map(|c| " \\=,".contains(c).then_some('\\').into_iter().chain([c])).collect();
        data(&call(&mut world, &format!("{HLS} localStreamNames={escaped}")));
        assert!(outputs(&world).iter().any(|(stream, ..)| stream == name), "{name}");
    }
}

#[test]
fn queries_return_streams_and_sessions() {
    let mut world = unattended();
    world.advance(at(5.0));
    assert_eq!(data(&call(&mut world, "isStreamRunning localStreamName=cam1"))["Running"], true);
    assert_eq!(data(&call(&mut world, "isStreamRunning id=77"))["Running"], false);
    let inbound = data(&call(&mut world, "listInboundStreams"));
    assert_eq!(inbound.as_array().unwrap().len(), 3);
    assert_eq!(inbound[0]["edgePid"], 0);
    let names = data(&call(&mut world, "listInboundStreamNames"));
    assert_eq!(names[0]["name"], "cam1");
    let count = data(&call(&mut world, "getStreamsCount"))["streamCount"].as_u64();
    let ids = data(&call(&mut world, "listStreamsIds"));
    assert_eq!(count, Some(ids.as_array().unwrap().len() as u64));
    data(&call(&mut world, &format!("{HLS} localStreamNames=cam1")));
    world.advance(at(60.0));
    let sessions = data(&call(&mut world, "listHttpStreamingSessions"));
    assert_eq!(sessions[0]["targetFolder"], "/w/g/cam1");
}

#[test]
fn rejections_give_their_reason() {
    let mut world = unattended();
    world.advance(at(5.0));
    for (line, reason) in [
        ("help", "command help not known. Type help for list of commands"),
        ("createHLSStream", "Syntax error. No parameters provided"),
        ("createHLSStream targetFolder=/w", "Syntax error. Parameter localStreamNames is invalid"),
        ("createHLSStream localStreamNames=a", "Syntax error. Parameter targetFolder is invalid"),
        (
            "createMSSStream localStreamNames=a targetFolder=/w playlistLength=4",
            "Syntax error. Parameter playlistLength is invalid. Range: 5 - 4000",
        ),
        (
            "createHDSStream localStreamNames=a,b targetFolder=/w bandwidths=1",
            "Syntax error. Parameter bandwidths is invalid",
        ),
        ("record localStreamName=cam1", "Syntax error. Parameter pathToFile is invalid"),
        ("pullStream uri=nowhere localStreamName=a", "Invalid URI: nowhere"),
        ("pullStream uri=rtmp://h/x localStreamName=cam1", "Stream name cam1 already taken"),
        ("shutdownStream permanently=1", "id or localStreamName parameters needs to be supplied"),
        ("shutdownStream localStreamName=absent", "Stream no longer available"),
        ("getStreamInfo id=99", "Stream 0:99 not found"),
        ("getStreamInfo localStreamName=absent", "Stream absent not found"),
        ("setTimer value=soon", "Unable to parse the string as a date/time"),
        ("setTimer value=86400", "Unable to start custom timer"),
        ("removeTimer id=1", "Timer not found"),
    ] {
        assert_eq!(rejection(&call(&mut world, line)), reason, "{line}");
    }
    let events = world.advance(at(5.0));
    let answers = events.iter().filter(|event| event.name == "cliResponse");
    assert!(
        answers.clone().count() == 16
            && answers.clone().all(|event| text(&event.payload, "status") == b"FAIL")
    );
}
