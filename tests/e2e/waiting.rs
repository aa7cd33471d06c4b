//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is an answer, at most for `within`; `what` completes "waited in vain for …".
pub(crate) fn wait_for<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}

/// A long time for anything that should take a moment, even on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
