//! Rules: what they may say, what triggers them, and what they decide.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ems_exporter::config::{Config, Overrides};
use ems_protocol::runtime_api::parameter::Value as Given;

use ems_exporter::model::state::listing::{Listed, Listing};
use ems_exporter::model::stream::listed as listed_stream;
use ems_exporter::model::{Key, Settings};
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::pipeline::{ConfiguredServer, Pipeline, Server};
use ems_exporter::rules::secrets;
use ems_exporter::rules::{Action, Call, Rules, Skipped};
use ems_protocol::decode::json::Part;
use serde_json::{Value, json};

use crate::config::load;
use crate::support::{at, output, stream, with};

pub const SERVER: &str = "servers: [{name: ems, expect: [studio], api: {url: 'http://127.0.0.1:7777'}}]\n";

/// A harness on which rules decide and nothing is done.
pub struct Stage {
    pub pipeline: Pipeline,
    pub server: Arc<Server>,
    calls: Arc<Mutex<Vec<Call>>>,
    id: u64,
}

impl Stage {
    pub fn new(rules: &str) -> Self {
        let config = load(&format!("{SERVER}rules:\n{rules}")).unwrap();
        let settings = Settings { expected: vec!["studio".to_owned()], ..Settings::default() };
        let known = [ConfiguredServer { name: "ems".to_owned(), expected: vec!["studio".to_owned()] }];
        let mut pipeline = Pipeline::new(&known, &settings, 64);
        let server = pipeline.server(None).unwrap();
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let taken = Arc::clone(&calls);
        pipeline
            .set_rules(Rules::new(&config.rules), Box::new(move |calls| taken.lock().unwrap().extend(calls)));
        Self { pipeline, server, calls, id: 0 }
    }

    /// Sends an event of the process 100, and returns what was decided.
    pub fn post(&mut self, name: &str, seconds: f64, payload: Value) -> Vec<Call> {
        self.id += 1;
        let event = json!({"id": self.id, "type": name, "processId": 100, "payload": payload});
        let accepted =
            self.pipeline.accept(Transport::Http, &self.server, event.to_string().as_bytes(), at(seconds));
        assert_eq!(accepted.first, None);
        self.decided()
    }

    pub fn tick(&self, seconds: f64) -> Vec<Call> {
        self.pipeline.tick(at(seconds));
        self.decided()
    }

