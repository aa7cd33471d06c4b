//! Events accepted over HTTP, by the exporter and by a bare axum handler that reads the body and drops it: in
//! one process, round by round in turn, from the same load generator on the same cores.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use ems_exporter::config::Config;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use common::load::{self, Connections};
use common::{Recorded, median, print_table};

const ROUNDS: usize = 9;
/// How many requests a round sends to each of the two.
const REQUESTS: u64 = 20_000;
/// A stream's life and its chunks, in turn.
const EVENTS: [&str; 4] =
    ["outStreamCreated.OFHLS", "hlsChunkCreated", "hlsChunkClosed", "outStreamClosed.OFHLS"];

/// The requests of a round, with sequence numbers that no other round has.
fn requests(round: u64) -> Vec<Vec<u8>> {
    let recorded = EVENTS.map(Recorded::read);
    let made = (0..REQUESTS).map(|at| {
        let (id, unique) = (1 + round * REQUESTS + at, 1 + round * REQUESTS + at / EVENTS.len() as u64);
        let event = &recorded[at as usize % EVENTS.len()];
        load::post("/events", &event.body(id, unique, &format!("cam{:05}", unique % 500)))
    });
    made.collect()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let app = ems_exporter::app::build(&Config::default()).unwrap();
    let listen = || {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    };
    let (listener, ours) = listen();
    let exporter = Arc::clone(&app);
    runtime.spawn(async move {
        ems_exporter::app::run(exporter, &Config::default(), vec![listener], CancellationToken::new()).await
    });
    let (listener, bare) = listen();
    let drops = Router::new().route("/events", post(|body: Bytes| async { drop(body) }));
    runtime.spawn(async { axum::serve(listener, drops).await });

    let mut round = 0;
    let mut rows = Vec::new();
    for (name, connections, target) in [
        ("a new connection each", Connections::New, "≥ 0.85"),
        ("kept connections", Connections::Kept, "≥ 0.7"),
    ] {
        let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for turn in 0..ROUNDS {
            let requests = requests(round);
            round += 1;
            let rate = |target: SocketAddr| {
                REQUESTS as f64 / load::send(target, requests.clone(), connections).as_secs_f64()
            };
            // Each goes first in every other round.
            let (ours, bare) = if turn % 2 == 0 {
                let ours = rate(ours);
                (ours, rate(bare))
            } else {
                let bare = rate(bare);
                (rate(ours), bare)
            };
            rates[0].push(ours);
            rates[1].push(bare);
            ratios.push(ours / bare);
        }
        let [ours, bare] = &mut rates;
        let (ours, bare, ratio) = (median(ours), median(bare), median(&mut ratios));
        rows.push(vec![
            name.to_owned(),
            format!("{ours:.0}"),
            format!("{bare:.0}"),
            format!("{ratio:.2}"),
            format!("{:.2} to {:.2}", ratios[0], ratios[ROUNDS - 1]),
            target.to_owned(),
        ]);
    }
    let (received, [applied, ..]) = app.pipeline.tally().sums();
    let sent = round * REQUESTS;
    print_table(
        &format!("ingest: events per second over HTTP, medians of {ROUNDS} rounds of {REQUESTS} events"),
        &["", "exporter", "bare axum", "ratio", "range", "target"],
        &rows,
    );
    println!("\nsent to the exporter {sent}, received {received}, applied {applied}");
}
