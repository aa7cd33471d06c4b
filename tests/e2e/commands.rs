//! The output of the program's commands.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use testkit::process::Signal;
use testkit::wait::holds;
use testkit::wait_for;

use crate::program;

#[test]
fn the_demo_shows_every_family_and_ends_on_interrupt() {
    let mut demo = program().demo(&[]);
    let output_text = demo.process.output();
    for address in ["/metrics\n", "/\n", "/-/healthy\n"] {
        assert!(output_text.contains(&format!("http://{}{address}", demo.address)), "{output_text}");
    }
    for start in [
        "ems_stream_up{",
        "ems_chunks_closed_total{server=\"ems\",format=\"hls\"",
        "ems_chunks_closed_total{server=\"ems\",format=\"hds\"",
        "ems_chunks_closed_total{server=\"ems\",format=\"dash\"",
        "ems_timers{",
        "ems_timers_triggered_total{",
        "ems_streams{server=\"ems\",direction=\"out\",type=\"ONR\",purpose=\"play\"}",
        "ems_sessions{",
    ] {
        wait_for(start, || holds(demo.sum(start) > 0.0, demo.process.output()));
    }
    demo.process.signal(Signal::INT);
    let status = demo.process.wait();
    assert_eq!(status.code(), Some(0), "{}", demo.process.output());
}

#[test]
fn the_simulated_server_prints_the_counts_of_the_exporter() {
    let exporter = program().serve(&[]);
    let url = exporter.url("/events/alone");
    let output = program().run(&[
        "simulate",
        "--url",
        &url,
        "--speed",
        "50",
        "--duration",
        "3s",
        "--format",
        "xmlrpc",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let truth: Value = serde_json::from_slice(&output.stdout).unwrap();
    let delivered = truth["delivered"].as_object().unwrap();
    assert!(delivered.len() > 10, "{truth}");
    for (event, count) in delivered {
        let sample = format!("ems_events_total{{server=\"alone\",event=\"{event}\"}}");
        assert_eq!(Some(exporter.sum(&sample)), count.as_f64(), "{event}");
    }
}

#[test]
fn check_config_reports_every_fault_at_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("config.yml");
    let path = file.to_str().unwrap();
    fs::write(
        &file,
        "web: {listen_address: nowhere}\nseries: {retention: 5}\nstal: {}\nservers: [{expect: [a]}]\n",
    )
    .unwrap();
    let bad = program().run(&["check-config", "--config.file", path]);
    let output_text = String::from_utf8_lossy(&bad.stderr);
    assert_eq!(bad.status.code(), Some(1), "{output_text}");
    for fault in [
        "4 faults",
        "config.yml:1:23: web.listen_address: nowhere is not HOST:PORT",
        "config.yml:2:21: series.retention: 5 is not a duration",
        "config.yml:3:1: stal is not a known key",
        "config.yml:4:11: servers[].name is missing",
    ] {
        assert!(output_text.contains(fault), "{fault:?} is not in:\n{output_text}");
    }
    fs::write(&file, "stall: {minimum: 20s}\n").unwrap();
    let good = program().run(&["check-config", "--config.file", path]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
}

#[test]
fn healthcheck_reports_whether_an_exporter_runs() {
    let mut exporter = program().serve(&[]);
    let address = exporter.address.to_string();
    let check = || program().run(&["healthcheck", "--web.listen-address", &address]);
    let well = check();
    assert_eq!(well.status.code(), Some(0), "{}", String::from_utf8_lossy(&well.stderr));
    exporter.process.signal(Signal::INT);
    assert_eq!(exporter.process.wait().code(), Some(0));
    let ill = check();
    assert_eq!(ill.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ill.stderr).contains("nothing healthy answers at http://"));
}

#[test]
fn a_taken_port_is_reported_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in [&["--web.listen-address", &address][..], &["demo", "--web.listen-address", &address]] {
        let output = program().run(command);
        let output_text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output_text}");
        assert!(
            output_text.starts_with(&format!("ems-exporter: cannot listen on {address}: ")),
            "{output_text}"
        );
        assert_eq!(output_text.lines().count(), 1, "{output_text}");
    }
}
