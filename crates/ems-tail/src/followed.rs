//! One followed file: where it begins, how far it was read, and whether it is still the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::checkpoint::{SavedFile, SavedHeader};
use super::fingerprint::{Fingerprint, HEAD, TailFingerprint, read_full, read_range};
use super::frame::{Detection, Format, detect, last_fields};
use super::listing::{Identity, Listed, modified};

/// How much of the beginning of a file is searched for its format and its `#Fields:` line.
const PREAMBLE: u64 = 64 * 1024;

/// Where a file that was not opened yet begins.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    /// At its first byte.
    First,
    /// At the first entry that ends behind this offset.
    At(u64),
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

/// What a look at an open file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The content up to our offset is what we have read.
    Same,
    /// The file begins anew.
    Anew,
}

/// One file, by its identity.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    /// The directory behind all symlinks that holds the file; changes there concern us.
    pub(super) directory: Option<PathBuf>,
    pub(super) pattern: usize,
    /// The order of first sight.
    pub(super) sequence: u64,
    /// Some pattern still leads to this file.
    pub(super) named: bool,
    /// The file itself is a mount point.
    pub(super) mounted: bool,
    /// Nothing of this file can be framed.
    pub(super) unknown: bool,
    /// It is a copy of another file that has all of its content still: it waits until that one
    /// is truncated.
    pub(super) copying: bool,
    /// It was decided where to begin.
    pub(super) begun: bool,
    pub(super) begin: Begin,
    pub(super) handle: Option<File>,
    pub(super) length: u64,
    pub(super) modified: SystemTime,
    /// Length and time of the last look at the content; a closed file is opened again when they
    /// change.
    pub(super) looked: Option<(u64, SystemTime)>,
    /// The name at the last look.
    pub(super) looked_as: PathBuf,
    /// What the last look found before the file was read to its end.
    pub(super) ended: Option<(u64, SystemTime)>,
    pub(super) offset: u64,
    pub(super) skipping: bool,
    /// The last entry was refused, so that a flood of rejections is logged once.
    pub(super) refusing: bool,
    pub(super) format: Option<Format>,
    pub(super) header: Option<Header>,
    pub(super) head: Fingerprint,
    pub(super) seam: TailFingerprint,
}

impl Followed {
    pub(super) fn new(listed: Listed, sequence: u64, begin: Begin, format: Option<Format>) -> Self {
        let directory =
            fs::canonicalize(&listed.path).ok().and_then(|path| path.parent().map(Path::to_owned));
        Self {
            identity: listed.identity,
            looked_as: listed.path.clone(),
            path: listed.path,
            directory,
            pattern: listed.pattern,
            sequence,
            named: true,
            mounted: false,
            unknown: false,
            copying: false,
            begun: false,
            begin,
            handle: None,
            length: listed.length,
            modified: listed.modified,
            looked: None,
            ended: None,
            offset: 0,
            skipping: false,
            refusing: false,
            format,
            header: None,
            head: Fingerprint::default(),
            seam: TailFingerprint::default(),
        }
    }

    /// Bytes not delivered yet.
    pub(super) fn behind(&self) -> u64 {
        let from = match self.begin {
            Begin::At(offset) if !self.begun => offset,
            Begin::At(_) | Begin::First => self.offset,
        };
        if self.unknown || self.copying { 0 } else { self.length.saturating_sub(from) }
    }

    /// Whether a look at the content could find something that the last one did not.
    pub(super) fn due(&self) -> bool {
        self.handle.is_some() || self.looked != Some((self.length, self.modified))
    }

    /// Whether reading on could bring something that the last reading to the end did not.
    pub(super) fn readable(&self) -> bool {
        self.handle.is_some() || self.ended != Some((self.length, self.modified))
    }

    /// Opens the file under its name, if it is still the one we mean; says whether it is open.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        if self.handle.is_none() && self.named {
            let file = File::open(&self.path)?;
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

    /// Begins where a checkpoint, or another name of the same content, left off.
    pub(super) fn resume(&mut self, saved: &SavedFile, forced: Option<Format>) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        self.seam = TailFingerprint::read(file, saved.offset)?;
        self.head = saved.head;
        self.offset = saved.offset;
        self.skipping = saved.skipping;
        self.format = forced.or(saved.format);
        self.begun = true;
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

