//! The table of verdicts: in each situation, the verdict on every track and input, the alerts and the calls that follow
//! from it. Each row is played by every transport, and with and without the runtime API.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ems_exporter::commands::replay::replay;
use ems_exporter::exposition::Style;
use ems_exporter::file_input::LiveEntries;
use ems_exporter::metrics::{self, ExporterMetrics, Sources};
use ems_exporter::model::output::ClosedChunk;
use ems_exporter::model::state::DerivedEvent;
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::query::{self, List, Query};
use ems_exporter::rules::Call;
use ems_tail::{Follower, Options, Start};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::instant::firing;
use crate::reconcile::{Lists, listed};
use crate::rules::{Stage, shown};
use crate::support::{Samples, at, output, stream, with};

pub const RULES: &str = "  - {name: remove, on: chunkStalled, call: removeConfig, with: {id: '{{ stream }}-{{ format }}'}}\n  \
    - {name: create, on: chunkStalled, call: createHLSStream, with: {localStreamNames: '{{ stream }}', targetFolder: /srv}}\n  \
    - {name: pull, on: streamMissing, call: pullStream, with: {uri: 'rtmp://x/a', localStreamName: '{{ stream }}'}}\n  \
    - {name: cut, on: outStreamClosed, match: {purpose: push}, call: shutdownStream, with: {id: '{{ id }}'}}\n";
/// The calls about the output of `cam`.
pub const REMAKE: &[&str] = &[
    "removeConfig id=cam-hls",
    "createHLSStream localStreamNames=cam targetFolder=/srv _createdBy=ems-exporter",
];
const REMAKE_DOG: &[&str] = &[
    "removeConfig id=dog-hls",
    "createHLSStream localStreamNames=dog targetFolder=/srv _createdBy=ems-exporter",
];
/// From one poll of the runtime API to the next, in seconds.
const POLL_EVERY: f64 = 30.0;
const HOUR: f64 = 3600.0;

/// The transport of the events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Http,
    Json,
    Xml,
    Text,
}

/// An event file, and the exporter's position in it.
struct EventFile {
    writer: File,
    follower: Follower,
    live: LiveEntries,
    folder: TempDir,
}

/// A server with an inbound stream `studio`, which is expected, and one `cam` with an HLS output of 2 s chunks, whose
/// stall threshold is 10 s; and the exporter's clock beside it.
pub struct World {
    pub stage: Stage,
    way: Way,
    api: bool,
    file: Option<EventFile>,
    /// The exporter's clock, and when the server was started by it.
    pub clock: f64,
    start: f64,
    /// Whether a timer of the server expires each second.
    pub timer: bool,
    /// Whether outputs write.
    pub writes: bool,
    /// The streams whose HLS outputs write, and their chunk lengths.
    writing: Vec<(&'static str, u64)>,
    /// Whether the input `cam` delivers.
    flows: bool,
    /// Whether the runtime API answers.
    answers: bool,
    /// Whether events get to the exporter: by HTTP they are lost otherwise, in a file they wait.
    delivers: bool,
    /// By how many seconds the stamps of events are wrong.
    stamps: f64,
    /// The size of each chunk's file, where the exporter can read them.
    size: Option<u64>,
    chunks: Arc<Mutex<Vec<ClosedChunk>>>,
    process: u64,
    id: u64,
    /// The open streams, and their bytes.
    open: BTreeMap<u64, (Value, u64)>,
    configured: Vec<Value>,
    polled: f64,
    pub calls: Vec<Call>,
    /// The derived events, each after the second since the start.
    derived: Vec<String>,
    records: u64,
}

impl World {
    pub fn new() -> Self {
        Self::by(Way::Http, false)
    }

    fn by(way: Way, api: bool) -> Self {
        let chunks = Arc::default();
        let mut world = Self {
            stage: Self::stage(&chunks),
            way,
            api,
            file: None,
            clock: 20_000.0,
            start: 20_000.0,
            timer: true,
            writes: true,
            writing: vec![("cam", 2)],
            flows: true,
            answers: true,
            delivers: true,
            stamps: 0.0,
            size: None,
            chunks,
            process: 100,
            id: 0,
            open: BTreeMap::new(),
            configured: Vec::new(),
            polled: 0.0,
            calls: Vec::new(),
            derived: Vec::new(),
            records: 0,
        };
        world.follow();
        world.begin();
        world
    }

    fn stage(chunks: &Arc<Mutex<Vec<ClosedChunk>>>) -> Stage {
        let (mut stage, chunks) = (Stage::new(RULES), Arc::clone(chunks));
        stage.pipeline.set_measure(Box::new(move |_, chunk| {
            chunks.lock().unwrap().push(chunk);
            Ok(())
        }));
        stage
    }

    /// Begins to follow the event file, which is new.
    fn follow(&mut self) {
        let name = match self.way {
            Way::Http => return,
            Way::Json => "events.json",
            Way::Xml => "events.xml",
            Way::Text => "events.txt",
        };
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        let writer = File::create(&path).unwrap();
        let patterns = vec![path.display().to_string()];
        let follower = Follower::new(Options { start: Start::Beginning, ..Options::new(patterns) }).unwrap();
        let live = LiveEntries::begin(Arc::clone(&self.stage.server), TimeZone::UTC, at(self.clock));
        self.file = Some(EventFile { writer, follower, live, folder });
        self.read();
    }

