//! The verdict on a track of an open output. There is no other judge: metrics, API, live page, derived events, and
//! through them rules and alerts, all use this one.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// From which share of its stall threshold on the age of a last chunk is late.
const LATE: f64 = 0.6;

/// The verdict on a track, from the best to the worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumCount, IntoStaticStr, Serialize, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Verdict {
    /// Chunks come in time.
    Ok,
    /// The present run of the output has not closed a chunk yet, and is not late.
    Waiting,
    /// The last chunk, or the opening of the output, is older than 0.6 times the stall threshold.
    Late,
    /// The present run of the output has closed no chunk, and its opening is older than the stall threshold.
    NeverStarted,
    /// The last chunk is older than the stall threshold.
    Stalled,
}

impl Verdict {
    /// The verdict at an `age` of the last chunk; before the first one, of the output. Without a threshold nothing is
    /// late: an unchunked recording writes one file for hours.
    pub(super) fn of(age: Duration, threshold: Option<f64>, started: bool) -> Self {
        let age = age.as_secs_f64();
        match threshold {
            Some(threshold) if age > threshold && started => Self::Stalled,
            Some(threshold) if age > threshold => Self::NeverStarted,
            Some(threshold) if age > LATE * threshold => Self::Late,
            _ if started => Self::Ok,
            _ => Self::Waiting,
        }
    }

    /// Whether chunks are missing.
    pub const fn is_stalled(self) -> bool {
        matches!(self, Self::Stalled | Self::NeverStarted)
    }

    /// The value of the label `state`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

/// The scope of outputs that stall together, the widest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// All outputs of the server.
    Server,
    /// All of a format.
    Format,
    /// All that are fed by one inbound stream.
    Input,
    /// All of a group: of one folder.
    Group,
}

/// Outputs that began to stall together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// What they have in common.
    pub scope: Scope,
    /// The format, the stream or the group; empty for the server.
    pub name: Arc<str>,
    /// How many there are.
    pub outputs: usize,
}

impl Scope {
    /// Its name in events.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_against_the_threshold_decides() {
        use Verdict::{Late, NeverStarted, Ok, Stalled, Waiting};
        for (age, threshold, before_the_first, after_it) in [
            (0.0, Some(10.0), Waiting, Ok),
            (6.0, Some(10.0), Waiting, Ok),
            (6.001, Some(10.0), Late, Late),
            (10.0, Some(10.0), Late, Late),
            (10.001, Some(10.0), NeverStarted, Stalled),
            (1e6, None, Waiting, Ok),
        ] {
            let of = |started| Verdict::of(Duration::from_secs_f64(age), threshold, started);
            assert_eq!((of(false), of(true)), (before_the_first, after_it), "{age} of {threshold:?}");
        }
    }
}
