//! A real Alertmanager, alone and on a port of its own.

use std::fs;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::process::Process;
use crate::programs;

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one with a configuration; it listens before this returns.
    pub fn configured(text: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, text).expect("the configuration can be written");
        let mut command = programs::command("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            // It has no peers.
            .args(["--cluster.listen-address=", "--web.listen-address=127.0.0.1:0", "--log.level=debug"]);
        let mut process = Process::start(&mut command);
        let address = process.wait_for_output(listening_on);
        Self { _process: process, address, _folder: folder }
    }
}

/// The address on which a program of the Prometheus project listens, from its log.
pub(crate) fn listening_on(output: &str) -> Option<SocketAddr> {
    let (_, rest) = output.split_once("msg=\"Listening on\" address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
