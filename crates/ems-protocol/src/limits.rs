//! The limits of what is read of one event.

/// The deepest nesting that is read; a deeper body is rejected.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most fields that are kept of one event; the largest real one has about 120.
pub(crate) const MAX_FIELDS: usize = 4096;

/// The most items of a list in an answer of the runtime API.
pub(crate) const MAX_ITEMS: usize = 100_000;

/// The longest text that is read, in bytes: the longest path that Linux can open.
pub(crate) const MAX_TEXT: usize = 4096;

/// How deep fields are kept: the envelope is 1, the payload 2, an object in the payload 3.
pub(crate) const KEPT_DEPTH: usize = 3;
