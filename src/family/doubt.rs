//! What events and the server's own lists tell differently. An event on its way may still explain
//! it, so it counts only once two lists have said the same, some time apart.

use std::hash::Hash;
use std::time::Duration;

use hashbrown::HashMap;

use crate::moment::Moment;

/// How far two lists must be apart to say the same. The slowest event seen in the field came 0.3 s
/// after it had happened.
pub const SETTLE: Duration = Duration::from_secs(2);

/// All that the last look at the server's lists left in doubt.
#[derive(Debug)]
pub struct Doubts<T> {
    /// What was in doubt at the look before, and when the answer came that first put it in doubt.
    before: HashMap<T, Moment>,
    now: HashMap<T, Moment>,
}

impl<T> Default for Doubts<T> {
    fn default() -> Self {
        Self { before: HashMap::new(), now: HashMap::new() }
    }
}

impl<T: Eq + Hash> Doubts<T> {
    /// Notes what a list that was asked for at `asked` and came at `now` tells differently. Says
    /// whether the list is to be believed: all that had happened when the same was first in doubt
    /// has been told by now.
    pub fn lasts(&mut self, doubt: T, asked: Moment, now: Moment) -> bool {
        let first = self.before.get(&doubt).copied().unwrap_or(now);
        let lasts = asked.since(first) >= SETTLE;
        if !lasts {
            self.now.insert(doubt, first);
        }
        lasts
    }

    /// Ends a look: what it did not doubt again is not in doubt any more. Says whether anything is.
    pub fn end_look(&mut self) -> bool {
        self.before = std::mem::take(&mut self.now);
        !self.before.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_must_last_over_two_looks_without_a_break() {
        let (mut doubts, at) = (Doubts::default(), Moment::from_seconds);
        assert!(!doubts.lasts("gone", at(9), at(10)));
        assert!(doubts.end_look());
        assert!(!doubts.lasts("gone", at(11), at(13)), "too soon after the first answer");
        assert!(doubts.end_look());
        assert!(doubts.lasts("gone", at(12), at(13)), "two seconds after the first answer");
        assert!(!doubts.end_look());
        assert!(!doubts.lasts("gone", at(20), at(20)), "a doubt of its own");
        assert!(doubts.end_look());
        assert!(!doubts.end_look(), "a look that does not doubt it ends it");
        assert!(!doubts.lasts("gone", at(40), at(40)));
    }
}
