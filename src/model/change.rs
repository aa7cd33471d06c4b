//! The effect of an event, or of a poll of the server's own lists, on a table.

use strum::{EnumCount, IntoStaticStr, VariantArray};

/// The effect of an event on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Change {
    /// Only counters changed.
    Counted,
    /// A row appeared.
    Opened,
    /// A row changed.
    Updated,
    /// A row was removed.
    Closed,
    /// A row appeared through an event that is not its creation, which is late or lost.
    Adopted,
    /// A row was replaced by a new thing with the same key: the close of the old one was lost.
    Replaced,
    /// A close came for a thing that was never seen open.
    ClosedUnseen,
    /// An event of an open thing came after its close, and opened nothing.
    CreatedLate,
    /// A creation or close came a second time.
    Repeated,
    /// The event comes from a server process that has ended; nothing was applied.
    Stale,
    /// The server is a new process: every table was emptied first.
    Restarted,
}

impl Change {
    /// The value of the label `kind`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// Whether a row appeared.
    pub const fn opens(self) -> bool {
        matches!(self, Self::Opened | Self::Adopted | Self::Replaced)
    }

    /// Whether it corrects what a late, repeated or lost event left wrong.
    pub const fn corrects(self) -> bool {
        match self {
            Self::Counted | Self::Opened | Self::Updated | Self::Closed => false,
            Self::Adopted
            | Self::Replaced
            | Self::ClosedUnseen
            | Self::CreatedLate
            | Self::Repeated
            | Self::Stale
            | Self::Restarted => true,
        }
    }
}

/// The corrections of a table by a poll of the server's own lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrections {
    /// Open things that the table did not have.
    pub opened: u64,
    /// Things that the table had and that are not open.
    pub closed: u64,
    /// Things that the table had with wrong properties.
    pub changed: u64,
}

impl std::ops::AddAssign for Corrections {
    fn add_assign(&mut self, more: Self) {
        self.opened += more.opened;
        self.closed += more.closed;
        self.changed += more.changed;
    }
}
