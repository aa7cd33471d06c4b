//! The shipped rules, on a simulated media server without an operator: each camera is packaged once, a lost push closes
//! its input and no other, a stalled output is created again; also when events are lost or repeated and calls fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use ems_protocol::runtime_api::{Api, parameter::Parameter};
use ems_simulator::{ApiFaults, Call, Options, OutputFormat, Target, Truth};

use serde_json::Value;
use testkit::fake_server::{FakeServer, Reply};
use testkit::http::block_on;
use testkit::ports::free_port;
use testkit::wait::holds;
use testkit::{Exporter, now, repository, sum, wait_for};

use crate::program;
use testkit::simulated::Simulated;

/// The stall threshold: two chunks late, of those that the examples create every two seconds here.
const SHORT_STALL: Duration = Duration::from_secs(5);
/// The threshold while events are lost: four chunks late, since loss seldom hides all of them.
const LONG_STALL: Duration = Duration::from_secs(9);

/// A simulated server without an operator, and an exporter that follows these examples.
struct Stage {
    server: Simulated,
    exporter: Exporter,
}

impl Stage {
    /// `adapt` may change the rules of the examples; a chunk is late for `stall` before it is a stall. Calls may be old:
    /// where a third of the answers is lost, a minute is not always enough for one that counts.
    fn new(examples: &[&str], adapt: impl Fn(String) -> String, stall: Duration, options: Options) -> Self {
        // Each has to know the other's address: the exporter's is chosen here.
        let port = free_port();
        let url = Target { port, path: "/events".to_owned(), ..Target::default() };
        let chunk_length = Duration::from_secs(2);
        let api = Some("127.0.0.1:0".to_owned());
        let server = Simulated::start(Options { url, api, unattended: true, chunk_length, ..options });
        let api = server.server().api_address().unwrap();
        let rules: String = examples.iter().map(|name| rules(name)).collect();
        let rules = adapt(rules);
        let stall = humantime::format_duration(stall);
        let config = format!(
            "servers:\n  - {{name: ems, api: {{url: 'http://{api}', timeout: 1s}}}}\n\
             stall: {{factor: 1, minimum: {stall}}}\nreconcile: {{interval: 2s}}\n\
             actions: {{max_age: 5m}}\nrules:\n{rules}"
        );
        Self { exporter: program().configured_at(port, &config), server }
    }

    fn truth(&self) -> Truth {
        self.server.server().truth()
    }

    /// The calls that were received of a command.
    fn calls(&self, command: &str) -> Vec<Call> {
        self.server.server().calls().into_iter().filter(|call| call.command == command).collect()
    }

    /// How many HLS outputs each camera has.
    fn packaged(&self) -> BTreeMap<String, usize> {
        let truth = self.truth();
        let mut outputs: BTreeMap<String, usize> =
            truth.streams.keys().map(|name| (name.clone(), 0)).collect();
        for output in truth.outputs.iter().filter(|output| output.format == OutputFormat::Hls) {
            *outputs.entry(output.stream.clone()).or_default() += 1;
        }
        outputs
    }

    /// Waits until each camera has exactly one HLS output.
    fn wait_until_packaged(&self, cameras: usize) {
        wait_for("one output for each camera", || {
            let packaged = self.packaged();
            holds(packaged.len() == cameras && packaged.values().all(|outputs| *outputs == 1), packaged)
        });
    }

    /// Waits until each camera has exactly one output, which writes: an output that is created again is missing for a moment.
    fn wait_until_writing(&self, cameras: usize) {
        wait_for("one output for each camera, which writes", || {
            let outputs = self.truth().outputs;
            let streams: BTreeSet<&str> = outputs.iter().map(|output| output.stream.as_str()).collect();
            let writing = outputs.iter().all(|output| !output.stalled);
            let right = writing && outputs.len() == cameras && streams.len() == cameras;
            holds(right, format!("{outputs:?}"))
        });
    }

    /// Fails unless each decision of a rule has an outcome or is queued.
    fn assert_accounted_for(&self) {
        let page = self.exporter.metrics();
        let sum = |metric: &str| sum(&page, &format!("ems_exporter_actions{metric}{{"));
        let (decided, outcomes, queued) = (sum("_decided_total"), sum("_total"), sum("_queued"));
        assert_eq!(decided, outcomes + queued);
        assert!(decided > 0.0);
    }

    fn outcomes(&self, rule: &str, outcome: &str) -> f64 {
        self.exporter.sum(&series(rule, outcome))
    }

    /// Calls the server from outside, as an operator does.
    fn call(&self, command: &str, with: &[(&str, &str)]) {
        let address = format!("http://{}", self.server.server().api_address().unwrap());
        let api = Api::new(address.parse().unwrap(), None, Duration::from_secs(5));
        let with: Vec<Parameter> =
            with.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        block_on(api.call(command, &with)).unwrap();
    }
}

/// The series that counts this outcome of this rule.
fn series(rule: &str, outcome: &str) -> String {
    format!("ems_exporter_actions_total{{server=\"ems\",rule=\"{rule}\",outcome=\"{outcome}\"}}")
}

