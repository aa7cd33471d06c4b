//! Doing what rules decide, with real sockets: each outcome, order, further attempts, and that
//! nothing is lost count of.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ems_exporter::actions::{Actions, Done, Outcome};
use ems_exporter::exposition::Style;
use ems_exporter::http::state::App;
use ems_exporter::pipeline::tally::Transport;
use ems_protocol::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::VariantArray;
use testkit::fake_server::{Call, FakeServer, Reply};
use testkit::wait::{holds, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::load;
use crate::support::{Samples, stream, with};

/// The exporter without listeners.
struct Act {
    app: Arc<App>,
    actions: Arc<Actions>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    id: u64,
}

impl Act {
    fn new(port: u16, more: &str) -> Self {
        let servers =
            format!("servers: [{{name: ems, api: {{url: 'http://127.0.0.1:{port}', timeout: 1s}}}}]\n");
        let config = load(&format!("{servers}{more}")).unwrap();
        let app = ems_exporter::app::build(&config).unwrap();
        let actions = Arc::clone(app.actions.as_ref().unwrap());
        let stop = CancellationToken::new();
        let running = tokio::spawn(Arc::clone(&actions).run(Arc::clone(&app.pipeline), stop.clone()));
        Self { app, actions, stop, running, id: 0 }
    }

    fn post(&mut self, name: &str, payload: Value) {
        self.post_at(name, payload, Timestamp::now());
    }

    fn post_at(&mut self, name: &str, payload: Value, at: Timestamp) {
        self.id += 1;
        let event = json!({"id": self.id, "type": name, "processId": 100, "payload": payload}).to_string();
        let server = self.app.pipeline.server(None).unwrap();
        assert_eq!(self.app.pipeline.accept(Transport::Http, &server, event.as_bytes(), at).first, None);
    }

    /// Waits until everything has an outcome, and returns all of them.
    async fn settled(&self) -> Vec<Done> {
        until("an outcome of every call", async || {
            if self.queued() == 0 { Ok(self.actions.recent()) } else { Err(self.actions.summaries()) }
        })
        .await
    }

    fn queued(&self) -> usize {
        self.actions.summaries().iter().map(|(_, summary)| summary.queued).sum()
    }

    fn check_accounts(&self) {
        for (_, summary) in self.actions.summaries() {
            let tallies = summary.rules.values();
            let (mut decided, mut outcomes) = (0, 0);
            for tally in tallies {
                decided += tally.decided;
                outcomes += Outcome::VARIANTS.iter().map(|outcome| tally.outcome(*outcome)).sum::<u64>();
            }
            assert_eq!(decided, outcomes + summary.queued as u64);
            assert_eq!(summary.durations.count(), outcomes);
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        (&mut self.running).await.unwrap();
        self.check_accounts();
        assert_eq!(self.actions.summaries()[0].1.queued, 0);
    }
}

fn outcomes(done: &[Done]) -> Vec<&'static str> {
    done.iter().map(|done| done.outcome.label()).collect()
}

fn camera(id: u64, name: &str) -> Value {
    stream(id, "INP", name)
}

const CUT: &str = "rules: [{name: cut, on: inStreamCreated, call: shutdownStream, with: {localStreamName: '{{ stream }}'}}]\n";
const PACK: &str = "rules: [{name: pack, on: inStreamCreated, call: createHLSStream, \
                    with: {localStreamNames: ['{{ stream }}', other], targetFolder: /srv, groupName: g}}]\n";

/// The part of listConfig on HLS outputs in the group `g`.
fn hls(streams: &[(&str, u64)]) -> Value {
    let item = |(name, code): &(&str, u64)| json!({"localStreamName": name, "groupName": "g", "status": {"current": {"code": code}}});
    json!({"hls": streams.iter().map(item).collect::<Vec<_>>(), "push": null})
}

#[tokio::test]
async fn hostile_names_arrive_as_they_are_and_none_runs_another_command() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let mut act = Act::new(api.address.port(), CUT);
    let names = ["a b", "x=y,z", "back\\slash\\", "Zürich 🎥", "id=1 permanently=1", "'\"{{ id }}"];
    for (id, name) in (1..).zip(names) {
        act.post("inStreamCreated", camera(id, name));
    }
    act.post("inStreamCreated", camera(90, "a\nshutdownServer"));
    let done = act.settled().await;
    assert_eq!(done.iter().filter(|done| done.outcome == Outcome::Done).count(), names.len());
    assert_eq!(done.iter().filter(|done| done.outcome == Outcome::Rejected).count(), 1);
    let mut requests: Vec<Call> = api.calls();
    assert!(
        requests.iter().all(|request| request.command == "shutdownStream" && request.parameters.len() == 1)
    );
    requests
        .sort_by_key(|request| names.iter().position(|name| request.get("localStreamName") == Some(name)));
    let arrived: Vec<&str> = requests.iter().filter_map(|request| request.get("localStreamName")).collect();
    assert_eq!(arrived, names);
    act.end().await;
}

