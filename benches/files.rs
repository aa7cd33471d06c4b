//! The rate of the file transport: event files through the pipeline, compared with other programs reading the same lines.
//!
//! One core, warm cache. The files are a recorded session, repeated as if the server had been
//! started again and again. `cargo bench --bench files` prints one table; nothing fails.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]
#![allow(clippy::print_stdout, reason = "its table is its answer")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ems_exporter::commands::replay::replay;
use memchr::memmem;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Deserialize;

/// The sizes of the files for the exporter and for slower programs.
const LARGE: usize = 200 << 20;
const SMALL: usize = 50 << 20;
/// The best of so many runs counts: the others were disturbed.
const RUNS: usize = 3;

/// The recorded process and its session's beginning, written alike in every format.
const PROCESS: &[u8] = b"32193";
const STARTED: u64 = 1_795_364_000;
const SESSION: u64 = 300;

/// The fields that another exporter would need at least.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
    id: Option<u64>,
    #[serde(rename = "processId")]
    process: Option<u64>,
    timestamp: Option<u64>,
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(rename = "PID")]
    process: Option<u64>,
    unique_id: Option<u64>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file: Option<Cow<'a, str>>,
}

/// Counts events by their name and does nothing else.
const MTAIL: &str = r#"counter events by event
/"type":"(?P<event>[A-Za-z0-9]+)"\},?$/ {
  events[$event]++
}
"#;

/// A file of repeated sessions.
struct Input {
    path: PathBuf,
    bytes: u64,
    events: u64,
}

/// Writes `session` again and again, each time as another process of the server, later on.
fn repeat(folder: &Path, recording: &str, least: usize) -> Input {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files");
    let session = fs::read(fixtures.join(recording)).unwrap();
    let processes: Vec<usize> = memmem::find_iter(&session, PROCESS).collect();
    let times: Vec<usize> = ["\"timestamp\":17", "name=\"timestamp\">17"]
        .iter()
        .flat_map(|mark| memmem::find_iter(&session, *mark).map(|at| at + mark.len() - 2))
        .collect();
    let path = folder.join(format!("{}-{recording}", least >> 20));
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let mut changed = session.clone();
    let repeats = least.div_ceil(session.len());
    for turn in 0..repeats {
        for at in &processes {
            changed[*at..at + PROCESS.len()].copy_from_slice((10_000 + turn).to_string().as_bytes());
        }
        for at in &times {
            let time: u64 = std::str::from_utf8(&session[*at..at + 10]).unwrap().parse().unwrap();
            assert!((STARTED..STARTED + SESSION).contains(&time));
            let later = time + turn as u64 * SESSION;
            changed[*at..at + 10].copy_from_slice(later.to_string().as_bytes());
        }
        file.write_all(&changed).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    Input { path, bytes, events: 633 * repeats as u64 }
}

/// The result of a run.
struct Rate {
    lines: f64,
    bytes: f64,
}

/// The best of some runs.
fn measure(input: &Input, overhead: Duration, mut run: impl FnMut(&Input)) -> Rate {
    let times = (0..RUNS).map(|_| {
        let began = Instant::now();
        run(input);
        began.elapsed()
    });
    let seconds = (times.min().unwrap().saturating_sub(overhead)).as_secs_f64();
    Rate { lines: input.events as f64 / seconds, bytes: input.bytes as f64 / seconds }
}

fn ours(input: &Input) {
    let replayed = replay(std::slice::from_ref(&input.path), None, &mut |_, _| ()).unwrap();
    let summary = replayed.summary().unwrap();
    let line = |title: &str, count: u64| format!("{title:<24} {count:>12}\n");
    assert!(summary.contains(&line("events", input.events)), "{summary}");
    assert!(summary.contains(&line("duplicates", 0)) && summary.contains(&line("refused", 0)), "{summary}");
}

fn serde_json_alone(input: &Input) {
    let mut file = BufReader::with_capacity(128 << 10, File::open(&input.path).unwrap());
    let (mut line, mut events) = (Vec::new(), 0);
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        let end = line.iter().rposition(|byte| *byte == b'}').unwrap() + 1;
        events += 1;
        // Some names hold bytes that strict parsers reject.
        let Ok(parsed) = serde_json::from_slice::<Line<'_>>(&line[..end]) else { continue };
        let Line { name, id, process, timestamp, payload } = black_box(&parsed);
        black_box((name, id, process, timestamp));
        let payload = payload.as_ref().map(|payload| {
            (&payload.process, &payload.unique_id, &payload.name, &payload.kind, &payload.file)
        });
        black_box(payload);
    }
    assert_eq!(events, input.events);
}

fn mtail(program: &Path, input: &Input) {
    let output = Command::new("mtail")
        .arg("--one_shot")
        .arg("--progs")
        .arg(program)
        .arg("--logs")
        .arg(&input.path)
        .stderr(Stdio::null())
        .output()
        .expect("mtail must be installed (Debian package mtail)");
    let counted: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let values = counted["events"][0]["LabelValues"].as_array().unwrap();
    let sum: u64 = values.iter().map(|value| value["Value"]["Value"].as_u64().unwrap()).sum();
    assert_eq!(sum, input.events);
}

fn main() {
    // `cargo test` only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut core = CpuSet::new();
    let allowed = sched_getaffinity(None).unwrap();
    core.set((0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap());
    sched_setaffinity(None, &core).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("events.mtail");
    fs::write(&program, MTAIL).unwrap();
    let large = repeat(folder.path(), "json_noappend.json", LARGE);
    let small = repeat(folder.path(), "json_noappend.json", SMALL);
    let one = repeat(folder.path(), "json_noappend.json", 1);
    let xml = repeat(folder.path(), "xml_noappend.xml", LARGE);
    let text = repeat(folder.path(), "text_noappend.txt", LARGE);

    // The start of other programs, measured with a very short file, is subtracted.
    let start = Instant::now();
    mtail(&program, &one);
    let start = start.elapsed();

    let none = Duration::ZERO;
    let json = measure(&large, none, ours);
    let rows: HashMap<&str, Rate> = HashMap::from([
        ("serde_json", measure(&large, none, serde_json_alone)),
        ("mtail", measure(&small, start, |input| mtail(&program, input))),
        ("xml", measure(&xml, none, ours)),
        ("text", measure(&text, none, ours)),
    ]);

    println!("{:<34}{:>12}{:>9}{:>9}{:>9}", "one core, warm cache", "entries/s", "MB/s", "ratio", "target");
    let show = |name: &str, rate: &Rate| print!("{name:<34}{:>12.0}{:>9.1}", rate.lines, rate.bytes / 1e6);
    show("JSON file", &json);
    println!();
    for (key, name, ratio, target) in [
        ("serde_json", "serde_json alone, small struct", json.lines / rows["serde_json"].lines, 0.6),
        ("mtail", "mtail, counting by name", json.lines / rows["mtail"].lines, 8.0),
        ("xml", "XML file", rows["xml"].bytes / json.bytes, 0.4),
        ("text", "text file", rows["text"].bytes / json.bytes, 0.4),
    ] {
        show(name, &rows[key]);
        println!("{ratio:>9.2}{target:>9.1}{}", if ratio < target { "  missed" } else { "" });
    }
}
