//! Waiting for a condition. The deadline only bounds a failure: it is long enough for a busy machine.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// The interval between two checks.
const PAUSE: Duration = Duration::from_millis(10);

/// Calls `check` until it succeeds; its error is the last observation. `what` completes "timed out waiting for …".
#[track_caller]
pub fn wait_for<T, S: Debug>(what: &str, mut check: impl FnMut() -> Result<T, S>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match check() {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "{}", timed_out(what, &seen)),
        }
        thread::sleep(PAUSE);
    }
}

/// [`wait_for`] for a test that runs in tokio, by tokio's clock.
pub async fn until<T, S: Debug>(what: &str, mut check: impl AsyncFnMut() -> Result<T, S>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        match check().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(tokio::time::Instant::now() < deadline, "{}", timed_out(what, &seen)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Turns a condition into a result for [`wait_for`].
///
/// # Errors
/// Gives `seen` if the condition does not hold.
pub fn holds<S>(condition: bool, seen: S) -> Result<(), S> {
    if condition { Ok(()) } else { Err(seen) }
}

fn timed_out(what: &str, seen: &impl Debug) -> String {
    format!("timed out after {DEADLINE:?} waiting for {what}; last seen: {seen:?}")
}