#[tokio::test]
async fn an_existing_object_is_not_created_again() {
    for (config, create, expected, calls) in [
        (hls(&[("cam", 0), ("other", 2)]), Reply::Fail("no"), "already", 0),
        (hls(&[("cam", 0)]), Reply::Data(Value::Null), "done", 1),
        (hls(&[("cam", 0), ("other", 5)]), Reply::Data(Value::Null), "done", 1),
        (hls(&[("cam", 0), ("other", 5)]), Reply::Fail("Unable to create HLS stream"), "already", 1),
        (json!({}), Reply::Data(Value::Null), "done", 1),
        (Value::Null, Reply::Data(Value::Null), "done", 1),
    ] {
        let listed = config.clone();
        let api = FakeServer::start(move |request| match request.command.as_str() {
            "listConfig" => Reply::Data(listed.clone()),
            _ => create.clone(),
        })
        .await;
        let mut act = Act::new(api.address.port(), PACK);
        act.post("inStreamCreated", camera(1, "cam"));
        assert_eq!(outcomes(&act.settled().await), [expected], "{config}");
        let requests = api.calls();
        assert_eq!(requests.len(), calls);
        for request in requests {
            assert_eq!(request.get("_createdBy"), Some("ems-exporter"));
            assert_eq!(request.parameters[0].1, ["cam", "other"]);
        }
        act.end().await;
    }
}

#[tokio::test]
async fn only_transient_failures_are_retried() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let api = FakeServer::start(move |request| {
        match (request.get("localStreamName"), seen.fetch_add(1, Ordering::Relaxed)) {
            (Some("login"), _) => Reply::Status(401),
            (_, 0) => Reply::Fail("busy"),
            (_, 1) => Reply::Nothing,
            _ => Reply::Data(Value::Null),
        }
    })
    .await;
    let mut act = Act::new(api.address.port(), CUT);
    act.post("inStreamCreated", camera(1, "cam"));
    let done = act.settled().await;
    assert_eq!((done[0].outcome, done[0].attempts), (Outcome::Done, 3));
    act.post("inStreamCreated", camera(2, "login"));
    let done = act.settled().await;
    assert_eq!((done[1].outcome, done[1].attempts), (Outcome::Failed, 1));
    assert!(done[1].reason.as_ref().unwrap().contains("wrong user name or password"));
    act.end().await;
}

#[tokio::test]
async fn a_call_that_may_have_been_carried_out_is_repeated_only_if_its_object_can_be_found() {
    let api = FakeServer::start(|_| Reply::Nothing).await;
    let timer = "rules: [{name: a, on: inStreamCreated, call: setTimer, with: {value: 60}}]\n";
    let mut act = Act::new(api.address.port(), timer);
    act.post("inStreamCreated", camera(1, "cam"));
    let done = act.settled().await;
    assert_eq!((done[0].outcome, done[0].attempts), (Outcome::Failed, 1));
    act.end().await;
}

