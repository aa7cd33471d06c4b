//! How things of all families open and close. Events overtake each other, are repeated or get lost, so
//! each operation returns the [`Change`] that it made.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

use hashbrown::{HashMap, HashSet};

use super::{Change, Key};

/// How many closed things are remembered, and how many beyond the limit. In the field, bodies arrived up to
/// 21 places out of order; a server that stops closes everything at once.
const REMEMBERED: usize = 16_384;

/// The numbers of things with one label.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// Open ones in the table.
    pub(super) open: usize,
    /// Ever opened; each thing counts once, by whichever of its events came first.
    pub(super) opened: u64,
    /// Ever closed.
    pub(super) closed: u64,
}

/// An open thing.
#[derive(Debug)]
pub(super) struct Entry<L, R> {
    /// Distinguishes things that have the same key one after the other; 0 if the server gives none.
    pub(super) stamp: u64,
    /// The label that it counts under.
    pub(super) label: L,
    /// Whether its creation has come, and not only a later event.
    created: bool,
    /// The data of its family.
    pub(super) row: R,
}

/// The open things of one family by their key, and the counts by label.
///
/// For each label, `opened - closed` is what is open in the table and beyond its limit. Beyond the
/// limit only key and label are kept, and where even those are too many, a thing counts when it
/// closes.
#[derive(Debug)]
pub(super) struct Lifecycle<K, L, R> {
    open: HashMap<K, Entry<L, R>>,
    limit: usize,
    overflowed: HashMap<K, (u64, L)>,
    overflows: u64,
    closed: HashSet<(K, u64)>,
    /// The same closed things, the oldest first.
    closing_order: VecDeque<(K, u64)>,
    remembered: usize,
    counts: BTreeMap<L, Count>,
}

