//! Resident memory of the program: idle, with 10 000 active streams, and after scrapes of those.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::load::{self, Connections};
use common::{Recorded, START, print_table};

/// How many inbound streams are open, each with one HLS output: the default limit of names.
const STREAMS: u64 = 10_000;
const SCRAPES: usize = 3;

/// The program, running; it ends with this.
struct Running(Child);

impl Running {
    fn start(address: SocketAddr) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ems-exporter"));
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=error");
        let running = Self(command.stdout(Stdio::null()).spawn().unwrap());
        while TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    /// What it has in memory, in megabytes.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).unwrap();
    }
}

fn main() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();
    let running = Running::start(address);
    std::thread::sleep(Duration::from_secs(1));
    let idle = running.resident();

    let recorded = START.map(Recorded::read);
    let mut id = 0;
    for (at, event) in recorded.iter().enumerate() {
        let requests = (0..STREAMS).map(|stream| {
            id += 1;
            // The inbound stream and the output are two things.
            let unique = 1 + stream * 2 + u64::from(at >= 2);
            load::post("/events", &event.body(id, unique, &format!("cam{stream:05}")))
        });
        load::send(address, requests.collect(), Connections::New);
    }
    let active = running.resident();
    for _ in 0..SCRAPES {
        load::ask(address, &load::scrape());
    }
    let scraped = running.resident();
    let page = load::ask(address, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    for series in ["ems_outputs{server=\"ems\",format=\"hls\"}", "ems_exporter_series{server=\"ems\"}"] {
        let line = format!("{series} {STREAMS}\n");
        assert!(memchr::memmem::find(&page, line.as_bytes()).is_some(), "not every stream is there");
    }

    let row = |what: &str, resident: f64, target: &str| {
        let above = format!("{:.1}", resident - idle);
        vec![what.to_owned(), format!("{resident:.1}"), above, target.to_owned()]
    };
    print_table(
        "memory: resident megabytes",
        &["", "resident", "above idle", "target"],
        &[
            row("idle", idle, "resident ≤ 15"),
            row(&format!("{STREAMS} streams with one HLS output each"), active, "above idle ≤ 40"),
            row(&format!("after {SCRAPES} scrapes with gzip"), scraped, ""),
        ],
    );
}