#[tokio::test]
async fn a_call_that_fails_until_its_deadline_has_failed() {
    let api = FakeServer::start(|_| Reply::Fail("secret")).await;
    let mut act = Act::new(api.address.port(), &format!("actions: {{max_age: 1s}}\n{CUT}"));
    act.post("inStreamCreated", camera(1, "cam"));
    let done = act.settled().await;
    assert_eq!(outcomes(&done), ["failed"]);
    assert!(done[0].attempts >= 2 && done[0].duration <= Duration::from_secs(2), "{done:?}");
    assert_eq!(done[0].reason.as_deref(), Some("the server rejected the command"));
    act.end().await;
}

#[tokio::test]
async fn a_closed_stream_gets_no_call() {
    let api = FakeServer::start(|request| match request.get("localStreamName") {
        Some("gone") => Reply::Fail("Stream no longer available"),
        _ => Reply::Fail("busy"),
    })
    .await;
    let mut act = Act::new(api.address.port(), CUT);
    act.post("inStreamCreated", camera(1, "gone"));
    act.post("inStreamCreated", camera(2, "goes"));
    until("the calls", async || holds(api.calls().len() >= 2, api.calls())).await;
    act.post("inStreamClosed", camera(2, "goes"));
    let done = act.settled().await;
    assert_eq!(outcomes(&done), ["gone", "gone"]);
    assert_eq!(done[1].attempts, 1);
    act.end().await;
}

#[tokio::test]
async fn a_condition_is_checked_again_after_the_delay() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let rule = "rules: [{name: a, on: outStreamClosed, match: {purpose: push}, when: last_output, delay: 200ms, \
                call: shutdownStream, with: {id: '{{ in_stream_id }}', permanently: 0}}]\n";
    let mut act = Act::new(api.address.port(), rule);
    let push = |id, input: u64| {
        with(
            stream(id, "ONR", &input.to_string()),
            json!({"inStreamUniqueId": input, "pushSettings": {"configId": id}}),
        )
    };
    for input in [1, 2] {
        act.post("inStreamCreated", stream(input, "INR", &input.to_string()));
        act.post("outStreamCreated", push(10 + input, input));
        act.post("outStreamClosed", push(10 + input, input));
    }
    act.post("outStreamCreated", push(20, 1));
    let mut done = act.settled().await;
    done.sort_by(|one, other| one.stream.cmp(&other.stream));
    assert_eq!(outcomes(&done), ["condition", "done"]);
    assert!(done.iter().all(|done| done.duration >= Duration::from_millis(200)));
    assert_eq!(api.calls().len(), 1);
    assert_eq!(api.calls()[0].get("id"), Some("2"));
    act.end().await;
}

#[tokio::test]
async fn cooldown_age_queue_and_dry_run_keep_calls_from_being_made() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let rule = |more: &str| CUT.replace("name: cut,", &format!("name: cut, {more},"));
    let mut act = Act::new(api.address.port(), &rule("cooldown: 1h"));
    act.post("inStreamCreated", camera(1, "cam"));
    act.settled().await;
    act.post("inStreamCreated", camera(2, "cam"));
    act.post("inStreamCreated", camera(3, "another"));
    let old = Timestamp::from_millis(Timestamp::now().millis() - 61_000);
    act.post_at("inStreamCreated", camera(4, "old"), old);
    let mut labels = outcomes(&act.settled().await);
    labels.sort_unstable();
    assert_eq!(labels, ["cooldown", "done", "done", "too_old"]);
    act.end().await;
    let mut act = Act::new(api.address.port(), &rule("dry_run: true"));
    act.post("inStreamCreated", camera(1, "dry"));
    assert_eq!(outcomes(&act.settled().await), ["dry_run"]);
    act.end().await;
    let mut act = Act::new(api.address.port(), &format!("actions: {{queue: 1}}\n{}", rule("delay: 300ms")));
    act.post("inStreamCreated", camera(1, "waits"));
    act.post("inStreamCreated", camera(2, "full"));
    assert_eq!(outcomes(&act.actions.recent()), ["queue_full"]);
    assert_eq!(outcomes(&act.settled().await), ["queue_full", "done"]);
    act.end().await;
    assert!(api.calls().iter().all(|request| request.get("localStreamName") != Some("dry")));
    assert_eq!(api.calls().len(), 3);
}

