//! The thin driver: polls when a directory changes, and from time to time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use super::drain::Frame;
use super::follower::{Follower, SAVE_INTERVAL};
use super::status::Status;
use super::watch::Watch;

/// How long we wait at most for a change before we look: what a network mount or a directory
/// that cannot be watched costs in delay.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two polls: the changes of this time are looked at together.
const GAP: Duration = Duration::from_millis(20);

/// After a change we rest at least this many times as long as the last poll took, so that a
/// directory of thousands of files costs a tenth of one processor at most.
const REST: u32 = 9;

/// Without a change we rest this many times as long, so that waiting costs nothing measurable.
const IDLE_REST: u32 = 500;

/// What wakes the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something may have changed: poll.
    Changed,
    /// Write the checkpoint and return.
    Stop,
}

/// Follows until [`Wake::Stop`] comes or every sender of `wakes` is gone, then writes the
/// checkpoint. Blocks: give it a thread of its own. `report` is called after each poll, with whether
/// more is there to be read at once.
///
/// Without a `watch` only `wakes` and [`POLL_INTERVAL`] decide when to look.
pub fn run(
    follower: &mut Follower,
    wakes: &Receiver<Wake>,
    mut watch: Option<Watch>,
    sink: &mut impl FnMut(Frame<'_>),
    report: &mut impl FnMut(&Status, bool),
) {
    loop {
        let began = Instant::now();
        let progress = follower.poll(SystemTime::now(), sink);
        report(follower.status(), progress.more);
        let took = began.elapsed();
        let mut again = progress.more;
        if let (Some(watch), false) = (&mut watch, again) {
            let synced = watch.sync(&follower.directories());
            (0..synced.failed).for_each(|_| follower.count_watch_failure());
            again = synced.added;
        }
        let wait = if follower.unsaved() { SAVE_INTERVAL } else { POLL_INTERVAL.max(took * IDLE_REST) };
        let next = if again {
            poll_again(wakes)
        } else {
            rest(wakes, GAP.max(took * REST))
                .and_then(|woken| if woken { Some(()) } else { sleep(wakes, wait) })
        };
        if next.is_none() {
            follower.stop();
            report(follower.status(), false);
            return;
        }
    }
}

/// Whether to go on at once; none to stop.
fn poll_again(wakes: &Receiver<Wake>) -> Option<()> {
    loop {
        match wakes.try_recv() {
            Ok(Wake::Changed) => {}
            Ok(Wake::Stop) | Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => return Some(()),
        }
    }
}

/// Lets `time` pass; says whether something changed meanwhile, none to stop.
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
