//! Hands closed chunks, and regularly all announced folders, to the workers of their mount points.

use std::collections::{BTreeMap, HashMap};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::file_system::FileSystem;
use super::mounts::Mounts;
use super::path_map::PathMap;
use super::status::{Outcome, Shared};
use super::worker::{self, Task, Worker};
use crate::model::output::{ClosedChunk, Format};
use crate::pipeline::Pipeline;

/// Most closed chunks that wait for the dispatcher.
pub(super) const QUEUE: usize = 1024;
/// How long closed chunks gather before they are handed on, so that a busy server wakes no thread for each of them.
const GATHERING: Duration = Duration::from_millis(10);
/// From one look at all announced folders to the next.
const INTERVAL: Duration = Duration::from_secs(5);
/// Most mount points that have a worker.
const WORKERS: usize = 32;
/// Most folders of a server that are looked at.
const FOLDERS: usize = 10_000;

pub(super) struct Dispatcher {
    pipeline: Weak<Pipeline>,
    shared: Arc<Shared>,
    files: Arc<FileSystem>,
    map: PathMap,
    maps: BTreeMap<String, PathMap>,
    mounts: Arc<Mounts>,
    /// By mount point.
    workers: HashMap<PathBuf, SyncSender<Task>>,
    /// When all announced folders are looked at next.
    next: Instant,
}

impl Dispatcher {
    pub(super) fn new(
        pipeline: Weak<Pipeline>,
        shared: Arc<Shared>,
        files: Arc<FileSystem>,
        map: PathMap,
        maps: BTreeMap<String, PathMap>,
    ) -> Self {
        let mounts = Arc::new(Mounts::new((files.mount_points)()));
        Self { pipeline, shared, files, map, maps, mounts, workers: HashMap::new(), next: Instant::now() }
    }

    /// Runs for as long as the pipeline exists.
    pub(super) fn run(mut self, chunks: &Receiver<(String, ClosedChunk)>) {
        loop {
            match chunks.recv_timeout(self.next.saturating_duration_since(Instant::now())) {
                Ok((server, chunk)) => {
                    std::thread::sleep(GATHERING);
                    self.chunk(server, chunk);
                    for (server, chunk) in chunks.try_iter().take(QUEUE) {
                        self.chunk(server, chunk);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.next <= Instant::now() {
                let Some(pipeline) = self.pipeline.upgrade() else { return };
                self.look(&pipeline);
                self.next = Instant::now() + INTERVAL;
            }
        }
    }

    fn map(&self, server: &str) -> &PathMap {
        self.maps.get(server).unwrap_or(&self.map)
    }

    fn chunk(&mut self, server: String, chunk: ClosedChunk) {
        let found = self.map(&server).find(folder_of(chunk.format, &chunk.folder), &chunk.file);
        let Some((folder, file)) = found else {
            return self.give_up(&server, &chunk, Outcome::Unreadable);
        };
        let mount = self.mounts.of(&folder).to_owned();
        if self.shared.lock().get(&server).is_none_or(|status| !status.looks.contains_key(&mount)) {
            self.next = Instant::now();
        }
        let task = Task::Chunk(worker::Chunk { server, chunk, folder, file });
        if let Err(refused) = self.send(mount, task)
            && let Task::Chunk(refused) = *refused
        {
            self.give_up(&refused.server, &refused.chunk, Outcome::Dropped);
        }
    }

    fn give_up(&self, server: &str, chunk: &ClosedChunk, outcome: Outcome) {
        self.shared.count(server, outcome);
        if let Some(pipeline) = self.pipeline.upgrade() {
            pipeline.measured(server, chunk, None);
        }
    }

    /// Sends a task to the worker of a mount point, which is started if there is none.
    fn send(&mut self, mount: PathBuf, task: Task) -> Result<(), Box<Task>> {
        if self.workers.len() >= WORKERS && !self.workers.contains_key(&mount) {
            return Err(Box::new(task));
        }
        let worker = self.workers.entry(mount).or_insert_with_key(|mount| {
            let (tasks, received) = sync_channel(worker::QUEUE);
            let (pipeline, shared) = (Weak::clone(&self.pipeline), Arc::clone(&self.shared));
            let files = Arc::clone(&self.files);
            let worker = Worker::new(pipeline, shared, files, mount.clone(), Arc::clone(&self.mounts));
            std::thread::spawn(move || worker.run(&received));
            tasks
        });
        worker.try_send(task).map_err(|error| {
            let (TrySendError::Full(task) | TrySendError::Disconnected(task)) = error;
            Box::new(task)
        })
    }

    /// Has all announced folders looked at, and ends the workers that have none.
    fn look(&mut self, pipeline: &Pipeline) {
        self.mounts = Arc::new(Mounts::new((self.files.mount_points)()));
        let mut used: Vec<PathBuf> = Vec::new();
        for server in pipeline.servers() {
            let (folders, untracked) = server.read(|state| {
                let mut announced = state.outputs.announced_folders();
                let tracked = announced.by_ref().take(FOLDERS);
                let folders: Vec<_> =
                    tracked.map(|(format, folder)| folder_of(format, folder).to_owned()).collect();
                (folders, announced.count())
            });
            let mut by_mount: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
            let mut relative = 0;
            for folder in folders {
                if let Some(folder) = self.map(&server.name).folder(&folder) {
                    by_mount.entry(self.mounts.of(&folder).to_owned()).or_default().push(folder);
                } else {
                    relative += 1;
                    let error =
                        Error::new(ErrorKind::InvalidInput, "it is relative to the server's own directory");
                    self.shared.notice(&server.name, Path::new(&folder), &error);
                }
            }
            self.announce(&server.name, &by_mount, relative, untracked);
            for (mount, mut folders) in by_mount {
                folders.sort_unstable();
                folders.dedup();
                used.push(mount.clone());
                let mounts = Arc::clone(&self.mounts);
                // A worker that is busy or hangs takes the next one.
                drop(self.send(mount, Task::Look { server: server.name.clone(), folders, mounts }));
            }
        }
        self.workers.retain(|mount, _| used.contains(mount));
    }

    /// Records how many folders are to be looked at, before a look may hang.
    fn announce(
        &self,
        server: &str,
        by_mount: &BTreeMap<PathBuf, Vec<PathBuf>>,
        relative: usize,
        untracked: usize,
    ) {
        let mut statuses = self.shared.lock();
        let status = statuses.entry(server.to_owned()).or_default();
        status.untracked = untracked;
        let looks = &mut status.looks;
        looks.retain(|mount, _| by_mount.contains_key(mount));
        for (mount, folders) in by_mount {
            looks.entry(mount.clone()).or_default().announced = folders.len();
        }
        if relative > 0 {
            let look = looks.entry(PathBuf::new()).or_default();
            (look.announced, look.unreadable, look.at) = (relative, relative, Some(Instant::now()));
        }
    }
}

/// The folder that holds the files of an output: of a recording the one of its path.
fn folder_of(format: Format, announced: &str) -> &str {
    if format == Format::Record {
        announced.rsplit_once('/').map_or(".", |(folder, _)| folder)
    } else {
        announced
    }
}
