//! A real Alertmanager, alone and on a port of its own.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::waiting::SOON;

/// A running Alertmanager.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    _process: Process,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one with a configuration; it listens before this returns.
    pub(crate) fn configured(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, text).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            // It looks for no others.
            .args(["--cluster.listen-address=", "--web.listen-address=127.0.0.1:0", "--log.level=debug"]);
        let package = "the Debian package prometheus-alertmanager";
        let mut process = Process::start(&mut command, package, folder.path());
        let address = process.wait_for_output(SOON, |output| {
            let (_, rest) = output.split_once("msg=\"Listening on\" address=")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        Self { _process: process, address, _folder: folder }
    }
}
