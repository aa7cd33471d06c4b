//! Prometheus agrees with the truth of the simulated servers, in each scrape and at the end.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ems_simulator::{Format, Options, Truth};

use testkit::prometheus::Prometheus;
use testkit::wait::holds;
use testkit::{Exporter, now, wait_for};

use crate::facts::{self, Facts};
use crate::program;
use testkit::simulated::{Quiet, Simulated};

/// How many scrapes see a running server, at least.
const LIFE: usize = 20;

/// Which facts can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    All,
    /// Closes are lost on purpose, so only counts agree while the server runs.
    Counts,
}

/// A simulated server and where it posts.
struct Case {
    name: &'static str,
    path: &'static str,
    options: Options,
    compare: Compare,
    /// Events that must have been delivered before the end.
    events: &'static [&'static str],
}

impl Case {
    fn new(name: &'static str, path: &'static str, options: Options) -> Self {
        Self { name, path, options, compare: Compare::All, events: &[] }
    }
}

/// A case whose server runs.
struct Running {
    name: &'static str,
    compare: Compare,
    crashes: bool,
    events: &'static [&'static str],
    /// Gone once it has ended.
    simulated: Option<Simulated>,
    /// The facts of each scrape that could be compared.
    compared: Vec<Facts>,
    /// When the last checked scrape began, in Unix seconds.
    checked_until: f64,
}

impl Running {
    /// Compares each further scrape that fell into a quiet moment of the server with the truth at that time.
    fn compare(&mut self, prometheus: &Prometheus, quiet: &[Quiet]) {
        let name = self.name;
        let durations = prometheus.scraped_after("scrape_duration_seconds", self.checked_until);
        // One that is being stored just now has no duration yet.
        let Some((_, durations)) = durations.first() else { return };
        let scrapes = prometheus.scraped_after(&format!("{{server=\"{name}\"}}"), self.checked_until);
        let mut scrapes = facts::of_scrapes(&scrapes);
        for (began, took) in durations {
            self.checked_until = *began;
            // A millisecond is lost in the time at which a scrape began.
            let within = |span: &&Quiet| span.from < began - 0.002 && began + took + 0.002 < span.to;
            let scraped = scrapes.remove(&((began * 1000.0).round() as u64));
            let (Some(mut scraped), Some(span)) = (scraped, quiet.iter().find(within)) else { continue };
            let mut known = facts::of_truth(&span.truth);
            if self.compare == Compare::Counts && span.truth.running {
                (known, scraped) = (facts::without_open(known), facts::without_open(scraped));
            }
            let difference = facts::difference(&known, &scraped);
            assert!(difference.is_empty(), "server {name} at {began}:\n{difference}");
            self.compared.push(known);
        }
    }

    /// The comparisons that are still missing.
    fn missing(&self) -> Option<String> {
        let missing = if self.compare == Compare::All { missing_kinds(&self.compared) } else { Vec::new() };
        let truth = self.simulated.as_ref().unwrap().server().truth();
        let missing_events: Vec<_> =
            self.events.iter().filter(|event| !truth.delivered.contains_key(*event)).collect();
        let restarted = !self.crashes || truth.starts == 2;
        let enough = self.compared.len() >= 3 && missing.is_empty() && missing_events.is_empty() && restarted;
        (!enough).then(|| {
            format!("{}: {} compared, without {missing:?} {missing_events:?}", self.name, self.compared.len())
        })
    }
}

/// Runs all servers at the same time with one exporter and one Prometheus, and compares.
fn assert_agreement(cases: Vec<Case>) -> Vec<Truth> {
    // A comparison needs moments at which nothing happens, which concurrent tests would make rare.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let exporter = program().serve(&[]);
    let prometheus = Prometheus::scraping(exporter.address);
    let started = now();
    let mut running: Vec<_> = cases
        .into_iter()
        .map(|Case { name, path, options, compare, events }| {
            let crashes = options.crash_after.is_some();
            let url = exporter.url(path).parse().unwrap();
            let simulated = Simulated::start(Options { url, ..options });
            Running {
                name,
                compare,
                crashes,
                events,
                simulated: Some(simulated),
                compared: Vec::new(),
                checked_until: started,
            }
        })
        .collect();
    let mut scrapes = 0;
    wait_for("enough scrapes in moments at which nothing happens", || {
        prometheus.wait_for_scrape_after(now());
        scrapes += 1;
        for one in &mut running {
            // The last span is still open, but it covers every scrape that has ended by now.
            let quiet = one.simulated.as_ref().unwrap().quiet();
            one.compare(&prometheus, &quiet);
        }
        let missing = running.iter().find_map(Running::missing);
        holds(scrapes >= LIFE && missing.is_none(), (scrapes, missing))
    });
    let mut ended = Vec::new();
    for mut one in running {
        let simulated = one.simulated.take().unwrap();
        let (truth, quiet) = simulated.end();
        ended.push((one, truth, quiet));
    }
    prometheus.wait_for_scrape_after(now());
    prometheus.assert_pages_accepted();
    for (one, truth, quiet) in &mut ended {
        let name = one.name;
        assert!(truth.rejected.is_empty(), "{name}: {:?}", truth.rejected);
        assert!(one.compare == Compare::Counts || truth.lost.is_empty(), "{name}: {:?}", truth.lost);
        one.compare(&prometheus, quiet);
        let last = one.compared.last().unwrap();
        assert_eq!(last.get("event serverStopping"), Some(&1.0), "the end of {name} is compared");
        assert!(
            one.compared.iter().any(|facts| facts.contains_key("up")),
            "{name} is compared while it runs"
        );
    }
    let truths: Vec<Truth> = ended.into_iter().map(|(_, truth, _)| truth).collect();
    assert_accounts(&exporter, &truths);
    truths
}