    /// The server starts with its streams and its output.
    pub fn begin(&mut self) {
        self.open.clear();
        self.id = 0;
        self.post("serverStarted", json!({"releaseNumber": "1", "buildNumber": "1"}));
        self.post("inStreamCreated", camera(1, "studio"));
        self.post("inStreamCreated", camera(2, "cam"));
        self.post("outStreamCreated", hls(3, 2));
    }

    /// The exporter starts anew.
    fn restart_exporter(&mut self) {
        self.stage = Self::stage(&self.chunks);
        (self.records, self.polled) = (0, 0.0);
        self.follow();
    }

    pub fn post(&mut self, name: &str, mut payload: Value) {
        if let Some(id) = payload["uniqueId"].as_u64() {
            let created = self.open.get(&id).map(|(open, _)| open["creationTimestamp"].clone());
            let now = at(self.clock).millis() as f64 + id as f64 / 100.0;
            payload["creationTimestamp"] = created.unwrap_or(json!(now));
            if name.ends_with("Closed") {
                self.open.remove(&id);
            } else {
                self.open.entry(id).or_default().0 = payload.clone();
            }
        }
        self.id += 1;
        self.post_of(self.process, self.id, name, payload);
    }

    /// An event of a process, at the present time.
    pub fn post_of(&mut self, process: u64, id: u64, name: &str, payload: Value) {
        let payload = with(payload, json!({"PID": process}));
        let stamp = (at(self.clock).seconds() + self.stamps).max(0.0) as u64;
        let event =
            json!({"id": id, "type": name, "processId": process, "timestamp": stamp, "payload": payload});
        self.post_raw(&event);
    }

    pub fn post_raw(&mut self, event: &Value) {
        match &mut self.file {
            Some(file) => {
                let entry = match self.way {
                    Way::Http | Way::Json => format!("{event},\n"),
                    Way::Xml => format!("\n{}\n", xml("", "", event)),
                    Way::Text => {
                        let name = event["type"].as_str().unwrap();
                        format!("00001\t{name}\n{}\n\n", text(1, &event["payload"]))
                    }
                };
                file.writer.write_all(entry.as_bytes()).unwrap();
            }
            None if self.delivers => {
                let Stage { pipeline, server, .. } = &self.stage;
                let accepted =
                    pipeline.accept(Transport::Http, server, event.to_string().as_bytes(), at(self.clock));
                assert_eq!(accepted.first, None);
            }
            None => {}
        }
        self.react();
    }

    /// Reads what the event file holds by now.
    fn read(&mut self) {
        let Some(EventFile { follower, live, .. }) = self.file.as_mut().filter(|_| self.delivers) else {
            return;
        };
        let (pipeline, now) = (&self.stage.pipeline, at(self.clock));
        let mut sink = |frame: ems_tail::Frame<'_>| live.accept(pipeline, &frame, now);
        while follower.poll(Instant::now(), &mut sink).more {}
        live.reported(false, now);
        assert_eq!(pipeline.rejections().len(), 0, "{:?}", pipeline.rejections());
        self.react();
    }

    /// Takes the calls that were decided, and measures the chunks that were closed.
    fn react(&mut self) {
        let calls = self.stage.decided();
        self.calls.extend(calls);
        for chunk in std::mem::take(&mut *self.chunks.lock().unwrap()) {
            self.stage.pipeline.measured("ems", &chunk, self.size);
        }
    }

    pub fn chunk(&mut self) {
        self.chunk_of("hls", "cam/1.ts");
    }

    fn chunk_of(&mut self, format: &str, file: &str) {
        let file = json!({"file": format!("/srv/{format}/{file}"), "segmentDuration": 2000.0});
        self.post(&format!("{format}ChunkClosed"), file);
    }

    /// Another stream with an HLS output.
    fn second_output(&mut self, name: &'static str, length: u64) {
        let id = 10 * self.open.len() as u64;
        self.post("inStreamCreated", camera(id, name));
        let output = with(output(id + 1, "hls", name, length), json!({"inStreamUniqueId": id}));
        self.post("outStreamCreated", output);
        self.writing.push((name, length));
    }

    /// The output of `cam` is made anew, which cannot write: it is closed at once.
    fn remake(&mut self, id: u64) {
        self.post("outStreamCreated", hls(id, 2));
        self.post("outStreamClosed", hls(id, 2));
    }

    /// The input and its output close.
    fn close_cam(&mut self) {
        self.post("inStreamClosed", camera(2, "cam"));
        self.post("outStreamClosed", hls(3, 2));
        self.writes = false;
    }

    /// The server stands still.
    fn hang(&mut self, hangs: bool) {
        (self.timer, self.answers, self.writes) = (!hangs, !hangs, !hangs);
    }

    /// The input delivers nothing, and so the output writes nothing.
    fn freeze(&mut self) {
        (self.flows, self.writes) = (false, false);
    }

    pub fn second(&mut self) {
        self.read();
        self.clock += 1.0;
        if self.timer {
            self.post("timerTriggered", json!({"timerId": 1, "triggerCount": self.clock, "value": 1}));
        }
        let due = |(name, length): &(&'static str, u64)| {
            (self.clock as u64).is_multiple_of(*length).then(|| format!("{name}/1.ts"))
        };
        let due: Vec<String> = self.writing.iter().filter(|_| self.writes).filter_map(due).collect();
        for file in due {
            self.chunk_of("hls", &file);
        }
        self.tick();
    }

