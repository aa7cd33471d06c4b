//! Our program, running on a port of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use ems_simulator::Target;
use tempfile::TempDir;

use crate::http::{self, Response};
use crate::process::{self, Process};
use crate::waiting::SOON;

/// Where our own program comes from.
const PACKAGE: &str = "it with cargo";

/// A command of our program, free of what the environment of the tests says.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
    command.env_clear().args(arguments);
    command
}

/// Runs our program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    process::run(&mut command(arguments), PACKAGE, b"")
}

/// A running exporter.
#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Exporter {
    /// Serves with a configuration, on a port that is free.
    pub(crate) fn serving(config: &str) -> Self {
        Self::serving_at(config, 0)
    }

    /// Serves with a configuration, on this port.
    pub(crate) fn serving_at(config: &str, port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let file: PathBuf = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let address = format!("127.0.0.1:{port}");
        let mut command = command(&["--web.listen-address", &address, "--config.file"]);
        command.arg(&file);
        let mut process = Process::start(&mut command, PACKAGE, folder.path());
        let address = process.wait_for_output(SOON, |output| after(output, "scrapes address="));
        Self { process, address, _folder: folder }
    }

    /// Serves with a simulated media server.
    pub(crate) fn demo() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = command(&["demo", "--web.listen-address", "127.0.0.1:0"]);
        let mut process = Process::start(&mut command, PACKAGE, folder.path());
        let address = process.wait_for_output(SOON, |output| after(output, "metrics   http://"));
        Self { process, address, _folder: folder }
    }

    /// Where a media server posts its events.
    pub(crate) fn target(&self, path: &str) -> Target {
        Target { port: self.address.port(), path: path.to_owned(), ..Target::default() }
    }

    /// Asks for a path.
    pub(crate) fn get(&self, path: &str, headers: &str) -> Response {
        http::get(self.address, path, headers).expect("the exporter answers")
    }

    /// The sum of all samples of the metrics page whose line begins with `start`.
    pub(crate) fn sum(&self, start: &str) -> f64 {
        sum(self.get("/metrics", "").text(), start)
    }
}

/// The sum of all samples of a metrics page whose line begins with `start`.
pub(crate) fn sum(page: &str, start: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(start));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// The address that stands behind a text.
fn after(output: &str, text: &str) -> Option<SocketAddr> {
    let (_, rest) = output.split_once(text)?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))?;
    rest[..end].parse().ok()
}
