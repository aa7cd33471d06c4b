//! The identity of a thing inside one media server, and the mark on what the exporter created.

use ems_protocol::{Map, Message, Rejection};

/// The variable that marks what the exporter's own calls create: the server repeats it in the
/// events of the created thing.
pub const MARK: (&str, &str) = ("_createdBy", "ems-exporter");

/// Whether settings, or a timer, carry the exporter's [`MARK`].
pub fn is_ours(settings: Map<'_, '_>) -> bool {
    settings.text(MARK.0).ok().flatten().is_some_and(|by| by == MARK.1)
}

/// The identity of a thing inside one media server: each process counts ids of its own, edges too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The process that owns the thing; 0 while it is known only from a list without processes.
    pub pid: u64,
    /// The id that this process gave it.
    pub id: u64,
}

impl Key {
    /// The key of a thing whose id is in the payload's field `field`.
    pub fn of(message: &Message<'_>, field: &'static str) -> Result<Self, Rejection> {
        let id = message.payload().u64(field)?.ok_or(Rejection::MissingField(field))?;
        Ok(Self { pid: message.pid()?, id })
    }
}
