//! Updates of the page without any action.

use std::time::Duration;

use ems_simulator::Options;

use testkit::browser::Browser;
use testkit::now;
use testkit::process::Signal;

use crate::page::{names, post, stream};
use crate::program;
use testkit::simulated::Simulated;

#[test]
fn the_demo_appears() {
    let exporter = program().demo(&[]);
    let mut browser = Browser::at(exporter.address);
    browser.until(&format!("new Set({}).size === 6", names("streams")));
    browser.until("/^All is well: 6 streams, \\d+ outputs$/.test(document.querySelector('h1').textContent)");
    browser.until("document.querySelectorAll('#outputs tbody tr.good').length >= 12");
    browser.until("document.querySelectorAll('#timers tbody tr').length > 0");
    browser.until("document.querySelector('#servers tbody').textContent.includes('1.7.1')");
    browser.until("document.querySelectorAll('#events li').length > 10");
    // Ages increase between two messages.
    let ages = "document.querySelector('#outputs tbody .gauge span').textContent";
    let before = browser.text(ages);
    browser.until(&format!("{ages} !== {before:?}"));
    let (scrape, sink) = (browser.text("scrape.textContent"), browser.text("sink.textContent"));
    assert!(scrape.contains(&format!("targets: [\"{}\"]", exporter.address)), "{scrape}");
    assert!(sink.contains(&format!("url = \"http://{}/events\"", exporter.address)), "{sink}");
    browser.until("document.title === 'all is well – ems-exporter'");
    browser.assert_no_errors();
}

#[test]
fn a_stall_turns_its_row_red_and_the_headline_names_it_until_it_is_over() {
    let exporter = program().configured("stall: {factor: 3, minimum: 5s}");
    let mut browser = Browser::at(exporter.address);
    browser.until("document.querySelector('h1').textContent === 'No media server has sent events yet'");
    let simulated = Simulated::start(Options {
        url: exporter.url("/").parse().unwrap(),
        streams: 2,
        chunk_length: Duration::from_secs(1),
        stall: vec!["cam2:hls:after=6s,for=20s".parse().unwrap()],
        ..Options::default()
    });
    let row = "[...document.querySelectorAll('#outputs tbody tr')].find((row) => \
               row.textContent.includes('cam2') && row.textContent.includes('hls'))";
    browser.until(&format!("{row}?.className === 'good'"));
    browser.until(&format!("{row}?.className === 'warn'"));
    browser.until(&format!("{row}?.className === 'bad'"));
    let outputs = exporter.get("/api/v1/outputs?stream=cam2", &[]).json();
    let hls = outputs["data"].as_array().unwrap().iter().find(|output| output["format"] == "hls").unwrap();
    assert_eq!(hls["state"], "stalled");
    let number = |field: &str| hls[field].as_f64().unwrap();
    let age = now() - number("last_closed_timestamp_seconds");
    assert!(age > number("stall_threshold_seconds"), "red after {age} s");
    browser.until("document.querySelector('h1').textContent === '1 output is stalled: cam2/hls'");
    assert_eq!(browser.text("document.querySelector('#outputs tbody tr th .name').textContent"), "cam2");
    browser.until("document.querySelector('#events').textContent.includes('chunkStalled')");
    browser.until(&format!("{row}?.className === 'good'"));
    browser.until("document.querySelector('h1').textContent.startsWith('All is well: 2 streams')");
    browser.assert_no_errors();
    drop(simulated);
}

/// Milliseconds without data after which the page must be stale.
const STALE_LIMIT: f64 = 3000.0;

/// Stops the page's clock, so that only the page's own timers count, not the load of the machine. `staleAfter` is then
/// the time, by that clock, from the last data until the page turned stale.
fn stop_clock(browser: &mut Browser) {
    browser.run(
        "await page.clock.install();
         await page.clock.pauseAt(Date.now() + 3600 * 1000);
         await page.addInitScript(() => {
             const add = EventSource.prototype.addEventListener;
             EventSource.prototype.addEventListener = function (name, listener) {
                 add.call(this, name, (message) => { window.receivedAt = performance.now(); listener(message); });
             };
         });
         await page.reload();
         await page.waitForFunction(() => window.receivedAt !== undefined, null, { polling: 50 });
         await page.clock.runFor(500);
         await page.evaluate(() => {
             const pulse = document.getElementById('pulse');
             new MutationObserver(() => {
                 if (pulse.textContent === 'stale') window.staleAfter ??= performance.now() - receivedAt;
             }).observe(pulse, { childList: true, characterData: true, subtree: true });
         })",
    );
    browser.until("document.getElementById('pulse').textContent === 'live'");
}

#[test]
fn the_page_turns_stale_when_the_exporter_ends_and_recovers() {
    let exporter = program().configured("{}");
    let address = exporter.address;
    assert_eq!(post(&exporter, &[stream(1, "before")]), 200);
    let mut browser = Browser::at(address);
    stop_clock(&mut browser);
    browser.until(&format!("{}.includes('before')", names("streams")));
    browser.assert_no_errors();
    drop(exporter);
    // The closed connection is enough: no timer of the page runs.
    browser.until("document.getElementById('pulse').textContent === 'stale'");
    browser.run("await page.clock.resume()");
    browser.until("document.querySelector('h1').textContent.startsWith('No data from the exporter')");
    let again = program().configured_at(address.port(), "{}");
    assert_eq!(post(&again, &[stream(1, "after")]), 200);
    browser.until("document.getElementById('pulse').textContent === 'live'");
    browser.until(&format!("{}.join() === 'after'", names("streams")));
    browser.until("document.querySelector('h1').textContent.startsWith('All is well')");
    drop(again);
}

#[test]
fn the_page_turns_stale_when_the_exporter_hangs_and_recovers() {
    let exporter = program().configured("{}");
    assert_eq!(post(&exporter, &[stream(1, "cam")]), 200);
    let mut browser = Browser::at(exporter.address);
    stop_clock(&mut browser);
    // The connection stays open without data.
    exporter.process.signal(Signal::STOP);
    browser.run(
        "for (let step = 0; step < 100; step++) {
             if (await page.evaluate(() => window.staleAfter !== undefined)) break;
             await page.clock.runFor(100);
         }",
    );
    let after = browser.value("window.staleAfter").as_f64().expect("the page turned stale");
    assert!(after <= STALE_LIMIT, "stale {after} ms after the last data");
    browser.run("await page.clock.resume()");
    exporter.process.signal(Signal::CONT);
    browser.until("document.getElementById('pulse').textContent === 'live'");
    browser.until("document.querySelector('h1').textContent === 'All is well: 1 stream, 0 outputs'");
}

#[test]
fn several_servers_are_named_and_can_be_selected() {
    let exporter = program().configured("servers: [{name: east, expect: [lobby]}, {name: west}]");
    let mut browser = Browser::at(exporter.address);
    browser
        .until("document.querySelector('h1').textContent === '1 expected stream is missing: lobby on east'");
    browser.until("document.querySelector('#troubles').textContent === 'No events yet from east, west'");
    let sink = browser.text("sink.textContent");
    assert!(sink.contains("/events/east\"") && sink.contains("-- For west: url = \"http://"), "{sink}");
    browser.run("await page.selectOption('#server', 'west')");
    browser.until("document.querySelectorAll('#streams tbody tr').length === 0");
    assert_eq!(browser.text(&format!("{}.join()", names("servers"))), "east,west");
    browser.run("await page.selectOption('#server', 'east')");
    browser.until("document.querySelectorAll('#streams tbody tr.bad').length === 1");
    browser.assert_no_errors();
}
