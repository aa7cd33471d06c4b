//! Requested faults of delivery: events that are lost, delayed or posted twice.

use super::options::Options;
use fastrand::Rng;
use std::time::Duration;

/// How one event is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is never posted.
    Lost,
    /// It is posted after a delay, which is usually zero.
    /// So is a second copy, if there is one.
    Posted { held: Duration, copy: Option<Duration> },
}

/// Decides on each event in turn; the same for the same options.
#[derive(Debug)]
pub(crate) struct Faults {
    options: Options,
    random: Rng,
}

/// The events whose loss leaves something open in the state of the receiver.
const CLOSES: [&str; 4] = ["inStreamClosed", "outStreamClosed", "streamingSessionEnded", "timerClosed"];

impl Faults {
    pub(crate) fn new(options: &Options) -> Self {
        Self { random: Rng::with_seed(options.seed ^ 0xfa17), options: options.clone() }
    }

    /// How the next event is delivered.
    pub(crate) fn decide(&mut self, name: &str) -> Delivery {
        let Options { lose, lose_closes, duplicates, reorder, .. } = self.options;
        let mut draw = |share| self.random.f64() < share;
        if draw(lose) || (CLOSES.contains(&name) && draw(lose_closes)) {
            return Delivery::Lost;
        }
        let (is_held, is_copied) = (draw(reorder), draw(duplicates));
        let mut millis = |range| Duration::from_millis(self.random.u64(range));
        let held = if is_held { millis(50..2000) } else { Duration::ZERO };
        let copy = is_copied.then(|| millis(1..1000));
        Delivery::Posted { held, copy }
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Duration, Faults, Options};

    #[test]
    fn no_event_is_lost_or_repeated_unless_requested() {
        let mut faults = Faults::new(&Options::default());
        for _ in 0..1000 {
            let fine = Delivery::Posted { held: Duration::ZERO, copy: None };
            assert_eq!(faults.decide("inStreamClosed"), fine);
        }
    }

    #[test]
    fn only_closing_events_are_lost() {
        let mut faults = Faults::new(&Options { lose_closes: 1.0, ..Options::default() });
        assert_eq!(faults.decide("outStreamClosed"), Delivery::Lost);
        assert_ne!(faults.decide("hlsChunkClosed"), Delivery::Lost);
        assert_ne!(faults.decide("inStreamCreated"), Delivery::Lost);
    }

    #[test]
    fn a_share_of_all_events_is_lost() {
        let mut faults = Faults::new(&Options { lose: 0.3, ..Options::default() });
        let lost = (0..10_000).filter(|_| faults.decide("hlsChunkClosed") == Delivery::Lost).count();
        assert!((2700..3300).contains(&lost), "{lost}");
    }

    #[test]
    fn copies_and_holds_keep_to_their_share() {
        let mut faults = Faults::new(&Options { duplicates: 0.5, reorder: 0.2, ..Options::default() });
        let (mut copies, mut holds) = (0, 0);
        for _ in 0..10_000 {
            match faults.decide("timerTriggered") {
                Delivery::Lost => panic!("nothing is to be lost"),
                Delivery::Posted { held, copy } => {
                    copies += usize::from(copy.is_some());
                    holds += usize::from(held > Duration::ZERO);
                }
            }
        }
        assert!((4500..5500).contains(&copies), "{copies}");
        assert!((1700..2300).contains(&holds), "{holds}");
    }
}
