//! The whole pipeline: a body from the HTTP transport to the state and the metrics page.

#![no_main]

use ems_exporter::exposition::Style;
use ems_exporter::model::Settings;
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::pipeline::{ConfiguredServer, Pipeline};
use ems_exporter::metrics::{self, ExporterMetrics, Sources};
use ems_protocol::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let now = Timestamp::from_seconds(1_795_364_100);
    let known = [ConfiguredServer { name: "ems".to_owned(), expected: Vec::new() }];
    let ingest = Pipeline::new(&known, &Settings::default(), 1);
    let server = ingest.servers().swap_remove(0);
    let accepted = ingest.accept(Transport::Http, &server, bytes, now);
    assert!(accepted.events >= accepted.rejected);
    assert_eq!(accepted.rejected > 0, accepted.first.is_some());
    ingest.tick(now);
    let own = ExporterMetrics::new(now).expect("the metrics are good");
    let mut page = Vec::new();
    let sources = Sources::of_events(&ingest, &own);
    metrics::render(sources, Style::OpenMetrics, now, &mut |part| page.extend_from_slice(part));
    // A name that is not escaped would break its line, one that is no UTF-8 the page.
    let page = String::from_utf8(page).expect("the page is UTF-8");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        assert!(value.is_some() && line.starts_with("ems_") || line.starts_with("process_"), "{line}");
    }
});
