//! Recordings of a real server on which a verdict was wrong, posted at their own pace: the alerts of a real Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Exporter, now, repository, wait_for};

use crate::alerts::{NO_ALERTMANAGER, with_shipped_rules};
use crate::program;

/// Posts the events of a recording, which are a second apart if their stamps are.
fn play(exporter: &Exporter, recording: &str) {
    let file = repository().join("tests/fixtures/field").join(recording);
    let recording = fs::read_to_string(file).unwrap();
    let (began, mut first) = (Instant::now(), None);
    for line in recording.lines() {
        let body = line.trim_end_matches(',');
        let stamp = serde_json::from_str::<Value>(body).unwrap()["timestamp"].as_u64().unwrap();
        let since = Duration::from_secs(stamp - *first.get_or_insert(stamp));
        thread::sleep(since.saturating_sub(began.elapsed()));
        assert_eq!(exporter.post(body).status, 200, "{body}");
    }
}

#[test]
fn one_medium_raises_no_alert_and_an_output_made_anew_each_second_raises_one_that_lasts() {
    let exporters = [program().configured("{}"), program().configured("{}")];
    let addresses = exporters.each_ref().map(|exporter| exporter.address);
    let [one_medium, made_anew] = addresses.map(|address| address.to_string());
    let prometheus = with_shipped_rules(&addresses, NO_ALERTMANAGER);
    let began = now();
    thread::scope(|scope| {
        scope.spawn(|| play(&exporters[0], "one-medium-stream.json"));
        play(&exporters[1], "output-made-anew-each-second.json");
    });
    let ended = now();
    let firing = "ALERTS{alertstate=\"firing\"}";
    let firing = wait_for("the alerts", || {
        let firing = prometheus.scraped(firing);
        if firing.len() == 2 { Ok(firing) } else { Err(firing) }
    });
    let firing: BTreeMap<(&str, &str), &[(f64, f64)]> = firing
        .iter()
        .map(|(labels, samples)| ((&*labels["alertname"], &*labels["instance"]), &**samples))
        .collect();
    let stalled = ("EmsChunkStalled", &*made_anew);
    // The server reports two errors when the folder breaks, and none after that.
    assert!(
        firing.contains_key(&("EmsChunkErrors", &*made_anew)) && firing.contains_key(&stalled),
        "{firing:?}"
    );
    let samples = firing[&stalled];
    let last = samples.iter().map(|(at, _)| *at).fold(0.0, f64::max);
    let gap = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max);
    assert!(ended - last <= gap + 2.0, "it has ended {} s before the recording", ended - last);
    let stalls = prometheus.now("ems_chunk_stalls_total > 0");
    assert!(stalls.len() == 1 && stalls[0].1 == 1.0, "{stalls:?}");
    let false_stalls =
        prometheus.each_second(&format!("ems_chunk_stalled{{instance=\"{one_medium}\"}} == 1"), began, now());
    assert!(false_stalls.is_empty(), "{false_stalls:?}");
    prometheus.assert_pages_accepted();
}