    /// The end of a second.
    fn tick(&mut self) {
        self.read();
        for (payload, bytes) in self.open.values_mut() {
            let writing = || self.writing.iter().any(|(name, _)| payload["name"] == *name);
            let flows = match payload["type"].as_str() {
                Some("INR") => self.flows || payload["name"] != "cam",
                _ => self.writes && writing(),
            };
            *bytes += if flows { 1000 } else { 0 };
        }
        let soon = pin!(self.stage.server.poll_soon.notified()).enable();
        if self.api && (soon || self.clock - self.polled >= POLL_EVERY) {
            self.poll();
        }
        self.stage.pipeline.regular_tick(at(self.clock));
        let calls = self.stage.decided();
        self.calls.extend(calls);
        let (clock, from) = (self.clock - self.start, self.records);
        self.records = self.stage.server.read(|state| {
            let notable =
                state.recent.notable(from).filter(|record| DerivedEvent::NAMES.contains(&record.name));
            self.derived.extend(notable.map(|record| {
                format!("{clock} {} {}", record.name, record.stream.as_deref().unwrap_or(record.change))
            }));
            state.recent.number()
        });
    }

    /// The server's own lists.
    fn poll(&mut self) {
        self.polled = self.clock;
        let (pipeline, server) = (&self.stage.pipeline, &self.stage.server);
        let requested = self.clock - 0.1;
        server.record_poll(at(requested), self.answers);
        if !self.answers {
            return;
        }
        let streams: Vec<Value> = self
            .open
            .values()
            .map(|(payload, bytes)| {
                let queried = at(self.clock).millis() as f64;
                let mut payload =
                    with(payload.clone(), json!({"queryTimestamp": queried, "processId": self.process}));
                let medium = match (payload["type"].as_str(), payload["video"]["codec"].as_str()) {
                    (Some("INR"), Some("VUNK")) => None,
                    (_, Some("VPT")) => Some("audio"),
                    _ => Some("video"),
                };
                if let Some(medium) = medium {
                    payload[medium]["bytesCount"] = json!(bytes);
                }
                with(listed(payload, 60.0), json!({"processId": self.process}))
            })
            .collect();
        let configured = self.configured.iter().map(|settings| ("hls", settings.to_string())).collect();
        let lists = Lists { configured, ..Lists::of(&streams) };
        lists.give_to(pipeline, server, requested, self.clock);
    }

    pub fn seconds(&mut self, count: u32) {
        for _ in 0..count {
            self.second();
        }
    }

    fn page(&self) -> Samples {
        let (own, mut page) = (ExporterMetrics::new(at(0.0)).unwrap(), Vec::new());
        let sources = Sources::of_events(&self.stage.pipeline, &own);
        metrics::render(sources, Style::Prometheus, at(self.clock), &mut |bytes| {
            page.extend_from_slice(bytes)
        });
        Samples::of(&String::from_utf8(page).unwrap())
    }

    fn list(&self, list: List) -> Vec<Value> {
        let own = ExporterMetrics::new(at(0.0)).unwrap();
        let query = Query::parse("", list.by_stream()).unwrap();
        let sources = Sources::of_events(&self.stage.pipeline, &own);
        let answer = query::answer(list, sources, &query, at(self.clock)).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["data"].as_array().unwrap().clone()
    }

    /// Stream, format, track, state and age of each track, by the API; the metrics must say the same.
    fn tracks(&self, page: &Samples) -> Vec<String> {
        let mut tracks = Vec::new();
        for track in self.list(List::Outputs) {
            let text = |name: &str| track[name].as_str().unwrap();
            let (format, group, stream) = (text("format"), text("group"), text("stream"));
            let labels = format!(
                "format=\"{format}\",group=\"{group}\",stream=\"{stream}\",track=\"{}\"",
                text("track")
            );
            let stalled = page.get(&format!("ems_chunk_stalled{{{labels}}}"));
            let expected = f64::from(u8::from(["stalled", "never_started"].contains(&text("state"))));
            assert_eq!(stalled, Some(expected), "{track}");
            let age = track["chunk_age_seconds"].as_f64().unwrap();
            let format = format!("{format} {}", text("track"));
            tracks.push(format!("{stream} {} {} {age:.0}", format.trim_end(), text("state")));
        }
        let mut states: BTreeMap<&str, f64> = BTreeMap::new();
        for track in &tracks {
            *states.entry(track.rsplit(' ').nth(1).unwrap()).or_default() += 1.0;
        }
        for (state, count) in states {
            let label = format!("state=\"{state}\"");
            let of_state = page.of_metric("ems_tracks").filter(|(labels, _)| labels.contains(&label));
            assert_eq!(of_state.map(|(_, value)| value).sum::<f64>(), count, "{state}");
        }
        tracks.sort();
        tracks
    }

