//! A page of 100 000 series: how long it takes compared with the `prometheus` crate, how long it delays
//! events, the cost of compression, and whether scraping it under full load loses an event.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ems_exporter::config::Config;
use ems_exporter::exposition::Style;
use ems_exporter::http::state::App;
use ems_exporter::http::telemetry;
use ems_exporter::metrics::{self, Selection, Sources};
use ems_exporter::pipeline::tally::Transport;
use ems_protocol::Timestamp;
use prometheus::{Encoder, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use common::load::{self, Connections};
use common::{Recorded, START, median, millis, print_table};

/// How many series the page has at least.
const SERIES: u64 = 100_000;
const ROUNDS: usize = 15;
/// How many events are sent while the page is scraped again and again.
const EVENTS: u64 = 60_000;
/// The labels and the value of a sample.
type Series<'p> = (Vec<(&'p str, &'p str)>, f64);

fn page(app: &App) -> (u64, Vec<u8>) {
    let mut page = Vec::new();
    let mut take = |bytes: &[u8]| page.extend_from_slice(bytes);
    let series = metrics::render(
        Sources::of_events(&app.pipeline, &app.exporter_metrics),
        Style::Prometheus,
        Timestamp::now(),
        &mut take,
    );
    (series, page)
}

/// The size of the page with gzip.
fn compressed(app: &App) -> usize {
    let mut bytes = 0;
    let mut count = |piece: Vec<u8>| {
        bytes += piece.len();
        ControlFlow::Continue(())
    };
    let rendered =
        telemetry::page(app, &Selection::default(), Style::Prometheus, true, Timestamp::now(), &mut count);
    assert!(rendered.is_continue());
    bytes
}

/// Opens streams until the page has enough series; returns how many those are, and the next
/// sequence number.
fn fill(app: &App) -> (u64, u64) {
    let recorded = START.map(Recorded::read);
    let server = app.pipeline.server(None).unwrap();
    let (mut stream, mut id) = (0, 1);
    while page(app).0 < SERIES {
        for _ in 0..100 {
            for (at, event) in recorded.iter().enumerate() {
                // The inbound stream and the output have different ids.
                let unique = 1 + stream * 2 + u64::from(at >= 2);
                let body = event.body(id, unique, &format!("cam{stream:05}"));
                app.pipeline.accept(Transport::Http, &server, body.as_bytes(), Timestamp::now());
                id += 1;
            }
            stream += 1;
        }
    }
    (stream, id)
}

/// The series of a page as metrics of the `prometheus` crate; its few histograms are left out.
fn rival(page: &str) -> Registry {
    let registry = Registry::new();
    let mut kinds = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        kinds.insert(name, kind);
    }
    let mut families: BTreeMap<&str, Vec<Series<'_>>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels =
            labels.strip_suffix("\"}").unwrap_or_default().split("\",").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.split_once("=\"").unwrap()).collect();
        families.entry(name).or_default().push((labels, value.parse().unwrap()));
    }
    for (name, series) in families {
        let names: Vec<&str> = series[0].0.iter().map(|(name, _)| *name).collect();
        let values =
            |labels: &[(&str, &str)]| labels.iter().map(|(_, value)| (*value).to_owned()).collect::<Vec<_>>();
        match kinds.get(name) {
            Some(&"counter") => {
                let family = IntCounterVec::new(Opts::new(name, name), &names).unwrap();
                for (labels, value) in &series {
                    family.with_label_values(&values(labels)).inc_by(*value as u64);
                }
                registry.register(Box::new(family)).unwrap();
            }
            Some(&"gauge") => {
                let family = GaugeVec::new(Opts::new(name, name), &names).unwrap();
                for (labels, value) in &series {
                    family.with_label_values(&values(labels)).set(*value);
                }
                registry.register(Box::new(family)).unwrap();
            }
            _ => {}
        }
    }
    registry
}

