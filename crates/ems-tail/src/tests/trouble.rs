//! Files that are not there, may not be read, or are not regular files; patterns.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_file_and_a_directory_that_come_late_are_found() {
    let mut desk = Desk::new("sub/*.json");
    desk.poll();
    desk.poll();
    assert_eq!(desk.errors(), [Reason::DirectoryMissing], "reported once");
    assert!(desk.follower.directories().contains(&desk.path("").components().collect::<PathBuf>()));
    fs::create_dir(desk.path("sub")).unwrap();
    desk.poll();
    assert_eq!(desk.errors(), [Reason::DirectoryMissing, Reason::NothingMatches]);
    assert!(desk.follower.directories().contains(&desk.path("sub")));
    desk.append("sub/events.json", json([1]));
    assert_eq!(desk.poll(), entries([1]));
    assert_eq!(desk.status().troubled, 0);
}

#[test]
fn a_file_without_permission_is_told_once_and_read_when_it_may_be() {
    // The superuser may read everything: this thread becomes nobody.
    let body = || {
        let mut desk = Desk::with("events.json", |options, _| options.start = Start::End);
        desk.append("events.json", json([1]));
        let mode = |desk: &Desk, bits| {
            fs::set_permissions(desk.path("events.json"), fs::Permissions::from_mode(bits)).unwrap()
        };
        mode(&desk, 0o200);
        assert_eq!(desk.poll(), entries([]));
        desk.append("events.json", json([2]));
        desk.poll();
        assert_eq!(desk.errors(), [Reason::PermissionDenied]);
        assert_eq!((desk.status().troubled, desk.behind()), (1, json([2]).len() as u64));
        mode(&desk, 0o600);
        assert_eq!(desk.poll(), entries([2]), "it was there at the first poll and begins at its end of then");
        assert_eq!(desk.status().troubled, 0);
        mode(&desk, 0o200);
        desk.append("events.json", json([3]));
        assert_eq!(desk.poll(), entries([3]), "an open file is read on");
        let logs = desk.path("");
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o000)).unwrap();
        desk.poll();
        desk.poll();
        assert_eq!(desk.errors(), [Reason::PermissionDenied; 2]);
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o700)).unwrap();
        mode(&desk, 0o600);
        desk.append("events.json", json([4]));
        assert_eq!(desk.poll(), entries([4]), "nothing is repeated");
    };
    let test = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::thread::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        body();
    });
    test.join().unwrap();
}

#[test]
fn what_is_no_regular_file_is_told_and_never_opened() {
    let mut desk = Desk::new("events.json");
    fs::create_dir(desk.path("events.json")).unwrap();
    desk.poll();
    desk.poll();
    assert!(desk.errors().contains(&Reason::NotRegularFile), "{:?}", desk.errors());
    let mut desk = Desk::new("*");
    fs::create_dir(desk.path("archive")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(desk.path("socket")).unwrap();
    desk.append("events.json", json([1]));
    assert_eq!(desk.poll(), entries([1]));
    assert_eq!(
        desk.errors(),
        [Reason::NotRegularFile],
        "a directory among the matches is none of our business"
    );
    drop(socket);
}

#[test]
fn files_stay_known_while_their_directory_is_out_of_reach() {
    let mut desk = Desk::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 2;
    for number in 0..count {
        desk.append(&format!("events_{number}.json"), json([number]));
    }
    desk.poll();
    let away = desk.directory.path().join("away");
    fs::rename(desk.path(""), &away).unwrap();
    assert_eq!(desk.poll(), entries([]));
    assert_eq!(desk.status().files, u64::from(count));
    fs::rename(&away, desk.path("")).unwrap();
    desk.append("events_0.json", json([100]));
    desk.append("events_65.json", json([101]));
    assert_eq!(desk.poll(), entries(100..102));
}

#[test]
fn a_closed_file_that_vanishes_unread_is_told() {
    let mut desk = Desk::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 1;
    desk.append("events_0.json", "{\"half\"");
    let file = OpenOptions::new().append(true).open(desk.path("events_0.json")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for number in 1..count {
        desk.append(&format!("events_{number}.json"), json([number]));
    }
    desk.poll();
    fs::remove_file(desk.path("events_0.json")).unwrap();
    desk.poll();
    assert_eq!(desk.errors(), [Reason::VanishedUnread]);
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