impl<K: Copy + Eq + Hash, L: Copy + Ord, R> Lifecycle<K, L, R> {
    /// An empty table of at most `limit` rows.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            open: HashMap::new(),
            limit,
            overflowed: HashMap::new(),
            overflows: 0,
            closed: HashSet::new(),
            closing_order: VecDeque::new(),
            remembered: REMEMBERED,
            counts: BTreeMap::new(),
        }
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many things came beyond the limit.
    pub(super) const fn overflows(&self) -> u64 {
        self.overflows
    }

    /// The counts of every label that ever occurred, so that a gauge falls to 0 and does not vanish.
    pub(super) const fn counts(&self) -> &BTreeMap<L, Count> {
        &self.counts
    }

    /// The counts of one label.
    pub(super) fn count(&self, label: L) -> Count {
        self.counts.get(&label).copied().unwrap_or_default()
    }

    pub(super) fn get(&self, key: &K) -> Option<&Entry<L, R>> {
        self.open.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut Entry<L, R>> {
        self.open.get_mut(key)
    }

    /// The open things in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Entry<L, R>)> + Clone {
        self.open.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut Entry<L, R>)> {
        self.open.iter_mut()
    }

    /// Whether this thing is known to have closed.
    pub(super) fn has_closed(&self, key: K, stamp: u64) -> bool {
        self.closed.contains(&(key, stamp))
    }

    /// Forgets that this thing has closed.
    pub(super) fn forget_close(&mut self, key: K, stamp: u64) {
        if self.closed.remove(&(key, stamp)) {
            self.closing_order.retain(|closed| *closed != (key, stamp));
        }
    }

    /// Forgets all that has closed, so that it may be open again.
    pub(super) fn forget_closes(&mut self) {
        self.closed.clear();
        self.closing_order.clear();
    }

    /// An event of an open thing; `creation` says whether it is the event of its creation. `row` makes its
    /// row if it gets one. Returns the change, and the entry that was replaced.
    pub(super) fn open(
        &mut self,
        (key, stamp): (K, u64),
        label: L,
        creation: bool,
        row: impl FnOnce() -> R,
    ) -> (Change, Option<Entry<L, R>>) {
        if self.has_closed(key, stamp) {
            return (Change::CreatedLate, None);
        }
        if let Some(entry) = self.open.get_mut(&key).filter(|entry| entry.stamp == stamp) {
            let repeated = creation && entry.created;
            entry.created |= creation;
            return (if repeated { Change::Repeated } else { Change::Updated }, None);
        }
        if let Some((_, label)) = self.overflowed.get(&key).filter(|(known, _)| *known == stamp).copied() {
            if self.open.len() >= self.limit {
                return (Change::Counted, None);
            }
            self.overflowed.remove(&key);
            self.insert(key, Entry { stamp, label, created: creation, row: row() });
            return (Change::Adopted, None);
        }
        let replaces = self.stamp(&key).is_some();
        let replaced = self.end(key);
        if self.open.len() < self.limit {
            self.insert(key, Entry { stamp, label, created: creation, row: row() }).opened += 1;
            let change = if creation { Change::Opened } else { Change::Adopted };
            return (if replaces { Change::Replaced } else { change }, replaced);
        }
        if self.overflowed.len() < self.remembered {
            self.overflowed.insert(key, (stamp, label));
            self.overflows += 1;
            self.counts.entry(label).or_default().opened += 1;
        }
        (Change::Counted, replaced)
    }

    fn insert(&mut self, key: K, entry: Entry<L, R>) -> &mut Count {
        let count = self.counts.entry(entry.label).or_default();
        count.open += 1;
        self.open.insert(key, entry);
        count
    }

    /// A thing has closed. Returns the change, and the entry that had its key.
    pub(super) fn close(&mut self, (key, stamp): (K, u64), label: L) -> (Change, Option<Entry<L, R>>) {
        if self.has_closed(key, stamp) {
            return (Change::Repeated, None);
        }
        let change = match self.stamp(&key) {
            Some(known) if known == stamp => Change::Closed,
            Some(_) => Change::Replaced,
            None => Change::ClosedUnseen,
        };
        let entry = self.end(key);
        if change != Change::Closed {
            self.counts.entry(label).or_default().opened += 1;
            self.count_close((key, stamp), label);
        }
        (change, entry)
    }

    /// The stamp of the thing that has this key now, in the table or beyond its limit.
    fn stamp(&self, key: &K) -> Option<u64> {
        let overflowed = || self.overflowed.get(key).map(|(stamp, _)| *stamp);
        self.open.get(key).map(|entry| entry.stamp).or_else(overflowed)
    }

    /// The thing that has this key is not open any more.
    pub(super) fn end(&mut self, key: K) -> Option<Entry<L, R>> {
        if let Some((stamp, label)) = self.overflowed.remove(&key) {
            self.count_close((key, stamp), label);
        }
        let entry = self.open.remove(&key)?;
        self.count_close((key, entry.stamp), entry.label).open -= 1;
        Some(entry)
    }

    fn count_close(&mut self, thing: (K, u64), label: L) -> &mut Count {
        if self.closed.insert(thing) {
            self.closing_order.push_back(thing);
        }
        if self.closing_order.len() > self.remembered
            && let Some(oldest) = self.closing_order.pop_front()
        {
            self.closed.remove(&oldest);
        }
        let count = self.counts.entry(label).or_default();
        count.closed += 1;
        count
    }

    /// Nothing is open any more: things do not outlive the server process. Returns all that was.
    pub(super) fn end_all(&mut self) -> Vec<Entry<L, R>> {
        let keys: Vec<K> = self.open.keys().chain(self.overflowed.keys()).copied().collect();
        keys.into_iter().filter_map(|key| self.end(key)).collect()
    }

    /// A new server process uses keys anew: its things without a stamp have the keys of earlier ones.
    pub(super) fn begin(&mut self) {
        self.closed.retain(|(_, stamp)| *stamp != 0);
        self.closing_order.retain(|(_, stamp)| *stamp != 0);
    }
}

