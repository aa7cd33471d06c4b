//! The numbers that the follower shows, and the closed lists they are counted by.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::{info, warn};

/// Why something could not be followed or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The system does not let us read a file or list a directory.
    PermissionDenied,
    /// The directory of a pattern does not exist yet.
    DirectoryMissing,
    /// The directory of a pattern exists, but no file in it matches.
    NothingMatches,
    /// A name leads to something that is no regular file.
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
    /// The checkpoint is damaged or foreign and was put aside.
    CheckpointBad,
    /// The checkpoint could not be read or written.
    CheckpointFailed,
    /// An entry is longer than the limit and was refused.
    EntryTooLong,
    /// A file was finished by its writer in the middle of an entry.
    CutShort,
    /// A file was truncated while it held bytes that were not delivered.
    TruncatedUnread,
    /// A file disappeared while it held bytes that were not delivered.
    VanishedUnread,
}

impl Reason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 16] = [
        Self::PermissionDenied,
        Self::DirectoryMissing,
        Self::NothingMatches,
        Self::NotRegularFile,
        Self::UnknownFormat,
        Self::ListFailed,
        Self::ReadFailed,
        Self::TooManyFiles,
        Self::FileMountPoint,
        Self::WatchFailed,
        Self::CheckpointBad,
        Self::CheckpointFailed,
        Self::EntryTooLong,
        Self::CutShort,
        Self::TruncatedUnread,
        Self::VanishedUnread,
    ];

    /// The name as a label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PermissionDenied => "permission_denied",
            Self::DirectoryMissing => "directory_missing",
            Self::NothingMatches => "nothing_matches",
            Self::NotRegularFile => "not_regular_file",
            Self::UnknownFormat => "unknown_format",
            Self::ListFailed => "list_failed",
            Self::ReadFailed => "read_failed",
            Self::TooManyFiles => "too_many_files",
            Self::FileMountPoint => "file_mount_point",
            Self::WatchFailed => "watch_failed",
            Self::CheckpointBad => "checkpoint_bad",
            Self::CheckpointFailed => "checkpoint_failed",
            Self::EntryTooLong => "entry_too_long",
            Self::CutShort => "cut_short",
            Self::TruncatedUnread => "truncated_unread",
            Self::VanishedUnread => "vanished_unread",
        }
    }
}

/// How one file took the place of another, or of its own former content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rotation {
    /// A further name of the pattern: the server's own habit at a start or a chunk.
    Next,
    /// The file was renamed and another one made under its name.
    Renamed,
    /// The file was deleted and another one made under its name.
    Replaced,
    /// The name is a symlink that now leads to another file.
    Relinked,
    /// The same file begins anew: it got shorter, or its content changed.
    Truncated,
}

impl Rotation {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Next, Self::Renamed, Self::Replaced, Self::Relinked, Self::Truncated];

    /// The name as a label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Renamed => "renamed",
            Self::Replaced => "replaced",
            Self::Relinked => "relinked",
            Self::Truncated => "truncated",
        }
    }
}

/// What one poll did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries given to the callback.
    pub entries: u64,
    /// Entries refused for their length.
    pub refused: u64,
    /// Bytes done with: entries, separators and skipped bytes.
    pub bytes: u64,
    /// The poll stopped at its budget; call again at once.
    pub more: bool,
}

/// The state of a follower after its last poll, for metrics and pages.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Files followed now: those that match, and those that lost their name but not their
    /// reader.
    pub files: u64,
    /// Bytes that lie in these files and are not delivered yet, a half entry included.
    pub bytes_behind: u64,
    /// Bytes done with since the follower was made.
    pub bytes_read: u64,
    /// Entries delivered since the follower was made.
    pub entries_read: u64,
    /// When bytes were last done with; none before the first.
    pub last_read: Option<SystemTime>,
    /// Names that are in trouble at this moment.
    pub troubled: u64,
    rotations: [u64; Rotation::ALL.len()],
    errors: [u64; Reason::ALL.len()],
}

impl Status {
    /// How often each kind of rotation was seen since the follower was made.
    pub fn rotations(&self) -> impl Iterator<Item = (Rotation, u64)> + '_ {
        Rotation::ALL.into_iter().zip(self.rotations)
    }

    /// How often each trouble began since the follower was made. A trouble that lasts counts
    /// once.
    pub fn errors(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.errors)
    }

    /// The count of one kind of rotation.
    pub const fn rotation(&self, kind: Rotation) -> u64 {
        self.rotations[kind as usize]
    }

    /// The count of one reason.
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

/// The troubles that last, each logged and counted when it begins and logged when it ends.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The round in which each was last said.
    lasting: HashMap<(PathBuf, Reason), u64>,
    began: Vec<Reason>,
    round: u64,
}

impl Troubles {
    /// Says that `path` is in trouble in this round.
    pub(super) fn enter(&mut self, path: &Path, reason: Reason, detail: &str) {
        if self.lasting.insert((path.to_owned(), reason), self.round).is_some() {
            return;
        }
        self.began.push(reason);
        if reason == Reason::NothingMatches {
            info!(path = %path.display(), reason = reason.name(), "{detail}");
        } else {
            warn!(path = %path.display(), reason = reason.name(), "{detail}");
        }
    }

    /// Ends the round: what was not said again is over.
    pub(super) fn settle(&mut self, status: &mut Status) {
        let round = self.round;
        self.lasting.retain(|(path, reason), last| {
            if *last != round {
                info!(path = %path.display(), reason = reason.name(), "this trouble is over");
            }
            *last == round
        });
        for reason in self.began.drain(..) {
            status.count_error(reason);
        }
        status.troubled = self.lasting.len() as u64;
        self.round += 1;
    }
}
