//! The search for the next event after a broken one.

use memchr::memmem;

use crate::rejection::Rejection;

/// Whether the decoder stopped within the rejected event.
pub(super) const fn is_unfinished(rejection: &Rejection) -> bool {
    matches!(rejection, Rejection::Syntax { .. } | Rejection::Depth | Rejection::Fields)
}

/// Bytes that are searched in a body. What has been searched is not searched again: else many broken events in one body
/// would take the square of its length.
pub(super) struct Marker {
    bytes: &'static [u8],
    /// Where the last search began and what it found.
    searched: Option<(usize, Option<usize>)>,
}

impl Marker {
    pub(super) const fn new(bytes: &'static [u8]) -> Self {
        Self { bytes, searched: None }
    }

    /// The first place from `from` on.
    pub(super) fn next(&mut self, input: &[u8], from: usize) -> Option<usize> {
        let find = |range: std::ops::Range<usize>| {
            let start = range.start;
            memmem::find(input.get(range)?, self.bytes).map(|at| start + at)
        };
        let found = match self.searched {
            Some((since, found)) if since <= from && found.is_none_or(|found| from <= found) => found,
            Some((since, found)) if from < since => {
                find(from..input.len().min(since + self.bytes.len() - 1)).or(found)
            }
            _ => find(from..input.len()),
        };
        self.searched = Some((from, found));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_as_if_each_search_were_the_first() {
        let mut random = 1_u32;
        let mut below = |limit: usize| {
            random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
            (random >> 16) as usize % limit
        };
        for _ in 0..2000 {
            let input: Vec<u8> = (0..40).map(|_| b"\n{"[below(2)]).collect();
            let mut marker = Marker::new(b"\n{{");
            for _ in 0..10 {
                let from = below(42);
                let found =
                    input.get(from..).and_then(|rest| memmem::find(rest, b"\n{{")).map(|at| from + at);
                assert_eq!(marker.next(&input, from), found);
            }
        }
    }
}
