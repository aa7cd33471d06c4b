//! What has closed lately: bodies overtake each other, so a creation can follow its close.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::Key;

/// How many closed things are remembered. The field saw bodies 21 places out of order; a server
/// that stops closes all it has at once.
const REMEMBERED: usize = 16_384;

/// The keys of closed things, each with a stamp that tells it from a later thing with its key.
#[derive(Debug, Default)]
pub struct Closed {
    stamps: HashMap<Key, u64>,
    order: VecDeque<Key>,
}

impl Closed {
    /// Remembers that `key` has closed.
    pub fn remember(&mut self, key: Key, stamp: u64) {
        if self.stamps.insert(key, stamp).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.stamps.remove(&oldest);
        }
    }

    /// Whether the thing with this key and stamp has closed.
    pub fn holds(&self, key: Key, stamp: u64) -> bool {
        self.stamps.get(&key) == Some(&stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_a_bounded_number_and_tells_reused_keys_apart() {
        let mut closed = Closed::default();
        let key = |id| Key { pid: 1, id };
        for id in 0..=REMEMBERED as u64 {
            closed.remember(key(id), 7);
        }
        assert!(!closed.holds(key(0), 7), "the oldest is forgotten");
        assert!(closed.holds(key(1), 7));
        assert!(!closed.holds(key(1), 8), "another thing with the same key");
        assert_eq!(closed.stamps.len(), REMEMBERED);
    }
}
