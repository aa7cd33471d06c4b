//! Files that log rotation compresses while no follower runs.

use std::io::Write;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Compresses a file as log rotation does: under another name, with its time.
fn compress(fixture: &Fixture, from: &str, to: &str) {
    let path = fixture.path(from);
    let (bytes, modified) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    let compressed = if to.ends_with(".gz") { gzip(&bytes) } else { zstandard(&bytes) };
    fs::write(fixture.path(to), compressed).unwrap();
    fs::File::options().write(true).open(fixture.path(to)).unwrap().set_modified(modified).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn the_rest_of_a_compressed_file_is_read_before_its_successor() {
    for (pattern, suffix) in
        [("events.json", "gz"), ("events.json*", "gz"), ("events.json", "zst"), ("events.json*", "zst")]
    {
        let mut fixture = Fixture::saving(pattern, Start::SavedOrEnd);
        fixture.append("events.json", json(1..40));
        fixture.poll();
        fixture.restart();
        fixture.append("events.json", json(40..50));
        compress(&fixture, "events.json", &format!("events.json.1.{suffix}"));
        fixture.append("events.json", json(50..60));
        assert_eq!(fixture.poll(), entries(40..60), "{pattern}, {suffix}");
        fixture.append("events.json", json([60]));
        assert_eq!(fixture.poll(), entries([60]));
        assert_eq!((fixture.behind(), fixture.errors()), (0, Vec::new()));
        for _ in 0..2 {
            fixture.restart();
            assert_eq!(fixture.poll(), entries([]), "nothing is read again: {pattern}, {suffix}");
        }
    }
}

#[test]
fn files_that_were_written_and_compressed_meanwhile_are_read_whole_and_in_order() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..40));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json([40]));
    compress(&fixture, "events.json", "events.json.3.gz");
    fixture.append("events.json", json(41..50));
    compress(&fixture, "events.json", "events.json.2.gz");
    fixture.append("events.json", json(50..60));
    compress(&fixture, "events.json", "events.json.1.zst");
    fixture.append("events.json", json([60]));
    assert_eq!(fixture.poll(), entries(40..61));
    fixture.restart();
    assert_eq!(fixture.poll(), entries([]));
}

#[test]
fn names_of_the_servers_own_rotation_are_found_when_they_are_compressed() {
    let mut fixture = Fixture::saving("events_*.json", Start::SavedOrEnd);
    fixture.append("events_1.json", json(1..40));
    fixture.append("events_2.json", json(40..50));
    fixture.poll();
    fixture.restart();
    fixture.append("events_2.json", json([50]));
    fixture.append("events_3.json", json(51..60));
    fixture.append("events_4.json", json([60]));
    for number in 1..4 {
        compress(&fixture, &format!("events_{number}.json"), &format!("events_{number}.json.gz"));
    }
    assert_eq!(fixture.poll(), entries(50..61));
}

#[test]
fn nothing_that_was_read_is_read_again_from_a_compressed_file() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..40));
    compress(&fixture, "events.json", "events.json.2.gz");
    fixture.append("events.json", json(40..80));
    fixture.poll();
    fixture.restart();
    // A backup of the followed file, and one of another program.
    let bytes = fs::read(fixture.path("events.json")).unwrap();
    fs::write(fixture.path("events.json-backup.gz"), gzip(&bytes)).unwrap();
    fs::write(fixture.path("access.log.1.gz"), gzip(json(200..240).as_bytes())).unwrap();
    fixture.append("events.json", json([80]));
    assert_eq!(fixture.poll(), entries([80]));
    // Read to its end, then compressed.
    fixture.restart();
    compress(&fixture, "events.json", "events.json.1.gz");
    fixture.append("events.json", json([81]));
    assert_eq!(fixture.poll(), entries([81]));
    fixture.restart();
    assert_eq!(fixture.poll(), entries([]));
}

#[test]
fn a_kill_while_a_compressed_file_is_read_loses_nothing() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..40));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json(40..50));
    compress(&fixture, "events.json", "events.json.1.gz");
    assert_eq!(fixture.poll_now(), entries(40..50));
    for _ in 0..2 {
        fixture.kill();
        assert_eq!(fixture.poll_now(), entries([]), "it is found again by what was read of it");
    }
    fixture.append("events.json", json([50]));
    assert_eq!(fixture.poll(), entries([50]));
}

#[test]
fn a_broken_compressed_file_is_counted_and_costs_nothing_else() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrEnd);
    fixture.append("events.json", json(1..40));
    fixture.poll();
    fixture.restart();
    fixture.append("events.json", json(40..3000));
    compress(&fixture, "events.json", "events.json.1.gz");
    let whole = fs::read(fixture.path("events.json.1.gz")).unwrap();
    fs::write(fixture.path("events.json.1.gz"), &whole[..whole.len() / 2]).unwrap();
    fixture.append("events.json", json([3000]));
    assert_eq!(fixture.poll(), entries([3000]));
    assert_eq!(fixture.errors(), [Reason::VanishedUnread]);
}

#[test]
fn a_first_file_that_was_compressed_before_it_was_ever_listed_is_read_and_older_ones_are_not() {
    for pattern in ["events.json", "events.json*"] {
        let mut fixture = Fixture::saving(pattern, Start::SavedOrEnd);
        fixture.append("events.json", json(1..10));
        compress(&fixture, "events.json", "events.json.2.gz");
        let history = fs::File::options().write(true).open(fixture.path("events.json.2.gz")).unwrap();
        history.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        assert_eq!(fixture.poll(), entries([]));
        fixture.restart();
        assert_eq!(fixture.poll(), entries([]), "history");
        fixture.restart();
        fixture.append("events.json", json(10..20));
        compress(&fixture, "events.json", "events.json.1.gz");
        assert_eq!(fixture.poll(), entries(10..20));
    }
}

#[test]
fn an_empty_file_that_was_renamed_hides_no_compressed_one() {
    let mut fixture = Fixture::saving("events_*.json", Start::SavedOrEnd);
    fixture.append("events_1.json", json(1..5));
    fixture.append("events_2.json", "");
    fixture.poll();
    fixture.restart();
    fixture.rename("events_2.json", "old");
    fixture.append("events_3.json", json(5..10));
    compress(&fixture, "events_3.json", "events_3.json.gz");
    fixture.append("events_4.json", json([10]));
    assert_eq!(fixture.poll(), entries(5..11));
}