    /// The inputs that are not live.
    fn inputs(&self) -> Vec<String> {
        let failed = |input: &Value| {
            let state = input["state"].as_str().filter(|state| *state != "live")?;
            Some(format!("{} {state}", input["name"].as_str().unwrap()))
        };
        self.list(List::Streams).iter().filter_map(failed).collect()
    }
}

/// The payload of the stream of `cam`'s output.
fn hls(id: u64, chunk_length: u64) -> Value {
    with(output(id, "hls", "cam", chunk_length), json!({"inStreamUniqueId": 2}))
}

/// The payload of an inbound stream with both media.
fn camera(id: u64, name: &str) -> Value {
    with(stream(id, "INR", name), json!({"audio": {"codec": "AAAC"}, "video": {"codec": "VH264"}}))
}

/// A value as the server writes it to XML files.
fn xml(indent: &str, name: &str, value: &Value) -> String {
    let element = |kind: &str, content: &str| format!("{indent}<{kind} name=\"{name}\">{content}</{kind}>\n");
    let map = |is_array: bool, members: &mut dyn Iterator<Item = (String, &Value)>| {
        let inner: String =
            members.map(|(name, value)| xml(&format!("{indent}    "), &name, value)).collect();
        format!("{indent}<MAP isArray=\"{is_array}\" name=\"{name}\">\n{inner}{indent}</MAP>\n")
    };
    match value {
        Value::Object(members) => map(false, &mut members.iter().map(|(name, value)| (name.clone(), value))),
        Value::Array(items) => {
            map(true, &mut items.iter().enumerate().map(|(place, item)| (format!("0x{place:08x}"), item)))
        }
        Value::String(text) => element("STR", text),
        Value::Bool(value) => element("BOOL", &value.to_string()),
        Value::Number(number) if number.is_f64() => element("DOUBLE", &number.to_string()),
        Value::Number(number) => element("UINT64", &number.to_string()),
        Value::Null => String::new(),
    }
}

/// The members of an object as the server writes them to text files.
fn text(depth: usize, object: &Value) -> String {
    let mut lines = String::new();
    for (name, value) in object.as_object().unwrap() {
        let indent = "\t".repeat(depth);
        match value {
            Value::Object(_) => write!(lines, "{indent}{name}:\n{}", text(depth + 1, value)).unwrap(),
            Value::String(text) => writeln!(lines, "{indent}{name}: {text}").unwrap(),
            Value::Null => {}
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
                writeln!(lines, "{indent}{name}: {other}").unwrap()
            }
        }
    }
    lines
}

/// A situation, and the verdict on it.
struct Row {
    situation: &'static str,
    happens: fn(&mut World),
    /// At the end: stream, format, state, and seconds since the last chunk or the opening.
    tracks: &'static [&'static str],
    /// At the end: the inputs that are not live.
    inputs: &'static [&'static str],
    /// At the end: the alerts whose shipped expressions hold, without their `for`.
    alerts: &'static [&'static str],
    /// All derived events with their seconds.
    derived: &'static [&'static str],
    /// All calls of the rules.
    calls: &'static [&'static str],
    /// Whether only the runtime API shows it, or only events; none for both.
    api: Option<bool>,
    /// Whether events need their process and number, which text files do not have.
    ids: bool,
    /// Whether `replay` of the file shows the same stalls.
    replays: bool,
}

const HEALTHY: &[&str] = &["cam hls ok 0"];

/// A situation in which nothing is wrong at any moment.
const fn row(situation: &'static str, happens: fn(&mut World)) -> Row {
    Row {
        situation,
        happens,
        tracks: HEALTHY,
        inputs: &[],
        alerts: &[],
        derived: &[],
        calls: &[],
        api: None,
        ids: false,
        replays: true,
    }
}

/// One of which the stamps alone show something else.
const fn by_clock(situation: &'static str, happens: fn(&mut World)) -> Row {
    Row { replays: false, ..row(situation, happens) }
}

