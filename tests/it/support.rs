//! What the tests share: recordings, events made to measure, and a page read back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ems_exporter::exposition::Style;
use ems_exporter::metrics::{self, ExporterMetrics, Sources};
use ems_exporter::model::Settings;
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::pipeline::{Accepted, ConfiguredServer, Pipeline, Server};
use ems_protocol::Timestamp;
use serde_json::{Value, json};
use testkit::Program;
use testkit::exporter::samples;
pub use testkit::recordings::{body, examples};

/// The exporter's program.
pub const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_ems-exporter"));

/// A file under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

/// The recorded session: raw requests, in the order in which they arrived. Two of them count one
/// byte too few in their Content-Length.
pub fn session() -> Vec<Vec<u8>> {
    let recording = std::fs::read(fixture("session.http")).unwrap();
    let start = b"POST /ems/json HTTP/1.1\r\n";
    let mut starts: Vec<usize> = memchr::memmem::find_iter(&recording, start).collect();
    starts.push(recording.len());
    starts.windows(2).map(|pair| recording[pair[0]..pair[1]].to_vec()).collect()
}

/// When the events of the tests happen, unless they say otherwise.
pub const START: u64 = 1_795_364_000;

/// A moment `seconds` after [`START`].
pub fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis(START * 1000 + (seconds * 1000.0) as u64)
}

/// The harness without sockets, for one server.
pub struct Harness {
    pub pipeline: Pipeline,
    pub server: Arc<Server>,
    own: ExporterMetrics,
    process: u64,
    id: u64,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let expected = settings.expected.clone();
        let known = [ConfiguredServer { name: "ems".to_owned(), expected }];
        let pipeline = Pipeline::new(&known, &settings, 64);
        let server = pipeline.server(None).unwrap();
        Self { pipeline, server, own: ExporterMetrics::new(at(0.0)).unwrap(), process: 100, id: 0 }
    }

    /// Sends bytes as they are.
    pub fn send(&self, body: &[u8], now: Timestamp) -> Accepted {
        self.pipeline.accept(Transport::Http, &self.server, body, now)
    }

    /// Makes the next event of the server's process.
    pub fn event(&mut self, name: &str, seconds: f64, payload: Value) -> Vec<u8> {
        self.id += 1;
        let mut payload = payload;
        payload.as_object_mut().unwrap().entry("PID").or_insert(json!(self.process));
        let timestamp = START + seconds as u64;
        let event = json!({
            "id": self.id, "payload": payload, "processId": self.process, "timestamp": timestamp, "type": name
        });
        event.to_string().into_bytes()
    }

    /// Makes the next event and sends it at once.
    pub fn post(&mut self, name: &str, seconds: f64, payload: Value) {
        let event = self.event(name, seconds, payload);
        let accepted = self.send(&event, at(seconds));
        assert_eq!(accepted.first, None, "{}", String::from_utf8_lossy(&event));
    }

    /// The server goes on as another process, or as one with the same number that counts anew.
    pub fn restart(&mut self, process: u64) {
        self.process = process;
        self.id = 0;
    }

    pub fn page(&self, style: Style, seconds: f64) -> String {
        let mut page = Vec::new();
        metrics::render(Sources::of_events(&self.pipeline, &self.own), style, at(seconds), &mut |bytes| {
            page.extend_from_slice(bytes)
        });
        String::from_utf8(page).unwrap()
    }

    pub fn read(&self, seconds: f64) -> Samples {
        Samples::of(&self.page(Style::Prometheus, seconds))
    }
}

/// The samples of a page, by series as written without the label `server`.
#[derive(Debug, PartialEq)]
pub struct Samples(BTreeMap<String, f64>);

impl Samples {
    pub fn of(page: &str) -> Self {
        let short = |series: &str| series.replace("{server=\"ems\",", "{").replace("{server=\"ems\"}", "");
        Self(samples(page).into_iter().map(|(series, value)| (short(&series), value)).collect())
    }

    /// The value of a series; `None` when it is not there.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The sum of all series of a metric.
    pub fn sum(&self, metric: &str) -> f64 {
        self.of_metric(metric).map(|(_, value)| value).sum()
    }

    /// All series of a metric, without its name.
    pub fn of_metric<'s>(&'s self, metric: &'s str) -> impl Iterator<Item = (&'s str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(metric)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    pub fn correction(&self, kind: &str) -> f64 {
        self.get(&format!("ems_exporter_corrections_total{{kind=\"{kind}\"}}")).unwrap()
    }
}

/// The payload of a stream event.
pub fn stream(id: u64, kind: &str, name: &str) -> Value {
    json!({
        "uniqueId": id, "type": kind, "name": name, "creationTimestamp": 1_795_364_000_000.25 + id as f64,
        "queryTimestamp": 1_795_364_001_000.0, "upTime": 2000.0, "connectionType": 0, "bandwidth": 0,
        "audio": {"codec": "AUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0},
        "video": {"codec": "VUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0, "width": 0, "height": 0},
    })
}

/// `payload` with some members replaced or added.
pub fn with(mut payload: Value, members: Value) -> Value {
    let object = payload.as_object_mut().unwrap();
    for (key, value) in members.as_object().unwrap() {
        object.insert(key.clone(), value.clone());
    }
    payload
}

/// The payload of the stream of an output.
pub fn output(id: u64, format: &str, name: &str, chunk_length: u64) -> Value {
    let settings = json!({
        "chunkLength": chunk_length, "groupName": "g", "localStreamName": name,
        "targetFolder": format!("/srv/{format}/{name}"), "groupTargetFolder": format!("/srv/{format}/"),
    });
    let kind = format!("OF{}", format.to_uppercase());
    with(stream(id, &kind, name), json!({ format!("{format}Settings"): settings }))
}
