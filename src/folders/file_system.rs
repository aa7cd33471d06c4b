//! How the folders and files of outputs are looked at.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Looks at a path, which may hang.
type Look = Box<dyn Fn(&Path) -> io::Result<Metadata> + Send + Sync>;

/// How files are looked at.
pub struct FileSystem {
    /// Of a path, and of a symbolic link itself.
    pub metadata: Look,
    /// All mount points; this does not hang.
    pub mount_points: Box<dyn Fn() -> Vec<PathBuf> + Send + Sync>,
}

impl Default for FileSystem {
    fn default() -> Self {
        Self { metadata: Box::new(Path::symlink_metadata), mount_points: Box::new(ems_tail::mount_points) }
    }
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystem").finish_non_exhaustive()
    }
}
