//! The running programs, on loopback: the demo, a Prometheus that scrapes it, and a second media server.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use testkit::ports::free_port;
use testkit::process::Process;
use testkit::prometheus::Prometheus;
use testkit::{Exporter, Program, programs};

/// A rule for both servers, so that the dashboards have actions to show.
const RULES: &str = "\
servers: [{name: ems}, {name: SECOND, api: {url: 'http://API'}}]
rules:
  - name: package it once more
    on: inStreamCreated
    call: createDASHStream
    with: {localStreamNames: '{{ stream }}', targetFolder: /srv/www, groupName: more, keepAlive: 0}
";

/// The running programs.
#[derive(Debug)]
pub struct Stage {
    prometheus: Prometheus,
    _second: Process,
    _exporter: Exporter,
    _folder: TempDir,
}

impl Stage {
    /// Starts the demo, a Prometheus, and, once that has scraped, a second server with the arguments of `simulate`.
    pub fn start(speed: &str, second: &str, simulate: &[&str]) -> Self {
        programs::require(&["prometheus"]);
        let program = Program(env!("CARGO_BIN_EXE_ems-exporter"));
        let folder = TempDir::new().unwrap();
        let api = format!("127.0.0.1:{}", free_port());
        let rules = folder.path().join("rules.yml");
        fs::write(&rules, RULES.replace("SECOND", second).replace("API", &api)).unwrap();
        let exporter = program.demo(&["--speed", speed, "--config.file", rules.to_str().unwrap()]);
        let prometheus = Prometheus::scraping(exporter.address);
        let url = exporter.url(&format!("/events/{second}"));
        let mut server = program.command(&["simulate", "--url", &url, "--api", &api]);
        let server = Process::start(server.args(simulate));
        Self { prometheus, _second: server, _exporter: exporter, _folder: folder }
    }

    /// Queries Prometheus's API: the `data` of its answer, or its error.
    pub fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        self.prometheus.api(path, parameters)
    }
}
