//! The checkpoint as it lies on disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The checkpoint of one follower.
pub struct Checkpoint(PathBuf);

impl Checkpoint {
    pub fn of(storage: &Path, name: &str) -> Self {
        Self(storage.join(format!("tail-{name}.json")))
    }

    /// When it was last written; `None` before the first time.
    pub fn written(&self) -> Option<SystemTime> {
        fs::metadata(&self.0).ok().map(|metadata| metadata.modified().unwrap())
    }

    /// Whether it says that all of this file was delivered.
    pub fn knows_all_of(&self, file: &Path) -> bool {
        let Ok(bytes) = fs::read(&self.0) else { return false };
        let content: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let metadata = fs::metadata(file).unwrap();
        content["files"]
            .as_array()
            .unwrap()
            .iter()
            .any(|saved| saved["inode"] == metadata.ino() && saved["offset"] == metadata.len())
    }
}
