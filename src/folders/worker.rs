//! Looks at the files of one mount point, on a thread of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::file_system::FileSystem;
use super::mounts::Mounts;
use super::status::{Look, Outcome, Shared};
use crate::model::output::ClosedChunk;
use crate::pipeline::Pipeline;

/// Most tasks that wait for a worker, and most empty chunks that wait for their second look.
pub(super) const QUEUE: usize = 1024;
/// From the first look at an empty chunk to the second: the event may overtake the last write, and network file systems
/// keep sizes for a moment.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// From one look at a readable folder to the next.
const READABLE_AGAIN: Duration = Duration::from_secs(60);
/// From the first look at an unreadable folder to the second, and the longest of the pauses after that, each of which is
/// twice as long as the one before. A media server may make the folder of a new output a moment later.
const UNREADABLE_AGAIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// Work of a worker.
#[derive(Debug)]
pub(super) enum Task {
    /// Measure a chunk.
    Chunk(Chunk),
    /// Look at all announced folders of a server on this mount point.
    Look { server: String, folders: Vec<PathBuf>, mounts: Arc<Mounts> },
}

/// A closed chunk with its paths on this machine.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) server: String,
    pub(super) chunk: ClosedChunk,
    pub(super) folder: PathBuf,
    pub(super) file: PathBuf,
}

/// The result of the last look at a folder.
#[derive(Debug)]
struct Known {
    /// Where it is mounted, by its path without symbolic links; none if it cannot be read.
    mount: Option<PathBuf>,
    next: Instant,
    /// The pause until then.
    pause: Duration,
}

pub(super) struct Worker {
    pipeline: Weak<Pipeline>,
    shared: Arc<Shared>,
    files: Arc<FileSystem>,
    /// The mount point.
    mount: PathBuf,
    mounts: Arc<Mounts>,
    /// By server; only announced folders stay beyond the next look.
    folders: HashMap<String, HashMap<PathBuf, Known>>,
    /// Empty chunks, and when they are looked at again.
    empty: VecDeque<(Instant, Chunk)>,
}

impl Worker {
    pub(super) fn new(
        pipeline: Weak<Pipeline>,
        shared: Arc<Shared>,
        files: Arc<FileSystem>,
        mount: PathBuf,
        mounts: Arc<Mounts>,
    ) -> Self {
        Self { pipeline, shared, files, mount, mounts, folders: HashMap::new(), empty: VecDeque::new() }
    }

    /// Runs until the dispatcher has no more tasks for it.
    pub(super) fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            let task = match self.empty.front() {
                Some((due, _)) => tasks.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match task {
                Ok(Task::Chunk(chunk)) => self.measure(chunk, false),
                Ok(Task::Look { server, folders, mounts }) => {
                    self.look(server, folders, mounts, Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.empty.is_empty() => return,
                // What waits is still looked at.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(SECOND_LOOK),
            }
            let now = Instant::now();
            while let Some((_, chunk)) = self.empty.pop_front_if(|(due, _)| *due <= now) {
                self.measure(chunk, true);
            }
        }
    }

    fn measure(&mut self, chunk: Chunk, second: bool) {
        let (size, outcome) = match self.size(&chunk) {
            Ok(Some(0)) if chunk.chunk.is_rest => (None, Outcome::Measured),
            Ok(Some(0)) if !second && self.empty.len() < QUEUE => {
                return self.empty.push_back((Instant::now() + SECOND_LOOK, chunk));
            }
            Ok(Some(0)) if !second => (None, Outcome::Dropped),
            Ok(Some(size)) => (Some(size), Outcome::Measured),
            Ok(None) => (None, Outcome::Missing),
            Err(()) => (None, Outcome::Unreadable),
        };
        self.shared.count(&chunk.server, outcome);
        if let Some(pipeline) = self.pipeline.upgrade() {
            pipeline.measured(&chunk.server, &chunk.chunk, size);
        }
    }

    /// The size of a chunk's file, nothing if its folder holds no such file, or an error if the folder cannot be read.
    fn size(&mut self, chunk: &Chunk) -> Result<Option<u64>, ()> {
        let Chunk { server, folder, file, .. } = chunk;
        if !self.is_readable(server, folder, false, Instant::now()) {
            return Err(());
        }
        // A symbolic link may lead to any file.
        match (self.files.metadata)(file) {
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // The folder may be gone too.
                if self.is_readable(server, folder, true, Instant::now()) { Ok(None) } else { Err(()) }
            }
            Err(error) => {
                self.shared.notice(server, folder, &error);
                self.know(server, folder, None, Instant::now());
                Err(())
            }
        }
    }

