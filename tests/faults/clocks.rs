//! Clocks that jump: the exporter's and the server's.

use ems_exporter::exposition::Style;
use ems_exporter::metrics::{self, ExporterMetrics, Sources};
use ems_exporter::model::Settings;
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::pipeline::{ConfiguredServer, Pipeline};
use ems_protocol::Timestamp;

use crate::events::{stream, timer};

#[test]
fn steps_of_the_clock_back_and_forward_leave_gauges_sane() {
    let known = [ConfiguredServer { name: "ems".to_owned(), expected: vec!["missing".to_owned()] }];
    let pipeline = Pipeline::new(&known, &Settings::default(), 4);
    let server = pipeline.server(None).unwrap();
    let now = 1_795_364_000_000;
    let own = ExporterMetrics::new(Timestamp::from_millis(now)).unwrap();
    let hour = 3_600_000;
    let steps = [0, hour, 0, 10 * 24 * hour, 1, now / 2, now, 100 * 365 * 24 * hour, 0];
    for (step, offset) in steps.into_iter().enumerate() {
        for at in [now.saturating_sub(offset), now + offset, 0, u64::MAX / 2] {
            let at = Timestamp::from_millis(at);
            for body in [stream(step + 1, "cam1"), timer(step * 2 + 100), output(step + 50), chunk(step + 70)]
            {
                pipeline.accept(Transport::Http, &server, &body, at);
            }
            pipeline.tick(at);
            let mut page = Vec::new();
            let sources = Sources::of_events(&pipeline, &own);
            metrics::render(sources, Style::Prometheus, at, &mut |bytes| page.extend_from_slice(bytes));
            for line in String::from_utf8(page).unwrap().lines().filter(|line| line.starts_with("ems_")) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let value: f64 = value.parse().unwrap();
                assert!(value >= 0.0 && value.is_finite() || series.contains("le="), "{line} at {at:?}");
            }
        }
    }
    let (received, parts) = pipeline.tally().sums();
    assert_eq!(received, parts.iter().sum::<u64>());
}

fn output(id: usize) -> Vec<u8> {
    let settings = r#""hlsSettings":{"groupName":"g","localStreamName":"cam1","targetFolder":"/srv/cam1","chunkLength":4}"#;
    let text = String::from_utf8(stream(id, "cam1")).unwrap();
    text.replace("inStreamCreated", "outStreamCreated")
        .replace("\"INR\"", "\"OFHLS\"")
        .replacen("\"PID\":1", &format!("\"PID\":1,{settings}"), 1)
        .into_bytes()
}

fn chunk(id: usize) -> Vec<u8> {
    format!(
        r#"{{"id":{id},"payload":{{"PID":1,"file":"/srv/cam1/segment_{id}.ts","startTime":"x"}},"processId":1,"timestamp":{},"type":"hlsChunkClosed"}}"#,
        1_795_364_000 - id * 1000
    )
    .into_bytes()
}
