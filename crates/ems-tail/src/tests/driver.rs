//! The driver with a waker handed in, and with the real one.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::*;

/// Longer than any wait that succeeds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `desk`'s follower in a thread; `script` plays the writer and the waker, and gets what
/// is delivered.
fn drive(
    mut desk: Desk,
    watch: bool,
    script: impl FnOnce(&Desk, &Sender<Wake>, &dyn Fn() -> String),
) -> Desk {
    let (wake, wakes) = channel();
    let watch = watch.then(|| Watch::new(wake.clone()).unwrap());
    let (sent, delivered) = channel();
    let mut follower = Follower::new(desk.options.clone()).unwrap();
    thread::scope(|scope| {
        let runner = scope.spawn(move || {
            let mut sink = |frame: Frame<'_>| {
                if let Frame::Entry(entry) = frame {
                    sent.send(String::from_utf8(entry.bytes.to_vec()).unwrap()).unwrap();
                }
            };
            run(&mut follower, &wakes, watch, &mut sink, &mut |_, _| {});
            follower
        });
        script(&desk, &wake, &|| delivered.recv_timeout(DEADLINE).expect("nothing was delivered"));
        wake.send(Wake::Stop).unwrap();
        desk.follower = runner.join().unwrap();
    });
    desk
}

#[test]
fn a_wake_brings_what_was_written_and_a_stop_saves_it() {
    let mut desk = drive(Desk::saving("events.json", Start::SavedOrBeginning), false, |desk, wake, next| {
        for number in 1..10 {
            desk.append("events.json", json([number]));
            wake.send(Wake::Changed).unwrap();
            assert_eq!(next(), entry(number));
        }
    });
    assert!(!desk.follower.unsaved());
    desk.kill();
    assert_eq!(desk.poll(), entries([]));
}

#[test]
fn without_any_wake_the_periodic_poll_finds_it() {
    drive(Desk::new("events.json"), false, |desk, _, next| {
        desk.append("events.json", json([1]));
        assert_eq!(next(), entry(1));
        desk.append("events.json", json([2]));
        assert_eq!(next(), entry(2));
    });
}

#[test]
fn the_system_wakes_us_for_directories_that_come_late_and_for_those_behind_links() {
    drive(Desk::new("late/current.json"), true, |desk, _, next| {
        fs::create_dir(desk.path("late")).unwrap();
        fs::create_dir(desk.path("elsewhere")).unwrap();
        desk.append("elsewhere/a.json", json([1]));
        std::os::unix::fs::symlink("../elsewhere/a.json", desk.path("late/current.json")).unwrap();
        assert_eq!(next(), entry(1));
        for number in 2..5 {
            desk.append("elsewhere/a.json", json([number]));
            assert_eq!(next(), entry(number));
        }
    });
}

#[test]
fn the_watch_tells_of_changes_but_not_of_our_own_reading() {
    let desk = Desk::new("events.json");
    desk.append("events.json", json([1]));
    let (wake, wakes) = channel();
    let mut watch = Watch::new(wake).unwrap();
    assert!(watch.sync(&[desk.path("")].into_iter().collect()).added);
    for _ in 0..100 {
        fs::read(desk.path("events.json")).unwrap();
    }
    desk.append("other", "");
    assert_eq!(wakes.recv_timeout(DEADLINE), Ok(Wake::Changed));
    drop(watch);
    assert!(wakes.iter().count() < 10, "reading woke us");
}

#[test]
fn another_directory_of_the_same_name_is_watched_anew() {
    let desk = Desk::new("events.json");
    let (wake, wakes) = channel();
    let mut watch = Watch::new(wake).unwrap();
    let directory = desk.path("");
    let wanted = [directory.clone()].into_iter().collect();
    assert!(watch.sync(&wanted).added);
    assert!(!watch.sync(&wanted).added, "the same directory is watched once");
    fs::rename(&directory, desk.directory.path().join("renamed")).unwrap();
    assert!(!watch.sync(&wanted).added);
    fs::create_dir(&directory).unwrap();
    assert!(watch.sync(&wanted).added);
    desk.append("other", "");
    assert_eq!(wakes.recv_timeout(DEADLINE), Ok(Wake::Changed));
}

#[test]
fn the_driver_ends_when_nobody_can_wake_it() {
    let mut desk = Desk::new("events.json");
    desk.append("events.json", json([1]));
    let (wake, wakes) = channel();
    drop(wake);
    let mut count = 0;
    run(&mut desk.follower, &wakes, None, &mut |_| count += 1, &mut |_, _| {});
    assert_eq!(count, 1);
}
