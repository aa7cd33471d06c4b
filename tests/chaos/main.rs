//! The file transport against real processes: a writer that does all that happens to event
//! files, and followers that are stopped and killed while it does.
//!
//! What no follower can survive is left out. The writer waits until everything was delivered
//! before it truncates or deletes, and until the checkpoint knows a file before it renames it to
//! a name that no pattern matches.
//!
//! The seeds choose the steps; the order in which the processes run differs each time.
//! `CHAOS_SEEDS=1..100 cargo test --test chaos` runs more of them.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod checkpoint;
mod exporter;
mod ledger;
mod life;
mod upkeep;
mod world;
mod writer;

/// The requested seeds, else those from 1 to `last`.
fn seeds(last: u64) -> std::ops::RangeInclusive<u64> {
    let Ok(requested) = std::env::var("CHAOS_SEEDS") else { return 1..=last };
    let (first, last) = requested.split_once("..").unwrap_or((&requested, &requested));
    first.parse().expect("CHAOS_SEEDS is FIRST..LAST")..=last.parse().expect("CHAOS_SEEDS is FIRST..LAST")
}

/// Runs `scenario` for each seed, a few at a time: most of their time is waiting.
fn each_seed(seeds: std::ops::RangeInclusive<u64>, scenario: impl Fn(u64) + Sync) {
    let seeds: Vec<u64> = seeds.collect();
    for some in seeds.chunks(4) {
        std::thread::scope(|scope| {
            for seed in some {
                let scenario = &scenario;
                scope.spawn(move || {
                    scenario(*seed);
                });
            }
        });
    }
}
