//! A writer and the lives of a follower, with a record of every entry.

use std::fs;

use ems_tail::Start;
use fastrand::Rng;
use tempfile::TempDir;
use testkit::wait::holds;
use testkit::wait_for;

use crate::checkpoint::Checkpoint;
use crate::ledger::Ledger;
use crate::life::{self, Life};
use crate::writer::Writer;
use crate::{each_seed, seeds};

/// How much is done for one seed.
const STEPS: u32 = 140;

struct World {
    seed: u64,
    directory: TempDir,
    start: Start,
    writer: Writer,
    ledger: Ledger,
    checkpoint: Checkpoint,
    life: Option<Life>,
    kills: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir(life::logs(path)).unwrap();
        let checkpoint = Checkpoint::of(&life::storage(path), "chaos");
        // The first life begins before anything is written: all of it is to be delivered by
        // either rule.
        let start = if seed.is_multiple_of(2) { Start::SavedOrEnd } else { Start::SavedOrBeginning };
        let ledger = Ledger::new(path.to_owned());
        let life = Life::begin(path, &ledger.path(), start);
        wait_for("a checkpoint", || checkpoint.written().ok_or(()));
        Self {
            seed,
            start,
            writer: Writer::new(&life::logs(path), Rng::with_seed(seed)),
            ledger,
            checkpoint,
            life: Some(life),
            kills: 0,
            directory,
        }
    }

    fn begin(&mut self) {
        self.life = Some(Life::begin(self.directory.path(), &self.ledger.path(), self.start));
    }

    fn kill(&mut self) {
        if let Some(life) = self.life.take() {
            let at = life.kill();
            self.ledger.killed(&self.writer.entries, at, &self.checkpoint);
            self.kills += 1;
        }
    }

    fn stop(&mut self) {
        if let Some(life) = self.life.take() {
            life.stop();
            self.ledger.stopped(&self.writer.entries);
        }
    }

    /// Waits until every entry was delivered; a life that is needed for this begins.
    fn settle(&mut self) {
        self.writer.complete();
        if self.life.is_none() {
            self.begin();
        }
        wait_for("every entry to be delivered", || holds(self.ledger.is_whole(&self.writer.entries), ()));
    }

    fn step(&mut self) {
        match self.writer.random.u64(..25) {
            0..=6 => self.writer.append(),
            7..=8 => self.writer.append_half(),
            9 => self.writer.rotate(),
            10 => {
                self.writer.append();
                self.settle();
                wait_for("the checkpoint to know the file", || {
                    holds(self.checkpoint.knows_all_of(&self.writer.current), self.checkpoint.written())
                });
                self.writer.rotate_out_of_sight();
            }
            11..=12 => {
                self.settle();
                let kills = self.writer.random.u64(..3) == 0;
                let Self { writer, life, ledger, checkpoint, kills: count, .. } = self;
                let mut killed = None;
                writer.copy_and_truncate(|| {
                    if kills {
                        killed = life.take().map(Life::kill);
                    }
                });
                if let Some(at) = killed {
                    ledger.killed(&writer.entries, at, checkpoint);
                    *count += 1;
                }
            }
            13 => self.writer.go_to_next_name(),
            14..=15 => self.writer.restart(),
            16 => {
                self.settle();
                self.writer.delete();
            }
            17 => {
                self.settle();
                self.writer.prune();
            }
            18..=19 => self.kill(),
            20 => self.stop(),
            24 => {
                if self.life.is_some() {
                    self.settle();
                }
                self.writer.compress();
            }
            _ if self.life.is_none() => self.begin(),
            21 => {
                self.kill();
                self.begin();
            }
            _ => self.writer.append(),
        }
        self.writer.pause();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let missing = self.ledger.missing(&self.writer.entries);
            self.directory.disable_cleanup(true);
            eprintln!("seed {}: see {}; missing: {missing:?}", self.seed, self.directory.path().display());
        }
    }
}

#[test]
fn kills_lose_nothing_and_repeat_only_what_no_checkpoint_knows_and_stops_repeat_nothing() {
    each_seed(seeds(8), |seed| {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.stop();
        // A last life proves that the stop was clean: it delivers what is new and nothing else.
        world.writer.append();
        world.settle();
        world.stop();
        let (entries, repeats, kills) = (world.writer.entries.len(), world.ledger.repeats, world.kills);
        eprintln!("seed {seed}: {entries} entries, {kills} kills, {repeats} repeats");
    });
}