#[tokio::test]
async fn a_rule_makes_a_limited_number_of_calls_a_minute_whatever_the_names() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let limited = CUT.replace("name: cut,", "name: cut, cooldown: 1h, max_per_minute: 3,");
    let mut act = Act::new(api.address.port(), &limited);
    for id in 1..=20 {
        act.post("inStreamCreated", camera(id, &format!("renamed-{id}")));
    }
    let labels = outcomes(&act.settled().await);
    let count = |outcome: &str| labels.iter().filter(|label| **label == outcome).count();
    assert_eq!((count("done"), count("rate_limited")), (3, 17));
    assert_eq!(api.calls().len(), 3);
    act.end().await;
}

#[tokio::test]
async fn a_name_with_a_mark_of_the_server_is_rejected() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let mut act = Act::new(api.address.port(), CUT);
    for (id, name) in (1..).zip(["cam_#space#_y", "_#equal#_x", "a_#slash#_b", "a_#coma#_b"]) {
        act.post("inStreamCreated", camera(id, name));
    }
    assert_eq!(outcomes(&act.settled().await), ["rejected"; 4]);
    assert!(api.calls().is_empty());
    act.end().await;
}

#[tokio::test]
async fn a_server_without_an_api_gets_no_call() {
    let api = FakeServer::start(|_| Reply::Data(Value::Null)).await;
    let servers = format!(
        "servers: [{{name: a, api: {{url: 'http://127.0.0.1:{}'}}}}, {{name: b}}]\n",
        api.address.port()
    );
    let config = load(&format!("{servers}{CUT}")).unwrap();
    let app = ems_exporter::app::build(&config).unwrap();
    let event =
        json!({"id": 1, "type": "inStreamCreated", "processId": 1, "payload": camera(1, "cam")}).to_string();
    let server = app.pipeline.server(Some("b")).unwrap();
    app.pipeline.accept(Transport::Http, &server, event.as_bytes(), Timestamp::now());
    let done = app.actions.as_ref().unwrap().recent();
    assert_eq!(
        (outcomes(&done), done[0].reason.as_deref()),
        (vec!["rejected"], Some("the server has no api"))
    );
}

#[tokio::test]
async fn calls_for_one_stream_keep_their_order_and_streams_do_not_wait_for_each_other() {
    let api = FakeServer::start(|_| Reply::Slow(20, Box::new(Reply::Data(Value::Null)))).await;
    let rules = "rules:\n\
        - {name: one, on: inStreamCreated, call: removeConfig, with: {groupName: '{{ stream }}'}}\n\
        - {name: two, on: inStreamCreated, call: shutdownStream, with: {localStreamName: '{{ stream }}'}}\n";
    let mut act = Act::new(api.address.port(), rules);
    for id in 0..40 {
        act.post("inStreamCreated", camera(id, &format!("cam{}", id % 20)));
    }
    assert_eq!(act.queued(), 80);
    act.check_accounts();
    let done = act.settled().await;
    assert_eq!(done.iter().filter(|done| done.outcome == Outcome::Done).count(), 80);
    let mut by_stream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let requests = api.calls();
    for request in &requests {
        let name = request.get("groupName").or(request.get("localStreamName")).unwrap();
        by_stream.entry(name).or_default().push(&request.command);
    }
    for (name, commands) in by_stream {
        assert_eq!(commands, ["removeConfig", "shutdownStream", "removeConfig", "shutdownStream"], "{name}");
    }
    assert!((2..=8).contains(&api.most_at_once()), "{}", api.most_at_once());
    act.end().await;
}

#[tokio::test]
async fn calls_to_a_dead_api_are_paused() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut act = Act::new(port, &format!("actions: {{max_age: 1500ms}}\n{CUT}"));
    for id in 0..8 {
        act.post("inStreamCreated", camera(id, &format!("cam{id}")));
    }
    until("an open circuit", async || {
        let summaries = act.actions.summaries();
        holds(summaries[0].1.circuit_open, summaries)
    })
    .await;
    let done = act.settled().await;
    assert!(outcomes(&done).iter().all(|outcome| *outcome == "failed"), "{done:?}");
    assert!(done.iter().map(|done| done.attempts).sum::<u32>() <= 8 + 4, "{done:?}");
    assert_eq!(act.actions.summaries()[0].1.oldest, Duration::ZERO);
    act.end().await;
}

