//! The parts of the test, all on loopback: our program, a Prometheus that scrapes it, and a way to ask them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_port;

/// A long time for anything that should take a moment, even on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// From one look at a condition to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// A rule for both servers, so that there are actions to be shown.
const RULES: &str = "\
servers: [{name: ems}, {name: SECOND, api: {url: 'http://API'}}]
rules:
  - name: package it once more
    on: inStreamCreated
    call: createDASHStream
    with: {localStreamNames: '{{ stream }}', targetFolder: /srv/www, groupName: more, keepAlive: 0}
";

/// A process that ends with the test; its output is kept to be looked at.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program; `remedy` completes "cannot be run: …".
    fn start(name: &'static str, command: &mut Command, remedy: &str, folder: &Path) -> Self {
        let output = folder.join(format!("{name}.log"));
        let file = File::create(&output).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{name} cannot be run: {remedy} ({error})"));
        Self { name, child, output }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned()
    }

    /// Waits for the address that it says behind a text.
    fn address(&mut self, behind: &str) -> SocketAddr {
        let deadline = Instant::now() + SOON;
        loop {
            let said = self.said();
            let rest = said.split_once(behind).map_or("", |(_, rest)| rest);
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'));
            if let Some(address) = end.and_then(|end| rest[..end].parse().ok()) {
                return address;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended with {ended:?}:\n{said}", self.name);
            assert!(Instant::now() < deadline, "{} does not say its address:\n{said}", self.name);
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            let said = self.said();
            let last: Vec<&str> = said.lines().rev().take(10).collect();
            eprintln!("--- the last that {} said, latest first:\n{}", self.name, last.join("\n"));
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Our program, with what the environment of the tests says kept out.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
    command.env_clear().args(arguments);
    command
}

/// All that runs.
#[derive(Debug)]
pub struct Stage {
    /// Where Prometheus answers.
    prometheus: SocketAddr,
    processes: Vec<Process>,
    folder: TempDir,
}

impl Stage {
    /// Starts the demo, a Prometheus, and, once that has scraped, a second server with the arguments of `simulate`.
    pub fn set(speed: &str, second: &str, simulate: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let cargo = "cargo builds it";
        let api = format!("127.0.0.1:{}", free_port());
        let rules = folder.path().join("rules.yml");
        fs::write(&rules, RULES.replace("SECOND", second).replace("API", &api)).unwrap();
        let mut demo = program(&["demo", "--speed", speed, "--web.listen-address", "127.0.0.1:0"]);
        demo.arg("--config.file").arg(&rules);
        let mut demo = Process::start("demo", &mut demo, cargo, folder.path());
        let exporter = demo.address("metrics   http://");
        let (config, data) = (folder.path().join("prometheus.yml"), folder.path().join("data"));
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n- {{job_name: ems, static_configs: [{{targets: ['{exporter}']}}]}}\n"
        );
        fs::write(&config, text).unwrap();
        let mut prometheus = Command::new("prometheus");
        prometheus
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"]);
        let package = "install the Debian package prometheus";
        let mut prometheus = Process::start("prometheus", &mut prometheus, package, folder.path());
        let address = prometheus.address("msg=\"Listening on\" address=");
        let mut stage = Self { prometheus: address, processes: vec![demo, prometheus], folder };
        stage.wait_for_the_first_scrape();
        let url = format!("http://{exporter}/events/{second}");
        let mut server = program(&["simulate", "--url", &url, "--api", &api]);
        let server = Process::start("simulate", server.args(simulate), cargo, stage.folder.path());
        stage.processes.push(server);
        stage
    }

    fn wait_for_the_first_scrape(&self) {
        let deadline = Instant::now() + SOON;
        while self.ask("query", &[("query", "up == 1")]).unwrap()["result"] == serde_json::json!([]) {
            assert!(Instant::now() < deadline, "Prometheus does not scrape the exporter");
            thread::sleep(PAUSE);
        }
    }

    /// Asks Prometheus's API; the `data` of its answer, or what it says is wrong.
    pub fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let body: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/{path}?{}", body.join("&"));
        let deadline = Instant::now() + SOON;
        loop {
            let (status, body) = get(self.prometheus, &path).map_err(|error| error.to_string())?;
            // It is not ready to answer yet.
            if status == 503 && Instant::now() < deadline {
                thread::sleep(PAUSE);
                continue;
            }
            let mut answer: Value = serde_json::from_slice(&body)
                .map_err(|error| format!("{status}: {error}: {}", String::from_utf8_lossy(&body)))?;
            return if answer["status"] == "success" {
                Ok(answer["data"].take())
            } else {
                Err(answer["error"].to_string())
            };
        }
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// One GET on one connection, by HTTP/1.0, so that the end of the body is the end of the connection.
fn get(address: SocketAddr, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, SOON)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let parsed = || {
        let end = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
        let status = std::str::from_utf8(&answer[..end]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer[end + 4..].to_vec()))
    };
    parsed().ok_or_else(|| io::Error::other(format!("http://{address}{path} gives no HTTP answer")))
}

/// A text as it can stand in a query.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
