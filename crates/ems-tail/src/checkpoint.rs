//! How far each file was delivered, kept on disk so that a restart continues there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::fingerprint::{Fingerprint, HEAD, TAIL, read_range};
use super::frame::Format;
use super::listing::Identity;
use super::regular;
use super::status::Reason;

/// The value of the first field; a file with another value is not a checkpoint.
const KIND: &str = "ems-exporter tail checkpoint";
/// The version of the format below.
const VERSION: u32 = 1;
/// The largest checkpoint that is read: one of as many files as are followed, with the longest paths.
const LARGEST: u64 = 64 << 20;

/// Where a follower keeps its checkpoint.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The directory; it is created if it does not exist.
    pub directory: PathBuf,
    /// The name of this follower among others in the directory, usually that of its server.
    /// Bytes other than letters, digits, `-` and `_` are written as `%` and two hex digits.
    pub name: String,
}

/// Takes a storage directory for this process until the file is dropped: two that write the same checkpoint would each
/// lose its entries. The directory is created if it does not exist.
///
/// # Errors
/// [`TryLockError::WouldBlock`] when another process has it; an error of the file system when the directory cannot be
/// created, or does not support locks.
pub fn lock(directory: &Path) -> Result<File, TryLockError> {
    fs::create_dir_all(directory).map_err(TryLockError::Error)?;
    let file = File::open(directory).map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// The `#Fields:` line of a W3C file as a checkpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SavedHeader {
    /// It lies in the file, at this offset.
    At(u64),
    /// It is no longer in the file; these are its names.
    Names(String),
}

/// One file as a checkpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedFile {
    /// The last known name, for a reader of the checkpoint and for a file whose device number
    /// changed.
    pub(super) path: PathBuf,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The end of the last delivered entry and of the separators after it.
    pub(super) offset: u64,
    /// The offset lies inside an entry whose rest is to be skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) skipping: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Format>,
    /// The `#Fields:` line in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<SavedHeader>,
    pub(super) head: Fingerprint,
    #[serde(rename = "seam")]
    pub(super) tail: Fingerprint,
}

impl SavedFile {
    pub(super) const fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode }
    }

    /// Whether `file` carries the content that this entry was made from.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        if !self.head.begins(&read_range(file, 0, HEAD as u64)?) || self.tail.bytes() > TAIL {
            return Ok(false);
        }
        let start = self.offset.saturating_sub(self.tail.bytes() as u64);
        Ok(self.tail.begins(&read_range(file, start, start + self.tail.bytes() as u64)?))
    }
}

/// The content of a checkpoint file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) kind: String,
    pub(super) version: u32,
    /// The patterns in force: a file of one of them that is not listed below is newer than the
    /// checkpoint.
    pub(super) patterns: Vec<String>,
    pub(super) files: Vec<SavedFile>,
    /// Files that were read to their end and let go last: log rotation may compress them.
    #[serde(default)]
    pub(super) finished: Vec<SavedFile>,
    /// The newest time of writing of all files that were ever listed, and of their directories: what is older was seen.
    #[serde(default)]
    pub(super) newest: Option<SystemTime>,
}

impl Default for Content {
    /// Nothing was followed yet.
    fn default() -> Self {
        Self {
            kind: KIND.to_owned(),
            version: VERSION,
            patterns: Vec::new(),
            files: Vec::new(),
            finished: Vec::new(),
            newest: None,
        }
    }
}

/// The checkpoint file of one follower.
#[derive(Debug)]
pub(super) struct Checkpoint {
    path: PathBuf,
    directory: PathBuf,
}

