//! Proof before acting, and whose events they are. The table of verdicts has the calls in each situation.

use ems_protocol::Wall;
use serde_json::json;

use crate::rules::{Stage, shown};
use crate::support::{at, output, stream};
use crate::verdicts::{REMAKE, RULES, World};

#[test]
fn nothing_is_proven_while_old_entries_of_a_file_are_read() {
    let mut world = World::new();
    world.seconds(100);
    world.stage.server.set_replaying(true);
    world.writes = false;
    world.seconds(60);
    world.stage.server.set_replaying(false);
    world.writes = true;
    world.seconds(100);
    assert_eq!(shown(&world.calls), [""; 0]);
}

#[test]
fn a_call_is_refuted_once_the_output_writes_or_the_server_stops_and_not_by_its_removal() {
    let stalled = || {
        let mut world = World::new();
        world.seconds(70);
        world.writes = false;
        world.seconds(20);
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
    (world.timer, world.writes) = (false, false);
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
