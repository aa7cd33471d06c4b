//! What was delivered, and what may be delivered once more.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ems_tail::SAVE_INTERVAL;

use crate::checkpoint::Checkpoint;

/// How much later than it should a checkpoint may come on a busy machine.
const GRACE: Duration = Duration::from_secs(2);
/// The time of a file is the kernel's last tick before it was written.
const TICK: Duration = Duration::from_millis(20);

/// The record of all deliveries. Each life must end with [`Ledger::stopped`] or
/// [`Ledger::killed`].
pub struct Ledger {
    directory: PathBuf,
    /// Lives that have ended.
    lives: u32,
    /// How far the file of this life was read.
    read: usize,
    /// Entries that were delivered in any life.
    delivered: HashSet<usize>,
    /// Entries that must never come again: a checkpoint or a clean stop covers them.
    settled: HashSet<usize>,
    /// What this life delivered, and when.
    life: HashMap<usize, SystemTime>,
    /// Deliveries beyond the first.
    pub repeats: usize,
}

impl Ledger {
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            lives: 0,
            read: 0,
            delivered: HashSet::new(),
            settled: HashSet::new(),
            life: HashMap::new(),
            repeats: 0,
        }
    }

    /// Where this life writes down what it delivers. A kill can cut the last line short; its
    /// entry was not delivered.
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("ledger-{}", self.lives))
    }

    fn next_life(&mut self) {
        self.lives += 1;
        self.read = 0;
    }

    /// Reads what was delivered meanwhile, and compares it with what was written.
    pub fn read(&mut self, written: &[String]) {
        let bytes = fs::read(self.path()).unwrap_or_default();
        let fresh = &bytes[self.read..];
        let whole = memchr::memrchr(b'\n', fresh).map_or(0, |end| end + 1);
        self.read += whole;
        for line in std::str::from_utf8(&fresh[..whole]).unwrap().lines() {
            let (nanos, entry) = line.split_once(' ').unwrap();
            let number = entry.find(r#"Name":"e"#).and_then(|at| entry.get(at + 8..at + 14));
            let number: usize = number.and_then(|digits| digits.parse().ok()).expect(entry);
            assert_eq!(Some(entry), written.get(number).map(String::as_str), "an invented entry");
            assert!(!self.settled.contains(&number), "entry {number} came again, though it was settled");
            let time = UNIX_EPOCH + Duration::from_nanos(nanos.parse().unwrap());
            assert_eq!(self.life.insert(number, time), None, "entry {number} came twice in one life");
            self.repeats += usize::from(!self.delivered.insert(number));
        }
    }

    pub fn is_whole(&mut self, written: &[String]) -> bool {
        self.read(written);
        self.delivered.len() == written.len()
    }

    /// The numbers of the entries that are missing.
    pub fn missing(&self, written: &[String]) -> Vec<usize> {
        (0..written.len()).filter(|number| !self.delivered.contains(number)).collect()
    }

    /// After a clean stop nothing may come again.
    pub fn stopped(&mut self, written: &[String]) {
        self.read(written);
        self.settled.extend(self.life.drain().map(|(number, _)| number));
        self.next_life();
    }

    /// After a kill only that may come again which the checkpoint on disk does not know, and
    /// that is of the last moments.
    pub fn killed(&mut self, written: &[String], at: SystemTime, checkpoint: &Checkpoint) {
        self.read(written);
        let saved = checkpoint.written().unwrap_or(UNIX_EPOCH);
        for (number, time) in self.life.drain() {
            if time < saved {
                self.settled.insert(number);
            } else if time > saved + TICK {
                let age = at.duration_since(time).unwrap_or_default();
                assert!(age < SAVE_INTERVAL + GRACE, "entry {number} was not settled for {age:?}");
            }
        }
        self.next_life();
    }
}