#[tokio::test]
async fn answers_with_an_error_do_not_open_the_circuit() {
    let api = FakeServer::start(|_| Reply::Fail("Stream no longer available")).await;
    let mut act = Act::new(api.address.port(), CUT);
    for id in 0..20 {
        act.post("inStreamCreated", camera(id, &format!("cam{id}")));
    }
    assert!(act.settled().await.iter().all(|done| done.outcome == Outcome::Gone));
    assert!(!act.actions.summaries()[0].1.circuit_open);
    act.end().await;
}

#[tokio::test]
async fn a_post_is_retried_while_its_receiver_fails() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let hook = FakeServer::start(move |request| {
        match (request.command.as_str(), seen.fetch_add(1, Ordering::Relaxed)) {
            ("nowhere", _) => Reply::Status(404),
            (_, 0) => Reply::Status(503),
            _ => Reply::Data(Value::Null),
        }
    })
    .await;
    let port = hook.address.port();
    let rules = format!(
        "rules:\n- {{name: notify, on: inStreamCreated, post: 'http://127.0.0.1:{port}/hook/me'}}\n\
         - {{name: lost, on: inStreamClosed, post: 'http://127.0.0.1:{port}/nowhere'}}\n"
    );
    let mut act = Act::new(port, &rules);
    act.post("inStreamCreated", camera(1, "cam"));
    let done = act.settled().await;
    assert_eq!((done[0].outcome, done[0].attempts, done[0].command), (Outcome::Done, 2, "post"));
    let body: Value = serde_json::from_str(hook.all()[1].get("").unwrap()).unwrap();
    assert_eq!((&body["event"], &body["stream"]), (&json!("inStreamCreated"), &json!("cam")));
    assert_eq!(hook.all()[1].command, "hook/me");
    act.post("inStreamClosed", camera(1, "cam"));
    let done = act.settled().await;
    assert_eq!((done[1].outcome, done[1].attempts), (Outcome::Failed, 1));
    act.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_calls_in_progress_only() {
    let api = FakeServer::start(|request| match request.get("localStreamName") {
        Some("slow") => Reply::Slow(500, Box::new(Reply::Data(Value::Null))),
        _ => Reply::Nothing,
    })
    .await;
    let rules = "rules:\n\
        - {name: cut, on: inStreamCreated, match: {stream: '*o*'}, call: shutdownStream, with: {localStreamName: '{{ stream }}'}}\n\
        - {name: later, on: inStreamCreated, match: {stream: later}, delay: 1h, call: shutdownStream, with: {id: 1}}\n";
    let mut act = Act::new(api.address.port(), rules);
    for (id, name) in (1..).zip(["slow", "lost", "later"]) {
        act.post("inStreamCreated", camera(id, name));
    }
    until("the calls", async || holds(api.calls().len() >= 2, api.calls())).await;
    let start = tokio::time::Instant::now();
    act.stop.cancel();
    let Act { running, actions, app, .. } = act;
    running.await.unwrap();
    assert!(start.elapsed() <= Duration::from_millis(4100), "{:?}", start.elapsed());
    let done = actions.recent();
    let mut labels = outcomes(&done);
    labels.sort_unstable();
    assert_eq!(labels, ["done", "shutdown", "shutdown"], "{done:?}");
    let server = app.pipeline.server(None).unwrap();
    let event = json!({"id": 99, "type": "inStreamCreated", "processId": 100, "payload": camera(9, "slow")})
        .to_string();
    app.pipeline.accept(Transport::Http, &server, event.as_bytes(), Timestamp::now());
    assert_eq!(outcomes(&actions.recent()).last(), Some(&"shutdown"));
}

