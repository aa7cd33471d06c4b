//! The four formats, half entries, and entries that are too long.

use super::*;

/// The beginning of a file of this format.
pub(super) fn preamble(format: Format) -> &'static [u8] {
    match format {
        Format::Json | Format::Text => b"",
        Format::Xml => b"<?xml version=\"1.0\" ?>",
        Format::W3c => b"#Version: 1.0\n#Fields: processId\tINFO\tname\n",
    }
}

/// One entry as the server writes it.
pub(super) fn sample(format: Format, number: u32) -> Vec<u8> {
    match format {
        Format::Json => format!("{},\n", delivered(format, number)),
        Format::Text => format!("{}\n\n\n", delivered(format, number)),
        Format::Xml => format!("\n{}\n\n", delivered(format, number)),
        Format::W3c => format!("{}\n", delivered(format, number)),
    }
    .into_bytes()
}

/// One entry as it is delivered.
pub(super) fn delivered(format: Format, number: u32) -> String {
    match format {
        Format::Json => {
            format!("{{\"_logEntry\":\"{number:05}\",\"id\":{number},\"type\":\"timerTriggered\"}}")
        }
        Format::Text => format!("{number:05}\ttimerTriggered\n\tPID: 1596\n\tmap:\n\t\tempty: "),
        Format::Xml => format!(
            "<MAP isArray=\"false\" name=\"\">\n    <STR name=\"_logEntry\">{number:05}</STR>\n    <MAP name=\"payload\">\n    </MAP>\n</MAP>"
        ),
        Format::W3c => format!("{number:05}\tinStreamCreated\tcam 1"),
    }
}

#[test]
fn an_entry_is_delivered_at_its_last_byte_and_never_before() {
    for format in Format::VARIANTS.iter().copied() {
        let mut fixture = Fixture::new("events");
        fixture.append("events", preamble(format));
        let mut found = Vec::new();
        for number in 1..4 {
            for byte in sample(format, number) {
                fixture.append("events", [byte]);
                let new = fixture.poll();
                assert!(new.is_empty() || new == [delivered(format, number)], "{format:?}: {new:?}");
                found.extend(new);
            }
        }
        let expected: Vec<String> = (1..4).map(|number| delivered(format, number)).collect();
        assert_eq!(found, expected);
        assert_eq!(fixture.behind(), 0, "{format:?}");
    }
}

#[test]
fn a_half_entry_counts_as_behind() {
    let mut fixture = Fixture::new("events.json");
    fixture.append("events.json", format!("{}{{\"half", json([1])));
    assert_eq!(fixture.poll(), entries([1]));
    assert_eq!(fixture.behind(), 6);
    fixture.append("events.json", "\":1},\n");
    assert_eq!(fixture.poll(), ["{\"half\":1}"]);
    assert_eq!(fixture.behind(), 0);
}

#[test]
fn an_entry_that_is_too_long_is_rejected_once_and_the_next_is_found() {
    for format in Format::VARIANTS.iter().copied() {
        for (length, pieces) in [(900, 1), (900, 7), (300_000, 1), (300_000, 5)] {
            let mut fixture = Fixture::with("events", |options, _| {
                options.start = Start::Beginning;
                options.max_entry = 500;
            });
            let long = {
                let entry = String::from_utf8(sample(format, 2)).unwrap();
                let at = entry.find("00002").unwrap() + 5;
                format!("{}{}{}", &entry[..at], "9".repeat(length), &entry[at..]).into_bytes()
            };
            let bytes = [preamble(format), &sample(format, 1), &long, &sample(format, 3)].concat();
            let mut found = Vec::new();
            for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
                fixture.append("events", piece);
                found.extend(fixture.poll());
            }
            let expected = [delivered(format, 1), delivered(format, 3)];
            assert_eq!((found, fixture.rejected), (expected.to_vec(), 1), "{format:?} {length} {pieces}");
            assert_eq!(fixture.errors(), [Reason::EntryTooLong]);
        }
    }
}

#[test]
fn an_entry_of_exactly_the_limit_is_delivered_and_one_byte_more_is_not() {
    for format in Format::VARIANTS.iter().copied() {
        let entry = delivered(format, 1);
        for (limit, rejected) in [(entry.len(), 0), (entry.len() - 1, 1)] {
            let mut fixture = Fixture::with("events", |options, _| {
                options.start = Start::Beginning;
                options.max_entry = limit;
            });
            fixture.append("events", [preamble(format), &sample(format, 1), b"\n"].concat());
            assert_eq!(
                (fixture.poll().len() as u64, fixture.rejected),
                (1 - rejected, rejected),
                "{format:?}"
            );
        }
    }
}

