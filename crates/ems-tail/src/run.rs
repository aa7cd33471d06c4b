//! The loop of a follower's thread: polls when a directory changes, and from time to time.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::drain::Frame;
use super::follower::{Follower, SAVE_INTERVAL};
use super::status::Status;
use super::watch::{Wake, Watch};

/// The longest wait for a change before the next poll: the delay on network mounts and in
/// directories that cannot be watched.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two polls: changes within this time are handled together.
const GAP: Duration = Duration::from_millis(20);

/// After a change the loop pauses at least this many times as long as the last poll took, so that a
/// directory of thousands of files costs a tenth of one processor at most.
const REST: u32 = 9;

/// Without a change it pauses this many times as long, so that waiting costs nothing measurable.
const IDLE_REST: u32 = 500;

/// Follows until [`Wake::Stop`] comes or every sender of `wakes` is gone, then writes the
/// checkpoint. Blocks: give it a thread of its own. `report` is called after each poll, with whether
/// more is there to be read at once.
///
/// Without a `watch` it polls after each wake, and every second.
pub fn run(
    follower: &mut Follower,
    wakes: &Receiver<Wake>,
    mut watch: Option<Watch>,
    sink: &mut impl FnMut(Frame<'_>),
    report: &mut impl FnMut(&Status, bool),
) {
    loop {
        let began = Instant::now();
        let progress = follower.poll(began, sink);
        report(follower.status(), progress.more);
        let took = began.elapsed();
        let mut again = progress.more;
        if let (Some(watch), false) = (&mut watch, again) {
            let synced = watch.sync(&follower.directories());
            (0..synced.failed).for_each(|_| follower.count_watch_failure());
            again = synced.added;
        }
        let wait = if follower.unsaved() { SAVE_INTERVAL } else { POLL_INTERVAL.max(took * IDLE_REST) };
        let pause = if again { Duration::ZERO } else { GAP.max(took * REST) };
        let next =
            rest(wakes, pause).and_then(|woken| if again || woken { Some(()) } else { sleep(wakes, wait) });
        if next.is_none() {
            follower.stop();
            report(follower.status(), false);
            return;
        }
    }
}

/// Waits for `time`; returns whether something changed meanwhile, none to stop.
fn rest(wakes: &Receiver<Wake>, time: Duration) -> Option<bool> {
    let until = Instant::now() + time;
    let mut woken = false;
    loop {
        match wakes.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Wake::Changed) => woken = true,
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => return Some(woken),
        }
    }
}

/// Waits for a change, `time` at most; none to stop.
fn sleep(wakes: &Receiver<Wake>, time: Duration) -> Option<()> {
    match wakes.recv_timeout(time) {
        Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => Some(()),
        Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => None,
    }
}