    pub fn decided(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

/// `rule: command name=value …`, or why nothing is sent.
pub fn shown(calls: &[Call]) -> Vec<String> {
    let one = |call: &Call| match &call.action {
        Ok(Action::Command(command, parameters)) => {
            let parameters: Vec<String> = parameters
                .iter()
                .map(|(name, value)| match value {
                    Given::Text(text) => format!(" {name}={text}"),
                    Given::List(texts) => format!(" {name}={texts:?}"),
                })
                .collect();
            format!("{}{}", command.name, parameters.concat())
        }
        Ok(Action::Post(_, body)) => format!("post {body}"),
        Err(why) => why.to_string(),
    };
    calls.iter().map(one).collect()
}

const CUT: &str = "  - {name: cut, on: inStreamCreated, call: shutdownStream, with: {id: '{{ id }}'}}\n";

#[test]
fn all_faults_of_rules_come_at_once() {
    let faults = load(
        "servers: [{name: east}, {name: west, api: {url: 'http://127.0.0.1:7777'}}]\n\
         actions: {dry_run: 1, max_age: 60, queue: 0, retries: 3}\n\
         rules:\n\
         - on: inStreamCreatd\n  call: createHLStream\n\
         - name: twice\n  on: nothing\n  post: 'https://u:hunter2@example.net'\n  with: {a: 1}\n\
         - name: twice\n  on: inStreamClosed\n  match: {server: east, stream: 'a[', type: IMR, purpose: pul}\n  \
           call: createHLSStream\n  with: {localStreamName: cam, bandwidths: {a: 1}}\n\
         - name: three\n  on: inStreamClosed\n  when: last_output\n  call: shutdownStream\n  \
           with: {permanently: '{{ 1 +', Permanently: 1}\n\
         - name: four\n  on: timerTriggered\n  when: still_stalled\n  call: removeTimer\n  post: http://a/b\n  \
           with: {id: 1, ids: 2}\n\
         - name: loop\n  on: cliRequest\n  call: removeTimer\n  with: {id: 1}\n\
         - name: five\n  on: chunkStalled\n  when: always\n\
         - 7\n",
    )
    .unwrap_err();
    let lines: Vec<&str> = faults.lines().map(str::trim).collect();
    let path = crate::support::fixture("rules.faults");
    let golden = format!("{}\n", lines.join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &golden).unwrap();
    }
    assert_eq!(golden, std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_template_that_cannot_be_rendered_is_a_fault() {
    let fault = |on: &str, template: &str| {
        let rule = format!("  - {{name: a, on: {on}, call: removeConfig, with: {{id: \"{template}\"}}}}\n");
        load(&format!("{SERVER}rules:\n{rule}")).err()
    };
    let texts = "use a filter of Jinja, such as lower, replace or split";
    let values = "is a template with a filter or an operator that does not fit its values: id, in_stream_id and \
                  config_id are numbers, the other variables are texts";
    for (on, template, wrong) in [
        (
            "inStreamCreated",
            "{{ streem }}",
            "is a template with the unknown variable streem; did you mean stream?".to_owned(),
        ),
        (
            "inStreamCreated",
            "{{ in_streamid }}",
            "is a template with the unknown variable in_streamid; did you mean in_stream_id?".to_owned(),
        ),
        (
            "streamMissing",
            "{{ config_id }}",
            "is a template with the unknown variable config_id; known are stream, server, event".to_owned(),
        ),
        (
            "inStreamCreated",
            "{{ the_camera }}",
            "is a template with the unknown variable the_camera; known are the fields of the event, and stream, \
             server, event, type, purpose, direction, format, group, track, id, in_stream_id, config_id"
                .to_owned(),
        ),
        (
            "inStreamCreated",
            "{{ localStreamName | uper }}",
            format!("is a template with the unknown filter uper: {texts}"),
        ),
        (
            "chunkStalled",
            "{{ stream.split('_') }}",
            format!("is a template with the unknown method split: {texts}"),
        ),
        (
            "chunkStalled",
            "{% if stream is camera %}x{% endif %}",
            format!("is a template with the unknown test camera: {texts}"),
        ),
        ("inStreamCreated", "{{ stream | replace }}", values.to_owned()),
        ("inStreamCreated", "{{ stream + 1 }}", values.to_owned()),
        (
            "chunkStalled",
            "{{ stream",
            "is not a valid template: write {{ stream }} for a value, {% if … %} … {% endif %} for a choice".to_owned(),
        ),
    ] {
        let found = fault(on, template).unwrap_or_default();
        assert!(found.ends_with(&format!("rules[].with.id {wrong}")), "{template}: {found}");
    }
    for (on, template) in [
        ("inStreamCreated", "{{ pullSettings.configId }}-{{ width + 1 }}-{{ groups | join('-') }}"),
        ("inStreamCreated", "{% for n in range(3) %}{{ n }}{% endfor %}{{ stream | int + id }}"),
        ("chunkStalled", "{{ (stream | split('_') | list)[1] }}{{ track | default('x') }}"),
    ] {
        assert_eq!(fault(on, template), None, "{template}");
    }
}

#[test]
fn every_example_is_a_whole_configuration() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rules");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let config = Config::load(Some(&path), &Overrides::default()).map_err(|faults| faults.to_string());
        assert!(!config.unwrap().rules.is_empty(), "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn a_stream_appears_once_whichever_event_brings_it() {
    let mut stage = Stage::new(CUT);
    let camera = |id| stream(id, "INP", "cam");
    assert_eq!(shown(&stage.post("inStreamCreated", 0.0, camera(1))), ["shutdownStream id=1"]);
    assert!(stage.post("inStreamCodecsUpdated", 0.1, camera(1)).is_empty());
    assert!(stage.post("inStreamCreated", 0.2, camera(1)).is_empty(), "repeated");
    assert_eq!(shown(&stage.post("inStreamCodecsUpdated", 1.0, camera(2))), ["shutdownStream id=2"], "lost");
    assert!(stage.post("inStreamCreated", 1.1, camera(2)).is_empty(), "late");
    let reused = with(camera(2), json!({"creationTimestamp": 1_795_364_900_000.0}));
    assert_eq!(shown(&stage.post("inStreamCreated", 2.0, reused)), ["shutdownStream id=2"], "replaced");
    assert!(stage.post("inStreamClosed", 3.0, camera(3)).is_empty());
    assert!(stage.post("inStreamCreated", 3.1, camera(3)).is_empty(), "after its close");
}

#[test]
fn a_stream_closes_once_and_a_restart_closes_nothing() {
    let mut stage = Stage::new(
        "  - {name: a, on: inStreamClosed, call: removeConfig, with: {groupName: '{{ stream }}'}}\n",
    );
    let camera = |id| stream(id, "INP", "cam");
    stage.post("inStreamCreated", 0.0, camera(1));
    assert_eq!(stage.post("inStreamClosed", 1.0, camera(1)).len(), 1);
    assert!(stage.post("inStreamClosed", 1.1, camera(1)).is_empty(), "repeated");
    assert_eq!(stage.post("inStreamClosed", 2.0, camera(2)).len(), 1, "never seen open");
    stage.post("inStreamCreated", 3.0, camera(4));
    assert!(stage.post("serverStopping", 4.0, json!({})).is_empty());
    assert_eq!(stage.server.read(|state| state.streams.count(|_, _| true)), 0);
}

#[test]
fn internal_streams_files_and_own_objects_trigger_nothing_unless_named() {
    let rules = format!(
        "{CUT}  - {{name: b, on: inStreamCreated, match: {{purpose: vod}}, call: shutdownStream, with: {{id: 2}}}}\n  \
         - {{name: c, on: outStreamCreated, call: shutdownStream, with: {{id: 3}}}}\n  \
         - {{name: d, on: outStreamCreated, include_own: true, call: shutdownStream, with: {{id: 4}}}}\n"
    );
    let mut stage = Stage::new(&rules);
    let internal = with(stream(1, "INP", "cam"), json!({"_isInternal": true}));
    assert!(stage.post("inStreamCreated", 0.0, internal).is_empty());
    assert_eq!(
        shown(&stage.post("inStreamCreated", 0.0, stream(2, "IFR", "/a.mp4"))),
        ["shutdownStream id=2"]
    );
    let init = with(stream(3, "OFMP4", "segInitwriter"), json!({"recordSettings": {}}));
    assert!(stage.post("outStreamCreated", 0.0, init).is_empty());
    let mut ours = output(4, "hls", "cam", 6);
    ours["hlsSettings"]["_createdBy"] = json!("ems-exporter");
    assert_eq!(shown(&stage.post("outStreamCreated", 0.0, ours)), ["shutdownStream id=4"]);
    let others = output(5, "hls", "cam", 6);
    assert_eq!(stage.post("outStreamCreated", 0.0, others).len(), 2);
}

#[test]
fn every_aspect_of_match_must_fit() {
    let rule = |matching: &str| {
        format!(
            "  - {{name: a, on: outStreamCreated, match: {{{matching}}}, call: shutdownStream, with: {{id: 1}}}}\n"
        )
    };
    for (matching, fits) in [
        ("stream: 'cam*'", true),
        ("stream: [x, 'c?m']", true),
        ("stream: dog", false),
        ("server: 'e*'", true),
        ("group: g", true),
        ("group: other", false),
        ("format: [hls, dash]", true),
        ("format: dash", false),
        ("purpose: hls, type: OFHLS", true),
        ("purpose: hls, type: OFDASH", false),
    ] {
        let calls = Stage::new(&rule(matching)).post("outStreamCreated", 0.0, output(1, "hls", "cam", 6));
        assert_eq!(!calls.is_empty(), fits, "{matching}");
    }
}

#[test]
fn the_last_output_is_known_although_its_close_does_not_name_its_input() {
    let rule = "  - {name: a, on: outStreamClosed, match: {purpose: push}, when: last_output, call: shutdownStream, \
                with: {id: '{{ in_stream_id }}', permanently: false}}\n";
    let mut stage = Stage::new(rule);
    let push = |id, input: Value| {
        with(stream(id, "ONR", "cam"), json!({"inStreamUniqueId": input, "pushSettings": {"configId": id}}))
    };
    stage.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    for id in [2, 3] {
        stage.post("outStreamCreated", 0.0, push(id, json!(1)));
    }
    stage.post("outStreamCreated", 0.0, with(stream(4, "ONR", "cam"), json!({"inStreamUniqueId": 1})));
    let first = stage.post("outStreamClosed", 1.0, push(2, Value::Null));
    assert_eq!(shown(&first), ["last_output does not hold"]);
    let second = stage.post("outStreamClosed", 1.0, push(3, Value::Null));
    assert_eq!(shown(&second), ["shutdownStream id=1 permanently=0"]);
    stage.post("outStreamCreated", 2.0, push(5, json!(1)));
    stage.post("inStreamClosed", 2.0, stream(1, "INR", "cam"));
    let after = stage.post("outStreamClosed", 2.0, push(5, Value::Null));
    assert_eq!(shown(&after), ["last_output does not hold"], "the input is gone");
}

#[test]
fn the_input_of_a_push_is_read_from_its_settings_if_nothing_else_names_it() {
    let rule = "  - {name: a, on: outStreamClosed, match: {purpose: push}, when: last_output, call: shutdownStream, \
                with: {id: '{{ in_stream_id }}'}}\n";
    let mut stage = Stage::new(rule);
    let push = |id, input| {
        let settings = json!({"configId": id, "localUniqueStreamId": input});
        with(stream(id, "ONR", "cam"), json!({"inStreamUniqueId": null, "pushSettings": settings}))
    };
    stage.post("inStreamCreated", 0.0, stream(1, "INR", "cam"));
    for id in [2, 3] {
        stage.post("outStreamCreated", 0.0, push(id, 1));
    }
    let first = stage.post("outStreamClosed", 1.0, push(2, 1));
    assert_eq!(shown(&first), ["last_output does not hold"], "the other one is of the same input");
    let second = stage.post("outStreamClosed", 1.0, push(3, 1));
    assert_eq!(shown(&second), ["shutdownStream id=1"]);
    let other = stage.post("outStreamClosed", 2.0, push(4, 9));
    assert_eq!(shown(&other), ["last_output does not hold"], "its input is not open");
}

#[test]
fn templates_name_fields_and_missing_or_hostile_values_send_nothing() {
    let rule = "  - {name: a, on: inStreamCreated, call: pushStream, with: {uri: 'rtmp://x/{{ stream }}', \
                localStreamName: '{{ stream }}', keepAlive: true, ttl: 5, \
                _note: ['{{ type }} {{ direction }}', '{{ pullSettings.configId }}-{{ config_id }}'], \
                targetStreamName: '{{ pullSettings.tag }}'}}\n";
    let mut stage = Stage::new(rule);
    let pulled =
        |id, name: &str, settings: Value| with(stream(id, "INR", name), json!({"pullSettings": settings}));
    let good =
        stage.post("inStreamCreated", 0.0, pulled(1, "a b=c,d\\e", json!({"configId": 7, "tag": true})));
    assert_eq!(
        shown(&good),
        ["pushStream uri=rtmp://x/a b=c,d\\e localStreamName=a b=c,d\\e keepAlive=1 ttl=5 \
          _note=[\"INR in\", \"7-7\"] targetStreamName=1 _createdBy=ems-exporter"]
    );
    let missing = stage.post("inStreamCreated", 0.0, pulled(2, "cam", json!({"configId": 7})));
    assert_eq!(
        shown(&missing),
        ["cannot render the parameter targetStreamName: the event has no pullSettings.tag"]
    );
    let hostile = stage.post(
        "inStreamCreated",
        0.0,
        pulled(3, "a\nshutdownServer", json!({"configId": 7, "tag": "x"})),
    );
    assert!(matches!(hostile[0].action, Err(Skipped::Unsendable(_))), "{hostile:?}");
}

#[test]
fn the_streams_of_edges_have_the_ids_of_the_api() {
    let rule = "  - {name: a, on: outStreamCreated, call: shutdownStream, with: {id: '{{ id }}', _in: '{{ in_stream_id }}'}}\n";
    let mut stage = Stage::new(rule);
    let relayed = with(stream(1, "ONR", "cam"), json!({"PID": 11192, "inStreamUniqueId": 2}));
    let calls = stage.post("outStreamCreated", 0.0, relayed);
    assert_eq!(shown(&calls), [format!("shutdownStream id=48069273976833 _in={}", (11192u64 << 32) | 2)]);
}

#[test]
fn derived_events_trigger_for_own_outputs_and_name_their_inputs() {
    let rules = "  - {name: a, on: outputNeverStarted, match: {purpose: pull, format: hls}, when: still_stalled, \
                 call: removeConfig, with: {id: '{{ config_id }}'}}\n  \
                 - {name: b, on: streamMissing, post: 'http://127.0.0.1:9/x'}\n  \
                 - {name: c, on: chunkRecovered, match: {stream: cam}, post: 'http://127.0.0.1:9/x'}\n  \
                 - {name: d, on: chunkStalled, match: {stream: cam}, post: 'http://127.0.0.1:9/x'}\n";
    let mut stage = Stage::new(rules);
    stage.post(
        "inStreamCreated",
        0.0,
        with(stream(1, "INR", "cam"), json!({"pullSettings": {"configId": 1}})),
    );
    let mut ours = with(output(2, "hls", "cam", 2), json!({"inStreamUniqueId": 1}));
    ours["hlsSettings"]["_createdBy"] = json!("ems-exporter");
    ours["hlsSettings"]["configId"] = json!(77);
    stage.post("outStreamCreated", 0.0, ours);
    assert!(stage.tick(1.0).is_empty());
    let calls = stage.tick(12.0);
    let shown_calls = shown(&calls);
    let posted = |call: &str| serde_json::from_str::<Value>(call.strip_prefix("post ").unwrap()).unwrap();
    assert_eq!(posted(&shown_calls[0])["event"], json!("chunkStalled"), "it stalls, having never started");
    let missing = posted(&shown_calls[1]);
    assert_eq!((&missing["event"], &missing["stream"]), (&json!("streamMissing"), &json!("studio")));
    assert_eq!(missing["time"], json!("2026-11-22T16:13:32Z"));
    let mut proven = Vec::new();
    for second in 13..75 {
        stage.post(
            "timerTriggered",
            f64::from(second),
            json!({"timerId": 1, "triggerCount": second, "value": 1}),
        );
        proven.extend(stage.tick(f64::from(second)));
    }
    assert_eq!(shown(&proven), ["removeConfig id=77"], "once there is proof");
    assert_eq!(proven[0].target.needs, Some(Key { pid: 100, id: 1 }));
    stage.post("hlsChunkClosed", 75.0, json!({"file": "/srv/hls/cam/1.ts", "segmentDuration": 2000.0}));
    let recovered = stage.tick(76.0);
    assert_eq!(recovered.len(), 1);
    assert!(
        !stage
            .server
            .read(|state| recovered[0].rule.when.is_some_and(|when| when.holds(&recovered[0].target, state)))
    );
}

#[test]
fn a_posted_event_holds_the_listed_fields_and_those_that_the_rule_names() {
    let rules = "  - {name: a, on: inStreamCreated, post: 'http://127.0.0.1:9/x'}\n\
                 \x20 - {name: b, on: inStreamCreated, post: 'http://127.0.0.1:9/x', \
                 with: {agent: '{{ userAgent }}', both: ['{{ stream }}', x]}}\n";
    let secret = "hunter2";
    let payload = with(
        stream(1, "INR", "cam"),
        json!({
            "tcUrl": format!("rtmp://u:{secret}@x"), "pageUrl": secret, "ingestPoint": secret, "customData": secret,
            "userAgent": secret, "later": secret, "_tag": secret,
            "error": format!("cannot open x://{secret}"),
            "pullSettings": {"uri": format!("rtmp://u:{secret}@x"), "configId": 7, "httpProxy": secret, "other": secret},
        }),
    );
    let calls = shown(&Stage::new(rules).post("inStreamCreated", 0.0, payload));
    let bodies: Vec<Value> =
        calls.iter().map(|call| serde_json::from_str(call.strip_prefix("post ").unwrap()).unwrap()).collect();
    let body = &bodies[0];
    assert!(!calls[0].contains(secret), "{calls:?}");
    assert_eq!(body["fields"]["pullSettings"], json!({"configId": 7}));
    assert!(body["fields"].get("error").is_none());
    assert_eq!((&body["fields"]["name"], &body["change"]), (&json!("cam"), &json!("opened")));
    assert_eq!((&body["server"], &body["rule"]), (&json!("ems"), &json!("a")));
    assert_eq!(bodies[1]["fields"]["agent"], secret);
    assert_eq!(bodies[1]["fields"]["both"], json!(["cam", "x"]));
    assert!(bodies[1]["fields"].get("userAgent").is_none());
}

#[test]
fn the_posted_fields_are_documented() {
    let rules = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md")).unwrap();
    let section = rules.split("## ").find(|section| section.starts_with("Posted fields")).unwrap();
    let list = section.trim_end().rsplit("\n\n").next().unwrap();
    let listed: Vec<&str> =
        list.trim_end_matches('.').split([',', ' ', '\n']).filter(|name| !name.is_empty()).collect();
    let posted: Vec<String> = secrets::POSTED.iter().map(|name| format!("`{name}`")).collect();
    assert_eq!(listed, posted);
}

#[test]
fn an_event_too_large_to_be_kept_is_not_posted() {
    let rule = "  - {name: a, on: inStreamCreated, post: 'http://127.0.0.1:9/x'}\n";
    let mut stage = Stage::new(rule);
    let mut post = |id: u64, texts: usize| {
        let names = ["file", "groupName", "playlist", "targetFolder"];
        let mut more = serde_json::Map::new();
        for text in 0..texts {
            let settings = ["hlsSettings", "hdsSettings", "dashSettings", "mssSettings"][text / 4];
            more.entry(settings).or_insert(json!({}))[names[text % 4]] = "x".repeat(5000).into();
        }
        stage.post("inStreamCreated", 0.0, with(stream(id, "INR", "cam"), more.into())).remove(0).action
    };
    // Each text is shortened to 4096 bytes.
    assert!(matches!(post(1, 15).unwrap(), Action::Post(_, body) if body.len() < 64 << 10));
    assert_eq!(post(2, 16).unwrap_err().to_string(), "the event has more than 65536 bytes");
}

#[test]
fn streams_that_are_found_or_gone_without_an_event_trigger_too() {
    let rules = format!(
        "{CUT}  - {{name: b, on: outStreamClosed, call: shutdownStream, with: {{id: '{{{{ in_stream_id }}}}'}}}}\n"
    );
    let mut stage = Stage::new(&rules);
    // Of an edge: its ids in the API differ from those of the origin.
    let members = json!({"processId": 11192, "edgePid": 11192, "upTime": 60_000.0});
    let item = with(stream((11192 << 32) | 5, "INP", "cam"), members).to_string();
    let item = Part::of(item.as_bytes());
    let listed = || {
        let stream = listed_stream(&item.message().unwrap()).unwrap();
        Listed { item, stream, output: None }
    };
    let poll = |stage: &Stage, streams, seconds| {
        let listing = Listing { requested: at(seconds), streams, ..Listing::default() };
        stage.pipeline.reconcile(&stage.server, &listing, at(seconds + 0.1));
        shown(&stage.decided())
    };
    assert_eq!(poll(&stage, vec![listed()], 1.0), [format!("shutdownStream id={}", (11192u64 << 32) | 5)]);
    stage.post("outStreamCreated", 2.0, with(stream(9, "ONR", "cam"), json!({"inStreamUniqueId": 3})));
    assert_eq!(poll(&stage, vec![listed()], 30.0), [""; 0], "its close may be on its way");
    assert_eq!(poll(&stage, vec![listed()], 32.2), ["shutdownStream id=3"]);
}

#[test]
fn the_page_on_rules_shows_the_examples_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/rules.md")).unwrap();
    let examples: Vec<String> = std::fs::read_dir(root.join("examples/rules"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let shown: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(shown.len(), 3);
    for block in shown {
        assert!(examples.iter().any(|example| example.ends_with(block)), "no example ends with:\n{block}");
    }
}
