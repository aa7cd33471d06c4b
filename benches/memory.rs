//! Resident memory of the program: idle, with 10 000 active streams, and after scrapes of those.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

mod common;

use std::time::Duration;

use testkit::{Exporter, Program};

use common::load::{self, Connections};
use common::{Recorded, START, print_table};

/// How many inbound streams are open, each with one HLS output: the default limit of names.
const STREAMS: u64 = 10_000;
const SCRAPES: usize = 3;

/// How long the allocator takes to give back what is unused, and some seconds more.
const SETTLE: Duration = Duration::from_secs(15);

/// The resident memory of the exporter, in megabytes, once it has given back what is unused.
fn resident(exporter: &Exporter) -> f64 {
    std::thread::sleep(SETTLE);
    exporter.process.bytes("VmRSS") as f64 / 1024.0 / 1024.0
}

fn main() {
    let exporter = Program(env!("CARGO_BIN_EXE_ems-exporter")).serve(&[]);
    let address = exporter.address;
    let idle = resident(&exporter);

    let recorded = START.map(Recorded::read);
    let mut id = 0;
    for (at, event) in recorded.iter().enumerate() {
        let requests = (0..STREAMS).map(|stream| {
            id += 1;
            // The inbound stream and the output have different ids.
            let unique = 1 + stream * 2 + u64::from(at >= 2);
            load::post("/events", &event.body(id, unique, &format!("cam{stream:05}")))
        });
        load::send(address, requests.collect(), Connections::New);
    }
    let active = resident(&exporter);
    for _ in 0..SCRAPES {
        load::request(address, &load::scrape());
    }
    let scraped = resident(&exporter);
    for series in
        ["ems_outputs{server=\"ems\",format=\"hls\"}", "ems_exporter_series{server=\"ems\",kind=\"stream\"}"]
    {
        assert_eq!(exporter.value(series), STREAMS as f64, "{series}");
    }

    let row = |name: &str, resident: f64, target: &str| {
        let above = format!("{:.1}", resident - idle);
        vec![name.to_owned(), format!("{resident:.1}"), above, target.to_owned()]
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
