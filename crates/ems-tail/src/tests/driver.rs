//! The driver with a waker handed in, and with the real one.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::*;

/// Longer than any wait that succeeds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `fixture`'s follower in a thread; `script` plays the writer and the waker, and gets what
/// is delivered.
fn drive(
    mut fixture: Fixture,
    watch: bool,
    script: impl FnOnce(&Fixture, &Sender<Wake>, &dyn Fn() -> String),
) -> Fixture {
    let (wake, wakes) = channel();
    let watch = watch.then(|| Watch::new(wake.clone()).unwrap());
    let (sent, delivered) = channel();
    let mut follower = Follower::new(fixture.options.clone()).unwrap();
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
        script(&fixture, &wake, &|| delivered.recv_timeout(DEADLINE).expect("nothing was delivered"));
        wake.send(Wake::Stop).unwrap();
        fixture.follower = runner.join().unwrap();
    });
    fixture
}

#[test]
fn a_wake_delivers_new_entries_and_a_stop_saves_the_position() {
    let mut fixture =
        drive(Fixture::saving("events.json", Start::SavedOrBeginning), false, |fixture, wake, next| {
            for number in 1..10 {
                fixture.append("events.json", json([number]));
                wake.send(Wake::Changed).unwrap();
                assert_eq!(next(), entry(number));
            }
        });
    assert!(!fixture.follower.unsaved());
    fixture.kill();
    assert_eq!(fixture.poll(), entries([]));
}

#[test]
fn without_a_wake_the_periodic_poll_finds_new_entries() {
    drive(Fixture::new("events.json"), false, |fixture, _, next| {
        fixture.append("events.json", json([1]));
        assert_eq!(next(), entry(1));
        fixture.append("events.json", json([2]));
        assert_eq!(next(), entry(2));
    });
}

#[test]
fn the_watch_covers_directories_that_are_created_late_and_those_behind_links() {
    drive(Fixture::new("late/current.json"), true, |fixture, _, next| {
        fs::create_dir(fixture.path("late")).unwrap();
        fs::create_dir(fixture.path("elsewhere")).unwrap();
        fixture.append("elsewhere/a.json", json([1]));
        std::os::unix::fs::symlink("../elsewhere/a.json", fixture.path("late/current.json")).unwrap();
        assert_eq!(next(), entry(1));
        for number in 2..5 {
            fixture.append("elsewhere/a.json", json([number]));
            assert_eq!(next(), entry(number));
        }
    });
}

#[test]
fn the_watch_reports_changes_but_not_the_reading_of_the_follower() {
    let fixture = Fixture::new("events.json");
    fixture.append("events.json", json([1]));
    let (wake, wakes) = channel();
    let mut watch = Watch::new(wake).unwrap();
    assert!(watch.sync(&[fixture.path("")].into_iter().collect()).added);
    for _ in 0..100 {
        fs::read(fixture.path("events.json")).unwrap();
    }
    fixture.append("other", "");
    assert_eq!(wakes.recv_timeout(DEADLINE), Ok(Wake::Changed));
    drop(watch);
    assert!(wakes.iter().count() < 10, "reading woke us");
}

#[test]
fn another_directory_of_the_same_name_is_watched_anew() {
    let fixture = Fixture::new("events.json");
    let (wake, wakes) = channel();
    let mut watch = Watch::new(wake).unwrap();
    let directory = fixture.path("");
    let wanted = [directory.clone()].into_iter().collect();
    assert!(watch.sync(&wanted).added);
    assert!(!watch.sync(&wanted).added, "the same directory is watched once");
    fs::rename(&directory, fixture.directory.path().join("renamed")).unwrap();
    assert!(!watch.sync(&wanted).added);
    fs::create_dir(&directory).unwrap();
    assert!(watch.sync(&wanted).added);
    fixture.append("other", "");
    assert_eq!(wakes.recv_timeout(DEADLINE), Ok(Wake::Changed));
}

#[test]
fn the_loop_ends_when_every_sender_is_gone() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", json([1]));
    let (wake, wakes) = channel();
    drop(wake);
    let mut count = 0;
    run(&mut fixture.follower, &wakes, None, &mut |_| count += 1, &mut |_, _| {});
    assert_eq!(count, 1);
}
