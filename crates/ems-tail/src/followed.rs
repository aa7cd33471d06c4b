//! One followed file: where reading starts, how far it is, and whether the content is still the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::SeekFrom;

use super::checkpoint::{SavedFile, SavedHeader};
use super::compression::compression;
use super::fingerprint::{Fingerprint, HEAD, TailFingerprint, read_range};
use super::frame::{Detection, Format, blank, detect, last_fields};
use super::listing::{Identity, Listed, modified};
use super::regular;

/// How much of the beginning of a file is searched for its format and its `#Fields:` line.
const PREAMBLE: u64 = 64 * 1024;

/// Whether a name leads to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A pattern matches a name of the file.
    Matched,
    /// A pattern matches, and the file itself is a mount point.
    MountPoint,
    /// No pattern matches any more.
    Lost,
}

/// How far the follower is with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not decided where to start reading.
    New,
    /// The file is a copy of another one that still has all of its content: it waits until that
    /// one is truncated.
    Copy,
    /// The offset is at the start of an entry.
    Reading,
    /// The offset is inside an entry whose rest is skipped.
    Skipping,
    /// The content has no known format.
    UnknownFormat,
    /// The content is compressed: log rotation compresses what has been read.
    Compressed,
}

/// The column names in force in a W3C file.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Where the `#Fields:` line lies; none if a truncation has taken it from the file, since
    /// the writer goes on without saying it again.
    pub(super) at: Option<u64>,
    /// The names, tab-separated.
    pub(super) names: Vec<u8>,
}

/// One file, by its identity.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    /// The directory that holds the file, symlinks resolved; it is watched.
    pub(super) directory: Option<PathBuf>,
    pub(super) pattern: usize,
    /// The order in which files were found.
    pub(super) sequence: u64,
    pub(super) name: Name,
    pub(super) state: State,
    pub(super) handle: Option<File>,
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    /// Length and time at the last check of the content; a closed file is opened again when they
    /// change.
    pub(super) checked: Option<(u64, SystemTime)>,
    /// The name at the last check.
    pub(super) checked_as: PathBuf,
    /// Length and time at the last check before the file was read to its end.
    pub(super) ended: Option<(u64, SystemTime)>,
    /// Where the next entry begins. Of a file that is not started: where it is to be started, to be moved to the
    /// start of an entry.
    pub(super) offset: u64,
    /// The last entry was rejected, so that a flood of rejections is logged once.
    pub(super) rejecting: bool,
    /// What can be done about a file of unknown format, until it is reported.
    pub(super) remedy: Option<&'static str>,
    pub(super) format: Option<Format>,
    pub(super) header: Option<Header>,
    pub(super) head: Fingerprint,
    pub(super) tail: TailFingerprint,
}

impl Followed {
    pub(super) fn new(listed: Listed, sequence: u64, offset: u64, format: Option<Format>) -> Self {
        let directory =
            fs::canonicalize(&listed.path).ok().and_then(|path| path.parent().map(Path::to_owned));
        Self {
            identity: listed.identity,
            checked_as: listed.path.clone(),
            path: listed.path,
            directory,
            pattern: listed.pattern,
            sequence,
            name: Name::Matched,
            state: State::New,
            handle: None,
            length: listed.length,
            modified: listed.modified,
            checked: None,
            ended: None,
            offset,
            rejecting: false,
            remedy: None,
            format,
            header: None,
            head: Fingerprint::default(),
            tail: TailFingerprint::default(),
        }
    }

    /// Whether some pattern still leads to this file.
    pub(super) fn is_named(&self) -> bool {
        self.name != Name::Lost
    }

    /// Whether it was decided where to start reading.
    pub(super) fn is_started(&self) -> bool {
        !matches!(self.state, State::New | State::Copy)
    }

    /// Whether its format is known, or not seen yet.
    pub(super) const fn is_event_file(&self) -> bool {
        !matches!(self.state, State::UnknownFormat | State::Compressed)
    }

