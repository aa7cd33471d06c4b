//! Files of any content, written in two parts: the same entries as in one, and never the whole of
//! a file twice.
//!
//! The follower reads real files, so this is slower than the others; `TMPDIR=/dev/shm` helps.

#![no_main]

use std::fs;
use std::time::Instant;

use ems_tail::{Follower, Format, Frame, Options, Start};
use libfuzzer_sys::fuzz_target;

/// Short, so that entries beyond it are found soon, and longer than what stands between them.
const MAX_ENTRY: usize = 2000;

/// The formats by the first byte of an input.
const FORMATS: [Format; 4] = [Format::Text, Format::Json, Format::Xml, Format::W3c];

/// The offset and the bytes of each entry; no bytes if it was rejected.
type Entries = Vec<(u64, Option<Vec<u8>>)>;

/// Whether a line that is not an entry is longer than the limit: it is rejected only if it was read
/// before it was complete.
fn depends_on_timing(content: &[u8]) -> bool {
    content.split(|byte| *byte == b'\n').any(|line| line.len() > MAX_ENTRY && line.starts_with(b"#"))
        || content.windows(2).enumerate().any(|(at, start)| {
            start == b"<?" && !content[at..content.len().min(at + MAX_ENTRY)].contains(&b'>')
        })
}

/// Follows a file that is written in these parts.
fn follow(parts: &[&[u8]], format: Format) -> Entries {
    let directory = tempfile::tempdir().expect("there is room for a file");
    let path = directory.path().join("events");
    let options = Options {
        format: Some(format),
        start: Start::Beginning,
        max_entry: MAX_ENTRY,
        ..Options::new(vec![path.to_string_lossy().into_owned()])
    };
    let mut follower = Follower::new(options).expect("the pattern is good");
    let mut delivered = Entries::new();
    let mut written = Vec::new();
    for part in parts {
        written.extend_from_slice(part);
        fs::write(&path, &written).expect("the file can be written");
        follower.poll(Instant::now(), &mut |frame| match frame {
            Frame::Entry(entry) => delivered.push((entry.offset, Some(entry.bytes.to_vec()))),
            Frame::Oversized { offset, .. } => delivered.push((offset, None)),
            Frame::Unreadable(_) => {}
        });
    }
    delivered
}

fuzz_target!(|bytes: &[u8]| {
    let [kind, cut, content @ ..] = bytes else { return };
    if depends_on_timing(content) {
        return;
    }
    let format = FORMATS[usize::from(*kind) % FORMATS.len()];
    let (first, second) = content.split_at(content.len() * usize::from(*cut) / 256);
    let whole = follow(&[content], format);
    assert_eq!(follow(&[first, second], format), whole, "{format:?}");
    assert!(whole.is_sorted_by_key(|(offset, _)| *offset));
    let delivered: usize = whole.iter().filter_map(|(_, entry)| entry.as_ref()).map(Vec::len).sum();
    assert!(delivered <= content.len());
});
