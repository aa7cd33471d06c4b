//! Reads one open file from its offset and passes its entries to the callback.

use std::io;
use std::path::Path;

use tracing::{debug, warn};

use super::fingerprint::read_full;
use super::followed::{Followed, Header, State};
use super::frame::{Format, Framer, Step};
use super::status::Progress;

/// How much is read at once: small enough to stay in the processor's cache.
pub(super) const CHUNK: usize = 128 * 1024;

/// How far behind the limit the end of an entry may be found: its separators.
const SEPARATORS: usize = 16;

/// One entry of an event file.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The format of `bytes`.
    pub format: Format,
    /// W3C: the tab-separated column names of the `#Fields:` line in force; none if the file
    /// has no such line before this entry. Always none in the other formats.
    pub header: Option<&'a [u8]>,
    /// The entry without what separates it from the next: JSON without its comma, lines
    /// without their end, text without its two empty lines.
    pub bytes: &'a [u8],
    /// The file, by its last known name.
    pub path: &'a Path,
    /// Where the entry begins in the file.
    pub offset: u64,
    /// A crash has torn the entry: `bytes` are its beginning.
    pub torn: bool,
}

/// An entry, or the report of what cannot be delivered.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A complete entry.
    Entry(Entry<'a>),
    /// An entry that is longer than the limit. It is reported once; its rest is skipped.
    Oversized {
        /// Where the entry begins in the file.
        offset: u64,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A file of unknown format; the reason and the remedy.
    Unreadable(&'static str),
}

/// The framer and the buffer, shared by all files.
#[derive(Debug)]
pub(super) struct Reader {
    framer: Framer,
    buffer: Vec<u8>,
    max_entry: usize,
    finished: bool,
}

impl Reader {
    pub(super) fn new(max_entry: usize, finished: bool) -> Self {
        Self { framer: Framer::new(), buffer: vec![0; CHUNK], max_entry, finished }
    }

    /// Delivers what `file` holds behind its offset, until its end or until `budget` bytes are
    /// used up. Returns whether the end was reached.
    pub(super) fn drain(
        &mut self,
        file: &mut Followed,
        budget: u64,
        progress: &mut Progress,
        sink: &mut impl FnMut(Frame<'_>),
    ) -> io::Result<bool> {
        let Some(format) = file.format else { return Ok(true) };
        let limit = progress.bytes.saturating_add(budget);
        let mut filled = 0;
        loop {
            let Some(handle) = &file.handle else { return Ok(true) };
            // An entry is looked through again with each part of it that is read, so each part doubles it.
            let end = (filled + CHUNK.max(filled)).min(self.max_entry.saturating_add(CHUNK));
            self.buffer.resize(end.max(CHUNK), 0);
            let read = read_full(handle, &mut self.buffer[filled..end], file.offset + filled as u64)?;
            if read == 0 && (filled == 0 || !self.finished || file.state == State::Skipping) {
                return Ok(true);
            }
            filled += read;
            let used = if read == 0 {
                self.deliver_rest(file, format, filled, progress, sink);
                filled
            } else {
                self.deliver(file, format, filled, progress, sink)
            };
            file.tail.extend(&self.buffer[..used]);
            file.offset += used as u64;
            progress.bytes += used as u64;
            self.buffer.copy_within(used..filled, 0);
            filled -= used;
            if filled < CHUNK {
                self.buffer.truncate(2 * CHUNK);
                self.buffer.shrink_to_fit();
            }
            if progress.bytes >= limit {
                return Ok(false);
            }
        }
    }

    /// Frames the first `filled` bytes of the buffer; returns how many of them are processed.
    fn deliver(
        &self,
        file: &mut Followed,
        format: Format,
        filled: usize,
        progress: &mut Progress,
        sink: &mut impl FnMut(Frame<'_>),
    ) -> usize {
        let mut at = 0;
        loop {
            let rest = &self.buffer[at..filled];
            let offset = file.offset + at as u64;
            if file.state == State::Skipping {
                match self.framer.resync(format, rest) {
                    Some(used) => {
                        at += used;
                        file.state = State::Reading;
                        continue;
                    }
                    // The end of the entry may have begun in the last bytes.
                    None => return at + rest.len() - Framer::overlap(format, rest),
                }
            }
            let step = self.framer.step(format, rest);
            let torn = matches!(step, Step::Torn { .. });
            match step {
                Step::Entry { bytes, used } | Step::Torn { bytes, used } if bytes.len() <= self.max_entry => {
                    at += used;
                    if bytes.is_empty() {
                        continue;
                    }
                    file.rejecting = false;
                    progress.entries += 1;
                    let header = file.header.as_ref().map(|header| header.names.as_slice());
                    let (bytes, path) = (&rest[bytes], file.path.as_path());
                    sink(Frame::Entry(Entry { format, header, bytes, path, offset, torn }));
                }
                Step::Entry { used, .. } | Step::Torn { used, .. } => {
                    at += used;
                    self.reject(file, offset, progress, sink);
                }
                Step::Fields { bytes, used } => {
                    at += used;
                    file.header = Some(Header { at: Some(offset), names: rest[bytes].to_vec() });
                }
                Step::Noise { used } => at += used,
                Step::Incomplete if rest.len() > self.max_entry + SEPARATORS => {
                    self.reject(file, offset, progress, sink);
                    file.state = State::Skipping;
                    // What follows is not the start of this entry.
                    at += 1;
                }
                Step::Incomplete => return at,
            }
        }
    }

    /// Delivers what stands at the end of a finished file as an entry.
    fn deliver_rest(
        &self,
        file: &Followed,
        format: Format,
        filled: usize,
        progress: &mut Progress,
        sink: &mut impl FnMut(Frame<'_>),
    ) {
        progress.entries += 1;
        let header = file.header.as_ref().map(|header| header.names.as_slice());
        let bytes = self.buffer[..filled].trim_ascii_end();
        let (path, offset) = (file.path.as_path(), file.offset);
        sink(Frame::Entry(Entry { format, header, bytes, path, offset, torn: false }));
    }

    fn reject(
        &self,
        file: &mut Followed,
        offset: u64,
        progress: &mut Progress,
        sink: &mut impl FnMut(Frame<'_>),
    ) {
        let limit = self.max_entry;
        progress.rejected += 1;
        if file.rejecting {
            debug!(path = %file.path.display(), offset, limit, "an entry is longer than the limit");
        } else {
            warn!(path = %file.path.display(), offset, limit, "an entry is longer than the limit and is skipped");
        }
        file.rejecting = true;
        sink(Frame::Oversized { offset, limit });
    }
}