    /// Bytes not delivered yet.
    pub(super) fn behind(&self) -> u64 {
        match self.state {
            State::Copy | State::UnknownFormat | State::Compressed => 0,
            State::New | State::Reading | State::Skipping => self.length.saturating_sub(self.offset),
        }
    }

    /// The same with the length that the open file has now: it may have grown while it was read.
    pub(super) fn behind_now(&self) -> u64 {
        let length =
            self.handle.as_ref().and_then(|file| file.metadata().ok()).map(|metadata| metadata.len());
        match length {
            Some(length) if self.is_started() && self.is_event_file() => length.saturating_sub(self.offset),
            Some(_) | None => self.behind(),
        }
    }

    /// Whether a check of the content could find something that the last one did not.
    pub(super) fn due(&self) -> bool {
        self.handle.is_some() || self.checked != Some((self.length, self.modified))
    }

    /// Whether the file may have grown since it was last read to its end.
    pub(super) fn readable(&self) -> bool {
        self.handle.is_some() || self.ended != Some((self.length, self.modified))
    }

    /// Opens the file under its name, if that is still the same file; returns whether it is open.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        if self.handle.is_none() && self.is_named() {
            let file = regular::open(&self.path)?;
            let metadata = file.metadata()?;
            if Identity::of(&metadata) == self.identity {
                self.measure(&metadata);
                self.handle = Some(file);
            }
        }
        Ok(self.handle.is_some())
    }

    fn measure(&mut self, metadata: &fs::Metadata) {
        self.length = metadata.len();
        self.modified = modified(metadata);
    }

    /// Continues where a checkpoint, or another name of the same content, left off.
    pub(super) fn resume(&mut self, saved: &SavedFile, forced: Option<Format>) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        self.tail = TailFingerprint::read(file, saved.offset)?;
        self.head = saved.head;
        self.offset = saved.offset;
        self.format = forced.or(saved.format);
        self.state = if saved.skipping { State::Skipping } else { State::Reading };
        if self.format == Some(Format::W3c) {
            self.header = match &saved.header {
                Some(SavedHeader::At(at)) => {
                    header_between(file, *at, saved.offset.min(at.saturating_add(PREAMBLE)))?
                }
                Some(SavedHeader::Names(names)) => {
                    Some(Header { at: None, names: names.clone().into_bytes() })
                }
                None => None,
            };
        }
        Ok(())
    }

    /// Starts reading at the offset, or where the entry that lies across it ends.
    pub(super) fn start(&mut self, forced: Option<Format>) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        let content = content_start(file)?;
        let detected = match detect(&read_range(file, content, content + PREAMBLE)?) {
            Detection::Known(format) => Some(format),
            Detection::Undecided | Detection::Compressed | Detection::Unknown(_) => None,
        };
        self.format = forced.or(detected);
        self.state = State::Reading;
        let start = std::mem::take(&mut self.offset);
        let Some(format) = self.format else { return Ok(()) };
        // No XML document ends in the first bytes; a prolog may lie there.
        if start == 0 || format == Format::Xml && start <= 64 {
            return Ok(());
        }
        self.offset = start.saturating_sub(format.lookback());
        if self.offset > 0 {
            self.state = State::Skipping;
        }
        self.tail = TailFingerprint::read(file, self.offset)?;
        if format == Format::W3c {
            self.header = header_between(file, content, self.offset.min(content + PREAMBLE))?;
        }
        self.update_head()
    }

    /// Returns whether the content up to the offset is still the same; if not, the file is read from its first
    /// byte. Updates length and format.
    pub(super) fn check(&mut self, forced: Option<Format>) -> io::Result<bool> {
        let Some(file) = &self.handle else { return Ok(true) };
        let metadata = file.metadata()?;
        let head = read_range(file, 0, HEAD as u64)?;
        let same =
            metadata.len() >= self.offset && self.head.begins(&head) && self.tail.holds(file, self.offset)?;
        if !same {
            self.offset = 0;
            self.head = Fingerprint::default();
            if let Some(header) = &mut self.header {
                header.at = None;
            }
            self.state = State::Reading;
            self.tail = TailFingerprint::default();
        }
        if self.offset == 0 && compression(&head).is_some() {
            self.state = State::Compressed;
        } else if self.offset == 0 && forced.is_none() {
            let mut detection = detect(&head);
            if detection == Detection::Undecided && head.len() == HEAD {
                let content = content_start(file)?;
                detection = detect(&read_range(file, content, content + PREAMBLE)?);
            }
            match detection {
                Detection::Known(format) => self.format = Some(format),
                Detection::Undecided | Detection::Compressed => {}
                // What follows a truncation may lack the first line that identifies the format.
                Detection::Unknown(remedy) if self.format.is_none() && self.state != State::UnknownFormat => {
                    self.state = State::UnknownFormat;
                    self.remedy = Some(remedy);
                }
                Detection::Unknown(_) => {}
            }
        }
        self.measure(&metadata);
        self.checked = Some((self.length, self.modified));
        self.checked_as.clone_from(&self.path);
        Ok(same)
    }

    /// Extends the fingerprint of the first bytes to those that are processed.
    pub(super) fn update_head(&mut self) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        let known = usize::try_from(self.offset).unwrap_or(HEAD).min(HEAD);
        if self.head.bytes() < known {
            self.head = Fingerprint::of(&read_range(file, 0, known as u64)?);
        }
        Ok(())
    }

    /// How many names lead to the open file; 0 once it is deleted, none if it is not open.
    pub(super) fn links(&self) -> Option<u64> {
        self.handle.as_ref().and_then(|file| file.metadata().ok()).map(|metadata| metadata.nlink())
    }

    /// The file as the checkpoint keeps it.
    pub(super) fn saved(&self) -> SavedFile {
        SavedFile {
            path: PathBuf::from(self.path.to_string_lossy().into_owned()),
            device: self.identity.device,
            inode: self.identity.inode,
            offset: self.offset,
            skipping: self.state == State::Skipping,
            format: self.format,
            header: self.header.as_ref().map(|header| match header.at {
                Some(at) => SavedHeader::At(at),
                None => SavedHeader::Names(String::from_utf8_lossy(&header.names).into_owned()),
            }),
            head: self.head,
            tail: self.tail.fingerprint(),
        }
    }

    /// Whether this file carries the first bytes of `other` and nothing else: `other` is being
    /// copied to it, or was and is not truncated yet.
    pub(super) fn is_copy_of(&self, other: &Self) -> io::Result<bool> {
        let (Some(copy), Some(original)) = (&self.handle, &other.handle) else { return Ok(false) };
        let head_of = |file| read_range(file, 0, HEAD as u64);
        if !head_of(original)?.starts_with(&head_of(copy)?) {
            return Ok(false);
        }
        let length = copy.metadata()?.len();
        TailFingerprint::read(copy, length)?.holds(original, length)
    }
}

/// Where the content begins, behind the hole that a file may have at its start.
fn content_start(file: &File) -> io::Result<u64> {
    let mut at = rustix::fs::seek(file, SeekFrom::Data(0)).unwrap_or_default();
    loop {
        let bytes = read_range(file, at, at + PREAMBLE)?;
        let blank = blank(&bytes);
        if blank < bytes.len() || bytes.is_empty() {
            return Ok(at + blank as u64);
        }
        at += blank as u64;
    }
}

/// The last `#Fields:` line between two offsets.
fn header_between(file: &File, start: u64, end: u64) -> io::Result<Option<Header>> {
    let bytes = read_range(file, start, end)?;
    Ok(last_fields(&bytes).map(|(at, names)| Header { at: Some(start + at as u64), names: names.to_vec() }))
}
