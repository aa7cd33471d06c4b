//! The folders of outputs, where this machine can read them: the sizes of chunks, and the free space.
//!
//! A look at a file system may hang for ever, as network mounts do. So no thread of the pipeline, of a scrape or of the
//! shutdown takes one: the dispatcher hands closed chunks to a thread for each mount point, which it finds by the path
//! alone. All queues are bounded, and a chunk that finds its queue full is counted and stays unmeasured.

mod dispatcher;
mod file_system;
mod mounts;
mod path_map;
mod status;
mod worker;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::model::output::ClosedChunk;
use crate::pipeline::Pipeline;

use dispatcher::Dispatcher;
use status::{Outcome, Shared};

pub use file_system::FileSystem;
pub use path_map::{PathMap, resolve};
pub use status::{METRICS, Reading};

/// The folders of the outputs of all servers.
#[derive(Debug)]
pub struct Folders {
    queue: SyncSender<(String, ClosedChunk)>,
    /// Taken by the dispatcher when it starts.
    chunks: Mutex<Option<Receiver<(String, ClosedChunk)>>>,
    /// For servers without a map of their own.
    map: PathMap,
    maps: BTreeMap<String, PathMap>,
    shared: Arc<Shared>,
}

impl Folders {
    /// Nothing is looked at yet. `maps` are those of servers, which come before `map`.
    pub fn new(map: &PathMap, maps: &BTreeMap<String, PathMap>) -> Arc<Self> {
        let (queue, chunks) = sync_channel(dispatcher::QUEUE);
        let joined = |own: &PathMap| PathMap([map.0.as_slice(), own.0.as_slice()].concat());
        Arc::new(Self {
            queue,
            chunks: Mutex::new(Some(chunks)),
            map: map.clone(),
            maps: maps.iter().map(|(server, own)| (server.clone(), joined(own))).collect(),
            shared: Arc::default(),
        })
    }

    /// Takes a closed chunk of a server to measure its file, or returns it if its queue is full. It never waits.
    pub fn enqueue(&self, server: &str, chunk: ClosedChunk) -> Result<(), ClosedChunk> {
        self.queue.try_send((server.to_owned(), chunk)).map_err(|error| {
            self.shared.count(server, Outcome::Dropped);
            let (TrySendError::Full((_, chunk)) | TrySendError::Disconnected((_, chunk))) = error;
            chunk
        })
    }

    /// Measures chunks on threads of its own for as long as the pipeline exists. Nothing waits for them, since a look
    /// at a file system may hang.
    pub fn start(self: &Arc<Self>, pipeline: &Arc<Pipeline>, files: FileSystem) {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(chunks) = chunks {
            let (map, maps) = (self.map.clone(), self.maps.clone());
            let dispatcher = Dispatcher::new(
                Arc::downgrade(pipeline),
                Arc::clone(&self.shared),
                Arc::new(files),
                map,
                maps,
            );
            std::thread::spawn(move || dispatcher.run(&chunks));
        }
    }

    /// The folders of each server as last known.
    pub fn readings(&self) -> Vec<(String, Reading)> {
        self.shared.readings(Instant::now())
    }
}
