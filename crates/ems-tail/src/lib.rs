//! Follows the event files of one server through everything that happens to files, and loses
//! nothing that is still there to be read.
//!
//! [`Follower::poll`] does all that can be done now and never waits; [`run`] calls it when a
//! directory changes. Entries come out whole, in the order in which they were written.
//!
//! What happens to files, and what we do:
//!
//! - The server begins a new file at each start and, with chunks, at each interval: new names
//!   are found, the old file is read to its end before the next one.
//! - The server appends to an old file: its end is read.
//! - A file is renamed or deleted and a new one made, or a symlink moves: the old one stays
//!   open and is read until the new one has content, which proves that the writer is done with
//!   the old one.
//! - A file is renamed while nobody follows: it is looked for by its inode in its directory.
//! - A file is copied and truncated: it begins anew when it is shorter than what was read or
//!   when its first bytes, or those before our offset, have changed. What the writer adds
//!   between our last poll and the truncation is in the copy only, and lost unless a pattern
//!   matches the copy too. A copy whose name is that of the original with something behind it
//!   is recognised, and only what is new in it is delivered.
//! - An entry is half written: it waits. It is too long: it is refused once and skipped.
//! - A file is not there, or may not be read: it is tried again at each poll; the trouble is
//!   logged when it begins and when it ends.
//!
//! An entry is delivered at least once. After a clean stop none is repeated, after a kill those
//! of the last [`SAVE_INTERVAL`] are. In `text` and `w3c` the server writes names as they are:
//! a stream whose name contains line ends can break its own entry into several.

mod admit;
mod advance;
mod checkpoint;
mod drain;
mod fingerprint;
mod followed;
mod follower;
mod frame;
mod listing;
mod mounts;
mod run;
mod status;
mod watch;

#[cfg(test)]
mod tests;

pub use advance::{OPEN_FILES, POLL_BUDGET};
pub use checkpoint::Storage;
pub use drain::{Entry, Frame, Refused};
pub use follower::{Follower, SAVE_INTERVAL};
pub use frame::Format;
pub use listing::MAX_FILES;
pub use run::{POLL_INTERVAL, Wake, run};
pub use status::{Progress, Reason, Rotation, Status};
pub use watch::Watch;

/// The longest entry that is delivered, by default. The longest that a server was seen to write
/// is its configuration at start: 80 kB in XML.
pub const MAX_ENTRY: usize = 1024 * 1024;

/// Where a file begins that exists at the first poll. A file that appears later is always read
/// from its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Where the checkpoint says. A file that it does not know begins at its first byte if it
    /// must be newer than the checkpoint, else at its end.
    #[default]
    SavedOrEnd,
    /// Where the checkpoint says, and at the first byte of a file that it does not know.
    SavedOrBeginning,
    /// At the first byte, whatever the checkpoint says.
    Beginning,
    /// At the end, whatever the checkpoint says.
    End,
}

impl Start {
    /// Every rule, the default first.
    pub const ALL: [Self; 4] = [Self::SavedOrEnd, Self::SavedOrBeginning, Self::Beginning, Self::End];

    /// The name as a configuration value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SavedOrEnd => "saved-or-end",
            Self::SavedOrBeginning => "saved-or-beginning",
            Self::Beginning => "beginning",
            Self::End => "end",
        }
    }

    /// The rule of that name; none for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|start| start.name() == name)
    }
}

/// What to follow, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the files, as shell patterns (`*`, `?`, `[…]`, `**`).
    pub patterns: Vec<String>,
    /// The format of all files; none to find it from the content of each.
    pub format: Option<Format>,
    /// Where to begin.
    pub start: Start,
    /// The longest entry that is delivered, in bytes.
    pub max_entry: usize,
    /// Where the checkpoint is kept; none for no checkpoint, then a restart begins by the start
    /// rule and what was written meanwhile is lost or read twice.
    pub storage: Option<Storage>,
}

impl Options {
    /// The defaults for these patterns: format from the content, no checkpoint.
    pub const fn new(patterns: Vec<String>) -> Self {
        Self { patterns, format: None, start: Start::SavedOrEnd, max_entry: MAX_ENTRY, storage: None }
    }
}

/// Why a follower could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A pattern is malformed.
    #[error("cannot understand the file pattern \"{text}\": {error}")]
    Pattern {
        /// The pattern.
        text: String,
        /// What is wrong with it, and where.
        error: glob::PatternError,
    },
    /// There is no pattern.
    #[error("no event file to follow")]
    NoPattern,
}