/// The rules of a shipped example, chunks of two seconds long.
fn rules(example: &str) -> String {
    let file = repository().join("examples/rules").join(format!("{example}.yml"));
    let text = fs::read_to_string(file).unwrap();
    let (_, rules) = text.split_once("rules:\n").unwrap();
    rules.replace("chunkLength: 6", "chunkLength: 2")
}

#[test]
fn each_camera_is_packaged_once_and_a_lost_push_closes_its_input_alone() {
    let options = Options { streams: 5, ..Options::default() };
    let stage =
        Stage::new(&["package-every-camera", "close-unpushed-inputs"], |rules| rules, SHORT_STALL, options);
    stage.wait_until_packaged(5);
    for target in ["rtmp://192.0.2.8/live", "rtmp://192.0.2.9/live"] {
        stage.call("pushStream", &[("localStreamName", "cam1"), ("uri", target), ("keepAlive", "0")]);
    }
    stage.call(
        "pushStream",
        &[("localStreamName", "cam2"), ("uri", "rtmp://192.0.2.9/live"), ("keepAlive", "0")],
    );
    let pushes = wait_for("three pushes", || {
        let pushed = stage.truth().pushed;
        if pushed.len() == 3 { Ok(pushed) } else { Err(pushed) }
    });
    let input = stage.truth().streams["cam1"];
    let of_cam1: Vec<String> =
        pushes.iter().filter(|push| push.stream == "cam1").map(|push| push.unique_id.to_string()).collect();
    // The other push remains.
    stage.call("shutdownStream", &[("id", &of_cam1[0]), ("permanently", "1")]);
    let rule = "close the input when its last push is lost";
    stage.exporter.wait_for_value(&series(rule, "condition"), |count| count == 1.0);
    assert_eq!(stage.truth().streams["cam1"], input, "the input still has a push");
    stage.call("shutdownStream", &[("id", &of_cam1[1]), ("permanently", "1")]);
    stage.exporter.wait_for_value(&series(rule, "done"), |count| count == 1.0);
    let ours: Vec<Call> = stage
        .calls("shutdownStream")
        .into_iter()
        .filter(|call| call.parameters.contains(&("permanently".to_owned(), "0".to_owned())))
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].parameters.contains(&("id".to_owned(), input.to_string())), "{:?}", ours[0]);
    assert_ne!(stage.truth().streams.get("cam1"), Some(&input));
    assert!(stage.truth().streams.contains_key("cam2"));
    // The camera reconnects and is packaged again.
    stage.wait_until_packaged(5);
    stage.assert_accounted_for();
    assert_eq!(stage.calls("createHLSStream").len(), 6, "five cameras, one of them twice, and no loop");
}

#[test]
fn a_stalled_output_is_created_again_and_a_stuck_input_is_disconnected() {
    let hook = FakeServer::start_on_thread(|_| Reply::Data(Value::Null));
    // One output that has written, and one that has not. No rule takes an output down in the exporter's first minute.
    let stalls = ["cam2:hls:after=12s,for=recreated", "cam1:hls:after=0s,for=90s"];
    let stalls = stalls.map(|stall| stall.parse().unwrap()).to_vec();
    let freeze = vec!["cam3:after=14s".parse().unwrap()];
    let options = Options { streams: 3, stall: stalls, freeze, ..Options::default() };
    let rules = ["package-every-camera", "cut-stuck-input", "recreate-stalled-output", "notify"];
    let to_hook = |rules: String| rules.replace("127.0.0.1:9000", &hook.address.to_string());
    let stage = Stage::new(&rules, to_hook, SHORT_STALL, options);
    stage.wait_until_packaged(3);
    let before = stage.truth();
    wait_for("both stalled outputs to be created again", || {
        let made = stage.calls("createHLSStream");
        let made = |name: &str| {
            let name = ("localStreamNames".to_owned(), name.to_owned());
            made.iter().filter(|call| call.parameters.contains(&name)).count()
        };
        let counts = (made("cam1"), made("cam2"));
        holds(counts == (2, 2), counts)
    });
    stage.exporter.wait_for_value(&series("cut the stuck input", "done"), |count| count == 1.0);
    stage.wait_until_writing(3);
    assert_ne!(stage.truth().streams["cam3"], before.streams["cam3"], "its pull was connected again");
    assert_eq!(stage.truth().streams["cam1"], before.streams["cam1"]);
    // The stall is over for the exporter as well.
    wait_for("no output to be older than its threshold", || {
        let age = |name: &str| stage.exporter.sum(&format!("{name}{{"));
        let last = age("ems_chunk_last_closed_timestamp_seconds") / 3.0;
        let oldest = now() - last;
        holds(oldest < 5.0, oldest)
    });
    let received: Vec<Value> = hook.all().iter().map(|call| call.body()).collect();
    let stalls: Vec<_> = received.iter().filter(|body| body["event"] == "chunkStalled").collect();
    assert!(
        stalls.iter().any(|body| body["stream"] == "cam2" && body["fields"]["format"] == "hls"),
        "{received:?}"
    );
    stage.wait_until_packaged(3);
    stage.assert_accounted_for();
}

