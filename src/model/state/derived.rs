//! Events that the exporter derives: the server sends none for them.

use std::sync::Arc;

use crate::model::output::{Stall, StallTransition};

/// An event that the passing of time alone causes.
#[derive(Debug, Clone, PartialEq)]
pub enum DerivedEvent {
    /// A stall of an output began or ended.
    Output(Stall),
    /// A stream that is expected has been missing for a while.
    StreamMissing(Arc<str>),
}

impl DerivedEvent {
    /// The names of all derived events.
    pub const NAMES: [&str; 4] = ["chunkStalled", "outputNeverStarted", "chunkRecovered", "streamMissing"];

    /// Its name, which no event of the server has.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Output(stall) => match stall.transition {
                StallTransition::Stalled => "chunkStalled",
                StallTransition::NeverStarted => "outputNeverStarted",
                StallTransition::Recovered => "chunkRecovered",
            },
            Self::StreamMissing(_) => "streamMissing",
        }
    }

    /// The name of the more general derived event that it is as well, if there is one: an output that
    /// has never written stalls.
    pub const fn kind_of(&self) -> Option<&'static str> {
        match self {
            Self::Output(Stall { transition: StallTransition::NeverStarted, .. }) => Some("chunkStalled"),
            Self::Output(_) | Self::StreamMissing(_) => None,
        }
    }
}
