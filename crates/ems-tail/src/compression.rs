//! Files that log rotation has compressed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// By gzip, RFC 1952.
    Gzip,
    /// By Zstandard, RFC 8878.
    Zstandard,
}

/// Recognises from the beginning of a file how it is compressed.
pub fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstandard),
        _ => None,
    }
}

/// Writes the content of a compressed file, read from its start, without compression.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] when it has more than `limit` bytes, of which one more is written; when the file is broken, or
/// cannot be read or written.
pub fn decompress(compression: Compression, file: File, limit: u64, into: &mut impl Write) -> io::Result<()> {
    let mut file = BufReader::new(file);
    let mut left = limit.saturating_add(1);
    match compression {
        Compression::Gzip => left -= io::copy(&mut MultiGzDecoder::new(file).take(left), into)?,
        Compression::Zstandard => {
            while left > 0 && !file.fill_buf()?.is_empty() {
                let frame = StreamingDecoder::new(&mut file).map_err(io::Error::other)?;
                left -= io::copy(&mut frame.take(left), into)?;
            }
        }
    }
    into.flush()?;
    if left > 0 {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")))
}
