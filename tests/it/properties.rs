//! Any interleaving, repetition or loss of a server's events leaves gauges that are true, or wrong
//! by as much as was lost.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use crate::support::{Harness, at, output, stream};

/// A life of a thing: its events in order, and whether it ends.
#[derive(Debug, Clone)]
struct Life {
    kind: u8,
    codecs: usize,
    ends: bool,
}

fn life() -> impl Strategy<Value = Life> {
    (0..5u8, 0..3usize, any::<bool>()).prop_map(|(kind, codecs, ends)| Life { kind, codecs, ends })
}

/// The events of all lives in the order of the server, each with the number of its life.
fn events(harness: &mut Harness, lives: &[Life]) -> Vec<(usize, &'static str, Vec<u8>)> {
    let mut events = Vec::new();
    let mut post = |harness: &mut Harness, life: usize, name: &'static str, payload: serde_json::Value| {
        events.push((life, name, harness.event(name, 0.0, payload)));
    };
    for (number, life) in lives.iter().enumerate() {
        let id = number as u64 + 1;
        let name = format!("cam{}", number % 3);
        match life.kind {
            0 | 1 => {
                let (created, codecs, closed, payload) = if life.kind == 0 {
                    ("inStreamCreated", "inStreamCodecsUpdated", "inStreamClosed", stream(id, "INR", &name))
                } else {
                    (
                        "outStreamCreated",
                        "outStreamCodecsUpdated",
                        "outStreamClosed",
                        output(id, "hls", &name, 4),
                    )
                };
                post(harness, number, created, payload.clone());
                for _ in 0..life.codecs {
                    post(harness, number, codecs, payload.clone());
                }
                if life.ends {
                    post(harness, number, closed, payload);
                }
            }
            2 => {
                let payload = json!({"timerId": id, "value": 60, "triggerCount": 0});
                post(harness, number, "timerCreated", payload.clone());
                for _ in 0..life.codecs {
                    post(harness, number, "timerTriggered", payload.clone());
                }
                if life.ends {
                    post(harness, number, "timerClosed", payload);
                }
            }
            3 => {
                let payload = json!({"sessionId": id, "startTime": "2026-11-22T16-15-06"});
                post(harness, number, "streamingSessionStarted", payload.clone());
                if life.ends {
                    post(harness, number, "streamingSessionEnded", payload);
                }
            }
            _ => {
                let payload = json!({"id": id, "protocolType": "IR"});
                post(harness, number, "protocolRegisteredToApp", payload.clone());
                if life.ends {
                    post(harness, number, "protocolUnregisteredFromApp", payload);
                }
            }
        }
    }
    events
}

/// How many streams, outputs, timers, sessions and connections are open.
fn open(harness: &Harness) -> [usize; 5] {
    let samples = harness.read(1.0);
    ["ems_streams", "ems_outputs", "ems_timers", "ems_sessions", "ems_connections"]
        .map(|metric| samples.sum(metric) as usize)
}

fn truth(lives: &[(usize, &Life)]) -> [usize; 5] {
    let count =
        |kinds: &[u8]| lives.iter().filter(|(_, life)| kinds.contains(&life.kind) && !life.ends).count();
    [count(&[0, 1]), count(&[1]), count(&[2]), count(&[3]), count(&[4])]
}

proptest! {
    #[test]
    fn any_order_and_repetition_leads_to_the_true_numbers_of_open_things(
        lives in prop::collection::vec(life(), 1..12),
        order in prop::collection::vec(any::<u32>(), 60),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut harness = Harness::new();
        let mut events: Vec<_> = events(&mut harness, &lives).into_iter().zip(order).collect();
        events.sort_by_key(|(_, order)| *order);
        let mut sent: Vec<Vec<u8>> = events.into_iter().map(|((_, _, body), _)| body).collect();
        for repeat in repeats {
            let again = repeat.get(&sent).clone();
            sent.insert(repeat.index(sent.len()), again);
        }
        for body in &sent {
            prop_assert_eq!(harness.send(body, at(1.0)).first, None);
        }
        let all: Vec<_> = lives.iter().enumerate().collect();
        prop_assert_eq!(open(&harness), truth(&all));
        let samples = harness.read(1.0);
        let unique: BTreeSet<&Vec<u8>> = sent.iter().collect();
        prop_assert_eq!(samples.sum("ems_events_total"), unique.len() as f64);
        prop_assert_eq!(samples.sum("ems_exporter_events_duplicate_total"), (sent.len() - unique.len()) as f64);
        let opened = samples.sum("ems_streams_opened_total") - samples.sum("ems_streams_closed_total");
        prop_assert_eq!(samples.sum("ems_streams"), opened);
    }

    #[test]
    fn gauges_are_wrong_only_by_the_lost_events(
        lives in prop::collection::vec(life(), 1..12), lost in prop::collection::vec(any::<bool>(), 60)
    ) {
        let mut harness = Harness::new();
        let events = events(&mut harness, &lives);
        let kept: Vec<_> = events.iter().zip(&lost).filter(|(_, lost)| !**lost).map(|(event, _)| event).collect();
        for (_, _, body) in &kept {
            harness.send(body, at(1.0));
        }
        // A life is open if any of its events came, but not its end.
        let ended = |name: &str| ["Closed", "Ended", "UnregisteredFromApp"].iter().any(|end| name.ends_with(end));
        let expected: Vec<(usize, Life)> = lives
            .iter()
            .enumerate()
            .filter(|(number, _)| kept.iter().any(|(life, _, _)| life == number))
            .map(|(number, life)| {
                let ends = kept.iter().any(|(life, name, _)| *life == number && ended(name));
                (number, Life { ends, ..life.clone() })
            })
            .collect();
        let expected: Vec<(usize, &Life)> = expected.iter().map(|(number, life)| (*number, life)).collect();
        prop_assert_eq!(open(&harness), truth(&expected));
        let samples = harness.read(1.0);
        let opened = samples.sum("ems_streams_opened_total") - samples.sum("ems_streams_closed_total");
        prop_assert_eq!(samples.sum("ems_streams"), opened);
    }

    #[test]
    fn no_sequence_of_events_makes_it_panic(
        events in prop::collection::vec((any::<prop::sample::Index>(), 0..400u32), 1..120)
    ) {
        let requests = crate::support::session();
        let harness = Harness::new();
        for (index, seconds) in events {
            let request: &Vec<u8> = index.get(&requests);
            harness.send(crate::support::body(request), at(f64::from(seconds)));
            harness.pipeline.tick(at(f64::from(seconds)));
        }
        let samples = harness.read(400.0);
        let opened = samples.sum("ems_streams_opened_total") - samples.sum("ems_streams_closed_total");
        let internal: f64 = samples
            .of_metric("ems_streams")
            .filter(|(labels, _)| labels.contains("internal"))
            .map(|(_, open)| open)
            .sum();
        prop_assert_eq!(samples.sum("ems_streams") - internal, opened);
    }
}
