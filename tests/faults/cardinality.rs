//! An unlimited number of names.

use std::fmt::Write;

use testkit::sum;

use crate::events::{answer_to, serve};

/// How many objects are named. All tables are full after half of them.
fn names() -> usize {
    std::env::var("FAULTS_NAMES").map_or(300_000, |count| count.parse().expect("a number of names"))
}

/// Events with new names and ids: of streams, outputs, timers, events and chunk files.
fn new_names(from: usize) -> String {
    let mut events = String::new();
    for id in (from..from + 500).step_by(5) {
        let name = format!("cam-{id}-{}", "n".repeat(100));
        let stamp = format!("\"processId\":1,\"timestamp\":{}", 1_795_364_000 + id / 1000);
        let media =
            "\"audio\":{\"codec\":\"AUNK\",\"bytesCount\":1},\"video\":{\"codec\":\"VUNK\",\"bytesCount\":1}";
        writeln!(
            events,
            "{{\"id\":{id},\"type\":\"inStreamCreated\",{stamp},\"payload\":{{\"PID\":1,\"uniqueId\":{id},\"type\":\"INR\",\"name\":\"{name}\",{media}}}}}\n\
             {{\"id\":{},\"type\":\"outStreamCreated\",{stamp},\"payload\":{{\"PID\":1,\"uniqueId\":{},\"type\":\"OFHLS\",\"name\":\"{name}\",{media},\
             \"hlsSettings\":{{\"groupName\":\"g{id}\",\"localStreamName\":\"{name}\",\"targetFolder\":\"/srv/{id}\",\"chunkLength\":4}}}}}}\n\
             {{\"id\":{},\"type\":\"timerCreated\",{stamp},\"payload\":{{\"PID\":1,\"timerId\":{id},\"value\":3}}}}\n\
             {{\"id\":{},\"type\":\"never{id}\",{stamp},\"payload\":{{}}}}\n\
             {{\"id\":{},\"type\":\"hlsChunkClosed\",{stamp},\"payload\":{{\"PID\":1,\"file\":\"/other/{id}/x_{id}.ts\"}}}}",
            id + 1, id + 1, id + 2, id + 3, id + 4,
        )
        .unwrap();
    }
    events
}

#[test]
fn unlimited_names_take_bounded_memory() {
    let exporter = serve(&[]);
    let (mut id, mut most) = (1, 0);
    let mut settled = None;
    while id < names() {
        answer_to(&exporter, new_names(id).as_bytes());
        id += 500;
        if id > 150_000 && settled.is_none() {
            settled = Some(exporter.process.bytes("VmRSS"));
        }
        most = most.max(exporter.process.bytes("VmRSS"));
    }
    let page = exporter.metrics();
    let streams = page.keys().filter(|series| series.starts_with("ems_stream_up{")).count();
    eprintln!("{id} objects, {} MiB at most, {} series, {streams} streams", most >> 20, page.len());
    assert!(sum(&page, "ems_exporter_events_received_total{") >= id as f64 * 0.9);
    assert!(page.len() < 500_000, "{} series", page.len());
    assert!(most < 512 << 20, "{} MiB", most >> 20);
    let settled = settled.expect("all tables are full");
    assert!(most < settled * 3 / 2 + (64 << 20), "{} MiB, then {} MiB", settled >> 20, most >> 20);
    exporter.assert_accounted();
}
