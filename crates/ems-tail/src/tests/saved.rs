//! Restarts: clean stops, kills, and what happens to files meanwhile.

use super::*;

#[test]
fn a_clean_stop_repeats_nothing_and_loses_nothing() {
    let mut desk = Desk::saving("events_*.json", Start::SavedOrEnd);
    desk.poll();
    for number in 1..20 {
        desk.append(&format!("events_{}.json", number / 4), json([number]));
        if number % 3 == 0 {
            desk.restart();
        }
        assert_eq!(desk.poll_now(), entries([number]));
    }
}

#[test]
fn a_kill_repeats_what_came_after_the_last_second() {
    let mut desk = Desk::saving("events.json", Start::SavedOrBeginning);
    desk.append("events.json", json(1..3));
    assert_eq!(desk.poll(), entries(1..3));
    assert!(!desk.follower.unsaved());
    desk.append("events.json", json([3]));
    assert_eq!(desk.poll_now(), entries([3]), "within the same second nothing is written");
    assert!(desk.follower.unsaved());
    desk.append("events.json", json([4]));
    desk.kill();
    assert_eq!(desk.poll_now(), entries(3..5));
    desk.append("events.json", json([5]));
    assert_eq!(desk.poll(), entries([5]));
    desk.kill();
    assert_eq!(desk.poll(), entries([]), "a second later it is written");
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_checkpoint() {
    let mut desk = Desk::saving("events.json", Start::SavedOrBeginning);
    desk.now += Duration::from_secs(3600);
    desk.poll();
    desk.now -= Duration::from_secs(3600);
    desk.append("events.json", json([1]));
    desk.poll();
    assert!(!desk.follower.unsaved());
}

#[test]
fn a_short_file_is_known_again_after_it_has_grown() {
    let mut desk = Desk::saving("events.json", Start::SavedOrEnd);
    desk.append("events.json", json([1]));
    desk.poll();
    desk.restart();
    desk.append("events.json", json(2..200));
    assert_eq!(desk.poll(), entries(2..200));
}

#[test]
fn a_file_renamed_while_we_were_down_is_finished_before_its_successor() {
    let mut desk = Desk::saving("events.json", Start::SavedOrEnd);
    desk.append("events.json", json(1..3));
    desk.poll();
    desk.append("events.json", json([3]));
    assert_eq!(desk.poll(), entries([3]));
    desk.kill();
    desk.append("events.json", json([4]));
    desk.rename("events.json", "archive");
    desk.append("events.json", json([5]));
    assert_eq!(desk.poll(), entries(4..6));
    assert_eq!(desk.status().files, 1);
}

#[test]
fn a_file_renamed_within_the_pattern_while_we_were_down_goes_on() {
    let mut desk = Desk::saving("events.json*", Start::SavedOrEnd);
    desk.append("events.json", json(1..30));
    desk.poll();
    desk.restart();
    desk.append("events.json", json([30]));
    desk.rename("events.json", "events.json.1");
    desk.append("events.json", json([31]));
    assert_eq!(desk.poll(), entries(30..32));
}

#[test]
fn a_file_truncated_while_we_were_down_begins_anew() {
    let mut desk = Desk::saving("events.json", Start::SavedOrEnd);
    desk.append("events.json", json(1..30));
    desk.poll();
    desk.restart();
    fs::write(desk.path("events.json"), json(40..90)).unwrap();
    assert_eq!(desk.poll(), entries(40..90));
    assert_eq!(desk.rotations(), [Rotation::Truncated]);
}

#[test]
fn a_copy_made_while_we_were_down_brings_the_unread_end() {
    let mut desk = Desk::saving("events.json*", Start::SavedOrEnd);
    desk.append("events.json", json(1..30));
    desk.poll();
    desk.poll();
    desk.restart();
    desk.append("events.json", json(30..33));
    fs::copy(desk.path("events.json"), desk.path("events.json.1")).unwrap();
    fs::write(desk.path("events.json"), json(33..35)).unwrap();
    let mut found = desk.poll();
    found.sort();
    assert_eq!(found, entries(30..35));
}

#[test]
fn a_copy_half_made_when_we_come_back_is_not_delivered_beside_its_original() {
    for saved in [true, false] {
        let mut desk = Desk::saving("events.json*", Start::SavedOrBeginning);
        if saved {
            desk.append("events.json", json(1..30));
            desk.poll();
        }
        desk.restart();
        desk.append("events.json", json(30..60));
        desk.append("events.json.1", &fs::read(desk.path("events.json")).unwrap()[..100]);
        assert_eq!(desk.poll(), entries(30..60), "the original was known: {saved}");
        assert_eq!((desk.poll(), desk.behind()), (entries([]), 0));
    }
}

#[test]
fn a_copy_that_takes_the_inode_of_an_empty_file_is_known() {
    let mut desk = Desk::saving("events.json*", Start::SavedOrBeginning);
    desk.append("events.json.1", "");
    desk.poll();
    desk.append("events.json", json(1..30));
    desk.poll();
    desk.restart();
    desk.append("events.json.1", json(1..20));
    assert_eq!(desk.poll(), entries([]));
    desk.append("events.json.1", json(20..30));
    fs::write(desk.path("events.json"), json(30..32)).unwrap();
    assert_eq!(desk.poll(), entries(30..32));
}

#[test]
fn a_file_replaced_while_we_were_down_begins_at_its_first_byte() {
    let mut desk = Desk::saving("events.json", Start::SavedOrEnd);
    desk.append("events.json", json(1..30));
    desk.poll();
    desk.restart();
    fs::remove_file(desk.path("events.json")).unwrap();
    desk.append("events.json", json(101..140));
    assert_eq!(desk.poll(), entries(101..140));
}

#[test]
fn a_directory_that_is_mounted_late_goes_on_where_it_was() {
    let mut desk = Desk::saving("events.json", Start::SavedOrEnd);
    desk.append("events.json", json(1..3));
    desk.poll();
    desk.poll();
    fs::rename(desk.path(""), desk.directory.path().join("unmounted")).unwrap();
    desk.restart();
    assert_eq!(desk.poll(), entries([]));
    desk.restart();
    assert_eq!(desk.poll(), entries([]));
    fs::rename(desk.directory.path().join("unmounted"), desk.path("")).unwrap();
    desk.append("events.json", json([3]));
    assert_eq!(desk.poll(), entries([3]));
}

#[test]
fn a_finished_file_leaves_the_checkpoint() {
    let mut desk = Desk::saving("events_*.json", Start::SavedOrEnd);
    desk.append("events_1.json", json([1]));
    desk.append("events_2.json", json([2]));
    desk.poll();
    let saved =
        |desk: &Desk| fs::read_to_string(desk.directory.path().join("storage/tail-ems.json")).unwrap();
    assert!(saved(&desk).contains("events_1.json"));
    fs::remove_file(desk.path("events_1.json")).unwrap();
    desk.poll();
    assert!(!saved(&desk).contains("events_1.json"));
    desk.restart();
    fs::remove_file(desk.path("events_2.json")).unwrap();
    desk.append("events_3.json", json([3]));
    assert_eq!(desk.poll(), entries([3]));
    assert!(!saved(&desk).contains("events_2.json"), "{}", saved(&desk));
}

#[test]
fn a_damaged_checkpoint_is_put_aside_and_the_rule_decides() {
    for (start, expected) in [(Start::SavedOrEnd, entries([])), (Start::SavedOrBeginning, entries(1..3))] {
        let mut desk = Desk::saving("events.json", start);
        desk.append("events.json", json(1..3));
        desk.poll();
        let path = desk.directory.path().join("storage/tail-ems.json");
        fs::write(&path, "{\"kind\":\"ems-exp").unwrap();
        desk.kill();
        assert_eq!(desk.poll(), expected);
        assert_eq!(desk.errors(), [Reason::CheckpointBad]);
        assert_eq!(fs::read_to_string(path.with_extension("json.bad")).unwrap(), "{\"kind\":\"ems-exp");
        desk.restart();
        assert_eq!((desk.poll(), desk.errors()), (entries([]), Vec::new()), "it is whole again");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_once_and_written_later() {
    let mut desk = Desk::saving("events.json", Start::SavedOrBeginning);
    let storage = desk.directory.path().join("storage");
    fs::write(&storage, "a file in its place").unwrap();
    desk.kill();
    desk.append("events.json", json([1]));
    desk.poll();
    desk.append("events.json", json([2]));
    assert_eq!(desk.poll(), entries([2]), "following goes on");
    assert_eq!(desk.status().troubled, 1);
    fs::remove_file(&storage).unwrap();
    desk.poll();
    assert_eq!(desk.status().troubled, 0);
    desk.kill();
    assert_eq!(desk.poll(), entries([]));
}