    /// Begins by the start rule, at an entry boundary.
    pub(super) fn start(&mut self, forced: Option<Format>) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        let mut preamble = Vec::new();
        read_range(file, 0, PREAMBLE, &mut preamble)?;
        let detected = match detect(&preamble) {
            Detection::Known(format) => Some(format),
            Detection::Undecided | Detection::Unknown => None,
        };
        self.format = forced.or(detected);
        self.begun = true;
        let (Begin::At(start), Some(format)) = (&self.begin, self.format) else { return Ok(()) };
        // No XML document ends in the first bytes; a prolog may lie there.
        if *start == 0 || format == Format::Xml && *start <= 64 {
            return Ok(());
        }
        self.offset = start.saturating_sub(format.lookback());
        self.skipping = self.offset > 0;
        self.seam = TailFingerprint::read(file, self.offset)?;
        if format == Format::W3c {
            self.header = header_between(file, 0, self.offset.min(PREAMBLE))?;
        }
        self.learn_head()
    }

    /// Looks whether the content is still the one we know, and learns its length and format.
    pub(super) fn look(&mut self, forced: Option<Format>) -> io::Result<Look> {
        let Some(file) = &self.handle else { return Ok(Look::Same) };
        let metadata = file.metadata()?;
        let mut head = [0; HEAD];
        let read = read_full(file, &mut head, 0)?;
        let head = &head[..read];
        let same =
            metadata.len() >= self.offset && self.head.begins(head) && self.seam.holds(file, self.offset)?;
        if !same {
            self.offset = 0;
            self.head = Fingerprint::default();
            if let Some(header) = &mut self.header {
                header.at = None;
            }
            self.skipping = false;
            self.unknown = false;
            self.seam = TailFingerprint::default();
        }
        if self.offset == 0 && forced.is_none() {
            let mut preamble = Vec::new();
            let mut detection = detect(head);
            if detection == Detection::Undecided && head.len() == HEAD {
                read_range(file, 0, PREAMBLE, &mut preamble)?;
                detection = detect(&preamble);
            }
            match detection {
                Detection::Known(format) => self.format = Some(format),
                Detection::Undecided => {}
                // What follows a truncation may lack the first line that tells the format.
                Detection::Unknown => self.unknown = self.format.is_none(),
            }
        }
        self.measure(&metadata);
        self.looked = Some((self.length, self.modified));
        self.looked_as.clone_from(&self.path);
        Ok(if same { Look::Same } else { Look::Anew })
    }

    /// Learns more of the first bytes, of those that are done with.
    pub(super) fn learn_head(&mut self) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        let known = usize::try_from(self.offset).unwrap_or(HEAD).min(HEAD);
        if self.head.bytes() < known {
            let mut head = [0; HEAD];
            let read = read_full(file, &mut head[..known], 0)?;
            self.head = Fingerprint::of(&head[..read]);
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
            skipping: self.skipping,
            format: self.format,
            header: self.header.as_ref().map(|header| match header.at {
                Some(at) => SavedHeader::At(at),
                None => SavedHeader::Names(String::from_utf8_lossy(&header.names).into_owned()),
            }),
            head: self.head,
            seam: self.seam.fingerprint(),
        }
    }

    /// Whether this file carries the first bytes of `other` and nothing else: `other` is being
    /// copied to it, or was and is not truncated yet.
    pub(super) fn is_copy_of(&self, other: &Self) -> io::Result<bool> {
        let (Some(copy), Some(original)) = (&self.handle, &other.handle) else { return Ok(false) };
        let mut ours = [0; HEAD];
        let mut theirs = [0; HEAD];
        let read = read_full(copy, &mut ours, 0)?;
        let there = read_full(original, &mut theirs, 0)?;
        if read > there || ours[..read] != theirs[..read] {
            return Ok(false);
        }
        let length = copy.metadata()?.len();
        TailFingerprint::read(copy, length)?.holds(original, length)
    }
}

/// The last `#Fields:` line between two offsets.
fn header_between(file: &File, start: u64, end: u64) -> io::Result<Option<Header>> {
    let mut bytes = Vec::new();
    read_range(file, start, end, &mut bytes)?;
    Ok(last_fields(&bytes).map(|(at, names)| Header { at: Some(start + at as u64), names: names.to_vec() }))
}
