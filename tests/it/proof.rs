//! Proof before acting: in each situation, the calls that rules on verdicts make.

use ems_exporter::pipeline::tally::Transport;
use ems_exporter::rules::Call;
use ems_protocol::Wall;
use serde_json::{Value, json};

use crate::rules::{Stage, shown};
use crate::support::{at, output, stream, with};

const RULES: &str = "  - {name: remove, on: chunkStalled, call: removeConfig, with: {id: '{{ stream }}-{{ format }}'}}\n  \
    - {name: create, on: chunkStalled, call: createHLSStream, with: {localStreamNames: '{{ stream }}', targetFolder: /srv}}\n  \
    - {name: pull, on: streamMissing, call: pullStream, with: {uri: 'rtmp://x/a', localStreamName: '{{ stream }}'}}\n  \
    - {name: cut, on: outStreamClosed, match: {purpose: push}, call: shutdownStream, with: {id: '{{ id }}'}}\n";
/// The calls about the output of `cam`.
const REMAKE: [&str; 2] = [
    "removeConfig id=cam-hls",
    "createHLSStream localStreamNames=cam targetFolder=/srv _createdBy=ems-exporter",
];

/// A server with one HLS output of 2 s chunks, whose stall threshold is 10 s, and the exporter's clock beside it.
struct World {
    stage: Stage,
    /// The exporter's clock.
    clock: f64,
    /// Whether the server sends anything.
    alive: bool,
    /// Whether the output writes.
    writes: bool,
    calls: Vec<Call>,
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { stage: Stage::new(RULES), clock: 20_000.0, alive: true, writes: true, calls: Vec::new() };
        world.begin();
        world
    }

    /// The server starts with its streams and its output.
    fn begin(&mut self) {
        self.post("serverStarted", json!({"releaseNumber": "1", "buildNumber": "1"}));
        self.post("inStreamCreated", stream(1, "INR", "studio"));
        self.post("inStreamCreated", stream(2, "INR", "cam"));
        self.post("outStreamCreated", output(3, "hls", "cam", 2));
    }

    fn post(&mut self, name: &str, payload: Value) {
        let calls = self.stage.post(name, self.clock, payload);
        self.calls.extend(calls);
    }

    fn chunk(&mut self) {
        self.post("hlsChunkClosed", json!({"file": "/srv/hls/cam/1.ts", "segmentDuration": 2000.0}));
    }

    fn second(&mut self) {
        self.clock += 1.0;
        if self.alive {
            self.post("timerTriggered", json!({"timerId": 1, "triggerCount": self.clock, "value": 1}));
        }
        if self.writes && (self.clock as u64).is_multiple_of(2) {
            self.chunk();
        }
        self.calls.extend(self.stage.tick(self.clock));
    }

    fn seconds(&mut self, count: u32) {
        for _ in 0..count {
            self.second();
        }
    }

    /// An event of another process, at the present time.
    fn post_of(&mut self, process: u64, id: u64, name: &str, payload: Value) {
        let timestamp = at(self.clock).millis() / 1000;
        let event =
            json!({"id": id, "type": name, "processId": process, "timestamp": timestamp, "payload": payload});
        self.post_raw(&event);
    }

    fn post_raw(&mut self, event: &Value) {
        let body = event.to_string();
        let stage = &self.stage;
        let accepted = stage.pipeline.accept(Transport::Http, &stage.server, body.as_bytes(), at(self.clock));
        assert_eq!(accepted.first, None);
        let calls = self.stage.decided();
        self.calls.extend(calls);
    }
}

