//! Recordings of a real server on which a verdict was wrong, by both transports, judged in every second of them.

use ems_exporter::pipeline::tally::Transport;
use serde_json::Value;

use crate::support::{Harness, Samples, at, fixture};

/// Plays a recording whose first event happens at 0 s; `judge` gets each second and the page in its middle.
fn play(name: &str, transport: Transport, mut judge: impl FnMut(u32, &Samples)) {
    let harness = Harness::new();
    let recording = std::fs::read_to_string(fixture("field").join(name)).unwrap();
    let bodies: Vec<&str> = recording.lines().map(|line| line.trim_end_matches(',')).collect();
    let second = |body: &str| serde_json::from_str::<Value>(body).unwrap()["timestamp"].as_u64().unwrap();
    let start = second(bodies[0]);
    let mut next = 0;
    let last = (second(bodies[bodies.len() - 1]) - start) as u32;
    for now in 0..=last {
        while next < bodies.len() && second(bodies[next]) - start == u64::from(now) {
            let accepted = harness.pipeline.accept(
                transport,
                &harness.server,
                bodies[next].as_bytes(),
                at(f64::from(now)),
            );
            assert_eq!(accepted.first, None, "{}", bodies[next]);
            next += 1;
        }
        let middle = f64::from(now) + 0.5;
        harness.pipeline.tick(at(middle));
        judge(now, &harness.read(middle));
    }
}

#[test]
fn a_stream_with_audio_alone_never_stalls_and_has_nothing_of_a_video() {
    for transport in [Transport::Http, Transport::File] {
        let mut tracks = 0.0;
        play("one-medium-stream.json", transport, |now, samples| {
            assert_eq!(samples.sum("ems_chunk_stalled"), 0.0, "at {now} s");
            assert_eq!(samples.sum("ems_chunk_stalls_total"), 0.0, "at {now} s");
            for metric in ["ems_chunk_stalled", "ems_chunks_closed_total", "ems_stream_bytes_total"] {
                let video = samples.of_metric(metric).find(|(labels, _)| labels.contains("\"video\""));
                assert_eq!(video, None, "at {now} s");
            }
            tracks = samples.sum("ems_tracks").max(tracks);
        });
        assert_eq!(tracks, 1.0, "of the audio");
    }
}

#[test]
fn an_output_that_is_made_anew_each_second_has_one_stall_in_every_page() {
    for transport in [Transport::Http, Transport::File] {
        let mut first = None;
        play("output-made-anew-each-second.json", transport, |now, samples| {
            let stalled = samples.sum("ems_chunk_stalled") == 1.0;
            assert_eq!(samples.sum("ems_chunk_stalls_total"), f64::from(u8::from(stalled)), "at {now} s");
            if stalled {
                first.get_or_insert(now);
            }
            assert_eq!(stalled, first.is_some(), "at {now} s");
        });
        // The folder broke after the chunk of 18 s; the output was made anew from 22 s on, with a threshold of 10 s.
        assert!((28..=33).contains(&first.unwrap()), "{first:?}");
    }
}
