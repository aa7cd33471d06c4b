//! `promtool` and the reference OpenMetrics parser accept the pages of a busy exporter.

use std::io::Read;
use std::process::Command;

use ems_simulator::Options;

use testkit::http::Response;
use testkit::process::{run, run_successfully};
use testkit::{Exporter, programs, repository};

use crate::program;
use testkit::simulated::Simulated;

const OPENMETRICS: (&str, &str) = ("Accept", "application/openmetrics-text; version=1.0.0");
const GZIP: (&str, &str) = ("Accept-Encoding", "gzip");

/// One of the last events of each family in the first minutes of a simulated server.
const SEEN: [&str; 7] = [
    "outStreamClosed",
    "mssChunkClosed",
    "recordChunkClosed",
    "timerTriggered",
    "streamingSessionEnded",
    "mediaFileDownloaded",
    "audioFeedStopped",
];

/// An exporter that has seen every family of metrics, and hostile names.
fn busy() -> Exporter {
    let exporter = program().configured("servers: [{name: ems, expect: [missing]}]");
    let simulated = Simulated::start(Options {
        url: exporter.url("/events/ems").parse().unwrap(),
        speed: 50.0,
        hostile_names: true,
        ..Options::default()
    });
    for event in SEEN {
        exporter.wait_for_value(&format!("ems_events_total{{server=\"ems\",event=\"{event}\"}}"), |count| {
            count > 0.0
        });
    }
    let (truth, _) = simulated.end();
    assert!(truth.rejected.is_empty(), "{truth:?}");
    exporter
}

/// The page, unpacked if it is packed.
fn unpacked(response: &Response) -> Vec<u8> {
    assert_eq!(response.status, 200);
    if response.header("content-encoding") != "gzip" {
        return response.body.to_vec();
    }
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&*response.body).read_to_end(&mut page).unwrap();
    page
}

fn samples(page: &[u8]) -> usize {
    page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count()
}

#[test]
fn promtool_and_the_reference_parser_accept_the_page() {
    let exporter = busy();
    for encoding in [&[][..], &[GZIP]] {
        let response = exporter.get("/metrics", encoding);
        assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(response.header("content-encoding"), if encoding.is_empty() { "" } else { "gzip" });
        let page = unpacked(&response);
        let mut promtool = programs::command("promtool");
        let found = run(promtool.args(["check", "metrics"]), &page);
        let report = String::from_utf8_lossy(&found.stderr) + String::from_utf8_lossy(&found.stdout);
        assert!(found.status.success() && report.is_empty(), "promtool: {}\n{report}", found.status);

        let response = exporter.get("/metrics", &[&[OPENMETRICS], encoding].concat());
        let kind = response.header("content-type");
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let page = unpacked(&response);
        assert!(page.ends_with(b"\n# EOF\n"));
        assert_eq!(parsed_by_reference(&page), samples(&page));
    }
}

/// The number of samples that the reference parser finds.
fn parsed_by_reference(page: &[u8]) -> usize {
    let script = repository().join("tests/e2e/openmetrics.py");
    let report = run_successfully(Command::new(programs::prepared_python()).arg(script), page);
    report.trim().parse().unwrap()
}
