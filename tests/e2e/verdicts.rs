//! The verdict on every output, each second, beside the truth of simulated servers with every fault that they know.
//!
//! It runs for two minutes, or as long as the environment variable `SOAK` says, such as `SOAK=1h`.

use std::collections::BTreeSet;
use std::time::Duration;

use ems_simulator::{Options, Target, Truth};
use tempfile::tempdir;
use testkit::ports::free_port;
use testkit::simulated::Simulated;
use testkit::{Exporter, now};

use crate::program;

const CHUNK: Duration = Duration::from_secs(2);
/// The longest time, in seconds, from the beginning of a fault to its verdict: three chunks since the last one, the chunk
/// that was open, and five seconds for an output that is made anew, which has never written.
const SEEN_WITHIN: f64 = 15.0;
/// The longest time, in seconds, from the end of a fault to the end of its verdict: an output that is made anew each second
/// opens, and closes its first chunk.
const OVER_WITHIN: f64 = 6.0;

/// An output: server, stream, format, group.
type Output = [String; 4];

/// The outputs that write nothing in truth, and those that have stalled by the exporter's word.
struct Moment {
    at: f64,
    held: BTreeSet<Output>,
    stalled: BTreeSet<Output>,
}

fn held(server: &str, truth: &Truth) -> BTreeSet<Output> {
    let outputs = truth.outputs.iter().filter(|output| output.stalled);
    let open = outputs.map(|output| (output.stream.clone(), output.format.name(), output.group.clone()));
    let streams = &truth.streams;
    let configs =
        truth.configs.iter().filter(|config| config.writes_nothing && streams.contains_key(&config.stream));
    let made_anew = configs.map(|config| (config.stream.clone(), config.purpose, config.group.clone()));
    open.chain(made_anew)
        // A recording has no group of its own; the exporter shows its container.
        .map(|(stream, format, group)| {
            [
                server.to_owned(),
                stream,
                format.to_owned(),
                if format == "record" { "flv".to_owned() } else { group },
            ]
        })
        .collect()
}

fn stalled(exporter: &Exporter) -> BTreeSet<Output> {
    let label = |series: &str, name: &str| {
        let (_, rest) = series.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let metrics = exporter.metrics();
    let all =
        metrics.iter().filter(|(series, value)| series.starts_with("ems_chunk_stalled{") && **value == 1.0);
    all.map(|(series, _)| ["server", "stream", "format", "group"].map(|name| label(series, name))).collect()
}

fn server(name: &str, port: u16, seed: u64, options: Options) -> Simulated {
    Simulated::start(Options {
        url: Target { port, path: format!("/events/{name}"), ..Target::default() },
        streams: 8,
        chunk_length: CHUNK,
        seed,
        duplicates: 0.02,
        stall: ["cam2:hls:after=20s,for=25s,every=100s", "cam6:after=50s,for=30s,every=210s"]
            .map(|stall| stall.parse().unwrap())
            .into(),
        unwritable: ["cam1:hls:after=30s,for=25s,every=120s", "cam4:record:after=40s,for=40s,every=170s"]
            .map(|fault| fault.parse().unwrap())
            .into(),
        freeze: vec!["cam3:after=45s".parse().unwrap()],
        stream_expiry: Some(Duration::from_secs(10)),
        audio_only: vec!["cam7".to_owned()],
        video_only: vec!["cam8".to_owned()],
        ..options
    })
}

#[test]
fn no_stall_is_false_and_none_is_missed() {
    let duration = std::env::var("SOAK").unwrap_or_else(|_| "2m".to_owned());
    let duration = humantime::parse_duration(&duration).expect("SOAK is a duration").as_secs_f64();
    let folder = tempdir().unwrap();
    let port = free_port();
    let polled = server(
        "polled",
        port,
        1,
        Options {
            api: Some("127.0.0.1:0".to_owned()),
            write_files: Some(folder.path().to_owned()),
            disk_full: vec!["cam5:dash:after=60s,for=25s,every=150s".parse().unwrap()],
            ..Options::default()
        },
    );
    let events_only = server(
        "events",
        port,
        2,
        Options { crash_after: Some(Duration::from_secs_f64(duration / 2.0)), ..Options::default() },
    );
    let api = polled.server().api_address().unwrap();
    let exporter = program().configured_at(
        port,
        &format!(
            "stall: {{factor: 3, minimum: 5s}}\nreconcile: {{interval: 5s}}\nservers:\n  \
             - {{name: polled, api: {{url: 'http://{api}'}}}}\n  - {{name: events}}\n"
        ),
    );
    let start = now();
    let mut moments: Vec<Moment> = Vec::new();
    let mut stalls = 0;
    let (mut missed, mut wrong) = (Vec::new(), Vec::new());
    while now() < start + duration {
        let at = now();
        let mut held_now = held("polled", &polled.server().truth());
        held_now.extend(held("events", &events_only.server().truth()));
        let stalled = stalled(&exporter);
        let since = |seconds: f64| moments.iter().rev().take_while(move |moment| moment.at >= at - seconds);
        for output in &held_now {
            let always =
                at - start > SEEN_WITHIN && since(SEEN_WITHIN).all(|moment| moment.held.contains(output));
            if always && !stalled.contains(output) {
                missed.push((at - start, output.clone()));
            }
        }
        for output in &stalled {
            if !held_now.contains(output) && !since(OVER_WITHIN).any(|moment| moment.held.contains(output)) {
                wrong.push((at - start, output.clone()));
            }
            let before = moments.last().is_some_and(|moment| moment.stalled.contains(output));
            stalls += usize::from(!before);
        }
        moments.push(Moment { at, held: held_now, stalled });
        std::thread::sleep(Duration::from_secs_f64((at + 1.0 - now()).max(0.0)));
    }
    let held: usize = moments.iter().map(|moment| moment.held.len()).sum();
    eprintln!(
        "{} looks, {held} at outputs that wrote nothing; {stalls} stalls, {} looks at false and {} at missed ones",
        moments.len(),
        wrong.len(),
        missed.len(),
    );
    assert!(stalls >= 6, "{stalls}");
    assert!(missed.is_empty(), "missed: {missed:?}");
    assert!(wrong.is_empty(), "false: {wrong:?}");
    polled.end();
    events_only.end();
}