/// The kinds of facts that were not compared, since comparing two empty sets proves nothing.
fn missing_kinds(compared: &[Facts]) -> Vec<&'static str> {
    let seen: BTreeSet<&str> = compared.iter().flat_map(|facts| facts.keys().map(String::as_str)).collect();
    let kinds = [
        "open: streams in",
        "open: stream cam1",
        "open: streams out play",
        "open: streams out push",
        "open: outputs hls",
        "open: outputs hds",
        "open: outputs dash",
        "open: outputs mss",
        "open: outputs record",
        "open: timers",
        "timers triggered",
        "open: sessions",
        "chunks closed hls \"hls\" \"cam1\" \"\"",
        "chunks closed dash \"dash\" \"cam1\" \"audio\"",
        "chunks closed mss \"mss\" \"cam3\" \"video\"",
        "chunks closed record \"flv\" \"cam4\" \"\"",
    ];
    kinds.into_iter().filter(|kind| !seen.contains(kind)).collect()
}

/// Every post is accounted for: applied, or recognised as a duplicate.
fn assert_accounts(exporter: &Exporter, truths: &[Truth]) {
    let total = |of: fn(&Truth) -> u64| truths.iter().map(of).sum::<u64>() as f64;
    let duplicated = total(|truth| truth.duplicated.values().sum());
    let delivered = total(|truth| truth.delivered.values().sum());
    assert_eq!(exporter.assert_accounted(), delivered);
    assert_eq!(exporter.sum("ems_exporter_events_duplicate_total{"), duplicated);
    assert_eq!(exporter.sum("ems_exporter_events_applied_total{"), delivered - duplicated);
}

/// Runs faster than real time.
fn fast(seed: u64, format: Format) -> Options {
    Options { speed: 2.0, chunk_length: Duration::from_secs(20), seed, format, ..Options::default() }
}

#[test]
fn prometheus_agrees_with_the_server_for_every_serializer() {
    // Faster, so that inputs come and go.
    let faster = |seed, format| Options { speed: 8.0, ..fast(seed, format) };
    let cases = [
        Case::new("a", "/events/a", faster(1, Format::Json)),
        Case::new("b", "/events/b", Options { nul_header: true, ..faster(2, Format::Xml) }),
        Case::new("c", "/events/c", faster(3, Format::Xmlrpc)),
        Case::new("ems", "/events", Options { streams: 7, ..faster(4, Format::Json) }),
    ];
    let events = &["inStreamClosed", "outStreamClosed", "timerClosed", "streamingSessionEnded"];
    assert_agreement(cases.into_iter().map(|case| Case { events, ..case }).collect());
}

#[test]
fn duplicates_reordering_and_loss_do_not_change_the_facts() {
    let truths = assert_agreement(vec![
        Case::new("copied", "/events/copied", Options { duplicates: 0.1, ..fast(11, Format::Json) }),
        Case::new("reordered", "/events/reordered", Options { reorder: 0.1, ..fast(12, Format::Json) }),
        Case::new(
            "both",
            "/events/both",
            Options { duplicates: 0.05, reorder: 0.05, format: Format::Xml, ..fast(13, Format::Json) },
        ),
        Case {
            compare: Compare::Counts,
            ..Case::new("losing", "/events/losing", Options { lose_closes: 0.5, ..fast(14, Format::Json) })
        },
    ]);
    assert!(truths.iter().take(3).all(|truth| truth.lost.is_empty()));
    assert!(!truths[0].duplicated.is_empty() && !truths[3].lost.is_empty());
}

/// A crash in the middle; delayed events arrive during the pause before the next start.
fn crashing(seed: u64) -> Options {
    Options {
        crash_after: Some(Duration::from_secs(54)),
        crash_pause: Duration::from_secs(10),
        ..fast(seed, Format::Json)
    }
}

#[test]
fn a_crash_closes_open_objects_and_keeps_counts() {
    let truths = assert_agreement(vec![
        Case::new("new", "/events/new", crashing(21)),
        Case::new("same", "/events/same", Options { crash_keep_pid: true, ..crashing(22) }),
        Case::new(
            "same-troubled",
            "/events/same-troubled",
            Options { crash_keep_pid: true, reorder: 0.03, duplicates: 0.03, ..crashing(23) },
        ),
        Case::new(
            "new-troubled",
            "/events/new-troubled",
            Options { reorder: 0.03, duplicates: 0.03, ..crashing(24) },
        ),
    ]);
    assert!(truths.iter().all(|truth| truth.starts == 2), "{truths:?}");
}

#[test]
fn hostile_names_and_bursts_are_counted_like_any_other() {
    let hostile = |seed, format| Options { hostile_names: true, format, ..fast(seed, format) };
    assert_agreement(vec![
        Case::new("json", "/events/json", hostile(31, Format::Json)),
        Case::new("xml", "/events/xml", hostile(32, Format::Xml)),
        Case::new("xmlrpc", "/events/xmlrpc", hostile(33, Format::Xmlrpc)),
        Case::new("burst", "/events/burst", Options { burst: 40, ..fast(34, Format::Json) }),
    ]);
}