const ROWS: &[Row] = &[
    row("all is well", |world| world.seconds(200)),
    Row {
        tracks: &["cam hls waiting 5"],
        ..row("an output has not closed its first chunk", |world| {
            world.writes = false;
            world.seconds(5);
        })
    },
    Row {
        tracks: &["cam hls late 7"],
        ..row("a chunk is late", |world| {
            world.seconds(70);
            world.writes = false;
            world.seconds(7);
        })
    },
    Row {
        tracks: &["cam hls stalled 60"],
        alerts: &["EmsChunkStalled"],
        derived: &["81 chunkStalled cam"],
        calls: REMAKE,
        ..row("an output stalls on a live server", |world| {
            world.seconds(70);
            world.writes = false;
            world.seconds(60);
        })
    },
    Row {
        derived: &["81 chunkStalled cam", "132 chunkRecovered cam"],
        calls: REMAKE,
        ..row("an output recovers", |world| {
            world.seconds(70);
            world.writes = false;
            world.seconds(61);
            world.writes = true;
            world.seconds(69);
        })
    },
    Row {
        tracks: &["cam hls never_started 89"],
        alerts: &["EmsChunkNeverStarted"],
        derived: &["11 outputNeverStarted cam"],
        calls: REMAKE,
        ..row("an output never writes: its stall in the first minute waits", |world| {
            world.writes = false;
            world.seconds(59);
            assert!(world.calls.is_empty(), "{:?}", world.calls);
            world.seconds(30);
        })
    },
    Row {
        derived: &["11 outputNeverStarted cam", "32 chunkRecovered cam"],
        ..row("a stall in the first minute ends in it", |world| {
            world.writes = false;
            world.seconds(30);
            world.writes = true;
            world.seconds(100);
        })
    },
    Row {
        tracks: &[],
        ..row("the publisher ends its stream", |world| {
            world.seconds(70);
            world.close_cam();
            world.seconds(60);
        })
    },
    Row {
        tracks: &[],
        ..row("an input closes, and the sink leaves out the close of its output", |world| {
            world.seconds(70);
            world.post("inStreamClosed", with(camera(2, "cam"), json!({"outStreamsUniqueIds": [3]})));
            world.open.remove(&3);
            world.writes = false;
            world.seconds(60);
        })
    },
    row("a stream is published again", |world| {
        world.seconds(70);
        world.close_cam();
        world.seconds(20);
        world.post("inStreamCreated", camera(5, "cam"));
        world.post("outStreamCreated", with(hls(6, 2), json!({"inStreamUniqueId": 5})));
        world.writes = true;
        world.seconds(100);
    }),
    Row {
        tracks: &["cam hls never_started 120"],
        // It has written in a run before.
        alerts: &["EmsChunkStalled"],
        derived: &["81 outputNeverStarted cam"],
        calls: REMAKE,
        ..row("the server makes an output anew each second, which cannot write", |world| {
            world.seconds(70);
            world.writes = false;
            world.post("outStreamClosed", hls(3, 2));
            for id in 100..220 {
                world.remake(id);
                world.second();
            }
        })
    },
    Row {
        derived: &["81 outputNeverStarted cam", "102 chunkRecovered cam"],
        calls: REMAKE,
        ..row("such an output can write again", |world| {
            world.seconds(70);
            world.writes = false;
            world.post("outStreamClosed", hls(3, 2));
            for id in 100..130 {
                world.remake(id);
                world.second();
            }
            world.post("outStreamCreated", hls(300, 2));
            world.writes = true;
            world.seconds(100);
        })
    },
    Row {
        tracks: &["cam hls ok 0", "cam record waiting 600"],
        ..row("a recording without chunk length writes one file for long", |world| {
            world.post("outStreamCreated", output(9, "record", "cam", 0));
            world.post("recordChunkCreated", json!({"file": "/srv/record/cam.flv"}));
            world.seconds(600);
        })
    },
    Row {
        tracks: &["cam hls ok 0", "cam record never_started 40"],
        alerts: &["EmsChunkNeverStarted"],
        derived: &["111 outputNeverStarted cam"],
        calls: &[
            "removeConfig id=cam-record",
            "createHLSStream localStreamNames=cam targetFolder=/srv _createdBy=ems-exporter",
        ],
        ..row("a recording on a full disk: the server makes it anew each second, without an error", |world| {
            world.post("outStreamCreated", output(9, "record", "cam", 0));
            world.post("recordChunkCreated", json!({"file": "/srv/record/cam.flv"}));
            world.seconds(100);
            world.chunk_of("record", "cam.flv");
            world.post("outStreamClosed", output(9, "record", "cam", 0));
            for id in 100..140 {
                world.post("outStreamCreated", output(id, "record", "cam", 0));
                world.post("recordChunkCreated", json!({"file": "/srv/record/cam.flv"}));
                world.post("outStreamClosed", output(id, "record", "cam", 0));
                world.second();
            }
        })
    },
    Row {
        tracks: &["cam hls ok 0", "radio dash audio ok 0", "radio mss audio ok 0"],
        ..row("a stream has audio alone: the server names its video pass-through", |world| {
            one_medium(world, "audio", "AAAC", "video", "VPT");
        })
    },
    Row {
        tracks: &["cam hls ok 0", "radio dash video ok 0", "radio mss video ok 0"],
        ..row("a stream has video alone: the server names its audio pass-through", |world| {
            one_medium(world, "video", "VH264", "audio", "APT");
        })
    },
    Row {
        tracks: &["cam dash audio ok 0", "cam dash video stalled 60", "cam hls ok 0"],
        alerts: &["EmsChunkStalled"],
        derived: &["81 chunkStalled cam"],
        calls: &[
            "removeConfig id=cam-dash",
            "createHLSStream localStreamNames=cam targetFolder=/srv _createdBy=ems-exporter",
        ],
        ..row("one of two tracks stalls", |world| {
            let known = json!({"audio": {"codec": "AAAC"}, "video": {"codec": "VH264"}});
            world.post("outStreamCreated", with(output(9, "dash", "cam", 2), known));
            for second in (2..=130).step_by(2) {
                world.seconds(2);
                world.chunk_of("dash", "cam//audio/264000/s.m4s");
                if second <= 70 {
                    world.chunk_of("dash", "cam//video/264000/s.m4s");
                }
            }
        })
    },
    Row {
        tracks: &["cam dash video stalled 60", "cam hls ok 0"],
        alerts: &["EmsChunkStalled"],
        derived: &["81 chunkStalled cam"],
        calls: &[
            "removeConfig id=cam-dash",
            "createHLSStream localStreamNames=cam targetFolder=/srv _createdBy=ems-exporter",
        ],
        ..row("chunks of video hold no frames", |world| {
            world.post("outStreamCreated", output(9, "dash", "cam", 2));
            for second in (2..=130).step_by(2) {
                world.seconds(2);
                let file = json!({"file": "/srv/dash/cam//video/264000/s.m4s", "segmentDuration": 2000.0,
                    "frameCount": if second <= 70 { 50 } else { 0 }});
                world.post("dashChunkClosed", file);
            }
        })
    },
    Row {
        tracks: &["cam hls stalled 60"],
        alerts: &["EmsChunkStalled"],
        derived: &["81 chunkStalled cam"],
        calls: REMAKE,
        replays: false,
        ..row("the disk is full: chunks are announced whose files are empty", |world| {
            world.size = Some(5000);
            world.seconds(70);
            world.size = Some(0);
            world.seconds(60);
        })
    },
    Row {
        tracks: &["cam hls stalled 60"],
        inputs: &["cam frozen"],
        alerts: &["EmsChunkStalled", "EmsIngestFrozen"],
        derived: &["81 chunkStalled cam", "121 streamFrozen cam"],
        calls: REMAKE,
        api: Some(true),
        replays: false,
        ..row("an encoder freezes and its input stays open: its bytes stand still in the lists", |world| {
            world.seconds(70);
            world.freeze();
            world.seconds(60);
        })
    },
    Row {
        tracks: &["cam hls stalled 40"],
        inputs: &["cam frozen"],
        alerts: &["EmsChunkStalled", "EmsIngestFrozen", "EmsIngestFeedStopped"],
        derived: &["81 chunkStalled cam", "81 streamFrozen cam"],
        calls: REMAKE,
        api: Some(false),
        ..row("an encoder freezes and its input stays open: the server reports both feeds", |world| {
            world.seconds(70);
            world.freeze();
            for second in 1..=40 {
                if second % 10 == 1 && second > 10 {
                    for event in ["audioFeedStopped", "videoFeedStopped"] {
                        world.post(event, json!({"id": 2, "localStreamName": "cam"}));
                    }
                }
                world.second();
            }
        })
    },
    Row {
        tracks: &[],
        inputs: &["cam expired"],
        alerts: &["EmsIngestExpired"],
        derived: &["89 streamExpired cam"],
        ..row(
            "an encoder freezes under streamsExpireTimer 10: the server closes its input after 18 s",
            |world| {
                expire(world);
                world.seconds(60);
            },
        )
    },
    Row {
        tracks: &[],
        inputs: &["cam expired"],
        alerts: &["EmsIngestExpired"],
        derived: &["89 streamExpired cam"],
        api: Some(true),
        replays: false,
        ..row("its kept-alive configuration waits for it", |world| {
            expire(world);
            world.configured.push(waiting());
            world.seconds(600);
        })
    },
    Row {
        tracks: &["cam hls ok 0"],
        derived: &["89 streamExpired cam", "149 streamResumed cam"],
        ..row("its encoder comes back", |world| {
            expire(world);
            world.seconds(60);
            world.post("inStreamCreated", camera(5, "cam"));
            world.post("outStreamCreated", with(hls(6, 2), json!({"inStreamUniqueId": 5})));
            (world.writing, world.writes, world.flows) = (vec![("cam", 2)], true, true);
            world.seconds(12);
        })
    },
    Row {
        tracks: &[],
        inputs: &["cam waiting"],
        alerts: &["EmsIngestWaiting"],
        api: Some(true),
        replays: false,
        ..row("a kept-alive configuration waits for a stream that its publisher ended", |world| {
            world.seconds(70);
            world.close_cam();
            world.configured.push(waiting());
            world.seconds(600);
        })
    },
    Row {
        tracks: &["cam hls stalled 20", "dog hls stalled 20"],
        alerts: &["EmsChunkStalled", "EmsServerStalled"],
        derived: &["111 chunkStalled cam", "111 chunkStalled dog", "111 outputsStalled server"],
        calls: &[REMAKE[0], REMAKE[1], REMAKE_DOG[0], REMAKE_DOG[1]],
        ..row("all outputs of a server stall at once", |world| {
            world.second_output("dog", 2);
            world.seconds(100);
            world.writes = false;
            world.seconds(20);
        })
    },
    Row {
        tracks: &["cam hls stalled 20", "dog hls late 20"],
        alerts: &["EmsChunkStalled", "EmsServerStalled"],
        derived: &["111 chunkStalled cam", "119 outputsStalled server"],
        calls: REMAKE,
        ..row("all outputs of a server stall at once, and one of them has longer chunks", |world| {
            world.second_output("dog", 10);
            world.seconds(100);
            world.writes = false;
            world.seconds(20);
        })
    },
    Row {
        tracks: &["cam hls ok 0", "dog hls stalled 20"],
        alerts: &["EmsChunkStalled"],
        derived: &["111 chunkStalled dog"],
        calls: REMAKE_DOG,
        ..row("one of two outputs stalls", |world| {
            world.second_output("dog", 2);
            world.seconds(100);
            world.writing.pop();
            world.seconds(20);
        })
    },
    row("the exporter restarts: only chunks show the output", |world| {
        world.restart_exporter();
        world.post("inStreamCodecsUpdated", camera(1, "studio"));
        world.seconds(200);
    }),
    by_clock("the machines are suspended for an hour, in which the exporter's clock stands still", |world| {
        world.seconds(100);
        world.stamps += HOUR;
        world.seconds(100);
    }),
    by_clock("the exporter is paused for an hour", |world| {
        world.seconds(100);
        world.clock += HOUR;
        world.seconds(100);
    }),
    by_clock("it is paused in its first minute", |world| {
        world.seconds(20);
        world.clock += HOUR;
        world.seconds(100);
    }),
    by_clock("an event of another stream comes first after a pause", |world| {
        world.seconds(100);
        world.clock += 600.0;
        world.writes = false;
        world.seconds(8);
        world.writes = true;
        world.seconds(100);
    }),
    by_clock("the clock steps back an hour, and ahead again", |world| {
        world.seconds(100);
        world.clock -= HOUR;
        world.seconds(100);
        world.clock += HOUR;
        world.seconds(100);
    }),
    Row {
        tracks: &["cam hls stalled 130"],
        alerts: &["EmsChunkStalled"],
        derived: &["111 chunkStalled cam"],
        calls: REMAKE,
        ..by_clock("the exporter is paused while an output stalls: that is one stall", |world| {
            world.seconds(100);
            world.writes = false;
            world.seconds(20);
            world.clock += 60.0;
            world.seconds(50);
        })
    },
    by_clock("the server's clock is three hours ahead, or it writes the time of another zone", |world| {
        world.stamps = 3.0 * HOUR;
        world.seconds(200);
    }),
    by_clock("the server's clock is in 2101", |world| {
        world.stamps = 75.0 * 365.0 * 24.0 * HOUR;
        world.seconds(200);
    }),
    by_clock("the server's clock has never been set", |world| {
        world.stamps = -1e10;
        world.seconds(200);
    }),
    Row {
        tracks: &["cam hls stalled 30"],
        alerts: &["EmsChunkStalled"],
        derived: &["111 chunkStalled cam"],
        calls: REMAKE,
        ..by_clock("an output stalls on a server whose clock goes back an hour", |world| {
            world.seconds(90);
            world.stamps = -HOUR;
            world.seconds(10);
            world.writes = false;
            world.seconds(30);
        })
    },
    Row {
        tracks: &[],
        alerts: &["EmsExpectedStreamMissing", "EmsServerDown"],
        derived: &["111 chunkStalled cam", "132 streamMissing studio"],
        ..row("the server stands still before it stops", |world| {
            world.seconds(100);
            world.hang(true);
            world.seconds(21);
            world.post("serverStopping", json!({}));
            world.open.clear();
            world.seconds(100);
        })
    },
    Row {
        derived: &["111 chunkStalled cam", "128 chunkRecovered cam"],
        ..row("the server stands still and goes on", |world| {
            world.seconds(100);
            world.hang(true);
            world.seconds(21);
            (world.timer, world.answers) = (true, true);
            world.seconds(5);
            world.writes = true;
            world.seconds(100);
        })
    },
    Row {
        tracks: &["cam hls stalled 200"],
        alerts: &["EmsChunkStalled", "EmsEventsSilent", "EmsTimerOverdue"],
        derived: &["111 chunkStalled cam"],
        api: Some(false),
        ..by_clock("the server crashes", |world| {
            world.seconds(100);
            world.hang(true);
            world.seconds(200);
        })
    },
    Row {
        tracks: &["cam hls stalled 200"],
        alerts: &["EmsChunkStalled", "EmsServerDown", "EmsEventsSilent", "EmsTimerOverdue"],
        derived: &["111 chunkStalled cam"],
        api: Some(true),
        ..by_clock("the server crashes, and its runtime API answers no more", |world| {
            world.seconds(100);
            world.hang(true);
            world.seconds(200);
        })
    },
    row("the server restarts", |world| {
        world.seconds(100);
        world.post("serverStopping", json!({}));
        world.clock += 4.0;
        world.begin();
        world.seconds(100);
    }),
    Row {
        ids: true,
        ..row("the server restarts as a new process, and its stop was lost", |world| {
            world.seconds(100);
            world.clock += 4.0;
            world.process = 200;
            world.begin();
            world.seconds(100);
        })
    },
    Row {
        tracks: &["cam hls ok 1"],
        derived: &["111 chunkStalled cam", "142 chunkRecovered cam"],
        ..by_clock(
            "events do not get through for 41 s: their transport is dead, or a read of the file is slow",
            |world| {
                world.seconds(100);
                world.delivers = false;
                world.seconds(41);
                world.delivers = true;
                world.seconds(100);
            },
        )
    },
    Row {
        tracks: &["cam hls stalled 200"],
        alerts: &["EmsChunkStalled", "EmsEventsSilent", "EmsTimerOverdue"],
        derived: &["111 chunkStalled cam"],
        ..by_clock(
            "events do not get through any more, and the runtime API answers: the output is healthy",
            |world| {
                world.seconds(100);
                world.delivers = false;
                world.seconds(200);
            },
        )
    },
    Row {
        tracks: &["cam hls stalled 100"],
        alerts: &["EmsChunkStalled", "EmsEventsSilent", "EmsTimerOverdue"],
        derived: &["111 chunkStalled cam"],
        calls: REMAKE,
        api: Some(true),
        ..by_clock(
            "an output stalls that is all that the server sends: its bytes stand still in the lists",
            |world| {
                world.seconds(100);
                (world.timer, world.writes) = (false, false);
                world.seconds(100);
            },
        )
    },
    Row {
        derived: &["111 chunkStalled cam", "129 chunkRecovered cam"],
        api: Some(false),
        ..row("late entries come all at once", |world| {
            world.seconds(100);
            (world.timer, world.writes) = (false, false);
            world.seconds(28);
            for _ in 0..14 {
                world.chunk();
            }
            (world.timer, world.writes) = (true, true);
            world.seconds(100);
        })
    },
    Row {
        tracks: &["cam hls ok 1", "dog hls ok 0"],
        alerts: &["EmsExpectedStreamMissing", "EmsServersMixed"],
        derived: &["12 streamMissing studio"],
        ids: true,
        ..row("two servers post to one place", |world| {
            for id in 1..300 {
                world.second();
                let file = json!({"file": "/srv/hls/dog/1.ts", "segmentDuration": 2000.0});
                match id {
                    1 => world.post_of(200, id, "outStreamCreated", output(3, "hls", "dog", 2)),
                    _ => world.post_of(200, id, "hlsChunkClosed", file),
                }
            }
        })
    },
    Row {
        alerts: &["EmsExpectedStreamMissing"],
        derived: &["81 streamMissing studio"],
        calls: &["pullStream uri=rtmp://x/a localStreamName=studio _createdBy=ems-exporter"],
        ..row("an expected stream is gone from a live server", |world| {
            world.seconds(70);
            world.post("inStreamClosed", camera(1, "studio"));
            world.seconds(60);
        })
    },
    Row {
        derived: &["11 streamMissing studio"],
        ..row("an expected stream comes back before there is proof", |world| {
            world.post("inStreamClosed", camera(1, "studio"));
            world.seconds(30);
            world.post("inStreamCreated", camera(5, "studio"));
            world.seconds(100);
        })
    },
    Row {
        calls: &["shutdownStream id=7"],
        ..row("a rule on the server's own event runs at once, also in the first minute", |world| {
            let push = with(stream(7, "ONR", "cam"), json!({"pushSettings": {"configId": 1}}));
            world.post("outStreamCreated", push.clone());
            world.post("outStreamClosed", push);
            world.seconds(2);
        })
    },
];

