//! One life of a follower: this test binary again, as a process that follows and keeps a ledger.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{SystemTime, UNIX_EPOCH};

use ems_tail::{self, Follower, Frame, Options, Start, Storage, Wake, Watch};

/// Where the process finds the directory of its world.
const WORLD: &str = "CHAOS_WORLD";
/// Where the process finds its start rule.
const START: &str = "CHAOS_START";
/// Where the process finds the name of its ledger: the deliveries of this life.
const LEDGER: &str = "CHAOS_LEDGER";

/// The directory of the event files.
pub fn logs(world: &Path) -> PathBuf {
    world.join("logs")
}

/// The directory of the checkpoint.
pub fn storage(world: &Path) -> PathBuf {
    world.join("storage")
}

/// A running follower.
pub struct Life {
    child: Child,
    /// Closing it requests a stop.
    stdin: Option<ChildStdin>,
}

impl Life {
    pub fn begin(world: &Path, ledger: &Path, start: Start) -> Self {
        let log = OpenOptions::new().append(true).create(true).open(world.join("log")).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "life::process", "--ignored"])
            .env(WORLD, world)
            .env(START, start.name())
            .env(LEDGER, ledger)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { stdin: child.stdin.take(), child }
    }

    /// Ends it as `kill -9` does; says when.
    pub fn kill(mut self) -> SystemTime {
        self.child.kill().unwrap();
        let at = SystemTime::now();
        self.child.wait().unwrap();
        at
    }

    /// Ends it cleanly.
    pub fn stop(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success(), "the follower has failed");
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Already gone unless the test fails.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes each entry into the ledger before it counts as delivered.
fn enter(ledger: &mut File, frame: &Frame<'_>) {
    let Frame::Entry(entry) = frame else { panic!("an entry was rejected: {frame:?}") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let mut line = format!("{now} ").into_bytes();
    line.extend_from_slice(entry.bytes);
    line.push(b'\n');
    ledger.write_all(&line).unwrap();
}

#[test]
#[ignore = "is a process of the other tests"]
fn process() {
    let Some(world) = std::env::var_os(WORLD).map(PathBuf::from) else { return };
    tracing_subscriber::fmt().with_ansi(false).init();
    let mut ledger =
        OpenOptions::new().append(true).create(true).open(std::env::var_os(LEDGER).unwrap()).unwrap();
    let options = Options {
        start: Start::from_name(&std::env::var(START).unwrap()).unwrap(),
        storage: Some(Storage { directory: storage(&world), name: "chaos".to_owned() }),
        ..Options::new(vec![logs(&world).join("*").to_str().unwrap().to_owned()])
    };
    let mut follower = Follower::new(options).unwrap();
    let (wakes, woken) = channel();
    let watch = Watch::new(wakes.clone()).unwrap();
    std::thread::spawn(move || {
        // Ends when the other side is closed, by a request to stop or because the test is gone.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        wakes.send(Wake::Stop).unwrap();
    });
    let mut sink = |frame: Frame<'_>| enter(&mut ledger, &frame);
    ems_tail::run(&mut follower, &woken, Some(watch), &mut sink, &mut |_, _| ());
}
