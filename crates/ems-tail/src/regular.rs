//! Regular files, and nothing else, are opened for reading.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file, or a symbolic link to one. It never waits: a FIFO may have taken the place of the file, and
/// opening one waits for a writer.
///
/// # Errors
/// When there is no such file, it may not be read, or it is a FIFO, a device, a socket or a directory.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device can have effects.
    require(&fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    require(&file.metadata()?)?;
    Ok(file)
}

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
/// Those of [`open`], and when the file is longer or cannot be read.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

fn require(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("it is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn only_regular_files_are_opened_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "content").unwrap();
        symlink(at("file"), at("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read(&at(name), 7).unwrap(), b"content");
            assert_eq!(read(&at(name), 6).unwrap_err().to_string(), "it is larger than 6 bytes");
        }
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink(at("fifo"), at("link to a fifo")).unwrap();
        symlink("/dev/zero", at("link to a device")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        for name in [".", "fifo", "socket", "link to a fifo", "link to a device"] {
            assert_eq!(open(&at(name)).unwrap_err().to_string(), "it is not a regular file", "{name}");
        }
        assert!(open(&at("loop")).is_err());
        assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
