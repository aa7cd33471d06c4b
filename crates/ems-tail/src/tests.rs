//! The follower on real files: what happens to files, one test each. No test waits.

mod compressed;
mod driver;
mod formats;
mod random;
mod rotation;
mod saved;
mod start;
mod trouble;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use strum::VariantArray as _;

use super::advance::{OPEN_FILES, POLL_BUDGET};
use super::followed::Followed;
use super::*;

/// A directory of event files, a follower of it, and what it delivered.
struct Fixture {
    directory: TempDir,
    options: Options,
    follower: Follower,
    now: Instant,
    rejected: u64,
}

impl Fixture {
    /// Follows `pattern` in a new directory from the beginning, without a checkpoint.
    fn new(pattern: &str) -> Self {
        Self::with(pattern, |options, _| options.start = Start::Beginning)
    }

    /// Follows with the checkpoint in a directory beside the event files.
    fn saving(pattern: &str, start: Start) -> Self {
        Self::with(pattern, |options, path| {
            options.start = start;
            options.storage = Some(Storage { directory: path.join("storage"), name: "ems".to_owned() });
        })
    }

    fn with(pattern: &str, change: impl FnOnce(&mut Options, &Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        let pattern = directory.path().join("logs").join(pattern);
        let mut options = Options::new(vec![pattern.to_str().unwrap().to_owned()]);
        change(&mut options, directory.path());
        let follower = Follower::new(options.clone()).unwrap();
        Self { directory, options, follower, now: Instant::now(), rejected: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("logs").join(name)
    }

    fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Polls once, a second later than the last time.
    fn poll(&mut self) -> Vec<String> {
        self.now += Duration::from_secs(1);
        self.poll_now()
    }

    /// Polls once at the same time as the last poll, so that the checkpoint is not written.
    fn poll_now(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut rejected = 0;
        let progress = self.follower.poll(self.now, &mut |frame| match frame {
            Frame::Entry(entry) => found.push(String::from_utf8(entry.bytes.to_vec()).unwrap()),
            Frame::Oversized { .. } => rejected += 1,
            Frame::Unreadable(_) => {}
        });
        assert_eq!((progress.entries, progress.rejected), (found.len() as u64, rejected));
        assert!(!progress.more);
        self.rejected += rejected;
        found
    }

    /// Ends the follower as `kill -9` does, and starts another one.
    fn kill(&mut self) {
        self.follower = Follower::new(self.options.clone()).unwrap();
    }

    /// Ends the follower cleanly and starts another one.
    fn restart(&mut self) {
        self.follower.stop();
        self.kill();
    }

    fn status(&self) -> &Status {
        self.follower.status()
    }

    fn behind(&self) -> u64 {
        self.status().bytes_behind
    }

    /// How many conditions last now.
    fn troubled(&self) -> usize {
        self.follower.troubles.lasting.len()
    }

    /// All rotations counted so far.
    fn rotations(&self) -> Vec<Rotation> {
        let count = |kind| usize::try_from(self.status().rotation(kind)).unwrap();
        Rotation::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, count(kind))).collect()
    }

    /// All errors counted so far.
    fn errors(&self) -> Vec<Reason> {
        let count = |reason| usize::try_from(self.status().error(reason)).unwrap();
        Reason::ALL.into_iter().flat_map(|reason| std::iter::repeat_n(reason, count(reason))).collect()
    }
}

/// The lines of JSON entries with these numbers.
fn json(numbers: impl IntoIterator<Item = u32>) -> String {
    numbers.into_iter().map(|number| format!("{},\n", entry(number))).collect()
}

/// One JSON entry.
fn entry(number: u32) -> String {
    format!("{{\"id\":{number},\"type\":\"timerTriggered\"}}")
}

/// The JSON entries with these numbers, as they are delivered.
fn entries(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(entry).collect()
}