    /// Whether a folder can be read, as known since the last look at it or, if it is due or `anew`, by a new one.
    fn is_readable(&mut self, server: &str, folder: &Path, anew: bool, now: Instant) -> bool {
        let folders = self.folders.entry(server.to_owned()).or_default();
        if let Some(known) = folders.get(folder).filter(|known| known.next > now && !anew) {
            return known.mount.is_some();
        }
        let mount = match real_path(&self.files, folder) {
            Ok(real) => Some(self.mounts.of(&real).to_owned()),
            Err(error) => {
                self.shared.notice(server, folder, &error);
                None
            }
        };
        self.know(server, folder, mount, now)
    }

    /// Records the result of a look at a folder, and returns whether it can be read.
    fn know(&mut self, server: &str, folder: &Path, mount: Option<PathBuf>, now: Instant) -> bool {
        let folders = self.folders.entry(server.to_owned()).or_default();
        let [first, longest] = UNREADABLE_AGAIN;
        let before = folders.get(folder).filter(|known| known.mount.is_none());
        let is_readable = mount.is_some();
        let pause = match before {
            _ if is_readable => READABLE_AGAIN,
            Some(known) => (known.pause * 2).min(longest),
            None => first,
        };
        folders.insert(folder.to_owned(), Known { mount, next: now + pause, pause });
        is_readable
    }

    fn look(&mut self, server: String, folders: Vec<PathBuf>, mounts: Arc<Mounts>, now: Instant) {
        self.mounts = mounts;
        let mut look = Look { announced: folders.len(), ..Look::default() };
        for folder in &folders {
            if self.is_readable(&server, folder, false, now) {
                look.readable += 1;
            } else {
                look.unreadable += 1;
            }
        }
        let mut examples: BTreeMap<&PathBuf, &PathBuf> = BTreeMap::new();
        if let Some(known) = self.folders.get_mut(&server) {
            known.retain(|folder, _| folders.binary_search(folder).is_ok());
            let readable = known.iter().filter_map(|(folder, known)| Some((known.mount.as_ref()?, folder)));
            examples.extend(readable);
        }
        for (mount, folder) in examples {
            match rustix::fs::statvfs(folder) {
                Ok(space) => look.free.push((mount.clone(), space.f_bavail.saturating_mul(space.f_frsize))),
                Err(error) => self.shared.notice(&server, folder, &error.into()),
            }
        }
        look.at = Some(Instant::now());
        let mut statuses = self.shared.lock();
        // A look that hung may end when the folders are no longer announced.
        if let Some(last) = statuses.get_mut(&server).and_then(|status| status.looks.get_mut(&self.mount)) {
            *last = look;
        }
    }
}

/// The path of a folder without symbolic links, if files in it can be looked at.
fn real_path(files: &FileSystem, folder: &Path) -> io::Result<PathBuf> {
    (files.metadata)(&folder.join("."))?;
    folder.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_folder_is_looked_at_ever_more_rarely() {
        let folder = tempfile::tempdir().unwrap();
        let announced = folder.path().join("cam");
        let (shared, mounts) = (Arc::<Shared>::default(), Arc::<Mounts>::default());
        let mut worker = Worker::new(
            Weak::new(),
            Arc::clone(&shared),
            Arc::default(),
            PathBuf::from("/"),
            Arc::clone(&mounts),
        );
        shared.lock().entry("ems".to_owned()).or_default().looks.entry(PathBuf::from("/")).or_default();
        let start = Instant::now();
        let mut readable = |after: u64| {
            let now = start + Duration::from_secs(after);
            worker.look("ems".to_owned(), vec![announced.clone()], Arc::clone(&mounts), now);
            shared.lock()["ems"].looks[Path::new("/")].readable
        };
        // Looks after 5, 10, 20, 40, 80 and 160 seconds more, and then after 300.
        let mut looks = [0, 5, 15, 35, 75, 155, 315, 615].into_iter();
        assert!(looks.all(|after| readable(after) == 0));
        std::fs::create_dir(&announced).unwrap();
        assert_eq!((readable(620), readable(914)), (0, 0), "no look");
        assert_eq!(readable(915), 1, "the folder is there by now");
        std::fs::remove_dir(&announced).unwrap();
        assert_eq!((readable(974), readable(975), readable(979)), (1, 0, 0));
        std::fs::create_dir(&announced).unwrap();
        assert_eq!(readable(980), 1, "a folder that has been readable is soon looked at again");
    }
}
