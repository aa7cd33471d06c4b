//! The lists of the JSON API, on real sockets.

use ems_protocol::Wall;
use serde_json::{Value, json};
use strum::VariantArray;
use testkit::wait::{holds, until};

use crate::config::load;
use crate::http::Exporter;
use crate::support::{output, stream, with};

/// A text that must never be shown.
const SECRET: &str = "hunter2";

/// The body of an event of the process 100.
pub fn event(id: u64, name: &str, payload: Value) -> String {
    let payload = with(payload, json!({"PID": 100}));
    json!({"id": id, "payload": payload, "processId": 100, "timestamp": 1_795_364_000, "type": name})
        .to_string()
}

/// An exporter with entries in every list.
pub async fn busy() -> Exporter {
    let config = load(
        "servers: [{name: ems, expect: [cam, gone]}]\n\
         rules: [{name: notify, on: inStreamCreated, post: 'http://127.0.0.1:1/hook', dry_run: true}]\n",
    );
    let exporter = Exporter::with(&config.unwrap()).await;
    let codecs = json!({
        "audio": {"codec": "AAAC", "bytesCount": 1}, "video": {"codec": "VH264", "width": 640, "height": 360},
        "tcUrl": format!("rtmp://u:{SECRET}@h/live"), "ip": "192.0.2.7", "farIp": "192.0.2.7",
        "pullSettings": {"uri": format!("rtsp://u:{SECRET}@camera/"), "localStreamName": "cam"},
    });
    let player = json!({"inStreamUniqueId": 1, "farIp": "192.0.2.8"});
    let web =
        json!({"sessionId": 5, "clientIP": "192.0.2.9", "playlist": "x", "startTime": "2026-11-22T15-53-23"});
    let build = json!({"releaseNumber": "1.7.1", "buildNumber": "4497", "banner": ""});
    let events = [
        ("applicationStart", json!({"config": {"key": SECRET}, "name": "evostreamms"})),
        ("serverStarted", build),
        ("inStreamCreated", with(stream(1, "INR", "cam"), codecs)),
        ("outStreamCreated", with(stream(2, "ONR", "cam"), player)),
        ("outStreamCreated", output(3, "hls", "cam", 4)),
        ("outStreamCreated", output(4, "hds", "cam", 4)),
        ("hlsChunkClosed", json!({"file": "/srv/hls/cam/1.ts", "segmentDuration": 4000.0})),
        ("timerCreated", json!({"timerId": 9, "triggerCount": 0, "value": 10})),
        ("timerCreated", json!({"timerId": 10, "triggerCount": 0, "value": "2027-01-01T00:00:00.000"})),
        ("streamingSessionStarted", web),
        ("cliRequest", json!({"command": "pullStream", "parameters": {"uri": SECRET}})),
    ];
    for (id, (name, payload)) in (1..).zip(events) {
        let answer = exporter.post("/events", &event(id, name, payload)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    exporter
        .post("/events", &format!("{{\"type\":\"timerCreated\",\"payload\":{{\"x\":\"{SECRET}\"}}}}"))
        .await;
    // What rules decide is done beside the events.
    until("an action", async || {
        let actions = json_of(&exporter, "/api/v1/actions").await;
        holds(actions["total"] != 0, actions)
    })
    .await;
    exporter
}

/// What a list answers.
pub async fn json_of(exporter: &Exporter, path: &str) -> Value {
    let answer = exporter.get(path).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("cache-control: no-store\r\n"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// One field of every entry.
fn column(answer: &Value, field: &str) -> Vec<Value> {
    answer["data"].as_array().unwrap().iter().map(|entry| entry[field].clone()).collect()
}

#[tokio::test]
async fn lists_show_the_state() {
    let exporter = busy().await;
    let servers = json_of(&exporter, "/api/v1/servers").await;
    let server = &servers["data"][0];
    for (field, value) in [
        ("name", json!("ems")),
        ("up", json!(true)),
        ("version", json!("1.7.1")),
        ("streams_in", json!(1)),
        ("streams_missing", json!(1)),
        ("viewers", json!(1)),
        ("sessions", json!(1)),
        ("timers", json!(2)),
        ("outputs", json!(2)),
        ("outputs_stalled", json!(0)),
        ("event_files", Value::Null),
        ("reconcile", Value::Null),
    ] {
        assert_eq!(server[field], value, "{field}");
    }
    let streams = json_of(&exporter, "/api/v1/streams").await;
    assert_eq!(streams["total"], 5);
    let missing = &streams["data"][0];
    assert_eq!(
        (&missing["name"], &missing["missing"], &missing["id"]),
        (&json!("gone"), &json!(true), &Value::Null)
    );
    let cam = &streams["data"][1];
    for (field, value) in [
        ("name", json!("cam")),
        ("direction", json!("in")),
        ("type", json!("INR")),
        ("purpose", json!("pull")),
        ("audio_codec", json!("AAAC")),
        ("video_codec", json!("VH264")),
        ("width", json!(640)),
        ("viewers", json!(1)),
        ("expected", json!(true)),
        ("missing", json!(false)),
    ] {
        assert_eq!(cam[field], value, "{field}");
    }
    let age = cam["age_seconds"].as_f64().unwrap();
    assert!((0.0..60.0).contains(&age), "the server's own clock takes no part: {age}");
    let outputs = json_of(&exporter, "/api/v1/outputs").await;
    assert_eq!(column(&outputs, "state"), [json!("ok"), json!("waiting")]);
    assert_eq!(column(&outputs, "stall_threshold_seconds"), [json!(12.0), json!(12.0)]);
    assert_eq!(column(&outputs, "chunks_closed_total"), [json!(1), json!(0)]);
    let timers = json_of(&exporter, "/api/v1/timers").await;
    let periodic = &timers["data"][0];
    let next = periodic["next_timestamp_seconds"].as_f64().unwrap();
    assert!((next - periodic["last_triggered_timestamp_seconds"].as_f64().unwrap() - 10.0).abs() < 1e-3);
    assert_eq!(timers["data"][1]["next_timestamp_seconds"], json!(1_798_761_600.0));
    let sessions = json_of(&exporter, "/api/v1/sessions").await;
    assert_eq!(column(&sessions, "sessions"), [json!(1)]);
    let events = json_of(&exporter, "/api/v1/events").await;
    assert_eq!((&events["total"], &events["data"][0]["event"]), (&json!(11), &json!("cliRequest")));
    let chunk = json_of(&exporter, "/api/v1/events?stream=cam&limit=1").await;
    let chunk = &chunk["data"][0];
    assert_eq!((&chunk["event"], &chunk["format"]), (&json!("hlsChunkClosed"), &json!("hls")));
    let of_no_stream = |name: &str| {
        let mut of_name = events["data"].as_array().unwrap().iter().filter(|one| one["event"] == name);
        of_name.all(|one| one["stream"].is_null() && one["format"].is_null())
    };
    assert!(of_no_stream("timerCreated") && of_no_stream("cliRequest"), "{events}");
    let rejections = json_of(&exporter, "/api/v1/rejections").await;
    assert_eq!(rejections["data"][0]["message"], "the field timerId is missing");
}

#[tokio::test]
async fn outputs_have_the_same_health_as_in_the_metrics() {
    let mut harness = crate::support::Harness::new();
    harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
    let state = |harness: &crate::support::Harness, seconds| {
        let now = crate::support::at(seconds);
        let (_, views) = harness.server.read(|state| state.outputs.views(None, 0, 10, now, Wall::default()));
        serde_json::to_value(views[0].clone().at(now)).unwrap()["state"].clone()
    };
    for (seconds, expected) in
        [(0.0, "waiting"), (7.1, "waiting"), (7.3, "late"), (12.0, "late"), (12.1, "never_started")]
    {
        assert_eq!(state(&harness, seconds), expected, "at {seconds}");
    }
    let stalled = |harness: &crate::support::Harness| {
        harness.server.read(|state| {
            state.outputs.stalls(
                ems_exporter::model::output::Format::Hls,
                "g",
                "cam",
                ems_exporter::model::output::Track::Whole,
            )
        })
    };
    harness.pipeline.tick(crate::support::at(12.0));
    assert!(!stalled(&harness));
    harness.pipeline.tick(crate::support::at(12.1));
    assert!(stalled(&harness));
    harness.post("hlsChunkClosed", 13.0, json!({"file": "/srv/hls/cam/1.ts", "segmentDuration": 4000.0}));
    assert_eq!(state(&harness, 13.5), "ok");
    let events: Vec<_> =
        harness.server.read(|state| state.recent.notable(0).map(|record| record.name).collect());
    assert_eq!(events, ["outStreamCreated", "outputNeverStarted"]);
}

#[tokio::test]
async fn secrets_and_addresses_of_viewers_are_never_shown() {
    let exporter = busy().await;
    for list in ems_exporter::query::List::VARIANTS {
        let answer = exporter.get(&format!("/api/v1/{}", list.name())).await;
        assert!(!answer.contains(SECRET) && !answer.contains("192.0.2."), "{answer}");
    }
}

#[tokio::test]
async fn pages_add_up_to_the_list_and_are_limited() {
    let exporter = Exporter::start().await;
    let streams: Vec<String> = (1..=1050u64)
        .map(|id| event(id, "inStreamCreated", stream(id, "INR", &format!("cam{id:04}"))))
        .collect();
    for server in ["east", "west"] {
        let answer = exporter.post(&format!("/events/{server}"), &streams.join("\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let first = json_of(&exporter, "/api/v1/streams").await;
    assert_eq!(
        (first["data"].as_array().unwrap().len(), &first["total"], &first["next"]),
        (100, &json!(2100), &json!(100))
    );
    let mut names = Vec::new();
    let mut offset = json!(0);
    while !offset.is_null() {
        let page = json_of(&exporter, &format!("/api/v1/streams?limit=999&offset={offset}")).await;
        names.extend(
            page["data"].as_array().unwrap().iter().map(|one| (one["server"].clone(), one["name"].clone())),
        );
        offset = page["next"].clone();
    }
    let expected = ["east", "west"]
        .iter()
        .flat_map(|server| (1..=1050).map(move |id| (json!(server), json!(format!("cam{id:04}")))));
    assert!(names.into_iter().eq(expected));
    let west = json_of(&exporter, "/api/v1/streams?server=west&stream=cam0007").await;
    assert_eq!((&west["total"], &west["next"]), (&json!(1), &Value::Null));
    let beyond = json_of(&exporter, "/api/v1/streams?offset=99999").await;
    assert_eq!(
        (&beyond["data"], &beyond["total"], &beyond["next"]),
        (&json!([]), &json!(2100), &Value::Null)
    );
    let events = json_of(&exporter, "/api/v1/events?limit=1000").await;
    assert_eq!(events["total"], 200, "a hundred of each server");
}

#[tokio::test]
async fn hostile_names_come_back_as_they_were_sent() {
    let exporter = Exporter::start().await;
    let names =
        ["<img src=x onerror=alert(1)>", "a\"b\\c\n\t\u{1}", "\u{202e}gnp.exe", "", "%20&=?#/../", "日本"];
    for (id, name) in (1..).zip(names) {
        exporter.post("/events", &event(id, "inStreamCreated", stream(id, "INR", name))).await;
    }
    let streams = json_of(&exporter, "/api/v1/streams").await;
    assert_eq!(column(&streams, "name"), names.map(|name| json!(name)));
    let answer = exporter.get("/api/v1/streams").await;
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
    let one = json_of(&exporter, "/api/v1/streams?stream=%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E").await;
    assert_eq!(one["total"], 1);
}

#[tokio::test]
async fn an_invalid_query_is_answered_with_a_sentence() {
    let exporter = busy().await;
    for (path, sentence) in [
        ("streams?limit=0", "limit is not a whole number from 1 to 1000"),
        ("streams?limit=1001", "limit is not a whole number from 1 to 1000"),
        ("streams?offset=-1", "offset is not a whole number"),
        ("streams?color=red", "unknown parameter: this list takes server, stream, limit and offset"),
        ("timers?stream=cam", "unknown parameter: this list takes server, limit and offset"),
        ("feed?only=everything", "only is not a list of event, rejection, derived, snapshot"),
        ("feed?limit=3", "unknown parameter: the feed takes only"),
    ] {
        let answer = exporter.get(&format!("/api/v1/{path}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{sentence}\n")), "{path}: {answer}");
    }
    let stranger = exporter.get("/api/v1/streams?server=unknown").await;
    assert!(
        stranger.starts_with("HTTP/1.1 404")
            && stranger.ends_with("\r\n\r\nno server named unknown is known: see /api/v1/servers\n"),
        "{stranger}"
    );
    assert!(exporter.post("/api/v1/streams", "").await.starts_with("HTTP/1.1 405"));
    assert!(exporter.get("/api/v1/nothing").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn the_metrics_page_shows_the_requested_part() {
    let exporter = busy().await;
    let names = |page: &str| -> std::collections::BTreeSet<String> {
        let typed = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        typed.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let all = names(&exporter.metrics().await);
    let mut parts = std::collections::BTreeSet::new();
    for part in ems_exporter::metrics::MetricGroup::VARIANTS {
        let page = exporter.get(&format!("/metrics?collect[]={}", part.name())).await;
        let some = names(&page);
        assert!(!some.is_empty() && some.is_disjoint(&parts), "{}", part.name());
        parts.extend(some);
    }
    assert_eq!(parts, all, "the parts are the whole");
    let two = names(&exporter.get("/metrics?collect%5B%5D=ems_chunk_stall&collect[]=timers").await);
    assert!(
        two.contains("ems_chunk_stalls_total") && two.contains("ems_timers") && !two.contains("ems_streams")
    );
    let other = exporter.get("/metrics?server=unknown").await;
    assert!(other.starts_with("HTTP/1.1 200") && !other.contains("server=\"ems\""), "{other}");
    assert!(other.contains("ems_exporter_build_info"));
    assert!(exporter.get("/metrics?server=unknown&server=ems").await.contains("ems_up{server=\"ems\"} 1\n"));
    let wrong = exporter.get("/metrics?collect[]=nonsense").await;
    assert!(
        wrong.starts_with("HTTP/1.1 400") && wrong.contains("reconcile, actions, folders, exporter\n"),
        "{wrong}"
    );
    assert!(exporter.get("/metrics?server=%22").await.starts_with("HTTP/1.1 400"));
}
