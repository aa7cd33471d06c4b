//! A media server, and a log rotation, that write event files.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The names of events, all of which a family knows.
const NAMES: [&str; 3] = ["timerTriggered", "pullStreamFailed", "cliRequest"];

/// The server's own name for a file that it appends to after a restart.
const PLAIN: &str = "events.json";

pub struct Writer {
    directory: PathBuf,
    pub random: Rng,
    process: u64,
    /// The sequence number of the last entry; it starts again with the process.
    id: u64,
    /// The file that is written to, by its present name.
    pub current: PathBuf,
    file: File,
    /// An entry of which only the beginning was written, unless only its separators are missing, and the end.
    half: Option<(Option<String>, Vec<u8>)>,
    /// Every entry that was written whole, but for its separators, as it is to be delivered.
    pub entries: Vec<String>,
    /// How many names were made up.
    names: u32,
    /// Files that are no longer written to.
    finished: Vec<PathBuf>,
}

impl Writer {
    pub fn new(directory: &Path, random: Rng) -> Self {
        let current = directory.join(PLAIN);
        Self {
            directory: directory.to_owned(),
            random,
            process: 1000,
            id: 0,
            file: open(&current),
            current,
            half: None,
            entries: Vec::new(),
            names: 0,
            finished: Vec::new(),
        }
    }

    /// How many entries of each name were written.
    pub fn totals(&self) -> BTreeMap<&'static str, u64> {
        let mut totals = BTreeMap::new();
        for entry in &self.entries {
            let name = NAMES.into_iter().find(|name| entry.contains(name)).unwrap();
            *totals.entry(name).or_default() += 1;
        }
        totals
    }

    fn name(&mut self, before: &str, after: &str) -> PathBuf {
        self.names += 1;
        self.directory.join(format!("{before}{:06}{after}", self.names))
    }

    fn next_entry(&mut self) -> String {
        self.id += 1;
        let number = self.entries.len();
        let name = NAMES[self.random.u64(..3) as usize];
        let length = match self.random.u64(..200) {
            // Longer than what is read at once.
            0 => 200_000,
            1..=20 => self.random.u64(..3000),
            _ => self.random.u64(..60),
        };
        let (id, process, time) = (self.id, self.process, 1_795_364_000 + number);
        let more = "x".repeat(length as usize);
        format!(
            r#"{{"id":{id},"payload":{{"PID":{process},"localStreamName":"e{number:06}","more":"{more}","timerId":1}},"processId":{process},"timestamp":{time},"type":"{name}"}}"#
        )
    }

    fn write(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    /// Whole entries, in one piece or several.
    pub fn append(&mut self) {
        self.complete();
        let count = if self.random.u64(..8) == 0 { 300 } else { self.random.u64(..12) };
        for _ in 0..=count {
            let entry = self.next_entry();
            let line = format!("{entry},\n");
            let cut = self.random.u64(..line.len() as u64 * 4) as usize;
            let (first, rest) = line.split_at(cut.min(line.len()));
            self.write(first.as_bytes());
            self.write(rest.as_bytes());
            self.entries.push(entry);
        }
    }

    pub fn append_half(&mut self) {
        self.complete();
        let entry = self.next_entry();
        let line = format!("{entry},\n").into_bytes();
        let cut = 1 + self.random.u64(..line.len() as u64 - 1) as usize;
        // With its last brace an object is whole.
        let missing = if cut < entry.len() {
            Some(entry)
        } else {
            self.entries.push(entry);
            None
        };
        self.write(&line[..cut]);
        self.half = Some((missing, line[cut..].to_vec()));
    }

    pub fn complete(&mut self) {
        if let Some((missing, rest)) = self.half.take() {
            self.write(&rest);
            self.entries.extend(missing);
        }
    }

    fn go_on_in(&mut self, path: PathBuf) {
        self.file = open(&path);
        let left = std::mem::replace(&mut self.current, path);
        if left != self.current {
            self.finished.push(left);
        }
    }

    /// Renames the file. The writer has it open still and writes on for a moment.
    fn rename(&mut self, to: PathBuf) {
        self.complete();
        fs::rename(&self.current, &to).unwrap();
        if self.random.u64(..2) == 0 {
            self.append();
        }
        self.file = open(&self.current);
        self.finished.push(to);
    }

    /// Rotates to a name that the pattern matches.
    pub fn rotate(&mut self) {
        let to = self.name(&format!("{PLAIN}-"), "");
        self.rename(to);
    }

    /// Rotates to a name that no pattern matches. The checkpoint must know all of the file.
    pub fn rotate_out_of_sight(&mut self) {
        let to = self.name(".old-", "");
        self.rename(to);
    }

    /// What the server does when its files have a time in their names.
    pub fn go_to_next_name(&mut self) {
        self.complete();
        let path = self.name("events_20261122_", ".json");
        self.go_on_in(path);
    }

    /// Another process of the server, whose entries count from 1.
    pub fn restart(&mut self) {
        self.process += 1;
        self.id = 0;
        match self.random.u64(..4) {
            // Cut short in the middle of an entry, which is never completed.
            0 => {
                self.append_half();
                self.half = None;
                let path = self.name("events_20261122_", ".json");
                self.go_on_in(path);
            }
            1 => self.go_to_next_name(),
            _ => self.complete(),
        }
    }

    /// Copies the file and truncates it, with `between` before the truncation. Everything in it
    /// must have been delivered.
    pub fn copy_and_truncate(&mut self, between: impl FnOnce()) {
        self.names += 1;
        let mut name = self.current.clone().into_os_string();
        name.push(format!(".{}", self.names));
        let copy = PathBuf::from(name);
        let content = fs::read(&self.current).unwrap();
        let cut = self.random.u64(..content.len() as u64 + 1) as usize;
        let mut file = open(&copy);
        file.write_all(&content[..cut]).unwrap();
        std::thread::sleep(Duration::from_millis(self.random.u64(..40)));
        file.write_all(&content[cut..]).unwrap();
        self.finished.push(copy);
        between();
        self.file.set_len(0).unwrap();
    }

    /// Deletes the file and makes another one. Everything in it must have been delivered.
    pub fn delete(&mut self) {
        fs::remove_file(&self.current).unwrap();
        self.file = open(&self.current);
    }

    /// Deletes the finished files. Everything in them must have been delivered.
    pub fn prune(&mut self) {
        for path in self.finished.drain(..) {
            fs::remove_file(path).unwrap();
        }
    }

    /// Compresses some of the finished files, as log rotation does. A follower that runs must have read them.
    pub fn compress(&mut self) {
        for path in &mut self.finished {
            if path.extension().is_some_and(|suffix| suffix == "gz") || self.random.u64(..3) == 0 {
                continue;
            }
            let mut name = path.clone().into_os_string();
            name.push(".gz");
            let compressed = PathBuf::from(name);
            let mut encoder = GzEncoder::new(open(&compressed), Compression::fast());
            encoder.write_all(&fs::read(&path).unwrap()).unwrap();
            let file = encoder.finish().unwrap();
            file.set_modified(fs::metadata(&path).unwrap().modified().unwrap()).unwrap();
            fs::remove_file(&path).unwrap();
            *path = compressed;
        }
    }

    /// A short rest, or none.
    pub fn pause(&mut self) {
        if self.random.u64(..3) != 0 {
            std::thread::sleep(Duration::from_millis(self.random.u64(..15)));
        }
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}
