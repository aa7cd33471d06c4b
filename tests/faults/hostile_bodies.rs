//! Bodies that no server sends: recordings with bytes changed, removed, repeated, swapped and inserted.

use std::thread;

use fastrand::Rng;
use testkit::recordings::{body, examples};

use crate::events::{answer_to, serve, timer};

const BODIES: usize = 10_000;
/// Text that is difficult for parsers.
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

fn mutated(random: &mut Rng, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut body = bodies[random.usize(..bodies.len())].clone();
    for _ in 0..=random.usize(..8) {
        let at = random.usize(..body.len() + 1);
        match random.usize(..6) {
            0 => body.truncate(at),
            1 => {
                body.splice(at..at, PIECES[random.usize(..PIECES.len())].iter().copied());
            }
            2 if at < body.len() => body[at] = random.u8(..),
            3 => {
                let end = (at + random.usize(..64)).min(body.len());
                body.drain(at..end);
            }
            4 => {
                let other = &bodies[random.usize(..bodies.len())];
                body.extend_from_slice(&other[random.usize(..other.len() + 1)..]);
            }
            _ => {
                let end = (at + random.usize(..200)).min(body.len());
                body = [&body[..end], &body[at..]].concat();
            }
        }
    }
    body
}

#[test]
fn hostile_bodies_are_answered_and_accounted_for() {
    let exporter = serve(&[]);
    let bodies: Vec<Vec<u8>> = examples().iter().map(|(_, request)| body(request).to_vec()).collect();
    thread::scope(|scope| {
        for seed in 1..=8 {
            let (exporter, bodies) = (&exporter, &bodies);
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                for _ in 0..BODIES / 8 {
                    let answer = answer_to(exporter, &mutated(&mut random, bodies));
                    let status = answer.get(..12).unwrap_or_default();
                    assert!(["HTTP/1.1 200", "HTTP/1.1 400"].contains(&status), "seed {seed}: {answer}");
                }
            });
        }
    });
    assert!(exporter.assert_accounted() >= BODIES as f64 * 0.9);
    assert!(answer_to(&exporter, &timer(1)).starts_with("HTTP/1.1 200"));
    assert!(exporter.process.bytes("VmRSS") < 300 << 20, "{} MiB", exporter.process.bytes("VmRSS") >> 20);
}
