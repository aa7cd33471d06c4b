//! The families of events. All that is true of one family sits in its file, in this order: what
//! the server says (names, `Event`, `interpret`), what is true (`Table`, `apply`), what we show
//! (`METRICS`). No family knows another.

pub mod api_call;

pub mod connection;
pub mod discrepancies;
pub mod event;
pub mod lifecycle;
pub mod output;
pub mod process;
pub mod server;
pub mod session;
pub mod state;
pub mod stream;
pub mod timer;

use std::time::Duration;

use ems_protocol::message::{Map, Message, Rejection};

/// A hash table that keeps the order in which its entries came, so that pages do not shuffle.
pub type Table<K, V> = indexmap::IndexMap<K, V, hashbrown::DefaultHashBuilder>;

/// The stream name that stands for all names beyond the limit.
pub const OVERFLOW: &str = "__overflow__";

/// The variable by which what we had the server make is known again: the server tells it in the
/// events of what was made.
pub const MARK: (&str, &str) = ("_createdBy", "ems-exporter");

/// Whether settings, or a timer, carry our [`MARK`].
pub fn is_ours(settings: Map<'_, '_>) -> bool {
    settings.text(MARK.0).ok().flatten().is_some_and(|by| by == MARK.1)
}

/// The identity of a thing inside one media server: ids are counted by each process, edges too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The process that owns the thing.
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

/// What an event did to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Only counters moved.
    Counted,
    /// A row appeared.
    Opened,
    /// A row changed.
    Updated,
    /// A row left.
    Closed,
    /// A row appeared through an event that is not its creation, which is late or lost.
    Adopted,
    /// A row's place was taken by a new thing with the same key: its close was lost.
    Replaced,
    /// A close came for what was never seen open.
    ClosedUnseen,
    /// A creation came after its close, and opened nothing.
    CreatedLate,
    /// A creation or close that had come before.
    Repeated,
    /// An event of a server process that has ended; nothing was applied.
    Stale,
    /// The server is a new process: every table was emptied first.
    Restarted,
}

impl Change {
    /// The changes that put right what lost, late or repeated events left, in the order of the
    /// metrics.
    pub const CORRECTIONS: [Self; 7] = [
        Self::Adopted,
        Self::Replaced,
        Self::ClosedUnseen,
        Self::CreatedLate,
        Self::Repeated,
        Self::Stale,
        Self::Restarted,
    ];

    /// The value of the label `kind`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
            Self::Adopted => "adopted",
            Self::Replaced => "replaced",
            Self::ClosedUnseen => "closed_unseen",
            Self::CreatedLate => "created_late",
            Self::Repeated => "repeated",
            Self::Stale => "stale",
            Self::Restarted => "restarted",
        }
    }
}

/// What the server's own lists put right in a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrections {
    /// Things that were open and had not been known to be.
    pub opened: u64,
    /// Things that had been believed to be open and were not.
    pub closed: u64,
    /// Things that were known wrongly.
    pub changed: u64,
}

impl std::ops::AddAssign for Corrections {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.closed += more.closed;
        self.changed += more.changed;
    }
}

/// What the tables must know of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Most stream names that have series of their own; further ones fold into [`OVERFLOW`].
    pub streams: usize,
    /// How long counters of a name stay after all that carried it has closed.
    pub retention: Duration,
    /// An output stalls when its last chunk is older than this many chunk lengths.
    pub stall_factor: f64,
    /// No output stalls sooner than this.
    pub stall_minimum: Duration,
    /// Stream names that are expected to be open, shown as down while they are not.
    pub expected: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streams: 10_000,
            retention: Duration::from_secs(300),
            stall_factor: 3.0,
            stall_minimum: Duration::from_secs(10),
            expected: Vec::new(),
        }
    }
}