#[test]
fn each_camera_has_one_output_despite_loss_duplicates_and_failures() {
    let api_faults = ApiFaults { fail: 0.15, reset: 0.1, garbage: 0.1, slow: 0.05, ..ApiFaults::default() };
    let options = Options {
        streams: 6,
        lose: 0.15,
        duplicates: 0.2,
        reorder: 0.2,
        api_faults,
        crash_after: Some(Duration::from_secs(12)),
        crash_pause: Duration::from_secs(2),
        // An output that is created only after a stall began does not have it, but the next one.
        stall: vec!["cam2:hls:after=24s,for=recreated,every=100s".parse().unwrap()],
        ..Options::default()
    };
    let rules = ["package-every-camera", "close-unpushed-inputs", "recreate-stalled-output"];
    let stage = Stage::new(&rules, |rules| rules, LONG_STALL, options);
    wait_for("the server to restart, and its stalled output to be created again", || {
        let packaged = stage.packaged();
        let single = packaged.values().all(|outputs| *outputs <= 1);
        assert!(single, "never two outputs of one camera: {packaged:?}");
        // A call whose answer was lost may have been carried out; before the next attempt its stall is over.
        let made = ["done", "already", "unproven"]
            .map(|outcome| stage.outcomes("re-create the stalled output", outcome));
        let made: f64 = made.iter().sum();
        let starts = stage.truth().starts;
        holds(starts == 2 && made > 0.0, (starts, made))
    });
    stage.server.server().set_api_faults(ApiFaults::default());
    stage.wait_until_writing(6);
    let calls = stage.calls("createHLSStream").len();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(stage.calls("createHLSStream").len(), calls, "no call repeats what is done");
    assert!((12..80).contains(&calls), "six cameras twice, and further attempts: {calls}");
    stage.assert_accounted_for();
    assert!(stage.calls("shutdownStream").is_empty(), "no push was lost");

    // Events are still lost, and the API fails again once the push exists.
    let push = [("localStreamName", "cam1"), ("uri", "rtmp://192.0.2.9/live"), ("keepAlive", "0")];
    stage.call("pushStream", &push);
    let push = wait_for("the push", || stage.truth().pushed.pop().ok_or(()));
    let pushes = "ems_streams{server=\"ems\",direction=\"out\",type=\"ONR\",purpose=\"push\"}";
    stage.exporter.wait_for_value(pushes, |count| count == 1.0);
    let before = stage.truth().streams;
    stage.call("shutdownStream", &[("id", &push.unique_id.to_string()), ("permanently", "1")]);
    stage.server.server().set_api_faults(api_faults);
    let input = before["cam1"];
    // If that event was lost, two polls are needed, and most of them fail.
    wait_for("its input to be closed", || {
        let streams = stage.truth().streams;
        holds(streams.get("cam1") != Some(&input), streams)
    });
    let after = stage.truth().streams;
    for (name, id) in before.iter().filter(|(name, _)| *name != "cam1") {
        assert_eq!(after.get(name), Some(id), "{name} is not changed");
    }
    let ours = stage.calls("shutdownStream").into_iter().skip(1);
    for call in ours {
        assert!(call.parameters.contains(&("id".to_owned(), input.to_string())), "{call:?}");
    }
}

#[test]
fn hostile_names_reach_the_server_unchanged_or_not_at_all() {
    let options = Options { hostile_names: true, ..Options::default() };
    let every = |rules: String| rules.replace("\"cam*\"", "\"*\"");
    let stage = Stage::new(&["package-every-camera"], every, SHORT_STALL, options);
    let rule = "package every camera";
    let mut streams = BTreeMap::new();
    wait_for("all streams to appear", || {
        let before = std::mem::replace(&mut streams, stage.truth().streams);
        thread::sleep(Duration::from_secs(1));
        holds(before == streams && streams.len() > 4, streams.len())
    });
    wait_for("an outcome for every stream", || {
        let outcomes =
            stage.outcomes(rule, "done") + stage.outcomes(rule, "already") + stage.outcomes(rule, "rejected");
        holds(outcomes >= streams.len() as f64, outcomes)
    });
    let hostile = |name: &str| name.contains(char::is_control);
    let rejected = streams.keys().filter(|name| hostile(name)).count();
    assert!(rejected > 0 && stage.outcomes(rule, "rejected") == rejected as f64, "{streams:?}");
    let calls = stage.server.server().calls();
    assert!(calls.iter().all(|call| !call.injected), "no name ran a command of its own");
    for call in calls.iter().filter(|call| call.command == "createHLSStream") {
        let names: Vec<&str> = call
            .parameters
            .iter()
            .filter(|(parameter, _)| parameter == "localStreamNames")
            .map(|(_, name)| name.as_str())
            .collect();
        assert!(names.len() == 1 && streams.contains_key(names[0]), "{names:?} of {streams:?}");
        assert_eq!(call.parameters.len(), 8, "{call:?}");
    }
}
