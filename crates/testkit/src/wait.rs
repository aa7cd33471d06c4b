//! Waiting for a condition. A deadline bounds a failure and judges nothing: it is long enough for a busy machine.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// The interval between two checks.
const PAUSE: Duration = Duration::from_millis(10);

/// Calls `look` until it succeeds; its error is what was seen instead. `what` completes "waited in vain for …".
#[track_caller]
pub fn wait_for<T, S: Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look() {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "{}", in_vain(what, &seen)),
        }
        thread::sleep(PAUSE);
    }
}

/// [`wait_for`] for a test that runs in tokio, by tokio's clock.
pub async fn until<T, S: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(tokio::time::Instant::now() < deadline, "{}", in_vain(what, &seen)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Turns a condition into what [`wait_for`] takes.
///
/// # Errors
/// Gives `seen` if the condition does not hold.
pub fn holds<S>(condition: bool, seen: S) -> Result<(), S> {
    if condition { Ok(()) } else { Err(seen) }
}

fn in_vain(what: &str, seen: &impl Debug) -> String {
    format!("waited {DEADLINE:?} in vain for {what}; last seen: {seen:?}")
}
