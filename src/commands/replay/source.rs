//! The files of a replay. Those that log rotation has compressed are read from a plain copy.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use ems_tail::Compression;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
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
        let mut file = BufReader::new(File::open(&self.name)?);
        let copy = self.copy.insert(NamedTempFile::new()?);
        match compression {
            Compression::Gzip => io::copy(&mut MultiGzDecoder::new(file), copy).map(|_| ()),
            Compression::Zstandard => {
                while !io::BufRead::fill_buf(&mut file)?.is_empty() {
                    let mut frame = StreamingDecoder::new(&mut file).map_err(io::Error::other)?;
                    io::copy(&mut frame, copy)?;
                }
                copy.flush()
            }
        }
    }
}
