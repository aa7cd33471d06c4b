//! The runtime API corrects what the exporter missed: events before its start, and lost ones.

use ems_simulator::{Options, Target, Truth};
use testkit::ports::free_port;
use testkit::wait::holds;
use testkit::{Exporter, wait_for};

use crate::facts;
use crate::program;
use testkit::simulated::{Simulated, settled};

/// A simulated server with a runtime API, that posts to an exporter that may not be there yet.
fn server(port: u16, options: Options) -> Simulated {
    let url = Target { port, path: "/events".to_owned(), ..Target::default() };
    Simulated::start(Options { url, api: Some("127.0.0.1:0".to_owned()), ..options })
}

fn exporter(port: u16, server: &Simulated) -> Exporter {
    let api = server.server().api_address().unwrap();
    let config =
        format!("servers:\n  - {{name: ems, api: {{url: 'http://{api}'}}}}\nreconcile: {{interval: 5s}}\n");
    program().configured_at(port, &config)
}

/// How often the exporter has polled the server's lists.
fn polls(exporter: &Exporter) -> f64 {
    exporter.sum("ems_exporter_reconcile_runs_total{")
}

/// Waits until the page shows the open objects. After `enough` polls it must, whenever no event is under way.
fn assert_agrees(exporter: &Exporter, server: &Simulated, enough: f64) {
    wait_for("a page with the open objects", || {
        let polled = polls(exporter);
        let before = server.server().truth();
        let page = exporter.get("/metrics", &[]);
        let after = server.server().truth();
        let known = facts::only_open(facts::of_truth(&before));
        let shown = facts::open_by_page(page.text(), "ems");
        let difference = facts::difference(&known, &shown);
        let still = before.last_event_id == after.last_event_id && settled(&before) && settled(&after);
        assert!(
            !still || polled < enough || difference.is_empty(),
            "after {polled} polls:
{difference}"
        );
        holds(still && difference.is_empty() && !shown.is_empty(), difference)
    });
}

/// Waits until the server has emitted some more events.
fn wait_for_events(server: &Simulated, events: u64) {
    let emitted = |truth: Truth| truth.emitted.values().sum::<u64>();
    let before = emitted(server.server().truth());
    wait_for("more events", || {
        let since = emitted(server.server().truth()) - before;
        holds(since >= events, since)
    });
}

#[test]
fn a_late_or_restarted_exporter_is_complete_after_its_first_polls() {
    let port = free_port();
    let server = server(port, Options { speed: 2.0, ..Options::default() });
    wait_for_events(&server, 100);
    let first = exporter(port, &server);
    assert_agrees(&first, &server, 2.0);
    assert_eq!(first.sum("ems_up{"), 1.0);
    // Killed, as by the out-of-memory killer.
    drop(first);
    wait_for_events(&server, 40);
    let again = exporter(port, &server);
    assert_agrees(&again, &server, 2.0);
    assert!(again.sum("ems_exporter_reconcile_corrections_total{") > 0.0);
    server.end();
}

#[test]
fn lost_events_are_corrected() {
    let port = free_port();
    let options = Options { lose: 0.3, duplicates: 0.1, reorder: 0.1, streams: 6, ..Options::default() };
    let server = server(port, Options { speed: 2.0, ..options });
    let exporter = exporter(port, &server);
    wait_for_events(&server, 200);
    // Each lost event needs further polls.
    assert_agrees(&exporter, &server, f64::INFINITY);
    let corrections = exporter.sum("ems_exporter_reconcile_corrections_total{");
    let (truth, _) = server.end();
    assert!(truth.lost.values().sum::<u64>() > 20 && corrections > 0.0, "{:?}", truth.lost);
}
