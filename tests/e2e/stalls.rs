//! Exactly the stalled output is found by the query of the alert, and its stall is counted once.

use std::time::Duration;

use ems_simulator::{Options, OutputFormat};

use testkit::prometheus::Prometheus;
use testkit::wait::holds;
use testkit::{now, wait_for};

use crate::program;
use testkit::simulated::Simulated;

const STALLED: &str = "ems_chunk_stalled == 1";

#[test]
fn a_stall_is_seen_while_it_lasts_and_counted_once() {
    let exporter = program().configured("stall: {factor: 3, minimum: 5s}");
    let prometheus = Prometheus::scraping(exporter.address);
    let began = now();
    let simulated = Simulated::start(Options {
        url: exporter.url("/").parse().unwrap(),
        streams: 2,
        chunk_length: Duration::from_secs(1),
        stall: vec!["cam2:hls:after=8s,for=10s".parse().unwrap()],
        ..Options::default()
    });
    let stalled =
        wait_for("a stall", || prometheus.now(STALLED).into_iter().next().ok_or("no output has stalled"));
    for (label, value) in [("server", "ems"), ("format", "hls"), ("group", "hls"), ("stream", "cam2")] {
        assert_eq!(stalled.0.get(label).map(String::as_str), Some(value), "{stalled:?}");
    }
    wait_for("the recovery", || {
        let stalled = prometheus.now(STALLED);
        holds(stalled.is_empty(), stalled)
    });
    let recovered = now();
    prometheus.wait_for_scrape_after(recovered);

    let stalls: Vec<_> = prometheus.now("ems_chunk_stalls_total").into_iter().collect();
    assert!(stalls.len() >= 5, "every track of every output has its number: {stalls:?}");
    for (labels, count) in stalls {
        let cam2 = labels["stream"] == "cam2" && labels["format"] == "hls";
        assert_eq!(count, f64::from(u8::from(cam2)), "{labels:?}");
    }
    // The streams never closed: only the age of the chunks shows the stall.
    assert_eq!(prometheus.now("sum(ems_stream_up)")[0].1, 2.0);
    let all = prometheus.each_second(STALLED, began, recovered);
    assert_eq!(all.len(), 1, "no other output ever stalled: {all:?}");
    let (truth, quiet) = simulated.end();
    let held = |stalled: bool| {
        let mut spans = quiet.iter().filter(|span| {
            let hls = |output: &&ems_simulator::Output| {
                output.stream == "cam2" && output.format == OutputFormat::Hls
            };
            span.truth.outputs.iter().find(hls).is_some_and(|output| output.stalled == stalled)
        });
        spans.next_back().map(|span| span.from)
    };
    assert!(held(true) < held(false), "the stall was over in truth, too");
    assert_eq!(truth.lost, Default::default());
}
