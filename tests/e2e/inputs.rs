//! Inputs of a simulated server: one whose encoder freezes, one that is healthy, one without video.

use std::collections::BTreeSet;
use std::time::Duration;

use ems_simulator::Options;
use testkit::simulated::Simulated;
use testkit::wait::holds;
use testkit::{now, wait_for};

use crate::alerts::{NO_ALERTMANAGER, with_shipped_rules};
use crate::program;

#[test]
fn a_frozen_encoder_is_one_incident_until_it_is_back_and_other_inputs_raise_none() {
    let exporter = program().configured("stall: {factor: 3, minimum: 5s}");
    let prometheus = with_shipped_rules(&[exporter.address], NO_ALERTMANAGER);
    let began = now();
    let simulated = Simulated::start(Options {
        url: exporter.url("/").parse().unwrap(),
        streams: 3,
        chunk_length: Duration::from_secs(1),
        freeze: vec!["cam1:after=8s".parse().unwrap()],
        stream_expiry: Some(Duration::from_secs(10)),
        audio_only: vec!["cam3".to_owned()],
        ..Options::default()
    });
    wait_for("the input to expire", || {
        let expired = prometheus.now("ALERTS{alertname=\"EmsIngestExpired\", alertstate=\"firing\"}");
        holds(expired.iter().any(|(labels, _)| labels["stream"] == "cam1"), expired)
    });
    wait_for("the encoder to be back", || {
        let live =
            prometheus.now("sum(ems_inputs{state=\"live\"}) == 3 unless count(ems_chunk_stalled == 1)");
        holds(!live.is_empty(), live)
    });
    let ended = now();
    prometheus.wait_for_scrape_after(ended);
    // Before the server stops, which fires another alert.
    let firing: BTreeSet<(String, String)> = prometheus
        .scraped("ALERTS{alertstate=\"firing\"}")
        .into_iter()
        .map(|(labels, _)| (labels["alertname"].clone(), labels.get("stream").cloned().unwrap_or_default()))
        .collect();
    let stalled = prometheus.each_second("ems_chunk_stalled == 1", began, ended);
    simulated.end();
    for (alert, stream) in &firing {
        assert_eq!(stream, "cam1", "{alert}: {firing:?}");
    }
    for alert in ["EmsChunkStalled", "EmsIngestExpired"] {
        assert!(firing.contains(&(alert.to_owned(), "cam1".to_owned())), "{firing:?}");
    }
    // Both tracks of its DASH output, and its HLS output.
    assert_eq!(stalled.len(), 3, "{stalled:?}");
    assert!(stalled.iter().all(|(labels, _)| labels["stream"] == "cam1"), "{stalled:?}");
    prometheus.assert_pages_accepted();
}