#[tokio::test]
async fn rules_are_counted_from_the_start_and_shown_with_all_their_outcomes() {
    let mut act = Act::new(1, &format!("actions: {{dry_run: true}}\n{CUT}"));
    let page = |act: &Act| {
        let mut page = Vec::new();
        let rendered = ems_exporter::http::telemetry::page(
            &act.app,
            &ems_exporter::metrics::Selection::default(),
            Style::Prometheus,
            false,
            Timestamp::now(),
            &mut |piece| {
                page.extend(piece);
                ControlFlow::Continue(())
            },
        );
        assert!(rendered.is_continue());
        Samples::of(&String::from_utf8(page).unwrap())
    };
    let samples = page(&act);
    assert_eq!(samples.of_metric("ems_exporter_actions_total").count(), Outcome::VARIANTS.len());
    assert_eq!(samples.sum("ems_exporter_actions_total"), 0.0);
    assert_eq!(samples.get("ems_exporter_actions_decided_total{rule=\"cut\"}"), Some(0.0));
    act.post("inStreamCreated", camera(1, "cam"));
    act.settled().await;
    let samples = page(&act);
    assert_eq!(samples.get("ems_exporter_actions_total{rule=\"cut\",outcome=\"dry_run\"}"), Some(1.0));
    assert_eq!(samples.get("ems_exporter_actions_decided_total{rule=\"cut\"}"), Some(1.0));
    assert_eq!(samples.get("ems_exporter_action_duration_seconds_count"), Some(1.0));
    for gauge in ["queued", "oldest_age_seconds", "circuit_open"] {
        assert_eq!(samples.get(&format!("ems_exporter_actions_{gauge}")), Some(0.0), "{gauge}");
    }
    act.end().await;
}

/// Sends events and lets the server answer as `replies` say, in turn; time passes by itself.
async fn live_through(events: &[(u64, bool, bool, u64)], replies: Vec<u8>) {
    let (turn, count) = (AtomicUsize::new(0), replies.len());
    let api = FakeServer::start(move |request| match replies[turn.fetch_add(1, Ordering::Relaxed) % count] {
        0 => Reply::Fail("busy"),
        1 => Reply::Fail("Stream no longer available"),
        2 => Reply::Nothing,
        3 => Reply::Silence,
        4 => Reply::Status(500),
        5 => Reply::Status(401),
        6 => Reply::Slow(700, Box::new(Reply::Data(Value::Null))),
        7 if request.command == "listConfig" => Reply::Data(hls(&[("cam1", 0), ("cam2", 5)])),
        _ => Reply::Data(Value::Null),
    })
    .await;
    let rules = "actions: {max_age: 20s, queue: 12}\nrules:\n\
        - {name: pack, on: inStreamCreated, delay: 1s, when: stream_open, call: createHLSStream, \
           with: {localStreamNames: '{{ stream }}', targetFolder: /srv, groupName: g}}\n\
        - {name: cut, on: inStreamCreated, cooldown: 10s, call: shutdownStream, with: {id: '{{ id }}'}}\n\
        - {name: other, on: inStreamClosed, call: removeConfig, with: {id: '{{ config_id }}'}}\n\
        - {name: dry, on: inStreamClosed, dry_run: true, call: removeConfig, with: {id: 1}}\n";
    let mut act = Act::new(api.address.port(), rules);
    for (id, closes, repeated, pause) in events {
        let name = if *closes { "inStreamClosed" } else { "inStreamCreated" };
        act.post(name, camera(*id, &format!("cam{}", id % 3)));
        if *repeated {
            act.id -= 1;
            act.post(name, camera(*id, &format!("cam{}", id % 3)));
        }
        act.check_accounts();
        tokio::time::sleep(Duration::from_millis(*pause)).await;
        act.check_accounts();
    }
    let most = events.len() as u64 * 2;
    let decided: u64 = act.actions.summaries()[0].1.rules.values().map(|tally| tally.decided).sum();
    assert!(decided <= most, "{decided} of {most}");
    if events.len().is_multiple_of(2) {
        act.settled().await;
    }
    act.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_decision_has_one_outcome(
        events in proptest::collection::vec((0u64..12, any::<bool>(), any::<bool>(), 0u64..3000), 1..40),
        replies in proptest::collection::vec(0u8..12, 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(live_through(&events, replies));
    }
}
