//! The files of a replay. Those that log rotation has compressed are read from a plain copy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file to replay.
pub(super) struct Source {
    /// Its name.
    pub(super) name: PathBuf,
    /// Its content without compression; it lasts until the source is dropped.
    copy: Option<NamedTempFile>,
    /// Why a part of it cannot be read.
    pub(super) fault: Option<String>,
}

impl Source {
    pub(super) fn new(name: &Path) -> Self {
        let mut source = Self { name: name.to_owned(), copy: None, fault: None };
        if let Err(error) = source.decompress() {
            source.fault = Some(format!("{}: it cannot be decompressed: {error}", name.display()));
        }
        source
    }

    /// The file that holds the content.
    pub(super) fn path(&self) -> &Path {
        self.copy.as_ref().map_or(&self.name, NamedTempFile::path)
    }

    fn decompress(&mut self) -> io::Result<()> {
        let mut head = Vec::new();
        File::open(&self.name)?.take(4).read_to_end(&mut head)?;
        let Some(compression) = ems_tail::compression(&head) else { return Ok(()) };
        let copy = self.copy.insert(NamedTempFile::new()?);
        ems_tail::decompress(compression, File::open(&self.name)?, u64::MAX, copy)
    }
}
