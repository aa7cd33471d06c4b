//! Outputs of a simulated server whose connections stay up: one that cannot write, one on a full disk, others that are healthy.

use std::collections::BTreeSet;
use std::time::Duration;

use ems_simulator::Options;
use tempfile::tempdir;
use testkit::prometheus::Labels;
use testkit::simulated::Simulated;
use testkit::wait::holds;
use testkit::{now, wait_for};

use crate::alerts::{NO_ALERTMANAGER, with_shipped_rules};
use crate::program;

const FOLDERS_READ: &str =
    "sum(ems_folders{state=\"readable\"}) == 4 unless sum(ems_folders{state=\"unreadable\"}) > 0";

fn output(labels: &Labels) -> String {
    ["stream", "format"].map(|name| labels.get(name).cloned().unwrap_or_default()).join("/")
}

#[test]
fn outputs_that_write_nothing_stall_once_each_although_they_open_or_announce_chunks() {
    let folder = tempdir().unwrap();
    let exporter = program().configured("stall: {factor: 3, minimum: 5s}");
    let prometheus = with_shipped_rules(&[exporter.address], NO_ALERTMANAGER);
    let began = now();
    let simulated = Simulated::start(Options {
        url: exporter.url("/").parse().unwrap(),
        streams: 2,
        chunk_length: Duration::from_secs(1),
        write_files: Some(folder.path().to_owned()),
        unwritable: vec!["cam1:hls:after=20s,for=20s".parse().unwrap()],
        disk_full: vec!["cam2:hls:after=20s,for=20s".parse().unwrap()],
        ..Options::default()
    });
    // They appear with their first chunks.
    wait_for("the folders to be read", || {
        let read = prometheus.now(FOLDERS_READ);
        holds(!read.is_empty(), read)
    });
    let both = ["cam1/hls", "cam2/hls"].map(str::to_owned);
    wait_for("both outputs to stall", || {
        let stalled: BTreeSet<String> =
            prometheus.now("ems_chunk_stalled == 1").iter().map(|(labels, _)| output(labels)).collect();
        holds(stalled == BTreeSet::from(both.clone()), stalled)
    });
    let stalled = now();
    wait_for("the alerts", || {
        let firing = prometheus.now("ALERTS{alertname=\"EmsChunkStalled\", alertstate=\"firing\"}");
        holds(firing.len() == 2, firing)
    });
    wait_for("both outputs to write again", || {
        let stalled = prometheus.now("ems_chunk_stalled == 1");
        holds(stalled.is_empty(), stalled)
    });
    let ended = now();
    prometheus.wait_for_scrape_after(ended);
    let all = prometheus.each_second("ems_chunk_stalled == 1", began, ended);
    let firing: BTreeSet<(String, String)> = prometheus
        .each_second("ALERTS{alertstate=\"firing\"}", began, ended)
        .iter()
        .map(|(labels, _)| (labels["alertname"].clone(), output(labels)))
        .collect();
    let stalls: Vec<(String, f64)> = prometheus
        .now("ems_chunk_stalls_total > 0")
        .iter()
        .map(|(labels, count)| (output(labels), *count))
        .collect();
    let (_, quiet) = simulated.end();
    assert!(
        quiet.iter().any(|span| span.from < stalled
            && span.truth.configs.iter().filter(|config| config.writes_nothing).count() == 2),
        "the stalls are true"
    );
    // The first is closed for most of each second, and yet each scrape shows that it stalls.
    for (labels, samples) in &all {
        assert!(both.contains(&output(labels)), "{labels:?}");
        let steps = samples.windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(steps.clone().all(|step| step == 1.0), "{labels:?}: {samples:?}");
    }
    assert_eq!(all.len(), 2, "{all:?}");
    for name in &both {
        assert_eq!(stalls.iter().filter(|(of, count)| of == name && *count == 1.0).count(), 1, "{stalls:?}");
    }
    assert_eq!(stalls.len(), 2, "{stalls:?}");
    let expected = [
        ("EmsChunkStalled", "cam1/hls"),
        ("EmsChunkStalled", "cam2/hls"),
        ("EmsChunkEmpty", "cam2/hls"),
        // The server says so once, and names no stream.
        ("EmsChunkErrors", "/hls"),
    ];
    let expected = expected.map(|(alert, output)| (alert.to_owned(), output.to_owned()));
    assert_eq!(firing, BTreeSet::from(expected));
    prometheus.assert_pages_accepted();
}
