//! Exporters whose clock is wrong or steps: healthy outputs raise nothing but EmsClockSkew, and a true stall is seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ems_simulator::Options;
use tempfile::TempDir;
use testkit::prometheus::Prometheus;
use testkit::simulated::Simulated;
use testkit::wait::holds;
use testkit::{now, programs, wait_for};

use crate::alerts::{NO_ALERTMANAGER, with_shipped_rules};
use crate::program;

/// Seconds after which an output has stalled, and more than a step lasts.
const THRESHOLD: f64 = 5.0;
/// When an output of each server stalls: after the steps.
const STALL_AFTER: f64 = 40.0;
/// Differences to the true time through which a clock steps.
const STEPS: [i64; 5] = [0, 3600, 0, -3600, 0];

/// Waits for some scrapes by a clock that differs by about so many seconds.
fn wait_for_skew(prometheus: &Prometheus, instance: &str, skew: i64) {
    wait_for("scrapes by the clock", || {
        let since = format!("ems_exporter_time_seconds{{instance=\"{instance}\"}}");
        let scraped = prometheus.scraped_after(&since, now() - THRESHOLD);
        let skews: Vec<f64> = scraped.iter().flat_map(|(_, all)| all).map(|(at, time)| time - at).collect();
        holds(skews.len() >= 3 && skews.iter().all(|seen| (seen - skew as f64).abs() < 5.0), skews)
    });
}

fn step(file: &Path, difference: i64) {
    // Replaced at once: an empty file would be no time at all.
    let new = file.with_extension("new");
    fs::write(&new, format!("{difference:+}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn a_wrong_clock_and_a_step_raise_nothing_but_a_skew_and_hide_no_stall() {
    programs::require(&["faketime"]);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("time");
    step(&file, STEPS[0]);
    let stepping = format!("FAKETIME_CACHE_DURATION=1 FAKETIME_TIMESTAMP_FILE='{}'", file.display());
    let clocks = ["FAKETIME=-40s", "FAKETIME=+600s", &stepping];
    let config = format!("stall: {{factor: 3, minimum: {THRESHOLD}s}}");
    let exporters = clocks.map(|clock| program().configured_in_time(clock, &config));
    let addresses = exporters.each_ref().map(|exporter| exporter.address);
    let instances = addresses.map(|address| address.to_string());
    let prometheus = with_shipped_rules(&addresses, NO_ALERTMANAGER);
    let began = now();
    let simulated = exporters.each_ref().map(|exporter| {
        Simulated::start(Options {
            url: exporter.url("/").parse().unwrap(),
            streams: 2,
            chunk_length: Duration::from_secs(1),
            stall: vec![format!("cam2:hls:after={STALL_AFTER}s,for=10m").parse().unwrap()],
            ..Options::default()
        })
    });
    for difference in STEPS {
        step(&file, difference);
        wait_for_skew(&prometheus, &instances[2], difference);
    }
    assert!(now() - began < STALL_AFTER, "the steps took {} s", now() - began);
    let firing = || prometheus.scraped("ALERTS{alertstate=\"firing\"}");
    let stalled = |(alert, _): &(String, String)| alert == "EmsChunkStalled";
    let alerts = wait_for("the true stall of each server", || {
        let alerts: BTreeSet<(String, String)> = firing()
            .into_iter()
            .map(|(labels, _)| (labels["alertname"].clone(), labels["instance"].clone()))
            .collect();
        if alerts.iter().filter(|alert| stalled(alert)).count() == instances.len() {
            Ok(alerts)
        } else {
            Err(alerts)
        }
    });
    let skewed = instances[..2].iter().map(|instance| ("EmsClockSkew".to_owned(), instance.clone()));
    let stalls = instances.iter().map(|instance| ("EmsChunkStalled".to_owned(), instance.clone()));
    assert_eq!(alerts, skewed.chain(stalls).collect());
    for (labels, samples) in firing() {
        let (alert, first) = (&labels["alertname"], samples[0].0 - began);
        match &**alert {
            "EmsClockSkew" => assert!(first < 60.0, "it fired only after {first} s: {labels:?}"),
            _ => {
                assert_eq!((&*labels["stream"], &*labels["format"]), ("cam2", "hls"));
                assert!(first > STALL_AFTER, "it fired after {first} s already: {labels:?}");
            }
        }
    }
    let false_stalls = prometheus.each_second("ems_chunk_stalled{stream=\"cam1\"} == 1", began, now());
    assert!(false_stalls.is_empty(), "{false_stalls:?}");
    let ages = "ems_exporter_time_seconds - ignoring (server, format, group, stream, track) group_right () \
                ems_chunk_last_closed_timestamp_seconds{stream=\"cam1\"}";
    let ages = prometheus.each_second(ages, began, now());
    let ages: Vec<f64> = ages.iter().flat_map(|(_, all)| all).map(|(_, age)| *age).collect();
    // A chunk may close while its page is written.
    assert!(ages.len() > 100 && ages.iter().all(|age| (-1.0..THRESHOLD).contains(age)), "{ages:?}");
    prometheus.assert_pages_accepted();
    for simulated in simulated {
        assert_eq!(simulated.end().0.lost, Default::default());
    }
}
