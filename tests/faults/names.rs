//! Names without end.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::exporter::{Exporter, post, sum};

fn seconds() -> u64 {
    std::env::var("FAULTS_NAMES_SECONDS").map_or(60, |asked| asked.parse().expect("a number of seconds"))
}

/// Events that name things which were never named before: streams, outputs, timers, connections, and event names.
fn strangers(from: usize) -> String {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_without_end_take_bounded_room() {
    let exporter = Exporter::start(&[]);
    let until = Instant::now() + Duration::from_secs(seconds());
    let (mut id, mut most) = (1, 0);
    let mut settled = None;
    while Instant::now() < until {
        exporter.ask(&post(strangers(id).as_bytes())).await;
        id += 500;
        // By then all tables are full.
        if id > 150_000 && settled.is_none() {
            settled = Some(exporter.memory());
        }
        most = most.max(exporter.memory());
    }
    let page = exporter.page().await;
    let streams = page.keys().filter(|series| series.starts_with("ems_stream_up{")).count();
    eprintln!("{id} things, {} MiB at most, {} series, {streams} streams", most >> 20, page.len());
    assert!(sum(&page, "ems_exporter_events_received_total{") >= id as f64 * 0.9);
    assert!(page.len() < 500_000, "{} series", page.len());
    assert!(most < 512 << 20, "{} MiB", most >> 20);
    let settled = settled.expect("there is time for all tables to fill");
    assert!(most < settled * 3 / 2 + (64 << 20), "{} MiB, then {} MiB", settled >> 20, most >> 20);
    exporter.account().await;
}
