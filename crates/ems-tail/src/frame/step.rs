//! One step of a framer.

use std::ops::Range;

/// One step through bytes that begin at an entry boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// An entry; `used` bytes are processed.
    Entry {
        /// The entry without its separators.
        bytes: Range<usize>,
        /// Length of the entry with its separators.
        used: usize,
    },
    /// The beginning of an entry that is torn at a hole.
    Torn {
        /// What is left of it.
        bytes: Range<usize>,
        /// Length up to the hole.
        used: usize,
    },
    /// A `#Fields:` line: the names of the columns from here on.
    Fields {
        /// The names, as they are separated there.
        bytes: Range<usize>,
        /// Length of the whole line.
        used: usize,
    },
    /// Separators, other `#` lines, an XML prolog, bytes of a hole in the file.
    Noise {
        /// How many bytes to skip.
        used: usize,
    },
    /// The entry is not complete yet.
    Incomplete,
}
