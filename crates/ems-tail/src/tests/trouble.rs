//! Files that are not there, may not be read, or are not regular files; patterns.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::listing::Pattern;

#[test]
fn a_file_and_a_directory_that_come_late_are_found() {
    let mut fixture = Fixture::new("sub/*.json");
    fixture.poll();
    fixture.poll();
    assert_eq!(fixture.errors(), [Reason::DirectoryMissing], "reported once");
    assert!(fixture.follower.directories().contains(&fixture.path("").components().collect::<PathBuf>()));
    fs::create_dir(fixture.path("sub")).unwrap();
    fixture.poll();
    assert_eq!(fixture.errors(), [Reason::DirectoryMissing, Reason::NothingMatches]);
    assert!(fixture.follower.directories().contains(&fixture.path("sub")));
    fixture.append("sub/events.json", json([1]));
    assert_eq!(fixture.poll(), entries([1]));
    assert_eq!(fixture.troubled(), 0);
}

#[test]
fn a_file_without_permission_is_reported_once_and_read_when_it_is_granted() {
    // The superuser may read everything: this thread becomes an ordinary user.
    let body = || {
        let mut fixture = Fixture::with("events.json", |options, _| options.start = Start::End);
        fixture.append("events.json", json([1]));
        let mode = |fixture: &Fixture, bits| {
            fs::set_permissions(fixture.path("events.json"), fs::Permissions::from_mode(bits)).unwrap()
        };
        mode(&fixture, 0o200);
        assert_eq!(fixture.poll(), entries([]));
        fixture.append("events.json", json([2]));
        fixture.poll();
        assert_eq!(fixture.errors(), [Reason::PermissionDenied]);
        assert_eq!((fixture.troubled(), fixture.behind()), (1, json([2]).len() as u64));
        mode(&fixture, 0o600);
        assert_eq!(
            fixture.poll(),
            entries([2]),
            "it existed at the first poll and is read from the end that it had then"
        );
        assert_eq!(fixture.troubled(), 0);
        mode(&fixture, 0o200);
        fixture.append("events.json", json([3]));
        assert_eq!(fixture.poll(), entries([3]), "an open file is read on");
        let logs = fixture.path("");
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o000)).unwrap();
        fixture.poll();
        fixture.poll();
        assert_eq!(fixture.errors(), [Reason::PermissionDenied; 2]);
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o700)).unwrap();
        mode(&fixture, 0o600);
        fixture.append("events.json", json([4]));
        assert_eq!(fixture.poll(), entries([4]), "nothing is repeated");
    };
    let test = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let user = rustix::thread::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        }
        body();
    });
    test.join().unwrap();
}

