//! Discrepancies between the tables and the server's own lists. An event on its way may still explain
//! one, so it is confirmed only once two polls, some time apart, have shown it.

use std::hash::Hash;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::lifecycle::Lifecycle;
use super::{Change, Corrections, Key};
use ems_protocol::Timestamp;

/// How far apart two polls must be to confirm a discrepancy. The slowest event seen in the field came 0.3 s
/// after it had happened.
pub const SETTLE: Duration = Duration::from_secs(2);

/// The discrepancies that the last poll left unconfirmed.
#[derive(Debug)]
pub struct Discrepancies<T> {
    /// Those of the poll before, with the moment of the answer that first showed them.
    before: HashMap<T, Timestamp>,
    /// Those of the present poll.
    now: HashMap<T, Timestamp>,
}

impl<T> Default for Discrepancies<T> {
    fn default() -> Self {
        Self { before: HashMap::new(), now: HashMap::new() }
    }
}

impl<T: Eq + Hash> Discrepancies<T> {
    /// A poll that was requested at `requested` and answered at `now` shows a discrepancy. Returns whether
    /// it is confirmed: every event that had happened when it first showed has arrived by now.
    pub fn is_confirmed(&mut self, discrepancy: T, requested: Timestamp, now: Timestamp) -> bool {
        let first = self.before.get(&discrepancy).copied().unwrap_or(now);
        let confirmed = requested.since(first) >= SETTLE;
        if !confirmed {
            self.now.insert(discrepancy, first);
        }
        confirmed
    }

    /// Ends a poll: discrepancies that did not occur again are dropped. Returns whether any is left.
    pub fn end_poll(&mut self) -> bool {
        self.before = std::mem::take(&mut self.now);
        !self.before.is_empty()
    }
}

/// Discrepancies of things that a list identifies by their id alone, without their process.
#[derive(Debug, Default)]
pub struct ById(Discrepancies<IdDiscrepancy>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IdDiscrepancy {
    /// The list has something with this id, the table does not.
    Listed(u64),
    /// The table has it, the list does not.
    Unlisted(Key),
}

/// A thing in a list.
#[derive(Debug)]
pub(super) struct ListedRow<R> {
    pub(super) key: Key,
    pub(super) stamp: u64,
    /// Whether no event on its way can explain that the table does not have it.
    pub(super) settled: bool,
    /// The row that it gets if the table does not have it.
    pub(super) row: R,
}

impl ById {
    /// Corrects a table by a list that was requested at `requested`; `last_event` reads from a row when the last event of
    /// its thing came. Also returns whether discrepancies are left.
    pub(super) fn reconcile<R>(
        &mut self,
        table: &mut Lifecycle<Key, (), R>,
        last_event: fn(&R) -> Timestamp,
        listed: impl Iterator<Item = ListedRow<R>>,
        requested: Timestamp,
        now: Timestamp,
    ) -> (Corrections, bool) {
        let mut corrections = Corrections::default();
        let mut unlisted: HashSet<u64> = table.iter().map(|(key, _)| key.id).collect();
        for ListedRow { key, stamp, settled, row } in listed {
            let unseen = IdDiscrepancy::Listed(key.id);
            if !unlisted.remove(&key.id) && (settled || self.0.is_confirmed(unseen, requested, now)) {
                table.assign_process(key);
                // A thing that has closed meanwhile is not opened again.
                let (change, _) = table.open((key, stamp), (), false, || row);
                corrections.opened += u64::from(change == Change::Adopted);
            }
        }
        let missing = table
            .iter()
            .filter(|(key, open)| unlisted.contains(&key.id) && last_event(&open.row) < requested);
        let gone = missing
            .map(|(key, _)| *key)
            .filter(|key| self.0.is_confirmed(IdDiscrepancy::Unlisted(*key), requested, now));
        for key in gone.collect::<Vec<_>>() {
            corrections.closed += u64::from(table.end(key).is_some());
        }
        (corrections, self.0.end_poll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discrepancy_must_show_in_two_polls_without_a_break() {
        let (mut discrepancies, at) = (Discrepancies::default(), Timestamp::from_seconds);
        assert!(!discrepancies.is_confirmed("gone", at(9), at(10)));
        assert!(discrepancies.end_poll());
        assert!(!discrepancies.is_confirmed("gone", at(11), at(13)), "too soon after the first answer");
        assert!(discrepancies.end_poll());
        assert!(discrepancies.is_confirmed("gone", at(12), at(13)), "two seconds after the first answer");
        assert!(!discrepancies.end_poll());
        assert!(!discrepancies.is_confirmed("gone", at(20), at(20)), "a new discrepancy");
        assert!(discrepancies.end_poll());
        assert!(!discrepancies.end_poll(), "a poll that does not show it ends it");
        assert!(!discrepancies.is_confirmed("gone", at(40), at(40)));
    }
}
