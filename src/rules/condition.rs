//! What must be true of the state for a rule to act. It is asked when a rule decides, and again
//! each time before something is sent.

use super::Subject;
use crate::model::state::State;
use crate::model::stream::Direction;

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The input of the outbound stream is open, and feeds no other of the same purpose.
    LastOutput,
    /// An inbound stream carries the name.
    StreamOpen,
    /// None does.
    StreamGone,
    /// The output is open, and the track stalls.
    StillStalled,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 4] = [Self::LastOutput, Self::StreamOpen, Self::StreamGone, Self::StillStalled];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastOutput => "last_output",
            Self::StreamOpen => "stream_open",
            Self::StreamGone => "stream_gone",
            Self::StillStalled => "still_stalled",
        }
    }

    /// Whether a rule for this event or derived can ask for it.
    pub fn fits(self, on: &str) -> bool {
        match self {
            Self::LastOutput => on.starts_with("outStream"),
            Self::StreamOpen | Self::StreamGone => true,
            Self::StillStalled => ["chunkStalled", "outputNeverStarted", "chunkRecovered"].contains(&on),
        }
    }

    /// Whether it holds now.
    pub fn holds(self, subject: &Subject, state: &State) -> bool {
        match self {
            Self::LastOutput => last_output(subject, state),
            Self::StreamOpen => is_open(subject, state),
            Self::StreamGone => !is_open(subject, state),
            Self::StillStalled => subject.output.as_ref().is_some_and(|(format, group, track)| {
                state.outputs.stalls(*format, group, &subject.stream, *track)
            }),
        }
    }
}

fn last_output(subject: &Subject, state: &State) -> bool {
    let Some((input, purpose)) = subject.input.zip(subject.purpose) else {
        return false;
    };
    // The stream itself counts while it is open.
    let itself = subject.key.is_some_and(|key| state.streams.is_open(key));
    state.streams.is_open(input) && state.streams.fed(input, purpose) <= u32::from(itself)
}

fn is_open(subject: &Subject, state: &State) -> bool {
    // A name beyond the limit is not counted: then the stream itself tells.
    let itself = subject.key.filter(|_| subject.direction == Some(Direction::In));
    state.streams.inbound(&subject.stream) > 0 || itself.is_some_and(|key| state.streams.is_open(key))
}
