//! The programs that tests may need beside the exporter, and where they come from.

use std::env;
use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;
use std::process::{self, Command};

use crate::target_folder;

/// Each program with the Debian package that has it.
const PACKAGES: [(&str, &str); 7] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("amtool", "prometheus-alertmanager"),
    ("docker-compose", "docker-compose"),
    ("chromium", "chromium"),
    ("faketime", "faketime"),
];

/// Ends the test program with one sentence if any of these is missing. To be called before anything is started.
pub fn require(needed: &[&str]) {
    let missing: Vec<String> = needed.iter().filter_map(|name| missing(name)).collect();
    if missing.is_empty() {
        return;
    }
    // Past the capture of output by the test harness, since this is not the failure of one test.
    let sentence = format!("these tests need {}: tests/setup installs what is missing\n", missing.join(", "));
    drop(io::stderr().write_all(sentence.as_bytes()));
    process::exit(1);
}

/// The message about a missing program.
fn missing(name: &str) -> Option<String> {
    match name {
        "python3" => find(name).is_none().then(|| "python3 (Debian package python3-venv)".to_owned()),
        "prometheus_client" => (!prepared_python().exists())
            .then(|| "the Python package prometheus-client (Debian package python3-venv)".to_owned()),
        "playwright-core" => (!browser_modules().join("node_modules/playwright-core").exists())
            .then(|| "the package playwright-core of Node.js".to_owned()),
        "node" => find(name).is_none().then(|| "node (Node.js 20 or later)".to_owned()),
        _ => {
            let (_, package) =
                PACKAGES.iter().find(|(known, _)| *known == name).expect("the program is listed");
            find(name).is_none().then(|| format!("{name} (Debian package {package})"))
        }
    }
}

/// Where a program is: `tests/setup` links some of them into a folder of the target folder.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = iter::once(target_folder().join("programs")).chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A command that runs a program that the test [requires](require).
pub fn command(name: &str) -> Command {
    Command::new(find(name).unwrap_or_else(|| name.into()))
}

/// The Python that `tests/setup` has prepared, with the packages of the tests.
pub fn prepared_python() -> PathBuf {
    target_folder().join("python/bin/python3")
}

/// Where `tests/setup` puts the packages of `tests/browser/package.json`.
pub(crate) fn browser_modules() -> PathBuf {
    target_folder().join("browser")
}
