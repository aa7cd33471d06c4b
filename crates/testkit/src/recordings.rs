//! Requests of a real server, as they were recorded.

use std::fs;

use crate::repository;

/// Every recorded request, by file name.
pub fn examples() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(repository().join("tests/fixtures/examples")).expect("the folder is there");
    let mut examples: Vec<_> = files
        .map(|file| {
            let file = file.expect("the folder can be read");
            (
                file.file_name().to_string_lossy().into_owned(),
                fs::read(file.path()).expect("the file can be read"),
            )
        })
        .collect();
    examples.sort();
    examples
}

/// The body of a raw request.
pub fn body(request: &[u8]) -> &[u8] {
    let head = request.windows(4).position(|end| end == b"\r\n\r\n").expect("the head has an end") + 4;
    &request[head..]
}
