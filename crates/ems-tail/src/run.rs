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

/// Without a change it waits this many times as long, so that waiting costs nothing measurable.
const IDLE_REST: u32 = 500;

/// The longest time from one poll to the next. A poll can take seconds because a disk or a network mount answers
/// slowly; what is written meanwhile must not wait many times as long.
const LONGEST: Duration = Duration::from_secs(2);

/// The pause after a poll that took so long, and how much longer to wait for a change.
fn pauses(took: Duration) -> (Duration, Duration) {
    let pause = GAP.max(took.saturating_mul(REST)).min(LONGEST);
    let idle = POLL_INTERVAL.max(took.saturating_mul(IDLE_REST)).min(LONGEST);
    (pause, idle.saturating_sub(pause))
}

/// Follows until [`Wake::Stop`] comes or every sender of `wakes` is gone, then writes the
/// checkpoint. Blocks: give it a thread of its own. `report` is called after each poll, with whether more is there to
/// be read at once, and after each listing, when that is not known: nothing of it has been read.
///
/// Without a `watch` it polls after each wake, and every second.
pub fn run(
    follower: &mut Follower,
    wakes: &Receiver<Wake>,
    mut watch: Option<Watch>,
    sink: &mut impl FnMut(Frame<'_>),
    report: &mut impl FnMut(&Status, Option<bool>),
) {
    loop {
        let began = Instant::now();
        let listing = follower.list();
        report(follower.status(), None);
        let progress = follower.advance(&listing, Instant::now(), sink);
        report(follower.status(), Some(progress.more));
        let (pause, idle) = pauses(began.elapsed());
        let mut again = progress.more;
        if let (Some(watch), false) = (&mut watch, again) {
            let synced = watch.sync(&follower.directories());
            (0..synced.failed).for_each(|_| follower.count_watch_failure());
            again = synced.added;
        }
        let wait = if follower.unsaved() { SAVE_INTERVAL } else { idle };
        let pause = if again { Duration::ZERO } else { pause };
        let next =
            rest(wakes, pause).and_then(|woken| if again || woken { Some(()) } else { sleep(wakes, wait) });
        if next.is_none() {
            follower.stop();
            report(follower.status(), Some(false));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_poll_delays_the_next_one_by_two_seconds_at_most() {
        for (took, pause, wait) in [
            (0, 20, 980),
            (1, 20, 980),
            (3, 27, 1473),
            (50, 450, 1550),
            (300, 2000, 0),
            (3_000, 2000, 0),
            (3_600_000, 2000, 0),
        ] {
            let wanted = (Duration::from_millis(pause), Duration::from_millis(wait));
            assert_eq!(pauses(Duration::from_millis(took)), wanted, "a poll of {took} ms");
        }
    }

    #[test]
    fn a_listing_does_not_say_whether_more_is_to_be_read() {
        let directory = tempfile::TempDir::new().unwrap();
        let pattern = directory.path().join("*.json").to_str().unwrap().to_owned();
        let mut follower = Follower::new(crate::Options::new(vec![pattern])).unwrap();
        let (wakes, woken) = std::sync::mpsc::channel();
        wakes.send(Wake::Stop).unwrap();
        let mut reports = Vec::new();
        run(&mut follower, &woken, None, &mut |_| (), &mut |_, more| reports.push(more));
        assert_eq!(reports, [None, Some(false), Some(false)]);
    }
}