#[test]
fn a_path_that_is_not_a_regular_file_is_reported_and_never_opened() {
    let mut fixture = Fixture::new("events.json");
    fs::create_dir(fixture.path("events.json")).unwrap();
    fixture.poll();
    fixture.poll();
    assert!(fixture.errors().contains(&Reason::NotRegularFile), "{:?}", fixture.errors());
    let mut fixture = Fixture::new("*");
    fs::create_dir(fixture.path("archive")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(fixture.path("socket")).unwrap();
    fixture.append("events.json", json([1]));
    assert_eq!(fixture.poll(), entries([1]));
    assert_eq!(fixture.errors(), [Reason::NotRegularFile], "a directory among the matches is ignored");
    drop(socket);
}

#[test]
fn files_stay_known_while_their_directory_is_out_of_reach() {
    let mut fixture = Fixture::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 2;
    for number in 0..count {
        fixture.append(&format!("events_{number}.json"), json([number]));
    }
    fixture.poll();
    let away = fixture.directory.path().join("away");
    fs::rename(fixture.path(""), &away).unwrap();
    assert_eq!(fixture.poll(), entries([]));
    assert_eq!(fixture.status().files, u64::from(count));
    fs::rename(&away, fixture.path("")).unwrap();
    fixture.append("events_0.json", json([100]));
    fixture.append("events_65.json", json([101]));
    assert_eq!(fixture.poll(), entries(100..102));
}

#[test]
fn a_closed_file_that_vanishes_unread_is_reported() {
    let mut fixture = Fixture::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 1;
    fixture.append("events_0.json", "{\"half\"");
    let file = OpenOptions::new().append(true).open(fixture.path("events_0.json")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for number in 1..count {
        fixture.append(&format!("events_{number}.json"), json([number]));
    }
    fixture.poll();
    fs::remove_file(fixture.path("events_0.json")).unwrap();
    fixture.poll();
    assert_eq!(fixture.errors(), [Reason::VanishedUnread]);
}

#[test]
fn a_bad_pattern_and_none_are_faults() {
    let fault = Follower::new(Options::new(vec!["/logs/***.json".to_owned()])).unwrap_err();
    assert!(fault.to_string().starts_with("invalid file pattern \"/logs/***.json\": "), "{fault}");
    assert!(matches!(Follower::new(Options::new(Vec::new())), Err(Fault::NoPattern)));
}

#[test]
fn names_of_reasons_and_rotations_are_different() {
    let names: std::collections::BTreeSet<_> = Reason::ALL.into_iter().map(Reason::name).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    assert!(Reason::ALL.into_iter().enumerate().all(|(index, reason)| reason as usize == index));
    assert!(Rotation::ALL.into_iter().enumerate().all(|(index, kind)| kind as usize == index));
}

#[test]
fn bytes_behind_are_known_before_the_read_that_may_be_slow() {
    let mut fixture = Fixture::new("events.json");
    assert_eq!(fixture.status().known_behind(Instant::now()), None, "nothing is listed yet");
    fixture.append("events.json", json([1]));
    let listing = fixture.follower.list();
    let length = json([1]).len() as u64;
    let late = Instant::now() + Duration::from_secs(60);
    assert_eq!(fixture.status().known_behind(late), Some(length), "at least these bytes are missing");
    fixture.follower.advance(&listing, fixture.now, &mut |_| ());
    assert_eq!(fixture.status().known_behind(Instant::now()), Some(0));
    assert_eq!(fixture.status().known_behind(late), None, "the file may have grown since");
}

#[test]
fn bytes_that_are_written_during_a_read_are_behind_at_its_end() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", json([1]));
    let listing = fixture.follower.list();
    fixture.follower.advance(&listing, fixture.now, &mut |_| ());
    fixture.append("events.json", json([2]));
    fixture.follower.measure(Followed::behind_now);
    assert_eq!(fixture.behind(), json([2]).len() as u64);
    assert_eq!(fixture.poll(), entries([2]));
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn a_pattern_that_a_shell_would_expand_is_explained() {
    let logs = tempfile::tempdir().unwrap();
    let cases = [
        ("~/events.json", "; ~ is not replaced"),
        ("$HOME/events.json", "; variables are not replaced"),
        ("events.{json,xml}", "; braces are not expanded"),
        ("events[^0-9].json", "; write [!…]"),
        (r"events\*.json", r"; \ has no meaning"),
        ("events*.json", ""),
    ];
    for (text, hint) in cases {
        let text = if text.starts_with(['~', '$']) {
            text.to_owned()
        } else {
            format!("{}/{text}", logs.path().display())
        };
        let explained = Pattern::new(&text).unwrap().unlike_a_shell();
        assert!(
            explained.starts_with(hint) && explained.is_empty() == hint.is_empty(),
            "{text}: {explained}"
        );
    }
}

#[test]
fn a_name_with_the_marks_of_a_pattern_is_followed() {
    for name in ["events[1].json", "events{1}.json", "what?.json"] {
        let mut fixture = Fixture::with(name, |options, _| options.start = Start::Beginning);
        fixture.append(name, json([1]));
        assert_eq!(fixture.poll(), entries([1]), "{name}");
        fixture.append(name, json([2]));
        assert_eq!((fixture.poll(), fixture.errors()), (entries([2]), Vec::new()), "{name}");
    }
}
