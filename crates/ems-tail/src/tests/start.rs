//! Where files begin.

use super::*;

#[test]
fn without_a_checkpoint_the_rule_decides() {
    for (start, expected) in [
        (Start::SavedOrEnd, entries([])),
        (Start::End, entries([])),
        (Start::SavedOrBeginning, entries(1..3)),
        (Start::Beginning, entries(1..3)),
    ] {
        let mut fixture = Fixture::saving("events_*.json", start);
        fixture.append("events_1.json", json(1..3));
        assert_eq!(fixture.poll(), expected, "{start:?}");
        assert_eq!(fixture.behind(), 0);
        fixture.append("events_1.json", json([3]));
        fixture.append("events_2.json", json([4]));
        assert_eq!(
            fixture.poll(),
            entries(3..5),
            "{start:?}: a file that appears later begins at its first byte"
        );
    }
}

#[test]
fn with_a_checkpoint_only_two_rules_use_it() {
    for (start, expected) in [
        (Start::SavedOrEnd, entries(3..5)),
        (Start::SavedOrBeginning, entries(3..5)),
        (Start::Beginning, entries(1..5)),
        (Start::End, entries([])),
    ] {
        let mut fixture = Fixture::saving("events_*.json", Start::Beginning);
        fixture.append("events_1.json", json(1..3));
        fixture.poll();
        fixture.options.start = start;
        fixture.restart();
        fixture.append("events_1.json", json([3]));
        fixture.append("events_2.json", json([4]));
        assert_eq!(fixture.poll(), expected, "{start:?}");
    }
}

#[test]
fn a_pattern_that_the_checkpoint_does_not_know_begins_at_the_end() {
    let mut fixture = Fixture::saving("a.json", Start::SavedOrEnd);
    fixture.append("a.json", json([1]));
    fixture.append("b.json", json([2]));
    fixture.poll();
    fixture.options.patterns.push(fixture.path("b.json").to_str().unwrap().to_owned());
    fixture.restart();
    assert_eq!(fixture.poll(), entries([]));
    fixture.append("b.json", json([3]));
    assert_eq!(fixture.poll(), entries([3]));
}

#[test]
fn the_end_in_the_middle_of_an_entry_is_aligned_to_the_next() {
    for format in Format::VARIANTS.iter().copied() {
        let whole: Vec<u8> = (1..4).flat_map(|number| formats::sample(format, number)).collect();
        let first = formats::preamble(format).len() + formats::sample(format, 1).len();
        for end in 0..=whole.len() {
            let mut fixture = Fixture::with("events", |options, _| options.start = Start::End);
            let bytes = [formats::preamble(format), &whole].concat();
            fixture.append("events", &bytes[..formats::preamble(format).len() + end]);
            assert_eq!(fixture.poll(), entries([]), "{format:?} at {end}");
            fixture.append("events", &bytes[formats::preamble(format).len() + end..]);
            let found = fixture.poll();
            let expected: Vec<String> = (1..4).map(|number| formats::delivered(format, number)).collect();
            let missing = expected.len() - found.len();
            assert_eq!(found, expected[missing..], "{format:?} at {end}");
            // Entries that end before the start are missing, and one that lies across it may be.
            let size = formats::sample(format, 1).len();
            assert!(
                missing >= end / size && missing <= end.div_ceil(size),
                "{format:?} at {end} of {first}: {missing}"
            );
        }
    }
}

#[test]
fn a_file_begins_in_the_middle_with_its_header() {
    let mut fixture = Fixture::with("events.log", |options, _| options.start = Start::End);
    fixture.append("events.log", "#Version: 1.0\n#Fields: processId\tINFO\tname\n7\ta\tb\n");
    fixture.poll();
    fixture.append("events.log", "7\tc\td\n");
    let mut headers = Vec::new();
    fixture.follower.poll(fixture.now, &mut |frame| {
        if let Frame::Entry(entry) = frame {
            headers.push((entry.header.map(<[u8]>::to_vec), entry.offset));
        }
    });
    assert_eq!(headers, [(Some(b"processId\tINFO\tname".to_vec()), 49)]);
}

#[test]
fn names_of_rules_and_formats_are_read_back() {
    for start in Start::VARIANTS.iter().copied() {
        assert_eq!(Start::from_name(start.name()), Some(start));
    }
    for format in Format::VARIANTS.iter().copied() {
        assert_eq!(Format::from_name(format.name()), Some(format));
    }
    assert_eq!(Start::from_name("middle"), None);
    assert_eq!(Format::from_name("JSON"), None);
}
