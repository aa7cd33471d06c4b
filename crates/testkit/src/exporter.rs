//! The exporter, running on a port of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, Response, block_on};
use crate::process::{self, Process};
use crate::wait::{holds, wait_for};

/// The path of the exporter's program: `Program(env!("CARGO_BIN_EXE_ems-exporter"))`.
#[derive(Debug, Clone, Copy)]
pub struct Program(pub &'static str);

impl Program {
    /// A command without the environment of the tests.
    pub fn command(self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0);
        command.env_clear().args(arguments);
        command
    }

    /// Runs a command to its end.
    pub fn run(self, arguments: &[&str]) -> Output {
        process::run(&mut self.command(arguments), b"")
    }

    /// Serves with these flags, on a port that is free.
    pub fn serve(self, flags: &[&str]) -> Exporter {
        self.serve_after("", flags)
    }

    /// Serves after a shell has run `before`.
    pub fn serve_after(self, before: &str, flags: &[&str]) -> Exporter {
        self.serve_at(0, before, "", flags)
    }

    /// Serves with a configuration, on a port that is free.
    pub fn configured(self, config: &str) -> Exporter {
        self.configured_at(0, config)
    }

    /// Serves with a configuration, with a wall clock that these variables of libfaketime set; its monotonic clock is true.
    pub fn configured_in_time(self, faketime: &str, config: &str) -> Exporter {
        // The dynamic loader fills in LIB.
        let library = "LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1' FAKETIME_DONT_FAKE_MONOTONIC=1";
        self.serve_at(0, &format!("export {library} {faketime}"), config, &[])
    }

    /// Serves with a configuration, on this port.
    pub fn configured_at(self, port: u16, config: &str) -> Exporter {
        self.serve_at(port, "", config, &[])
    }

    fn serve_at(self, port: u16, before: &str, config: &str, flags: &[&str]) -> Exporter {
        let mut command = Command::new("/bin/sh");
        command.env_clear().args(["-c", &format!("{before}\nexec \"$0\" \"$@\""), self.0]);
        command.args(["--web.listen-address", &format!("127.0.0.1:{port}"), "--log.format", "json"]);
        let folder = TempDir::new().expect("a folder can be made");
        if !config.is_empty() {
            let file = folder.path().join("config.yml");
            fs::write(&file, config).expect("the configuration can be written");
            command.arg("--config.file").arg(file);
        }
        Exporter::start(command.args(flags), folder, |output| {
            let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.filter_map(|line| line["address"].as_str()?.parse().ok()).next()
        })
    }

    /// Serves with a simulated media server.
    pub fn demo(self, flags: &[&str]) -> Exporter {
        let folder = TempDir::new().expect("a folder can be made");
        let mut command = self.command(&["demo", "--web.listen-address", "127.0.0.1:0"]);
        Exporter::start(command.args(flags), folder, |output| {
            let (before, _) = output.split_once("/metrics\n")?;
            before.rsplit_once("http://")?.1.parse().ok()
        })
    }
}

/// A running exporter.
#[derive(Debug)]
pub struct Exporter {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Exporter {
    fn start(command: &mut Command, folder: TempDir, address: impl Fn(&str) -> Option<SocketAddr>) -> Self {
        let mut process = Process::start(command);
        let address = process.wait_for_output(address);
        Self { process, address, _folder: folder }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests a path.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        block_on(http::get(self.address, path, headers)).expect("the exporter answers")
    }

    /// Posts events.
    pub fn post(&self, body: impl Into<Vec<u8>>) -> Response {
        block_on(http::post(self.address, "/events", body.into())).expect("the exporter answers")
    }

    /// The values of the metrics page by series.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let page = self.get("/metrics", &[]);
        assert_eq!(page.status, 200, "{}", page.text());
        samples(page.text())
    }

    /// The value of a series, which must exist.
    pub fn value(&self, series: &str) -> f64 {
        self.metrics().get(series).copied().unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// The sum of all series that begin with `start`.
    pub fn sum(&self, start: &str) -> f64 {
        sum(&self.metrics(), start)
    }

    /// Waits until the value of a series meets a condition; a missing series does not.
    #[track_caller]
    pub fn wait_for_value(&self, series: &str, condition: impl Fn(f64) -> bool) {
        wait_for(&format!("the expected value of {series}"), || {
            let value = self.metrics().get(series).copied();
            holds(value.is_some_and(&condition), value)
        });
    }

    /// Fails if a received event is unaccounted for; returns how many were received.
    #[track_caller]
    pub fn assert_accounted(&self) -> f64 {
        let page = self.metrics();
        let sum = |part: &str| sum(&page, &format!("ems_exporter_events_{part}_total{{"));
        let received = sum("received");
        assert_eq!(received, sum("applied") + sum("duplicate") + sum("rejected") + sum("dropped"));
        received
    }
}

/// The values of a metrics page by series.
pub fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is not a sample"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line:?} has no number")))
        })
        .collect()
}

/// The sum of all series that begin with `start`.
pub fn sum(samples: &BTreeMap<String, f64>, start: &str) -> f64 {
    samples.iter().filter(|(series, _)| series.starts_with(start)).map(|(_, value)| value).sum()
}
