//! The real exporter from end to end: all its runs together have counted every entry that was written, once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fastrand::Rng;
use testkit::process::Signal;
use testkit::wait::holds;
use testkit::{Exporter, Program, wait_for};

use crate::checkpoint::Checkpoint;
use crate::writer::Writer;
use crate::{each_seed, seeds};

/// Starts an exporter that follows every file of a directory.
pub fn follow(logs: &Path, flags: &[&str]) -> Exporter {
    let program = Program(env!("CARGO_BIN_EXE_ems-exporter"));
    program.serve(&[&["--events.file", logs.join("*").to_str().unwrap()], flags].concat())
}

/// Stops it as a service manager does.
pub fn stop(mut exporter: Exporter) {
    exporter.process.signal(Signal::TERM);
    assert!(exporter.process.wait().success(), "the exporter has not stopped cleanly");
}

/// How many events it has counted, by their names.
fn events(exporter: &Exporter) -> BTreeMap<String, u64> {
    let page = exporter.metrics();
    let counts = page.iter().filter_map(|(series, count)| {
        let labels = series.strip_prefix("ems_events_total{server=\"ems\",event=\"")?;
        Some((labels.strip_suffix("\"}")?.to_owned(), *count as u64))
    });
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Random steps of the writer that need no running follower.
fn write_on(writer: &mut Writer) {
    for _ in 0..writer.random.u64(..12) {
        match writer.random.u64(..8) {
            0..=3 => writer.append(),
            4 => writer.append_half(),
            5 => writer.rotate(),
            6 => writer.go_to_next_name(),
            _ => writer.restart(),
        }
        writer.pause();
    }
}

fn lives_of_an_exporter(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let (logs, storage) = (directory.path().join("logs"), directory.path().join("storage"));
    fs::create_dir(&logs).unwrap();
    let checkpoint = Checkpoint::of(&storage, "ems");
    let mut writer = Writer::new(&logs, Rng::with_seed(seed));
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for life in 0..6 {
        write_on(&mut writer);
        // What is compressed before the first start is taken for history.
        if life > 0 && writer.random.u64(..2) == 0 {
            writer.compress();
        }
        let flags = ["--storage.path", storage.to_str().unwrap(), "--events.start", "saved-or-beginning"];
        let mut exporter = follow(&logs, &flags);
        write_on(&mut writer);
        if life % 2 == 1 {
            writer.append();
        }
        writer.complete();
        let wanted: BTreeMap<String, u64> = writer
            .totals()
            .into_iter()
            .map(|(name, total)| (name.to_owned(), total - counted.get(name).copied().unwrap_or_default()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let sum: u64 = wanted.values().sum();
        wait_for("as many events to be counted as were written", || {
            let events = events(&exporter);
            holds(events.values().sum::<u64>() >= sum, events)
        });
        assert_eq!(events(&exporter), wanted, "seed {seed}, life {life}");
        for (name, count) in wanted {
            *counted.entry(name).or_default() += count;
        }
        if life % 2 == 1 {
            // A kill after the checkpoint was written repeats nothing either.
            wait_for("the checkpoint to know the file", || {
                holds(checkpoint.knows_all_of(&writer.current), ())
            });
            exporter.process.kill();
        } else {
            stop(exporter);
        }
    }
    let written = writer.totals();
    assert_eq!(counted, written.into_iter().map(|(name, total)| (name.to_owned(), total)).collect());
}

#[test]
fn the_lives_of_an_exporter_count_what_was_written() {
    each_seed(seeds(4), lives_of_an_exporter);
}