/// A stream with one medium, which feeds DASH and MSS outputs; the server reports the other one as missing.
fn one_medium(world: &mut World, medium: &str, codec: &str, other: &str, absent: &str) {
    let media = json!({medium: {"codec": codec}, other: {"codec": absent}});
    let of = |payload| with(payload, media.clone());
    world.post("inStreamCreated", stream(8, "INR", "radio"));
    world.seconds(1);
    world.post("inStreamCodecsUpdated", of(stream(8, "INR", "radio")));
    for (id, format) in [(9, "dash"), (10, "mss")] {
        world.post("outStreamCreated", output(id, format, "radio", 2));
        world.post("outStreamCodecsUpdated", of(output(id, format, "radio", 2)));
    }
    world.seconds(1);
    for second in 0..100 {
        world.seconds(2);
        for (format, file) in [("dash", "1.m4s"), ("mss", "1.fmp4")] {
            world.chunk_of(format, &format!("radio/{medium}/32000/{file}"));
        }
        if second % 5 == 0 {
            world.post(&format!("{other}FeedStopped"), json!({"id": 8, "localStreamName": "radio"}));
        }
    }
}

/// An output with 10 s chunks; its encoder freezes after 70 s, and the server closes its input 18 s later.
fn expire(world: &mut World) {
    world.post("outStreamClosed", hls(3, 2));
    world.post("outStreamCreated", hls(4, 10));
    world.writing = vec![("cam", 10)];
    world.seconds(70);
    world.freeze();
    world.seconds(18);
    world.post("inStreamClosed", with(camera(2, "cam"), json!({"outStreamsUniqueIds": [4]})));
    world.post("outStreamClosed", hls(4, 10));
}

