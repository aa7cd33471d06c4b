//! Requested faults of API calls.

use crate::options::{ApiFaults, Options};
use fastrand::Rng;
use std::time::Duration;

/// How one call ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CallOutcome {
    /// Carried out and answered.
    Fine,
    /// Answered with FAIL.
    Failed,
    /// Dropped, after it was carried out or not.
    Reset { carried_out: bool },
    /// Answered with invalid JSON, after it was carried out or not.
    Garbage { carried_out: bool, cut: bool },
    /// Held back, after it was carried out or before.
    Slow { carried_out: bool, pause: Duration },
}

/// Decides on each call in turn; the same for the same options.
#[derive(Debug)]
pub(crate) struct CallFaults {
    pub(crate) shares: ApiFaults,
    random: Rng,
}

impl CallFaults {
    pub(crate) fn new(options: &Options) -> Self {
        Self { shares: options.api_faults, random: Rng::with_seed(options.seed ^ 0xa_b1) }
    }

    /// How the next call ends.
    pub(crate) fn decide(&mut self) -> CallOutcome {
        let ApiFaults { fail, reset, garbage, slow, slow_for } = self.shares;
        let drawn = self.random.f64();
        let carried_out = self.random.bool();
        let cut = self.random.bool();
        if drawn < fail {
            CallOutcome::Failed
        } else if drawn < fail + reset {
            CallOutcome::Reset { carried_out }
        } else if drawn < fail + reset + garbage {
            CallOutcome::Garbage { carried_out, cut }
        } else if drawn < fail + reset + garbage + slow {
            CallOutcome::Slow { carried_out, pause: slow_for }
        } else {
            CallOutcome::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiFaults, CallFaults, CallOutcome, Options};

    #[test]
    fn every_fault_keeps_to_its_share_and_half_is_carried_out() {
        let mut faults = CallFaults::new(&Options::default());
        assert_eq!(faults.shares, ApiFaults::default());
        assert!((0..1000).all(|_| faults.decide() == CallOutcome::Fine));
        faults.shares = ApiFaults { fail: 0.1, reset: 0.2, garbage: 0.3, slow: 0.2, ..ApiFaults::default() };
        let (mut shares, mut done) = ([0; 5], 0);
        for _ in 0..10_000 {
            let (place, carried_out) = match faults.decide() {
                CallOutcome::Fine => (0, false),
                CallOutcome::Failed => (1, false),
                CallOutcome::Reset { carried_out } => (2, carried_out),
                CallOutcome::Garbage { carried_out, .. } => (3, carried_out),
                CallOutcome::Slow { carried_out, .. } => (4, carried_out),
            };
            shares[place] += 1;
            done += i32::from(carried_out);
        }
        for (share, expected) in shares.into_iter().zip([2000, 1000, 2000, 3000, 2000]) {
            assert!((expected - 200..expected + 200).contains(&share), "{shares:?}");
        }
        assert!((3300..3700).contains(&done), "{done}");
    }
}
