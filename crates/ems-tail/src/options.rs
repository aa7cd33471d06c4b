//! The settings of a follower: files, format, where to start reading.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::checkpoint::Storage;
use super::frame::Format;

/// The longest entry that is delivered, by default. The longest ones are the answers of the runtime API, which the
/// server writes into its files: a list of ten thousand streams has up to 30 MB in XML.
const MAX_ENTRY: usize = 32 * 1024 * 1024;

/// Where to start reading a file that exists at the first poll. A file that appears later is
/// always read from its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Start {
    /// Where the checkpoint says. A file that is not in it is read from its first byte if
    /// it must be newer than the checkpoint, else from its end.
    #[default]
    SavedOrEnd,
    /// Where the checkpoint says, and at the first byte of a file that is not in it.
    SavedOrBeginning,
    /// At the first byte, whatever the checkpoint says.
    Beginning,
    /// At the end, whatever the checkpoint says.
    End,
}

impl Start {
    /// The name as a configuration value.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The variant of that name; none for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// The settings of a follower.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of the files, as shell patterns (`*`, `?`, `[…]`, `**`).
    pub patterns: Vec<String>,
    /// The format of all files; none to detect it from the content of each.
    pub format: Option<Format>,
    /// Where to start reading.
    pub start: Start,
    /// The longest entry that is delivered, in bytes.
    pub max_entry: usize,
    /// Nothing is written to the files any more: what stands at the end of one is an entry, even without the separators
    /// that would end it.
    pub finished: bool,
    /// Where the checkpoint is kept. Without one, `start` decides after a restart, and entries are
    /// lost or read twice.
    pub storage: Option<Storage>,
}

impl Options {
    /// The defaults for these patterns: format from the content, no checkpoint.
    pub const fn new(patterns: Vec<String>) -> Self {
        let (format, start) = (None, Start::SavedOrEnd);
        Self { patterns, format, start, max_entry: MAX_ENTRY, finished: false, storage: None }
    }
}

/// Why a follower could not be created.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A pattern is malformed.
    #[error("invalid file pattern \"{text}\": {error}")]
    Pattern {
        /// The pattern.
        text: String,
        /// The fault, and its position.
        error: glob::PatternError,
    },
    /// There is no pattern.
    #[error("no pattern of event files is given")]
    NoPattern,
}
