//! Restarts: clean stops, kills, and what happens to files meanwhile.

use super::*;

#[test]
fn a_clean_stop_repeats_nothing_and_loses_nothing() {
    let mut fixture = Fixture::saving("events_*.json", Start::SavedOrEnd);
    fixture.poll();
    for number in 1..20 {
        fixture.append(&format!("events_{}.json", number / 4), json([number]));
        if number % 3 == 0 {
            fixture.restart();
        }
        assert_eq!(fixture.poll_now(), entries([number]));
    }
}

#[test]
fn a_kill_repeats_only_the_entries_of_the_last_second() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrBeginning);
    fixture.append("events.json", json(1..3));
    assert_eq!(fixture.poll(), entries(1..3));
    assert!(!fixture.follower.unsaved());
    fixture.append("events.json", json([3]));
    assert_eq!(fixture.poll_now(), entries([3]), "within the same second nothing is written");
    assert!(fixture.follower.unsaved());
    fixture.append("events.json", json([4]));
    fixture.kill();
    assert_eq!(fixture.poll_now(), entries(3..5));
    fixture.append("events.json", json([5]));
    assert_eq!(fixture.poll(), entries([5]));
    fixture.kill();
    assert_eq!(fixture.poll(), entries([]), "a second later it is written");
}

#[test]
fn a_short_file_is_known_again_after_it_has_grown() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json([1]));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json(2..200));
    assert_eq!(fixture.poll(), entries(2..200));
}

#[test]
fn a_file_renamed_between_two_runs_is_finished_before_its_successor() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..3));
    fixture.poll();
    fixture.append("events.json", json([3]));
    assert_eq!(fixture.poll(), entries([3]));
    fixture.kill();
    fixture.append("events.json", json([4]));
    fixture.rename("events.json", "archive");
    fixture.append("events.json", json([5]));
    assert_eq!(fixture.poll(), entries(4..6));
    assert_eq!(fixture.status().files, 1);
}

#[test]
fn a_file_renamed_within_the_pattern_between_two_runs_is_continued() {
    let mut fixture = Fixture::saving("events.json*", Start::SavedOrEnd);
    fixture.append("events.json", json(1..30));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json([30]));
    fixture.rename("events.json", "events.json.1");
    fixture.append("events.json", json([31]));
    assert_eq!(fixture.poll(), entries(30..32));
}

#[test]
fn a_file_truncated_between_two_runs_begins_anew() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..30));
    fixture.poll();
    fixture.restart();
    fs::write(fixture.path("events.json"), json(40..90)).unwrap();
    assert_eq!(fixture.poll(), entries(40..90));
    assert_eq!(fixture.rotations(), [Rotation::Truncated]);
}

#[test]
fn of_a_copy_made_between_two_runs_the_unread_end_is_delivered() {
    let mut fixture = Fixture::saving("events.json*", Start::SavedOrEnd);
    fixture.append("events.json", json(1..30));
    fixture.poll();
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json(30..33));
    fs::copy(fixture.path("events.json"), fixture.path("events.json.1")).unwrap();
    fs::write(fixture.path("events.json"), json(33..35)).unwrap();
    let mut found = fixture.poll();
    found.sort();
    assert_eq!(found, entries(30..35));
}

#[test]
fn a_copy_half_made_at_the_start_is_not_delivered_beside_its_original() {
    for saved in [true, false] {
        let mut fixture = Fixture::saving("events.json*", Start::SavedOrBeginning);
        if saved {
            fixture.append("events.json", json(1..30));
            fixture.poll();
        }
        fixture.restart();
        fixture.append("events.json", json(30..60));
        fixture.append("events.json.1", &fs::read(fixture.path("events.json")).unwrap()[..100]);
        assert_eq!(fixture.poll(), entries(30..60), "the original was known: {saved}");
        assert_eq!((fixture.poll(), fixture.behind()), (entries([]), 0));
    }
}