impl Checkpoint {
    pub(super) fn new(storage: &Storage) -> Self {
        let mut name = String::new();
        for byte in storage.name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                _ => name.push_str(&format!("%{byte:02x}")),
            }
        }
        Self {
            path: storage.directory.join(format!("tail-{name}.json")),
            directory: storage.directory.clone(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads the checkpoint; it is empty if there is none yet. One that cannot be decoded is renamed to `….bad`.
    pub(super) fn load(&self) -> Result<Content, Reason> {
        const CONSEQUENCE: &str = "files are read from where the start setting says";
        let read = match regular::read(&self.path, LARGEST) {
            Ok(bytes) => serde_json::from_slice::<Content>(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(error.to_string()),
            Err(error) => {
                warn!(path = %self.path.display(), %error, "cannot read the checkpoint, {CONSEQUENCE}");
                return Err(Reason::CheckpointFailed);
            }
        };
        let fault = match read {
            Ok(content) if content.kind == KIND && content.version == VERSION => return Ok(content),
            Ok(content) => format!("it is \"{}\" version {}", content.kind, content.version),
            Err(fault) => fault,
        };
        let renamed = self.path.with_extension("json.bad");
        let path = self.path.display();
        match fs::rename(&self.path, &renamed) {
            Ok(()) => warn!(
                %path, kept = %renamed.display(), fault,
                "the checkpoint is not usable and was renamed, {CONSEQUENCE}"
            ),
            Err(error) => warn!(
                %path, %error, fault,
                "the checkpoint is not usable and could not be renamed, {CONSEQUENCE}"
            ),
        }
        Err(Reason::CheckpointBad)
    }

    /// Writes the checkpoint: after a crash at any moment the old or the new one is whole.
    pub(super) fn save(&self, content: &Content) -> io::Result<()> {
        let bytes = serde_json::to_vec(content)?;
        fs::create_dir_all(&self.directory)?;
        let fresh = self.path.with_extension("json.new");
        // One that a crash has left, or a link that somebody has put there: it is not followed.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = File::create_new(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        File::open(&self.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    fn store(directory: &Path) -> Checkpoint {
        Checkpoint::new(&Storage { directory: directory.to_owned(), name: "eu/1 ä".to_owned() })
    }

    #[test]
    fn a_name_never_leaves_the_directory() {
        assert_eq!(store(Path::new("/d")).path(), Path::new("/d/tail-eu%2f1%20%c3%a4.json"));
    }

    #[test]
    fn a_saved_checkpoint_is_loaded_and_its_directory_is_created() {
        let temporary = tempfile::tempdir().unwrap();
        let store = store(&temporary.path().join("a/b"));
        assert_eq!(store.load(), Ok(Content::default()));
        let file = SavedFile {
            path: PathBuf::from("/logs/e.log"),
            device: 1,
            inode: u64::MAX,
            offset: 1 << 60,
            skipping: true,
            format: Some(Format::W3c),
            header: Some(SavedHeader::At(7)),
            head: Fingerprint::of(b"head"),
            tail: Fingerprint::of(b"seam"),
        };
        let newest = Some(SystemTime::UNIX_EPOCH + Duration::new(1_795_364_000, 7));
        let content = Content {
            patterns: vec!["/logs/*".to_owned()],
            files: vec![file.clone()],
            finished: vec![file],
            newest,
            ..Content::default()
        };
        store.save(&content).unwrap();
        assert_eq!(store.load(), Ok(content));
        assert_eq!(fs::read_dir(temporary.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn a_truncated_a_foreign_and_a_later_checkpoint_are_renamed() {
        let temporary = tempfile::tempdir().unwrap();
        let store = store(temporary.path());
        store.save(&Content::default()).unwrap();
        let good = fs::read_to_string(store.path()).unwrap();
        let later = good.replace("\"version\":1", "\"version\":2");
        let foreign = good.replace(KIND, "another program");
        for bad in [&good[..good.len() - 1], "", "{}", "[1]", &later, &foreign] {
            fs::write(store.path(), bad).unwrap();
            assert_eq!(store.load(), Err(Reason::CheckpointBad), "{bad}");
            assert_eq!(store.load(), Ok(Content::default()));
            assert_eq!(fs::read_to_string(store.path().with_extension("json.bad")).unwrap(), bad);
        }
    }

    #[test]
    fn what_is_no_file_in_the_place_of_a_checkpoint_is_replaced_and_no_link_is_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let store = store(temporary.path());
        let precious = temporary.path().join("precious");
        let put = |kind: &str, at: &Path| match kind {
            "fifo" => rustix::fs::mknodat(
                rustix::fs::CWD,
                at,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RUSR,
                0,
            )
            .unwrap(),
            "socket" => drop(UnixListener::bind(at).unwrap()),
            _ => {
                fs::write(&precious, "precious").unwrap();
                symlink(&precious, at).unwrap();
            }
        };
        for kind in ["fifo", "socket", "link"] {
            put(kind, store.path());
            put(kind, &store.path().with_extension("json.new"));
            assert!(store.load().is_err(), "{kind}");
            store.save(&Content { patterns: vec!["*.json".to_owned()], ..Content::default() }).unwrap();
            assert_eq!(store.load().unwrap().patterns, ["*.json"], "{kind}");
            fs::remove_file(store.path()).unwrap();
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    }

    #[test]
    fn a_directory_belongs_to_one_process() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("a/b");
        let first = lock(&directory).unwrap();
        assert!(matches!(lock(&directory), Err(TryLockError::WouldBlock)));
        drop(first);
        assert!(lock(&directory).is_ok());
        assert!(matches!(lock(Path::new("/dev/null/x")), Err(TryLockError::Error(_))));
    }
}
