//! Conditions on the state of a server. They are evaluated when a rule decides, and again before each attempt.

use super::target::Target;
use crate::model::state::State;
use crate::model::stream::Direction;

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Condition {
    /// The input of the outbound stream is open, and feeds no other of the same purpose.
    LastOutput,
    /// An inbound stream carries the name.
    StreamOpen,
    /// No inbound stream carries the name.
    StreamGone,
    /// The output is open, and the track is stalled.
    StillStalled,
}

impl Condition {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether a rule for this event can have it.
    pub fn fits(self, on: &str) -> bool {
        match self {
            Self::LastOutput => on.starts_with("outStream"),
            Self::StreamOpen | Self::StreamGone => true,
            Self::StillStalled => ["chunkStalled", "outputNeverStarted", "chunkRecovered"].contains(&on),
        }
    }

    /// Whether it is true now.
    pub fn holds(self, target: &Target, state: &State) -> bool {
        match self {
            Self::LastOutput => last_output(target, state),
            Self::StreamOpen => is_open(target, state),
            Self::StreamGone => !is_open(target, state),
            Self::StillStalled => target.output.as_ref().is_some_and(|(format, group, track)| {
                state.outputs.stalls(*format, group, &target.stream, *track)
            }),
        }
    }
}

fn last_output(target: &Target, state: &State) -> bool {
    let Some((input, purpose)) = target.input.zip(target.purpose) else {
        return false;
    };
    // The stream itself counts while it is open.
    let itself = target.key.is_some_and(|key| state.streams.is_open(key));
    state.streams.is_open(input) && state.streams.fed(input, purpose) <= u32::from(itself)
}

fn is_open(target: &Target, state: &State) -> bool {
    // A name beyond the limit is not counted: then the stream itself decides.
    let itself = target.key.filter(|_| target.direction == Some(Direction::In));
    state.streams.inbound(&target.stream) > 0 || itself.is_some_and(|key| state.streams.is_open(key))
}
