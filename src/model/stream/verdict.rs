//! The state of an input, by the name of its stream. There is no other judge: metrics, API, live page and derived events,
//! and through them rules and alerts, all use this one.

use std::time::Duration;

use serde::Serialize;
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// How long an open input must have delivered nothing to be frozen.
pub(super) const FROZEN: Duration = Duration::from_secs(10);
/// How long a report of a stopped feed counts. The server repeats it every `streamsExpireTimer`, 10 s by default.
pub(super) const FEED_STOPPED: Duration = Duration::from_secs(25);

/// The state of an input.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumCount, IntoStaticStr, Serialize, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum InputState {
    /// It is open, and nothing shows that it delivers nothing.
    Live,
    /// It is open and delivers nothing.
    Frozen,
    /// The server closed it after it had delivered nothing, and it has not come back.
    Expired,
    /// No stream of this name is open, and a kept configuration waits for it.
    Waiting,
}

/// The facts about an open input.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Delivery {
    /// How long its bytes have stood still, from the first to the last of the polls that show it.
    pub(super) still: Duration,
    /// For each medium, how long ago the server last reported that its feed had stopped; none for a medium that the
    /// stream does not have.
    pub(super) stopped: [Option<Option<Duration>>; 2],
}

impl Delivery {
    /// Whether the input delivers nothing.
    pub(super) fn is_frozen(&self) -> bool {
        let mut media = self.stopped.iter().flatten().peekable();
        let any = media.peek().is_some();
        let stopped = media.all(|report| report.is_some_and(|age| age <= FEED_STOPPED));
        self.still >= FROZEN || (any && stopped)
    }
}

impl InputState {
    /// The state of a name that `open` inbound streams carry, of which any may be `frozen`.
    pub(super) const fn of(open: u32, frozen: bool, expired: bool, waiting: u32) -> Option<Self> {
        match open {
            0 if expired => Some(Self::Expired),
            0 if waiting > 0 => Some(Self::Waiting),
            0 => None,
            _ if frozen => Some(Self::Frozen),
            _ => Some(Self::Live),
        }
    }

    /// The value of the label `state`.
    pub fn label(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_frozen_if_its_bytes_stand_still_or_every_medium_has_stopped() {
        let ago = |seconds| Some(Some(Duration::from_secs(seconds)));
        for (still, stopped, frozen) in [
            (0, [None, None], false),
            (9, [None, None], false),
            (10, [None, None], true),
            (0, [ago(1), None], true),
            (0, [ago(1), Some(None)], false),
            (0, [ago(1), ago(25)], true),
            (0, [ago(1), ago(26)], false),
        ] {
            let delivery = Delivery { still: Duration::from_secs(still), stopped };
            assert_eq!(delivery.is_frozen(), frozen, "{delivery:?}");
        }
    }

    #[test]
    fn what_is_open_decides_before_what_has_ended() {
        for (open, frozen, expired, waiting, state) in [
            (1, false, false, 0, Some(InputState::Live)),
            (2, true, true, 1, Some(InputState::Frozen)),
            (0, false, true, 1, Some(InputState::Expired)),
            (0, false, false, 1, Some(InputState::Waiting)),
            (0, false, false, 0, None),
        ] {
            assert_eq!(InputState::of(open, frozen, expired, waiting), state);
        }
    }
}
