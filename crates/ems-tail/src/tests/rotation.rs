//! New names, renamed, deleted, truncated and relinked files.

use super::*;

#[test]
fn new_names_of_a_pattern_are_read_in_order_each_finished_before_the_next() {
    let mut desk = Desk::new("events_*.json");
    desk.append("events_20261122_100000.json", json(1..4));
    assert_eq!(desk.poll(), entries(1..4));
    desk.append("events_20261122_100000.json", json(4..6));
    desk.append("events_20261122_110000.json", json(6..8));
    desk.append("events_20261122_120000.json", json(8..9));
    assert_eq!(desk.poll(), entries(4..9));
    assert_eq!(desk.rotations(), [Rotation::Next, Rotation::Next]);
    assert_eq!((desk.status().files, desk.behind(), desk.status().entries_read), (3, 0, 8));
    assert_eq!(desk.status().last_read, Some(desk.now));
    assert_eq!(desk.poll(), entries([]));
}

#[test]
fn the_time_of_writing_goes_before_the_name_and_the_name_decides_ties() {
    let mut desk = Desk::new("events_*.json");
    for (name, number, seconds) in [
        ("events_0001.json", 3, 60),
        ("events_0009.json", 1, 50),
        ("events_10.json", 4, 60),
        ("events_9.json", 2, 50),
    ] {
        desk.append(name, json([number]));
        let file = OpenOptions::new().append(true).open(desk.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    assert_eq!(desk.poll(), entries(1..5));
}

#[test]
fn an_old_file_that_the_server_appends_to_again_is_read_on() {
    let mut desk = Desk::new("events_*.json");
    desk.append("events_0001.json", json([1]));
    desk.append("events_0002.json", json([2]));
    assert_eq!(desk.poll(), entries(1..3));
    desk.append("events_0001.json", json([1]));
    assert_eq!(desk.poll(), entries([1]));
}

#[test]
fn more_files_than_are_kept_open_are_followed() {
    let mut desk = Desk::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 10;
    for number in 0..count {
        desk.append(&format!("events_{number}.json"), json([number]));
    }
    assert_eq!(desk.poll(), entries(0..count));
    let open = desk.follower.files.values().filter(|file| file.handle.is_some()).count();
    assert_eq!(open, OPEN_FILES);
    for number in 0..count {
        desk.append(&format!("events_{number}.json"), json([number]));
    }
    assert_eq!(desk.poll().len(), count as usize);
    assert_eq!(desk.behind(), 0);
}

#[test]
fn a_renamed_file_is_read_until_its_successor_has_content() {
    let mut desk = Desk::new("events.json");
    desk.append("events.json", json(1..3));
    desk.poll();
    desk.append("events.json", json([3]));
    desk.rename("events.json", "events.json.1");
    assert_eq!(desk.poll(), entries([3]));
    desk.append("events.json", "");
    desk.append("events.json.1", json([4]));
    assert_eq!(desk.poll(), entries([4]), "its writer has not noticed the rename");
    assert_eq!(desk.status().files, 2);
    desk.append("events.json.1", json([5]));
    desk.append("events.json", json([6]));
    assert_eq!(desk.poll(), entries(5..7));
    assert_eq!(desk.status().files, 1);
    assert_eq!(desk.rotations(), [Rotation::Renamed]);
    assert_eq!(desk.errors(), [Reason::NothingMatches], "while the name led nowhere");
}

#[test]
fn a_file_renamed_within_the_pattern_is_not_read_again() {
    let mut desk = Desk::new("events.json*");
    desk.append("events.json", json(1..3));
    desk.poll();
    desk.rename("events.json", "events.json.1");
    desk.append("events.json", json([3]));
    assert_eq!(desk.poll(), entries([3]));
    desk.rename("events.json.1", "events.json.2");
    desk.rename("events.json", "events.json.1");
    desk.append("events.json", json([4]));
    assert_eq!(desk.poll(), entries([4]));
    assert_eq!(desk.rotations(), [Rotation::Renamed, Rotation::Renamed]);
}

#[test]
fn a_file_that_is_cut_short_by_its_successor_is_told() {
    let mut desk = Desk::new("events.json");
    desk.append("events.json", "{\"half\":");
    assert_eq!(desk.poll(), entries([]));
    desk.rename("events.json", "old");
    desk.append("events.json", json([1]));
    assert_eq!(desk.poll(), entries([1]));
    assert_eq!(desk.errors(), [Reason::CutShort]);
    assert_eq!(desk.behind(), 0);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_its_successor_from_its_beginning() {
    let mut desk = Desk::new("events.json");
    desk.append("events.json", json(1..3));
    desk.poll();
    let mut writer = OpenOptions::new().append(true).open(desk.path("events.json")).unwrap();
    fs::remove_file(desk.path("events.json")).unwrap();
    writer.write_all(json([3]).as_bytes()).unwrap();
    desk.append("events.json", json([4]));
    assert_eq!(desk.poll(), entries(3..5));
    assert_eq!(desk.rotations(), [Rotation::Replaced]);
    assert_eq!(desk.status().files, 1);
}

#[test]
fn a_deleted_chunk_is_let_go_when_a_newer_one_has_content() {
    let mut desk = Desk::new("events_*.json");
    desk.append("events_0001.json", json([1]));
    desk.poll();
    desk.append("events_0002.json", json([2]));
    desk.poll();
    fs::remove_file(desk.path("events_0001.json")).unwrap();
    desk.poll();
    assert_eq!(desk.status().files, 1);
    fs::remove_file(desk.path("events_0002.json")).unwrap();
    desk.poll();
    assert_eq!(desk.status().files, 1, "its writer may still write");
    assert_eq!(desk.errors(), [Reason::NothingMatches]);
}

#[test]
fn a_symlink_that_moves_is_followed() {
    let mut desk = Desk::new("current.json");
    let mut found = Vec::new();
    for (target, number) in [("a.json", 1), ("b.json", 2), ("a.json", 3)] {
        desk.append(target, json([number]));
        std::os::unix::fs::symlink(target, desk.path("fresh")).unwrap();
        desk.rename("fresh", "current.json");
        found.extend(desk.poll());
    }
    assert_eq!(found, entries(1..4), "the first file is not read again");
    assert_eq!(desk.rotations(), [Rotation::Relinked, Rotation::Relinked]);
}

#[test]
fn a_link_and_its_target_in_one_pattern_are_one_file() {
    let mut desk = Desk::new("*.json");
    desk.append("events_1.json", json(1..3));
    std::os::unix::fs::symlink("events_1.json", desk.path("current.json")).unwrap();
    assert_eq!(desk.poll(), entries(1..3));
    assert_eq!(desk.status().files, 1);
}

#[test]
fn copytruncate_is_noticed_when_the_file_is_shorter_equally_long_or_longer() {
    for after in [vec![7], vec![7, 8], vec![7, 8, 9]] {
        let mut desk = Desk::new("events.json");
        desk.append("events.json", json([1, 2]));
        desk.poll();
        fs::copy(desk.path("events.json"), desk.path("copy")).unwrap();
        fs::write(desk.path("events.json"), json(after.clone())).unwrap();
        assert_eq!(desk.poll(), entries(after.clone()), "{after:?}");
        assert_eq!(desk.rotations(), [Rotation::Truncated]);
        assert_eq!(desk.errors(), []);
        assert_eq!(desk.poll(), entries([]));
    }
}

#[test]
fn a_truncation_is_noticed_by_the_seam_where_the_first_kilobyte_is_the_same() {
    let mut desk = Desk::new("events.json");
    let start = format!("{{\"config\":\"{}\"}},\n", "x".repeat(20_000));
    desk.append("events.json", format!("{start}{}", json([1])));
    assert_eq!(desk.poll().len(), 2);
    fs::write(desk.path("events.json"), format!("{start}{}", json(2..5))).unwrap();
    assert_eq!(desk.poll()[1..], entries(2..5));
    assert_eq!(desk.rotations(), [Rotation::Truncated]);
}

#[test]
fn a_truncation_before_we_read_is_told() {
    let mut desk = Desk::new("events.json");
    desk.append("events.json", format!("{}{{\"half\"", json([1])));
    desk.poll();
    fs::write(desk.path("events.json"), "").unwrap();
    desk.poll();
    assert_eq!(desk.errors(), [Reason::TruncatedUnread]);
    assert_eq!(desk.behind(), 0);
}

#[test]
fn a_writer_that_leaves_a_hole_after_a_truncation_is_read() {
    let mut desk = Desk::new("events.json");
    let mut writer =
        OpenOptions::new().write(true).create(true).truncate(false).open(desk.path("events.json")).unwrap();
    writer.write_all(json(1..400).as_bytes()).unwrap();
    desk.poll();
    OpenOptions::new().write(true).open(desk.path("events.json")).unwrap().set_len(0).unwrap();
    writer.write_all(json(400..402).as_bytes()).unwrap();
    assert_eq!(desk.poll(), entries(400..402));
    assert_eq!(desk.behind(), 0);
}

#[test]
fn of_a_copy_that_the_pattern_matches_only_the_unread_end_is_delivered() {
    let mut desk = Desk::new("events.json*");
    desk.append("events.json", json(1..100));
    desk.poll();
    let whole = json(1..100);
    desk.append("events.json.1", "");
    assert_eq!(desk.poll(), entries([]), "the copy has begun");
    desk.append("events.json.1", &whole[..whole.len() / 2]);
    assert_eq!(desk.poll(), entries([]), "the copy is half made");
    desk.append("events.json", json(100..103));
    desk.append("events.json.1", &whole[whole.len() / 2..]);
    desk.append("events.json.1", json(100..103));
    fs::write(desk.path("events.json"), json(103..105)).unwrap();
    assert_eq!(desk.poll(), entries(100..105));
}

#[test]
fn a_copy_waits_for_the_truncation_and_is_not_behind_meanwhile() {
    let mut desk = Desk::new("events.json*");
    desk.append("events.json", json(1..100));
    desk.poll();
    desk.append("events.json", json(100..103));
    fs::copy(desk.path("events.json"), desk.path("events.json.1")).unwrap();
    assert_eq!(desk.poll(), entries(100..103), "from the original alone");
    desk.append("events.json", json(103..104));
    assert_eq!(desk.poll(), entries(103..104), "written while the copy was made");
    assert_eq!((desk.poll(), desk.behind()), (entries([]), 0));
    fs::write(desk.path("events.json"), json(104..105)).unwrap();
    assert_eq!(desk.poll(), entries(104..105));
    assert_eq!((desk.poll(), desk.behind()), (entries([]), 0));
}

#[test]
fn a_copy_is_known_although_its_original_was_truncated_and_renamed_since() {
    let mut desk = Desk::new("events.json*");
    desk.append("events.json", json(1..100));
    desk.poll();
    fs::copy(desk.path("events.json"), desk.path("events.json.1")).unwrap();
    fs::write(desk.path("events.json"), json(100..103)).unwrap();
    desk.rename("events.json", "events.json-2");
    desk.append("events.json", json(103..105));
    assert_eq!(desk.poll(), entries(100..105));
}