#[test]
fn a_kill_while_a_long_entry_is_skipped_does_not_deliver_its_rest() {
    let mut fixture = Fixture::saving("events.json", Start::SavedOrBeginning);
    fixture.options.max_entry = 500;
    fixture.kill();
    fixture.append("events.json", format!("{}{{\"long\":\"{}", json([1]), "x".repeat(2000)));
    assert_eq!(fixture.poll(), entries([1]));
    fixture.kill();
    fixture.append("events.json", format!("\"}},\n{}", json([2])));
    assert_eq!(fixture.poll(), entries([2]));
    assert_eq!(fixture.rejected, 1, "rejected before the kill, not again after it");
}

#[test]
fn a_large_file_passes_through_a_small_buffer_within_the_budget() {
    let mut fixture = Fixture::new("events.json");
    let line = format!("{{\"x\":\"{}\"}},\n", "y".repeat(990));
    fixture.append("events.json", line.repeat(20_000));
    let mut polls = 0;
    let mut count = 0;
    loop {
        let progress = fixture.follower.poll(fixture.now, &mut |_| count += 1);
        assert!(progress.bytes < POLL_BUDGET + 256 * 1024);
        polls += 1;
        if !progress.more {
            break;
        }
    }
    assert_eq!((count, polls, fixture.behind()), (20_000, 2, 0));
}

#[test]
fn the_format_can_be_set_and_an_unknown_one_is_reported_once() {
    let mut fixture = Fixture::new("events.log");
    fixture.append("events.log", "[start]\n7\ta\n");
    assert_eq!(fixture.poll(), entries([]));
    fixture.poll();
    assert_eq!(fixture.errors(), [Reason::UnknownFormat]);
    assert_eq!((fixture.troubled(), fixture.status().files, fixture.behind()), (1, 0, 0));
    fixture.options.format = Some(Format::W3c);
    fixture.kill();
    assert_eq!(fixture.poll(), ["[start]", "7\ta"]);
    assert_eq!(fixture.errors(), []);
}

#[test]
fn the_header_stays_in_force_after_a_truncation_and_a_restart() {
    let mut fixture = Fixture::saving("events.log", Start::SavedOrBeginning);
    let mut headers = Vec::new();
    for (bytes, truncate, restart) in [
        ("#Fields: a\tb\tc\n1\t2\t3\n", false, false),
        ("4\t5\t6\n", true, false),
        ("7\t8\t9\n", false, true),
        ("1\t1\t1\n", false, true),
    ] {
        if restart {
            fixture.restart();
        }
        if truncate {
            fs::write(fixture.path("events.log"), bytes).unwrap();
        } else {
            fixture.append("events.log", bytes);
        }
        fixture.now += Duration::from_secs(1);
        fixture.follower.poll(fixture.now, &mut |frame| {
            if let Frame::Entry(entry) = frame {
                headers.push((entry.header.unwrap_or(b"none").to_vec(), entry.bytes.to_vec()));
            }
        });
    }
    let expected: Vec<(Vec<u8>, Vec<u8>)> = ["1\t2\t3", "4\t5\t6", "7\t8\t9", "1\t1\t1"]
        .into_iter()
        .map(|entry| (b"a\tb\tc".to_vec(), entry.as_bytes().to_vec()))
        .collect();
    assert_eq!(headers, expected);
}

#[test]
fn compressed_leftovers_are_passed_over_in_peace() {
    for format in [None, Some(Format::Json), Some(Format::Text)] {
        let mut fixture = Fixture::with("events*", |options, _| {
            (options.start, options.format) = (Start::Beginning, format);
        });
        fixture.append("events.json.1.gz", b"\x1f\x8b\x08\0\0\0\0\0\n\n\n\n{}\n");
        fixture.append("events.json.2.zst", b"\x28\xb5\x2f\xfd\n\n\n\n{}\n");
        assert_eq!(fixture.poll(), [""; 0], "{format:?}");
        assert_eq!((fixture.poll().len(), fixture.behind(), fixture.errors()), (0, 0, vec![]), "{format:?}");
        assert_eq!(fixture.status().files, 0, "{format:?}");
    }
}
