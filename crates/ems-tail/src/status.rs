//! The counters of a follower, and their labels.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use strum::{EnumCount, IntoStaticStr, VariantArray};
use tracing::{info, warn};

/// Why something could not be followed or was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// No permission to read a file or list a directory.
    PermissionDenied,
    /// The directory of a pattern does not exist yet.
    DirectoryMissing,
    /// The directory of a pattern exists, but no file in it matches.
    NothingMatches,
    /// A name leads to something that is not a regular file.
    NotRegularFile,
    /// The first bytes of a file are of no known format.
    UnknownFormat,
    /// A directory could not be listed for another reason.
    ListFailed,
    /// A file could not be opened or read for another reason.
    ReadFailed,
    /// The patterns match more files than the follower takes; the oldest are left out.
    TooManyFiles,
    /// A file is itself a mount point, so that a rotation of it can never be seen.
    FileMountPoint,
    /// Directories cannot be watched; the periodic poll works alone.
    WatchFailed,
    /// The checkpoint is damaged or foreign and was renamed.
    CheckpointBad,
    /// The checkpoint could not be read or written.
    CheckpointFailed,
    /// An entry is longer than the limit and was rejected.
    EntryTooLong,
    /// A file was finished by its writer in the middle of an entry.
    CutShort,
    /// A file was truncated while it held bytes that were not delivered.
    TruncatedUnread,
    /// A file disappeared while it held bytes that were not delivered.
    VanishedUnread,
}

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("ALL is as long as the list");

    /// The name as a label value.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How one file took the place of another, or of its own former content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Rotation {
    /// A further name of the pattern: the server's own habit at a start or a chunk.
    Next,
    /// The file was renamed and another one made under its name.
    Renamed,
    /// The file was deleted and another one made under its name.
    Replaced,
    /// The name is a symlink that now leads to another file.
    Relinked,
    /// The same file starts again: it got shorter, or its content changed.
    Truncated,
}

impl Rotation {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("ALL is as long as the list");

    /// The name as a label value.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The result of one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries given to the callback.
    pub entries: u64,
    /// Entries rejected for their length.
    pub rejected: u64,
    /// Bytes processed: entries, separators and skipped bytes.
    pub bytes: u64,
    /// The poll stopped at its budget; call again at once.
    pub more: bool,
}

/// The state of a follower after its last poll, for metrics and pages.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Files followed now: those that match, and those that lost their name and are still open.
    pub files: u64,
    /// Bytes of these files that are not delivered yet, incomplete entries included.
    pub bytes_behind: u64,
    /// When `bytes_behind` was measured: after the last listing, or after the read that followed it.
    pub(super) measured: Option<Instant>,
    /// Bytes processed since the follower was created.
    pub bytes_read: u64,
    /// Entries delivered since the follower was created.
    pub entries_read: u64,
    /// When bytes were last processed; none before the first.
    pub last_read: Option<Instant>,
    rotations: [u64; Rotation::ALL.len()],
    errors: [u64; Reason::ALL.len()],
}

/// How old the measurement of the bytes behind may be: longer than any pause between polls.
const MEASURED_WITHIN: Duration = Duration::from_secs(5);

impl Status {
    /// The bytes that are not delivered yet, as far as they are known at `now`: none before the first listing, and when
    /// no byte was missing but a listing or a read has not ended for some seconds.
    pub fn known_behind(&self, now: Instant) -> Option<u64> {
        let fresh = |measured| now.saturating_duration_since(measured) <= MEASURED_WITHIN;
        let known = self.measured.is_some_and(|measured| self.bytes_behind > 0 || fresh(measured));
        known.then_some(self.bytes_behind)
    }

    /// How often this kind of rotation was seen since the follower was created.
    pub const fn rotation(&self, kind: Rotation) -> u64 {
        self.rotations[kind as usize]
    }

    /// How often this condition began since the follower was created.
    pub const fn error(&self, reason: Reason) -> u64 {
        self.errors[reason as usize]
    }

    pub(super) const fn count_rotation(&mut self, kind: Rotation) {
        self.rotations[kind as usize] += 1;
    }

    pub(super) const fn count_error(&mut self, reason: Reason) {
        self.errors[reason as usize] += 1;
    }
}

/// The lasting conditions, each logged and counted when it begins and logged when it ends.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The poll in which each was last reported.
    pub(super) lasting: HashMap<(PathBuf, Reason), u64>,
    began: Vec<Reason>,
    poll: u64,
}

impl Troubles {
    /// Reports a condition of `path` in this poll that somebody has to change.
    pub(super) fn enter(&mut self, path: &Path, reason: Reason, detail: &str) {
        if self.begins(path, reason) {
            warn!(path = %path.display(), reason = reason.name(), "{detail}");
        }
    }

    /// Reports a condition of `path` in this poll that may well end by itself.
    pub(super) fn enter_expected(&mut self, path: &Path, reason: Reason, detail: &str) {
        if self.begins(path, reason) {
            info!(path = %path.display(), reason = reason.name(), "{detail}");
        }
    }

    fn begins(&mut self, path: &Path, reason: Reason) -> bool {
        let begins = self.lasting.insert((path.to_owned(), reason), self.poll).is_none();
        if begins {
            self.began.push(reason);
        }
        begins
    }

    /// Ends the poll: conditions that were not reported again have ended.
    pub(super) fn settle(&mut self, status: &mut Status) {
        let poll = self.poll;
        self.lasting.retain(|(path, reason), last| {
            if *last != poll {
                info!(path = %path.display(), reason = reason.name(), "resolved");
            }
            *last == poll
        });
        for reason in self.began.drain(..) {
            status.count_error(reason);
        }
        self.poll += 1;
    }
}
