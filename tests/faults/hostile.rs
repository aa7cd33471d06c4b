//! Bodies that no server sends: recordings with bytes changed, cut, repeated and swapped, and noise.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::exporter::{Exporter, post, timer};
use crate::random::Random;

const BODIES: usize = 10_000;
/// Pieces that parsers stumble over.
const PIECES: [&[u8]; 12] = [
    b"{",
    b"}",
    b"[[[[[[[[",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"<MAP>",
    b"</",
    b"&#x0;",
    b"\xff\xfe\x00",
    b"-1e999",
    b"]]>",
];

fn recordings() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let bodies = files.iter().map(|file| {
        let request = std::fs::read(file).unwrap();
        let head = request.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        request[head..].to_vec()
    });
    bodies.collect()
}

fn mutated(random: &mut Random, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut body = bodies[random.below(bodies.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(body.len() + 1);
        match random.below(6) {
            0 => body.truncate(at),
            1 => {
                body.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied());
            }
            2 if at < body.len() => body[at] = random.below(256) as u8,
            3 => {
                let end = (at + random.below(64)).min(body.len());
                body.drain(at..end);
            }
            4 => {
                let other = &bodies[random.below(bodies.len())];
                body.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            _ => {
                let end = (at + random.below(200)).min(body.len());
                body = [&body[..end], &body[at..]].concat();
            }
        }
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bodies_are_answered_and_accounted_for() {
    let exporter = Arc::new(Exporter::start(&[]));
    let bodies = Arc::new(recordings());
    let mut senders = JoinSet::new();
    for seed in 1..=8 {
        let (exporter, bodies) = (Arc::clone(&exporter), Arc::clone(&bodies));
        senders.spawn(async move {
            let mut random = Random::new(seed);
            for _ in 0..BODIES / 8 {
                let answer = exporter.ask(&post(&mutated(&mut random, &bodies))).await;
                let status = answer.get(..12).unwrap_or_default();
                assert!(["HTTP/1.1 200", "HTTP/1.1 400"].contains(&status), "seed {seed}: {answer}");
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    assert!(exporter.account().await >= BODIES as f64 * 0.9);
    assert!(exporter.post(&timer(1)).await.starts_with("HTTP/1.1 200"));
    assert!(exporter.memory() < 300 << 20, "{} MiB", exporter.memory() >> 20);
}
