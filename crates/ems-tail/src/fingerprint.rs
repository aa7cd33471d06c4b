//! How a file is recognised again by its content: its first bytes, and the bytes before the
//! place where reading stopped.
//!
//! The first kilobyte alone is not enough: a server that starts twice with the same process id and
//! configuration writes the same first kilobyte twice. The last bytes that were consumed contain
//! ids and times, so that both together distinguish a file from its successor.

use std::fs::File;
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::FileExt;

use fnv::FnvHasher;
use serde::{Deserialize, Serialize};

/// How many bytes at the beginning of a file are hashed.
pub(super) const HEAD: usize = 1024;
/// How many bytes before the offset are hashed.
pub(super) const TAIL: usize = 256;

/// A hash of some bytes together with their number, so that a short file still matches after
/// it has grown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// How many bytes are hashed; 0 matches everything.
    pub(super) length: u32,
    /// FNV-1a of these bytes; the same on every machine and in every release.
    pub(super) hash: u64,
}

impl Fingerprint {
    /// The fingerprint of `bytes`, a kilobyte at most.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hasher = FnvHasher::default();
        hasher.write(bytes);
        Self { length: u32::try_from(bytes.len()).unwrap_or(u32::MAX), hash: hasher.finish() }
    }

    /// The number of bytes hashed, as a length in memory.
    pub(super) const fn bytes(self) -> usize {
        self.length as usize
    }

    /// Whether `bytes` begin with the bytes that were hashed.
    pub(super) fn begins(self, bytes: &[u8]) -> bool {
        bytes.get(..self.bytes()).is_some_and(|known| Self::of(known) == self || known.is_empty())
    }
}

/// The last consumed bytes of a file, at most [`TAIL`] of them.
#[derive(Clone, Debug, Default)]
pub(super) struct TailFingerprint(Vec<u8>);

impl TailFingerprint {
    /// Adds what was consumed just now.
    pub(super) fn extend(&mut self, consumed: &[u8]) {
        let consumed = &consumed[consumed.len().saturating_sub(TAIL)..];
        let surplus = (self.0.len() + consumed.len()).saturating_sub(TAIL);
        self.0.drain(..surplus);
        self.0.extend_from_slice(consumed);
    }

    /// The last consumed bytes of a reader that stands at `offset` of `file`.
    pub(super) fn read(file: &File, offset: u64) -> io::Result<Self> {
        read_range(file, offset.saturating_sub(TAIL as u64), offset).map(Self)
    }

    /// Whether `file` still carries these bytes before `offset`.
    pub(super) fn holds(&self, file: &File, offset: u64) -> io::Result<bool> {
        let mut now = [0; TAIL];
        let now = &mut now[..self.0.len()];
        let read = read_full(file, now, offset.saturating_sub(self.0.len() as u64))?;
        Ok(now[..read] == self.0)
    }

    /// The fingerprint that a checkpoint keeps.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

/// Reads at `offset` until `buffer` is full or the file ends.
pub(super) fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes from `start` to `end`, fewer where the file ends before.
pub(super) fn read_range(file: &File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    let read = read_full(file, &mut bytes, start)?;
    bytes.truncate(read);
    Ok(bytes)
}
