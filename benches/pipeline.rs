//! The cost of one event in the pipeline, on one core: decoded, interpreted and applied; for comparison, the time that
//! `serde_json` needs to parse the same bytes into a struct of the fields that the exporter uses.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

mod common;

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use ems_exporter::model::Settings;
use ems_exporter::model::event;
use ems_exporter::model::state::State;
use ems_exporter::pipeline::Pipeline;
use ems_exporter::pipeline::tally::Transport;
use ems_protocol::Timestamp;
use ems_protocol::{Format, decode};

use common::{Recorded, median, print_table};

/// The recorded streams: the direction of their events, and their type.
const STREAMS: [(&str, &str); 13] = [
    ("in", "IFR"),
    ("in", "INLFLV"),
    ("in", "INR"),
    ("in", "INTS"),
    ("out", "OFDASH"),
    ("out", "OFHDS"),
    ("out", "OFHLS"),
    ("out", "OFMP4"),
    ("out", "OFMSS"),
    ("out", "OFRFLV"),
    ("out", "OFTS"),
    ("out", "ONP"),
    ("out", "ONR"),
];
/// The events of a stream, in this order, each [`Size::age`] steps after the one before.
const LIFE: [&str; 3] = ["Created", "CodecsUpdated", "Closed"];
const CHUNKS: [&str; 10] = [
    "hlsChunkCreated",
    "hlsChunkClosed",
    "hdsChunkCreated",
    "hdsChunkClosed",
    "dashChunkCreated",
    "dashChunkClosed",
    "mssChunkCreated",
    "mssChunkClosed",
    "recordChunkCreated",
    "recordChunkClosed",
];
/// The load of a server. At each step one stream of every type is created, one learns its
/// codecs, one closes; and of each [`CHUNK_AGE`]th stream that is open the outputs of all formats
/// open and close a chunk.
#[derive(Clone, Copy)]
struct Size {
    /// Steps between two events of a stream's life.
    age: u64,
    /// How many stream names there are.
    names: u64,
}
/// A large server, and one whose tables are larger than the nearest CPU caches.
const SIZES: [Size; 2] = [Size { age: 30, names: 100 }, Size { age: 100, names: 500 }];
const STEPS: u64 = 600;
const CHUNK_AGE: u64 = 20;
/// How often the schedule is run, each time with a new state.
const ROUNDS: usize = 5;
/// Time between two steps.
const STEP: Duration = Duration::from_millis(20);
const START: Timestamp = Timestamp::from_seconds(1_795_364_000);

/// The events as structs of the fields that the exporter uses, borrowed where possible.
mod rival {
    #![allow(dead_code, reason = "the parsed values are not read")]

    use std::borrow::Cow;

    use serde::Deserialize;
    use serde::de::IgnoredAny;

    /// A stream event, with the fields that the exporter uses.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct StreamEvent<'a> {
        #[serde(borrow, rename = "type")]
        name: Cow<'a, str>,
        id: Option<u64>,
        timestamp: Option<u64>,
        process_id: Option<u64>,
        #[serde(borrow)]
        payload: Stream<'a>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Stream<'a> {
        #[serde(rename = "PID")]
        pid: Option<u64>,
        unique_id: u64,
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        name: Cow<'a, str>,
        creation_timestamp: Option<f64>,
        up_time: Option<f64>,
        connection_type: Option<u64>,
        #[serde(rename = "_isInternal")]
        internal: Option<bool>,
        #[serde(borrow)]
        audio: Option<Medium<'a>>,
        #[serde(borrow)]
        video: Option<Medium<'a>>,
        pull_settings: Option<IgnoredAny>,
        push_settings: Option<IgnoredAny>,
        process_settings: Option<IgnoredAny>,
        #[serde(borrow)]
        hls_settings: Option<Output<'a>>,
        #[serde(borrow)]
        hds_settings: Option<Output<'a>>,
        #[serde(borrow)]
        dash_settings: Option<Output<'a>>,
        #[serde(borrow)]
        mss_settings: Option<Output<'a>>,
        #[serde(borrow)]
        record_settings: Option<Output<'a>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Medium<'a> {
        #[serde(borrow)]
        codec: Cow<'a, str>,
        bytes_count: Option<u64>,
        packets_count: Option<u64>,
        dropped_packets_count: Option<u64>,
        width: Option<u64>,
        height: Option<u64>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Output<'a> {
        chunk_length: Option<u64>,
        #[serde(borrow, default)]
        group_name: Cow<'a, str>,
        #[serde(borrow, default)]
        local_stream_name: Cow<'a, str>,
        #[serde(borrow, default)]
        target_folder: Cow<'a, str>,
        #[serde(borrow, default)]
        computed_path_to_file: Cow<'a, str>,
        #[serde(borrow, default)]
        path_to_file: Cow<'a, str>,
    }

    /// A chunk event, with the fields that the exporter uses.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct ChunkEvent<'a> {
        #[serde(borrow, rename = "type")]
        name: Cow<'a, str>,
        id: Option<u64>,
        timestamp: Option<u64>,
        process_id: Option<u64>,
        #[serde(borrow)]
        payload: Chunk<'a>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Chunk<'a> {
        #[serde(rename = "PID")]
        pid: Option<u64>,
        #[serde(borrow)]
        file: Cow<'a, str>,
        segment_duration: Option<f64>,
        #[serde(borrow, default)]
        start_time: Cow<'a, str>,
        #[serde(borrow, default)]
        stop_time: Cow<'a, str>,
    }
}

/// One event of the schedule: a recording, rewritten for a stream.
struct Planned {
    recorded: usize,
    unique: u64,
    name: u64,
}

/// Times of the events of each recording, in nanoseconds.
type Times = Vec<Vec<f64>>;

/// All recordings, the streams' first.
struct Recordings {
    all: Vec<Recorded>,
    streams: usize,
}

impl Recordings {
    fn read() -> Self {
        let mut all = Vec::new();
        for (direction, kind) in STREAMS {
            all.extend(LIFE.map(|what| Recorded::read(&format!("{direction}Stream{what}.{kind}"))));
        }
        let streams = all.len();
        all.extend(CHUNKS.map(Recorded::read));
        Self { all, streams }
    }

