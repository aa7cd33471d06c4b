//! Wakes the loop when something changes in a directory, by inotify.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::listing::Identity;

/// Why the loop wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something may have changed: poll.
    Changed,
    /// Write the checkpoint and return.
    Stop,
}

/// The directories that are watched.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    /// What each watched directory was when the watch began; another directory of the same
    /// name needs a new watch.
    watched: HashMap<PathBuf, Identity>,
    /// The directories that could not be watched; tried again when another directory has the name.
    failed: HashMap<PathBuf, Identity>,
}

/// The result of [`Watch::sync`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Synced {
    /// A directory is newly watched: poll once more for changes before that.
    pub(super) added: bool,
    /// How many directories could not be watched.
    pub(super) failed: usize,
}

impl Watch {
    /// A watch that sends [`Wake::Changed`] to `wakes`.
    ///
    /// # Errors
    /// When the system provides no watcher; only periodic polls find changes then.
    pub fn new(wakes: Sender<Wake>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // The follower's own reading opens files; an error may hide a change.
            let opened = event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)));
            if !opened {
                // Without a receiver the loop has ended.
                wakes.send(Wake::Changed).ok();
            }
        })?;
        Ok(Self { watcher, watched: HashMap::new(), failed: HashMap::new() })
    }

    /// Watches exactly the `wanted` directories.
    pub(super) fn sync(&mut self, wanted: &BTreeSet<PathBuf>) -> Synced {
        let mut synced = Synced::default();
        let gone: Vec<PathBuf> =
            self.watched.keys().filter(|path| !wanted.contains(*path)).cloned().collect();
        for path in gone {
            self.forget(&path);
        }
        self.failed.retain(|path, _| wanted.contains(path));
        for path in wanted {
            let Ok(identity) = fs::metadata(path).map(|metadata| Identity::of(&metadata)) else {
                self.forget(path);
                continue;
            };
            if self.watched.get(path) == Some(&identity) || self.failed.get(path) == Some(&identity) {
                continue;
            }
            self.forget(path);
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path.clone(), identity);
                    synced.added = true;
                }
                Err(error) => {
                    warn!(path = %path.display(), %error, "cannot watch the directory, it is polled");
                    self.failed.insert(path.clone(), identity);
                    synced.failed += 1;
                }
            }
        }
        synced
    }

    fn forget(&mut self, path: &PathBuf) {
        if self.watched.remove(path).is_some() {
            // The watch of a directory that was deleted is gone already.
            self.watcher.unwatch(path).ok();
        }
    }
}
