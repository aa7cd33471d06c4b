//! What events and the server's own lists tell differently. An event on its way may still explain
//! it, so it counts only once two lists have said the same, some time apart.

use std::hash::Hash;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::Key;
use ems_protocol::Timestamp;

/// How far two lists must be apart to say the same. The slowest event seen in the field came 0.3 s
/// after it had happened.
pub const SETTLE: Duration = Duration::from_secs(2);

/// All that the last look at the server's lists left in doubt.
#[derive(Debug)]
pub struct Discrepancies<T> {
    /// What was in doubt at the look before, and when the answer came that first put it in doubt.
    before: HashMap<T, Timestamp>,
    now: HashMap<T, Timestamp>,
}

impl<T> Default for Discrepancies<T> {
    fn default() -> Self {
        Self { before: HashMap::new(), now: HashMap::new() }
    }
}

impl<T: Eq + Hash> Discrepancies<T> {
    /// Notes what a list that was asked for at `asked` and came at `now` tells differently. Says
    /// whether the list is to be believed: all that had happened when the same was first in doubt
    /// has been told by now.
    pub fn lasts(&mut self, doubt: T, asked: Timestamp, now: Timestamp) -> bool {
        let first = self.before.get(&doubt).copied().unwrap_or(now);
        let lasts = asked.since(first) >= SETTLE;
        if !lasts {
            self.now.insert(doubt, first);
        }
        lasts
    }

    /// Ends a look: what it did not doubt again is not in doubt any more. Says whether anything is.
    pub fn end_poll(&mut self) -> bool {
        self.before = std::mem::take(&mut self.now);
        !self.before.is_empty()
    }
}

/// The doubts about things that a list tells by an id alone, without their process.
#[derive(Debug, Default)]
pub struct ById(Discrepancies<IdDoubt>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IdDoubt {
    /// The list has something with this id, the table does not.
    Listed(u64),
    /// The table has it, the list does not.
    Unlisted(Key),
}

/// What a list and a table tell differently, where the list is to be believed.
#[derive(Debug)]
pub struct Difference {
    /// Where in the list those are that the table does not have.
    pub appeared: Vec<usize>,
    /// What the list does not have.
    pub gone: Vec<Key>,
    /// Whether more is in doubt.
    pub doubts: bool,
}

impl ById {
    /// Compares the `rows` of a table, each with the moment of its last event, with the ids in a list
    /// that was asked for at `asked`, each with whether no event on its way can explain it.
    pub fn compare(
        &mut self,
        rows: impl Iterator<Item = (Key, Timestamp)> + Clone,
        listed: impl Iterator<Item = (u64, bool)>,
        asked: Timestamp,
        now: Timestamp,
    ) -> Difference {
        let mut unlisted: HashSet<u64> = rows.clone().map(|(key, _)| key.id).collect();
        let mut appeared = Vec::new();
        for (place, (id, settled)) in listed.enumerate() {
            if !unlisted.remove(&id) && (settled || self.0.lasts(IdDoubt::Listed(id), asked, now)) {
                appeared.push(place);
            }
        }
        let missing = rows.filter(|(key, heard)| *heard < asked && unlisted.contains(&key.id));
        let gone = missing.map(|(key, _)| key);
        let gone = gone.filter(|key| self.0.lasts(IdDoubt::Unlisted(*key), asked, now)).collect();
        Difference { appeared, gone, doubts: self.0.end_poll() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_must_last_over_two_looks_without_a_break() {
        let (mut doubts, at) = (Discrepancies::default(), Timestamp::from_seconds);
        assert!(!doubts.lasts("gone", at(9), at(10)));
        assert!(doubts.end_poll());
        assert!(!doubts.lasts("gone", at(11), at(13)), "too soon after the first answer");
        assert!(doubts.end_poll());
        assert!(doubts.lasts("gone", at(12), at(13)), "two seconds after the first answer");
        assert!(!doubts.end_poll());
        assert!(!doubts.lasts("gone", at(20), at(20)), "a doubt of its own");
        assert!(doubts.end_poll());
        assert!(!doubts.end_poll(), "a look that does not doubt it ends it");
        assert!(!doubts.lasts("gone", at(40), at(40)));
    }
}