/// The longest that another thread waits for the server's lock while one page is written.
fn longest_wait(app: &Arc<App>) -> f64 {
    let done = Arc::new(AtomicBool::new(false));
    let server = app.pipeline.server(None).unwrap();
    let waiting = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                server.read(|_| ());
                longest = longest.max(start.elapsed());
                // As the events of a busy server: thousands a second.
                std::thread::sleep(Duration::from_micros(100));
            }
            longest
        }
    });
    std::thread::sleep(Duration::from_millis(2));
    page(app);
    done.store(true, Ordering::Relaxed);
    millis(waiting.join().unwrap())
}

/// Times `work` in milliseconds.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    millis(start.elapsed())
}

fn main() {
    let app = ems_exporter::app::build(&Config::default()).unwrap();
    let (streams, next) = fill(&app);
    let (series, text) = page(&app);
    let registry = rival(std::str::from_utf8(&text).unwrap());
    let of_rival: usize = registry.gather().iter().map(|family| family.get_metric().len()).sum();

    let (mut ours, mut theirs, mut gzip, mut waits, mut ratios) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let exporter = timed(|| page(&app));
        let crates = timed(|| {
            let mut page = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut page).unwrap();
            page
        });
        ratios.push(crates / exporter);
        ours.push(exporter);
        theirs.push(crates);
        gzip.push(timed(|| compressed(&app)));
        waits.push(longest_wait(&app));
    }
    let compressed = compressed(&app);
    let (ours, theirs, gzip) = (median(&mut ours), median(&mut theirs), median(&mut gzip));
    let (wait, ratio) = (median(&mut waits), median(&mut ratios));
    let row = |what: &str, figure: String, target: &str| vec![what.to_owned(), figure, target.to_owned()];
    print_table(
        &format!(
            "render: {series} series of {streams} streams with one HLS output each, medians of {ROUNDS}"
        ),
        &["", "figure", "target"],
        &[
            row("page, ms", format!("{ours:.1}"), ""),
            row(&format!("prometheus crate, {of_rival} series, ms"), format!("{theirs:.1}"), ""),
            row("times faster", format!("{ratio:.1}"), "≥ 15"),
            row("longest wait for the lock, ms", format!("{wait:.1}"), "≤ 10"),
            row("the same, worst page of all, ms", format!("{:.1}", waits[ROUNDS - 1]), "≤ 10"),
            row("page with gzip, ms", format!("{gzip:.1}"), ""),
            row("bytes", text.len().to_string(), ""),
            row("bytes with gzip", compressed.to_string(), ""),
        ],
    );
    scrape_under_load(&app, streams, next);
}

/// Scrapes again and again over HTTP while events come as fast as they can be sent.
fn scrape_under_load(app: &Arc<App>, streams: u64, next: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let target = listener.local_addr().unwrap();
    let exporter = Arc::clone(app);
    runtime.spawn(async move {
        ems_exporter::app::run(exporter, &Config::default(), vec![listener], CancellationToken::new()).await
    });
    let chunk = Recorded::read("hlsChunkClosed");
    let requests = (0..EVENTS)
        .map(|at| load::post("/events", &chunk.body(next + at, 0, &format!("cam{:05}", at % streams))));
    let requests = requests.collect();

    let (before, [applied_before, ..]) = app.pipeline.tally().sums();
    let done = Arc::new(AtomicBool::new(false));
    let scraping = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut scrapes = Vec::new();
            while !done.load(Ordering::Relaxed) {
                scrapes.push(timed(|| load::request(target, &load::scrape())));
            }
            scrapes
        }
    });
    let took = load::send(target, requests, Connections::New);
    done.store(true, Ordering::Relaxed);
    let mut scrapes = scraping.join().unwrap();
    let (received, [applied, ..]) = app.pipeline.tally().sums();
    println!(
        "\nunder load: {} scrapes with gzip, one after the other, median {:.0} ms, within {:.1} s of {:.0} events a second\n\
         sent {EVENTS}, received {}, applied {} (target: all)",
        scrapes.len(),
        median(&mut scrapes),
        took.as_secs_f64(),
        EVENTS as f64 / took.as_secs_f64(),
        received - before,
        applied - applied_before,
    );
}