/// A situation, what happens in it, and the calls that must be made.
type Situation = (&'static str, fn(&mut World), &'static [&'static str]);

const SITUATIONS: &[Situation] = &[
    ("all is well", |world| world.seconds(200), &[]),
    (
        "an output stalls on a live server",
        |world| {
            world.seconds(70);
            world.writes = false;
            world.seconds(60);
        },
        &REMAKE,
    ),
    (
        "an output never writes: its stall in the first minute waits",
        |world| {
            world.writes = false;
            world.seconds(59);
            assert!(world.calls.is_empty(), "{:?}", world.calls);
            world.seconds(30);
        },
        &REMAKE,
    ),
    (
        "a stall in the first minute ends in it",
        |world| {
            world.writes = false;
            world.seconds(30);
            world.writes = true;
            world.seconds(100);
        },
        &[],
    ),
    (
        "the exporter restarted: only chunks show the output",
        |world| {
            world.stage = Stage::new(RULES);
            world.post("inStreamCodecsUpdated", stream(1, "INR", "studio"));
            world.seconds(200);
        },
        &[],
    ),
    (
        "the clock steps an hour ahead between two ticks",
        |world| {
            world.seconds(100);
            world.clock += 3600.0;
            world.seconds(100);
        },
        &[],
    ),
    (
        "the clock steps ahead in the first minute",
        |world| {
            world.seconds(20);
            world.clock += 3601.0;
            world.seconds(100);
        },
        &[],
    ),
    (
        "the clock steps back, and ahead again",
        |world| {
            world.seconds(100);
            world.clock -= 3600.0;
            world.seconds(100);
            world.clock += 3600.0;
            world.seconds(100);
        },
        &[],
    ),
    (
        "an event of another stream comes first after a suspension",
        |world| {
            world.seconds(100);
            world.clock += 601.0;
            world.writes = false;
            world.seconds(8);
            world.writes = true;
            world.seconds(100);
        },
        &[],
    ),
    (
        "the server stands still before it stops",
        |world| {
            world.seconds(100);
            (world.alive, world.writes) = (false, false);
            world.seconds(21);
            world.post("serverStopping", json!({}));
            world.seconds(100);
        },
        &[],
    ),
    (
        "the server stands still and goes on",
        |world| {
            world.seconds(100);
            (world.alive, world.writes) = (false, false);
            world.seconds(21);
            world.alive = true;
            world.seconds(5);
            world.writes = true;
            world.seconds(100);
        },
        &[],
    ),
    (
        "the server crashes",
        |world| {
            world.seconds(100);
            (world.alive, world.writes) = (false, false);
            world.seconds(600);
        },
        &[],
    ),
    (
        "the server restarts",
        |world| {
            world.seconds(100);
            world.post("serverStopping", json!({}));
            world.clock += 3.0;
            world.begin();
            world.seconds(100);
        },
        &[],
    ),
    (
        "old entries of a file are read while the server lives",
        |world| {
            world.seconds(100);
            world.stage.server.set_replaying(true);
            world.writes = false;
            world.seconds(60);
            world.stage.server.set_replaying(false);
            world.writes = true;
            world.seconds(100);
        },
        &[],
    ),
    (
        "late entries come all at once",
        |world| {
            world.seconds(100);
            (world.alive, world.writes) = (false, false);
            world.seconds(28);
            for _ in 0..14 {
                world.chunk();
            }
            (world.alive, world.writes) = (true, true);
            world.seconds(100);
        },
        &[],
    ),
    (
        "a stream has one medium",
        |world| {
            let dash = with(output(9, "dash", "radio", 2), json!({"video": {"codec": "VPT"}}));
            world.post("outStreamCreated", dash);
            for _ in 0..100 {
                world.seconds(2);
                let file = json!({"file": "/srv/dash/radio/audio/segment_1.m4s", "segmentDuration": 2000.0});
                world.post("dashChunkClosed", file);
            }
        },
        &[],
    ),
    (
        "the server makes an output anew each second, which cannot write",
        |world| {
            world.seconds(70);
            world.writes = false;
            for id in 100..220 {
                world.post("outStreamClosed", output(if id == 100 { 3 } else { id - 1 }, "hls", "cam", 2));
                world.second();
                world.post("outStreamCreated", output(id, "hls", "cam", 2));
            }
        },
        &REMAKE,
    ),
    (
        "two servers post to one place",
        |world| {
            for id in 1..300 {
                world.second();
                let file = json!({"file": "/srv/hls/dog/1.ts", "segmentDuration": 2000.0});
                match id {
                    1 => world.post_of(200, id, "outStreamCreated", output(3, "hls", "dog", 2)),
                    _ => world.post_of(200, id, "hlsChunkClosed", file),
                }
            }
        },
        &[],
    ),
    (
        "an expected stream is gone from a live server",
        |world| {
            world.seconds(70);
            world.post("inStreamClosed", stream(1, "INR", "studio"));
            world.seconds(60);
        },
        &["pullStream uri=rtmp://x/a localStreamName=studio _createdBy=ems-exporter"],
    ),
    (
        "an expected stream comes back before there is proof",
        |world| {
            world.post("inStreamClosed", stream(1, "INR", "studio"));
            world.seconds(30);
            world.post("inStreamCreated", stream(5, "INR", "studio"));
            world.seconds(100);
        },
        &[],
    ),
    (
        "a rule on the server's own event runs at once, also in the first minute",
        |world| {
            let push = with(stream(7, "ONR", "cam"), json!({"pushSettings": {"configId": 1}}));
            world.post("outStreamCreated", push.clone());
            world.post("outStreamClosed", push);
        },
        &["shutdownStream id=7"],
    ),
];

#[test]
fn rules_act_on_verdicts_with_proof_and_never_on_a_healthy_output() {
    let mut wrong = Vec::new();
    for (situation, happens, expected) in SITUATIONS {
        let mut world = World::new();
        happens(&mut world);
        let calls = shown(&world.calls);
        if calls != *expected {
            wrong.push(format!("{situation}: {calls:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_call_is_refuted_once_the_output_writes_or_the_server_stops_and_not_by_its_removal() {
    let stalled = || {
        let mut world = World::new();
        world.seconds(70);
        world.writes = false;
        world.seconds(15);
        assert_eq!(shown(&world.calls), REMAKE);
        world
    };
    let (removal, creation) = (0, 1);
    let refuted = |world: &World, call: usize| {
        let call = &world.calls[call];
        world.stage.server.read(|state| call.rule.is_refuted(&call.target, state))
    };
    let mut world = stalled();
    assert!(!refuted(&world, removal) && !refuted(&world, creation));
    world.chunk();
    assert!(refuted(&world, removal), "it writes again");
    assert!(!refuted(&world, creation), "the last chunk of an output that was removed");
    let mut world = stalled();
    world.post("outStreamClosed", output(3, "hls", "cam", 2));
    assert!(!refuted(&world, creation), "another rule removed it");
    world.post("serverStopping", json!({}));
    assert!(refuted(&world, removal) && refuted(&world, creation));
}

#[test]
fn two_servers_at_one_place_are_named_and_neither_loses_its_streams() {
    let mut world = World::new();
    let mixed = |world: &World| world.stage.server.read(|state| state.server.is_mixed());
    let mut counts = Vec::new();
    for id in 1..400 {
        world.second();
        let process = 200;
        let payload = stream(50, "INR", "other");
        let name = if id == 1 { "inStreamCreated" } else { "inStreamCodecsUpdated" };
        world.post_of(process, id, name, payload);
        world.post_of(100, 10_000 + id, "inStreamCodecsUpdated", stream(2, "INR", "cam"));
        counts.push(world.stage.server.read(|state| state.streams.count(|_, _| true)));
    }
    assert!(mixed(&world));
    assert!(counts[20..].iter().all(|count| *count == 2), "{counts:?}");
    let restarts =
        world.stage.server.read(|state| serde_json::to_value(state.server.view(Wall::default())).unwrap());
    assert_eq!((&restarts["restarts_total"], &restarts["mixed"]), (&json!(1), &json!(true)));
    (world.alive, world.writes) = (false, false);
    for id in 400..800 {
        world.second();
        world.post_of(200, id, "inStreamCodecsUpdated", stream(50, "INR", "other"));
    }
    assert!(!mixed(&world), "one of them is silent");
}

#[test]
fn a_restart_with_late_events_of_the_process_before_is_no_second_server() {
    let mut world = World::new();
    world.seconds(30);
    world.post_of(200, 1, "serverStarted", json!({"releaseNumber": "1", "buildNumber": "1"}));
    let stamp = at(world.clock).millis() / 1000;
    world.clock += 40.0;
    let late = json!({"id": 900, "type": "inStreamCreated", "processId": 100, "timestamp": stamp - 2,
        "payload": stream(8, "INR", "late")});
    world.post_raw(&late);
    assert!(!world.stage.server.read(|state| state.server.is_mixed()));
    assert_eq!(world.stage.server.read(|state| state.streams.count(|_, _| true)), 0);
}

#[test]
fn a_first_start_without_process_ids_is_no_restart() {
    let mut world = World::new();
    world.stage = Stage::new(RULES);
    for name in ["applicationStart", "serverStarted", "inStreamCreated"] {
        world.post_raw(&json!({"type": name, "payload": stream(2, "INR", "cam")}));
    }
    let restarts = |world: &World| {
        world.stage.server.read(|state| serde_json::to_value(state.server.view(Wall::default())).unwrap())
    };
    assert_eq!(restarts(&world)["restarts_total"], json!(0));
    world.post_raw(&json!({"type": "serverStarted", "payload": {"releaseNumber": "1"}}));
    assert_eq!(restarts(&world)["restarts_total"], json!(1));
}
