//! Why an event was rejected or dropped.

use strum::{EnumCount, IntoStaticStr, VariantArray};

use crate::format::Format;
use crate::limits::{MAX_DEPTH, MAX_FIELDS, MAX_ITEMS, MAX_TEXT};

/// Why an event or a body was rejected: the values of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The body is empty.
    Empty,
    /// The body is neither JSON nor XML, or the file is of no known format.
    Format,
    /// The body violates the grammar of its format.
    Syntax,
    /// The body or a path in it exceeds a limit: bytes, depth or fields.
    TooLarge,
    /// The sender's JSON sink stands after an XML sink.
    MixedSinks,
    /// So many events of the body were rejected that the rest of it was not read.
    GivenUp,
    /// The body is well formed but not an event.
    NotAnEvent,
    /// A mandatory field is missing.
    MissingField,
    /// A field has a value of the wrong type.
    BadField,
    /// The path names a server that is not configured, or is not a valid name.
    Server,
    /// The sender closed the connection before the body was complete.
    Aborted,
    /// The sender is not allowed to post events.
    Forbidden,
}

impl Reason {
    /// Every reason, in the order of the metrics.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("ALL is as long as the list");

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

/// Why a possibly valid event was dropped: the values of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DropReason {
    /// The limit on servers is reached.
    ServerLimit,
    /// More events arrived at once than can be processed.
    Overload,
}

impl DropReason {
    /// Every reason, in the order of the metrics.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("ALL is as long as the list");

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

/// A rejected or dropped body or event, as a sentence. It never contains a value of the event: values
/// may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// See [`Reason::Empty`].
    #[error("the body is empty")]
    Empty,
    /// See [`Reason::Format`].
    #[error("the body is neither JSON nor XML")]
    Format,
    /// A file that cannot be read, with the remedy.
    #[error("the file is not read: {0}")]
    File(&'static str),
    /// See [`Reason::Syntax`].
    #[error("invalid {0} at byte {2}: {1}", format.label(), what, at)]
    Syntax {
        /// The format whose grammar is broken.
        format: Format,
        /// The fault.
        what: &'static str,
        /// The offset in the body.
        at: usize,
    },
    /// It is nested deeper than the limit.
    #[error("the event is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// It has more fields than the limit.
    #[error("the event has more than {MAX_FIELDS} fields")]
    Fields,
    /// More items in a list than the limit.
    #[error("a list has more than {MAX_ITEMS} items")]
    Items,
    /// A path is longer than the limit.
    #[error("the path {0} is longer than {MAX_TEXT} bytes")]
    Path(&'static str),
    /// See [`Reason::GivenUp`].
    #[error("too many events of this body were rejected: the rest of it was not read")]
    GivenUp,
    /// It has more bytes than the limit.
    #[error("the body is larger than {0} bytes")]
    Size(usize),
    /// See [`Reason::MixedSinks`].
    #[error(
        "the server could not write this event as JSON: put JSON sinks before XML sinks in its config.lua"
    )]
    MixedSinks,
    /// See [`Reason::NotAnEvent`].
    #[error("not an event: {0}")]
    NotAnEvent(&'static str),
    /// See [`Reason::MissingField`].
    #[error("the field {0} is missing")]
    MissingField(&'static str),
    /// See [`Reason::BadField`].
    #[error("the field {field} is not {wanted}")]
    BadField {
        /// The field's name.
        field: &'static str,
        /// The expected value.
        wanted: &'static str,
    },
    /// See [`Reason::Server`].
    #[error("{0}")]
    Server(&'static str),
    /// A valid name, but the limit on servers is reached: dropped, not rejected.
    #[error("the limit of {0} servers is reached")]
    Servers(usize),
    /// See [`DropReason::Overload`]: dropped, not rejected.
    #[error("too many events at once: try again later")]
    Overload,
    /// See [`Reason::Aborted`].
    #[error("the sender closed the connection before the body was complete")]
    Aborted,
    /// See [`Reason::Forbidden`].
    #[error("{0}")]
    Forbidden(&'static str),
}

impl Rejection {
    /// Whether the name of the server was rejected, not the event.
    pub const fn is_of_server(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Servers(_))
    }

    /// The value of the label `reason`; `None` if it was dropped.
    pub fn reason(&self) -> Option<Reason> {
        self.verdict().ok()
    }

    /// Why it was rejected, or why it was dropped.
    pub const fn verdict(&self) -> Result<Reason, DropReason> {
        Ok(match self {
            Self::Servers(_) => return Err(DropReason::ServerLimit),
            Self::Overload => return Err(DropReason::Overload),
            Self::Empty => Reason::Empty,
            Self::Format | Self::File(_) => Reason::Format,
            Self::Syntax { .. } => Reason::Syntax,
            Self::Depth | Self::Fields | Self::Items | Self::Path(_) | Self::Size(_) => Reason::TooLarge,
            Self::MixedSinks => Reason::MixedSinks,
            Self::GivenUp => Reason::GivenUp,
            Self::NotAnEvent(_) => Reason::NotAnEvent,
            Self::MissingField(_) => Reason::MissingField,
            Self::BadField { .. } => Reason::BadField,
            Self::Server(_) => Reason::Server,
            Self::Aborted => Reason::Aborted,
            Self::Forbidden(_) => Reason::Forbidden,
        })
    }
}
