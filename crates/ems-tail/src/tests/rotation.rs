//! New names, renamed, deleted, truncated and relinked files.

use super::*;

#[test]
fn new_names_of_a_pattern_are_read_in_order_each_finished_before_the_next() {
    let mut fixture = Fixture::new("events_*.json");
    fixture.append("events_20261122_100000.json", json(1..4));
    assert_eq!(fixture.poll(), entries(1..4));
    fixture.append("events_20261122_100000.json", json(4..6));
    fixture.append("events_20261122_110000.json", json(6..8));
    fixture.append("events_20261122_120000.json", json(8..9));
    assert_eq!(fixture.poll(), entries(4..9));
    assert_eq!(fixture.rotations(), [Rotation::Next, Rotation::Next]);
    assert_eq!((fixture.status().files, fixture.behind(), fixture.status().entries_read), (3, 0, 8));
    assert_eq!(fixture.status().last_read, Some(fixture.now));
    assert_eq!(fixture.poll(), entries([]));
}

#[test]
fn the_time_of_writing_goes_before_the_name_and_the_name_decides_ties() {
    let mut fixture = Fixture::new("events_*.json");
    for (name, number, seconds) in [
        ("events_0001.json", 3, 60),
        ("events_0009.json", 1, 50),
        ("events_10.json", 4, 60),
        ("events_9.json", 2, 50),
    ] {
        fixture.append(name, json([number]));
        let file = OpenOptions::new().append(true).open(fixture.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    assert_eq!(fixture.poll(), entries(1..5));
}

#[test]
fn an_old_file_that_the_server_appends_to_again_is_read_on() {
    let mut fixture = Fixture::new("events_*.json");
    fixture.append("events_0001.json", json([1]));
    fixture.append("events_0002.json", json([2]));
    assert_eq!(fixture.poll(), entries(1..3));
    fixture.append("events_0001.json", json([1]));
    assert_eq!(fixture.poll(), entries([1]));
}

#[test]
fn more_files_than_are_kept_open_are_followed() {
    let mut fixture = Fixture::new("events_*.json");
    let count = u32::try_from(OPEN_FILES).unwrap() + 10;
    for number in 0..count {
        fixture.append(&format!("events_{number}.json"), json([number]));
    }
    assert_eq!(fixture.poll(), entries(0..count));
    let open = fixture.follower.files.values().filter(|file| file.handle.is_some()).count();
    assert_eq!(open, OPEN_FILES);
    for number in 0..count {
        fixture.append(&format!("events_{number}.json"), json([number]));
    }
    assert_eq!(fixture.poll().len(), count as usize);
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn a_renamed_file_is_read_until_its_successor_has_content() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", json(1..3));
    fixture.poll();
    fixture.append("events.json", json([3]));
    fixture.rename("events.json", "events.json.1");
    assert_eq!(fixture.poll(), entries([3]));
    fixture.append("events.json", "");
    fixture.append("events.json.1", json([4]));
    assert_eq!(fixture.poll(), entries([4]), "its writer has not noticed the rename");
    assert_eq!(fixture.status().files, 2);
    fixture.append("events.json.1", json([5]));
    fixture.append("events.json", json([6]));
    assert_eq!(fixture.poll(), entries(5..7));
    assert_eq!(fixture.status().files, 1);
    assert_eq!(fixture.rotations(), [Rotation::Renamed]);
    assert_eq!(fixture.errors(), [Reason::NothingMatches], "while the name led nowhere");
}

#[test]
fn a_file_renamed_within_the_pattern_is_not_read_again() {
    let mut fixture = Fixture::new("events.json*");
    fixture.append("events.json", json(1..3));
    fixture.poll();
    fixture.rename("events.json", "events.json.1");
    fixture.append("events.json", json([3]));
    assert_eq!(fixture.poll(), entries([3]));
    fixture.rename("events.json.1", "events.json.2");
    fixture.rename("events.json", "events.json.1");
    fixture.append("events.json", json([4]));
    assert_eq!(fixture.poll(), entries([4]));
    assert_eq!(fixture.rotations(), [Rotation::Renamed, Rotation::Renamed]);
}

#[test]
fn a_file_that_is_cut_short_by_its_successor_is_reported() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", "{\"half\":");
    assert_eq!(fixture.poll(), entries([]));
    fixture.rename("events.json", "old");
    fixture.append("events.json", json([1]));
    assert_eq!(fixture.poll(), entries([1]));
    assert_eq!(fixture.errors(), [Reason::CutShort]);
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_its_successor_from_its_beginning() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", json(1..3));
    fixture.poll();
    let mut writer = OpenOptions::new().append(true).open(fixture.path("events.json")).unwrap();
    fs::remove_file(fixture.path("events.json")).unwrap();
    writer.write_all(json([3]).as_bytes()).unwrap();
    fixture.append("events.json", json([4]));
    assert_eq!(fixture.poll(), entries(3..5));
    assert_eq!(fixture.rotations(), [Rotation::Replaced]);
    assert_eq!(fixture.status().files, 1);
}

#[test]
fn a_deleted_chunk_is_released_when_a_newer_one_has_content() {
    let mut fixture = Fixture::new("events_*.json");
    fixture.append("events_0001.json", json([1]));
    fixture.poll();
    fixture.append("events_0002.json", json([2]));
    fixture.poll();
    fs::remove_file(fixture.path("events_0001.json")).unwrap();
    fixture.poll();
    assert_eq!(fixture.status().files, 1);
    fs::remove_file(fixture.path("events_0002.json")).unwrap();
    fixture.poll();
    assert_eq!(fixture.status().files, 1, "its writer may still write");
    assert_eq!(fixture.errors(), [Reason::NothingMatches]);
}

#[test]
fn a_symlink_that_moves_is_followed() {
    let mut fixture = Fixture::new("current.json");
    let mut found = Vec::new();
    for (target, number) in [("a.json", 1), ("b.json", 2), ("a.json", 3)] {
        fixture.append(target, json([number]));
        std::os::unix::fs::symlink(target, fixture.path("fresh")).unwrap();
        fixture.rename("fresh", "current.json");
        found.extend(fixture.poll());
    }
    assert_eq!(found, entries(1..4), "the first file is not read again");
    assert_eq!(fixture.rotations(), [Rotation::Relinked, Rotation::Relinked]);
}

#[test]
fn a_link_and_its_target_in_one_pattern_are_one_file() {
    let mut fixture = Fixture::new("*.json");
    fixture.append("events_1.json", json(1..3));
    std::os::unix::fs::symlink("events_1.json", fixture.path("current.json")).unwrap();
    assert_eq!(fixture.poll(), entries(1..3));
    assert_eq!(fixture.status().files, 1);
}

#[test]
fn copytruncate_is_noticed_when_the_file_is_shorter_equally_long_or_longer() {
    for after in [vec![7], vec![7, 8], vec![7, 8, 9]] {
        let mut fixture = Fixture::new("events.json");
        fixture.append("events.json", json([1, 2]));
        fixture.poll();
        fs::copy(fixture.path("events.json"), fixture.path("copy")).unwrap();
        fs::write(fixture.path("events.json"), json(after.clone())).unwrap();
        assert_eq!(fixture.poll(), entries(after.clone()), "{after:?}");
        assert_eq!(fixture.rotations(), [Rotation::Truncated]);
        assert_eq!(fixture.errors(), []);
        assert_eq!(fixture.poll(), entries([]));
    }
}

#[test]
fn a_truncation_is_noticed_by_the_tail_where_the_first_kilobyte_is_the_same() {
    let mut fixture = Fixture::new("events.json");
    let start = format!("{{\"config\":\"{}\"}},\n", "x".repeat(20_000));
    fixture.append("events.json", format!("{start}{}", json([1])));
    assert_eq!(fixture.poll().len(), 2);
    fs::write(fixture.path("events.json"), format!("{start}{}", json(2..5))).unwrap();
    assert_eq!(fixture.poll()[1..], entries(2..5));
    assert_eq!(fixture.rotations(), [Rotation::Truncated]);
}

#[test]
fn a_truncation_before_the_end_is_read_is_reported() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", format!("{}{{\"half\"", json([1])));
    fixture.poll();
    fs::write(fixture.path("events.json"), "").unwrap();
    fixture.poll();
    assert_eq!(fixture.errors(), [Reason::TruncatedUnread]);
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn a_writer_that_leaves_a_hole_after_a_truncation_is_read() {
    let mut fixture = Fixture::new("events.json");
    let mut writer = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(fixture.path("events.json"))
        .unwrap();
    writer.write_all(json(1..400).as_bytes()).unwrap();
    fixture.poll();
    OpenOptions::new().write(true).open(fixture.path("events.json")).unwrap().set_len(0).unwrap();
    writer.write_all(json(400..402).as_bytes()).unwrap();
    assert_eq!(fixture.poll(), entries(400..402));
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn of_a_copy_that_the_pattern_matches_only_the_unread_end_is_delivered() {
    let mut fixture = Fixture::new("events.json*");
    fixture.append("events.json", json(1..100));
    fixture.poll();
    let whole = json(1..100);
    fixture.append("events.json.1", "");
    assert_eq!(fixture.poll(), entries([]), "the copy has begun");
    fixture.append("events.json.1", &whole[..whole.len() / 2]);
    assert_eq!(fixture.poll(), entries([]), "the copy is half made");
    fixture.append("events.json", json(100..103));
    fixture.append("events.json.1", &whole[whole.len() / 2..]);
    fixture.append("events.json.1", json(100..103));
    fs::write(fixture.path("events.json"), json(103..105)).unwrap();
    assert_eq!(fixture.poll(), entries(100..105));
}

#[test]
fn a_copy_waits_for_the_truncation_and_is_not_behind_meanwhile() {
    let mut fixture = Fixture::new("events.json*");
    fixture.append("events.json", json(1..100));
    fixture.poll();
    fixture.append("events.json", json(100..103));
    fs::copy(fixture.path("events.json"), fixture.path("events.json.1")).unwrap();
    assert_eq!(fixture.poll(), entries(100..103), "from the original alone");
    fixture.append("events.json", json(103..104));
    assert_eq!(fixture.poll(), entries(103..104), "written while the copy was made");
    assert_eq!((fixture.poll(), fixture.behind()), (entries([]), 0));
    fs::write(fixture.path("events.json"), json(104..105)).unwrap();
    assert_eq!(fixture.poll(), entries(104..105));
    assert_eq!((fixture.poll(), fixture.behind()), (entries([]), 0));
}

#[test]
fn a_copy_that_was_not_listed_when_the_truncation_was_seen_is_known_to_the_next_follower() {
    for (since, killed) in [(0, true), (0, false), (2, true), (2, false), (200, false)] {
        let mut fixture = Fixture::saving("events.json*", Start::SavedOrEnd);
        fixture.poll();
        fixture.append("events.json", json(1..100));
        assert_eq!(fixture.poll(), entries(1..100));
        let listing = fixture.follower.list();
        fs::copy(fixture.path("events.json"), fixture.path("events.json.1")).unwrap();
        fs::write(fixture.path("events.json"), json(100..100 + since)).unwrap();
        let mut delivered = 0;
        fixture.now += Duration::from_secs(1);
        fixture.follower.advance(&listing, fixture.now, &mut |_| delivered += 1);
        assert_eq!(delivered, since);
        fixture.append("events.json", json(1000..1003));
        if killed {
            fixture.kill();
        } else {
            fixture.restart();
        }
        assert_eq!(fixture.poll(), entries(1000..1003), "{since} entries since, killed: {killed}");
        assert_eq!(fixture.poll(), entries([]));
    }
}

#[test]
fn a_copy_is_known_although_its_original_was_truncated_and_renamed_since() {
    let mut fixture = Fixture::new("events.json*");
    fixture.append("events.json", json(1..100));
    fixture.poll();
    fs::copy(fixture.path("events.json"), fixture.path("events.json.1")).unwrap();
    fs::write(fixture.path("events.json"), json(100..103)).unwrap();
    fixture.rename("events.json", "events.json-2");
    fixture.append("events.json", json(103..105));
    assert_eq!(fixture.poll(), entries(100..105));
}

/// One entry of a format, with a number and nothing else that distinguishes it from others.
fn entry_of(format: Format, number: u32) -> String {
    match format {
        Format::Json => json([number]),
        Format::Text => format!("{number:05}\ttimerTriggered\n\ttimerId: 1\n\n\n"),
        Format::Xml => {
            format!("<?xml version=\"1.0\" ?>\n<MAP>\n    <UINT8 name=\"id\">{number}</UINT8>\n</MAP>\n\n")
        }
        Format::W3c if number == 1 => "#Fields: INFO\tid\ntimerTriggered\t1\n".to_owned(),
        Format::W3c => format!("timerTriggered\t{number}\n"),
    }
}

#[test]
fn the_same_content_in_a_new_file_is_not_delivered_again() {
    for format in Format::VARIANTS {
        for count in [1, 20, 3000] {
            let content = |numbers: std::ops::RangeInclusive<u32>| -> String {
                numbers.map(|number| entry_of(*format, number)).collect()
            };
            let (whole, longer) = (content(1..=count), content(1..=count + 2));
            for case in ["renamed over", "backup kept", "deleted before", "in parts", "shorter first"] {
                if count < 3000 && ["in parts", "shorter first"].contains(&case) {
                    continue;
                }
                let name = format!("{format:?}, {count} entries, {case}");
                let mut fixture = Fixture::new("events.log");
                fixture.append("events.log", &whole);
                assert_eq!(fixture.poll().len(), count as usize, "{name}");
                fixture.append("new", &longer);
                match case {
                    "backup kept" => fixture.rename("events.log", "events.log~"),
                    "deleted before" => {
                        fs::remove_file(fixture.path("events.log")).unwrap();
                        assert_eq!(fixture.poll().len(), 0, "{name}");
                    }
                    "in parts" => {
                        fs::write(fixture.path("part"), &longer[..whole.len() - 3]).unwrap();
                        fixture.rename("part", "events.log");
                        assert_eq!(fixture.poll().len(), 0, "{name}");
                        fixture.append("events.log", &longer[whole.len() - 3..]);
                    }
                    "shorter first" => {
                        fs::write(fixture.path("part"), &longer[..whole.len() / 2]).unwrap();
                        fixture.rename("part", "events.log");
                        assert_eq!(fixture.poll().len(), 0, "{name}");
                    }
                    _ => {}
                }
                if case != "in parts" {
                    fixture.rename("new", "events.log");
                }
                assert_eq!(fixture.poll().len(), 2, "{name}");
                fixture.append("events.log", content(count + 3..=count + 3));
                assert_eq!(fixture.poll().len(), 1, "{name}");
                let absent = if case == "deleted before" { &[Reason::NothingMatches][..] } else { &[] };
                assert_eq!(fixture.errors(), absent, "{name}");
            }
        }
    }
}

#[test]
fn other_content_in_a_new_file_is_delivered() {
    for (old, new) in [(1..=20, 5..=40), (1..=3, 1..=2), (1..=20, 30..=31)] {
        let mut fixture = Fixture::new("events.log");
        fixture.append("events.log", json(old.clone()));
        assert_eq!(fixture.poll().len(), old.count());
        fixture.append("new", json(new.clone()) + &json(90..=99));
        fixture.rename("new", "events.log");
        assert_eq!(fixture.poll().len(), new.count() + 10);
    }
}