    /// The events of one step.
    fn planned(&self, size: Size, step: u64) -> impl Iterator<Item = Planned> {
        let life = LIFE.len() as u64;
        let streams = (0..self.streams).map(move |at| (at, at as u64 % life * size.age));
        let ages = (CHUNK_AGE / 2..size.age * (life - 1)).step_by(CHUNK_AGE as usize);
        let chunks = ages.flat_map(move |age| (self.streams..self.all.len()).map(move |at| (at, age)));
        streams.chain(chunks).filter_map(move |(recorded, age)| {
            let born = step.checked_sub(age)?;
            let kind = recorded / LIFE.len();
            // A stream is recorded once: the second recording is of another one.
            let second = STREAMS.get(kind).is_some_and(|(_, kind)| *kind == "OFTS");
            let name = born % size.names + u64::from(second) * size.names;
            Some(Planned { recorded, unique: 1 + born * STREAMS.len() as u64 + kind as u64, name })
        })
    }

    /// Times `work` on every event of the schedule.
    fn time(&self, size: Size, times: &mut Times, mut work: impl FnMut(usize, &[u8], Timestamp)) {
        let clock = clock_cost();
        let (mut id, mut now) = (0, START);
        for step in 0..STEPS {
            now = now.plus(STEP);
            for planned in self.planned(size, step) {
                id += 1;
                let name = format!("cam{:05}", planned.name);
                let body = self.all[planned.recorded].body(id, planned.unique, &name);
                let start = Instant::now();
                work(planned.recorded, body.as_bytes(), now);
                times[planned.recorded].push(start.elapsed().as_nanos() as f64 - clock);
            }
        }
    }

    /// Measures everything; returns the times of decoding alone, of decode + interpret + apply, of `serde_json` and of
    /// the whole pipeline, and how many streams were open.
    fn measure(&self, size: Size) -> ([Times; 4], usize) {
        let mut times: [Times; 4] = std::array::from_fn(|_| vec![Vec::new(); self.all.len()]);
        let [decode, pipeline, serde, accept] = &mut times;
        let mut open = 0;
        // In turn, so that other load on the machine affects all alike.
        for _ in 0..ROUNDS {
            self.time(size, decode, |_, body, _| {
                decode::decode(body, Format::of(body), usize::MAX, |message| drop(black_box(message)));
            });
            let mut state = State::new(&Settings::default());
            self.time(size, pipeline, |_, body, now| {
                decode::decode(body, Format::of(body), usize::MAX, |message| {
                    let message = message.unwrap();
                    let event = event::interpret(&message).unwrap();
                    black_box(state.apply(&event, now));
                });
            });
            open = state.streams.count(|_, _| true);
            self.time(size, serde, |recorded, body, _| {
                if recorded < self.streams {
                    black_box(serde_json::from_slice::<rival::StreamEvent<'_>>(body).unwrap());
                } else {
                    black_box(serde_json::from_slice::<rival::ChunkEvent<'_>>(body).unwrap());
                }
            });
            let pipeline = Pipeline::new(&[], &Settings::default(), 1);
            let server = pipeline.server(None).unwrap();
            self.time(size, accept, |_, body, now| {
                black_box(pipeline.accept(Transport::Http, &server, body, now));
            });
            let (received, [applied, ..]) = pipeline.tally().sums();
            assert_eq!(received, applied, "every event is taken as new");
        }
        (times, open)
    }
}

/// How many nanoseconds it takes to read the clock.
fn clock_cost() -> f64 {
    let mut costs: Vec<f64> = (0..10_000).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    median(&mut costs)
}

fn main() {
    let recordings = Recordings::read();
    let bytes: Vec<usize> =
        recordings.all.iter().map(|recorded| recorded.body(1_000, 1_000, "cam00000").len()).collect();
    let line = |name: &str, times: &[Times; 4], events: Range<usize>, target: &str| {
        let [decode, pipeline, serde, accept] =
            times.each_ref().map(|times| median(&mut times[events.clone()].concat()));
        let bytes = bytes[events.clone()].iter().sum::<usize>() / events.len();
        let ratio = format!("{:.2}", pipeline / serde);
        let [decode, pipeline, serde, accept] =
            [decode, pipeline, serde, accept].map(|time| format!("{time:.0}"));
        vec![name.to_owned(), bytes.to_string(), decode, pipeline, serde, ratio, accept, target.to_owned()]
    };
    let (all, streams) = (recordings.all.len(), recordings.streams);
    for size in SIZES {
        let (times, open) = recordings.measure(size);
        let each = recordings.all.iter().enumerate();
        let mut rows: Vec<_> = each.map(|(at, event)| line(&event.name, &times, at..at + 1, "")).collect();
        rows.push(line("stream events", &times, 0..streams, "apply ≤ 6000, ratio ≤ 1.6"));
        rows.push(line("chunk events", &times, streams..all, "apply ≤ 2500, ratio ≤ 1.6"));
        print_table(
            &format!(
                "pipeline, {open} streams open: median ns per event; apply = decode + interpret + apply, ratio = apply / serde_json"
            ),
            &["event", "bytes", "decode", "apply", "serde_json", "ratio", "accept", "target"],
            &rows,
        );
    }
}
