//! Prometheus answers what the simulated servers know themselves, scrape by scrape and in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use ems_simulator::{Format, Options, Truth};

use crate::exporter::Exporter;
use crate::facts::{self, Facts};
use crate::prometheus::Prometheus;
use crate::simulated::{Quiet, Simulated, now};

/// How much of what is open can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    All,
    /// Closes are lost on purpose, so only what is counted is true while the server runs.
    Counts,
}

/// A simulated server and where it posts.
struct Case {
    name: &'static str,
    path: &'static str,
    options: Options,
    compare: Compare,
}

impl Case {
    fn new(name: &'static str, path: &'static str, options: Options) -> Self {
        Self { name, path, options, compare: Compare::All }
    }
}

/// Lets all servers live at the same time before one exporter and one Prometheus, and compares.
fn assert_agreement(cases: Vec<Case>) -> Vec<Truth> {
    let exporter = Exporter::serving("");
    let prometheus = Prometheus::scraping(exporter.address);
    let running: Vec<_> = cases
        .into_iter()
        .map(|Case { name, path, options, compare }| {
            let url = exporter.target(path);
            (name, compare, Simulated::start(Options { url, ..options }))
        })
        .collect();
    let ended: Vec<_> =
        running.into_iter().map(|(name, compare, simulated)| (name, compare, simulated.finish())).collect();
    prometheus.wait_for_scrape_after(now());
    prometheus.assert_every_scrape_succeeded();
    let durations = prometheus.scraped("scrape_duration_seconds");
    let durations = &durations[0].1;
    for (name, compare, (truth, quiet)) in &ended {
        assert!(truth.refused.is_empty(), "{name}: {:?}", truth.refused);
        assert!(*compare == Compare::Counts || truth.lost.is_empty(), "{name}: {:?}", truth.lost);
        let scrapes = facts::of_scrapes(&prometheus.scraped(&format!("{{server=\"{name}\"}}")));
        let mut compared: Vec<Facts> = Vec::new();
        for (at, scraped) in &scrapes {
            let began = *at as f64 / 1000.0;
            let took = durations.iter().find(|(moment, _)| *moment == began).map(|(_, took)| *took).unwrap();
            // A millisecond is lost in the time at which a scrape began.
            let within = |span: &&Quiet| span.from < began - 0.002 && began + took + 0.002 < span.to;
            let Some(span) = quiet.iter().find(within) else { continue };
            let (mut known, mut scraped) = (facts::of_truth(&span.truth), scraped.clone());
            if *compare == Compare::Counts && span.truth.running {
                (known, scraped) = (facts::without_open(known), facts::without_open(scraped));
            }
            let difference = facts::difference(&known, &scraped);
            assert!(difference.is_empty(), "server {name} at {began}:\n{difference}");
            compared.push(known);
        }
        eprintln!("server {name}: {} of {} scrapes compared", compared.len(), scrapes.len());
        assert!(compared.len() >= 3, "only {} scrapes of {name} fell into a quiet moment", compared.len());
        let last = compared.last().unwrap();
        assert_eq!(last.get("event serverStopping"), Some(&1.0), "the end of {name} is compared");
        assert!(compared.iter().any(|facts| facts.contains_key("up")), "{name} is compared while it runs");
        if *compare == Compare::All {
            assert_all_kinds(name, &compared);
        }
    }
    let truths: Vec<Truth> = ended.into_iter().map(|(_, _, (truth, _))| truth).collect();
    assert_accounts(&exporter, &truths);
    truths
}

/// A comparison of nothing with nothing proves nothing.
fn assert_all_kinds(name: &str, compared: &[Facts]) {
    let seen: BTreeSet<&str> = compared.iter().flat_map(|facts| facts.keys().map(String::as_str)).collect();
    for kind in [
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
    ] {
        assert!(seen.contains(kind), "no compared scrape of {name} has any {kind}; there are {seen:#?}");
    }
}

/// Every post is accounted for: applied, or recognised as a copy.
fn assert_accounts(exporter: &Exporter, truths: &[Truth]) {
    let total = |of: fn(&Truth) -> u64| truths.iter().map(of).sum::<u64>() as f64;
    let duplicated = total(|truth| truth.duplicated.values().sum());
    let delivered = total(|truth| truth.delivered.values().sum());
    assert_eq!(exporter.sum("ems_exporter_events_received_total{"), delivered);
    assert_eq!(exporter.sum("ems_exporter_events_duplicate_total{"), duplicated);
    assert_eq!(exporter.sum("ems_exporter_events_applied_total{"), delivered - duplicated);
}

/// Minutes of a server's life in some seconds.
fn hasty(seconds: u64, seed: u64, format: Format) -> Options {
    Options {
        speed: 20.0,
        chunk_length: Duration::from_secs(20),
        duration: Some(Duration::from_secs(seconds)),
        seed,
        format,
        ..Options::default()
    }
}

#[test]
fn prometheus_knows_what_the_server_knows_whatever_the_serializer() {
    let truths = assert_agreement(vec![
        Case::new("a", "/events/a", hasty(24, 1, Format::Json)),
        Case::new("b", "/events/b", Options { nul_header: true, ..hasty(24, 2, Format::Xml) }),
        Case::new("c", "/events/c", hasty(24, 3, Format::Xmlrpc)),
        Case::new("ems", "/events", Options { streams: 7, ..hasty(24, 4, Format::Json) }),
    ]);
    for truth in truths {
        for event in ["inStreamClosed", "outStreamClosed", "timerClosed", "streamingSessionEnded"] {
            assert!(truth.delivered.contains_key(event), "no {event} in {truth:?}");
        }
    }
}

/// Slower, so that what is held back leaves moments at which everything has arrived.
fn troubled(seed: u64) -> Options {
    Options { speed: 4.0, ..hasty(24, seed, Format::Json) }
}

#[test]
fn faults_on_the_way_change_nothing_of_what_is_true() {
    let truths = assert_agreement(vec![
        Case::new("copied", "/events/copied", Options { duplicates: 0.1, ..troubled(11) }),
        Case::new("reordered", "/events/reordered", Options { reorder: 0.1, ..troubled(12) }),
        Case::new(
            "both",
            "/events/both",
            Options { duplicates: 0.05, reorder: 0.05, format: Format::Xml, ..troubled(13) },
        ),
        Case {
            compare: Compare::Counts,
            ..Case::new(
                "losing",
                "/events/losing",
                Options { lose_closes: 0.5, ..hasty(24, 14, Format::Json) },
            )
        },
    ]);
    assert!(truths.iter().take(3).all(|truth| truth.lost.is_empty()));
    assert!(!truths[0].duplicated.is_empty() && !truths[3].lost.is_empty());
}

/// A crash in the middle; the pause lets what was held back arrive before the next start.
fn crashing(seed: u64) -> Options {
    Options {
        crash_after: Some(Duration::from_secs(54)),
        crash_pause: Duration::from_secs(10),
        ..Options { duration: Some(Duration::from_secs(30)), ..troubled(seed) }
    }
}

#[test]
fn a_crash_closes_what_was_open_and_keeps_what_was_counted() {
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
    let hostile = |seed, format| Options { hostile_names: true, format, ..hasty(24, seed, format) };
    assert_agreement(vec![
        Case::new("json", "/events/json", hostile(31, Format::Json)),
        Case::new("xml", "/events/xml", hostile(32, Format::Xml)),
        Case::new("xmlrpc", "/events/xmlrpc", hostile(33, Format::Xmlrpc)),
        Case::new("burst", "/events/burst", Options { burst: 40, ..hasty(24, 34, Format::Json) }),
    ]);
}
