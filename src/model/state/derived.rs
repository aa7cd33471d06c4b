//! Events that the exporter derives: the server sends none for them.

use std::sync::Arc;

use crate::model::output::{Stall, StallTransition, Together};
use crate::model::stream::InputState;

/// An event that the passing of time alone causes.
#[derive(Debug, Clone, PartialEq)]
pub enum DerivedEvent {
    /// A stall of an output began or ended.
    Output(Stall),
    /// All outputs of a scope began to stall.
    Together(Together),
    /// An input is frozen, expired or live again.
    Input(Arc<str>, InputState),
    /// A stream that is expected has been missing for a while.
    StreamMissing(Arc<str>),
}

impl DerivedEvent {
    /// The names of all derived events.
    pub const NAMES: [&str; 8] = [
        "chunkStalled",
        "outputNeverStarted",
        "chunkRecovered",
        "streamMissing",
        "outputsStalled",
        "streamFrozen",
        "streamExpired",
        "streamResumed",
    ];

    /// Its name, which no event of the server has.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Output(stall) => match stall.transition {
                StallTransition::Stalled => "chunkStalled",
                StallTransition::NeverStarted => "outputNeverStarted",
                StallTransition::Recovered => "chunkRecovered",
            },
            Self::StreamMissing(_) => "streamMissing",
            Self::Together(_) => "outputsStalled",
            Self::Input(_, InputState::Frozen) => "streamFrozen",
            Self::Input(_, InputState::Expired) => "streamExpired",
            Self::Input(_, InputState::Live | InputState::Waiting) => "streamResumed",
        }
    }

    /// The name of the more general derived event that it is as well, if there is one: an output that
    /// has never written stalls.
    pub const fn kind_of(&self) -> Option<&'static str> {
        match self {
            Self::Output(Stall { transition: StallTransition::NeverStarted, .. }) => Some("chunkStalled"),
            Self::Output(_) | Self::StreamMissing(_) | Self::Together(_) | Self::Input(..) => None,
        }
    }
}