/// The kept-alive configuration of `cam`, which waits for its stream.
fn waiting() -> Value {
    json!({"configId": 7, "groupName": "g", "localStreamName": "cam", "chunkLength": 10,
        "targetFolder": "/srv/hls/cam", "keepAlive": true, "status": {"current": {"code": 2}}})
}

#[test]
fn every_situation_has_its_verdict_by_every_transport_with_and_without_the_api() {
    let mut wrong = Vec::new();
    for row in ROWS {
        for way in [Way::Http, Way::Json, Way::Xml, Way::Text] {
            for api in [false, true] {
                if row.api == Some(!api) || row.ids && way == Way::Text {
                    continue;
                }
                let mut world = World::by(way, api);
                (row.happens)(&mut world);
                world.read();
                let page = world.page();
                let seen = [
                    ("tracks", world.tracks(&page), row.tracks),
                    ("inputs", world.inputs(), row.inputs),
                    ("alerts", firing(&page), row.alerts),
                    ("derived", world.derived.clone(), row.derived),
                    ("calls", shown(&world.calls), row.calls),
                ];
                for (column, seen, expected) in seen {
                    if seen != expected {
                        wrong.push(format!("{}, {way:?}, api {api}: {column} {seen:?}", row.situation));
                    }
                }
                if row.replays && way == Way::Json {
                    let file = world.file.as_ref().unwrap().folder.path().join("events.json");
                    let replayed = replay(&[file], None, &mut |_, _| ()).unwrap().page().unwrap();
                    let replayed = Samples::of(&replayed);
                    for metric in ["ems_chunk_stalled", "ems_chunk_stalls_total"] {
                        let (replayed, live) = (replayed.sum(metric), page.sum(metric));
                        if replayed != live {
                            wrong.push(format!(
                                "{}, replayed: {metric} {replayed}, not {live}",
                                row.situation
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
