//! The bytes of a body, from its first to its last.

use std::ops::Deref;

use ems_protocol::Rejection;
use memmap2::{MmapMut, MmapOptions};

/// The size, in bytes, from which on a body has a memory map of its own. An allocator may keep what a large body has used;
/// a map goes back to the system at once.
const LARGE: usize = 64 << 10;

/// Bytes up to a limit.
#[derive(Debug)]
pub(super) struct Buffer {
    small: Vec<u8>,
    /// The map with all bytes, as large as the limit: the system provides only the pages that are written to.
    large: Option<(MmapMut, usize)>,
    limit: usize,
}

impl Buffer {
    /// An empty buffer for at most `limit` bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self { small: Vec::new(), large: None, limit }
    }

    /// Appends some bytes, or fails where they exceed the limit.
    pub(super) fn extend(&mut self, more: &[u8]) -> Result<(), Rejection> {
        let length = self.len() + more.len();
        if length > self.limit {
            return Err(Rejection::Size(self.limit));
        }
        if self.large.is_none() && length > LARGE {
            let map = MmapOptions::new().len(self.limit).no_reserve_swap().map_anon();
            let mut map = map.map_err(|_| Rejection::Overload)?;
            map[..self.small.len()].copy_from_slice(&self.small);
            self.large = Some((map, self.small.len()));
            self.small = Vec::new();
        }
        match &mut self.large {
            Some((map, used)) => {
                map[*used..length].copy_from_slice(more);
                *used = length;
            }
            None => self.small.extend_from_slice(more),
        }
        Ok(())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.large {
            Some((map, used)) => &map[..*used],
            None => &self.small,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, LARGE, Rejection};

    #[test]
    fn bytes_are_kept_in_order_at_any_length_up_to_the_limit() {
        for limit in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE] {
            for step in [1, 1000, LARGE, LARGE + 1] {
                let whole: Vec<u8> = (0..=255).cycle().take(limit).collect();
                let mut buffer = Buffer::new(limit);
                for piece in whole.chunks(step) {
                    buffer.extend(piece).unwrap();
                }
                assert!(*buffer == *whole, "{limit} in steps of {step}");
                assert_eq!(buffer.extend(b""), Ok(()));
                assert_eq!(buffer.extend(b"x"), Err(Rejection::Size(limit)));
                assert!(*buffer == *whole, "{limit} in steps of {step}");
            }
        }
    }
}
