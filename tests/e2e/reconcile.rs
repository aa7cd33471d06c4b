//! What was open before the exporter came, and what got lost on the way, is put right by the runtime API.

use std::thread;
use std::time::{Duration, Instant};

use ems_simulator::{Options, Target};

use crate::exporter::Exporter;
use crate::facts;
use crate::ports::free_port;
use crate::simulated::Simulated;

/// From one look at the server's lists to the next.
const INTERVAL: Duration = Duration::from_secs(5);

/// A simulated server with a runtime API, that posts to an exporter that may not be there yet.
fn server(port: u16, options: Options) -> Simulated {
    let url = Target { port, path: "/events".to_owned(), ..Target::default() };
    Simulated::start(Options { url, api: Some("127.0.0.1:0".to_owned()), ..options })
}

fn exporter(port: u16, server: &Simulated) -> Exporter {
    let api = server.server().api_address().unwrap();
    let interval = humantime::format_duration(INTERVAL);
    Exporter::serving_at(
        &format!(
            "servers:\n  - {{name: ems, api: {{url: 'http://{api}'}}}}\nreconcile: {{interval: {interval}}}\n"
        ),
        port,
    )
}

/// Looks until the page tells what is open, at most for `within`; returns how long it took.
fn agrees(exporter: &Exporter, server: &Simulated, within: Duration) -> Duration {
    let start = Instant::now();
    loop {
        let before = facts::only_open(facts::of_truth(&server.server().truth()));
        let page = exporter.get("/metrics", "");
        let shown = facts::open_by_page(page.text(), "ems");
        let still = facts::only_open(facts::of_truth(&server.server().truth())) == before;
        if still && shown == before && !shown.is_empty() {
            return start.elapsed();
        }
        let difference = facts::difference(&before, &shown);
        assert!(start.elapsed() < within, "after {within:?} the page still differs:\n{difference}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_exporter_that_comes_late_or_again_knows_all_within_one_interval() {
    let port = free_port();
    let server = server(port, Options { speed: 2.0, ..Options::default() });
    thread::sleep(Duration::from_secs(10));
    let first = exporter(port, &server);
    let took = agrees(&first, &server, INTERVAL);
    assert_eq!(first.sum("ems_up{"), 1.0);
    eprintln!("started ten seconds late: true after {took:?}");
    // Killed, as by the kernel for want of memory.
    drop(first);
    thread::sleep(Duration::from_secs(4));
    let again = exporter(port, &server);
    let took = agrees(&again, &server, INTERVAL);
    eprintln!("killed and started again: true after {took:?}");
    assert!(again.sum("ems_exporter_reconcile_corrections_total{") > 0.0);
    server.end();
}

#[test]
fn events_that_get_lost_are_made_up_for() {
    let port = free_port();
    let options = Options { lose: 0.3, duplicates: 0.1, reorder: 0.1, streams: 6, ..Options::default() };
    let server = server(port, Options { speed: 2.0, ..options });
    let exporter = exporter(port, &server);
    thread::sleep(Duration::from_secs(15));
    let took = agrees(&exporter, &server, 2 * INTERVAL);
    eprintln!("three of ten events lost: true after {took:?}");
    let closed = exporter.sum("ems_exporter_reconcile_corrections_total{");
    let (truth, _) = server.end();
    assert!(truth.lost.values().sum::<u64>() > 20 && closed > 0.0, "{:?}", truth.lost);
}