#[test]
fn a_copy_that_takes_the_inode_of_an_empty_file_is_known() {
    let mut fixture = Fixture::saving("events.json*", Start::SavedOrBeginning);
    fixture.append("events.json.1", "");
    fixture.poll();
    fixture.append("events.json", json(1..30));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json.1", json(1..20));
    assert_eq!(fixture.poll(), entries([]));
    fixture.append("events.json.1", json(20..30));
    fs::write(fixture.path("events.json"), json(30..32)).unwrap();
    assert_eq!(fixture.poll(), entries(30..32));
}

#[test]
fn a_file_replaced_between_two_runs_begins_at_its_first_byte() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..30));
    fixture.poll();
    fixture.restart();
    fs::remove_file(fixture.path("events.json")).unwrap();
    fixture.append("events.json", json(101..140));
    assert_eq!(fixture.poll(), entries(101..140));
}

#[test]
fn a_directory_that_is_mounted_late_continues_where_it_was() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..3));
    fixture.poll();
    fixture.poll();
    fs::rename(fixture.path(""), fixture.directory.path().join("unmounted")).unwrap();
    fixture.restart();
    assert_eq!(fixture.poll(), entries([]));
    fixture.restart();
    assert_eq!(fixture.poll(), entries([]));
    fs::rename(fixture.directory.path().join("unmounted"), fixture.path("")).unwrap();
    fixture.append("events.json", json([3]));
    assert_eq!(fixture.poll(), entries([3]));
}

#[test]
fn a_finished_file_is_no_longer_followed_and_a_few_are_remembered() {
    let mut fixture = Fixture::saving("events_*.json", Start::SavedOrEnd);
    fixture.append("events_1.json", json([1]));
    fixture.append("events_2.json", json([2]));
    fixture.poll();
    let content = |fixture: &Fixture| {
        let text = fs::read(fixture.directory.path().join("storage/tail-ems.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()
    };
    let saved = |fixture: &Fixture| content(fixture)["files"].to_string();
    assert!(saved(&fixture).contains("events_1.json"));
    fs::remove_file(fixture.path("events_1.json")).unwrap();
    fixture.poll();
    assert!(!saved(&fixture).contains("events_1.json"));
    fixture.restart();
    fs::remove_file(fixture.path("events_2.json")).unwrap();
    fixture.append("events_3.json", json([3]));
    assert_eq!(fixture.poll(), entries([3]));
    assert!(!saved(&fixture).contains("events_2.json"), "{}", saved(&fixture));
    for number in 3..60 {
        fs::remove_file(fixture.path(&format!("events_{number}.json"))).unwrap();
        fixture.append(&format!("events_{}.json", number + 1), json([number + 1]));
        assert_eq!(fixture.poll(), entries([number + 1]));
    }
    assert_eq!(content(&fixture)["finished"].as_array().unwrap().len(), 16);
}

#[test]
fn a_damaged_checkpoint_is_renamed_and_the_start_rule_decides() {
    for (start, expected) in [(Start::SavedOrEnd, entries([])), (Start::SavedOrBeginning, entries(1..3))] {
        let mut fixture = Fixture::saving("events.json", start);
        fixture.append("events.json", json(1..3));
        fixture.poll();
        let path = fixture.directory.path().join("storage/tail-ems.json");
        fs::write(&path, "{\"kind\":\"ems-exp").unwrap();
        fixture.kill();
        assert_eq!(fixture.poll(), expected);
        assert_eq!(fixture.errors(), [Reason::CheckpointBad]);
        assert_eq!(fs::read_to_string(path.with_extension("json.bad")).unwrap(), "{\"kind\":\"ems-exp");
        fixture.restart();
        assert_eq!((fixture.poll(), fixture.errors()), (entries([]), Vec::new()), "it is whole again");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_reported_once_and_written_later() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrBeginning);
    let storage = fixture.directory.path().join("storage");
    fs::write(&storage, "a file in its place").unwrap();
    fixture.kill();
    fixture.append("events.json", json([1]));
    fixture.poll();
    fixture.append("events.json", json([2]));
    assert_eq!(fixture.poll(), entries([2]), "following goes on");
    assert_eq!(fixture.troubled(), 1);
    fs::remove_file(&storage).unwrap();
    fixture.poll();
    assert_eq!(fixture.troubled(), 0);
    fixture.kill();
    assert_eq!(fixture.poll(), entries([]));
}
