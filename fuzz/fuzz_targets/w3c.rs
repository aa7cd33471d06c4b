//! Rows of W3C event files: the first line names the columns, the others are rows.

#![no_main]

use ems_protocol::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let header = lines.next().unwrap_or_default();
    for row in lines {
        decode::decode_row(header, row, ems_exporter_fuzz::read);
    }
});
