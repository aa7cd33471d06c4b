//! `promtool` and the reference OpenMetrics parser find nothing wrong with the pages of a busy exporter.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ems_simulator::Options;

use crate::exporter::Exporter;
use crate::http::Response;
use crate::process::run;
use crate::simulated::Simulated;

const OPENMETRICS: &str = "Accept: application/openmetrics-text; version=1.0.0\r\n";
const GZIP: &str = "Accept-Encoding: gzip\r\n";

/// An exporter that has seen every family of metrics, and hostile names.
fn busy() -> Exporter {
    let exporter = Exporter::serving("servers: [{name: ems, expect: [missing]}]");
    let simulated = Simulated::start(Options {
        url: exporter.target("/events/ems"),
        speed: 50.0,
        hostile_names: true,
        duration: Some(Duration::from_secs(6)),
        ..Options::default()
    });
    let (truth, _) = simulated.finish();
    assert!(truth.lost.is_empty() && truth.refused.is_empty(), "{truth:?}");
    exporter
}

/// The page, unpacked if it is packed.
fn unpacked(response: &Response) -> Vec<u8> {
    assert_eq!(response.status, 200);
    if response.header("content-encoding") != "gzip" {
        return response.body.clone();
    }
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&*response.body).read_to_end(&mut page).unwrap();
    page
}

fn samples(page: &[u8]) -> usize {
    page.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count()
}

#[test]
fn promtool_and_the_reference_parser_find_nothing_wrong() {
    let exporter = busy();
    for encoding in ["", GZIP] {
        let response = exporter.get("/metrics", encoding);
        assert_eq!(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(response.header("content-encoding"), if encoding.is_empty() { "" } else { "gzip" });
        let page = unpacked(&response);
        let mut promtool = Command::new("promtool");
        let found = run(promtool.args(["check", "metrics"]), "the Debian package prometheus", &page);
        let said = String::from_utf8_lossy(&found.stderr) + String::from_utf8_lossy(&found.stdout);
        assert!(found.status.success() && said.is_empty(), "promtool: {}\n{said}", found.status);

        let response = exporter.get("/metrics", &format!("{OPENMETRICS}{encoding}"));
        let kind = response.header("content-type");
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let page = unpacked(&response);
        assert!(page.ends_with(b"\n# EOF\n"));
        assert_eq!(parsed_by_reference(&page), samples(&page));
    }
}

/// How many samples the reference parser finds.
fn parsed_by_reference(page: &[u8]) -> usize {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/openmetrics.py");
    let package = "the Debian package python3";
    let output = run(Command::new(python()).arg(script), package, page);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the OpenMetrics page is not accepted: {said}");
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

/// The Python that `tests/all` has prepared, else the system's.
fn python() -> PathBuf {
    let prepared = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python").join("bin/python3");
    if prepared.exists() { prepared } else { PathBuf::from("python3") }
}