impl<L: Copy + Ord, R> Lifecycle<Key, L, R> {
    /// An event names the process of a thing that was known only from a list without processes.
    pub(super) fn assign_process(&mut self, key: Key) {
        let unknown = Key { pid: 0, ..key };
        if key == unknown {
            return;
        }
        if self.stamp(&key).is_some() {
            self.end(unknown);
        } else if let Some(entry) = self.open.remove(&unknown) {
            self.open.insert(key, entry);
        } else if let Some(overflowed) = self.overflowed.remove(&unknown) {
            self.overflowed.insert(key, overflowed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// An event of a thing by key and stamp.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Created(u8, u64),
        Updated(u8, u64),
        Closed(u8, u64),
        EndAll,
    }

    fn table(limit: usize, remembered: usize) -> Lifecycle<u8, u8, ()> {
        Lifecycle { remembered, ..Lifecycle::new(limit) }
    }

    fn event() -> impl Strategy<Value = Event> {
        let thing = || (0..8u8, 1..4u64);
        prop_oneof![
            8 => thing().prop_map(|(key, stamp)| Event::Created(key, stamp)),
            8 => thing().prop_map(|(key, stamp)| Event::Updated(key, stamp)),
            8 => thing().prop_map(|(key, stamp)| Event::Closed(key, stamp)),
            1 => Just(Event::EndAll),
        ]
    }

    fn label(key: u8) -> u8 {
        key % 2
    }

    fn apply(table: &mut Lifecycle<u8, u8, ()>, event: Event) -> Change {
        match event {
            Event::Created(key, stamp) => table.open((key, stamp), label(key), true, || ()).0,
            Event::Updated(key, stamp) => table.open((key, stamp), label(key), false, || ()).0,
            Event::Closed(key, stamp) => table.close((key, stamp), label(key)).0,
            Event::EndAll => {
                table.end_all();
                Change::Counted
            }
        }
    }

    /// The numbers of things with a label, in the table and beyond its limit.
    fn sizes(table: &Lifecycle<u8, u8, ()>, of: u8) -> (usize, usize) {
        let open = table.open.values().filter(|entry| entry.label == of).count();
        (open, table.overflowed.values().filter(|(_, label)| *label == of).count())
    }

    proptest! {
        /// Within, at and beyond the limits of rows and of things remembered beyond them.
        #[test]
        fn opened_less_closed_is_the_number_of_open_and_overflowed_things(
            limit in 0..10usize,
            remembered in 0..10usize,
            events in prop::collection::vec((event(), 0..4u8), 0..80),
        ) {
            let mut table = table(limit, remembered);
            for (event, reopens) in events {
                if let (Event::Created(key, stamp) | Event::Updated(key, stamp), 0) = (event, reopens) {
                    table.forget_close(key, stamp);
                }
                apply(&mut table, event);
                prop_assert!(table.open.len() <= limit && table.overflowed.len() <= remembered);
                prop_assert!(table.closed.len() <= remembered);
                prop_assert_eq!(table.closed.len(), table.closing_order.len());
                for of in [0, 1] {
                    let (count, (open, overflowed)) = (table.count(of), sizes(&table, of));
                    prop_assert_eq!(count.open, open);
                    prop_assert_eq!(count.opened - count.closed, (open + overflowed) as u64);
                }
            }
        }

        /// Late and twice: each thing counts once, whatever its events and wherever the limit is.
        #[test]
        fn no_thing_counts_twice(limit in 0..10usize, events in prop::collection::vec(event(), 0..80)) {
            let mut table = Lifecycle::new(limit);
            let (mut seen, mut closed) = (BTreeSet::new(), BTreeSet::new());
            for event in events {
                match event {
                    Event::Created(key, stamp) | Event::Updated(key, stamp) | Event::Closed(key, stamp) => {
                        seen.insert((key, stamp));
                        // A thing ends with its close, and with any event of another one that has its key.
                        if !closed.contains(&(key, stamp)) {
                            closed.extend(seen.iter().filter(|(other, at)| *other == key && *at != stamp));
                        }
                        if matches!(event, Event::Closed(..)) {
                            closed.insert((key, stamp));
                        }
                    }
                    Event::EndAll => closed.extend(&seen),
                }
                apply(&mut table, event);
                let total = |read: fn(&Count) -> u64| table.counts().values().map(read).sum::<u64>();
                prop_assert_eq!(total(|count| count.opened), seen.len() as u64);
                prop_assert_eq!(total(|count| count.closed), closed.len() as u64);
            }
        }
    }

    #[test]
    fn a_thing_beyond_the_limit_counts_once_and_gets_a_row_once_there_is_room() {
        let mut table = table(1, 1);
        let changes =
            [Event::Created(0, 1), Event::Created(2, 1), Event::Updated(2, 1), Event::Created(2, 1)]
                .map(|event| apply(&mut table, event));
        assert_eq!(changes, [Change::Opened, Change::Counted, Change::Counted, Change::Counted]);
        assert_eq!((table.count(0).opened, table.overflows()), (2, 1));
        assert_eq!(apply(&mut table, Event::Created(4, 1)), Change::Counted, "beyond both limits");
        assert_eq!(table.count(0).opened, 2);
        assert_eq!(apply(&mut table, Event::Closed(4, 1)), Change::ClosedUnseen);
        assert_eq!((table.count(0).opened, table.count(0).closed), (3, 1));
        assert_eq!(apply(&mut table, Event::Closed(0, 1)), Change::Closed);
        assert_eq!(apply(&mut table, Event::Updated(2, 1)), Change::Adopted);
        assert_eq!((table.count(0).opened, table.len()), (3, 1));
        assert_eq!(apply(&mut table, Event::Closed(2, 1)), Change::Closed);
        assert_eq!((table.count(0).closed, table.len()), (3, 0));
    }

    #[test]
    fn a_thing_that_was_reopened_and_closed_is_the_last_to_be_forgotten() {
        let mut table = table(9, 2);
        apply(&mut table, Event::Closed(1, 0));
        table.forget_close(1, 0);
        assert!(!table.has_closed(1, 0));
        for key in [2, 1] {
            apply(&mut table, Event::Closed(key, 0));
        }
        assert_eq!([1, 2].map(|key| table.has_closed(key, 0)), [true, true]);
        apply(&mut table, Event::Closed(3, 0));
        assert_eq!([1, 2].map(|key| table.has_closed(key, 0)), [true, false]);
    }

    #[test]
    fn closed_things_are_forgotten_in_order_and_those_without_a_stamp_with_the_process() {
        let mut table = table(9, 2);
        for event in [Event::Closed(1, 0), Event::Closed(2, 0), Event::Closed(3, 7)] {
            apply(&mut table, event);
        }
        assert_eq!([1, 2].map(|key| table.has_closed(key, 0)), [false, true]);
        table.begin();
        assert_eq!((table.has_closed(2, 0), table.has_closed(3, 7)), (false, true));
        assert!(!table.has_closed(3, 8), "another thing with the same key");
    }

    #[test]
    fn a_listed_thing_gets_its_process_by_an_event() {
        let mut table: Lifecycle<Key, (), ()> = Lifecycle::new(1);
        let (listed, other) = (Key { pid: 0, id: 1 }, Key { pid: 0, id: 2 });
        table.open((listed, 0), (), false, || ());
        table.open((other, 0), (), false, || ());
        for id in [1, 2] {
            table.assign_process(Key { pid: 7, id });
            assert_eq!(table.close((Key { pid: 7, id }, 0), ()).0, Change::Closed);
        }
        assert_eq!((table.count(()).opened, table.count(()).closed), (2, 2));
    }
}
