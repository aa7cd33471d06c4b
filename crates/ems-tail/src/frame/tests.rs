use super::*;

const JSON: &[u8] = b"{\"_logEntry\":\"00000\",\"id\":1},\n{\"id\":2},\r\n\n\0\0{\"id\":3}\n";
const TEXT: &[u8] = b"00001\ttimerClosed\n\tPID: 1\n\tmap:\n\t\ta: \n\n\n00002\tserverStopping\t<TIMESTAMP name=\"\">2026-11-22T16:14:39.000</TIMESTAMP>\n\tPID: 1\n\n\n";
const XML: &[u8] = b"<?xml version=\"1.0\" ?>\n<MAP isArray=\"false\" name=\"\">\n    <MAP name=\"a\">\n    </MAP>\n    <STR>&lt;/MAP></STR>\n</MAP>\n\n\n<TYPED_MAP>\n    <A/>\n</TYPED_MAP>\n\n";
const W3C: &[u8] = b"#Version: 1.0\n#Start-Date: 2026-Nov-22 16:14:39 UTC\n#Fields: processId\tINFO\tname\n7\tinStreamCreated\tcam 1\n#Fields: INFO\n7\r\n\n# ======= End of file ========";

fn entries(format: Format, bytes: &[u8]) -> (Vec<String>, usize) {
    let framer = Framer::new();
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        match framer.step(format, &bytes[at..]) {
            Step::Entry { bytes: range, used } | Step::Torn { bytes: range, used } => {
                found.push(String::from_utf8_lossy(&bytes[at..][range]).into_owned());
                at += used;
            }
            Step::Fields { bytes: range, used } => {
                found.push(format!("fields {}", String::from_utf8_lossy(&bytes[at..][range])));
                at += used;
            }
            Step::Noise { used } => {
                assert!(used > 0, "no progress at {at}");
                at += used;
            }
            Step::Incomplete => return (found, at),
        }
    }
}

#[test]
fn each_format_is_framed_without_its_separators() {
    let cases: [(Format, &[u8], &[&str]); 4] = [
        (Format::Json, JSON, &["{\"_logEntry\":\"00000\",\"id\":1}", "{\"id\":2}", "{\"id\":3}"]),
        (
            Format::Text,
            TEXT,
            &[
                "00001\ttimerClosed\n\tPID: 1\n\tmap:\n\t\ta: ",
                "00002\tserverStopping\t<TIMESTAMP name=\"\">2026-11-22T16:14:39.000</TIMESTAMP>\n\tPID: 1",
            ],
        ),
        (
            Format::Xml,
            XML,
            &[
                "<MAP isArray=\"false\" name=\"\">\n    <MAP name=\"a\">\n    </MAP>\n    <STR>&lt;/MAP></STR>\n</MAP>",
                "<TYPED_MAP>\n    <A/>\n</TYPED_MAP>",
            ],
        ),
        (
            Format::W3c,
            W3C,
            &["fields processId\tINFO\tname", "7\tinStreamCreated\tcam 1", "fields INFO", "7"],
        ),
    ];
    for (format, bytes, expected) in cases {
        let (found, used) = entries(format, bytes);
        assert_eq!(found, expected, "{format:?}");
        assert_eq!(used, bytes.len(), "{format:?} leaves bytes behind");
        assert_eq!(detect(bytes), Detection::Known(format));
    }
}

#[test]
fn no_prefix_of_a_file_invents_an_entry() {
    for (format, bytes) in
        [(Format::Json, JSON), (Format::Text, TEXT), (Format::Xml, XML), (Format::W3c, W3C)]
    {
        let (all, _) = entries(format, bytes);
        for end in 0..bytes.len() {
            let (found, used) = entries(format, &bytes[..end]);
            assert_eq!(found, all[..found.len()], "{format:?} cut at {end}");
            let (rest, _) = entries(format, &bytes[used..]);
            assert_eq!(rest, all[found.len()..], "{format:?} resumed at {used}");
        }
    }
}

#[test]
fn resync_from_any_byte_finds_only_whole_entries() {
    let framer = Framer::new();
    for (format, bytes) in
        [(Format::Json, JSON), (Format::Text, TEXT), (Format::Xml, XML), (Format::W3c, W3C)]
    {
        let (all, _) = entries(format, bytes);
        for start in 0..bytes.len() {
            if let Some(used) = framer.resync(format, &bytes[start..]) {
                let (found, _) = entries(format, &bytes[start + used..]);
                assert_eq!(found, all[all.len() - found.len()..], "{format:?} from {start}");
            }
        }
    }
}

#[test]
fn a_format_is_detected_by_its_first_line() {
    let cases: [(&[u8], Detection); 20] = [
        (b"", Detection::Undecided),
        (b"\xef\xbb\xbf\n\0 ", Detection::Undecided),
        (b"\0\xef\xbb", Detection::Undecided),
        (b"\xef\xbb\xbf{", Detection::Known(Format::Json)),
        (b"\0\0\xef\xbb\xbf\r\n{", Detection::Known(Format::Json)),
        (b"[ ", Detection::Undecided),
        (b"[\r\n{", Detection::Known(Format::Json)),
        (b"\"V_TIMESTAMP,", Detection::Known(Format::Json)),
        (b"00001\ttimerTri", Detection::Undecided),
        (b"00001\ttimerTriggered\n", Detection::Known(Format::Text)),
        (b"00001\ttimerTriggered\r\n", Detection::Known(Format::Text)),
        (b"32193\tinStreamClosed\tcam\t-\n", Detection::Known(Format::W3c)),
        (b"2026-Nov-22 15:50:02\t32193\tinStreamClosed\n", Detection::Known(Format::W3c)),
        (b"2026-11-22 10:00:00 INFO started\n", Detection::OTHER),
        (b"[2026-11-22] started\n", Detection::OTHER),
        (b"\xff\xfe{\0", Detection::UTF16),
        (b"\xfe\xff\0{", Detection::UTF16),
        (b"\0<\0M", Detection::UTF16),
        (b"\x1f\x8b\x08\0", Detection::Compressed),
        (b"\x28\xb5\x2f\xfd", Detection::Compressed),
    ];
    for (head, expected) in cases {
        assert_eq!(detect(head), expected, "{:?}", String::from_utf8_lossy(head));
    }
}

#[test]
fn the_last_header_of_a_preamble_counts() {
    let (at, names) = last_fields(W3C).unwrap();
    assert_eq!(names, b"INFO");
    assert!(W3C[at..].starts_with(b"#Fields: INFO"));
    assert_eq!(last_fields(b"#Version: 1.0\n#Fields: half"), None);
}
